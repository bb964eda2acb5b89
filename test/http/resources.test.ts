/** Exchanges, bindings, vhosts, users, permissions, policies, parameters, limits, health over HTTP. */
import assert from "node:assert/strict"
import { addUser, httpTest, rows, textOf } from "./support.ts"

httpTest("exchanges are declared, shown, listed and deleted", async ({ expect }) => {
  await expect(201, "PUT /api/exchanges/%2F/e", { body: { type: "topic", durable: true } })
  await expect(204, "PUT /api/exchanges/%2F/e", { body: { type: "topic", durable: true } })
  await expect(400, "PUT /api/exchanges/%2F/e", { body: { type: "direct", durable: true } })
  await expect(400, "PUT /api/exchanges/%2F/f", { body: { type: "odd" } })
  await expect(401, "PUT /api/exchanges/%2F/amq.f", { body: { type: "direct" } })
  const { body } = await expect(200, "GET /api/exchanges/%2F/e")
  assert.equal(body["type"], "topic")
  await expect(201, "PUT /api/exchanges/%2F/plain", { body: {} })
  const plain = await expect(200, "GET /api/exchanges/%2F/plain?columns=type,durable")
  assert.deepEqual(plain.body, { type: "direct", durable: false })
  await expect(204, "DELETE /api/exchanges/%2F/plain")
  const standard = await expect(200, "GET /api/exchanges/%2F/amq.default")
  assert.equal(standard.body["name"], "")
  assert.equal(rows(await expect(200, "GET /api/exchanges")).length, 7)
  assert.equal(rows(await expect(200, "GET /api/exchanges/%2F?name=amq.&sort=name")).length, 5)
  await expect(201, "PUT /api/queues/%2F/q", { body: {} })
  await expect(201, "POST /api/bindings/%2F/e/e/q/q", { body: { routing_key: "k" } })
  await expect(400, "DELETE /api/exchanges/%2F/e?if-unused=true")
  await expect(204, "DELETE /api/exchanges/%2F/e")
  await expect(404, "DELETE /api/exchanges/%2F/e")
  await expect(401, "DELETE /api/exchanges/%2F/amq.direct")
  await expect(404, "GET /api/exchanges/none")
})

httpTest("publishing checks what it is given, and says whether it was routed", async (http) => {
  const { expect } = http
  const path = "POST /api/exchanges/%2F/amq.direct/publish"
  const message = { properties: {}, routing_key: "k", payload: "x", payload_encoding: "string" }
  assert.deepEqual((await expect(200, path, { body: message })).body, { routed: false })
  await expect(201, "PUT /api/queues/%2F/q", { body: {} })
  await expect(201, "POST /api/bindings/%2F/e/amq.direct/q/q", { body: { routing_key: "k" } })
  assert.deepEqual((await expect(200, path, { body: message })).body, { routed: true })
  for (const wrong of [
    { payload_encoding: "rot13" },
    { payload_encoding: "base64", payload: "flibble" },
    { payload_encoding: "base64", payload: "ab!d" },
    { properties: { expiration: "soon" } },
    { properties: { delivery_mode: 300 } },
    { properties: { user_id: "another" } },
    { routing_key: "x".repeat(300) },
  ])
    await expect(400, path, { body: { ...message, ...wrong } })
  await expect(400, path, { body: { payload: "x" } })
  await expect(404, "POST /api/exchanges/%2F/none/publish", { body: message })
  await expect(201, "PUT /api/exchanges/%2F/i", { body: { type: "fanout", internal: true } })
  await expect(400, "POST /api/exchanges/%2F/i/publish", { body: message })
  assert.equal(http.vhost.queues.get("q")?.readyCount, 1)
  http.running.broker.setAlarm("disk", true)
  await expect(503, path, { body: message })
})

httpTest("bindings are made, named by their properties key, and removed", async ({ expect }) => {
  await expect(201, "PUT /api/queues/%2F/q", { body: {} })
  const path = "/api/bindings/%2F/e/amq.topic/q/q"
  for (const [body, key] of [
    [{}, "~"],
    [{ routing_key: "a.b" }, "a.b"],
    [{ routing_key: "a/#~" }, "a%2F%23%7E"],
  ] as const) {
    const { headers } = await expect(201, `POST ${path}`, { body })
    assert.equal(headers.get("location"), `q/${encodeURIComponent(key)}`)
    const { body: binding } = await expect(200, `GET ${path}/${encodeURIComponent(key)}`)
    assert.equal(binding["properties_key"], key)
  }
  const { headers } = await expect(201, `POST ${path}`, {
    body: { routingKey: "a.b", arguments: { x: 1 } },
  })
  const location = headers.get("location") ?? ""
  assert.match(location, /^q\/a\.b~[\w-]{22}$/)
  assert.equal(rows(await expect(200, `GET ${path}`)).length, 4)
  assert.equal(rows(await expect(200, "GET /api/bindings")).length, 5)
  assert.equal(rows(await expect(200, "GET /api/bindings/%2F")).length, 5)
  assert.equal(rows(await expect(200, "GET /api/queues/%2F/q/bindings")).length, 5)
  assert.equal(
    rows(await expect(200, "GET /api/exchanges/%2F/amq.topic/bindings/source")).length,
    4,
  )
  await expect(204, `DELETE /api/bindings/%2F/e/amq.topic/q/${location}`)
  await expect(404, `DELETE /api/bindings/%2F/e/amq.topic/q/${location}`)
  await expect(204, `DELETE ${path}/~`)
  await expect(404, `GET ${path}/~`)
  await expect(200, "GET /api/bindings/%2F/e/amq.default/q/q/q")
  await expect(401, "POST /api/bindings/%2F/e/amq.default/q/q", { body: { routing_key: "x" } })
  await expect(404, "POST /api/bindings/%2F/e/amq.topic/q/none", { body: { routing_key: "x" } })
  const between = "/api/bindings/%2F/e/amq.topic/e/amq.fanout"
  await expect(201, `POST ${between}`, { body: { routing_key: "k" } })
  await expect(200, `GET ${between}/k`)
  const to = await expect(200, "GET /api/exchanges/%2F/amq.fanout/bindings/destination")
  assert.equal(rows(to)[0]?.["destination_type"], "exchange")
  await expect(204, `DELETE ${between}/k`)
})

httpTest("vhosts come and go, with their metadata and limits", async ({ expect, running }) => {
  const body = { description: "d", tags: ["t"], default_queue_type: "quorum" }
  await expect(201, "PUT /api/vhosts/v%2F1", { body })
  await expect(204, "PUT /api/vhosts/v%2F1", { body: {} })
  const { body: vhost } = await expect(200, "GET /api/vhosts/v%2F1")
  assert.equal(vhost["description"], "d")
  assert.equal(vhost["default_queue_type"], "quorum")
  assert.deepEqual(vhost["tags"], ["t"])
  assert.equal(rows(await expect(200, "GET /api/vhosts")).length, 2)
  assert.equal(rows(await expect(200, "GET /api/vhosts/v%2F1/permissions")).length, 1)
  assert.equal(rows(await expect(200, "GET /api/vhosts/v%2F1/topic-permissions")).length, 0)
  await expect(400, "PUT /api/vhosts/x", { body: { default_queue_type: "odd" } })
  await expect(204, "PUT /api/vhost-limits/v%2F1/max-queues", { body: { value: 1 } })
  await expect(400, "PUT /api/vhost-limits/v%2F1/odd", { body: { value: 1 } })
  await expect(400, "PUT /api/vhost-limits/v%2F1/max-queues", { body: { value: "x" } })
  const limits = rows(await expect(200, "GET /api/vhost-limits"))
  assert.deepEqual(limits, [{ vhost: "v/1", value: { "max-queues": 1 } }])
  await expect(201, "PUT /api/queues/v%2F1/a", { body: { durable: true } })
  await expect(400, "PUT /api/queues/v%2F1/b", { body: { durable: true } })
  await expect(204, "DELETE /api/vhost-limits/v%2F1/max-queues")
  assert.deepEqual(rows(await expect(200, "GET /api/vhost-limits/v%2F1")), [])
  await expect(204, "DELETE /api/vhosts/v%2F1")
  await expect(404, "DELETE /api/vhosts/v%2F1")
  await expect(404, "GET /api/queues/v%2F1")
  assert.equal(running.broker.vhosts.size, 1)
})

httpTest("users are made, changed and deleted; nobody is shown a password", async (http) => {
  const { expect } = http
  await expect(201, "PUT /api/users/u", { body: { password: "p", tags: "management,monitoring" } })
  const { body: user } = await expect(200, "GET /api/users/u")
  assert.deepEqual(user["tags"], ["management", "monitoring"])
  assert.equal(user["hashing_algorithm"], "rabbit_password_hashing_sha256")
  await expect(200, "GET /api/whoami", { user: "u:p" })
  await expect(204, "PUT /api/users/u", { body: { tags: ["administrator"] } })
  await expect(200, "GET /api/users", { user: "u:p" })
  await expect(400, "PUT /api/users/new", { body: {} })
  await expect(201, "PUT /api/users/card", { body: { tags: "management" } })
  assert.equal((await expect(200, "GET /api/users/card")).body["password_hash"], "")
  await expect(401, "GET /api/whoami", { user: "card:" })
  const permissions = { "/": { configure: "^c", write: ".*", read: "" } }
  await expect(204, "PUT /api/users/card", { body: { administrator: "true", permissions } })
  assert.deepEqual((await expect(200, "GET /api/users/card")).body["tags"], ["administrator"])
  assert.deepEqual(rows(await expect(200, "GET /api/users/card/permissions")), [
    { user: "card", vhost: "/", ...permissions["/"] },
  ])
  const nowhere = { nowhere: permissions["/"] }
  await expect(400, "PUT /api/users/other", { body: { tags: "", permissions: nowhere } })
  await expect(404, "DELETE /api/users/other")
  await expect(204, "DELETE /api/users/card")
  await expect(400, "PUT /api/users/new", { body: { password_hash: "!", tags: "" } })
  const hashed = await expect(200, "GET /api/auth/hash_password/secret")
  const hash = hashed.body["ok"]
  await expect(201, "PUT /api/users/h", { body: { password_hash: hash, tags: "management" } })
  await expect(200, "GET /api/whoami", { user: "h:secret" })
  await expect(200, "PUT /api/auth/hash_password", { body: { password: "x" } })
  const without = rows(await expect(200, "GET /api/users/without-permissions"))
  assert.equal(without.length, 2)
  const page = await expect(200, "GET /api/users?page=1&name=guest&columns=name")
  assert.equal(page.body["filtered_count"], 1)
  await expect(204, "POST /api/users/bulk-delete", { body: { users: ["u", "nobody"] } })
  await expect(400, "POST /api/users/bulk-delete", { body: {} })
  await expect(404, "GET /api/users/u")
  await expect(204, "DELETE /api/users/h")
  await expect(404, "DELETE /api/users/h")
  await expect(401, "GET /api/whoami", { user: "h:secret" })
})

httpTest("permissions are set, shown and taken", async (http) => {
  const { expect } = http
  await addUser(http, "u", ["management"])
  const body = { configure: "^a", write: ".*", read: "" }
  await expect(404, "GET /api/permissions/%2F/u")
  await expect(201, "PUT /api/permissions/%2F/u", { body })
  await expect(204, "PUT /api/permissions/%2F/u", { body })
  const shown = await expect(200, "GET /api/permissions/%2F/u")
  assert.deepEqual(shown.body, { user: "u", vhost: "/", ...body })
  assert.equal(rows(await expect(200, "GET /api/permissions")).length, 2)
  assert.equal(rows(await expect(200, "GET /api/users/u/permissions")).length, 1)
  await expect(400, "PUT /api/permissions/%2F/u", { body: { ...body, read: "(" } })
  await expect(400, "PUT /api/permissions/%2F/u", { body: { read: "" } })
  await expect(400, "PUT /api/permissions/%2F/nobody", { body })
  await expect(400, "PUT /api/permissions/nowhere/u", { body })
  const missing = await expect(404, "GET /api/users/nobody")
  assert.deepEqual(missing.body, { error: "Object Not Found", reason: "Not Found" })
  await expect(204, "DELETE /api/permissions/%2F/u")
  await expect(404, "GET /api/permissions/%2F/u")
  const topic = { exchange: "amq.topic", write: "^x", read: ".*" }
  await expect(404, "GET /api/topic-permissions/%2F/u")
  await expect(201, "PUT /api/topic-permissions/%2F/u", { body: topic })
  await expect(204, "PUT /api/topic-permissions/%2F/u", { body: topic })
  const topics = rows(await expect(200, "GET /api/topic-permissions/%2F/u"))
  assert.deepEqual(topics, [{ user: "u", vhost: "/", ...topic }])
  assert.equal(rows(await expect(200, "GET /api/topic-permissions")).length, 1)
  assert.equal(rows(await expect(200, "GET /api/users/u/topic-permissions")).length, 1)
  await expect(204, "DELETE /api/topic-permissions/%2F/u/amq.topic")
  await expect(204, "DELETE /api/topic-permissions/%2F/u")
  await expect(204, "PUT /api/user-limits/u/max-channels", { body: { value: 3 } })
  assert.deepEqual(rows(await expect(200, "GET /api/user-limits")), [
    { user: "u", value: { "max-channels": 3 } },
  ])
  await expect(400, "PUT /api/user-limits/u/odd", { body: { value: 3 } })
  await expect(204, "DELETE /api/user-limits/u/max-channels")
  assert.deepEqual(rows(await expect(200, "GET /api/user-limits/u")), [])
})

httpTest("topic permissions hold for publishing and binding", async (http) => {
  const { expect } = http
  const user = await addUser(http, "u", ["management"], "/")
  await expect(201, "PUT /api/queues/%2F/q", { body: {} })
  await expect(201, "PUT /api/topic-permissions/%2F/u", {
    body: { exchange: "amq.topic", write: "^ok", read: "^ok" },
  })
  const message = { properties: {}, payload: "x", payload_encoding: "string" }
  const path = "POST /api/exchanges/%2F/amq.topic/publish"
  await expect(200, path, { user, body: { ...message, routing_key: "ok.1" } })
  await expect(401, path, { user, body: { ...message, routing_key: "no" } })
  const bind = "POST /api/bindings/%2F/e/amq.topic/q/q"
  await expect(201, bind, { user, body: { routing_key: "ok.#" } })
  await expect(401, bind, { user, body: { routing_key: "#" } })
})

httpTest("policies and operator policies", async (http) => {
  const { expect } = http
  await expect(201, "PUT /api/queues/%2F/q", { body: {} })
  for (const kind of ["policies", "operator-policies"]) {
    const body = { pattern: "^q", definition: { "max-length": 5 }, "apply-to": "queues" }
    await expect(201, `PUT /api/${kind}/%2F/p`, { body })
    await expect(204, `PUT /api/${kind}/%2F/p`, { body: { ...body, priority: 200 } })
    const { body: policy } = await expect(200, `GET /api/${kind}/%2F/p`)
    assert.deepEqual(policy, { name: "p", vhost: "/", ...body, priority: 200 })
    assert.equal(rows(await expect(200, `GET /api/${kind}`)).length, 1)
    assert.equal(rows(await expect(200, `GET /api/${kind}/%2F`)).length, 1)
    await expect(400, `PUT /api/${kind}/%2F/p`, { body: { ...body, pattern: "(" } })
    await expect(400, `PUT /api/${kind}/%2F/p`, { body: { ...body, "apply-to": "odd" } })
    await expect(400, `PUT /api/${kind}/%2F/p`, { body: { pattern: "" } })
  }
  const { body: queue } = await expect(200, "GET /api/queues/%2F/q")
  assert.equal(queue["policy"], "p")
  assert.deepEqual(queue["effective_policy_definition"], { "max-length": 5 })
  const maker = await addUser(http, "maker", ["policymaker"], "/")
  await expect(401, "DELETE /api/operator-policies/%2F/p", { user: maker })
  await expect(204, "DELETE /api/policies/%2F/p", { user: maker })
  await expect(404, "DELETE /api/policies/%2F/p", { user: maker })
  await expect(404, "GET /api/policies/%2F/p")
})

httpTest("parameters, global ones and the name of the cluster", async ({ expect }) => {
  await expect(201, "PUT /api/parameters/notes/%2F/s", { body: { value: { a: 1 } } })
  await expect(204, "PUT /api/parameters/notes/%2F/s", { body: { value: [1] } })
  await expect(400, "PUT /api/parameters/notes/%2F/s", { body: {} })
  const { body } = await expect(200, "GET /api/parameters/notes/%2F/s")
  assert.deepEqual(body, { name: "s", component: "notes", vhost: "/", value: [1] })
  for (const path of ["", "/notes", "/notes/%2F"])
    assert.equal(rows(await expect(200, `GET /api/parameters${path}`)).length, 1)
  assert.equal(rows(await expect(200, "GET /api/parameters/other")).length, 0)
  await expect(204, "DELETE /api/parameters/notes/%2F/s")
  await expect(404, "DELETE /api/parameters/notes/%2F/s")
  await expect(201, "PUT /api/global-parameters/g", { body: { value: "x" } })
  await expect(200, "GET /api/global-parameters/g")
  await expect(204, "PUT /api/cluster-name", { body: { name: "mine" } })
  assert.deepEqual((await expect(200, "GET /api/cluster-name")).body, { name: "mine" })
  assert.deepEqual(
    rows(await expect(200, "GET /api/global-parameters")).map(({ name }) => name),
    ["internal_cluster_id", "g", "cluster_name"],
  )
  await expect(204, "DELETE /api/global-parameters/g")
  await expect(404, "GET /api/global-parameters/g")
})

httpTest("the overview, the node and what tools ask first", async (http) => {
  const { expect } = http
  const { body } = await expect(200, "GET /api/overview")
  assert.equal(body["object_totals"]?.["exchanges"], 6)
  await expect(200, "GET /api/overview", { headers: { "x-vhost": "%2F" } })
  await expect(404, "GET /api/overview", { headers: { "x-vhost": "nowhere" } })
  const node = textOf(rows(await expect(200, "GET /api/nodes?columns=name"))[0], "name")
  await expect(200, `GET /api/nodes/${encodeURIComponent(node)}`)
  await expect(200, `GET /api/nodes/${encodeURIComponent(node)}/memory`)
  await expect(404, "GET /api/nodes/other")
  for (const path of [
    "version",
    "extensions",
    "feature-flags",
    "deprecated-features",
    "deprecated-features/used",
    "auth",
    "queues/detailed",
    "consumers",
  ])
    await expect(200, `GET /api/${path}`)
  await expect(204, "PUT /api/feature-flags/quorum_queue/enable")
  await expect(400, "PUT /api/feature-flags/odd/enable")
  const user = await addUser(http, "m", ["management"])
  const own = await expect(200, "GET /api/overview", { user })
  assert.equal(own.body["object_totals"]?.["exchanges"], 0)
  assert.equal(own.body["listeners"], undefined)
})

httpTest("health checks say what is wrong", async ({ expect, running }) => {
  for (const name of [
    "alarms",
    "local-alarms",
    "virtual-hosts",
    "below-node-connection-limit",
    "ready-to-serve-clients",
    "is-in-service",
    "node-is-quorum-critical",
    "metadata-store/initialized",
    "protocol-listener/amqp",
    "protocol-listener/amqp0-9-1,amqp091",
    "quorum-queues-without-elected-leaders/all-vhosts/",
    "quorum-queues-without-elected-leaders/vhost/%2F/pattern/%5Eother",
    "reached-target-cluster-size",
    `port-listener/${running.amqpPort}`,
  ])
    await expect(200, `GET /api/health/checks/${name}`)
  await expect(503, "GET /api/health/checks/port-listener/1")
  await expect(503, "GET /api/health/checks/protocol-listener/mqtt")
  const missing = await expect(503, "GET /api/health/checks/protocol-listener/mqtt,amqp")
  assert.deepEqual(missing.body["missing"], ["mqtt"])
  await expect(404, "GET /api/health/checks/quorum-queues-without-elected-leaders/vhost/none/")
  await expect(400, "GET /api/health/checks/port-listener/x")
  await expect(200, "GET /api/aliveness-test/%2F")
  await expect(200, "GET /api/healthchecks/node")
  running.broker.setAlarm("disk", true)
  const { text } = await expect(503, "GET /api/health/checks/alarms")
  assert.match(text, /"status":"failed".*low on disk/)
  await expect(503, "GET /api/healthchecks/node")
})
