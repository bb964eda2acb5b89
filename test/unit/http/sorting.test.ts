/** A part of a long list, selected and sorted in slices: always what sorting all would give. */
import assert from "node:assert/strict"
import { test } from "node:test"
import * as fc from "fast-check"
import { Slices } from "../../../src/http/slices.ts"
import { compareKeys, sortedPart } from "../../../src/http/sorting.ts"
import type { SortKey } from "../../../src/http/sorting.ts"
import { ManualClock } from "../../../src/util/clock.ts"
import { chooseSeed } from "../../support/seed.ts"

const seed = chooseSeed("sorting of lists")

interface Item {
  readonly key: SortKey
  readonly place: number
}

const number = fc.oneof(
  fc.constant(null),
  fc.integer({ min: -50, max: 50 }),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
)
const text = fc.oneof(
  fc.constant(null),
  fc.string({ maxLength: 3 }),
  fc.nat(3000).map((n) => `queue.${String(n)}`),
  // Of equal beginnings and ends, and characters at both ends of their range.
  fc.constantFrom("queue.1", "queue.12", "queue.\u0000", "queue.\uffff", ""),
)
const names = fc.nat(100).map((n) => `a.long.prefix.of.all.names.${String(n)}`)
const keyLists = [number, text, names, fc.oneof(number, text)].map((key) =>
  fc.array(key, { maxLength: 5000, size: "max" }),
)

test("a part is that of a whole sort, with equal ones in their order", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(...keyLists),
      fc.nat(5000),
      fc.integer({ min: 1, max: 2000 }),
      fc.boolean(),
      async (keys, start, count, isReverse) => {
        const items = keys.map((value, place): Item => ({ key: value, place }))
        const sign = isReverse ? -1 : 1
        const sorted = items.toSorted((a, b) => sign * compareKeys(a.key, b.key))
        const slices = new Slices(new ManualClock())
        const end = start + count
        const found = await sortedPart(items, (item) => item.key, start, end, isReverse, slices)
        assert.deepEqual(found, sorted.slice(start, end))
      },
    ),
    { seed, numRuns: 80 },
  )
})

test("of a long list each key is read once, whatever part is wanted", async () => {
  const count = 50_000
  const items = Array.from({ length: count }, (_, i) => (i * 7919) % count)
  for (const start of [0, 1000, count / 2, count - 100])
    for (const keyOf of [(i: number) => i, (i: number) => `work.${String(i)}`]) {
      let reads = 0
      const read = (item: number): SortKey => {
        reads++
        return keyOf(item)
      }
      const slices = new Slices(new ManualClock())
      const found = await sortedPart(items, read, start, start + 100, true, slices)
      const sorted = items.toSorted((a, b) => compareKeys(keyOf(b), keyOf(a)))
      assert.deepEqual(found, sorted.slice(start, start + 100))
      assert.ok(reads <= count + 1, String(reads))
    }
})
