import assert from "node:assert/strict"
import { test } from "node:test"
import * as fc from "fast-check"
import { AckDeadlines } from "../../../src/session/ack-deadlines.ts"
import { RUNS } from "./support.ts"

const TICK_MS = 500

test("a delivery is overdue between the timeout and the promised slack, whatever the rhythm", () => {
  const gaps = fc.array(fc.integer({ min: 0, max: 40_000 }), { minLength: 1, maxLength: 40 })
  const timeouts = fc.constantFrom(1, 500, 3000, 10_000, 20_000, 60_000, 1_800_000)
  fc.assert(
    fc.property(gaps, timeouts, fc.nat({ max: TICK_MS - 1 }), (deliveries, timeoutMs, phase) => {
      const deadlines = new AckDeadlines(timeoutMs)
      const deliveredAt = [0]
      let now = 0
      for (const gap of deliveries) deliveredAt.push((now += gap))
      const endMs = now + 2 * timeoutMs + 2000
      const slackMs = Math.max(1000, timeoutMs / 10)
      let lastTag = 0
      for (let tickMs = phase; tickMs <= endMs; tickMs += TICK_MS) {
        while (lastTag + 1 < deliveredAt.length && deliveredAt[lastTag + 1]! <= tickMs) lastTag++
        const before = deadlines.overdueTag
        deadlines.tick(tickMs, lastTag)
        for (let tag = before + 1; tag <= deadlines.overdueTag; tag++) {
          const ageMs = tickMs - deliveredAt[tag]!
          assert.ok(ageMs >= timeoutMs, `tag ${tag} after ${ageMs} of ${timeoutMs} ms`)
          assert.ok(ageMs <= timeoutMs + slackMs, `tag ${tag} after ${ageMs} of ${timeoutMs} ms`)
        }
        assert.ok(deadlines.sampleCount <= 30)
      }
      assert.equal(deadlines.overdueTag, deliveredAt.length - 1)
    }),
    { ...RUNS, numRuns: 60 },
  )
})

test("a busy channel keeps a handful of samples", () => {
  const deadlines = new AckDeadlines(1_800_000)
  for (let tick = 0; tick < 10_000; tick++) deadlines.tick(tick * TICK_MS, tick)
  assert.ok(deadlines.sampleCount <= 12, `${deadlines.sampleCount}`)
})

test("without deliveries there are no samples", () => {
  const deadlines = new AckDeadlines(10_000)
  for (let tick = 0; tick < 100; tick++) deadlines.tick(tick * TICK_MS, 0)
  assert.equal(deadlines.sampleCount, 0)
})
