import assert from "node:assert/strict"
import { test } from "node:test"
import * as fc from "fast-check"
import {
  ByteArray,
  Decimal,
  equalFieldValues,
  equalTables,
  formatFieldType,
  fromPlain,
  numberOf,
  tableFromPlain,
  tableToPlain,
  Timestamp,
  toPlain,
  TypedNumber,
  type FieldValue,
} from "../../../src/amqp/table.ts"
import { encodeTable, decodeTable } from "../../../src/amqp/table-codec.ts"
import { fieldValues, RUNS, tables } from "./arbitraries.ts"

const TEN: readonly FieldValue[] = [
  new TypedNumber("b", 10),
  new TypedNumber("B", 10),
  new TypedNumber("s", 10),
  new TypedNumber("u", 10),
  new TypedNumber("U", 10),
  new TypedNumber("I", 10),
  new TypedNumber("i", 10),
  new TypedNumber("l", 10n),
  new TypedNumber("L", 10n),
  new TypedNumber("f", 10),
  new TypedNumber("d", 10),
  new Decimal(1, 100),
  new Timestamp(10n),
]

test("numbers of any width and kind are equal by value", () => {
  for (const a of TEN)
    for (const b of TEN)
      assert.ok(equalFieldValues(a, b), `${formatFieldType(a)} and ${formatFieldType(b)}`)
})

test("a string, a boolean or null never equals a number", () => {
  for (const number of TEN)
    for (const other of ["10", true, null, Buffer.from("10"), [], new Map()]) {
      assert.ok(!equalFieldValues(number, other))
      assert.ok(!equalFieldValues(other, number))
    }
  assert.ok(!equalFieldValues(new TypedNumber("I", 1), true))
  assert.ok(!equalFieldValues(new TypedNumber("I", 0), false))
  assert.ok(!equalFieldValues("", null))
})

test("64-bit integers compare exactly beyond 2^53", () => {
  const big = new TypedNumber("l", (1n << 53n) + 1n)
  assert.ok(!equalFieldValues(big, new TypedNumber("l", 1n << 53n)))
  assert.ok(!equalFieldValues(big, new TypedNumber("d", 2 ** 53)))
  assert.ok(equalFieldValues(new TypedNumber("l", 1n << 60n), new TypedNumber("d", 2 ** 60)))
  assert.ok(!equalFieldValues(new TypedNumber("l", 1n << 60n), new TypedNumber("d", Infinity)))
  assert.ok(!equalFieldValues(new TypedNumber("d", 0.5), new TypedNumber("l", 1n << 60n)))
})

test("NaN equals NaN and -0 equals 0, so that the same arguments are always equivalent", () => {
  assert.ok(equalFieldValues(new TypedNumber("d", NaN), new TypedNumber("f", NaN)))
  assert.ok(equalFieldValues(new TypedNumber("d", -0), new TypedNumber("I", 0)))
})

test("strings and byte arrays are equal by their bytes", () => {
  assert.ok(equalFieldValues("é", new ByteArray(Buffer.from("é"))))
  assert.ok(!equalFieldValues("a", new ByteArray(Buffer.from("b"))))
  assert.ok(equalFieldValues(Buffer.from([0xff]), new ByteArray(Buffer.from([0xff]))))
})

test("tables compare without order, arrays in order", () => {
  const a = tableFromPlain({ x: 1, y: [1, "2", null] })
  const b = tableFromPlain({ y: [1, "2", null], x: 1.0 })
  assert.ok(equalTables(a, b))
  assert.ok(!equalFieldValues(fromPlain([1, 2]), fromPlain([2, 1])))
  assert.ok(!equalFieldValues(fromPlain([1]), fromPlain([1, null])))
  assert.ok(!equalTables(a, tableFromPlain({ x: 1 })))
  assert.ok(!equalTables(tableFromPlain({ a: null }), tableFromPlain({ b: null })))
  assert.ok(!equalFieldValues(new Map(), []))
})

test("equality is reflexive and survives encoding, and it is symmetric", () => {
  fc.assert(
    fc.property(tables, (table) => equalTables(table, decodeTable(encodeTable(table)))),
    RUNS,
  )
  fc.assert(
    fc.property(
      fieldValues,
      fieldValues,
      (a, b) => equalFieldValues(a, b) === equalFieldValues(b, a),
    ),
    RUNS,
  )
})

test("formatFieldType gives RabbitMQ's words", () => {
  const words = TEN.map((value) => formatFieldType(value))
  assert.deepEqual(words, [
    "byte",
    "unsignedbyte",
    "short",
    "unsignedshort",
    "short",
    "signedint",
    "unsignedint",
    "long",
    "long",
    "float",
    "double",
    "decimal",
    "timestamp",
  ])
  assert.equal(formatFieldType(null), "void")
  assert.equal(formatFieldType(false), "bool")
  assert.equal(formatFieldType("x"), "longstr")
  assert.equal(formatFieldType(Buffer.from([0xff])), "longstr")
  assert.equal(formatFieldType(new ByteArray(Buffer.alloc(0))), "binary")
  assert.equal(formatFieldType([]), "array")
  assert.equal(formatFieldType(new Map()), "table")
})

test("numberOf is exact and null for what is no number", () => {
  assert.equal(numberOf(new TypedNumber("l", 5n)), 5)
  assert.equal(numberOf(new TypedNumber("l", 1n << 62n)), 1n << 62n)
  assert.equal(numberOf(new Decimal(2, 150)), 1.5)
  assert.equal(numberOf("5"), null)
  assert.equal(numberOf(undefined), null)
})

test("plain values become the types RabbitMQ would write", () => {
  assert.deepEqual(fromPlain(5), new TypedNumber("I", 5))
  assert.deepEqual(fromPlain(2 ** 31), new TypedNumber("l", 2n ** 31n))
  assert.deepEqual(fromPlain(0.5), new TypedNumber("d", 0.5))
  assert.deepEqual(fromPlain(-0), new TypedNumber("d", -0))
  assert.deepEqual(fromPlain(1n), new TypedNumber("l", 1n))
  assert.deepEqual(tableToPlain(tableFromPlain({ a: [1, { b: "c" }], d: null, e: true })), {
    __proto__: null,
    a: [1, { __proto__: null, b: "c" }],
    d: null,
    e: true,
  })
  assert.deepEqual(toPlain(new Timestamp(7n)), 7)
  assert.deepEqual(toPlain(new ByteArray(Buffer.from("x"))), Buffer.from("x"))
})

test("keys that name parts of Object.prototype are keys like any other", () => {
  const table = new Map<string, FieldValue>([
    ["__proto__", new Map([["polluted", true]])],
    ["constructor", "x"],
  ])
  const decoded = decodeTable(encodeTable(table))
  const plain = tableToPlain(decoded)
  assert.deepEqual(Object.keys(plain), ["__proto__", "constructor"])
  assert.equal("polluted" in {}, false)
  assert.equal(Object.getPrototypeOf(plain), null)
})

test("a number that does not fit its field type is a bug of the caller", () => {
  assert.throws(() => new TypedNumber("b", 128), { name: "AssertionError" })
  assert.throws(() => new TypedNumber("l", 1n << 63n), { name: "AssertionError" })
  assert.throws(() => new TypedNumber("l", 1), { name: "AssertionError" })
  assert.throws(() => new TypedNumber("I", 0.5), { name: "AssertionError" })
})
