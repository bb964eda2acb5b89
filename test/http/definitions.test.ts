/** Definitions: what is exported can be imported, here and with RabbitMQ's and LavinMQ's spellings. */
import assert from "node:assert/strict"
import { addUser, httpTest, rows } from "./support.ts"
import type { HttpTest, Json } from "./support.ts"
import { cpuMs } from "../support/cpu-time.ts"

async function build({ expect, running }: HttpTest): Promise<void> {
  await expect(201, "PUT /api/vhosts/shop", {
    body: { description: "The shop", tags: "a,b", default_queue_type: "quorum" },
  })
  await expect(201, "PUT /api/users/app", { body: { password: "secret", tags: "monitoring" } })
  await expect(201, "PUT /api/permissions/shop/app", {
    body: { configure: "", write: ".*", read: "^q" },
  })
  await expect(201, "PUT /api/topic-permissions/shop/app", {
    body: { exchange: "amq.topic", write: "^a", read: ".*" },
  })
  await expect(204, "PUT /api/vhost-limits/shop/max-queues", { body: { value: 100 } })
  await expect(204, "PUT /api/user-limits/app/max-channels", { body: { value: 5 } })
  await expect(201, "PUT /api/policies/shop/ttl", {
    body: { pattern: "^t", definition: { "message-ttl": 5 }, priority: 2, "apply-to": "queues" },
  })
  await expect(201, "PUT /api/operator-policies/shop/max", {
    body: { pattern: "", definition: { "max-length": 9 } },
  })
  await expect(201, "PUT /api/parameters/notes/shop/s1", { body: { value: { a: [1] } } })
  await expect(201, "PUT /api/global-parameters/g", { body: { value: "x" } })
  await expect(201, "PUT /api/exchanges/shop/inner", {
    body: { type: "topic", durable: true, internal: true },
  })
  await expect(201, "PUT /api/exchanges/shop/outer", {
    body: { type: "x-delayed-message", durable: true, arguments: { "x-delayed-type": "direct" } },
  })
  await expect(201, "PUT /api/queues/shop/q1", { body: { durable: true } })
  await expect(201, "PUT /api/queues/shop/q%2F2", { body: { arguments: { "x-max-length": 3 } } })
  await expect(201, "POST /api/bindings/shop/e/outer/e/inner", { body: { routing_key: "a.b" } })
  await expect(201, "POST /api/bindings/shop/e/inner/q/q1", {
    body: { routing_key: "#", arguments: { x: 1 } },
  })
  assert.ok(running.broker.vhosts.has("shop"))
}

async function exported(http: HttpTest, path = "/api/definitions"): Promise<Json> {
  return (await http.expect(200, `GET ${path}`)).body
}

let file: Json = {}

httpTest("an export shows everything but what belongs to connections", async (http) => {
  await build(http)
  const client = await http.client()
  await client.call("queue.declare", 1, { queue: "mine", exclusive: true })
  await client.call("queue.bind", 1, { queue: "mine", exchange: "amq.topic", routingKey: "x" })
  file = await exported(http)
  assert.equal(file["rabbitmq_definition_format"], "cluster")
  const names = (key: string): unknown[] => {
    const section: unknown = file[key]
    assert.ok(Array.isArray(section))
    return section.map((entry: Json) => entry["name"] ?? entry["routing_key"] ?? entry["user"])
  }
  assert.deepEqual(names("queues"), ["q1", "q/2"])
  assert.deepEqual(names("exchanges"), ["inner", "outer"])
  assert.deepEqual(names("bindings"), ["#", "a.b"])
  assert.deepEqual(names("users"), ["guest", "app"])
  assert.deepEqual(names("parameters"), ["s1", "max", "limits"])
  assert.deepEqual(names("policies"), ["ttl"])
})

httpTest("an import makes the same again, and once more changes nothing", async (http) => {
  const { expect } = http
  await expect(204, "POST /api/definitions", { body: file })
  assert.deepEqual(await exported(http), file)
  const queue = http.running.broker.vhosts.get("shop")?.queues.get("q1")
  await expect(204, "POST /api/definitions/upload", { body: file })
  assert.deepEqual(await exported(http), file)
  assert.equal(http.running.broker.vhosts.get("shop")?.queues.get("q1"), queue)
  assert.equal(http.running.broker.vhosts.get("shop")?.queues.get("q1")?.settings.maxLength, 9)
  await expect(200, "GET /api/whoami", { user: "app:secret" })
})

httpTest("the definitions of a vhost go into another", async (http) => {
  await build(http)
  const shop = await exported(http, "/api/definitions/shop?download=shop.json")
  assert.equal(shop["users"], undefined)
  await http.expect(204, "POST /api/definitions/%2F", { body: shop })
  assert.deepEqual([...http.vhost.queues.keys()], ["q1", "q/2"])
  assert.equal(http.vhost.policies.size, 1)
  assert.equal(
    rows(await http.expect(200, "GET /api/exchanges/%2F/inner/bindings/source")).length,
    1,
  )
})

httpTest("a form with a file is taken, too", async ({ running, expect }) => {
  const form = new FormData()
  form.append("file", new Blob([JSON.stringify({ queues: [{ name: "q", vhost: "/" }] })]), "d.json")
  const response = await running.http?.app.request("/api/definitions/upload", {
    method: "POST",
    body: form,
    headers: { authorization: `Basic ${btoa("guest:guest")}` },
  })
  assert.equal(response?.status, 204)
  await expect(200, "GET /api/queues/%2F/q")
})

httpTest("other products' spellings are understood", async (http) => {
  const body = {
    lavinmq_version: "2.1.0",
    users: [
      {
        name: "l",
        password_hash: "+pHuxkR9fCyrrwXjOD4BP4XbzO3l8LJr8YkThMgJ0yVHFRE+",
        hashing_algorithm: "rabbit_password_hashing_sha256",
        tags: ["policy_maker"],
      },
      { name: "r", password_hash: "", tags: "management, monitoring", limits: [] },
    ],
    exchanges: [
      { name: "", vhost: "/", type: "direct", durable: true, arguments: {} },
      { name: "amq.rabbitmq.log", vhost: "/", type: "topic", durable: true },
      {
        name: "d",
        vhost: "/",
        type: "x-delayed-exchange",
        arguments: { "x-delayed-type": "topic" },
      },
    ],
    queues: [{ name: "amq.gen-abc", durable: false, auto_delete: false, arguments: {} }],
    bindings: [
      {
        source: "gone",
        vhost: "/",
        destination: "d",
        destination_type: "exchange",
        routing_key: "",
      },
      {
        source: "d",
        vhost: "/",
        destination: "amq.gen-abc",
        destination_type: "queue",
        routing_key: "k",
        arguments: null,
      },
    ],
  }
  await http.expect(204, "POST /api/definitions", { body })
  assert.deepEqual(http.running.broker.users.get("l")?.tags, ["policymaker"])
  assert.deepEqual(http.running.broker.users.get("r")?.tags, ["management", "monitoring"])
  assert.ok(http.vhost.queues.has("amq.gen-abc"))
  assert.equal(http.vhost.exchanges.get("d")?.bindings.size, 1)
})

httpTest("a wrong file changes nothing and is told where it is wrong", async (http) => {
  const { expect } = http
  const good = { name: "good", vhost: "/" }
  for (const [body, reason] of [
    [{ queues: [good, { vhost: "/" }] }, /queues\[1\]: field 'name' is required/],
    [{ queues: [good], bindings: [5] }, /bindings\[0\]/],
    [{ users: [{ tags: "" }], queues: [good] }, /users\[0\]/],
    ["{", /not_json/],
    ["", /not_json/],
    ['{"queues":[1 2]}', /not_json/],
    ['{"queues":[]} x', /not_json/],
    [`{"queues":${"[".repeat(100)}`, /nested/],
  ] as const) {
    const answer = await expect(400, "POST /api/definitions", { body })
    assert.match(answer.text, reason)
  }
  const { text } = await expect(400, "POST /api/definitions", {
    body: { queues: [{ name: "q", vhost: "nowhere" }] },
  })
  assert.match(text, /no vhost 'nowhere'/)
  assert.equal(http.vhost.queues.size, 0)
})

httpTest("only administrators export and import", async (http) => {
  const user = await addUser(http, "maker", ["policymaker"], "/")
  await http.expect(401, "GET /api/definitions", { user })
  await http.expect(401, "GET /api/definitions/%2F", { user })
  await http.expect(401, "POST /api/definitions", { user, body: {} })
  await http.expect(404, "GET /api/definitions/nowhere")
})

httpTest("many queues are imported and exported in slices", async (http) => {
  const queues = Array.from({ length: 20_000 }, (_, i) => ({ name: `q${i}`, vhost: "/" }))
  let longestMs = 0
  let lastMs = cpuMs()
  let isDone = false
  const measure = (): void => {
    const nowMs = cpuMs()
    longestMs = Math.max(longestMs, nowMs - lastMs)
    lastMs = nowMs
    if (!isDone) setImmediate(measure)
  }
  const body = JSON.stringify({ queues })
  measure()
  await http.expect(204, "POST /api/definitions", { body })
  isDone = true
  assert.equal(http.vhost.queues.size, 20_000)
  // Other threads of the process count as well: what is meant is 10 ms.
  assert.ok(longestMs < 200, `a turn of the loop took ${longestMs.toFixed(1)} ms`)
  const page = await http.expect(200, "GET /api/queues?page=150&page_size=100&sort=name")
  assert.equal(page.body["item_count"], 100)
})
