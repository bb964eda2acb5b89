/** What all types of bindings have in common: identity, counting, listing, removal. */
import assert from "node:assert/strict"
import { test } from "node:test"
import * as fc from "fast-check"
import {
  EMPTY_TABLE,
  TypedNumber,
  type FieldValue,
  type Table,
} from "../../../../src/amqp/table.ts"
import { EXCHANGE_TYPES } from "../../../../src/broker/exchange/exchange-type.ts"
import { chooseSeed } from "../../../support/seed.ts"
import { bindingsOf, createExchange, createQueue, listed, matchedNames, table } from "./support.ts"

const seed = chooseSeed("bindings")

/** Whatever the routing key is. */
const FAN_OUT = new Set(["fanout", "x-federation-upstream"])
/** Each message goes to one destination. */
const CHOOSING = new Set(["x-consistent-hash", "x-modulus-hash", "x-random"])

/** x-local-random is x-random without keys (test/wire/consistent-hash.test.ts). */
const TYPES = EXCHANGE_TYPES.filter((type) => type !== "x-local-random")

for (const type of TYPES) {
  /** The keys of a consistent hash are weights. */
  const [k, l, unbound] = type === "x-consistent-hash" ? ["1", "2", "3"] : ["k", "l", "other"]

  test(`${type}: the same binding twice is one binding`, () => {
    const bindings = bindingsOf(type)
    const queue = createQueue("q")
    assert.equal(bindings.add(queue, k, EMPTY_TABLE), true)
    assert.equal(bindings.add(queue, k, EMPTY_TABLE), false)
    assert.equal(bindings.size, 1)
    assert.equal(bindings.remove(queue, k, EMPTY_TABLE), true)
    assert.equal(bindings.size, 0)
    assert.deepEqual(matchedNames(bindings, k), [])
  })

  test(`${type}: bindings that differ in key or arguments are different`, () => {
    const bindings = bindingsOf(type)
    const queue = createQueue("q")
    assert.equal(bindings.add(queue, k, EMPTY_TABLE), true)
    assert.equal(bindings.add(queue, k, table({ a: 1 })), true)
    assert.equal(bindings.add(queue, k, table({ a: 2 })), true)
    assert.equal(bindings.add(queue, l, EMPTY_TABLE), true)
    assert.equal(bindings.size, 4)
    assert.deepEqual(listed(bindings), [`q ${k}`, `q ${k} a`, `q ${k} a`, `q ${l}`])
    assert.deepEqual(matchedNames(bindings, k, table({ a: 1 })), ["q"])
  })

  test(`${type}: neither the order nor the number type of arguments makes a difference`, () => {
    const bindings = bindingsOf(type)
    const queue = createQueue("q")
    const int: Table = new Map<string, FieldValue>([
      ["a", new TypedNumber("I", 10)],
      ["b", "x"],
    ])
    const float: Table = new Map<string, FieldValue>([
      ["b", "x"],
      ["a", new TypedNumber("d", 10)],
    ])
    assert.equal(bindings.add(queue, k, int), true)
    assert.equal(bindings.add(queue, k, float), false)
    assert.equal(bindings.remove(queue, k, table({ a: "10", b: "x" })), false)
    assert.equal(bindings.remove(queue, k, float), true)
    assert.equal(bindings.size, 0)
  })

  test(`${type}: removing what is not bound changes nothing`, () => {
    const bindings = bindingsOf(type)
    const queue = createQueue("q")
    bindings.add(queue, k, EMPTY_TABLE)
    assert.equal(bindings.remove(queue, unbound, EMPTY_TABLE), false)
    assert.equal(bindings.remove(queue, k, table({ a: 1 })), false)
    assert.equal(bindings.remove(createQueue("q"), k, EMPTY_TABLE), false)
    assert.deepEqual(matchedNames(bindings, k), ["q"])
  })

  test(`${type}: a destination leaves with all its bindings, and each is reported`, () => {
    const bindings = bindingsOf(type)
    const gone = createQueue("gone")
    const stays = createQueue("stays")
    bindings.add(gone, k, EMPTY_TABLE)
    bindings.add(gone, k, table({ a: 1 }))
    bindings.add(gone, l, EMPTY_TABLE)
    bindings.add(stays, k, EMPTY_TABLE)
    const removed: string[] = []
    bindings.removeDestination(gone, (routingKey, args) => {
      assert.equal(bindings.hasDestination(gone), false)
      removed.push(`${routingKey} ${[...args.keys()].join(",")}`)
    })
    assert.deepEqual(removed.toSorted(), [`${k} `, `${k} a`, `${l} `])
    assert.deepEqual(listed(bindings), [`stays ${k}`])
    assert.deepEqual(matchedNames(bindings, k, table({ a: 1 })), ["stays"])
    assert.deepEqual(matchedNames(bindings, l).includes("gone"), false)
    bindings.removeDestination(gone, () => assert.fail("nothing is left to report"))
  })

  test(`${type}: the exchanges among the destinations are known`, () => {
    const bindings = bindingsOf(type)
    const exchange = createExchange("e", "fanout")
    bindings.add(createQueue("q"), k, EMPTY_TABLE)
    bindings.add(exchange, k, EMPTY_TABLE)
    bindings.add(exchange, l, EMPTY_TABLE)
    assert.deepEqual([...bindings.exchanges], [exchange])
    bindings.remove(exchange, k, EMPTY_TABLE)
    assert.deepEqual([...bindings.exchanges], [exchange])
    bindings.remove(exchange, l, EMPTY_TABLE)
    assert.deepEqual([...bindings.exchanges], [])
  })

  test(`${type}: any sequence of changes leaves what a plain list of bindings says`, () => {
    const queues = ["q0", "q1", "q2"].map(createQueue)
    const keys = type === "x-consistent-hash" ? ["1", "7", "400"] : ["", "a", "a.b"]
    const argumentSets = [EMPTY_TABLE, table({ h: 1 }), table({ h: 2, "x-match": "any" })]
    const step = fc.record({
      action: fc.constantFrom("add", "add", "remove", "removeDestination"),
      queue: fc.nat(2),
      key: fc.nat(2),
      args: fc.nat(2),
    })
    const property = fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const bindings = bindingsOf(type)
      const model = new Set<string>()
      for (const { action, queue, key, args } of steps) {
        const name = `${queue}/${key}/${args}`
        if (action === "add")
          assert.equal(
            bindings.add(queues[queue]!, keys[key]!, argumentSets[args]!),
            !model.has(name),
          )
        if (action === "add") model.add(name)
        if (action === "remove")
          assert.equal(
            bindings.remove(queues[queue]!, keys[key]!, argumentSets[args]!),
            model.delete(name),
          )
        if (action === "removeDestination") {
          let count = 0
          bindings.removeDestination(queues[queue]!, () => count++)
          const gone = [...model].filter((other) => other.startsWith(`${queue}/`))
          for (const other of gone) model.delete(other)
          assert.equal(count, gone.length)
        }
        assert.equal(bindings.size, model.size)
      }
      for (const [index, routingKey] of keys.entries()) {
        const expected = new Set<string>()
        for (const name of model) {
          const [queue, key, args] = name.split("/").map(Number)
          const isMatch =
            FAN_OUT.has(type) || (type === "headers" ? args === 0 || args === 1 : key === index)
          if (isMatch) expected.add(`q${queue}`)
        }
        const names = matchedNames(bindings, routingKey, table({ h: 1 }))
        if (CHOOSING.has(type)) {
          const bound = [...model].map((name) => `q${name[0]}`)
          assert.equal(names.length, Math.min(1, bound.length))
          for (const name of names) assert.ok(bound.includes(name))
        } else assert.deepEqual(names, [...expected].toSorted())
      }
    })
    fc.assert(property, { seed, numRuns: 150 })
  })
}

test("direct: only the equal key matches, byte by byte", () => {
  const bindings = bindingsOf("direct")
  for (const key of ["a", "A", "a.b", "", "*", "#", "é", "e\u0301"])
    bindings.add(createQueue(`<${key}>`), key, EMPTY_TABLE)
  for (const key of ["a", "A", "a.b", "", "*", "#", "é", "e\u0301"])
    assert.deepEqual(matchedNames(bindings, key), [`<${key}>`])
  assert.deepEqual(matchedNames(bindings, "a."), [])
})

test("fanout: every queue once, however often it is bound", () => {
  const bindings = bindingsOf("fanout")
  const queue = createQueue("q")
  for (const key of ["a", "b", "c"]) bindings.add(queue, key, EMPTY_TABLE)
  bindings.add(createQueue("p"), "a", EMPTY_TABLE)
  assert.deepEqual(matchedNames(bindings, "anything"), ["p", "q"])
  bindings.remove(queue, "a", EMPTY_TABLE)
  bindings.remove(queue, "c", EMPTY_TABLE)
  assert.deepEqual(matchedNames(bindings, ""), ["p", "q"])
  bindings.remove(queue, "b", EMPTY_TABLE)
  assert.deepEqual(matchedNames(bindings, ""), ["p"])
})

for (const type of ["direct", "fanout", "topic"])
  test(`${type}: one queue with many keys and one key with many queues come and go`, () => {
    const count = 20_000
    const bindings = bindingsOf(type)
    const one = createQueue("one")
    for (let i = 0; i < count; i++) assert.ok(bindings.add(one, `key.${i}`, EMPTY_TABLE))
    const many = Array.from({ length: count }, (_, i) => createQueue(`q${i}`))
    for (const queue of many) assert.ok(bindings.add(queue, "shared", EMPTY_TABLE))
    assert.equal(bindings.size, 2 * count)
    assert.equal(matchedNames(bindings, "shared").length, type === "fanout" ? count + 1 : count)
    for (let i = 0; i < count; i++) assert.ok(bindings.remove(one, `key.${i}`, EMPTY_TABLE))
    for (const queue of many) bindings.removeDestination(queue, () => {})
    assert.equal(bindings.size, 0)
    assert.deepEqual(matchedNames(bindings, "shared"), [])
  })

test("fanout: queues that left may come back, also when there are many", () => {
  const bindings = bindingsOf("fanout")
  const queues = Array.from({ length: 50 }, (_, i) => createQueue(`q${i}`))
  for (const queue of queues) bindings.add(queue, "", EMPTY_TABLE)
  for (let round = 0; round < 3; round++)
    for (const queue of queues) {
      assert.ok(bindings.remove(queue, "", EMPTY_TABLE))
      assert.equal(matchedNames(bindings, "").includes(queue.name), false)
      assert.ok(bindings.add(queue, "", EMPTY_TABLE))
      assert.equal(matchedNames(bindings, "").length, 50)
    }
})
