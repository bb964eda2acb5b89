import assert from "node:assert/strict"
import { test } from "node:test"
import * as fc from "fast-check"
import { ProtocolError } from "../../../src/amqp/errors.ts"
import { AmqpReader } from "../../../src/amqp/reader.ts"
import { tableFromPlain } from "../../../src/amqp/table.ts"
import {
  decodeTable,
  encodeTable,
  readFieldValue,
  TABLE_DEPTH_MAX,
} from "../../../src/amqp/table-codec.ts"
import { findHeader, skipTable } from "../../../src/amqp/table-scan.ts"
import { Chunk } from "../../../src/util/bytes.ts"
import { RUNS, tables } from "./arbitraries.ts"

function skip(bytes: Buffer, end = bytes.length): number {
  return skipTable(new Chunk(bytes).view, 0, end)
}

test("a valid table is skipped to its end, whatever follows", () => {
  fc.assert(
    fc.property(tables, (table) => {
      const bytes = encodeTable(table)
      assert.equal(skip(bytes), bytes.length)
      assert.equal(skip(Buffer.concat([bytes, Buffer.alloc(5, 0xff)])), bytes.length)
      assert.equal(skip(bytes, bytes.length - 1), -1)
    }),
    RUNS,
  )
})

test("a changed byte is judged as the decoder judges it", () => {
  fc.assert(
    fc.property(tables, fc.nat(), fc.integer({ min: 0, max: 127 }), (table, place, octet) => {
      const bytes = encodeTable(table)
      bytes[place % bytes.length] = octet
      const isValid = skip(bytes) === bytes.length
      try {
        decodeTable(bytes)
        assert.ok(isValid)
      } catch (error) {
        assert.ok(error instanceof ProtocolError, String(error))
        // The scan does not look at text: keys that are no UTF-8 pass it.
        assert.ok(!isValid || error.message.includes("UTF-8"), error.message)
      }
    }),
    { ...RUNS, numRuns: 2_000 },
  )
})

test("nesting is bounded exactly as in the decoder", () => {
  for (const [count, isAccepted] of [
    [TABLE_DEPTH_MAX, true],
    [TABLE_DEPTH_MAX + 1, false],
    [20_000, false],
  ] as const) {
    const bytes = Buffer.alloc(4 + (count - 1) * 6)
    bytes.writeUInt32BE(bytes.length - 4)
    for (let at = 4; at < bytes.length; at += 6) {
      bytes[at + 1] = 0x46
      bytes.writeUInt32BE(bytes.length - at - 6, at + 2)
    }
    assert.equal(skip(bytes) >= 0, isAccepted, `${count} levels`)
  }
})

test("findHeader returns the tag of the value, and -1 for an absent name", () => {
  const bytes = encodeTable(tableFromPlain({ first: 1, second: "x", "": true }))
  const chunk = new Chunk(bytes)
  const find = (name: string): number =>
    findHeader(chunk, 4, bytes.length, new Chunk(Buffer.from(name)))
  assert.equal(bytes[find("first")], 0x49)
  assert.equal(bytes[find("second")], 0x53)
  assert.equal(bytes[find("")], 0x74)
  assert.equal(find("firs"), -1)
  assert.equal(find("Second"), -1)
  assert.equal(findHeader(chunk, 4, 4, new Chunk(Buffer.from("first"))), -1)
})

test("findHeader agrees with the decoded table on every name", () => {
  fc.assert(
    fc.property(tables, (table) => {
      const bytes = encodeTable(table)
      for (const [name, value] of table) {
        const at = findHeader(new Chunk(bytes), 4, bytes.length, new Chunk(Buffer.from(name)))
        assert.deepEqual(readFieldValue(new AmqpReader(bytes, at)), value)
      }
    }),
    RUNS,
  )
})

test("findHeader takes the last of two equal names, as decoding does", () => {
  const bytes = Buffer.from("0161740001617401", "hex")
  const at = findHeader(new Chunk(bytes), 0, bytes.length, new Chunk(Buffer.from("a")))
  assert.equal(bytes[at + 1], 1)
})
