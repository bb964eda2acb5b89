import assert from "node:assert/strict"
import { test } from "node:test"
import * as fc from "fast-check"
import {
  ByteArray,
  EMPTY_TABLE,
  Timestamp,
  TypedNumber,
  type FieldValue,
  type PlainRecord,
  type Table,
} from "../../../../src/amqp/table.ts"
import { Refusal } from "../../../../src/broker/errors.ts"
import { RouteTargets } from "../../../../src/broker/exchange/destination.ts"
import { HeaderRule } from "../../../../src/broker/exchange/header-rule.ts"
import { chooseSeed } from "../../../support/seed.ts"
import { bindingsOf, createQueue, matchedNames, table } from "./support.ts"

const seed = chooseSeed("headers-bindings")

function matches(args: PlainRecord | Table, headers: PlainRecord | Table | null): boolean {
  const bindings = bindingsOf("headers")
  bindings.add(createQueue("q"), "", toTable(args))
  return matchedNames(bindings, "any.key", headers === null ? null : toTable(headers)).length === 1
}

function toTable(value: PlainRecord | Table): Table {
  return isTable(value) ? value : table(value)
}

function one(value: FieldValue): Table {
  return new Map([["a", value]])
}

function isTable(value: PlainRecord | Table): value is Table {
  return value instanceof Map
}

function refusalOf(args: Table): string {
  try {
    bindingsOf("headers").add(createQueue("q"), "", args)
  } catch (error) {
    assert.ok(error instanceof Refusal)
    assert.equal(error.kind, "precondition-failed")
    return error.message
  }
  return assert.fail("must be refused")
}

test("all, which is the default, wants every header with its value", () => {
  for (const mode of [{}, { "x-match": "all" }]) {
    assert.ok(matches({ ...mode, a: 1, b: "x" }, { a: 1, b: "x", c: true }))
    assert.ok(!matches({ ...mode, a: 1, b: "x" }, { a: 1, b: "y" }))
    assert.ok(!matches({ ...mode, a: 1, b: "x" }, { a: 1 }))
    assert.ok(!matches({ ...mode, a: 1 }, null))
  }
})

test("any wants one header with its value", () => {
  assert.ok(matches({ "x-match": "any", a: 1, b: "x" }, { a: 2, b: "x" }))
  assert.ok(matches({ "x-match": "any", a: 1, b: "x" }, { a: 1 }))
  assert.ok(!matches({ "x-match": "any", a: 1, b: "x" }, { a: 2, b: "y" }))
  assert.ok(!matches({ "x-match": "any", a: 1 }, {}))
})

test("all without conditions matches everything, any without conditions nothing", () => {
  for (const headers of [null, {}, { a: 1 }]) {
    assert.ok(matches({}, headers))
    assert.ok(matches({ "x-match": "all" }, headers))
    assert.ok(matches({ "x-match": "all", "x-other": 1 }, headers))
    assert.ok(!matches({ "x-match": "any" }, headers))
    assert.ok(!matches({ "x-match": "any", "x-other": 1 }, headers))
  }
})

test("names that begin with x- count only with -with-x, and x-match itself never", () => {
  assert.ok(matches({ "x-match": "all", "x-a": 1, b: 1 }, { b: 1 }))
  assert.ok(!matches({ "x-match": "all-with-x", "x-a": 1, b: 1 }, { b: 1 }))
  assert.ok(matches({ "x-match": "all-with-x", "x-a": 1, b: 1 }, { "x-a": 1, b: 1 }))
  assert.ok(!matches({ "x-match": "any", "x-a": 1, b: 1 }, { "x-a": 1 }))
  assert.ok(matches({ "x-match": "any-with-x", "x-a": 1, b: 1 }, { "x-a": 1 }))
  assert.ok(!matches({ "x-match": "any-with-x", b: 1 }, { "x-match": "any-with-x" }))
})

test("a void value asks for presence only", () => {
  assert.ok(matches({ a: null }, { a: 1 }))
  assert.ok(matches({ a: null }, { a: null }))
  assert.ok(!matches({ a: null }, { b: 1 }))
  assert.ok(matches({ "x-match": "any", a: null, b: 1 }, { a: "x" }))
  assert.ok(!matches({ a: 1 }, { a: null }))
})

test("values compare by value: number types do not matter, numbers and strings never meet", () => {
  const tens = [
    new TypedNumber("b", 10),
    new TypedNumber("I", 10),
    new TypedNumber("l", 10n),
    new TypedNumber("d", 10),
    new Timestamp(10n),
  ]
  for (const left of tens) {
    for (const right of tens) assert.ok(matches(one(left), one(right)))
    assert.ok(!matches(one(left), one("10")))
    assert.ok(!matches(one(left), one(new TypedNumber("I", 11))))
  }
  assert.ok(matches(one("x"), one(new ByteArray(Buffer.from("x")))))
  assert.ok(matches({ a: { b: [1, "x", { c: true }] } }, { a: { b: [1n, "x", { c: true }] } }))
  assert.ok(!matches({ a: { b: [1, 2] } }, { a: { b: [2, 1] } }))
  assert.ok(!matches({ a: true }, { a: 1 }))
})

test("an unknown or mistyped x-match is refused with RabbitMQ's words and binds nothing", () => {
  assert.equal(
    refusalOf(table({ "x-match": "foo" })),
    'Invalid x-match field value <<"foo">>; expected all, any, all-with-x, or any-with-x',
  )
  assert.equal(
    refusalOf(table({ "x-match": 5 })),
    "Invalid x-match field type signedint (value 5); expected longstr",
  )
  assert.equal(
    refusalOf(table({ "x-match": true })),
    "Invalid x-match field type bool (value true); expected longstr",
  )
  assert.equal(
    refusalOf(table({ "x-match": null })),
    "Invalid x-match field type void (value undefined); expected longstr",
  )
  const bindings = bindingsOf("headers")
  assert.throws(() => bindings.add(createQueue("q"), "", table({ "x-match": "foo" })), Refusal)
  assert.equal(bindings.size, 0)
  assert.equal(bindings.hasDestination(createQueue("q")), false)
})

test("headers are asked for only while a binding has conditions", () => {
  const bindings = bindingsOf("headers")
  const queue = createQueue("q")
  bindings.add(queue, "", EMPTY_TABLE)
  assert.equal(bindings.usesProperties, false)
  bindings.add(queue, "", table({ a: 1 }))
  assert.equal(bindings.usesProperties, true)
  bindings.remove(queue, "", table({ a: 1 }))
  assert.equal(bindings.usesProperties, false)
})

test("100,000 bindings: a message costs what it has headers, not what is bound", () => {
  const bindings = bindingsOf("headers")
  const queue = createQueue("q")
  const count = 100_000
  for (let i = 0; i < count; i++) bindings.add(queue, "", table({ id: i, kind: "same" }))
  const targets = new RouteTargets()
  const message = table({ id: 77_777, kind: "same" })
  const startedAt = process.hrtime.bigint()
  for (let i = 0; i < 1_000; i++) {
    targets.begin()
    bindings.match("", { headers: message }, targets)
    assert.equal(targets.queueCount, 1)
  }
  const tookMs = Number(process.hrtime.bigint() - startedAt) / 1e6
  // A walk over all rules takes some ms for each message.
  assert.ok(tookMs < 1_000, `${tookMs} ms`)
  bindings.removeDestination(queue, () => {})
  assert.equal(bindings.usesProperties, false)
})

test("the index of rules agrees with asking every rule, while bindings come and go", () => {
  const value = fc.constantFrom<FieldValue>(
    null,
    "1",
    true,
    new TypedNumber("I", 1),
    new TypedNumber("d", 1),
    new TypedNumber("I", 2),
  )
  const fields = fc.dictionary(fc.constantFrom("a", "b", "c", "x-d"), value, { maxKeys: 4 })
  const mode = fc.constantFrom(null, "all", "any", "all-with-x", "any-with-x")
  const args = fc.tuple(mode, fields).map(([xMatch, record]) => {
    const entries: [string, FieldValue][] = Object.entries(record)
    if (xMatch !== null) entries.push(["x-match", xMatch])
    return new Map(entries)
  })
  const headers = fields.map((record) => new Map(Object.entries(record)))
  const property = fc.property(
    fc.array(args, { maxLength: 20 }),
    fc.array(headers, { minLength: 1, maxLength: 10 }),
    fc.nat(20),
    (tables, messages, removedCount) => {
      const bindings = bindingsOf("headers")
      const bound = tables.map((rule, i) => ({ queue: createQueue(`q${i}`), args: rule }))
      for (const { queue, args: rule } of bound) bindings.add(queue, "", rule)
      const check = (): void => {
        for (const message of messages) {
          const expected = bound
            .filter(({ queue, args: rule }) => new HeaderRule(queue, rule).matches(message))
            .map(({ queue }) => queue.name)
          assert.deepEqual(matchedNames(bindings, "", message), expected.toSorted())
        }
      }
      check()
      for (const { queue, args: rule } of bound.splice(0, removedCount))
        assert.ok(bindings.remove(queue, "", rule))
      check()
    },
  )
  fc.assert(property, { seed, numRuns: 300 })
})
