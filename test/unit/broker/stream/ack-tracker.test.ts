import assert from "node:assert/strict"
import { test } from "node:test"
import { AckTracker, KEY_RANGE } from "../../../../src/broker/stream/ack-tracker.ts"
import { chooseSeed, createRandom } from "../../../support/seed.ts"

test("a consumer goes on with the lowest offset that it has not acknowledged", () => {
  const random = createRandom(chooseSeed("ack tracker"))
  for (let round = 0; round < 100; round++) {
    const tracker = new AckTracker("t", 1, 5)
    const open: { offset: number; key: number }[] = []
    let next = 5
    let key = KEY_RANGE - 200
    for (let step = 0; step < 300; step++) {
      if (random.chance(0.5)) {
        const offset = next + random.below(3) // A filter holds some back.
        const size = 20 + random.below(5)
        const count = 1 + random.below(3)
        tracker.deliver(offset, key, size, count)
        for (let i = 0; i < count; i++) open.push({ offset: offset + i, key: key + i * size })
        next = offset + count
        key += count * size
      } else if (open.length > 0) {
        const [settled] = open.splice(random.below(open.length), 1)
        const before = tracker.resumeOffset
        const hasCome = tracker.settle(settled!.key % KEY_RANGE, 1)
        assert.equal(hasCome, tracker.resumeOffset > before || open.length === 0)
      }
      const lowest = open.length === 0 ? next : Math.min(...open.map(({ offset }) => offset))
      assert.equal(tracker.resumeOffset, lowest)
    }
  }
})

test("a run of neighbours is settled at once", () => {
  const start = KEY_RANGE - 100
  const tracker = new AckTracker("t", 1, 7)
  for (let i = 0; i < 40; i++) tracker.deliver(7 + i, start + i * 10, 10, 1)
  const low = (index: number): number => (start + index * 10) % KEY_RANGE
  assert.equal(tracker.settle(low(20), 5), false)
  assert.equal(tracker.settle(low(0), 20), true)
  assert.equal(tracker.resumeOffset, 7 + 25)
  assert.equal(tracker.settle(low(3), 1), false) // It is settled.
  assert.equal(tracker.settle(low(25), 15), true)
  assert.equal(tracker.isEmpty, true)
  assert.equal(tracker.resumeOffset, 47)
})
