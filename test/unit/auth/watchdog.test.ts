/** Regular expressions that take exponential time: given up in time, and only when it was theirs. */
import assert from "node:assert/strict"
import { test } from "node:test"
import { Watchdog } from "../../../src/auth/watchdog.ts"

const NAME = `${"a".repeat(250)}!`
/** Longer than any of the tests may take on a busy machine, shorter than the expressions below would. */
const LIMIT_MS = 20

/** A process that used so much CPU time in every attempt. */
class FakeUsage {
  attempts = 0
  readonly #userMs: number

  constructor(userMs: number) {
    this.#userMs = userMs
  }

  readonly read = (before?: NodeJS.CpuUsage): NodeJS.CpuUsage => {
    if (before === undefined) {
      this.attempts++
      return { user: 0, system: 0 }
    }
    return { user: this.#userMs * 1000, system: 0 }
  }
}

test("an expression that used its time up is given up after one attempt, and denies", () => {
  for (const regex of [/^(a+)+$/, /^(a|a)*$/, /a*a*a*a*a*a*a*$b/]) {
    const usage = new FakeUsage(LIMIT_MS)
    const watchdog = new Watchdog({ limitMs: LIMIT_MS, cpuUsage: usage.read })
    assert.equal(watchdog.test(regex, NAME), false, regex.source)
    assert.equal(usage.attempts, 1)
  }
})

test("time that went to other programs is not held against it, but not without end", () => {
  const usage = new FakeUsage(0)
  const watchdog = new Watchdog({ limitMs: LIMIT_MS, cpuUsage: usage.read })
  assert.equal(watchdog.test(/^(a+)+$/, NAME), false)
  assert.equal(usage.attempts, 5)
})

test("half of the limit is where it counts as its own", () => {
  for (const [userMs, attempts] of [
    [LIMIT_MS / 2, 1],
    [LIMIT_MS / 2 - 1, 5],
  ] as const) {
    const usage = new FakeUsage(userMs)
    const watchdog = new Watchdog({ limitMs: LIMIT_MS, cpuUsage: usage.read })
    assert.equal(watchdog.test(/^(a+)+$/, NAME), false)
    assert.equal(usage.attempts, attempts)
  }
})

test("after an expression was given up, the next ones are answered, with nothing left of it", () => {
  const watchdog = new Watchdog({ limitMs: LIMIT_MS, cpuUsage: new FakeUsage(LIMIT_MS).read })
  assert.equal(watchdog.test(/^(a+)+$/, NAME), false)
  // A time limit that a busy machine does not reach.
  const patient = new Watchdog({ limitMs: 10_000 })
  for (let i = 0; i < 3; i++) {
    assert.equal(patient.test(/^(foo|bar)+-[a-z]+$/, "foobar-a"), true)
    assert.equal(patient.test(/^(foo|bar)+-[a-z]+$/, NAME), false)
  }
})

test("the process's own CPU time is what is measured", () => {
  const watchdog = new Watchdog({ limitMs: LIMIT_MS })
  const before = process.cpuUsage()
  assert.equal(watchdog.test(/^(a+)+$/, NAME), false)
  const { user, system } = process.cpuUsage(before)
  const usedMs = (user + system) / 1000
  // Five attempts, each of which has used less than half of its limit but the last.
  assert.ok(usedMs < 5 * LIMIT_MS + 500, `${String(usedMs)} ms`)
})
