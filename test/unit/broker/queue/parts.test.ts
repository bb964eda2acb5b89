/** The parts of a queue's features that need no queue: limits, expiry, leases, examination by and by. */
import assert from "node:assert/strict"
import { test } from "node:test"
import { encodeProperties } from "../../../../src/amqp/properties.ts"
import { BurialBudget } from "../../../../src/broker/queue/burial-budget.ts"
import { expirationOf, HeadTimer, priorityOf } from "../../../../src/broker/queue/expiry.ts"
import { QueueLease } from "../../../../src/broker/queue/lease.ts"
import { LengthLimit } from "../../../../src/broker/queue/limits.ts"
import { UnburiedMessages } from "../../../../src/broker/queue/unburied.ts"
import { UnexaminedQueues } from "../../../../src/broker/queue/unexamined-queues.ts"
import { PLAIN_QUEUE } from "../../../../src/broker/settings.ts"
import { Chunk } from "../../../../src/util/bytes.ts"
import { ManualClock } from "../../../../src/util/clock.ts"
import { TimerWheel } from "../../../../src/util/timer-wheel.ts"

test("a length limit counts messages, bytes, or both", () => {
  assert.equal(LengthLimit.of(PLAIN_QUEUE), null)
  const count = LengthLimit.of({ ...PLAIN_QUEUE, maxLength: 2 })!
  assert.equal(count.isExceeded(2, 1e12), false)
  assert.equal(count.isExceeded(3, 0), true)
  const bytes = new LengthLimit(null, 10, "reject-publish")
  assert.equal(bytes.isExceeded(1e9, 10), false)
  assert.equal(bytes.isExceeded(1, 11), true)
  assert.equal(bytes.dropsHead, false)
  const none = new LengthLimit(0, 0, "drop-head")
  assert.equal(none.isExceeded(0, 0), false)
  assert.equal(none.isExceeded(1, 0), true)
  assert.equal(none.dropsHead, true)
})

const of = (properties: Parameters<typeof encodeProperties>[0]): [Chunk, number, number] => {
  const bytes = Buffer.concat([Buffer.alloc(5, 9), encodeProperties(properties), Buffer.alloc(5)])
  return [new Chunk(bytes), 5, bytes.length - 5]
}

test("expiration and priority are found in the properties as they lie", () => {
  assert.equal(expirationOf(...of({ contentType: "a", expiration: "1500" })), 1500)
  assert.equal(expirationOf(...of({ expiration: "0", messageId: "5" })), 0)
  assert.equal(expirationOf(...of({ messageId: "5" })), Infinity)
  assert.equal(expirationOf(...of({ expiration: "soon" })), Infinity)
  assert.equal(priorityOf(...of({ priority: 7, expiration: "1" })), 7)
  assert.equal(priorityOf(...of({ deliveryMode: 2 })), 0)
})

test("a timer wakes once, at the time that was set last", () => {
  const clock = new ManualClock(0)
  let wakeCount = 0
  const timer = new HeadTimer(new TimerWheel(clock), () => wakeCount++)
  timer.set(160)
  timer.set(320)
  timer.set(320)
  clock.advance(200)
  assert.equal(wakeCount, 0)
  clock.advance(120)
  assert.equal(wakeCount, 1)
  timer.set(640)
  timer.set(Infinity)
  clock.advance(1000)
  assert.equal(wakeCount, 1)
})

test("a lease that is renewed ends later, one that is suspended does not", () => {
  const clock = new ManualClock(0)
  let endCount = 0
  const lease = new QueueLease(160, new TimerWheel(clock), () => endCount++)
  lease.renew(clock.nowMs)
  clock.advance(144)
  lease.renew(clock.nowMs)
  clock.advance(144)
  assert.equal(endCount, 0)
  lease.suspend()
  clock.advance(1000)
  assert.equal(endCount, 0)
  lease.renew(clock.nowMs)
  clock.advance(160 + 16)
  assert.equal(endCount, 1)
})

test("a few queues are examined at once, many by and by, and each one time", () => {
  const clock = new ManualClock(0)
  const unexamined = new UnexaminedQueues(new TimerWheel(clock))
  const counts = new Map<object, number>()
  const queues = Array.from({ length: 1000 }, () => {
    const queue = { examine: (): void => void counts.set(queue, (counts.get(queue) ?? 0) + 1) }
    return queue
  })
  for (const queue of queues) unexamined.addFirst(queue)
  assert.ok(counts.size > 0 && counts.size < 100)
  for (const queue of queues.slice(-10)) unexamined.add(queue) // They wait already.
  const first = counts.size
  clock.advance(16)
  assert.ok(counts.size > first && counts.size < 300)
  clock.advance(1000)
  assert.equal(counts.size, 1000)
  assert.ok([...counts.values()].every((count) => count === 1))
  unexamined.addFirst(queues[0]!)
  assert.equal(counts.get(queues[0]!), 2)
})

test("queues share what may be buried in a turn", () => {
  const turns = { runCount: 1 }
  const budget = new BurialBudget(turns)
  const first = budget.grant(false)
  let total = 0
  let count = 0
  for (let granted = first; granted > 0; granted = budget.grant(false), count++) {
    budget.use(granted, false)
    total += granted
  }
  assert.ok(
    first < total && total < 5000,
    "one gets no more than a part, all together not too much",
  )
  assert.ok(count > 2)
  assert.equal(budget.grant(true), 0)
  turns.runCount++
  assert.equal(budget.grant(false), first, "the next turn has its own")
  assert.ok(budget.grant(true) < first, "to move is more than to drop")
  let looks = 0
  for (; budget.grant(false) > 0; looks++) budget.use(0, false)
  assert.ok(looks > 10 && looks < 100, "looking is not free")
  turns.runCount++
  let moves = 0
  for (; budget.grant(true) > 0; moves++) budget.useForMove()
  assert.ok(moves > 500 && moves < 2000)
})

test("unburied messages come out as they went in, however the block grows", () => {
  const unburied = new UnburiedMessages()
  let added = 0
  let taken = 0
  for (const [adding, taking] of [
    [100, 30],
    [1000, 900],
    [3, 173],
    [70, 70],
  ] as const) {
    for (let i = 0; i < adding; i++, added++)
      unburied.add(added, 2, 3, 4, added % 2 === 0 ? "rejected" : "delivery_limit")
    for (let i = 0; i < taking; i++, taken++) {
      assert.equal(unburied.next(), true)
      const { segment, position, size, bodySize, reason } = unburied
      assert.deepEqual([segment, position, size, bodySize], [taken, 2, 3, 4])
      assert.equal(reason, taken % 2 === 0 ? "rejected" : "delivery_limit")
    }
    assert.equal(unburied.count, added - taken)
  }
  assert.equal(unburied.next(), false)
})
