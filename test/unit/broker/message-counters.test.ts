/** How long publishers wait for their confirms, counted by runs of messages. */
import assert from "node:assert/strict"
import { test } from "node:test"
import * as fc from "fast-check"
import { ConfirmLatency, MessageCounters } from "../../../src/broker/message-counters.ts"
import {
  CONFIRM_DURABLE,
  CONFIRM_READY,
  CONFIRM_REFUSED,
  ConfirmTracker,
} from "../../../src/session/confirms.ts"
import { ManualClock } from "../../../src/util/clock.ts"
import { FAILURE_EVERYWHERE } from "../../support/commit-scopes.ts"

class Bed {
  readonly clock = new ManualClock()
  readonly latency = new ConfirmLatency(this.clock)
  readonly tracker = new ConfirmTracker({ writeConfirm() {} }, this.latency)

  /** Milliseconds by bound of the bucket. */
  get waits(): Readonly<Record<number, number>> {
    const { bounds, counts } = this.latency.histogramMs
    const found: Record<number, number> = {}
    for (const [index, count] of counts.entries())
      if (count > 0) found[bounds[index] ?? Infinity] = count
    return found
  }
}

test("a transient message is confirmed at the end of its turn", () => {
  const bed = new Bed()
  bed.tracker.add(CONFIRM_READY, 7)
  bed.clock.advance(2)
  bed.tracker.settle(0, 0, false)
  assert.deepEqual(bed.waits, { 2: 7 })
  assert.equal(bed.latency.histogramMs.sum, 14)
})

test("durable messages wait for the round of their turn", () => {
  const bed = new Bed()
  bed.tracker.add(CONFIRM_DURABLE, 100)
  bed.tracker.settle(1, 0, false)
  bed.clock.advance(4)
  bed.tracker.add(CONFIRM_DURABLE, 10)
  bed.tracker.settle(2, 0, false)
  bed.tracker.roundCompleted(1, null)
  assert.deepEqual(bed.waits, { 5: 100 })
  bed.clock.advance(15)
  bed.tracker.roundCompleted(2, null)
  assert.deepEqual(bed.waits, { 5: 100, 20: 10 })
})

test("each message counts once, also those that pass a waiting one, and refused ones do not", () => {
  const bed = new Bed()
  bed.tracker.add(CONFIRM_READY, 1)
  bed.tracker.add(CONFIRM_DURABLE, 2)
  bed.tracker.add(CONFIRM_READY, 3)
  bed.tracker.add(CONFIRM_REFUSED, 4)
  bed.tracker.add(CONFIRM_DURABLE, 5)
  bed.tracker.settle(1, 0, false)
  assert.deepEqual(bed.waits, { 1: 4 })
  bed.clock.advance(50)
  bed.tracker.roundCompleted(1, null)
  assert.deepEqual(bed.waits, { 1: 4, 50: 7 })
  assert.equal(bed.tracker.unconfirmedCount, 0)
})

test("however rounds and states are mixed, what is acknowledged is counted once", () => {
  const step = fc.oneof(
    fc.record({
      state: fc.constantFrom(CONFIRM_READY, CONFIRM_DURABLE, CONFIRM_REFUSED),
      count: fc.integer({ min: 1, max: 5 }),
    }),
    fc.record({ endsTurn: fc.constant(true), isWriteFailed: fc.boolean() }),
    fc.record({ endsRound: fc.constant(true), isFailed: fc.boolean() }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const latency = new ConfirmLatency(new ManualClock())
      let answeredTo = 0
      let acknowledged = 0
      const singles = new Set<number>()
      const writer = {
        writeConfirm(sequence: number, multiple: boolean, isAck: boolean): void {
          const first = multiple ? answeredTo + 1 : sequence
          for (let number = first; number <= sequence; number++) {
            if (singles.has(number)) continue
            singles.add(number)
            if (isAck) acknowledged++
          }
          while (singles.has(answeredTo + 1)) answeredTo++
        },
      }
      const tracker = new ConfirmTracker(writer, latency)
      let round = 0
      let completed = 0
      for (const one of steps) {
        if ("state" in one) tracker.add(one.state, one.count)
        else if ("endsTurn" in one) tracker.settle(++round, completed, one.isWriteFailed)
        else if (completed < round)
          tracker.roundCompleted(++completed, one.isFailed ? FAILURE_EVERYWHERE : null)
      }
      const counted = latency.histogramMs.counts.reduce((sum, count) => sum + count, 0)
      assert.equal(counted, acknowledged)
    }),
    { numRuns: 500 },
  )
})

test("a clock that is set back counts as no wait, one that wraps as its difference", () => {
  const bed = new Bed()
  bed.tracker.add(CONFIRM_DURABLE, 1)
  bed.tracker.settle(1, 0, false)
  bed.clock.nowMs -= 60_000
  bed.tracker.roundCompleted(1, null)
  assert.deepEqual(bed.waits, { 1: 1 })
  bed.clock.nowMs = 0x3fff_ffff
  bed.tracker.add(CONFIRM_DURABLE, 1)
  bed.tracker.settle(2, 1, false)
  bed.clock.nowMs += 7
  bed.tracker.roundCompleted(2, null)
  assert.deepEqual(bed.waits, { 1: 1, 10: 1 })
})

test("sizes have RabbitMQ's buckets", () => {
  const { sizes } = new MessageCounters(new ManualClock())
  assert.deepEqual(sizes.bounds, [100, 1e3, 1e4, 1e5, 1e6, 1e7, 5e7, 1e8])
})
