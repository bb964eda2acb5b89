import assert from "node:assert/strict"
import { test } from "node:test"
import { parseArguments, QUEUE_ARGUMENTS, toRows } from "../../src/ui/lib/arguments.ts"
import { History, logTimes } from "../../src/ui/lib/history.ts"
import { bestView, bytesOf, hexDump } from "../../src/ui/lib/message-body.ts"
import { allows } from "../../src/ui/lib/roles.ts"

test("known arguments have their type, others are JSON or text", () => {
  const parsed = parseArguments(
    [
      { name: "x-message-ttl", value: " 60000 " },
      { name: "x-single-active-consumer", value: "true" },
      { name: "x-dead-letter-exchange", value: "5" },
      { name: "x-own", value: '{"a":[1,2]}' },
      { name: "x-word", value: "plain text" },
      { name: "", value: "" },
    ],
    QUEUE_ARGUMENTS,
  )
  assert.deepEqual(parsed, {
    ok: true,
    value: {
      "x-message-ttl": 60_000,
      "x-single-active-consumer": true,
      "x-dead-letter-exchange": "5",
      "x-own": { a: [1, 2] },
      "x-word": "plain text",
    },
  })
})

test("what is wrong is told with its line", () => {
  const wrong = [
    [{ name: "x-message-ttl", value: "soon" }],
    [{ name: "x-single-active-consumer", value: "yes" }],
    [{ name: "", value: "5" }],
    [{ name: "x-dead-letter-exchange", value: " " }],
  ]
  for (const rows of wrong) {
    const parsed = parseArguments(rows, QUEUE_ARGUMENTS)
    assert.ok(!parsed.ok && parsed.index === 0 && parsed.reason !== "")
  }
  const twice = parseArguments(
    [
      { name: "a", value: "1" },
      { name: "a", value: "2" },
    ],
    [],
  )
  assert.ok(!twice.ok && twice.index === 1)
})

test("what is edited comes back the same", () => {
  // oxlint-disable-next-line unicorn/consistent-function-scoping -- Read with the test.
  const value = { "x-max-length": 5, "x-overflow": "drop-head", deep: { a: 1 }, flag: false }
  const parsed = parseArguments(toRows(value), QUEUE_ARGUMENTS)
  assert.deepEqual(parsed, { ok: true, value })
})

test("counters become rates, and a long silence becomes a gap", () => {
  const history = new History("rate")
  history.push(0, [0])
  history.push(1000, [10])
  history.push(1000, [99])
  history.push(2000, [5])
  history.push(100_000, [500])
  history.push(101_000, [520])
  assert.deepEqual(
    history.samples.map(({ values }) => values[0]),
    [10, 0, null, 20],
  )
  for (let second = 102; second < 1000; second++) history.push(second * 1000, [0])
  assert.ok(history.samples.length <= 360)
})

test("the times of a log end with the newest sample", () => {
  assert.deepEqual(logTimes(3, 20_000, 5000), [10, 15, 20])
})

test("bodies are shown as what they are", () => {
  // oxlint-disable-next-line unicorn/consistent-function-scoping -- Read with the test.
  const text = (payload: string): Uint8Array => bytesOf({ payload, payload_encoding: "string" })
  assert.equal(bestView(text('{"a":1}')), "json")
  assert.equal(bestView(text("{no json")), "text")
  assert.equal(bestView(bytesOf({ payload: "//79", payload_encoding: "base64" })), "hex")
  assert.match(hexDump(text("Hello")), /^00000000 {2}48 65 6c 6c 6f +Hello$/)
})

test("tags allow what the broker allows", () => {
  assert.equal(allows(["administrator"], "policymaker"), true)
  assert.equal(allows(["monitoring"], "policymaker"), false)
  assert.equal(allows(["policymaker"], "monitoring"), false)
  assert.equal(allows(["management"], "management"), true)
  assert.equal(allows(["impersonator"], "management"), false)
  assert.equal(allows([], "management"), false)
})
