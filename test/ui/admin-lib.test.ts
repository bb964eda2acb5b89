import assert from "node:assert/strict"
import { test } from "node:test"
import { previewDefinitions } from "../../src/ui/lib/definitions-preview.ts"
import {
  appendLines,
  fieldsText,
  LINES_MAX,
  matchesLine,
  parseLogLine,
} from "../../src/ui/lib/log-lines.ts"
import type { LogLine } from "../../src/ui/lib/log-lines.ts"
import { furtherKeys, SHOVEL_KEYS } from "../../src/ui/lib/link-arguments.ts"
import {
  maskUri,
  maskValue,
  unmaskUri,
  urisFromText,
  urisToText,
} from "../../src/ui/lib/masked-uri.ts"
import { samplesOf } from "../../src/ui/lib/samples.ts"
import { appliesTo } from "../../src/ui/pages/policies/types.ts"

test("passwords in URIs are masked, and what has none stays as it is", () => {
  assert.equal(maskUri("amqp://app:s3cret@host/v"), "amqp://app:••••@host/v")
  assert.equal(maskUri("https://a:p%40ss@h:1/x?y=z"), "https://a:••••@h:1/x?y=z")
  assert.equal(maskUri("amqps://a:p@ss@host"), "amqps://a:••••@host")
  for (const uri of ["amqp://", "amqp://host", "amqp://app@host", "http://host:80/a:b@c"])
    assert.equal(maskUri(uri), uri)
  assert.deepEqual(maskValue({ uri: ["amqp://a:b@c"], n: 1, x: null }), {
    uri: ["amqp://a:••••@c"],
    n: 1,
    x: null,
  })
})

test("a form that is sent back with the mask keeps the password of the same URI", () => {
  assert.equal(unmaskUri("amqp://app:••••@host", "amqp://app:s3cret@old"), "amqp://app:s3cret@host")
  assert.equal(unmaskUri("amqp://app:new@host", "amqp://app:s3cret@host"), "amqp://app:new@host")
  assert.equal(unmaskUri("amqp://app:••••@host", "amqp://host"), "amqp://app:@host")
  const both = ["amqp://a:one@x", "amqp://a:two@y"]
  assert.equal(urisToText(both), "amqp://a:••••@x\namqp://a:••••@y")
  assert.deepEqual(urisFromText(urisToText(both), both), both)
  // In another order, and without the first.
  assert.deepEqual(urisFromText("amqp://a:••••@y\n amqp://a:••••@x", both), [both[1], both[0]])
  assert.equal(urisFromText("amqp://a:••••@y\n\n", both), "amqp://a:two@y")
  const dollar = "amqp://a:p$1$&@x"
  assert.equal(urisFromText(urisToText(dollar), dollar), dollar)
})

test("a file of definitions is told by its sections", () => {
  const text = JSON.stringify({
    product_name: "LavinMQ",
    product_version: "2.9",
    rabbitmq_definition_format: "single_virtual_host",
    queues: Array.from({ length: 7 }, (_, i) => ({ name: `q${String(i)}` })),
    bindings: [{ source: "", destination: "q0" }],
    permissions: [{ user: "u", vhost: "/" }],
    shards: {},
  })
  const preview = previewDefinitions(`\uFEFF${text}`)
  assert.equal(preview.product, "LavinMQ 2.9")
  assert.equal(preview.isOneVhost, true)
  assert.deepEqual(preview.unknownKeys, ["shards"])
  assert.deepEqual(preview.sections, [
    { name: "permissions", count: 1, examples: ["u on /"] },
    { name: "queues", count: 7, examples: ["q0", "q1", "q2", "q3", "q4"] },
    { name: "bindings", count: 1, examples: ["(default) → q0"] },
  ])
})

test("what is no file of definitions is refused with the reason", () => {
  assert.throws(() => previewDefinitions("{"), /not JSON/)
  assert.throws(() => previewDefinitions("[]"), /one JSON object/)
  assert.throws(() => previewDefinitions("null"), /one JSON object/)
  assert.throws(() => previewDefinitions(`{"name":1}`), /no file of definitions/)
  assert.throws(() => previewDefinitions(`{"queues":{}}`), /"queues" must be an array/)
})

test("log lines are parsed, searched with their fields, and the oldest go", () => {
  const line = parseLogLine(
    `{"time":"2026-01-01T00:00:00Z","level":"warn","source":"http","text":"slow","fields":{"peer":"::1","ms":5}}`,
    3,
  )
  assert.ok(line !== null)
  assert.equal(fieldsText(line.fields), "peer=::1 ms=5")
  assert.equal(matchesLine(line, "info", "PEER"), true)
  assert.equal(matchesLine(line, "error", ""), false)
  assert.equal(matchesLine({ ...line, level: "fatal" }, "error", ""), true)
  assert.equal(matchesLine(line, "debug", "nothing"), false)
  assert.equal(parseLogLine(`["WARN","livelog","3 lines were left out"]`, 1)?.level, "warn")
  for (const text of ["", "{", "7", "null"]) assert.equal(parseLogLine(text, 1), null)
  const many = Array.from({ length: LINES_MAX + 10 }, (_, id): LogLine => ({ ...line, id }))
  assert.equal(appendLines(many.slice(0, 20), many.slice(20))[0]?.id, 10)
  assert.equal(appendLines(many, []), many)
})

test("samples of several fields come together by time, oldest first", () => {
  const source = {
    mem_used_details: {
      samples: [
        { sample: 3, timestamp: 2000 },
        { sample: 1, timestamp: 1000 },
      ],
    },
    disk_free_details: { samples: [{ sample: 9, timestamp: 2000 }, { timestamp: 1 }] },
  }
  assert.deepEqual(samplesOf(source, ["mem_used", "disk_free", "none"]), [
    { timeMs: 1000, values: [1, null, null] },
    { timeMs: 2000, values: [3, 9, null] },
  ])
  assert.deepEqual(samplesOf({}, ["mem_used"]), [])
})

test("a policy applies to what its target says", () => {
  const subjects = ["classic", "quorum", "stream", "exchange"]
  const matched = (applyTo: string): string[] => subjects.filter((one) => appliesTo(applyTo, one))
  assert.deepEqual(matched("all"), subjects)
  assert.deepEqual(matched("queues"), ["classic", "quorum", "stream"])
  assert.deepEqual(matched("classic_queues"), ["classic"])
  assert.deepEqual(matched("quorum_queues"), ["quorum"])
  assert.deepEqual(matched("streams"), ["stream"])
  assert.deepEqual(matched("exchanges"), ["exchange"])
})

test("keys that the form has no field for are kept, also those that nobody knows", () => {
  const value = { "src-uri": "amqp://", "src-predeclared": true, own: 1 }
  assert.deepEqual(furtherKeys(value, SHOVEL_KEYS, ["src-uri"]), {
    "src-predeclared": true,
    own: 1,
  })
})
