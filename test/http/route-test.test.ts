/** Where a message would go: the answer is compared with what the broker does with that very message. */
import assert from "node:assert/strict"
import { addUser, httpTest, rows } from "./support.ts"
import type { Answer, HttpTest } from "./support.ts"

interface Asked {
  readonly routing_key?: string
  readonly headers?: Readonly<Record<string, unknown>>
  readonly properties?: Readonly<Record<string, unknown>>
}

async function build({ expect }: HttpTest): Promise<void> {
  for (const [name, type, args] of [
    ["top", "topic", { "x-alternate-exchange": "spare" }],
    ["inner", "direct", {}],
    ["spare", "fanout", {}],
    ["heads", "headers", {}],
    ["hash", "x-consistent-hash", { "hash-property": "message_id" }],
    ["dice", "x-random", {}],
    ["late", "x-delayed-message", { "x-delayed-type": "fanout" }],
  ] as const)
    await expect(201, `PUT /api/exchanges/%2F/${name}`, { body: { type, arguments: args } })
  for (const name of ["a", "b", "c", "d"])
    await expect(201, `PUT /api/queues/%2F/${name}`, { body: {} })
  const bind = (
    source: string,
    kind: string,
    to: string,
    key: string,
    args = {},
  ): Promise<Answer> =>
    expect(201, `POST /api/bindings/%2F/e/${source}/${kind}/${to}`, {
      body: { routing_key: key, arguments: args },
    })
  await bind("top", "q", "a", "eu.#")
  await bind("top", "q", "a", "eu.*")
  await bind("top", "q", "a", "us.*")
  await bind("top", "e", "inner", "*.new")
  await bind("inner", "q", "b", "eu.new")
  await bind("inner", "e", "top", "eu.new") // A cycle.
  await bind("spare", "q", "d", "")
  await bind("heads", "q", "a", "", { "x-match": "any", kind: "x", size: 3 })
  await bind("heads", "q", "b", "", { "x-match": "all", kind: "x", size: 3 })
  for (const queue of ["a", "b", "c"]) {
    await bind("hash", "q", queue, "1")
    await bind("dice", "q", queue, "")
  }
  await bind("late", "q", "c", "")
}

const textsOf = (value: unknown): string[] => {
  assert.ok(Array.isArray(value))
  return value.map(String).toSorted()
}

function pathOf(answer: Answer): string[] {
  const { path } = answer.body
  assert.ok(Array.isArray(path))
  return path.map(
    (step: Readonly<Record<string, unknown>>) =>
      `${String(step["source"])} ${String(step["via"])} ${String(step["routing_key"])} ${String(step["destination"])}`,
  )
}

/** The queues that got it. They are empty again afterwards. */
async function published(http: HttpTest, exchange: string, asked: Asked): Promise<string[]> {
  const { properties = {}, headers, routing_key = "" } = asked
  const { body } = await http.expect(200, `POST /api/exchanges/%2F/${exchange}/publish`, {
    body: {
      properties: headers === undefined ? properties : { ...properties, headers },
      routing_key,
      payload: "",
      payload_encoding: "string",
    },
  })
  const got: string[] = []
  for (const { name, readyCount } of http.vhost.queues.values()) {
    if (readyCount === 0) continue
    assert.equal(readyCount, 1)
    got.push(name)
    await http.expect(204, `DELETE /api/queues/%2F/${name}/contents`)
  }
  assert.equal(body["routed"], got.length > 0)
  return got.toSorted()
}

httpTest("the answer is what a publish does, for every type of exchange", async (http) => {
  await build(http)
  const cases: readonly (readonly [exchange: string, asked: Asked])[] = [
    ["top", { routing_key: "eu.new" }],
    ["top", { routing_key: "eu.old" }],
    ["top", { routing_key: "us.new" }],
    ["top", { routing_key: "nobody" }],
    ["top", { routing_key: "x", headers: { CC: ["us.old"], BCC: ["eu.new"] } }],
    ["inner", { routing_key: "other" }],
    ["inner", { routing_key: "eu.new" }],
    ["spare", {}],
    ["heads", { headers: { kind: "x" } }],
    ["heads", { headers: { kind: "x", size: 3 } }],
    ["heads", { headers: { kind: "y" } }],
    ["hash", { properties: { message_id: "1" } }],
    ["hash", { properties: { message_id: "2" } }],
    ["hash", { properties: { message_id: "33" } }],
    ["amq.default", { routing_key: "a", headers: { CC: ["b", "none"] } }],
    ["amq.default", { routing_key: "none" }],
    ["late", {}],
  ]
  for (const [exchange, asked] of cases) {
    const { body } = await http.expect(200, `POST /api/exchanges/%2F/${exchange}/route`, {
      body: asked,
    })
    const queues = textsOf(body["queues"])
    assert.equal(body["routed"], queues.length > 0)
    assert.deepEqual(
      queues,
      await published(http, exchange, asked),
      JSON.stringify([exchange, asked]),
    )
  }
})

httpTest(
  "the path names the bindings, alternates and chances, and nothing changes",
  async (http) => {
    await build(http)
    const { expect, vhost } = http
    const countsBefore = [...vhost.exchanges.values()].map((one) => one.publishInCount)
    const ask = (exchange: string, body: Asked): Promise<Answer> =>
      expect(200, `POST /api/exchanges/%2F/${exchange}/route`, { body })
    assert.deepEqual(pathOf(await ask("top", { routing_key: "eu.new" })), [
      "top binding eu.# a",
      "top binding eu.* a",
      "top binding *.new inner",
      "inner binding eu.new b",
      "inner binding eu.new top",
    ])
    assert.deepEqual(pathOf(await ask("top", { routing_key: "nobody" })), [
      "top alternate-exchange  spare",
      "spare binding  d",
    ])
    const two = await ask("top", { routing_key: "us.x", headers: { CC: ["us.y"] } })
    assert.deepEqual(textsOf(two.body["routing_keys"]), ["us.x", "us.y"])
    assert.deepEqual(textsOf(two.body["path"]?.["0"]?.["routing_keys"]), ["us.x", "us.y"])
    const dice = await ask("dice", {})
    assert.deepEqual(textsOf(dice.body["queues"]), ["a", "b", "c"])
    assert.ok(pathOf(dice).every((step) => step.includes(" chance ")))
    const late = await ask("late", { headers: { "x-delay": 5000 } })
    assert.equal(Number(late.body["exchanges"]?.["0"]?.["delay_ms"]), 5000)
    assert.deepEqual(textsOf(late.body["queues"]), ["c"])
    assert.deepEqual(
      [...vhost.exchanges.values()].map((one) => one.publishInCount),
      countsBefore,
    )
    for (const queue of vhost.queues.values()) assert.equal(queue.readyCount, 0)
  },
)

httpTest("bad questions are refused, and a vhost must be visible", async (http) => {
  const { expect } = http
  const path = "POST /api/exchanges/%2F/amq.topic/route"
  await expect(400, path, { body: { routing_key: "x".repeat(256) } })
  await expect(400, path, { body: { headers: { CC: "no array" } } })
  await expect(400, path, { body: { properties: { expiration: "soon" } } })
  await expect(400, path, {
    body: { headers: { CC: Array.from({ length: 1001 }, (_, i) => String(i)) } },
  })
  await expect(404, "POST /api/exchanges/%2F/none/route", { body: {} })
  const stranger = await addUser(http, "stranger", ["management"])
  await expect(401, path, { body: {}, user: stranger })
  const member = await addUser(http, "member", ["management"], "/")
  await expect(200, path, { body: {}, user: member })
  const monitor = await addUser(http, "monitor", ["monitoring"])
  await expect(200, path, { body: {}, user: monitor })
  await expect(401, path, { body: {}, user: await addUser(http, "plain", [], "/") })
})

httpTest("a fanout to more than a thousand queues is cut, and says so", async (http) => {
  await http.expect(201, "PUT /api/exchanges/%2F/wide", { body: { type: "fanout" } })
  const queues = Array.from({ length: 1100 }, (_, i) => ({ name: `q${i}`, durable: false }))
  const bindings = queues.map(({ name }) => ({
    source: "wide",
    destination: name,
    destination_type: "queue",
    routing_key: "",
    arguments: {},
  }))
  await http.expect(204, "POST /api/definitions/%2F", { body: { queues, bindings } })
  const { body } = await http.expect(200, "POST /api/exchanges/%2F/wide/route", { body: {} })
  assert.equal(textsOf(body["queues"]).length, 1100)
  assert.ok(Array.isArray(body["path"]))
  assert.equal(body["path"].length, 1000)
  assert.equal(Number(body["steps"]), 1100)
  assert.equal(body["truncated"], true)
})

httpTest("connections and channels are also found by their user", async (http) => {
  const client = await http.client()
  assert.equal(rows(await http.expect(200, "GET /api/connections?name=guest")).length, 1)
  assert.equal(rows(await http.expect(200, "GET /api/connections?name=nobody")).length, 0)
  assert.equal(
    rows(await http.expect(200, "GET /api/channels?name=^guest$&use_regex=true")).length,
    1,
  )
  client.destroy()
})
