/** Sessions of the management UI, and how its files are served. */
import assert from "node:assert/strict"
import { test } from "node:test"
import { PasswordHash } from "../../src/auth/password-hash.ts"
import type { User } from "../../src/auth/users.ts"
import { Sessions } from "../../src/http/sessions.ts"
import { bestEncoding, UI_CONTENT_POLICY } from "../../src/http/ui.ts"
import { ManualClock } from "../../src/util/clock.ts"
import { systemRandom } from "../../src/util/random.ts"
import { addUser, httpTest } from "./support.ts"
import type { HttpTest } from "./support.ts"

async function logIn(http: HttpTest, username = "guest", password = username): Promise<string> {
  const answer = await http.expect(200, "POST /api/login", {
    user: null,
    body: { username, password },
  })
  return cookieOf(answer.headers)
}

/** The part that a browser sends back. */
function cookieOf(headers: Headers): string {
  const [cookie = ""] = (headers.get("set-cookie") ?? "").split(";")
  assert.match(cookie, /^sluice_session=[\w-]{43}$/)
  return cookie
}

const whoami = (http: HttpTest, cookie: string, status = 200): ReturnType<HttpTest["ask"]> =>
  http.expect(status, "GET /api/whoami", { user: null, headers: { cookie } })

httpTest(
  "the default user is not served under a name that strangers can point here",
  async (http) => {
    const other = await addUser(http, "other", ["management"])
    const body = { username: "guest", password: "guest" }
    for (const host of ["evil.example:15672", "evil.example.", "broker.example.com"]) {
      await http.expect(401, "GET /api/whoami", { headers: { host } })
      await http.expect(401, "POST /api/login", { user: null, body, headers: { host } })
      await http.expect(200, "GET /api/whoami", { user: other, headers: { host } })
    }
    for (const host of ["localhost:15672", "127.0.0.1", "[::1]:1", "rabbitmq:15672", "a.localhost"])
      await http.expect(200, "GET /api/whoami", { headers: { host } })
  },
)

httpTest("a login gives a cookie that stands for the user", async (http) => {
  const answer = await http.expect(200, "POST /api/login", {
    user: null,
    body: { username: "guest", password: "guest" },
  })
  assert.equal(answer.body["name"], "guest")
  const header = answer.headers.get("set-cookie") ?? ""
  for (const part of ["HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=28800"])
    assert.ok(header.includes(part), header)
  assert.ok(!header.includes("Secure"))
  const who = await whoami(http, `other=1; ${cookieOf(answer.headers)}`)
  assert.deepEqual(who.body["tags"], ["administrator"])
})

httpTest("over TLS the cookie is for TLS only, and each port has its own", async (http) => {
  const { headers } = await http.expect(200, "POST /api/login", {
    user: null,
    body: { username: "guest", password: "guest" },
    headers: { "x-forwarded-proto": "https", host: "localhost:15672" },
  })
  const header = headers.get("set-cookie") ?? ""
  assert.match(header, /^sluice_session_15672=/)
  assert.ok(header.includes("Secure"))
})

httpTest("wrong passwords and users without a tag get no session", async (http) => {
  await addUser(http, "app", [])
  for (const [username, password] of [
    ["guest", "wrong"],
    ["nobody", "x"],
    ["app", "app"],
  ]) {
    const answer = await http.expect(401, "POST /api/login", {
      user: null,
      body: { username, password },
    })
    assert.equal(answer.headers.get("set-cookie"), null)
  }
  await http.expect(400, "POST /api/login", { user: null, body: { username: "guest" } })
  await http.expect(403, "POST /api/login", {
    user: null,
    body: { username: "guest", password: "guest" },
    headers: { "sec-fetch-site": "cross-site" },
  })
})

httpTest("logging out ends the session", async (http) => {
  const cookie = await logIn(http)
  const { headers } = await http.expect(204, "DELETE /api/login", {
    user: null,
    headers: { cookie },
  })
  assert.match(headers.get("set-cookie") ?? "", /^sluice_session=;.*Max-Age=0/)
  await whoami(http, cookie, 401)
  await http.expect(204, "DELETE /api/login", { user: null })
})

httpTest("a deleted user, a new password and lost tags end the session at once", async (http) => {
  const { administration } = http.running
  await addUser(http, "bob", ["management"])
  const first = await logIn(http, "bob")
  await administration.setTags("bob", ["monitoring"])
  assert.deepEqual((await whoami(http, first)).body["tags"], ["monitoring"])
  await administration.setPassword("bob", "other")
  await whoami(http, first, 401)
  const second = await logIn(http, "bob", "other")
  await administration.setTags("bob", [])
  await whoami(http, second, 401)
  await administration.setTags("bob", ["management"])
  const third = await logIn(http, "bob", "other")
  await administration.deleteUser("bob")
  await addUser(http, "bob", ["administrator"])
  await whoami(http, third, 401)
})

httpTest("a password that is given goes before the cookie", async (http) => {
  await addUser(http, "eve", ["management"])
  const cookie = await logIn(http)
  const answer = await http.expect(200, "GET /api/whoami", { user: "eve:eve", headers: { cookie } })
  assert.equal(answer.body["name"], "eve")
  await http.expect(401, "GET /api/whoami", { user: "eve:wrong", headers: { cookie } })
})

httpTest("the browser's own password dialog stays away from the UI only", async (http) => {
  const plain = await http.expect(401, "GET /api/whoami", { user: null })
  assert.match(plain.headers.get("www-authenticate") ?? "", /^Basic/)
  const headers = { "x-requested-with": "sluice" }
  const script = await http.expect(401, "GET /api/whoami", { user: null, headers })
  assert.equal(script.headers.get("www-authenticate"), null)
})

httpTest("what is no session cookie is no session", async (http) => {
  const good = await logIn(http)
  for (const cookie of [
    "",
    ";;",
    "sluice_session",
    "sluice_session=",
    `x${good}`,
    `${good}x`,
    "=".repeat(5000),
  ])
    await whoami(http, cookie, 401)
})

function makeUser(name: string): User {
  const hash = PasswordHash.create(name, systemRandom).toString()
  return {
    name,
    tags: ["management"],
    permissions: new Map(),
    topicPermissions: new Map(),
    passwordHash: hash,
    hashingAlgorithm: null,
    isDeleted: false,
  }
}

test("sessions end after half an hour without use, and after eight hours in any case", () => {
  const clock = new ManualClock()
  const sessions = new Sessions(clock, systemRandom)
  const user = makeUser("a")
  const idle = sessions.open(user)
  const busy = sessions.open(user)
  for (let minute = 0; minute < 480; minute += 20) {
    clock.advance(20 * 60_000)
    assert.equal(sessions.userOf(busy), user)
  }
  assert.equal(sessions.userOf(idle), null)
  clock.advance(1)
  assert.equal(sessions.userOf(busy), null)
  assert.equal(sessions.size, 0)
})

test("the table is bounded, for each user and in all", () => {
  const sessions = new Sessions(new ManualClock(), systemRandom)
  const user = makeUser("a")
  const tokens = Array.from({ length: 20 }, () => sessions.open(user))
  assert.equal(sessions.userOf(tokens[0]!), user)
  sessions.open(user)
  assert.equal(sessions.userOf(tokens[1]!), null)
  assert.equal(sessions.userOf(tokens[0]!), user)
  assert.equal(sessions.size, 20)
  for (let i = 0; i < 1200; i++) sessions.open(makeUser(String(i)))
  assert.equal(sessions.size, 1000)
})

test("encodings are taken as the browser wants them", () => {
  assert.equal(bestEncoding("gzip, deflate, br, zstd"), "br")
  assert.equal(bestEncoding("gzip;q=1.0, br;q=0"), "gzip")
  assert.equal(bestEncoding("identity"), null)
  assert.equal(bestEncoding(""), null)
})

httpTest("the page of the UI says what it may load, and is not sent twice", async (http) => {
  const page = await http.running.http!.app.request("/", { headers: { "accept-encoding": "gzip" } })
  assert.equal(page.status, 200, "npm run build:ui")
  assert.equal(page.headers.get("content-security-policy"), UI_CONTENT_POLICY)
  assert.equal(page.headers.get("content-encoding"), "gzip")
  const tag = page.headers.get("etag") ?? ""
  const again = await http.running.http!.app.request("/", {
    headers: { "accept-encoding": "gzip", "if-none-match": tag },
  })
  assert.equal(again.status, 304)
  const plain = await http.running.http!.app.request("/")
  assert.notEqual(plain.headers.get("etag"), tag)
  const html = await plain.text()
  assert.doesNotMatch(html, /https?:|<script>|style=|\son\w+=/)
  const assets = [...html.matchAll(/assets\/[\w.-]+/g)].map(([path]) => path)
  assert.ok(assets.length >= 3)
  for (const path of assets) {
    const asset = await http.running.http!.app.request(`/${path}`)
    assert.equal(asset.status, 200)
    assert.match(asset.headers.get("cache-control") ?? "", /immutable/)
  }
  for (const path of ["/assets/none.js", "/assets/..%2Fmanifest.json", "/assets/manifest.json"])
    assert.equal((await http.running.http!.app.request(path)).status, 404)
})
