import assert from "node:assert/strict"
import { test } from "node:test"
import { parseOrigins, parseWatermark } from "../../../src/config/parse-values.ts"

test("a watermark is a part of all memory, or a size, or none", () => {
  for (const [text, value] of [
    ["0.6", 0.6],
    [".5", 0.5],
    ["1", 1],
    ["1.0", 1],
    ["0", 0],
    ["off", 0],
    ["2GiB", 2 * 2 ** 30],
    ["16MiB", 16 * 2 ** 20],
    ["500000000", 500_000_000],
  ] as const)
    assert.equal(parseWatermark(text), value, text)
  for (const text of ["", "1.5", "2", "60%", "-1", "0.6x", "1KB", "much", "0.6.1", "NaN"])
    assert.throws(() => parseWatermark(text), RangeError, text)
})

test("origins are as browsers send them", () => {
  assert.deepEqual(parseOrigins("same-host, HTTPS://App.Example.com:443/,http://[::1]:3000"), [
    "same-host",
    "https://app.example.com",
    "http://[::1]:3000",
  ])
  assert.deepEqual(parseOrigins("*"), ["*"])
  for (const text of [
    "",
    "app.example.com",
    "ftp://x",
    "https://x/path",
    "https://",
    "https://*.x y",
  ])
    assert.throws(() => parseOrigins(text), RangeError, text)
})
