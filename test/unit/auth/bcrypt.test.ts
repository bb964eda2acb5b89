import assert from "node:assert/strict"
import { test } from "node:test"
import { BcryptHash } from "../../../src/auth/bcrypt-hash.ts"
import { PENDING_MAX } from "../../../src/auth/bcrypt-comparison.ts"
import { AuthError } from "../../../src/auth/errors.ts"
import { parseStoredPassword } from "../../../src/auth/password-hash.ts"
import { UserStore } from "../../../src/auth/users.ts"
import { systemRandom } from "../../../src/util/random.ts"
import { MemoryDocument } from "./memory-document.ts"

/** Of the password, with cost 4, as LavinMQ makes them. */
const HASH = "$2b$04$Qgq1Oz9l.KBZqiQ41AYpFeclJhgY8RVFPyR8IWW9Kr0h38N1pFH4i"
const PASSWORD = "sésame"
const LOCAL = "127.0.0.1"

test("a bcrypt hash matches its password and nothing else", async () => {
  const hash = parseStoredPassword(HASH, "lavinmq_bcrypt")
  assert.ok(hash instanceof BcryptHash)
  assert.equal(hash.toString(), HASH)
  assert.equal(await hash.matches("sesame"), false)
  assert.equal(await hash.matches(PASSWORD), true)
  assert.equal(await hash.matches(""), false)
})

test("what was right once is recognised without the thread", async () => {
  const hash = new BcryptHash(HASH)
  const first = hash.matches(PASSWORD)
  assert.ok(first instanceof Promise)
  assert.equal(await first, true)
  assert.equal(hash.matches(PASSWORD), true)
  const wrong = hash.matches("other")
  assert.ok(wrong instanceof Promise)
  assert.equal(await wrong, false)
})

test("comparisons at one time have each their own answer, and too many are refused", async () => {
  const guesses = Array.from({ length: PENDING_MAX }, async (_, i) =>
    new BcryptHash(HASH).matches(i % 3 === 0 ? PASSWORD : `guess ${i}`),
  )
  await assert.rejects(async () => new BcryptHash(HASH).matches("one more"), /too many/)
  const answers = await Promise.all(guesses)
  assert.deepEqual(
    answers,
    answers.map((_, i) => i % 3 === 0),
  )
})

test("what is no bcrypt hash, or takes minutes, is refused", () => {
  const others = ["", "x", HASH.slice(0, -1), `${HASH}x`, HASH.replace("$04$", "$03$")]
  for (const text of others) assert.throws(() => new BcryptHash(text), AuthError, text)
  assert.throws(() => new BcryptHash(HASH.replace("$04$", "$17$")), /cost 17, at most 16/)
})

test("a user with a bcrypt hash logs in, unless the user has changed meanwhile", async () => {
  const store = new UserStore({ document: new MemoryDocument([]), random: systemRandom })
  await store.load()
  const change = { passwordHash: HASH, hashingAlgorithm: "lavinmq_bcrypt" }
  assert.equal(await store.put("app", change), true)
  assert.equal((await store.authenticate("app", PASSWORD, LOCAL))?.name, "app")
  assert.equal(await store.authenticate("app", "wrong", LOCAL), null)
  assert.equal(await store.put("app", { password: PASSWORD }), false)
  assert.equal(store.get("app")?.passwordHash, HASH, "the same password keeps its hash")
  await store.put("app", change)
  const late = store.authenticate("app", PASSWORD, LOCAL)
  await store.delete("app")
  assert.equal(await late, null)
})

test("the loop goes on while a hash of a high cost is compared", async () => {
  const hash = new BcryptHash("$2b$11$ZtlpwBL.N7ppeTn6G9y1Vu.YX1zA9dRraQoJ1LlqaDciT8sB2vJf.")
  const comparison = { isDone: false }
  const right = Promise.resolve(hash.matches("slow")).finally(() => (comparison.isDone = true))
  let loops = 0
  while (!comparison.isDone) {
    await new Promise((next) => setImmediate(next))
    loops++
  }
  assert.equal(await right, true)
  // Work on this thread would leave the loop a few rounds.
  assert.ok(loops > 100, String(loops))
})
