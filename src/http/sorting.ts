import type { Slices } from "./slices.ts"

/**
 * A part of a long list in the order of a key, in slices: the 100 queues at any place among 100,000 without
 * sorting all. A sample of the list is sorted and gives two borders between which the part lies most likely.
 * One pass counts what lies below them and picks out what lies between, of which the part is taken in the
 * same way until so little is left that it is sorted.
 *
 *       below     low     start … end     high     above
 *   ───────────────┼────────╫─────╫────────┼───────────────
 *
 * If the part reaches over a border, both are moved apart and the pass is repeated.
 */

export type SortKey = string | number | null

/** Up to this many are just sorted. */
const SORTED_MAX = 512
const SAMPLE_SIZE = 256
/** How far the borders lie from where the sample has the part, in standard deviations of such an estimate. */
const DEVIATIONS = 3

/** What has no key comes first; numbers before strings. */
export function compareKeys(a: SortKey, b: SortKey): number {
  if (typeof a === "string" && typeof b === "string") return a < b ? -1 : a === b ? 0 : 1
  if (typeof a === "number" && typeof b === "number") return a - b
  return rankOfType(a) - rankOfType(b)
}

function rankOfType(key: SortKey): number {
  return key === null ? 0 : typeof key === "number" ? 1 : 2
}

/** The items from the place `start` to before `end`. Those with equal keys stay in their order. */
export async function sortedPart<T>(
  items: readonly T[],
  keyOf: (item: T) => SortKey,
  start: number,
  end: number,
  isReverse: boolean,
  slices: Slices,
): Promise<T[]> {
  const last = Math.min(end, items.length)
  if (start >= last) return []
  const keys = await readKeys(items, keyOf, isReverse ? -1 : 1, slices)
  const found = await partOf(keys, start, last, slices)
  return found.map((place) => items[place]!)
}

/** Of places in a list. Each place has its own rank: equal keys are told apart by their places. */
interface Keys {
  readonly length: number
  compare(a: number, b: number): number
  /**
   * Looks at the places `from` to before `to`: adds to `inside` those from `low` up to `high`, and returns
   * how many are below. -1 is lower than all, `length` higher.
   */
  cut(from: number, to: number, low: number, high: number, inside: number[]): number
  pick(places: readonly number[]): Keys
}

/** Each key is read once. */
async function readKeys<T>(
  items: readonly T[],
  keyOf: (item: T) => SortKey,
  sign: 1 | -1,
  slices: Slices,
): Promise<Keys> {
  const numbers = new Float64Array(items.length)
  let texts: SortKey[] | null = null
  await slices.each(items.length, (from, to) => {
    let next = from
    if (texts === null) {
      next = readNumbers(items, keyOf, sign, from, to, numbers)
      if (next === to) return
      // oxlint-disable-next-line unicorn/no-new-array -- It need not grow, which takes milliseconds.
      texts = new Array<SortKey>(items.length)
      for (let place = 0; place < next; place++) texts[place] = keyOfNumber(sign * numbers[place]!)
    }
    readTexts(items, keyOf, next, to, texts)
  })
  return texts === null ? new NumberKeys(numbers) : new TextKeys(texts, sign)
}

/** Returns the place of the first text, or `to`. */
function readNumbers<T>(
  items: readonly T[],
  keyOf: (item: T) => SortKey,
  sign: 1 | -1,
  from: number,
  to: number,
  into: Float64Array,
): number {
  for (let place = from; place < to; place++) {
    const key = keyOf(items[place]!)
    if (typeof key === "string") return place
    into[place] = sign * (key === null || Number.isNaN(key) ? -Infinity : key)
  }
  return to
}

function keyOfNumber(value: number): SortKey {
  return value === -Infinity ? null : value
}

function readTexts<T>(
  items: readonly T[],
  keyOf: (item: T) => SortKey,
  from: number,
  to: number,
  into: SortKey[],
): void {
  for (let place = from; place < to; place++) {
    const key = keyOf(items[place]!)
    into[place] = Number.isNaN(key) ? null : key
  }
}

/** In rising order: for a falling one they are negative. What has no key is infinite. */
class NumberKeys implements Keys {
  readonly #values: Float64Array

  constructor(values: Float64Array) {
    this.#values = values
  }

  get length(): number {
    return this.#values.length
  }

  compare(a: number, b: number): number {
    const x = this.#values[a]!
    const y = this.#values[b]!
    return x < y ? -1 : x > y ? 1 : a - b
  }

  cut(from: number, to: number, low: number, high: number, inside: number[]): number {
    const values = this.#values
    const lowest = values[low] ?? -Infinity
    const highest = values[high] ?? Infinity
    let belowCount = 0
    for (let place = from; place < to; place++) {
      const value = values[place]!
      if (value < lowest || (value === lowest && place < low)) belowCount++
      else if (value < highest || (value === highest && place <= high)) inside.push(place)
    }
    return belowCount
  }

  pick(places: readonly number[]): Keys {
    return new NumberKeys(Float64Array.from(places, (place) => this.#values[place]!))
  }
}

class TextKeys implements Keys {
  readonly #keys: readonly SortKey[]
  readonly #sign: 1 | -1

  constructor(keys: readonly SortKey[], sign: 1 | -1) {
    this.#keys = keys
    this.#sign = sign
  }

  get length(): number {
    return this.#keys.length
  }

  compare(a: number, b: number): number {
    return this.#sign * compareKeys(this.#keys[a]!, this.#keys[b]!) || a - b
  }

  cut(from: number, to: number, low: number, high: number, inside: number[]): number {
    const { length } = this
    let belowCount = 0
    for (let place = from; place < to; place++)
      if (low >= 0 && this.compare(place, low) < 0) belowCount++
      else if (high === length || this.compare(place, high) <= 0) inside.push(place)
    return belowCount
  }

  pick(places: readonly number[]): Keys {
    return new TextKeys(
      places.map((place) => this.#keys[place]!),
      this.#sign,
    )
  }
}

/** The places of what would stand from `start` to before `end` if all were sorted. */
async function partOf(keys: Keys, start: number, end: number, slices: Slices): Promise<number[]> {
  const { length } = keys
  if (length <= SORTED_MAX) return placesTo(length).toSorted(byKey(keys)).slice(start, end)
  const sample = sampleOf(keys)
  for (let deviations = DEVIATIONS; ; deviations *= 4) {
    const low = sample[estimated(start, length) - spread(start, length, deviations)] ?? -1
    const high = sample[estimated(end, length) + spread(end, length, deviations)] ?? length
    const inside: number[] = []
    let belowCount = 0
    await slices.each(length, (from, to) => {
      belowCount += keys.cut(from, to, low, high, inside)
    })
    if (start < belowCount || end > belowCount + inside.length) continue
    if (2 * inside.length > length)
      return (await sorted(keys, inside, slices)).slice(start - belowCount, end - belowCount)
    const found = await partOf(keys.pick(inside), start - belowCount, end - belowCount, slices)
    return found.map((index) => inside[index]!)
  }
}

function placesTo(count: number): number[] {
  return Array.from({ length: count }, (_, place) => place)
}

function byKey(keys: Keys): (a: number, b: number) => number {
  return (a, b) => keys.compare(a, b)
}

/** By steps of the golden ratio, which no regular pattern of the list falls in with. */
const GOLDEN_RATIO = (Math.sqrt(5) - 1) / 2

/** Places from everywhere, in the order of their keys. */
function sampleOf(keys: Keys): number[] {
  const places = Array.from({ length: SAMPLE_SIZE }, (_, i) =>
    Math.floor(((i * GOLDEN_RATIO) % 1) * keys.length),
  )
  return places.toSorted(byKey(keys))
}

/** Where in the sample, about, what stands at `place` of all. */
function estimated(place: number, length: number): number {
  return Math.floor((place / length) * SAMPLE_SIZE)
}

function spread(place: number, length: number, deviations: number): number {
  const share = place / length
  return 2 + Math.ceil(deviations * Math.sqrt(SAMPLE_SIZE * share * (1 - share)))
}

/** In runs that are merged. */
async function sorted(keys: Keys, places: readonly number[], slices: Slices): Promise<number[]> {
  let runs: number[][] = []
  for (let start = 0; start < places.length; start += SORTED_MAX) {
    if (slices.isTimeOver()) await slices.next()
    runs.push(places.slice(start, start + SORTED_MAX).toSorted(byKey(keys)))
  }
  while (runs.length > 1) {
    const merged: number[][] = []
    for (let i = 0; i < runs.length; i += 2)
      merged.push(await merge(keys, runs[i]!, runs[i + 1] ?? [], slices))
    runs = merged
  }
  return runs[0] ?? []
}

async function merge(
  keys: Keys,
  left: readonly number[],
  right: readonly number[],
  slices: Slices,
): Promise<number[]> {
  const merged: number[] = []
  let l = 0
  let r = 0
  await slices.each(left.length + right.length, (from, to) => {
    for (let i = from; i < to; i++) {
      const isLeft =
        r === right.length || (l < left.length && keys.compare(left[l]!, right[r]!) < 0)
      merged.push(isLeft ? left[l++]! : right[r++]!)
    }
  })
  return merged
}
