/** What the message browser makes of bytes and headers, its search, and what the forms around it send. */
import assert from "node:assert/strict"
import { test } from "node:test"
import { deflateSync, gzipSync } from "node:zlib"
import { parseArguments } from "../../src/ui/lib/arguments.ts"
import { compressionOf, unpack } from "../../src/ui/pages/messages/compression.ts"
import { curlOf, deathsOf, fileName } from "../../src/ui/pages/messages/deaths.ts"
import { protobufText } from "../../src/ui/pages/messages/protobuf.ts"
import { matches, scan, SCANNED_MAX } from "../../src/ui/pages/messages/search.ts"
import type { BrowsedMessage, Message } from "../../src/ui/pages/messages/types.ts"
import { moveRequest, secondsOf } from "../../src/ui/pages/queue/move-request.ts"
import type { MoveFields } from "../../src/ui/pages/queue/move-request.ts"
import { checkedPayload, exactRows } from "../../src/ui/pages/queue/properties.ts"

const MESSAGE: BrowsedMessage = {
  id: "1-8",
  index: 0,
  state: "ready",
  payload: "Hello Wörld",
  payload_encoding: "string",
  payload_bytes: 12,
  exchange: "shop",
  routing_key: "order.created",
  redelivered: false,
  timestamp_ms: 1_700_000_000_000,
  properties: { content_type: "text/plain", headers: { tenant: "Berlin" } },
}

test("raw fields of protocol buffers: numbers, text, messages inside, bytes", () => {
  const bytes = Uint8Array.from(
    [
      [0x08, 0x96, 0x01],
      [0x12, 0x07, ...Buffer.from("testing")],
      [0x1a, 0x03, 0x08, 0x96, 0x01],
      [0x22, 0x02, 0xff, 0xfe],
      [0x2d, 0x00, 0x00, 0x80, 0x3f],
      [0x31, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f],
    ].flat(),
  )
  assert.equal(
    protobufText(bytes),
    [
      "1: 150",
      '2: "testing"',
      "3 {",
      "  1: 150",
      "}",
      "4: <ff fe>",
      "5: 1065353216  (32 bits, as float 1)",
      "6: 4607182418800017408  (64 bits, as double 1)",
    ].join("\n"),
  )
})

test("what is no protocol buffer is none: wrong lengths, field 0, groups, endless numbers, nothing", () => {
  for (const bytes of [
    [],
    [0x12, 0x09, 0x61],
    [0x00, 0x01],
    [0x0b],
    Array.from({ length: 12 }, () => 0xff),
    [0x08],
    [0x2d, 0x00],
  ])
    assert.equal(protobufText(Uint8Array.from(bytes)), null, JSON.stringify(bytes))
})

test("a deep or long protocol buffer ends at its bounds", () => {
  let nested = Uint8Array.of(0x08, 0x01)
  for (let i = 0; i < 40; i++) nested = Uint8Array.of(0x0a, nested.length, ...nested)
  assert.equal(
    (protobufText(nested) ?? "").split("\n").every((line) => line.length < 400),
    true,
  )
  const many = Uint8Array.from({ length: 6000 }, (_, i) => (i % 2 === 0 ? 0x08 : 0x01))
  assert.equal(protobufText(many), null)
})

test("compressed bodies are known by their bytes and unpacked up to a limit", async () => {
  const text = Buffer.from("to be or not to be ".repeat(1000))
  for (const [format, packed] of [
    ["gzip", gzipSync(text)],
    ["deflate", deflateSync(text)],
  ] as const) {
    const bytes = Uint8Array.from(packed)
    assert.equal(compressionOf(bytes), format)
    const all = await unpack(bytes, format)
    assert.deepEqual([all?.bytes.length, all?.isCut], [text.length, false])
    const cut = await unpack(bytes, format, 100)
    assert.deepEqual([cut?.bytes.length, cut?.isCut], [100, true])
    assert.equal(Buffer.from(cut?.bytes ?? []).toString(), text.toString("utf8", 0, 100))
  }
  assert.equal(compressionOf(Buffer.from("hello")), null)
  assert.equal(compressionOf(Uint8Array.of()), null)
  assert.equal(await unpack(Uint8Array.of(0x1f, 0x8b, 1, 2, 3), "gzip"), null)
})

test("a small body that unpacks to a very large one is cut", async () => {
  const bomb = Uint8Array.from(gzipSync(Buffer.alloc(64 << 20)))
  const found = await unpack(bomb, "gzip")
  assert.deepEqual([found?.bytes.length, found?.isCut], [4 << 20, true])
})

test("x-death is read; other forms are no history", () => {
  const entry = {
    reason: "expired",
    queue: "work",
    exchange: "shop",
    "routing-keys": ["a", "b"],
    count: 3,
    time: 1_700_000_000,
  }
  assert.deepEqual(deathsOf({ headers: { "x-death": [entry, "nonsense", { reason: 1 }] } }), [
    {
      reason: "expired",
      queue: "work",
      exchange: "shop",
      routingKeys: ["a", "b"],
      count: 3,
      timeMs: 1_700_000_000_000,
    },
  ])
  for (const headers of [{}, { "x-death": "rejected" }, { "x-death": null }])
    assert.deepEqual(deathsOf({ headers }), [])
  assert.deepEqual(deathsOf({}), [])
})

test("the command for a shell quotes whatever is in the message", () => {
  const message: Message = { ...MESSAGE, payload: "it's", exchange: "" }
  const text = curlOf(message, "http://localhost:15672/", "/", "o'hara")
  assert.match(text, /^curl -u 'o'\\''hara' -X POST /)
  assert.match(text, /api\/exchanges\/%2F\/amq\.default\/publish/)
  assert.match(text, /it'\\''s/)
})

const typed = (type: string): Message => ({ ...MESSAGE, properties: { content_type: type } })

test("downloads are named by content type", () => {
  assert.equal(fileName(typed("application/json"), "a/b c", true), "a-b-c.json")
  assert.equal(fileName(typed("text/xml"), "x", true), "x.xml")
  assert.equal(fileName(typed(""), "x", true), "x.txt")
  assert.equal(fileName(typed(""), "x", false), "x.bin")
})

test("the search looks where it is told, in any case", () => {
  const has = (text: string, place: Parameters<typeof matches>[2]): boolean =>
    matches(MESSAGE, text, place)
  assert.deepEqual(
    [has("wörld", "body"), has("berlin", "body"), has("berlin", "headers"), has("ORDER", "key")],
    [true, false, true, true],
  )
  assert.deepEqual(
    [has("shop", "all"), has("shop", "key"), has("text/plain", "headers")],
    [true, false, true],
  )
  const packed = { ...MESSAGE, payload: btoa("secret"), payload_encoding: "base64" as const }
  assert.equal(matches(packed, "secret", "body"), true)
})

const load =
  (total: number) =>
  (index: number, count: number): Promise<BrowsedMessage[]> =>
    Promise.resolve(
      Array.from({ length: Math.max(0, Math.min(count, total - index)) }, (_, i) => ({
        ...MESSAGE,
        index: index + i,
        payload: `number ${String(index + i)}`,
      })),
    )

const isStopped = (): boolean => false

test("a search ends at the end, at its bounds, and when it is stopped", async () => {
  const options = { start: 0, text: "number 42", place: "body", onProgress: () => {} } as const
  const all = await scan(load(1200), { ...options, isStopped })
  assert.deepEqual([all.found.length, all.scannedCount, all.isComplete], [11, 1200, true])
  const part = await scan(load(50_000), { ...options, text: "number 99999", isStopped })
  assert.deepEqual(
    [part.scannedCount, part.nextIndex, part.isComplete],
    [SCANNED_MAX, SCANNED_MAX, false],
  )
  const many = await scan(load(50_000), { ...options, text: "number", isStopped })
  assert.deepEqual([many.found.length, many.nextIndex, many.isComplete], [200, 200, false])
  let pages = 0
  const stopped = await scan(load(50_000), {
    ...options,
    text: "nowhere",
    isStopped: () => pages >= 2,
    onProgress: () => pages++,
  })
  assert.equal(stopped.scannedCount, 1000)
})

const FIELDS: MoveFields = {
  kind: "redrive",
  to: "exchange",
  maxRedrives: "3",
  target: "queue",
  vhost: "/",
  queue: "",
  exchange: "",
  routingKey: "",
  count: "",
  rate: "",
  headers: {},
  reason: "",
  fromExchange: "",
  fromKey: "",
  olderThan: "",
  newerThan: "",
  isDryRun: true,
}

test("the forms for moving send what was filled in, and nothing else", () => {
  assert.deepEqual(moveRequest(FIELDS), { to: "exchange", max_redrives: 3, dry_run: true })
  const all = moveRequest({
    ...FIELDS,
    kind: "move",
    target: "exchange",
    exchange: "shop",
    routingKey: "again",
    count: "10",
    rate: "2.5",
    headers: { tenant: "berlin", attempt: 2 },
    reason: "expired",
    olderThan: "15m",
    newerThan: "2h",
    isDryRun: false,
  })
  assert.deepEqual(all, {
    dest_vhost: "/",
    dest_exchange: "shop",
    dest_routing_key: "again",
    count: 10,
    rate: 2.5,
    filter: {
      header: { tenant: "berlin", attempt: "2" },
      reason: "expired",
      older_than: 900,
      newer_than: 7200,
    },
    dry_run: false,
  })
  assert.throws(() => moveRequest({ ...FIELDS, count: "0" }), /from 1 on/)
  assert.throws(() => moveRequest({ ...FIELDS, rate: "fast" }), /must be a number/)
  assert.throws(() => moveRequest({ ...FIELDS, olderThan: "soon" }), /no time/)
})

test("times have units", () => {
  assert.deepEqual(["90", "90s", "1.5m", "2 h", "7d", " "].map(secondsOf), [
    90,
    90,
    90,
    7200,
    604_800,
    null,
  ])
})

test("bodies are checked before they are sent", () => {
  assert.equal(checkedPayload("any thing", "text"), "any thing")
  assert.equal(checkedPayload('{"a":1}', "json"), '{"a":1}')
  assert.throws(() => checkedPayload("{", "json"), /no JSON/)
  assert.equal(checkedPayload(" aGVs\nbG8= ", "base64"), "aGVsbG8=")
  assert.throws(() => checkedPayload("a", "base64"), /multiple of four/)
  assert.throws(() => checkedPayload("a?==", "base64"), /no base64/)
})

test("headers of a message that is published again keep their types", () => {
  const headers = {
    a: "1",
    b: 1,
    c: "text",
    d: true,
    e: [1, "2"],
    f: "true",
    g: "",
    h: null,
    i: '"q"',
  }
  const parsed = parseArguments(exactRows(headers), [])
  assert.deepEqual(parsed, { ok: true, value: headers })
})
