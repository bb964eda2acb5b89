/** Since when a delivery is held, from few samples: right to about a quarter, with memory that does not grow. */
import assert from "node:assert/strict"
import { test } from "node:test"
import { DeliveryTimes } from "../../../src/session/delivery-times.ts"

test("a delivery is held since the first look after it", () => {
  const times = new DeliveryTimes()
  times.tick(1000, 3)
  times.tick(1500, 3)
  times.tick(2000, 8)
  assert.deepEqual(
    [1, 3, 4, 8, 9].map((tag) => times.heldSinceMs(tag)),
    [1000, 1000, 2000, 2000, null],
  )
  times.clear()
  assert.equal(times.heldSinceMs(1), null)
})

test("after a day of deliveries there are few samples, and ages are right to about a quarter", () => {
  const times = new DeliveryTimes()
  const endMs = 86_400_000
  for (let nowMs = 500; nowMs <= endMs; nowMs += 500) times.tick(nowMs, nowMs)
  assert.ok(times.sampleCount <= 64)
  for (const ageMs of [2000, 10_000, 60_000, 600_000, 3_600_000, 36_000_000]) {
    const sinceMs = times.heldSinceMs(endMs - ageMs)
    assert.ok(sinceMs !== null)
    const shownMs = endMs - sinceMs
    assert.ok(shownMs <= ageMs, "never older than it is")
    assert.ok(shownMs >= ageMs * 0.75 - 1000, `${String(ageMs)} is shown as ${String(shownMs)}`)
  }
})
