/** What holds for every route: login, tags, errors, methods, the OpenAPI document; and the sockets. */
import assert from "node:assert/strict"
import { test } from "node:test"
import { ROUTES } from "../../src/http/routes.ts"
import type { AccessLevel } from "../../src/http/route.ts"
import { openApiDocument } from "../../src/http/openapi.ts"
import { startBroker } from "../../src/server/start-broker.ts"
import { addUser, httpTest } from "./support.ts"

const TAGS_WITH: Readonly<Record<AccessLevel, readonly string[]>> = {
  open: ["administrator", "monitoring", "policymaker", "management", "impersonator"],
  management: ["administrator", "monitoring", "policymaker", "management"],
  monitoring: ["administrator", "monitoring"],
  policymaker: ["administrator", "policymaker"],
  administrator: ["administrator"],
}

httpTest("every route wants its tag, and nobody gets in without a login", async (http) => {
  const users = new Map<string, string>()
  for (const tag of TAGS_WITH.open) users.set(tag, await addUser(http, tag, [tag]))
  for (const { method, path, access } of ROUTES) {
    // Nothing of this name is there, so that whoever may ask changes nothing.
    const line = `${method} ${path.replaceAll(/:\w+/g, "none")}`
    const anonymous = await http.ask(line, { user: null })
    if (access === "open") {
      assert.ok(anonymous.status === 200 || method !== "GET", line)
      continue
    }
    assert.equal(anonymous.status, 401, line)
    assert.match(anonymous.headers.get("www-authenticate") ?? "", /^Basic /)
    for (const [tag, user] of users) {
      if (tag === "administrator") continue
      const isAllowed = TAGS_WITH[access].includes(tag)
      const content = method === "GET" ? {} : { body: "[" }
      const { status, text } = await http.ask(line, { user, ...content })
      const isRefused = status === 401 && text.includes('"not_authorised"')
      assert.notEqual(status, 500, `${line}: ${text}`)
      if (!isAllowed) assert.ok(isRefused, `${line} as ${tag}: ${status}`)
    }
  }
})

httpTest("a login is refused for every reason alike", async (http) => {
  const { expect, running } = http
  await addUser(http, "tagless", [])
  await running.administration.putUser("hashless", { passwordHash: "", tags: ["administrator"] })
  for (const user of [
    "guest:wrong",
    "nobody:guest",
    "tagless:tagless",
    "hashless:",
    "guest:",
    "x",
  ]) {
    const { body } = await expect(401, "GET /api/whoami", { user })
    assert.deepEqual(body, { error: "not_authorized", reason: "Not_Authorized" })
  }
  await expect(401, "GET /api/whoami", { user: null, headers: { authorization: "Bearer x" } })
  await running.administration.putUser("colon", { password: "a:b:c", tags: ["management"] })
  const { body } = await expect(200, "GET /api/whoami", { user: "colon:a:b:c" })
  assert.deepEqual(body, { name: "colon", tags: ["management"], is_internal_user: true })
})

httpTest("unknown paths are 404, wrong methods 405; HEAD and OPTIONS work", async ({ ask }) => {
  const unknown = await ask("GET /api/nothing")
  assert.equal(unknown.status, 404)
  assert.deepEqual(unknown.body, { error: "Object Not Found", reason: "Not Found" })
  const wrong = await ask("PUT /api/overview")
  assert.equal(wrong.status, 405)
  assert.equal(wrong.headers.get("allow"), "GET, HEAD, OPTIONS")
  const head = await ask("HEAD /api/overview")
  assert.equal(head.status, 200)
  assert.equal(head.text, "")
  const options = await ask("OPTIONS /api/queues/%2F/q")
  assert.equal(options.status, 200)
  assert.equal(options.headers.get("allow"), "DELETE, GET, HEAD, OPTIONS, PUT")
  assert.equal((await ask("GET /api/overview/")).status, 200)
})

httpTest(
  "a page of another site cannot use the login that a browser remembers",
  async ({ ask }) => {
    const headers = { "sec-fetch-site": "cross-site" }
    assert.equal((await ask("PUT /api/queues/%2F/q", { headers })).status, 403)
    assert.equal((await ask("GET /api/queues", { headers })).status, 200)
  },
)

httpTest("a body is bounded in size and depth", async ({ ask }) => {
  const large = JSON.stringify({ arguments: { a: "x".repeat(1 << 20) } })
  assert.equal((await ask("PUT /api/queues/%2F/q", { body: large })).status, 413)
  const deep = `{"arguments":{"a":${"[".repeat(1000)}${"]".repeat(1000)}}}`
  assert.equal((await ask("PUT /api/queues/%2F/q", { body: deep })).status, 400)
  const polluting = '{"arguments":{"__proto__":{"polluted":true}}}'
  assert.equal((await ask("PUT /api/queues/%2F/q", { body: polluting })).status, 201)
  assert.equal(Reflect.get({}, "polluted"), undefined)
})

test("the OpenAPI document has every route once, with unique names", () => {
  const document = openApiDocument(ROUTES)
  const { paths } = document
  assert.ok(typeof paths === "object" && paths !== null)
  const operations = Object.values(paths).flatMap((path: object) => Object.values(path))
  assert.equal(operations.length, ROUTES.length)
  const names = operations.map((operation: { operationId: string }) => operation.operationId)
  assert.equal(new Set(names).size, names.length)
  assert.doesNotThrow(() => JSON.stringify(document))
})

test("it listens on a socket, and close() ends what is under way", async () => {
  const broker = await startBroker({
    amqp: { host: "127.0.0.1", port: 0 },
    http: { host: "127.0.0.1", port: 0 },
  })
  const url = `http://127.0.0.1:${broker.http?.port ?? 0}/api`
  const headers = { authorization: `Basic ${btoa("guest:guest")}` }
  try {
    const health = `${url}/health/checks/port-listener/${broker.amqpPort}`
    assert.equal((await fetch(health, { headers })).status, 200)
    const declared = await fetch(`${url}/queues/%2F/a%2Fb`, { method: "PUT", headers })
    assert.equal(declared.status, 201)
    const listed = await fetch(`${url}/queues?page=1`, { headers })
    assert.match(await listed.text(), /"name":"a\/b"/)
    assert.equal((await fetch(`${url}/queues`)).status, 401)
  } finally {
    await broker.close()
  }
  await assert.rejects(fetch(url))
})

test("a taken port is told with the flag that changes it", async () => {
  const first = await startBroker({ amqp: { port: 0 }, http: { port: 0 } })
  try {
    const port = first.http?.port ?? 0
    await assert.rejects(startBroker({ amqp: { port: 0 }, http: { port } }), /--http-port/)
  } finally {
    await first.close()
  }
})
