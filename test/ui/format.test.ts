import assert from "node:assert/strict"
import { test } from "node:test"
import {
  formatAge,
  formatBytes,
  formatByteRate,
  formatCount,
  formatDelay,
  formatDuration,
  formatNumber,
  formatPercent,
  formatRate,
  formatShort,
} from "../../src/ui/lib/format.ts"

test("numbers are grouped, and short from ten thousand on", () => {
  assert.equal(formatNumber(1_234_567), "1,234,567")
  assert.equal(formatShort(9999), "9,999")
  assert.equal(formatShort(12_345), "12.3K")
  assert.equal(formatShort(2_500_000), "2.5M")
})

test("what is not known is a dash, not a number", () => {
  for (const value of [null, undefined, Number.NaN, Infinity]) {
    assert.equal(formatNumber(value), "–")
    assert.equal(formatRate(value), "–")
    assert.equal(formatBytes(value), "–")
    assert.equal(formatByteRate(value), "–")
    assert.equal(formatDuration(value), "–")
    assert.equal(formatAge(value, 0), "–")
  }
})

test("rates keep a digit behind the point where it matters", () => {
  assert.equal(formatRate(0), "0/s")
  assert.equal(formatRate(0.42), "0.4/s")
  assert.equal(formatRate(12.6), "13/s")
  assert.equal(formatRate(250_000), "250K/s")
})

test("bytes in binary units", () => {
  assert.equal(formatBytes(0), "0 B")
  assert.equal(formatBytes(1023), "1,023 B")
  assert.equal(formatBytes(1536), "1.5 KiB")
  assert.equal(formatBytes(5 * 2 ** 30), "5 GiB")
  assert.equal(formatByteRate(2048), "2 KiB/s")
})

test("durations have their two largest units", () => {
  assert.equal(formatDuration(12), "12 ms")
  assert.equal(formatDuration(5000), "5 s")
  assert.equal(formatDuration(185_000), "3 min 5 s")
  assert.equal(formatDuration(3_600_000), "1 h")
  assert.equal(formatDuration(2 * 86_400_000 + 4 * 3_600_000 + 59_000), "2 d 4 h")
})

test("ages before and after now", () => {
  const nowMs = 1_700_000_000_000
  assert.equal(formatAge(nowMs - 200, nowMs), "now")
  assert.equal(formatAge(nowMs - 185_000, nowMs), "3 min ago")
  assert.equal(formatAge(nowMs + 7_200_000, nowMs), "in 2 h")
})

test("counts with their noun", () => {
  assert.equal(formatCount(1, ["queue", "queues"]), "1 queue")
  assert.equal(formatCount(1200, ["queue", "queues"]), "1,200 queues")
  assert.equal(formatPercent(0.345), "34.5 %")
})

test("delays have one digit where they are short, and are seconds where they are long", () => {
  assert.deepEqual([0, 0.42, 9.96, 85.5, 999.4, 1157].map(formatDelay), [
    "0 ms",
    "0.4 ms",
    "10 ms",
    "86 ms",
    "999 ms",
    "1.2 s",
  ])
  assert.equal(formatDelay(null), "–")
})
