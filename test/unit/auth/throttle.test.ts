/** Slowing guesses down: by address and by name, bounded in memory and in waiting answers. */
import assert from "node:assert/strict"
import { test } from "node:test"
import {
  ENTRIES_MAX,
  FORGET_MS,
  LoginThrottle,
  sourceOf,
  WAITING_MAX,
} from "../../../src/auth/throttle.ts"
import { ManualClock } from "../../../src/util/clock.ts"

/** Milliseconds until the next failure of the address is answered. */
function delayOf(throttle: LoginThrottle, clock: ManualClock, address: string | null): number {
  throttle.fail(address, address ?? "")
  const before = throttle.waitingCount
  if (throttle.delay(address, address ?? "") === null) return 0
  assert.equal(throttle.waitingCount, before + 1)
  let ms = 0
  while (throttle.waitingCount > before && ms < 100_000) {
    clock.advance(50)
    ms += 50
  }
  return ms
}

test("the first failures are answered at once, then each later than the one before, up to a bound", () => {
  const clock = new ManualClock()
  const throttle = new LoginThrottle(clock)
  const delays = Array.from({ length: 12 }, () => delayOf(throttle, clock, "203.0.113.1"))
  assert.deepEqual(delays, [0, 0, 0, 0, 0, 250, 500, 1000, 2000, 4000, 5000, 5000])
  assert.equal(delayOf(throttle, clock, "203.0.113.2"), 0, "another address")
})

test("a program on this machine has more attempts, and waits less", () => {
  const clock = new ManualClock()
  const throttle = new LoginThrottle(clock)
  const delays = Array.from({ length: 24 }, () => delayOf(throttle, clock, "127.0.0.1"))
  assert.deepEqual(delays.slice(0, 20), Array.from({ length: 20 }).fill(0))
  assert.deepEqual(delays.slice(20), [250, 500, 1000, 1000])
  assert.ok(delayOf(throttle, clock, "::1") > 0, "the same machine")
  assert.ok(delayOf(throttle, clock, null) > 0, "a Unix socket, too")
})

test("failures are forgotten after a minute without one", () => {
  const clock = new ManualClock()
  const throttle = new LoginThrottle(clock)
  for (let i = 0; i < 8; i++) throttle.fail("203.0.113.1", "u")
  assert.ok(throttle.delay("203.0.113.1", "u") !== null)
  clock.advance(FORGET_MS + 1)
  assert.equal(throttle.fail("203.0.113.1", "u"), 1)
  assert.equal(throttle.delay("203.0.113.1", "u"), null)
})

test("guesses that do not wait for their answers are refused without a look, other addresses are not", async () => {
  const clock = new ManualClock()
  const throttle = new LoginThrottle(clock)
  const waiting: Promise<void>[] = []
  for (let i = 0; i < 100; i++) {
    if (!throttle.mayTry("203.0.113.1", "u")) continue
    throttle.fail("203.0.113.1", "u")
    const delay = throttle.delay("203.0.113.1", "u")
    if (delay !== null) waiting.push(delay)
  }
  assert.equal(waiting.length, 10)
  assert.equal(throttle.mayTry("203.0.113.1", "other"), false)
  assert.ok(throttle.mayTry("203.0.113.2", "u"), "the same user from elsewhere")
  clock.advance(5000)
  await Promise.all(waiting)
  assert.ok(throttle.mayTry("203.0.113.1", "u"), "after the delay, again")
})

test("one name that is guessed at from many addresses slows them all, but not a newcomer", () => {
  const clock = new ManualClock()
  const throttle = new LoginThrottle(clock)
  const addresses = Array.from({ length: 200 }, (_, i) => `198.51.100.${i}`)
  let refused = 0
  for (let round = 0; round < 2; round++)
    for (const address of addresses) {
      if (!throttle.mayTry(address, "victim")) refused++
      else {
        throttle.fail(address, "victim")
        void throttle.delay(address, "victim")
      }
    }
  assert.equal(refused, 200, "the second round, while 20 answers and more wait")
  assert.ok(throttle.mayTry("203.0.113.9", "victim"))
  assert.ok(throttle.mayTry("198.51.100.1", "another"))
})

test("ten thousand attempts from ten thousand addresses cost bounded memory and timers", () => {
  const clock = new ManualClock()
  const throttle = new LoginThrottle(clock)
  for (let round = 0; round < 7; round++)
    for (let i = 0; i < 12_000; i++) {
      const address = `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`
      const name = `${"n".repeat(i % 300)}${i}`
      if (!throttle.mayTry(address, name)) continue
      throttle.fail(address, name)
      void throttle.delay(address, name)
    }
  assert.ok(throttle.entryCount <= 2 * ENTRIES_MAX, String(throttle.entryCount))
  assert.ok(throttle.waitingCount <= WAITING_MAX, String(throttle.waitingCount))
  clock.advance(10_000)
  assert.equal(throttle.waitingCount, 0)
})

test("a closed throttle leaves no timer, and one that is off delays nothing", async () => {
  const clock = new ManualClock()
  const throttle = new LoginThrottle(clock)
  for (let i = 0; i < 10; i++) throttle.fail("203.0.113.1", "u")
  const delay = throttle.delay("203.0.113.1", "u")
  assert.ok(delay !== null)
  throttle.close()
  await delay
  assert.equal(throttle.waitingCount, 0)
  throttle.isOn = false
  assert.equal(throttle.delay("203.0.113.1", "u"), null)
})

test("a source is an IPv4 address, a network of IPv6, or this machine", () => {
  for (const [address, source] of [
    ["203.0.113.1", "203.0.113.1"],
    ["::ffff:203.0.113.1", "203.0.113.1"],
    ["::ffff:127.0.0.1", "local"],
    ["::1", "local"],
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2"],
    ["2001:db8:1:2::6", "2001:db8:1:2"],
    ["2001:0DB8:1:2:ffff::", "2001:db8:1:2"],
    ["2001:db8::1", "2001:db8:0:0"],
    ["fe80::1%eth0", "fe80:0:0:0"],
    ["::2", "0:0:0:0"],
  ] as const)
    assert.equal(sourceOf(address), source, address)
  assert.equal(sourceOf(null), "local")
})
