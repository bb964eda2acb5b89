/** Which element of a table shows which row. */
import assert from "node:assert/strict"
import { test } from "node:test"
import { RowSlots } from "../../src/ui/lib/row-slots.ts"
import { chooseSeed, createRandom } from "../support/seed.ts"

test("another page takes over the elements, each at its place", () => {
  const slots = new RowSlots()
  const first = slots.assign(["a", "b", "c"])
  assert.equal(new Set(first).size, 3)
  assert.deepEqual(slots.assign(["x", "y", "z"]), first)
  assert.deepEqual(slots.assign(["p", "q"]), first.slice(0, 2))
})

test("scrolling moves the elements that have left at one end to the other", () => {
  const slots = new RowSlots()
  const [a, b, c, d] = slots.assign(["a", "b", "c", "d"])
  assert.deepEqual(slots.assign(["c", "d", "e", "f"]), [c, d, a, b])
})

test("rows that change places keep their elements", () => {
  const slots = new RowSlots()
  const [a, b, c] = slots.assign(["a", "b", "c"])
  assert.deepEqual(slots.assign(["c", "new", "a"]), [c, b, a])
})

test("a key that comes twice has two elements", () => {
  const slots = new RowSlots()
  slots.assign(["a", "b"])
  assert.equal(new Set(slots.assign(["a", "a", "b", "b"])).size, 4)
  assert.equal(new Set(slots.assign(["b", "a", "a"])).size, 3)
})

test("random lists: rows that stay keep theirs, and none is made while one is free", () => {
  const random = createRandom(chooseSeed("row slots"))
  const slots = new RowSlots()
  let shown = new Map<string, number>()
  for (let round = 0; round < 2000; round++) {
    const keys = [
      ...new Set(Array.from({ length: random.below(12) }, () => `k${String(random.below(20))}`)),
    ]
    const given = slots.assign(keys)
    assert.equal(new Set(given).size, keys.length)
    const before = new Set(shown.values())
    const made = given.filter((slot) => !before.has(slot)).length
    assert.equal(made, Math.max(0, keys.length - before.size))
    for (const [i, key] of keys.entries())
      if (shown.has(key)) assert.equal(given[i], shown.get(key))
    shown = new Map(keys.map((key, i) => [key, given[i] ?? -1]))
  }
})
