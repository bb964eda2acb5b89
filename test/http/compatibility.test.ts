/** What clients of RabbitMQ's management API take for granted, found by what their own tests ask for. */
import assert from "node:assert/strict"
import { addUser, httpTest, rows, textOf } from "./support.ts"

const NOT_FOUND = { error: "Object Not Found", reason: "Not Found" }

httpTest("what is not there is told in the words that clients compare", async ({ expect }) => {
  for (const path of [
    "/api/queues/%2F/q",
    "/api/exchanges/%2F/e",
    "/api/users/u",
    "/api/users/u/permissions",
    "/api/permissions/%2F/u",
    "/api/vhosts/v",
    "/api/policies/%2F/p",
    "/api/operator-policies/%2F/p",
    "/api/parameters/shovel/%2F/s",
    "/api/global-parameters/g",
    "/api/connections/c",
    "/api/nodes/other",
  ])
    assert.deepEqual((await expect(404, `GET ${path}`)).body, NOT_FOUND, path)
  // Another's absence keeps its reason.
  const { body } = await expect(404, "PUT /api/user-limits/u/max-channels", { body: { value: 1 } })
  assert.deepEqual(body, { error: "Object Not Found", reason: "no user 'u'" })
})

httpTest("clients send a password only to RabbitMQ's realm", async ({ expect }) => {
  const { headers } = await expect(401, "GET /api/overview", { user: null })
  assert.equal(headers.get("www-authenticate"), 'Basic realm="RabbitMQ Management"')
})

httpTest("replies of the API load nothing into a page", async ({ expect }) => {
  const { headers } = await expect(200, "GET /api/whoami")
  assert.equal(headers.get("content-security-policy"), "default-src 'none'; frame-ancestors 'none'")
})

httpTest("limits of a vhost are a parameter, too", async (http) => {
  const { expect } = http
  const path = "/api/parameters/vhost-limits/%2F/limits"
  await expect(404, `GET ${path}`)
  await expect(404, `DELETE ${path}`)
  await expect(201, `PUT ${path}`, { body: { value: { "max-queues": 1 } } })
  const [limits] = rows(await expect(200, "GET /api/vhost-limits"))
  assert.deepEqual(limits, { vhost: "/", value: { "max-queues": 1 } })
  await expect(201, "PUT /api/queues/%2F/a", { body: {} })
  await expect(400, "PUT /api/queues/%2F/b", { body: {} })
  await expect(204, `PUT ${path}`, { body: { value: { "max-connections": 5 } } })
  const { body } = await expect(200, `GET ${path}`)
  assert.deepEqual(body["value"], { "max-connections": 5 })
  for (const list of ["", "/vhost-limits", "/vhost-limits/%2F"])
    assert.equal(rows(await expect(200, `GET /api/parameters${list}`)).length, 1)
  assert.equal(rows(await expect(200, "GET /api/parameters/shovel")).length, 0)
  for (const value of [{ "max-odd": 1 }, { "max-queues": "x" }, { "max-queues": 1.5 }])
    await expect(400, `PUT ${path}`, { body: { value } })
  const user = await addUser(http, "maker", ["policymaker"], "/")
  await expect(401, `PUT ${path}`, { user, body: { value: {} } })
  await expect(401, `DELETE ${path}`, { user })
  await expect(204, `DELETE ${path}`)
  assert.deepEqual(rows(await expect(200, "GET /api/vhost-limits")), [])
})

httpTest("a hash without an algorithm is of the one that it has the size of", async (http) => {
  const { expect } = http
  const body = { password_hash: "WAbU0ZIcvjTpxM3Q3SbJhEAM2tQ=", tags: "management" }
  await expect(204, "POST /api/definitions", {
    body: { rabbit_version: "3.5.4", users: [{ name: "old", ...body }] },
  })
  const imported = await expect(200, "GET /api/users/old")
  assert.equal(imported.body["hashing_algorithm"], "rabbit_password_hashing_md5")
  await expect(201, "PUT /api/users/u", { body })
  const { body: user } = await expect(200, "GET /api/users/u")
  assert.equal(user["hashing_algorithm"], "rabbit_password_hashing_md5")
  const named = { ...body, hashing_algorithm: "rabbit_password_hashing_sha256" }
  await expect(400, "PUT /api/users/u", { body: named })
  await expect(204, "PUT /api/users/u", { body: { password_hash: "", tags: "" } })
  const { body: locked } = await expect(200, "GET /api/users/u")
  assert.equal(locked["hashing_algorithm"], "rabbit_password_hashing_sha256")
})

httpTest("consumers are the user's own, and say which of them is the active one", async (http) => {
  const { expect } = http
  const client = await http.client()
  const args = new Map<string, boolean>([["x-single-active-consumer", true]])
  await client.call("queue.declare", 1, { queue: "one", arguments: args })
  await client.call("queue.declare", 1, { queue: "many" })
  await client.call("basic.consume", 1, { queue: "one", consumerTag: "first" })
  await client.call("basic.consume", 1, { queue: "one", consumerTag: "second" })
  await client.call("basic.consume", 1, { queue: "many", consumerTag: "third" })
  const consumers = rows(await expect(200, "GET /api/consumers"))
  const activity = consumers.map((row) => [row["consumer_tag"], row["activity_status"]])
  assert.deepEqual(Object.fromEntries(activity), {
    first: "single_active",
    second: "waiting",
    third: "up",
  })
  const user = await addUser(http, "u", ["management"], "/")
  assert.deepEqual(rows(await expect(200, "GET /api/consumers", { user })), [])
  assert.deepEqual(rows(await expect(200, "GET /api/consumers/%2F", { user })), [])
})

httpTest("what is new has a sample already", async ({ expect }) => {
  await expect(201, "PUT /api/queues/%2F/q", { body: {} })
  const { body } = await expect(200, "GET /api/queues/%2F/q?lengths_age=1800&lengths_incr=30")
  const samples: unknown = body["messages_details"]?.["samples"]
  assert.ok(Array.isArray(samples) && samples.length > 0)
})

httpTest("an exclusive queue is neither purged nor deleted from outside", async (http) => {
  const client = await http.client()
  await client.call("queue.declare", 1, { queue: "mine", exclusive: true })
  await http.expect(400, "DELETE /api/queues/%2F/mine/contents")
  await http.expect(400, "DELETE /api/queues/%2F/mine")
  await http.expect(200, "GET /api/queues/%2F/mine")
})

httpTest("the node has what monitoring divides by, under RabbitMQ's name as well", async (http) => {
  const { expect } = http
  const [node] = rows(await expect(200, "GET /api/nodes"))
  for (const total of ["proc_total", "sockets_total", "fd_total", "mem_limit"])
    assert.ok(Number(node?.[total]) > 0, total)
  assert.ok(Number(node?.["proc_used"]) > 0)
  const name = textOf(node, "name")
  const rabbit = `rabbit@${name.slice(name.indexOf("@") + 1)}`
  assert.equal((await expect(200, `GET /api/nodes/${rabbit}`)).body["name"], name)
  const { body } = await expect(200, `GET /api/nodes/${name}/memory`)
  for (const part of ["binary", "code", "other_proc", "mnesia", "allocated_unused"])
    assert.equal(typeof body["memory"]?.[part], "number", part)
  const { body: shares } = await expect(200, `GET /api/nodes/${name}/memory/relative`)
  const { total, ...parts } = Object(shares["memory"])
  assert.equal(total, 100)
  const sum = Object.values(parts).reduce((all: number, share) => all + Number(share), 0)
  assert.ok(Math.abs(sum - 100) <= Object.keys(parts).length, String(sum))
})

httpTest("the table of a replicated queue says where it is", async ({ expect }) => {
  const body = { durable: true, arguments: { "x-queue-type": "quorum" } }
  await expect(201, "PUT /api/queues/%2F/q", { body })
  const { body: queue } = await expect(200, "GET /api/queues/%2F/q")
  assert.deepEqual(queue["members"], [queue["node"]])
  assert.equal(queue["leader"], queue["node"])
})

httpTest("the cluster has a number that stays", async ({ expect }) => {
  const path = "GET /api/global-parameters/internal_cluster_id"
  const first = await expect(200, path)
  assert.match(textOf(first.body, "value"), /^sluice-cluster-id-[\w-]{22}$/)
  assert.deepEqual((await expect(200, path)).body, first.body)
})
