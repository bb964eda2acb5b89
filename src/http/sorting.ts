import type { Slices } from "./slices.ts"

/**
 * The first so many of a long list in the order of a key, in slices: of 100,000 queues the 100 with the
 * most messages without sorting all, or, for a page far behind, all of them sorted in runs that are merged.
 */

export type SortKey = string | number | null

export interface Sorted<T> {
  readonly item: T
  readonly key: SortKey
}

/** Up to this many the smallest are selected; from here on everything is sorted. */
const SELECTED_MAX = 2000
const RUN_LENGTH = 1024

/** What has no key comes first; numbers before strings. */
export function compareKeys(a: SortKey, b: SortKey): number {
  if (a === b) return 0
  if (typeof a === "number" && typeof b === "number") return a - b
  if (a === null) return -1
  if (b === null) return 1
  if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1
  return a < b ? -1 : 1
}

/** At most `count` items, in order. Those with equal keys stay in theirs. */
export async function firstSorted<T>(
  items: readonly T[],
  keyOf: (item: T) => SortKey,
  count: number,
  isReverse: boolean,
  slices: Slices,
): Promise<T[]> {
  const compare = isReverse
    ? (a: Sorted<T>, b: Sorted<T>): number => compareKeys(b.key, a.key)
    : (a: Sorted<T>, b: Sorted<T>): number => compareKeys(a.key, b.key)
  const sorted =
    count <= SELECTED_MAX
      ? await select(items, keyOf, count, isReverse, slices)
      : await sortAll(items, keyOf, compare, slices)
  return sorted.slice(0, count).map(({ item }) => item)
}

/**
 * A sample of the keys says about how far down the wanted ones go; what lies beyond is passed over
 * without an object. Of those with the key at the border only the first can be wanted.
 */
async function select<T>(
  items: readonly T[],
  keyOf: (item: T) => SortKey,
  count: number,
  isReverse: boolean,
  slices: Slices,
): Promise<Sorted<T>[]> {
  const sign = isReverse ? -1 : 1
  const compare = (a: Sorted<T>, b: Sorted<T>): number => sign * compareKeys(a.key, b.key)
  const border = borderOf(items, keyOf, count, sign)
  if (border === null) return sortAll(items, keyOf, compare, slices)
  const before: T[] = []
  const atBorder: Sorted<T>[] = []
  for (let start = 0; start < items.length; start += RUN_LENGTH) {
    if (slices.isTimeOver()) await slices.next()
    const end = Math.min(items.length, start + RUN_LENGTH)
    for (let i = start; i < end; i++) {
      const item = items[i]!
      const key = keyOf(item)
      const order = sign * compareKeys(key, border.key)
      if (order < 0) before.push(item)
      else if (order === 0 && atBorder.length < count) atBorder.push({ item, key })
    }
  }
  // The sample was not like the rest, or keys have changed meanwhile.
  if (before.length + atBorder.length < count) return sortAll(items, keyOf, compare, slices)
  return [...(await sortAll(before, keyOf, compare, slices)), ...atBorder]
}

const SAMPLES = 1000
/** Samples beyond those that are expected to be wanted. */
const SAMPLES_SPARE = 20

/** Null for a list that is not worth it. */
function borderOf<T>(
  items: readonly T[],
  keyOf: (item: T) => SortKey,
  count: number,
  sign: number,
): { readonly key: SortKey } | null {
  if (items.length < 4 * SAMPLES) return null
  const step = items.length / SAMPLES
  const keys = Array.from({ length: SAMPLES }, (_, i) => {
    const item = items[Math.floor(i * step)]
    return item === undefined ? null : keyOf(item)
  })
  const rank = Math.ceil((2 * count) / step) + SAMPLES_SPARE
  if (rank >= SAMPLES) return null
  return { key: keys.toSorted((a, b) => sign * compareKeys(a, b))[rank] ?? null }
}

async function sortAll<T>(
  items: readonly T[],
  keyOf: (item: T) => SortKey,
  compare: (a: Sorted<T>, b: Sorted<T>) => number,
  slices: Slices,
): Promise<Sorted<T>[]> {
  let runs: Sorted<T>[][] = []
  for (let start = 0; start < items.length; start += RUN_LENGTH) {
    if (slices.isTimeOver()) await slices.next()
    const run: Sorted<T>[] = []
    for (const item of items.slice(start, start + RUN_LENGTH)) run.push({ item, key: keyOf(item) })
    runs.push(run.toSorted(compare))
  }
  while (runs.length > 1) {
    const merged: Sorted<T>[][] = []
    for (let i = 0; i < runs.length; i += 2)
      merged.push(await merge(runs[i] ?? [], runs[i + 1] ?? [], compare, slices))
    runs = merged
  }
  return runs[0] ?? []
}

async function merge<T>(
  left: readonly Sorted<T>[],
  right: readonly Sorted<T>[],
  compare: (a: Sorted<T>, b: Sorted<T>) => number,
  slices: Slices,
): Promise<Sorted<T>[]> {
  const merged: Sorted<T>[] = []
  let l = 0
  let r = 0
  while (l < left.length || r < right.length) {
    if (slices.isOver()) await slices.next()
    const a = left[l]
    const b = right[r]
    if (b === undefined || (a !== undefined && compare(a, b) <= 0)) {
      merged.push(a!)
      l++
    } else {
      merged.push(b)
      r++
    }
  }
  return merged
}
