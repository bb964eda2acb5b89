/** What a chart draws: its window, sums of what is stacked, values that stand alone, and where marks may stand. */
import assert from "node:assert/strict"
import { test } from "node:test"
import {
  loneIndexes,
  stacked,
  TIME_STEPS,
  timeWindow,
  valueRange,
  valueSteps,
} from "../../src/ui/lib/chart-values.ts"

test("the window is ten minutes, or longer if there is more", () => {
  assert.deepEqual(timeWindow(1000, 1000), [400, 1000])
  assert.deepEqual(timeWindow(1000, 1300), [700, 1300])
  assert.deepEqual(timeWindow(1000, 5000), [1000, 5000])
})

test("without a sample there is a window, too", () => {
  assert.deepEqual(timeWindow(null, null), [0, 600])
})

test("values begin at zero, or below it if some are, with air above the highest", () => {
  assert.deepEqual(valueRange(3, 100), [0, 108])
  assert.deepEqual(valueRange(-5, 100), [-5, 108])
  assert.deepEqual(valueRange(0, 0), [0, 1])
})

test("stacked lines stand on each other; a gap leaves the others where they are", () => {
  assert.deepEqual(
    stacked([
      [1, 2, null, 4],
      [10, null, 30, 40],
      [100, 200, 300, null],
    ]),
    [
      [1, 2, null, 4],
      [11, null, 30, 44],
      [111, 202, 330, null],
    ],
  )
  assert.deepEqual(stacked([]), [])
})

test("values between gaps are found, at the ends as well", () => {
  assert.deepEqual(loneIndexes([1, null, 3, 4, null, 6]), [0, 5])
  assert.deepEqual(loneIndexes([7]), [0])
  assert.equal(loneIndexes([1, 2, 3]), null)
  assert.equal(loneIndexes([null, null]), null)
})

test("marks stand at powers of two, at whole numbers, or at tenths, in rising order", () => {
  assert.deepEqual(valueSteps("bytes").slice(0, 4), [1, 2, 4, 8])
  assert.deepEqual(valueSteps("count").slice(0, 4), [1, 2, 5, 10])
  assert.deepEqual(valueSteps("other").slice(0, 5), [0.1, 0.2, 0.5, 1, 2])
  for (const steps of [TIME_STEPS, valueSteps("bytes"), valueSteps("count"), valueSteps("other")])
    assert.deepEqual(
      steps,
      steps.toSorted((a, b) => a - b),
    )
  assert.ok((valueSteps("count").at(-1) ?? 0) > Number.MAX_SAFE_INTEGER / 10)
})

test("marks of time are whole minutes, up to days", () => {
  for (const step of TIME_STEPS) assert.equal(step % 60, 0)
  assert.equal(TIME_STEPS.at(-1), 86_400)
})
