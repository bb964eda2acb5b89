import assert from "node:assert/strict"
import { test } from "node:test"
import { Poller } from "../../src/ui/lib/poller.ts"
import type { PollState } from "../../src/ui/lib/poller.ts"
import { ManualClock } from "../../src/util/clock.ts"

/** A poller whose answers the test gives by hand. */
class Bench {
  readonly clock = new ManualClock()
  intervalMs = 5000
  isTemporary = true
  readonly asked: {
    resolve(value: number): void
    reject(error: Error): void
    signal: AbortSignal
  }[] = []
  state: PollState<number> | null = null
  readonly poller = new Poller<number>({
    clock: this.clock,
    intervalMs: () => this.intervalMs,
    isTemporary: () => this.isTemporary,
    load: (signal) =>
      new Promise((resolve, reject) => this.asked.push({ resolve, reject, signal })),
    onChange: (state) => {
      this.state = state
    },
  })

  async answer(value: number): Promise<void> {
    this.asked.at(-1)?.resolve(value)
    await settled()
  }

  async fail(): Promise<void> {
    this.asked.at(-1)?.reject(new Error("no answer"))
    await settled()
  }
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

test("asks again after the interval, never twice at a time", async () => {
  const bench = new Bench()
  bench.poller.start()
  bench.clock.advance(60_000)
  assert.equal(bench.asked.length, 1)
  await bench.answer(1)
  assert.equal(bench.state?.data, 1)
  bench.clock.advance(4999)
  assert.equal(bench.asked.length, 1)
  bench.clock.advance(1)
  assert.equal(bench.asked.length, 2)
})

test("after failures it waits longer, keeps what it had, and recovers", async () => {
  const bench = new Bench()
  bench.intervalMs = 1000
  bench.poller.start()
  await bench.answer(7)
  bench.clock.advance(1000)
  const waits: number[] = []
  for (let round = 0; round < 8; round++) {
    await bench.fail()
    assert.equal(bench.state?.data, 7)
    const before = bench.asked.length
    let waited = 0
    while (bench.asked.length === before && waited < 60_000) {
      bench.clock.advance(500)
      waited += 500
    }
    waits.push(waited)
  }
  assert.deepEqual(waits, [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000])
  await bench.answer(8)
  assert.equal(bench.state?.data, 8)
  assert.equal(bench.state?.error, null)
  const before = bench.asked.length
  bench.clock.advance(1000)
  assert.equal(bench.asked.length, before + 1)
})

test("rests while the tab is hidden and asks at once when it is seen again", async () => {
  const bench = new Bench()
  bench.poller.start()
  await bench.answer(1)
  bench.poller.pause(true)
  bench.clock.advance(600_000)
  assert.equal(bench.asked.length, 1)
  bench.poller.pause(false)
  assert.equal(bench.asked.length, 2)
  await bench.answer(2)
  bench.clock.advance(5000)
  assert.equal(bench.asked.length, 3)
})

test("hidden during an answer: it still counts, and nothing follows", async () => {
  const bench = new Bench()
  bench.poller.start()
  bench.poller.pause(true)
  await bench.answer(3)
  assert.equal(bench.state?.data, 3)
  bench.clock.advance(60_000)
  assert.equal(bench.asked.length, 1)
})

test("stop gives up what is under way, and its answer changes nothing", async () => {
  const bench = new Bench()
  bench.poller.start()
  bench.poller.stop()
  assert.equal(bench.asked[0]?.signal.aborted, true)
  await bench.answer(9)
  assert.equal(bench.state, null)
  bench.clock.advance(60_000)
  assert.equal(bench.asked.length, 1)
})

test("stopped and started again before the old answer: the new one counts", async () => {
  const bench = new Bench()
  bench.poller.start()
  bench.poller.stop()
  bench.poller.start()
  assert.equal(bench.asked.length, 2)
  await bench.answer(2)
  bench.asked[0]?.resolve(1)
  await settled()
  assert.equal(bench.state?.data, 2)
})

test("a refresh during an answer asks once more after it", async () => {
  const bench = new Bench()
  bench.poller.start()
  bench.poller.refresh()
  bench.poller.refresh()
  assert.equal(bench.asked.length, 1)
  await bench.answer(1)
  assert.equal(bench.asked.length, 2)
  await bench.answer(2)
  assert.equal(bench.asked.length, 2)
})

test("switched off it asks once, and seeks a first answer all the same", async () => {
  const bench = new Bench()
  bench.intervalMs = 0
  bench.poller.start()
  await bench.fail()
  bench.clock.advance(1000)
  assert.equal(bench.asked.length, 2)
  await bench.answer(1)
  bench.clock.advance(600_000)
  assert.equal(bench.asked.length, 2)
  bench.intervalMs = 1000
  bench.poller.reschedule()
  bench.clock.advance(1000)
  assert.equal(bench.asked.length, 3)
})

test("what waiting does not mend is not asked again", async () => {
  const bench = new Bench()
  bench.isTemporary = false
  bench.poller.start()
  await bench.fail()
  bench.clock.advance(600_000)
  assert.equal(bench.asked.length, 1)
  bench.poller.refresh()
  assert.equal(bench.asked.length, 2)
})
