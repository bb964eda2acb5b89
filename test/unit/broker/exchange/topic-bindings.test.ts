import assert from "node:assert/strict"
import { test } from "node:test"
import * as fc from "fast-check"
import { EMPTY_TABLE } from "../../../../src/amqp/table.ts"
import { BindingRegister } from "../../../../src/broker/exchange/binding-register.ts"
import { TopicBindings } from "../../../../src/broker/exchange/topic-bindings.ts"
import { chooseSeed } from "../../../support/seed.ts"
import { bindingsOf, createQueue, matchedNames } from "./support.ts"

const seed = chooseSeed("topic-bindings")

function matches(pattern: string, routingKey: string): boolean {
  const bindings = bindingsOf("topic")
  bindings.add(createQueue("q"), pattern, EMPTY_TABLE)
  return matchedNames(bindings, routingKey).length === 1
}

const CASES: readonly (readonly [pattern: string, yes: string[], no: string[]])[] = [
  ["a.b.c", ["a.b.c"], ["a.b", "a.b.c.d", "a.b.x", "", "A.b.c"]],
  ["a.b", ["a.b"], ["a.b.c", "a", "a.b."]],
  ["*.b.c", ["a.b.c", ".b.c"], ["b.c", "a.a.b.c"]],
  ["a.*.c", ["a.b.c", "a..c"], ["a.c", "a.b.b.c"]],
  ["a.b.*", ["a.b.c", "a.b."], ["a.b", "a.b.c.d"]],
  ["*", ["a", "*", "#"], ["", "a.b", "."]],
  ["*.*", ["a.b", ".", "a."], ["a", "a.b.c", ""]],
  ["*.*.*", ["a.b.c", ".."], ["a.b", "a.b.c.d"]],
  ["#", ["", "a", "a.b.c", ".", "..."], []],
  ["a.#", ["a", "a.b", "a.b.c", "a."], ["", "b", "b.a"]],
  ["#.a", ["a", "b.a", "c.b.a", ".a"], ["", "a.b"]],
  ["a.#.b", ["a.b", "a.x.b", "a.x.y.b", "a..b", "a.b.b"], ["a", "b", "a.b.c"]],
  ["#.b.#", ["b", "a.b", "b.c", "a.b.c"], ["", "a", "a.c"]],
  ["#.*", ["a", "a.b", "."], [""]],
  ["*.#", ["a", "a.b", "a.b.c"], [""]],
  ["#.#", ["", "a", "a.b"], []],
  ["#.a.#.b.#", ["a.b", "x.a.y.b.z", "a.a.b.b"], ["b.a", "a", "b"]],
  ["*.#.*", ["a.b", "a.b.c", "."], ["a", ""]],
  ["", [""], ["a", "."]],
  ["a..b", ["a..b"], ["a.b", "a.x.b"]],
  [".", ["."], ["", "a."]],
  ["a*.b", ["a*.b"], ["ax.b"]],
  ["a.b#", ["a.b#"], ["a.b", "a.bx"]],
  ["é.*", ["é.ü"], ["e.ü"]],
]

for (const [pattern, yes, no] of CASES)
  test(`pattern '${pattern}' matches what it says and nothing else`, () => {
    for (const key of yes) assert.ok(matches(pattern, key), `'${key}' must match`)
    for (const key of no) assert.ok(!matches(pattern, key), `'${key}' must not match`)
  })

/** By the definition: zero words have an empty key. */
function naive(pattern: readonly string[], words: readonly string[]): boolean {
  const [first, ...rest] = pattern
  if (first === undefined) return words.length === 0
  if (first === "#") return words.some((_, i) => naive(rest, words.slice(i))) || naive(rest, [])
  if (words.length === 0) return false
  return (first === "*" || first === words[0]) && naive(rest, words.slice(1))
}

function wordsOf(text: string): string[] {
  return text === "" ? [] : text.split(".")
}

test("the tree agrees with the definition for any patterns and keys, while patterns come and go", () => {
  const word = fc.constantFrom("a", "b", "", "ab")
  const pattern = fc.array(fc.oneof(word, fc.constantFrom("*", "#", "#")), { maxLength: 6 })
  const key = fc.array(word, { maxLength: 7 })
  const property = fc.property(
    fc.array(pattern, { minLength: 1, maxLength: 12 }),
    fc.array(key, { minLength: 1, maxLength: 12 }),
    fc.nat(11),
    (patterns, keys, removedCount) => {
      const bindings = bindingsOf("topic")
      const bound = new Set(patterns.map((words) => words.join(".")))
      for (const text of bound) bindings.add(createQueue(text), text, EMPTY_TABLE)
      const check = (): void => {
        for (const words of keys) {
          const text = words.join(".")
          const expected = [...bound].filter((other) => naive(wordsOf(other), wordsOf(text)))
          assert.deepEqual(matchedNames(bindings, text), expected.toSorted())
        }
      }
      check()
      const gone = [...bound].slice(0, removedCount)
      for (const text of gone) {
        removeByKey(bindings, text)
        bound.delete(text)
      }
      check()
    },
  )
  fc.assert(property, { seed, numRuns: 400 })
})

function removeByKey(bindings: ReturnType<typeof bindingsOf>, pattern: string): void {
  const found: Parameters<typeof bindings.remove>[] = []
  bindings.forEach((destination, routingKey, args) => {
    if (routingKey === pattern) found.push([destination, routingKey, args])
  })
  for (const binding of found) assert.ok(bindings.remove(...binding))
}

test("the same queue by two matching patterns is one destination", () => {
  const bindings = bindingsOf("topic")
  const queue = createQueue("q")
  bindings.add(queue, "a.*", EMPTY_TABLE)
  bindings.add(queue, "#", EMPTY_TABLE)
  assert.deepEqual(matchedNames(bindings, "a.b"), ["q"])
})

test("a pattern full of # against a long key takes bounded time", () => {
  const bindings = bindingsOf("topic")
  // Backtracking over 40 # and 100 words would not end in this universe.
  bindings.add(createQueue("q"), `${"#.a.".repeat(40)}b`, EMPTY_TABLE)
  const startedAt = process.hrtime.bigint()
  assert.deepEqual(matchedNames(bindings, `${"a.".repeat(100)}c`), [])
  assert.deepEqual(matchedNames(bindings, `${"a.".repeat(100)}b`), ["q"])
  const tookMs = Number(process.hrtime.bigint() - startedAt) / 1e6
  assert.ok(tookMs < 500, `${tookMs} ms`)
})

test("removing all patterns leaves an empty tree: nothing matches and all can be bound again", () => {
  const bindings = new TopicBindings(new BindingRegister())
  const queue = createQueue("q")
  const patterns = ["a.b.c", "a.b", "a.*.c", "#", "#.#", "a.#.c", ""]
  for (let round = 0; round < 2; round++) {
    for (const pattern of patterns) assert.ok(bindings.add(queue, pattern, EMPTY_TABLE))
    assert.deepEqual(matchedNames(bindings, "a.b.c"), ["q"])
    for (const pattern of patterns) assert.ok(bindings.remove(queue, pattern, EMPTY_TABLE))
    assert.deepEqual(matchedNames(bindings, "a.b.c"), [])
    assert.deepEqual(matchedNames(bindings, ""), [])
    assert.equal(bindings.nodeCount, 0)
  }
})

test("ever new patterns that come and go leave no nodes behind", () => {
  const bindings = new TopicBindings(new BindingRegister())
  const queue = createQueue("q")
  bindings.add(queue, "device.0.temperature", EMPTY_TABLE)
  for (let i = 1; i <= 100; i++) {
    bindings.add(queue, `device.${i}.temperature`, EMPTY_TABLE)
    bindings.add(queue, `device.${i}.#.*`, EMPTY_TABLE)
    assert.equal(bindings.nodeCount, 3 + 4)
    assert.ok(bindings.remove(queue, `device.${i}.temperature`, EMPTY_TABLE))
    assert.ok(bindings.remove(queue, `device.${i}.#.*`, EMPTY_TABLE))
    assert.equal(bindings.nodeCount, 3)
  }
  assert.deepEqual(matchedNames(bindings, "device.0.temperature"), ["q"])
})
