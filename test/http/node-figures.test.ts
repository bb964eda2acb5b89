import assert from "node:assert/strict"
import { test } from "node:test"
import { RecentPercentile } from "../../src/http/metrics/node-figures.ts"
import { Histogram } from "../../src/util/histogram.ts"
import { httpTest } from "./support.ts"

test("a percentile is of the last minute, not of all time", () => {
  const histogram = new Histogram([1, 10, 100])
  const recent = new RecentPercentile()
  assert.equal(recent.read(0, histogram, 0.99), 0)
  histogram.note(50, 1000)
  assert.ok(recent.read(5000, histogram, 0.99) > 90)
  histogram.note(0.5, 1000)
  // Both halves are in the window.
  assert.ok(recent.read(10_000, histogram, 0.99) > 90)
  // A minute after the slow ones only the quick ones are left.
  assert.ok(recent.read(66_000, histogram, 0.99) <= 1)
  assert.equal(recent.read(200_000, histogram, 0.99), recent.read(200_000, histogram, 0.99))
  histogram.note(5000, 1)
  // Beyond the last bound nothing is known but that.
  assert.equal(recent.read(201_000, histogram, 1), 100)
})

test("within a bucket the percentile is interpolated", () => {
  const histogram = new Histogram([10, 20])
  const recent = new RecentPercentile()
  recent.read(0, histogram, 0.5)
  histogram.note(15, 100)
  assert.equal(recent.read(1, histogram, 0.5), 15)
  assert.equal(recent.read(2, histogram, 0.99), 19.9)
})

httpTest("a node tells its delays, files and certificates", async (http) => {
  const { body } = await http.expect(200, "GET /api/nodes")
  const [node]: readonly Record<string, number>[] = JSON.parse(JSON.stringify(body))
  for (const name of ["event_loop_delay_p99", "confirm_latency_p99", "io_write_bytes"])
    assert.ok((node?.[name] ?? -1) >= 0, name)
  assert.ok((node?.["fd_used"] ?? 0) > 0)
  assert.deepEqual(node?.["certificates"], [])
})
