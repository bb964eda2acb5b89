/** Queues over HTTP: declare, look at, list in pages, delete; and their messages. */
import assert from "node:assert/strict"
import { httpTest, addUser, rows } from "./support.ts"

httpTest("a queue is declared, shown and deleted", async (http) => {
  const { expect } = http
  const body = { durable: true, arguments: { "x-max-length": 10 } }
  await expect(201, "PUT /api/queues/%2F/orders", { body })
  await expect(204, "PUT /api/queues/%2F/orders", { body })
  const { body: queue } = await expect(200, "GET /api/queues/%2F/orders")
  assert.equal(queue["name"], "orders")
  assert.equal(queue["vhost"], "/")
  assert.equal(queue["type"], "classic")
  assert.deepEqual(queue["arguments"], { "x-max-length": 10 })
  assert.deepEqual(queue["delivery"], {
    state: "idle",
    code: "empty",
    reason: "there is no message to deliver",
  })
  await expect(204, "DELETE /api/queues/%2F/orders")
  await expect(404, "GET /api/queues/%2F/orders")
  await expect(404, "DELETE /api/queues/%2F/orders")
})

httpTest("RabbitMQ's loose types are taken, nonsense is not", async ({ expect }) => {
  await expect(201, "PUT /api/queues/%2F/q", { body: { durable: "true", auto_delete: "false" } })
  const { body } = await expect(200, "GET /api/queues/%2F/q")
  assert.equal(body["durable"], true)
  const refused = await expect(400, "PUT /api/queues/%2F/q2", { body: { durable: "maybe" } })
  assert.equal(refused.body["error"], "bad_request")
  await expect(400, "PUT /api/queues/%2F/q2", { body: { arguments: [1] } })
  await expect(400, "PUT /api/queues/%2F/q2", { body: "{" })
  await expect(400, "PUT /api/queues/%2F/q2", { body: "[1]" })
  await expect(415, "PUT /api/queues/%2F/q2", {
    body: "{}",
    headers: { "content-type": "text/xml" },
  })
  await expect(201, "PUT /api/queues/%2F/q2", {
    body: "{}",
    headers: { "content-type": "application/json; charset=utf-8" },
  })
  await expect(201, "PUT /api/queues/%2F/q3")
  // As clients in PHP and those that write out every field send them.
  const empty = { durable: null, auto_delete: false, arguments: [] }
  await expect(201, "PUT /api/queues/%2F/q4", { body: empty })
  await expect(201, "PUT /api/queues/%2F/q5", { body: "[]" })
  const picked = await expect(200, "GET /api/queues/%2F/q4?columns=name,arguments")
  assert.deepEqual(picked.body, { name: "q4", arguments: {} })
})

httpTest("a declaration that differs is refused with RabbitMQ's words", async ({ expect }) => {
  await expect(201, "PUT /api/queues/%2F/q", { body: { durable: true } })
  const { body } = await expect(400, "PUT /api/queues/%2F/q", { body: { durable: false } })
  assert.match(
    JSON.stringify(body["reason"]),
    /inequivalent arg 'durable' for queue 'q' in vhost '\/'/,
  )
  await expect(401, "PUT /api/queues/%2F/amq.mine", { body: {} })
  await expect(400, "PUT /api/queues/%2F/bad", { body: { arguments: { "x-max-length": -1 } } })
})

httpTest("a queue in use or with messages is kept if that was asked for", async (http) => {
  const { expect } = http
  await expect(201, "PUT /api/queues/%2F/q", { body: {} })
  const publish = { properties: {}, routing_key: "q", payload: "x", payload_encoding: "string" }
  await expect(200, "POST /api/exchanges/%2F/amq.default/publish", { body: publish })
  await expect(400, "DELETE /api/queues/%2F/q?if-empty=true")
  await expect(204, "DELETE /api/queues/%2F/q/contents")
  await expect(204, "DELETE /api/queues/%2F/q?if-empty=true&if-unused=true")
})

httpTest("names with slashes, percent signs and Unicode", async ({ expect }) => {
  for (const name of ["a/b", "100%", "a+b c", "ä☃", "x?y#z", "%2F"]) {
    const path = `/api/queues/%2F/${encodeURIComponent(name)}`
    await expect(201, `PUT ${path}`, { body: {} })
    const { body } = await expect(200, `GET ${path}`)
    assert.equal(body["name"], name)
    await expect(204, `DELETE ${path}`)
  }
  await expect(400, "GET /api/queues/%2F/%FF")
})

httpTest("lists are filtered, sorted, cut into pages and columns", async (http) => {
  const { expect } = http
  for (let i = 0; i < 25; i++)
    await expect(201, `PUT /api/queues/%2F/q${String(i).padStart(2, "0")}`, {
      body: { durable: i % 2 === 0 },
    })
  assert.equal(rows(await expect(200, "GET /api/queues")).length, 25)
  const page = await expect(200, "GET /api/queues?page=2&page_size=10&sort=name&sort_reverse=true")
  const { items, ...counts } = page.body
  assert.deepEqual(counts, {
    filtered_count: 25,
    item_count: 10,
    page: 2,
    page_count: 3,
    page_size: 10,
    total_count: 25,
  })
  assert.ok(Array.isArray(items))
  assert.equal(items[0]?.["name"], "q14")
  const filtered = await expect(200, "GET /api/queues/%2F?page=1&name=q2&sort=messages")
  assert.equal(filtered.body["filtered_count"], 5)
  assert.equal(filtered.body["total_count"], 25)
  const byRegex = await expect(200, "GET /api/queues?page=1&use_regex=true&name=%5Eq0%5B13%5D%24")
  assert.equal(byRegex.body["filtered_count"], 2)
  const columns = rows(
    await expect(200, "GET /api/queues?columns=name,message_stats.publish&name=q24"),
  )
  assert.deepEqual(columns, [{ name: "q24", message_stats: { publish: 0 } }])
  const outside = await expect(400, "GET /api/queues?page=4&page_size=10")
  assert.equal(outside.body["error"], "page_out_of_range")
  await expect(400, "GET /api/queues?page=0")
  await expect(400, "GET /api/queues?page=1&page_size=100000")
  await expect(400, "GET /api/queues?use_regex=true&name=(")
})

httpTest("get takes messages by every ack mode, and an unknown one loses nothing", async (http) => {
  const { expect } = http
  await expect(201, "PUT /api/queues/%2F/q", { body: { durable: true } })
  const publish = {
    properties: { delivery_mode: 2, headers: { a: 1 }, expiration: 60_000 },
    routing_key: "q",
    payload: Buffer.from([0xff, 0]).toString("base64"),
    payload_encoding: "base64",
  }
  const { body } = await expect(200, "POST /api/exchanges/%2F/amq.default/publish", {
    body: publish,
  })
  assert.deepEqual(body, { routed: true })
  const get = async (request: object): Promise<readonly object[]> =>
    rows(await expect(200, "POST /api/queues/%2F/q/get", { body: request }))
  await expect(400, "POST /api/queues/%2F/q/get", { body: { ack_mode: "drop" } })
  await expect(400, "POST /api/queues/%2F/q/get", { body: { ack_mode: "get", requeue: true } })
  const first = {
    payload_bytes: 2,
    redelivered: false,
    exchange: "",
    routing_key: "q",
    message_count: 0,
    properties: { delivery_mode: 2, headers: { a: 1 }, expiration: "60000" },
    payload: "/wA=",
    payload_encoding: "base64",
  }
  assert.deepEqual(await get({ ack_mode: "ack_requeue_true" }), [first])
  assert.deepEqual(await get({ ackmode: "reject_requeue_true", truncate: 0, count: 5 }), [
    { ...first, redelivered: true, payload: "", payload_encoding: "string" },
  ])
  assert.equal((await get({ ackmode: "ack_requeue_false", encoding: "auto" })).length, 1)
  assert.deepEqual(await get({}), [])
  await expect(200, "POST /api/exchanges/%2F/amq.default/publish", { body: publish })
  assert.equal((await get({ ack_mode: "reject_requeue_false" })).length, 1)
  assert.equal(http.vhost.queues.get("q")?.readyCount, 0)
  assert.equal(http.vhost.queues.get("q")?.unackedCount, 0)
})

httpTest("messages can be looked at without being taken", async (http) => {
  const { expect } = http
  const client = await http.client()
  await client.call("queue.declare", 1, { queue: "q" })
  for (const text of ["one", "two", "three"])
    client.publish(1, { routingKey: "q", body: Buffer.from(text) })
  await client.call("basic.get", 1, { queue: "q" })
  const ready = rows(await expect(200, "GET /api/queues/%2F/q/messages?truncate=2"))
  assert.deepEqual(
    ready.map((row) => [row["payload"], row["payload_bytes"]]),
    [
      ["tw", 3],
      ["th", 5],
    ],
  )
  const unacked = rows(await expect(200, "GET /api/queues/%2F/q/messages?state=unacked"))
  assert.deepEqual(
    unacked.map((row) => [row["payload"], row["consumer_tag"], row["delivery_tag"]]),
    [["one", "Basic get", 1]],
  )
  assert.equal(rows(await expect(200, "GET /api/queues/%2F/q/unacked")).length, 1)
  const { body } = await expect(200, "GET /api/queues/%2F/q")
  assert.equal(body["messages"], 3)
  assert.equal(body["unacked"], 1)
  assert.deepEqual(body["delivery"], {
    state: "waiting",
    code: "no-consumer",
    reason: "there is no consumer",
  })
})

httpTest("a stream is read from an offset on, not taken from", async (http) => {
  const { expect } = http
  const body = { durable: true, arguments: { "x-queue-type": "stream" } }
  await expect(201, "PUT /api/queues/%2F/s", { body })
  const publish = { properties: {}, routing_key: "s", payload_encoding: "string" }
  for (const payload of ["a", "b", "c"])
    await expect(200, "POST /api/exchanges/%2F/amq.default/publish", {
      body: { ...publish, payload },
    })
  await expect(400, "POST /api/queues/%2F/s/get", { body: {} })
  const payloads = async (request: object): Promise<unknown[]> =>
    rows(await expect(200, "POST /api/queues/%2F/s/stream", { body: request })).map(
      (row) => row["payload"],
    )
  assert.deepEqual(await payloads({ count: 2 }), ["a", "b"])
  assert.deepEqual(await payloads({ count: 5, offset: 1 }), ["b", "c"])
  assert.deepEqual(await payloads({ offset: "last" }), ["c"])
  assert.deepEqual(await payloads({ offset: "next" }), [])
  await expect(400, "POST /api/queues/%2F/s/stream", { body: { offset: "soon" } })
  assert.equal(rows(await expect(200, "GET /api/queues/%2F/s/messages?offset=2")).length, 1)
  await expect(201, "PUT /api/queues/%2F/q", { body: {} })
  await expect(404, "POST /api/queues/%2F/q/stream", { body: {} })
})

httpTest("what a user may not configure, read or see is refused", async (http) => {
  const { expect, running } = http
  await expect(201, "PUT /api/queues/%2F/q", { body: {} })
  const stranger = await addUser(http, "stranger", ["management"])
  await expect(401, "GET /api/queues/%2F/q", { user: stranger })
  await expect(401, "GET /api/queues/nowhere/q", { user: stranger })
  assert.deepEqual(rows(await expect(200, "GET /api/queues", { user: stranger })), [])
  const reader = await addUser(http, "reader", ["management"])
  const { administration } = running
  const none = { configure: "^$", write: "^$", read: "^$" }
  await administration.setPermissions("reader", "/", none)
  await expect(200, "GET /api/queues/%2F/q", { user: reader })
  const refused = await expect(401, "PUT /api/queues/%2F/new", { user: reader, body: {} })
  assert.equal(refused.body["error"], "not_authorised")
  await expect(401, "DELETE /api/queues/%2F/q", { user: reader })
  await expect(401, "DELETE /api/queues/%2F/q/contents", { user: reader })
  await expect(401, "POST /api/queues/%2F/q/get", { user: reader, body: {} })
  await expect(401, "GET /api/queues/%2F/q/messages", { user: reader })
  const monitor = await addUser(http, "monitor", ["monitoring"])
  await expect(200, "GET /api/queues/%2F/q", { user: monitor })
  await expect(401, "DELETE /api/queues/%2F/q", { user: monitor })
})

httpTest("an exclusive queue belongs to its connection", async (http) => {
  const client = await http.client()
  await client.call("queue.declare", 1, { queue: "mine", exclusive: true })
  const { body } = await http.expect(200, "GET /api/queues/%2F/mine")
  assert.equal(body["exclusive"], true)
  assert.equal(body["owner_pid_details"]?.["user"], "guest")
  await http.expect(400, "POST /api/queues/%2F/mine/get", { body: {} })
  await http.expect(400, "PUT /api/queues/%2F/mine", { body: {} })
})
