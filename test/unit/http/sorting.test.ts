/** The first of a long list, selected or sorted, in slices: always what sorting all would give. */
import assert from "node:assert/strict"
import { test } from "node:test"
import * as fc from "fast-check"
import { Slices } from "../../../src/http/slices.ts"
import { compareKeys, firstSorted } from "../../../src/http/sorting.ts"
import type { SortKey } from "../../../src/http/sorting.ts"
import { ManualClock } from "../../../src/util/clock.ts"
import { chooseSeed } from "../../support/seed.ts"

const seed = chooseSeed("sorting of lists")

interface Item {
  readonly key: SortKey
  readonly place: number
}

const key = fc.oneof(
  fc.constant(null),
  fc.integer({ min: 0, max: 50 }),
  fc.string({ maxLength: 3 }),
)

test("the first items are those of a whole sort, with equal ones in their order", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(key, { maxLength: 3000 }),
      fc.integer({ min: 1, max: 4000 }),
      fc.boolean(),
      async (keys, count, isReverse) => {
        const items = keys.map((value, place): Item => ({ key: value, place }))
        const sign = isReverse ? -1 : 1
        const expected = items.toSorted((a, b) => sign * compareKeys(a.key, b.key)).slice(0, count)
        const slices = new Slices(new ManualClock())
        const found = await firstSorted(items, (item) => item.key, count, isReverse, slices)
        assert.deepEqual(found, expected)
      },
    ),
    { seed, numRuns: 60 },
  )
})
