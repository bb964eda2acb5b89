import assert from "node:assert/strict"
import { test } from "node:test"
import { ManualClock } from "../../../src/util/clock.ts"
import { TimerWheel, WheelEntry } from "../../../src/util/timer-wheel.ts"
import { chooseSeed, createRandom } from "../../support/seed.ts"

class Entry extends WheelEntry {
  readonly firedAtMs: number[] = []
  again: (() => void) | null = null

  override onDue(nowMs: number): void {
    assert.equal(this.isScheduled, false)
    this.firedAtMs.push(nowMs)
    this.again?.()
  }
}

/** Counts the timers that a wheel asks for. */
class CountingClock extends ManualClock {
  timers = 0

  override setTimer(delayMs: number, callback: () => void): { cancel(): void } {
    this.timers++
    return super.setTimer(delayMs, callback)
  }
}

/** Time goes by with the work that is done. */
class WorkingClock extends ManualClock {
  workedMs = 0

  override refresh(): void {
    this.nowMs += this.workedMs
    this.workedMs = 0
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve))
}

const SECOND = 1000
const DAY = 86_400 * SECOND

test("an entry fires within a tick of its time, never before, near or far", () => {
  const near = [1, 15, 16, 17, 500, 1008, 1024, 1040, 65_000, 64 * 63 * 16, 64 * 64 * 16 - 5]
  for (const delay of [...near, 4_200_000, 3 * DAY, 9 * DAY]) firesInTime(delay, 16)
  // Beyond the coarsest wheel.
  firesInTime(15 * DAY, 1)
})

function firesInTime(delay: number, tickMs: number): void {
  const clock = new ManualClock(1_700_000_000_003)
  const wheel = new TimerWheel(clock, tickMs)
  const entry = new Entry()
  const dueMs = clock.nowMs + delay
  wheel.schedule(entry, dueMs)
  assert.equal(entry.isScheduled, true)
  clock.advance(delay - 1)
  assert.deepEqual(entry.firedAtMs, [], `${String(delay)} ms: too early`)
  clock.advance(tickMs + 1)
  assert.equal(entry.firedAtMs.length, 1, `${String(delay)} ms: not fired`)
  assert.ok(entry.firedAtMs[0]! >= dueMs && entry.firedAtMs[0]! <= dueMs + tickMs)
  assert.equal(entry.isScheduled, false)
  assert.equal(wheel.count, 0)
}

test("a deadline in the past, or none that makes sense, is due with the next tick", () => {
  const clock = new ManualClock()
  const wheel = new TimerWheel(clock)
  const entries = [new Entry(), new Entry(), new Entry()]
  wheel.schedule(entries[0]!, clock.nowMs - 5000)
  wheel.schedule(entries[1]!, NaN)
  wheel.schedule(entries[2]!, -Infinity)
  clock.advance(32)
  assert.deepEqual(
    entries.map((entry) => entry.firedAtMs.length),
    [1, 1, 1],
  )
})

test("a cancelled entry does not fire, and cancelling twice is no error", () => {
  const clock = new ManualClock()
  const wheel = new TimerWheel(clock)
  const entry = new Entry()
  const other = new Entry()
  wheel.schedule(entry, clock.nowMs + 100)
  wheel.schedule(other, clock.nowMs + 100)
  wheel.cancel(entry)
  wheel.cancel(entry)
  assert.equal(entry.isScheduled, false)
  clock.advance(1000)
  assert.equal(entry.firedAtMs.length, 0)
  assert.equal(other.firedAtMs.length, 1)
})

test("scheduling again moves the deadline", () => {
  const clock = new ManualClock()
  const wheel = new TimerWheel(clock)
  const entry = new Entry()
  wheel.schedule(entry, clock.nowMs + 100)
  wheel.schedule(entry, clock.nowMs + 10_000)
  clock.advance(9999)
  assert.equal(entry.firedAtMs.length, 0)
  wheel.schedule(entry, clock.nowMs + 50)
  assert.equal(wheel.count, 1)
  clock.advance(66)
  assert.equal(entry.firedAtMs.length, 1)
})

test("an entry may schedule itself when it fires", () => {
  const clock = new ManualClock()
  const wheel = new TimerWheel(clock)
  const entry = new Entry()
  entry.again = () => wheel.schedule(entry, clock.nowMs + 100)
  wheel.schedule(entry, clock.nowMs + 100)
  clock.advance(1000)
  assert.ok(entry.firedAtMs.length >= 8 && entry.firedAtMs.length <= 10)
})

test("an entry that is due at once again and again does not hold up the clock", () => {
  const clock = new ManualClock()
  const wheel = new TimerWheel(clock)
  const entry = new Entry()
  entry.again = () => wheel.schedule(entry, 0)
  wheel.schedule(entry, 0)
  clock.advance(160)
  assert.ok(entry.firedAtMs.length <= 11)
})

test("ticks without entries cost no timer", () => {
  const clock = new CountingClock()
  const wheel = new TimerWheel(clock)
  for (let i = 0; i < 5000; i++) wheel.schedule(new Entry(), clock.nowMs + 50_000)
  assert.equal(clock.timers, 1)
  clock.advance(49_000)
  assert.ok(clock.timers < 8, `${String(clock.timers)} timers`)
})

test("a thousand entries fire per turn, the others in the next ones", async () => {
  const clock = new ManualClock()
  const wheel = new TimerWheel(clock)
  const entries = Array.from({ length: 2500 }, () => new Entry())
  for (const entry of entries) wheel.schedule(entry, clock.nowMs + 20)
  const fired = (): number => entries.filter((entry) => entry.firedAtMs.length > 0).length
  clock.advance(100)
  assert.equal(fired(), 1000)
  wheel.cancel(entries[2400]!)
  await turn()
  assert.equal(fired(), 2000)
  await turn()
  assert.equal(fired(), 2499)
  assert.equal(wheel.count, 0)
  const late = new Entry()
  wheel.schedule(late, clock.nowMs + 20)
  clock.advance(100)
  assert.equal(late.firedAtMs.length, 1)
})

test("entries that take their time are fired over several turns", async () => {
  const clock = new WorkingClock()
  const wheel = new TimerWheel(clock)
  const entries = Array.from({ length: 20 }, () => new Entry())
  for (const entry of entries) {
    entry.again = () => clock.workedMs++
    wheel.schedule(entry, clock.nowMs + 20)
  }
  const fired = (): number => entries.filter((entry) => entry.firedAtMs.length > 0).length
  clock.advance(100)
  assert.ok(fired() > 0 && fired() < 10, `fired ${String(fired())}`)
  for (let turns = 0; turns < 20; turns++) await turn()
  assert.equal(fired(), 20)
})

test("after the wall clock was set back, new deadlines follow the new time", () => {
  const clock = new ManualClock()
  const wheel = new TimerWheel(clock)
  const old = new Entry()
  const young = new Entry()
  wheel.schedule(old, clock.nowMs + 10_000)
  clock.advance(5000)
  clock.nowMs -= 3600 * SECOND
  wheel.schedule(young, clock.nowMs + 1000)
  clock.advance(1017)
  assert.equal(young.firedAtMs.length, 1)
  clock.advance(3600 * SECOND + 5000)
  assert.equal(old.firedAtMs.length, 1)
})

test("after the wall clock was set forward, deadlines are noticed within a minute", () => {
  const clock = new ManualClock()
  const wheel = new TimerWheel(clock)
  const entry = new Entry()
  wheel.schedule(entry, clock.nowMs + 1800 * SECOND)
  let offsetMs = 0
  clock.refresh = () => {
    clock.nowMs += offsetMs
    offsetMs = 0
  }
  offsetMs = 3600 * SECOND
  clock.advance(61 * SECOND)
  assert.equal(entry.firedAtMs.length, 1)
})

test("nothing fires after close", async () => {
  const clock = new ManualClock()
  const wheel = new TimerWheel(clock)
  const entries = Array.from({ length: 1500 }, () => new Entry())
  for (const entry of entries) wheel.schedule(entry, clock.nowMs + 20)
  clock.advance(100)
  wheel.close()
  await turn()
  assert.equal(entries.filter((entry) => entry.firedAtMs.length > 0).length, 1000)
  wheel.schedule(entries[0]!, clock.nowMs + 20)
  clock.advance(100)
  assert.equal(entries[0]!.firedAtMs.length, 1)
  assert.equal(wheel.count, 0)
})

test("an entry that throws does not keep the others from firing", () => {
  const clock = new ManualClock()
  const wheel = new TimerWheel(clock)
  const bad = new Entry()
  const good = new Entry()
  bad.again = () => {
    throw new Error("bug")
  }
  wheel.schedule(bad, clock.nowMs + 20)
  wheel.schedule(good, clock.nowMs + 200)
  assert.throws(() => clock.advance(100), /bug/)
  clock.advance(200)
  assert.equal(good.firedAtMs.length, 1)
})

test("against a simple model: thousands of random deadlines, moved and cancelled", async () => {
  const random = createRandom(chooseSeed("timer wheel"))
  const clock = new ManualClock()
  const wheel = new TimerWheel(clock)
  const entries = Array.from({ length: 300 }, () => new Entry())
  const wanted = new Map<Entry, number>()
  const ranges = [50, 2000, 80_000, 6_000_000, 10 * DAY]
  for (let step = 0; step < 3000; step++) {
    const entry = entries[random.below(entries.length)]!
    if (random.below(4) === 0) {
      wheel.cancel(entry)
      wanted.delete(entry)
    } else {
      const dueMs = clock.nowMs + random.below(ranges[random.below(ranges.length)]!)
      wheel.schedule(entry, dueMs)
      wanted.set(entry, dueMs)
    }
    const before = clock.nowMs
    clock.advance(random.below(ranges[random.below(4)]! / 40 + 1))
    await turn()
    for (const [other, dueMs] of wanted) {
      const last = other.firedAtMs.at(-1) ?? 0
      if (last >= before && !other.isScheduled) {
        assert.ok(last >= dueMs, `${String(dueMs - last)} ms too early`)
        assert.ok(last <= Math.max(dueMs, before) + 32, `${String(last - dueMs)} ms late`)
        wanted.delete(other)
      } else assert.ok(dueMs + 32 > clock.nowMs, "it should have fired")
    }
    assert.equal(wheel.count, wanted.size)
  }
})
