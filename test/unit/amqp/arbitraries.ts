/** Random field values, tables and properties for the property tests of the codec. Not a test itself. */
import * as fc from "fast-check"
import type { BasicProperties } from "../../../src/amqp/properties.ts"
import {
  ByteArray,
  Decimal,
  Timestamp,
  TypedNumber,
  type FieldValue,
  type NumberTag,
  type Table,
} from "../../../src/amqp/table.ts"

/** SEED repeats a run; fast-check prints the seed of a failure. */
const seed = process.env["SEED"]
export const RUNS: { numRuns: number; seed?: number } = {
  numRuns: 300,
  ...(seed === undefined ? {} : { seed: Number(seed) }),
}

function integer(tag: NumberTag, min: number, max: number): fc.Arbitrary<FieldValue> {
  return fc.integer({ min, max }).map((value) => new TypedNumber(tag, value))
}

const text = fc.string({ unit: "binary", maxLength: 20 }).filter((value) => value.isWellFormed())
const shortText = fc
  .oneof({ weight: 9, arbitrary: text }, { weight: 1, arbitrary: fc.constant("x".repeat(255)) })
  .filter((value) => Buffer.byteLength(value) <= 255)
const bytes = fc.uint8Array({ maxLength: 20 }).map((array) => Buffer.from(array))
const keys = fc.oneof(shortText, fc.constantFrom("", "__proto__", "constructor", "hasOwnProperty"))
const uint64 = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n })

const scalars: fc.Arbitrary<FieldValue> = fc.oneof(
  fc.constant(null),
  fc.boolean(),
  text,
  bytes.map((value) => new ByteArray(value)),
  integer("b", -0x80, 0x7f),
  integer("B", 0, 0xff),
  integer("s", -0x8000, 0x7fff),
  integer("U", -0x8000, 0x7fff),
  integer("u", 0, 0xffff),
  integer("I", -0x8000_0000, 0x7fff_ffff),
  integer("i", 0, 0xffff_ffff),
  fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n }).map((n) => new TypedNumber("l", n)),
  fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n }).map((n) => new TypedNumber("L", n)),
  fc.float().map((value) => new TypedNumber("f", value)),
  fc.double().map((value) => new TypedNumber("d", value)),
  fc
    .tuple(fc.integer({ min: 0, max: 255 }), fc.integer({ min: 0, max: 0xffff_ffff }))
    .map(([scale, value]) => new Decimal(scale, value)),
  uint64.map((seconds) => new Timestamp(seconds)),
)

const { value } = fc.letrec<{ value: FieldValue; array: FieldValue[]; table: Table }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 5, withCrossShrink: true },
    { weight: 6, arbitrary: scalars },
    { weight: 1, arbitrary: tie("array") },
    { weight: 1, arbitrary: tie("table") },
  ),
  array: fc.array(tie("value"), { maxLength: 5 }),
  table: fc
    .array(fc.tuple(keys, tie("value")), { maxLength: 5 })
    .map((entries) => new Map(entries)),
}))

export const fieldValues = value
export const tables: fc.Arbitrary<Table> = fc
  .array(fc.tuple(keys, value), { maxLength: 6 })
  .map((entries) => new Map(entries))

export const properties: fc.Arbitrary<BasicProperties> = fc.record(
  {
    contentType: shortText,
    contentEncoding: shortText,
    headers: tables,
    deliveryMode: fc.integer({ min: 0, max: 255 }),
    priority: fc.integer({ min: 0, max: 255 }),
    correlationId: shortText,
    replyTo: shortText,
    expiration: shortText,
    messageId: shortText,
    timestamp: uint64,
    type: shortText,
    userId: shortText,
    appId: shortText,
    clusterId: shortText,
  },
  { requiredKeys: [] },
)
