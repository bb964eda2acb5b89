import assert from "node:assert/strict"
import { test } from "node:test"
import * as fc from "fast-check"
import { HeaderAddition, HeaderName } from "../../../src/amqp/added-header.ts"
import {
  decodeProperties,
  encodeProperties,
  type BasicProperties,
} from "../../../src/amqp/properties.ts"
import { tableFromPlain, TypedNumber } from "../../../src/amqp/table.ts"
import { Chunk } from "../../../src/util/bytes.ts"
import { properties, RUNS } from "./arbitraries.ts"

const COUNT = new HeaderName("x-delivery-count")
const addition = new HeaderAddition()

/** The properties with the header, written into the middle of a larger chunk; null if they were left alone. */
function added(bytes: Buffer, value: number, sizeMax = 1 << 20): Buffer | null {
  const source = new Chunk(Buffer.concat([Buffer.alloc(5, 0xff), bytes, Buffer.alloc(9, 0xff)]))
  if (!addition.plan(source, 5, 5 + bytes.length, COUNT, sizeMax)) return null
  const target = new Chunk(Buffer.alloc(addition.size + 20, 0xee))
  addition.write(target, 7, value)
  const end = 7 + addition.size
  assert.ok(target.bytes.subarray(0, 7).every((octet) => octet === 0xee))
  assert.ok(target.bytes.subarray(end).every((octet) => octet === 0xee))
  assert.equal(target.bytes.readBigUInt64BE(7 + addition.valueOffset), BigInt(value))
  return target.bytes.subarray(7, end)
}

const count = (value: number): TypedNumber => new TypedNumber("l", BigInt(value))

test("a message without properties gets a table with the header alone", () => {
  assert.equal(
    added(encodeProperties({}), 3)?.toString("hex"),
    `20000000001a10${Buffer.from("x-delivery-count").toString("hex")}6c0000000000000003`,
  )
})

test("all other properties stay as they are, whichever they are", () => {
  fc.assert(
    fc.property(properties, fc.nat({ max: Number.MAX_SAFE_INTEGER }), (before, value) => {
      const after = added(encodeProperties(before), value)
      assert.ok(after !== null)
      const headers = new Map(before.headers ?? [])
      headers.delete("x-delivery-count")
      headers.set("x-delivery-count", count(value))
      assert.deepEqual(decodeProperties(after), { ...before, headers })
    }),
    RUNS,
  )
})

test("an entry of the same name is replaced, also if it came several times", () => {
  const before: BasicProperties = {
    contentType: "text/plain",
    headers: tableFromPlain({ a: 1, "x-delivery-count": "forged", b: { c: [1, 2] } }),
    appId: "app",
  }
  const bytes = encodeProperties(before)
  const once = decodeProperties(added(bytes, 1)!)
  assert.deepEqual([...once.headers!.keys()], ["a", "b", "x-delivery-count"])
  assert.deepEqual(once.headers!.get("x-delivery-count"), count(1))
  assert.equal(once.appId, "app")
  // Behind the flags and the content type lies the length of the table; the forged entry is doubled.
  const tableAt = 2 + 11
  const forged = Buffer.concat([
    Buffer.from([16]),
    Buffer.from("x-delivery-countS"),
    Buffer.from([0, 0, 0, 6]),
    Buffer.from("forged"),
  ])
  const twice = Buffer.concat([bytes.subarray(0, tableAt + 4), forged, bytes.subarray(tableAt + 4)])
  twice.writeUInt32BE(bytes.readUInt32BE(tableAt) + forged.length, tableAt)
  assert.deepEqual(decodeProperties(added(twice, 2)!).headers!.get("x-delivery-count"), count(2))
  assert.equal(added(twice, 2)!.length, added(bytes, 1)!.length)
})

test("a name that only begins alike stays", () => {
  const headers = tableFromPlain({ "x-delivery-count2": 1, "x-delivery-coun": 2, "": 3 })
  assert.equal(decodeProperties(added(encodeProperties({ headers }), 9)!).headers!.size, 4)
})

test("what would not fit is left alone, and what just fits is not", () => {
  const bytes = encodeProperties({ headers: tableFromPlain({ a: "x".repeat(100) }) })
  const size = added(bytes, 1)!.length
  assert.equal(added(bytes, 1, size - 1), null)
  assert.equal(added(bytes, 1, size)?.length, size)
})

test("damaged properties are left alone", () => {
  fc.assert(
    fc.property(properties, fc.nat(), fc.integer({ min: 0, max: 255 }), (before, where, octet) => {
      const bytes = Buffer.from(encodeProperties(before))
      bytes[where % bytes.length] = octet
      const cut = bytes.subarray(0, 1 + (where % bytes.length))
      added(bytes, 1) // Neither throws nor writes beyond its size.
      added(cut, 1)
    }),
    RUNS,
  )
})
