/** Basic authentication: what is read, and what a refused request is told. */
import assert from "node:assert/strict"
import { test } from "node:test"
import { Logins } from "../../../src/auth/logins.ts"
import { UserStore } from "../../../src/auth/users.ts"
import { authenticate, parseBasic } from "../../../src/http/credentials.ts"
import { HttpError } from "../../../src/http/errors.ts"
import { ManualClock } from "../../../src/util/clock.ts"
import { silentLogger } from "../../../src/util/logger.ts"
import { systemRandom } from "../../../src/util/random.ts"
import { MemoryDocument } from "../auth/memory-document.ts"

const basic = (text: string): string => `Basic ${btoa(text)}`

test("names end at the first colon, and whatever is no basic authentication is refused", () => {
  assert.deepEqual(parseBasic(basic("u:p:q")), { name: "u", password: "p:q" })
  assert.deepEqual(parseBasic(basic("u:")), { name: "u", password: "" })
  assert.deepEqual(parseBasic(`basic  ${btoa("u:p")}`), { name: "u", password: "p" })
  for (const text of ["", "Basic", "Basic ", "Bearer x", basic("nocolon"), "Basic a b"])
    assert.equal(parseBasic(text), null, text)
})

test("who fails too often is told 429, and the right password of others is not held up", async () => {
  const users = new UserStore({ document: new MemoryDocument([]), random: systemRandom })
  await users.load()
  await users.put("admin", { password: "right", tags: ["administrator"] })
  await users.put("app", { password: "right" })
  const clock = new ManualClock()
  const logins = new Logins(users, clock, silentLogger)
  const attempt = async (text: string | undefined, address = "203.0.113.1"): Promise<unknown> =>
    authenticate(logins, text, { address, host: undefined }).catch((error: unknown) => error)
  const statusOf = async (text: string | undefined): Promise<number> => {
    const answer = await attempt(text)
    assert.ok(answer instanceof HttpError)
    return answer.status
  }
  assert.equal(await statusOf(undefined), 401)
  assert.equal(await statusOf("Bearer x"), 401)
  assert.equal(await statusOf(basic("admin:wrong")), 401)
  assert.equal(await statusOf(basic("app:right")), 401, "without a tag")
  const flood = Array.from({ length: 30 }, () => attempt(basic("admin:wrong")))
  assert.equal(await statusOf(basic("admin:right")), 429)
  const user = await attempt(basic("admin:right"), "203.0.113.2")
  assert.ok(typeof user === "object" && user !== null && !(user instanceof HttpError))
  clock.advance(5000)
  await Promise.all(flood)
  assert.ok(!((await attempt(basic("admin:right"))) instanceof HttpError))
  assert.ok(logins.attempts.http.throttled > 0)
})
