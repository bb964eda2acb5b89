import assert from "node:assert/strict"
import { test } from "node:test"
import * as fc from "fast-check"
import {
  ByteArray,
  Decimal,
  EMPTY_TABLE,
  equalFieldValues,
  Timestamp,
  TypedNumber,
  type FieldValue,
} from "../../../../src/amqp/table.ts"
import { fieldKey, formatTerm, tableKey } from "../../../../src/broker/exchange/table-key.ts"
import { chooseSeed } from "../../../support/seed.ts"

const seed = chooseSeed("table-key")

const leaf = fc.constantFrom<FieldValue>(
  null,
  true,
  false,
  "",
  "a",
  "10",
  "s1:a",
  "é",
  Buffer.from([0xff]),
  Buffer.from("a"),
  new ByteArray(Buffer.from("a")),
  new ByteArray(Buffer.from([0xff])),
  new TypedNumber("b", 10),
  new TypedNumber("l", 10n),
  new TypedNumber("d", 10),
  new TypedNumber("d", 10.5),
  new TypedNumber("f", 10.5),
  new TypedNumber("d", NaN),
  new TypedNumber("d", -0),
  new TypedNumber("I", 0),
  new TypedNumber("d", Infinity),
  new TypedNumber("d", 2 ** 60),
  new TypedNumber("l", 2n ** 60n),
  new TypedNumber("l", 2n ** 60n + 1n),
  new Timestamp(10n),
  new Decimal(1, 105),
)
const { value } = fc.letrec<{ value: FieldValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    leaf,
    fc.array(tie("value"), { maxLength: 3 }),
    fc
      .array(fc.tuple(fc.constantFrom("a", "b", "", "__proto__"), tie("value")), { maxLength: 3 })
      .map((entries): FieldValue => new Map(entries)),
  ),
}))

test("two values have one key exactly when they are equal", () => {
  const property = fc.property(value, value, (left, right) => {
    assert.equal(fieldKey(left) === fieldKey(right), equalFieldValues(left, right))
    assert.equal(fieldKey(left), fieldKey(left))
  })
  fc.assert(property, { seed, numRuns: 3_000 })
})

test("values that are built from equal leaves in another shape have another key", () => {
  const shapes: FieldValue[] = [["a", "b"], [["a"], "b"], ["a", ["b"]], ["ab"], [["a", "b"]], []]
  assert.equal(new Set(shapes.map(fieldKey)).size, shapes.length)
})

test("only the empty table has the empty key", () => {
  assert.equal(tableKey(EMPTY_TABLE), "")
  assert.notEqual(tableKey(new Map([["", null]])), "")
})

test("values print like Erlang terms", () => {
  assert.equal(formatTerm("foo"), '<<"foo">>')
  assert.equal(formatTerm('a"b\\'), '<<"a\\"b\\\\">>')
  assert.equal(formatTerm("é"), '<<"é"/utf8>>')
  assert.equal(formatTerm("a\nb"), "<<97,10,98>>")
  assert.equal(formatTerm(Buffer.from([0xff, 1])), "<<255,1>>")
  assert.equal(formatTerm(true), "true")
  assert.equal(formatTerm(null), "undefined")
  assert.equal(formatTerm(new TypedNumber("l", -5n)), "-5")
  assert.equal(formatTerm([new TypedNumber("I", 1), "a"]), '[1,<<"a">>]')
})
