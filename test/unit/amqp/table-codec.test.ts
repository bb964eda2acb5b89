import assert from "node:assert/strict"
import { test } from "node:test"
import * as fc from "fast-check"
import { ProtocolError } from "../../../src/amqp/errors.ts"
import {
  ByteArray,
  Decimal,
  Timestamp,
  TypedNumber,
  type FieldValue,
  type Table,
} from "../../../src/amqp/table.ts"
import {
  decodeTable,
  decodeTableEntries,
  encodeTable,
  encodeTableEntries,
  TABLE_DEPTH_MAX,
} from "../../../src/amqp/table-codec.ts"
import { RUNS, tables } from "./arbitraries.ts"

/** Tag and value as hex, and what they mean. Written by hand from the wire format. */
const GOLDEN: readonly (readonly [string, FieldValue])[] = [
  ["74 01", true],
  ["74 00", false],
  ["62 80", new TypedNumber("b", -128)],
  ["42 ff", new TypedNumber("B", 255)],
  ["73 8000", new TypedNumber("s", -32768)],
  ["55 ffff", new TypedNumber("U", -1)],
  ["75 ffff", new TypedNumber("u", 65535)],
  ["49 80000000", new TypedNumber("I", -2147483648)],
  ["69 ffffffff", new TypedNumber("i", 4294967295)],
  ["6c 8000000000000000", new TypedNumber("l", -(1n << 63n))],
  ["6c 0020000000000001", new TypedNumber("l", (1n << 53n) + 1n)],
  ["4c 7fffffffffffffff", new TypedNumber("L", (1n << 63n) - 1n)],
  ["66 3fc00000", new TypedNumber("f", 1.5)],
  ["66 7f800000", new TypedNumber("f", Infinity)],
  ["64 bff8000000000000", new TypedNumber("d", -1.5)],
  ["64 8000000000000000", new TypedNumber("d", -0)],
  ["64 7ff8000000000000", new TypedNumber("d", NaN)],
  ["44 02 ffffffff", new Decimal(2, 4294967295)],
  ["53 00000002 c3a9", "é"],
  ["53 00000000", ""],
  ["53 00000001 ff", Buffer.from([0xff])],
  ["78 00000001 41", new ByteArray(Buffer.from("A"))],
  ["41 00000000", []],
  ["41 00000004 74 01 56 56", [true, null, null]],
  ["46 00000000", new Map()],
  ["46 00000004 01 61 74 01", new Map([["a", true]])],
  ["54 0000000000000000", new Timestamp(0n)],
  ["54 ffffffffffffffff", new Timestamp((1n << 64n) - 1n)],
  ["56", null],
]

function bytesOf(hex: string): Buffer {
  return Buffer.from(hex.replaceAll(" ", ""), "hex")
}

/** A table with the one entry "k". */
function tableOf(valueHex: string): Buffer {
  const entry = Buffer.concat([Buffer.from("\x01k"), bytesOf(valueHex)])
  const size = Buffer.alloc(4)
  size.writeUInt32BE(entry.length)
  return Buffer.concat([size, entry])
}

test("every field type has its golden bytes, both ways", () => {
  for (const [hex, value] of GOLDEN) {
    const bytes = tableOf(hex)
    const table: Table = new Map([["k", value]])
    assert.deepEqual(decodeTable(bytes), table, hex)
    assert.deepEqual(encodeTable(table), bytes, hex)
  }
})

test("any non-zero octet is a true boolean, as in RabbitMQ", () => {
  assert.deepEqual(decodeTable(tableOf("74 02")), new Map([["k", true]]))
})

test("encoding and decoding a table gives the same types and values back", () => {
  fc.assert(
    fc.property(tables, (table) => {
      assert.deepEqual(decodeTable(encodeTable(table)), table)
      assert.deepEqual(decodeTableEntries(encodeTableEntries(table)), table)
    }),
    RUNS,
  )
})

test("the last of two equal keys wins", () => {
  assert.deepEqual(decodeTable(bytesOf("00000008 01 61 74 00 01 61 74 01")), new Map([["a", true]]))
})

test("lengths that do not match their content are refused", () => {
  const broken = [
    "00000001", // Longer than the bytes.
    "00000003 01 6b 74 01", // Ends within the value.
    "00000005 01 6b 74 01", // One byte missing.
    "00000008 01 6b 46 00000006 01 6b", // Inner table longer than the outer.
    "0000000b 01 6b 46 00000003 01 6b 74 01", // Inner shorter than its content.
    "00000009 01 6b 41 00000002 49 00 01", // Array item passes the array's end.
    "00000008 01 6b 53 0000ffff 00", // String longer than the table.
    "00000001 05", // Key longer than the table.
    "00000002 01 6b", // No value.
    "00000003 01 6b 7a", // Unknown tag.
    "00000004 01 ff 74 01", // Key that is no UTF-8.
  ]
  for (const hex of broken) assert.throws(() => decodeTable(bytesOf(hex)), ProtocolError, hex)
})

test("every truncation and extension of a table is refused", () => {
  const bytes = encodeTable(new Map(GOLDEN.map(([hex, value]) => [hex, value])))
  for (let size = 0; size < bytes.length; size++)
    assert.throws(() => decodeTable(bytes, 0, size), ProtocolError)
  assert.throws(() => decodeTable(Buffer.concat([bytes, Buffer.alloc(1)])), { code: 501 })
})

test("nesting is bounded, and far deeper nesting does not exhaust the stack", () => {
  assert.doesNotThrow(() => decodeTable(nestedTables(TABLE_DEPTH_MAX)))
  assert.throws(() => decodeTable(nestedTables(TABLE_DEPTH_MAX + 1)), { code: 502 })
  assert.throws(() => decodeTable(nestedTables(20_000)), { code: 502 })
  assert.throws(() => decodeTable(nestedArrays(20_000)), { code: 502 })
})

test("random bytes either decode or are refused, and never crash", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (array) => {
      try {
        decodeTableEntries(Buffer.from(array))
      } catch (error) {
        assert.ok(error instanceof ProtocolError, String(error))
      }
    }),
    { ...RUNS, numRuns: 2_000 },
  )
})

/** `count` tables, each the only value of the one around it. */
function nestedTables(count: number): Buffer {
  const bytes = Buffer.alloc(4 + (count - 1) * 6)
  bytes.writeUInt32BE(bytes.length - 4)
  for (let i = 1; i < count; i++) {
    const at = 4 + (i - 1) * 6
    bytes[at + 1] = 0x46 // After an empty key.
    bytes.writeUInt32BE(bytes.length - at - 6, at + 2)
  }
  return bytes
}

function nestedArrays(count: number): Buffer {
  const bytes = Buffer.alloc(4 + 1 + count * 5)
  bytes.writeUInt32BE(bytes.length - 4)
  for (let i = 0; i < count; i++) {
    const at = 5 + i * 5
    bytes[at] = 0x41
    bytes.writeUInt32BE(bytes.length - at - 5, at + 1)
  }
  return bytes
}
