/** The HTTP API of federation: upstreams with their checks, links, metrics. */
import assert from "node:assert/strict"
import { eventually } from "../support/eventually.ts"
import { httpTest } from "./support.ts"

const UPSTREAM = "/api/parameters/federation-upstream/%2f/up"

httpTest("upstreams and policies are checked when they are set", async ({ ask, expect }) => {
  const refused = async (path: string, value: unknown, reason: RegExp): Promise<void> => {
    const { status, text } = await ask(`PUT ${path}`, { body: { value } })
    assert.equal(status, 400, text)
    assert.match(text, reason)
    assert.doesNotMatch(text, /secret/)
  }
  await refused(UPSTREAM, { uri: "amqp://u:secret@h", colour: 1 }, /Unrecognised terms/)
  await refused(UPSTREAM, { uri: "amqp://u:secret@h", "max-hops": "x" }, /max-hops/)
  await refused(UPSTREAM, {}, /uri/)
  await refused("/api/parameters/federation-upstream-set/%2f/s", [{}], /upstream/)
  await expect(201, `PUT ${UPSTREAM}`, { body: { value: { uri: "amqp://u:secret@h.invalid" } } })
  await expect(204, `PUT ${UPSTREAM}`, { body: { value: { uri: ["amqp://u:secret@h.invalid"] } } })
  const policy = async (definition: unknown): Promise<number> =>
    (await ask("PUT /api/policies/%2f/p", { body: { pattern: "x", definition } })).status
  assert.equal(await policy({ "federation-upstream": 1 }), 400)
  assert.equal(await policy({ "federation-upstream-pattern": "(" }), 400)
  for (const other of ["federation-upstream-set", "federation-upstream-pattern"])
    assert.equal(await policy({ "federation-upstream": "up", [other]: "a" }), 400)
  assert.equal(await policy({ "federation-upstream": "up" }), 201)
  await expect(204, `DELETE ${UPSTREAM}`)
})

httpTest("links are listed with both products' fields, and restarted", async (http) => {
  const { ask, expect, vhost } = http
  const uri = `amqp://guest:guest@127.0.0.1:${String(http.running.amqpPort)}`
  await expect(201, "PUT /api/vhosts/there")
  await expect(201, "PUT /api/exchanges/%2f/x", { body: { type: "fanout", durable: true } })
  await expect(201, "PUT /api/queues/%2f/q", { body: { durable: true } })
  await expect(201, `PUT ${UPSTREAM}`, { body: { value: { uri: `${uri}/there` } } })
  await vhost.parameters.set("federation-upstream", "down", {
    uri: "amqp://guest:guest@127.0.0.1:1",
  })
  await expect(201, "PUT /api/policies/%2f/p", {
    body: { pattern: "^[xq]$", definition: { "federation-upstream-set": "all" } },
  })
  type Row = Readonly<Record<string, unknown>>
  const rows = async (path: string): Promise<readonly Row[]> => {
    const { body } = await ask(`GET ${path}`)
    assert.ok(Array.isArray(body))
    return body
  }
  await eventually(async () => {
    const states = (await rows("/api/federation-links")).map(({ status }) => String(status))
    assert.deepEqual(
      states.toSorted((x, y) => (x < y ? -1 : 1)),
      ["error", "error", "running", "running"],
    )
  })
  const up = (await rows("/api/federation-links/%2f")).filter(({ upstream }) => upstream === "up")
  const exchange = up.find(({ type }) => type === "exchange")
  assert.ok(exchange !== undefined)
  const { id, node, timestamp, connected_at: connectedAt } = exchange
  assert.match(String(timestamp), /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/)
  assert.ok(Number(connectedAt) > 0)
  assert.equal(exchange["exchange"], "x")
  assert.equal(exchange["upstream_exchange"], "x")
  assert.equal(exchange["resource"], "x")
  assert.equal(exchange["uri"], `${uri.replace("guest:guest@", "")}/there`)
  assert.equal(exchange["error"], null)
  assert.equal(up.find(({ type }) => type === "queue")?.["is_consuming"], false)
  const down = await rows("/api/federation-links/state/down")
  assert.deepEqual(new Set(down.map(({ upstream }) => upstream)), new Set(["down"]))
  assert.match(String(down[0]?.["error"]), /ECONNREFUSED/)
  const here = await rows("/api/federation-links/%2f/state/down")
  assert.deepEqual(
    here.map((row) => row["id"]),
    down.map((row) => row["id"]),
  )
  assert.deepEqual(await rows("/api/federation-links/there"), [])
  const restart = `/api/federation-links/vhost/%2f/${String(id)}/${encodeURIComponent(String(node))}/restart`
  await expect(204, `DELETE ${restart}`)
  await expect(404, `DELETE ${restart.replace(String(id), "absent")}`)
  await eventually(async () => {
    const again = (await rows("/api/federation-links")).find((row) => row["id"] === id)
    assert.equal(again?.["status"], "running")
  })
  const { text } = await ask("GET /metrics")
  assert.match(text, /^rabbitmq_federation_links\{status="running"\} 2$/m)
  assert.match(text, /^rabbitmq_federation_links\{status="error"\} 2$/m)
  assert.match(text, /^rabbitmq_federation_messages_confirmed_total 0$/m)
})
