import assert from "node:assert/strict"
import { test } from "node:test"
import * as fc from "fast-check"
import {
  decodeProperties,
  encodeProperties,
  type BasicProperties,
} from "../../../src/amqp/properties.ts"
import { ProtocolError } from "../../../src/amqp/errors.ts"
import {
  PropertyScan,
  propertyScanError,
  SCAN_BAD_FLAGS,
  SCAN_BAD_HEADERS,
  SCAN_BAD_LENGTH,
  SCAN_OK,
} from "../../../src/amqp/property-scan.ts"
import { PROPERTIES } from "../../../src/amqp/spec.ts"
import { decodeTableEntries } from "../../../src/amqp/table-codec.ts"
import { tableFromPlain } from "../../../src/amqp/table.ts"
import { Chunk } from "../../../src/util/bytes.ts"
import { properties, RUNS } from "./arbitraries.ts"

const ALL: Required<BasicProperties> = {
  contentType: "text/plain",
  contentEncoding: "gzip",
  headers: tableFromPlain({ a: 1, b: [true, { c: "d" }] }),
  deliveryMode: 2,
  priority: 9,
  correlationId: "c",
  replyTo: "r",
  expiration: "1000",
  messageId: "m",
  timestamp: (1n << 64n) - 1n,
  type: "t",
  userId: "guest",
  appId: "a",
  clusterId: "x".repeat(255),
}

/** Scans the bytes in the middle of a larger chunk, so that wrong bounds show. */
function scanOf(bytes: Buffer): { scan: PropertyScan; reason: number; text: Buffer } {
  const text = Buffer.concat([Buffer.alloc(3, 0xff), bytes, Buffer.alloc(3, 0xff)])
  const scan = new PropertyScan()
  return { scan, reason: scan.scan(new Chunk(text), 3, 3 + bytes.length), text }
}

test("properties have their golden bytes", () => {
  assert.equal(encodeProperties({}).toString("hex"), "0000")
  assert.equal(encodeProperties({ deliveryMode: 2 }).toString("hex"), "100002")
  assert.equal(
    encodeProperties({ contentType: "a", headers: new Map(), timestamp: 1n }).toString("hex"),
    "a0400161000000000000000000000001",
  )
  assert.equal(encodeProperties(ALL).readUInt16BE(0), 0xfffc)
})

test("each property alone and all together round-trip through both readers", () => {
  for (const { name, bit } of PROPERTIES) {
    const one: BasicProperties = { [name]: ALL[name] }
    const bytes = encodeProperties(one)
    assert.equal(bytes.readUInt16BE(0), 1 << bit, name)
    assert.deepEqual(decodeProperties(bytes), one)
    assert.equal(scanOf(bytes).reason, SCAN_OK, name)
  }
  assert.deepEqual(decodeProperties(encodeProperties(ALL)), ALL)
})

test("the scan finds what the decoder decodes", () => {
  fc.assert(
    fc.property(properties, (wanted) => {
      const { scan, reason, text } = scanOf(encodeProperties(wanted))
      assert.equal(reason, SCAN_OK)
      assert.deepEqual(found(scan, text), { ...NOTHING, ...wanted, clusterId: undefined })
    }),
    RUNS,
  )
})

test("a scan leaves no trace in the next one", () => {
  const scan = new PropertyScan()
  for (const next of [{}, { deliveryMode: 1 }, { appId: "a" }] as const) {
    assert.equal(scan.scan(new Chunk(encodeProperties(ALL)), 0, encodeProperties(ALL).length), 0)
    const bytes = encodeProperties(next)
    assert.equal(scan.scan(new Chunk(bytes), 0, bytes.length), SCAN_OK)
    assert.deepEqual(found(scan, bytes), { ...NOTHING, ...next })
  }
})

test("every truncation and extension is refused", () => {
  for (const wanted of [ALL, {}, { deliveryMode: 2 }, { headers: ALL.headers }]) {
    const bytes = encodeProperties(wanted)
    for (let size = 0; size < bytes.length; size++) {
      assert.throws(() => decodeProperties(bytes, 0, size), ProtocolError)
      assert.notEqual(scanOf(bytes.subarray(0, size)).reason, SCAN_OK, `${size} bytes`)
    }
    const longer = Buffer.concat([bytes, Buffer.alloc(1)])
    assert.throws(() => decodeProperties(longer), { code: 501 })
    assert.equal(scanOf(longer).reason, SCAN_BAD_LENGTH)
  }
})

test("the two low flag bits are refused", () => {
  for (const hex of ["0001", "0002", "100102"]) {
    const bytes = Buffer.from(hex, "hex")
    assert.throws(() => decodeProperties(bytes), { code: 502 })
    assert.equal(scanOf(bytes).reason, SCAN_BAD_FLAGS)
  }
  assert.equal(propertyScanError(SCAN_BAD_FLAGS).code, 502)
})

test("a malformed headers table is refused by the scan, deep inside too", () => {
  const broken = [
    "2000 00000003 01 6b 7a", // Unknown tag.
    "2000 00000008 01 6b 46 00000001 05", // Inner table whose key passes its end.
    "2000 00000007 01 6b 41 00000001", // Array longer than the table.
    "2000 00000009 01 6b 41 00000002 49 00", // Item longer than the array.
    "2000 ffffffff", // Length beyond everything.
  ]
  for (const hex of broken)
    assert.equal(scanOf(Buffer.from(hex.replaceAll(" ", ""), "hex")).reason, SCAN_BAD_HEADERS, hex)
})

test("scan and decoder agree on random bytes, except for text that is no UTF-8", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 0xffff }),
      fc.uint8Array({ maxLength: 40 }).map((array) => array.map((octet) => octet & 0x7f)),
      (flags, tail) => {
        const bytes = Buffer.concat([Buffer.alloc(2), tail])
        bytes.writeUInt16BE(flags)
        const { reason } = scanOf(bytes)
        try {
          decodeProperties(bytes)
          assert.equal(reason, SCAN_OK)
        } catch (error) {
          assert.ok(error instanceof ProtocolError, String(error))
          assert.notEqual(reason, SCAN_OK, error.message)
        }
      },
    ),
    { ...RUNS, numRuns: 3_000 },
  )
})

const NOTHING = Object.fromEntries(PROPERTIES.map(({ name }) => [name, undefined]))

/** What the scan located, decoded: comparable with the properties that were encoded. */
function found(scan: PropertyScan, bytes: Buffer): Record<string, unknown> {
  const text = (start: number, end: number): string | undefined =>
    start < 0 ? undefined : bytes.toString("utf8", start, end)
  const values: Record<string, unknown> = {
    contentType: text(scan.contentTypeStart, scan.contentTypeEnd),
    contentEncoding: text(scan.contentEncodingStart, scan.contentEncodingEnd),
    correlationId: text(scan.correlationIdStart, scan.correlationIdEnd),
    replyTo: text(scan.replyToStart, scan.replyToEnd),
    expiration: text(scan.expirationStart, scan.expirationEnd),
    messageId: text(scan.messageIdStart, scan.messageIdEnd),
    type: text(scan.typeStart, scan.typeEnd),
    userId: text(scan.userIdStart, scan.userIdEnd),
    appId: text(scan.appIdStart, scan.appIdEnd),
    timestamp: scan.timestampStart < 0 ? undefined : bytes.readBigUInt64BE(scan.timestampStart),
    headers:
      scan.headersStart < 0
        ? undefined
        : decodeTableEntries(bytes, scan.headersStart, scan.headersEnd),
    deliveryMode: (scan.flags & 0x1000) === 0 ? undefined : scan.deliveryMode,
    priority: (scan.flags & 0x0800) === 0 ? undefined : scan.priority,
    clusterId: undefined,
  }
  return values
}
