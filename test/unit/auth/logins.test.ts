/** Logins of every protocol: counted, logged without secrets, and cheap under a brute force. */
import assert from "node:assert/strict"
import { test } from "node:test"
import { COMPARISONS_MAX } from "../../../src/auth/bcrypt-hash.ts"
import { Logins } from "../../../src/auth/logins.ts"
import type { LoginAttempt } from "../../../src/auth/logins.ts"
import { UserStore } from "../../../src/auth/users.ts"
import { ManualClock } from "../../../src/util/clock.ts"
import type { Logger } from "../../../src/util/logger.ts"
import { systemRandom } from "../../../src/util/random.ts"
import { eventually } from "../../support/eventually.ts"
import { MemoryDocument } from "./memory-document.ts"

/** Of "sésame", with cost 4. */
const BCRYPT = "$2b$04$Qgq1Oz9l.KBZqiQ41AYpFeclJhgY8RVFPyR8IWW9Kr0h38N1pFH4i"
const SECRET = "secret-guess"

interface Bed {
  readonly logins: Logins
  readonly clock: ManualClock
  readonly users: UserStore
  readonly lines: string[]
}

async function bed(): Promise<Bed> {
  const users = new UserStore({ document: new MemoryDocument([]), random: systemRandom })
  await users.load()
  await users.put("app", { password: "right" })
  await users.put("slow", { passwordHash: BCRYPT, hashingAlgorithm: "lavinmq_bcrypt" })
  const lines: string[] = []
  const note = (fields: object, text: string): void => {
    lines.push(`${text} ${JSON.stringify(fields)}`)
  }
  const log: Logger = { debug: note, info: note, warn: note, error: note }
  const clock = new ManualClock()
  return { logins: new Logins(users, clock, log), clock, users, lines }
}

function attempt(name: string, password: string, address = "203.0.113.1"): LoginAttempt {
  return { protocol: "amqp", name, password, address, from: address }
}

test("a right password is answered at once, however many wrong ones came before", async () => {
  const { logins } = await bed()
  for (let i = 0; i < 10; i++) void logins.login(attempt("app", SECRET))
  const user = logins.login(attempt("app", "right"))
  assert.ok(user !== null && typeof user === "object" && !(user instanceof Promise))
  assert.equal(user.name, "app")
  assert.equal(logins.throttle.waitingCount, 5)
})

test("while one address is refused without a look, the user logs in from another", async () => {
  const { logins, clock } = await bed()
  for (let i = 0; i < 100; i++) void logins.login(attempt("app", SECRET))
  assert.equal(logins.login(attempt("app", "right")), "too-many")
  const user = logins.login(attempt("app", "right", "203.0.113.2"))
  assert.ok(user !== null && typeof user === "object" && "name" in user)
  clock.advance(5000)
  const later = logins.login(attempt("app", "right"))
  assert.ok(later !== null && typeof later === "object" && "name" in later)
})

test("attempts are counted by protocol", async () => {
  const { logins, clock } = await bed()
  await logins.login({ ...attempt("app", "right"), protocol: "http" })
  void logins.login({ ...attempt("nobody", SECRET), protocol: "http" })
  void logins.refuse({ protocol: "http", name: "", address: null, from: "local socket" })
  for (let i = 0; i < 20; i++) void logins.login(attempt("app", SECRET))
  assert.deepEqual(logins.attempts.http, { succeeded: 1, failed: 2, throttled: 0 })
  const { succeeded, failed, throttled } = logins.attempts.amqp
  assert.deepEqual([succeeded, failed], [0, 20])
  assert.ok(throttled > 0)
  clock.advance(10_000)
})

test("ten thousand guesses write a few lines, none with a password, and wait in bounds", async () => {
  const { logins, lines } = await bed()
  for (let i = 0; i < 10_000; i++) void logins.login(attempt("app", `${SECRET}-${i}`))
  assert.equal(logins.attempts.amqp.failed, 10_000)
  assert.ok(logins.throttle.waitingCount <= 20)
  assert.ok(lines.length > 5 && lines.length < 60, String(lines.length))
  assert.ok(lines.every((line) => !line.includes(SECRET)))
  assert.ok(lines.some((line) => line.includes('"failures":10000')))
})

test("ten thousand guesses at a bcrypt hash take few places of its thread", async () => {
  const { logins, users, clock, lines } = await bed()
  const answers = Array.from({ length: 10_000 }, (_, i) => logins.login(attempt("slow", `g${i}`)))
  const right = users.authenticate("slow", "sésame", "203.0.113.2")
  await assert.rejects(async () => right, /too many/)
  let refused = 0
  for (const answer of answers.slice(COMPARISONS_MAX)) if ((await answer) === null) refused++
  assert.equal(refused, answers.length - COMPARISONS_MAX)
  assert.ok(lines.length < 60, String(lines.length))
  let areAnswered = false
  void Promise.all(answers.map(async (answer) => answer)).then(() => (areAnswered = true))
  await eventually(() => {
    clock.advance(5000)
    assert.ok(areAnswered)
  })
  const later = await logins.login(attempt("slow", "sésame", "203.0.113.2"))
  assert.ok(later !== null && typeof later === "object" && later.name === "slow")
})

test("a thousand clients that come at once with the same bcrypt password all get in", async () => {
  const { logins } = await bed()
  const answers = Array.from({ length: 1000 }, (_, i) =>
    logins.login(attempt("slow", "sésame", `10.0.${i >> 8}.${i & 255}`)),
  )
  for (const pending of answers) {
    const answer = await pending
    assert.ok(answer !== null && typeof answer === "object" && answer.name === "slow")
  }
})
