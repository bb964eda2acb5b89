/**
 * Every route of the table, one by one, on a broker that has one of everything: it answers what the OpenAPI
 * document says (httpTest compares), refuses a body that does not fit, and knows neither a vhost nor an
 * object that is not there.
 */
import assert from "node:assert/strict"
import type { Route } from "../../src/http/route.ts"
import { ROUTES } from "../../src/http/routes.ts"
import { addUser, httpTest, textOf, rows } from "./support.ts"
import type { HttpTest } from "./support.ts"

/** Bodies with which a change succeeds. */
const BODIES: Readonly<Record<string, unknown>> = {
  "PUT /api/logs/level": { level: "info" },
  "POST /api/auth/check": { username: "u", password: "u" },
  "POST /api/login": { username: "guest", password: "guest" },
  "PUT /api/cluster-name": { name: "c" },
  "PUT /api/auth/hash_password": { password: "p" },
  "PUT /api/vhosts/:vhost": { description: "d", tags: ["t"] },
  "PUT /api/vhost-limits/:vhost/:limit": { value: 1000 },
  "PUT /api/exchanges/:vhost/:name": { type: "topic", durable: "true" },
  "POST /api/exchanges/:vhost/:name/publish": {
    properties: {},
    routing_key: "k",
    payload: "x",
    payload_encoding: "string",
  },
  "POST /api/exchanges/:vhost/:name/route": { routing_key: "k", headers: { CC: ["k2"] } },
  "PUT /api/queues/:vhost/:name": { durable: true },
  "POST /api/queues/:vhost/:name/actions": { action: "sync" },
  "POST /api/queues/:vhost/:name/move": { dest_exchange: "e", dry_run: true },
  "POST /api/queues/:vhost/:name/get": { count: 1, ackmode: "ack_requeue_true" },
  "POST /api/queues/:vhost/:name/stream": { count: 1, offset: "first" },
  "POST /api/bindings/:vhost/e/:source/q/:destination": { routing_key: "k2", arguments: { a: 1 } },
  "POST /api/bindings/:vhost/e/:source/e/:destination": { routing_key: "k2" },
  "PUT /api/channels/:channel": { prefetch: 7 },
  "POST /api/users/bulk-delete": { users: ["nobody"] },
  "PUT /api/users/:user": { password: "u", tags: ["management"] },
  "PUT /api/permissions/:vhost/:user": { configure: "", write: ".*", read: ".*" },
  "PUT /api/topic-permissions/:vhost/:user": { exchange: "e", write: ".*", read: ".*" },
  "PUT /api/user-limits/:user/:limit": { value: 10 },
  "PUT /api/policies/:vhost/:name": { pattern: "^none", definition: { "max-length": 10 } },
  "PUT /api/operator-policies/:vhost/:name": { pattern: "^none", definition: { expires: 10_000 } },
  "PUT /api/parameters/:component/:vhost/:name": { value: { a: 1 } },
  "PUT /api/global-parameters/:name": { value: [1, "a"] },
  "POST /api/definitions": { queues: [] },
  "POST /api/definitions/upload": { vhosts: [{ name: "v" }] },
  "POST /api/definitions/:vhost": { queues: [{ name: "q", durable: true }] },
  "POST /api/definitions/:vhost/upload": {},
}

/** Success that is no 2xx here, or an event stream that does not end. */
const ELSEWHERE = new Set([
  "GET /api/livelog",
  "PUT /api/queues/:vhost/:name/restart",
  // A job must be there, and one may run for a queue: redrive.test.ts.
  "GET /api/jobs/:id",
  "DELETE /api/jobs/:id",
  "POST /api/queues/:vhost/:name/redrive",
  // The id is that of a link: federation.test.ts.
  "DELETE /api/federation-links/vhost/:vhost/:id/:node/restart",
])

/** What the fixture has; `name` stands for different things. */
function valueOf(route: Route, param: string, connection: string, node: string): string {
  const { path } = route
  switch (param) {
    case "vhost":
      return "v"
    case "node":
      return node
    case "connection":
      return connection
    case "channel":
      return path.startsWith("/api/consumers/") ? "1" : `${connection} (1)`
    case "limit":
      return "max-connections"
    case "source":
    case "exchange":
      return "e"
    case "destination":
      return path.includes("/q/") ? "q" : "e2"
    case "props":
      return "k"
    case "user":
      return "u"
    case "tag":
      return "t"
    case "component":
      return "c"
    case "password":
      return "secret"
    case "port":
    case "protocol":
    case "within":
    case "unit":
      return { port: "5672", protocol: "http", within: "1", unit: "days" }[param]
    default:
      return nameIn(path, connection)
  }
}

function nameIn(path: string, connection: string): string {
  if (path.startsWith("/api/connections/")) return connection
  if (path.startsWith("/api/exchanges/")) return "e"
  if (path.endsWith("/stream")) return "s"
  if (path.startsWith("/api/queues/")) return "q"
  return path.startsWith("/api/feature-flags/") ? "quorum_queue" : "n"
}

function lineOf(route: Route, valueFor: (param: string) => string): string {
  const path = route.path.replaceAll(/:(\w+)/g, (_, param: string) =>
    encodeURIComponent(valueFor(param)),
  )
  return `${route.method} ${path}`
}

const SHOVEL = {
  "src-uri": "amqp:///v",
  "src-queue": "shovelled",
  "dest-uri": "amqp:///v",
  "dest-queue": "q",
}

/** One of everything. Returns the names of the connection and the node. */
async function fill(http: HttpTest): Promise<{ connection: string; node: string }> {
  const { expect } = http
  await addUser(http, "u", ["management"])
  await expect(201, "PUT /api/vhosts/v")
  const changes: readonly (readonly [string, object])[] = [
    ["PUT /api/permissions/v/u", { configure: ".*", write: ".*", read: ".*" }],
    ["PUT /api/topic-permissions/v/u", { exchange: "e", write: ".*", read: ".*" }],
    ["PUT /api/queues/v/q", { durable: true }],
    ["PUT /api/queues/v/s", { durable: true, arguments: { "x-queue-type": "stream" } }],
    ["PUT /api/exchanges/v/e", { type: "topic", durable: true }],
    ["PUT /api/exchanges/v/e2", { type: "fanout" }],
    ["POST /api/bindings/v/e/e/q/q", { routing_key: "k" }],
    ["POST /api/bindings/v/e/e/e/e2", { routing_key: "k" }],
    ["PUT /api/policies/v/n", { pattern: "^none", definition: { "max-length": 1 } }],
    ["PUT /api/operator-policies/v/n", { pattern: "^none", definition: { "max-length": 1 } }],
    ["PUT /api/parameters/c/v/n", { value: {} }],
    ["PUT /api/parameters/shovel/v/n", { value: SHOVEL }],
    ["PUT /api/global-parameters/n", { value: "x" }],
    ["PUT /api/vhost-limits/v/max-connections", { value: 100 }],
    ["PUT /api/user-limits/u/max-connections", { value: 100 }],
  ]
  for (const [line, body] of changes) {
    const { status, text } = await http.ask(line, { body })
    assert.ok(status === 201 || status === 204, `${line}: ${String(status)} ${text}`)
  }
  const client = await http.client({ vhost: "v" })
  await client.openChannel(2)
  // Not that of the shovel.
  const connection = rows(await expect(200, "GET /api/connections")).find(
    (row) => Number(row["channels"]) === 2,
  )
  const [node] = rows(await expect(200, "GET /api/nodes"))
  return { connection: textOf(connection, "name"), node: textOf(node, "name") }
}

/** Reading changes nothing; what is deleted is deleted from the inside out. */
function inOrder(): Route[] {
  return ROUTES.toSorted((a, b) => rankOf(a) - rankOf(b) || depthOf(b) - depthOf(a))
}

function rankOf({ method, path }: Route): number {
  if (method !== "DELETE") return method === "GET" ? 0 : 1
  if (path.startsWith("/api/consumers")) return 2
  return path === "/api/vhosts/:vhost" || path === "/api/users/:user" ? 5 : 4
}

function depthOf({ path }: Route): number {
  return path.split("/").length
}

httpTest("every route succeeds with what it wants, as the document says", async (http) => {
  const { connection, node } = await fill(http)
  const { running } = http
  let deleted = false
  for (const route of inOrder()) {
    const key = `${route.method} ${route.path}`
    if (ELSEWHERE.has(key)) continue
    const line = lineOf(route, (param) => valueOf(route, param, connection, node))
    if (key.startsWith("DELETE /api/consumers")) continue // With a consumer, in connections.test.ts.
    if (route.method === "DELETE" && route.path.startsWith("/api/connections/")) {
      deleted = true
      const { status } = await http.ask(line)
      assert.ok(status === 204 || status === 404, line)
      continue
    }
    const body = BODIES[key]
    const needsBody = route.body !== null && route.method !== "DELETE"
    if (needsBody) assert.ok(body !== undefined, `${key} needs a body in this test`)
    const { status, text } = await http.ask(line, body === undefined ? {} : { body })
    const isHealth = route.path.includes("health")
    assert.ok(status < 300 || (isHealth && status === 503), `${line}: ${String(status)} ${text}`)
    assert.ok(String(status) in route.responses || status === 503, `${line}: ${String(status)}`)
  }
  assert.ok(deleted)
  assert.equal(running.broker.vhosts.has("v"), false)
})

httpTest("a body that does not fit is 400 with a reason, and changes nothing", async (http) => {
  const { connection, node } = await fill(http)
  for (const route of ROUTES) {
    if (route.body === null && !route.hasRawBody) continue
    const line = lineOf(route, (param) => valueOf(route, param, connection, node))
    for (const body of ["[1]", "{", '"text"', "{'a':1}"]) {
      const answer = await http.ask(line, { body })
      assert.equal(answer.status, 400, `${line} ${body}: ${answer.text}`)
      assert.notEqual(textOf(answer.body, "reason"), "")
    }
    const required: unknown = route.body === null ? [] : Reflect.get(route.body, "required")
    if (!Array.isArray(required) || required.length === 0) continue
    const { status, text } = await http.ask(line, { body: {} })
    assert.equal(status, 400, `${line} {}: ${text}`)
    assert.match(text, /field '.+' is required|required/i, line)
  }
})

httpTest("a vhost that is not there is 404 on every route with one", async (http) => {
  const { connection, node } = await fill(http)
  for (const route of ROUTES) {
    if (!route.path.includes(":vhost") || !route.checksVhost) continue
    const line = lineOf(route, (param) =>
      param === "vhost" ? "none" : valueOf(route, param, connection, node),
    )
    const body = BODIES[`${route.method} ${route.path}`]
    const { status, text } = await http.ask(line, body === undefined ? {} : { body })
    assert.equal(status, 404, `${line}: ${text}`)
  }
})

/** Lists that are empty, names that are no objects, and changes that hold for what is not there. */
const WITHOUT_OBJECT =
  /hash_password|username|\/parameters\/:component(?:\/:vhost)?$|port-listener|protocol-listener|certificate-expiration|^DELETE \/api\/(?:topic-)?permissions|feature-flags|max-|:limit|quorum-queues|reached-target|login/

httpTest("an object that is not there is 404 when it is read or deleted", async (http) => {
  const { connection, node } = await fill(http)
  for (const route of ROUTES) {
    const key = `${route.method} ${route.path}`
    const params = Array.from(route.path.matchAll(/:(\w+)/g), ([, param]) => param ?? "")
    const last = params.at(-1)
    if (last === undefined || last === "vhost" || WITHOUT_OBJECT.test(key)) continue
    if (route.method !== "GET" && route.method !== "DELETE") continue
    const line = lineOf(route, (param) =>
      param === last ? "none" : valueOf(route, param, connection, node),
    )
    const { status, text } = await http.ask(line)
    assert.equal(status, 404, `${line}: ${text}`)
  }
})

/** What somebody may change who has the tag and no permission on the vhost; nothing but sessions and hashes otherwise. */
const FOR_EVERYBODY = [
  "DELETE /api/login",
  "POST /api/login",
  "PUT /api/auth/hash_password",
] as const
const CHANGES_BY_TAG: Readonly<Record<string, readonly string[]>> = {
  "": ["DELETE /api/login", "POST /api/login"],
  management: FOR_EVERYBODY,
  policymaker: [
    ...FOR_EVERYBODY,
    "PUT /api/global-parameters/:name",
    "DELETE /api/global-parameters/:name",
  ],
  // A monitor sees every vhost: it may ask where a message would go, and for an action that does nothing.
  monitoring: [
    ...FOR_EVERYBODY,
    "POST /api/exchanges/:vhost/:name/route",
    "POST /api/queues/:vhost/:name/actions",
  ],
}

for (const [tag, expected] of Object.entries(CHANGES_BY_TAG))
  httpTest(
    `without permissions the tag '${tag}' changes and sees only what it may`,
    async (http) => {
      const { connection, node } = await fill(http)
      const user = await addUser(http, "x", tag === "" ? [] : [tag])
      const changed: string[] = []
      for (const route of inOrder()) {
        const key = `${route.method} ${route.path}`
        if (key === "GET /api/livelog") continue
        const line = lineOf(route, (param) => valueOf(route, param, connection, node))
        const body = BODIES[key]
        const { status, text } = await http.ask(line, { user, ...(body !== undefined && { body }) })
        if (status < 300 && route.method !== "GET") changed.push(key)
        if (tag === "") assert.ok(status === 401 || route.access === "open", `${line}: ${status}`)
        // The vhost's own permissions are not asked of those who see all of them.
        if (tag !== "monitoring" && key !== "GET /api/openapi.json")
          assert.doesNotMatch(text, /"(?:vhost|name)":"v"|vhost="v"|"127\.0\.0\.1:\d+ -> /, line)
      }
      assert.deepEqual(changed.toSorted(), expected.toSorted())
      for (const name of ["q", "s"]) await http.expect(200, `GET /api/queues/v/${name}`)
      await http.expect(200, "GET /api/users/u")
    },
  )

httpTest("without a login nothing is shown or changed", async (http) => {
  const { connection, node } = await fill(http)
  for (const route of ROUTES) {
    if (route.access === "open") continue
    const line = lineOf(route, (param) => valueOf(route, param, connection, node))
    const body = BODIES[`${route.method} ${route.path}`]
    const { status } = await http.ask(line, { user: null, ...(body !== undefined && { body }) })
    assert.equal(status, 401, line)
  }
})
