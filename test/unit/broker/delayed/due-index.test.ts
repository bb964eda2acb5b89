import assert from "node:assert/strict"
import { test } from "node:test"
import { DueEntry, DueIndex } from "../../../../src/broker/delayed/due-index.ts"
import { chooseSeed, createRandom } from "../../../support/seed.ts"

function popAll(index: DueIndex): [number, number, number][] {
  const found: [number, number, number][] = []
  const entry = new DueEntry()
  while (index.count > 0) {
    index.pop(entry)
    found.push([entry.dueMs, entry.segment, entry.position])
  }
  return found
}

test("entries come by time, and among equal times in the order of their places", () => {
  const index = new DueIndex()
  assert.equal(index.firstMs, Infinity)
  index.push(20, 1, 100, 10, 5)
  index.push(10, 2, 8, 10, 5)
  index.push(10, 1, 50, 10, 5)
  index.push(10, 1, 8, 11, 6)
  assert.equal(index.firstMs, 10)
  const entry = new DueEntry()
  index.pop(entry)
  assert.deepEqual(
    [entry.dueMs, entry.segment, entry.position, entry.size, entry.bodySize],
    [10, 1, 8, 11, 6],
  )
  assert.deepEqual(popAll(index), [
    [10, 1, 50],
    [10, 2, 8],
    [20, 1, 100],
  ])
  assert.equal(index.firstMs, Infinity)
})

test("an entry can be removed by its place", () => {
  const index = new DueIndex()
  for (let i = 0; i < 100; i++) index.push((i * 37) % 101, 1, i, 10, 5)
  const entry = new DueEntry()
  assert.equal(index.remove(1, 1000, entry), false)
  assert.equal(index.remove(2, 50, entry), false)
  assert.equal(index.remove(1, 50, entry), true)
  assert.equal(entry.dueMs, (50 * 37) % 101)
  assert.equal(index.remove(1, 50, entry), false)
  const times = popAll(index).map(([dueMs]) => dueMs)
  assert.equal(times.length, 99)
  assert.deepEqual(
    times,
    times.toSorted((a, b) => a - b),
  )
})

test("any page can be listed without changing the order", () => {
  const random = createRandom(chooseSeed("due index pages"))
  const index = new DueIndex()
  const expected: [number, number, number][] = []
  for (let i = 0; i < 40_000; i++) {
    const entry: [number, number, number] = [random.below(500) * 1000, 1 + (i >> 12), i & 4095]
    index.push(...entry, 10, 5)
    expected.push(entry)
  }
  const sorted = expected.toSorted((a, b) => a[0] - b[0] || a[1] - b[1] || a[2] - b[2])
  for (const [skip, limit] of [
    [0, 10],
    [0, 2000],
    [1990, 10],
    [1995, 10],
    [20_000, 100],
    [39_990, 100],
    [0, 40_000],
    [40_000, 10],
    [5, 0],
  ] as const)
    assert.deepEqual(
      index.list(skip, limit).map((entry) => [entry.dueMs, entry.segment, entry.position]),
      sorted.slice(skip, skip + limit),
      `${String(skip)} ${String(limit)}`,
    )
  assert.deepEqual(popAll(index), sorted)
})

test("random use against a sorted list", () => {
  const random = createRandom(chooseSeed("due index"))
  const index = new DueIndex()
  let model: [number, number, number][] = []
  const entry = new DueEntry()
  for (let step = 0; step < 20_000; step++) {
    const what = random.below(10)
    if (what < 6) {
      const dueMs = random.below(50)
      index.push(dueMs, 1, step, 10, 5)
      const at = model.findIndex(([other]) => other > dueMs)
      model.splice(at < 0 ? model.length : at, 0, [dueMs, 1, step])
    } else if (what < 9 && model.length > 0) {
      index.pop(entry)
      assert.deepEqual([entry.dueMs, entry.segment, entry.position], model.shift())
    } else if (model.length > 0) {
      const [victim] = model.splice(random.below(model.length), 1)
      assert.equal(index.remove(victim![1], victim![2], entry), true)
    }
    if (step % 5000 === 4999) {
      index.clear()
      model = []
    }
    assert.equal(index.count, model.length)
  }
})
