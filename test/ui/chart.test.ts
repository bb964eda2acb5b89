/** Where a chart puts things: marks of the axes at round values, broken lines, and areas that stand on each other. */
import assert from "node:assert/strict"
import { test } from "node:test"
import {
  areaPath,
  linePath,
  nearest,
  stack,
  timeTicks,
  timeWindow,
  valueRange,
  valueTicks,
} from "../../src/ui/lib/chart-scale.ts"

test("the window is ten minutes, or longer if there is more", () => {
  assert.deepEqual(timeWindow([1000]), [400, 1000])
  assert.deepEqual(timeWindow([1000, 1300]), [700, 1300])
  assert.deepEqual(timeWindow([1000, 5000]), [1000, 5000])
})

test("marks of time stand at round times, whatever the window is", () => {
  assert.deepEqual(
    timeTicks(1_700_000_050, 1_700_000_650, 6),
    [1_700_000_160, 1_700_000_280, 1_700_000_400, 1_700_000_520, 1_700_000_640],
  )
  for (const seconds of [60, 600, 7200, 86_400, 900_000])
    for (const count of [1, 3, 8]) {
      const ticks = timeTicks(1_700_000_013, 1_700_000_013 + seconds, count)
      assert.ok(ticks.length <= count + 1, `${String(seconds)} s: ${String(ticks.length)} marks`)
    }
})

test("marks of values are 1, 2 or 5 of some power of ten; of bytes powers of two", () => {
  assert.deepEqual(valueTicks(0, 1, 4, false), [0, 0.5, 1])
  assert.deepEqual(valueTicks(0, 108, 4, false), [0, 50, 100])
  assert.deepEqual(valueTicks(0, 7560, 4, false), [0, 2000, 4000, 6000])
  assert.deepEqual(valueTicks(-3, 5, 4, false), [-2, 0, 2, 4])
  assert.deepEqual(valueTicks(0, 5000, 4, true), [0, 2048, 4096])
  assert.deepEqual(valueTicks(0, 1, 4, true), [0, 1])
})

test("the range begins at zero and leaves air above; of nothing it goes to one", () => {
  assert.deepEqual(valueRange([[null, 0], []]), [0, 1])
  assert.deepEqual(
    valueRange([
      [50, 100],
      [-5, null],
    ]),
    [-5, 108],
  )
})

test("a line is broken at a gap, and a value alone is a short dash", () => {
  assert.equal(
    linePath([0, 1, 2, 3, 4], [5, 6, null, null, 7]),
    "M0.0 5.0L1.0 6.0M4.0 7.0m-1.5 0h3",
  )
  assert.equal(linePath([], []), "")
  assert.equal(linePath([1], [null]), "")
})

test("stacked areas stand on those before them, over gaps, too", () => {
  const layers = stack([
    [1, null, 3],
    [10, 20, null],
  ])
  assert.deepEqual(layers, [
    { below: [0, 0, 0], above: [1, null, 3] },
    { below: [1, 0, 3], above: [11, 20, null] },
  ])
  assert.equal(areaPath([0, 1], [2, 3], [8, 9]), "M0.0 2.0L1.0 3.0L1.0 9.0L0.0 8.0Z")
  assert.equal(areaPath([0, 1], [null, null], [0, 0]), "")
})

test("the pointer is at the nearest sample", () => {
  assert.equal(nearest([], 5), null)
  assert.equal(nearest([10, 20, 30], 24), 1)
  assert.equal(nearest([10, 20, 30], 99), 2)
})
