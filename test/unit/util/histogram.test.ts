import assert from "node:assert/strict"
import { test } from "node:test"
import { Histogram } from "../../../src/util/histogram.ts"

test("a value belongs to the first bucket whose bound is not below it", () => {
  const histogram = new Histogram([1, 10, 100])
  for (const value of [0, 1, 1.5, 10, 11, 100, 101, Number.POSITIVE_INFINITY])
    histogram.note(value, 1)
  assert.deepEqual(histogram.counts, [2, 2, 2, 2])
  assert.deepEqual(histogram.bounds, [1, 10, 100])
})

test("runs are counted with their number, and the sum with both", () => {
  const histogram = new Histogram([10])
  histogram.note(5, 1000)
  histogram.note(20, 3)
  histogram.note(7, 0)
  assert.deepEqual(histogram.counts, [1000, 3])
  assert.equal(histogram.sum, 5060)
})
