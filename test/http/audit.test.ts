/** The audit log: who, from where, what, with which result; filters and pages. */
import assert from "node:assert/strict"
import { addUser, httpTest, rows, textOf } from "./support.ts"
import type { Json } from "./support.ts"

function records(body: Json): readonly Json[] {
  const { items } = body
  assert.ok(Array.isArray(items))
  return items
}

httpTest("each change is recorded with its result, whatever it was", async (http) => {
  const { ask, expect } = http
  const manager = await addUser(http, "manager", ["management"], "/")
  await expect(201, "PUT /api/queues/%2F/orders", {
    user: manager,
    body: { durable: true, arguments: { "x-max-length": 5 } },
  })
  await expect(401, "PUT /api/vhosts/new", { user: manager, body: {} })
  await expect(400, "PUT /api/queues/%2F/orders", { user: manager, body: "[" })
  await expect(404, "DELETE /api/queues/%2F/none")
  await expect(204, "PUT /api/queues/%2F/orders/pause")
  await expect(201, "PUT /api/users/joe", { body: { password: "hidden", tags: "monitoring" } })
  await expect(200, "GET /api/overview")
  await ask("PUT /api/queues/%2F/x", { user: "manager:wrong", body: {} })
  const { body } = await expect(200, "GET /api/audit")
  const found = records(body)
  assert.deepEqual(
    found.map(({ user, action, vhost, object, status }) => ({
      user,
      action,
      vhost,
      object,
      status,
    })),
    [
      {
        user: "guest",
        action: "PUT /api/users/:user",
        vhost: undefined,
        object: "joe",
        status: 201,
      },
      {
        user: "guest",
        action: "PUT /api/queues/:vhost/:name/pause",
        vhost: "/",
        object: "orders",
        status: 204,
      },
      {
        user: "guest",
        action: "DELETE /api/queues/:vhost/:name",
        vhost: "/",
        object: "none",
        status: 404,
      },
      {
        user: "manager",
        action: "PUT /api/queues/:vhost/:name",
        vhost: "/",
        object: "orders",
        status: 400,
      },
      {
        user: "manager",
        action: "PUT /api/vhosts/:vhost",
        vhost: "new",
        object: undefined,
        status: 401,
      },
      {
        user: "manager",
        action: "PUT /api/queues/:vhost/:name",
        vhost: "/",
        object: "orders",
        status: 201,
      },
    ],
  )
  assert.deepEqual(found.at(-1)?.["changes"], { durable: true, arguments: { "x-max-length": 5 } })
  assert.deepEqual(found[0]?.["changes"], { password: "[redacted]", tags: "monitoring" })
  assert.match(textOf(found[4], "error"), /administrator/)
  assert.equal(found[0]?.["peer"], "127.0.0.1")
})

httpTest("records are filtered and paged, the newest first", async (http) => {
  const { expect } = http
  const manager = await addUser(http, "manager", ["management"], "/")
  for (let i = 0; i < 25; i++)
    await expect(201, `PUT /api/queues/%2F/q${String(i)}`, {
      user: i % 2 === 0 ? manager : "guest:guest",
      body: {},
    })
  const seen: unknown[] = []
  let next: unknown = ""
  do {
    const before = next === "" ? "" : `&before=${String(next)}`
    const { body } = await expect(200, `GET /api/audit?count=10${before}`)
    seen.push(...records(body).map(({ object }) => object))
    next = body["next"]
  } while (next !== null)
  assert.deepEqual(
    seen,
    Array.from({ length: 25 }, (_, i) => `q${String(24 - i)}`),
  )
  const ofManager = await expect(200, "GET /api/audit?user=manager")
  assert.equal(records(ofManager.body).length, 13)
  const ofOne = await expect(200, "GET /api/audit?object=%2Fq17")
  assert.deepEqual(
    records(ofOne.body).map(({ object }) => object),
    ["q17"],
  )
  const [middle] = records((await expect(200, "GET /api/audit?object=%2Fq20")).body)
  const since = await expect(200, `GET /api/audit?since=${JSON.stringify(middle?.["id"])}`)
  assert.equal(records(since.body).length, 5)
  const none = await expect(200, "GET /api/audit?since=2999-01-01T00:00:00Z")
  assert.deepEqual(records(none.body), [])
  await expect(400, "GET /api/audit?since=yesterday")
  await expect(400, "GET /api/audit?count=0")
  await expect(400, "GET /api/audit?count=100000")
})

httpTest("large bodies are cut to what can be read; messages are no changes", async (http) => {
  const { expect, ask } = http
  await expect(201, "PUT /api/queues/%2F/q", { body: {} })
  await expect(200, "POST /api/exchanges/%2F/amq.default/publish", {
    body: { properties: {}, routing_key: "q", payload: "private", payload_encoding: "string" },
  })
  await ask("PUT /api/parameters/c/%2F/p", { body: { value: "x".repeat(100_000) } })
  const many = Object.fromEntries(
    Array.from({ length: 200 }, (_, i) => [`k${String(i)}`, "v".repeat(200)]),
  )
  await ask("PUT /api/queues/%2F/q2", { body: { durable: false, arguments: many } })
  const { body, text } = await expect(200, "GET /api/audit")
  assert.ok(text.length < 3000, `${String(text.length)} bytes`)
  assert.ok(!text.includes("private"))
  assert.deepEqual(
    records(body).map(({ action }) => action),
    [
      "PUT /api/queues/:vhost/:name",
      "PUT /api/parameters/:component/:vhost/:name",
      "PUT /api/queues/:vhost/:name",
    ],
  )
})

httpTest("an import is recorded by its size", async (http) => {
  const { ask, expect } = http
  await ask("POST /api/definitions", { body: { queues: [] } })
  const { body } = await expect(200, "GET /api/audit")
  const [record] = records(body)
  assert.equal(record?.["action"], "POST /api/definitions")
  assert.deepEqual(record?.["changes"], { bytes: 13 })
  assert.deepEqual(rows(await expect(200, "GET /api/queues")), [])
})
