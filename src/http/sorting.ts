import type { Slices } from "./slices.ts"

/**
 * A part of a long list in the order of a key, in slices: the 100 queues at any place among 100,000 without
 * sorting all. Each key has a number that stands for it (its rank); the ranks at the two borders of the part
 * are selected, what lies between them is sorted, and what has the rank of a border is looked at more closely.
 *
 *   rank     -∞ … a a a | a a b c c d e e | e e f … +∞
 *                       start            end
 */

export type SortKey = string | number | null

/** Up to this many are just sorted. */
const SORTED_MAX = 1024
const RUN_LENGTH = 1024
/** Texts up to this place are picked out in one pass. */
const FIRST_MAX = 512

/** What has no key comes first; numbers before strings. */
export function compareKeys(a: SortKey, b: SortKey): number {
  if (a === b) return 0
  if (typeof a === "number" && typeof b === "number") return a - b
  if (a === null) return -1
  if (b === null) return 1
  if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1
  return a < b ? -1 : 1
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
  const sign = isReverse ? -1 : 1
  const numbers = await numbersOf(items, keyOf, slices)
  const sorter =
    numbers === null
      ? new KeySorter(await keysOf(items, keyOf, slices), sign, slices)
      : new NumberSorter(numbers, sign, slices)
  const found = await sorter.part(start, last)
  return Array.from(found, (place) => items[place]!)
}

/** Null if a key is a text. */
async function numbersOf<T>(
  items: readonly T[],
  keyOf: (item: T) => SortKey,
  slices: Slices,
): Promise<Float64Array | null> {
  const numbers = new Float64Array(items.length)
  for (let i = 0; i < items.length; i++) {
    const key = keyOf(items[i]!)
    if (typeof key === "string") return null
    numbers[i] = key === null || Number.isNaN(key) ? -Infinity : key
    if (i % RUN_LENGTH === 0 && slices.isTimeOver()) await slices.next()
  }
  return numbers
}

async function keysOf<T>(
  items: readonly T[],
  keyOf: (item: T) => SortKey,
  slices: Slices,
): Promise<SortKey[]> {
  const keys: SortKey[] = []
  for (const item of items)
    if (keys.push(keyOf(item)) % RUN_LENGTH === 0 && slices.isTimeOver()) await slices.next()
  return keys
}

/** Of the places of a list: what shares a rank with a border, and what lies between them. */
interface Cut {
  readonly belowCount: number
  readonly atStart: Uint32Array
  readonly between: Uint32Array
  /** Empty if both borders have the same rank. */
  readonly atEnd: Uint32Array
}

/** Works on places of a list of keys, which does not change meanwhile. */
abstract class Sorter {
  protected readonly slices: Slices

  constructor(slices: Slices) {
    this.slices = slices
  }

  abstract part(start: number, end: number): Promise<Uint32Array>

  /** Places with equal keys stay in their order. */
  protected abstract compare(a: number, b: number): number

  /** All of them, in runs that are merged. */
  protected async sorted(places: Uint32Array): Promise<Uint32Array> {
    let runs: Uint32Array[] = []
    for (let start = 0; start < places.length; start += RUN_LENGTH) {
      if (this.slices.isTimeOver()) await this.slices.next()
      const run = places.subarray(start, start + RUN_LENGTH)
      runs.push(run.toSorted((a, b) => this.compare(a, b)))
    }
    while (runs.length > 1) {
      const merged: Uint32Array[] = []
      for (let i = 0; i < runs.length; i += 2)
        merged.push(await this.#merge(runs[i]!, runs[i + 1] ?? new Uint32Array()))
      runs = merged
    }
    return runs[0] ?? new Uint32Array()
  }

  async #merge(left: Uint32Array, right: Uint32Array): Promise<Uint32Array> {
    const merged = new Uint32Array(left.length + right.length)
    let l = 0
    let r = 0
    for (let i = 0; i < merged.length; i++) {
      const isLeft =
        r === right.length || (l < left.length && this.compare(left[l]!, right[r]!) <= 0)
      merged[i] = isLeft ? left[l++]! : right[r++]!
      if (i % RUN_LENGTH === 0 && this.slices.isTimeOver()) await this.slices.next()
    }
    return merged
  }

  /** `ranks` are those of the `places`. */
  protected async cut(
    places: Uint32Array,
    ranks: Float64Array,
    start: number,
    end: number,
  ): Promise<Cut> {
    const values = ranks.slice()
    const a = await rankAt(values, start, 0, this.slices)
    const b = await rankAt(values, end - 1, start, this.slices)
    let belowCount = 0
    const atStart: number[] = []
    const between: number[] = []
    const atEnd: number[] = []
    for (let i = 0; i < ranks.length; i++) {
      const rank = ranks[i]!
      if (rank < a) belowCount++
      else if (rank === a) atStart.push(places[i]!)
      else if (rank < b) between.push(places[i]!)
      else if (rank === b) atEnd.push(places[i]!)
      if (i % RUN_LENGTH === 0 && this.slices.isTimeOver()) await this.slices.next()
    }
    return {
      belowCount,
      atStart: Uint32Array.from(atStart),
      between: Uint32Array.from(between),
      atEnd: Uint32Array.from(atEnd),
    }
  }
}

/** What has no key is -∞. */
class NumberSorter extends Sorter {
  readonly #ranks: Float64Array

  constructor(numbers: Float64Array, sign: 1 | -1, slices: Slices) {
    super(slices)
    this.#ranks = sign === 1 ? numbers : numbers.map((value) => -value)
  }

  async part(start: number, end: number): Promise<Uint32Array> {
    const ranks = this.#ranks
    const cut = await this.cut(placesTo(ranks.length), ranks, start, end)
    const { belowCount, atStart, between, atEnd } = cut
    const endCount = end - belowCount - atStart.length - between.length
    return joined(
      atStart.subarray(start - belowCount, end - belowCount),
      await this.sorted(between),
      atEnd.subarray(0, Math.max(0, endCount)),
    )
  }

  protected compare(a: number, b: number): number {
    return this.#ranks[a]! - this.#ranks[b]! || a - b
  }
}

class KeySorter extends Sorter {
  readonly #keys: readonly SortKey[]
  readonly #sign: 1 | -1

  constructor(keys: readonly SortKey[], sign: 1 | -1, slices: Slices) {
    super(slices)
    this.#keys = keys
    this.#sign = sign
  }

  async part(start: number, end: number): Promise<Uint32Array> {
    const places = placesTo(this.#keys.length)
    // Numbers and texts in one column: nothing that is worth a way of its own.
    if (this.#keys.some((key) => typeof key === "number"))
      return (await this.sorted(places)).subarray(start, end)
    return this.#partOf(places, 0, start, end)
  }

  protected compare(a: number, b: number): number {
    return this.#sign * compareKeys(this.#keys[a]!, this.#keys[b]!) || a - b
  }

  /** `places` are in the order of the list. Their keys have the first `known` characters in common. */
  async #partOf(
    places: Uint32Array,
    known: number,
    start: number,
    end: number,
  ): Promise<Uint32Array> {
    if (start >= end) return new Uint32Array()
    if (places.length <= SORTED_MAX) return (await this.sorted(places)).subarray(start, end)
    if (end <= FIRST_MAX) return (await this.#first(places, end)).subarray(start)
    const common = await this.#commonLength(places, known)
    const ranks = await this.#ranks(places, common)
    const { belowCount, atStart, between, atEnd } = await this.cut(places, ranks, start, end)
    // Nothing is left to tell them apart.
    if (atStart.length === places.length) return atStart.subarray(start, end)
    const deeper = common + RANKED_LENGTH
    const startEnd = Math.min(end - belowCount, atStart.length)
    const endCount = end - belowCount - atStart.length - between.length
    return joined(
      await this.#partOf(atStart, deeper, start - belowCount, startEnd),
      await this.sorted(between),
      await this.#partOf(atEnd, deeper, 0, endCount),
    )
  }

  /** The first `count` in their order: most others are told by one comparison with the last of those found. */
  async #first(places: Uint32Array, count: number): Promise<Uint32Array> {
    let found: number[] = []
    let last = -1
    for (let i = 0; i < places.length; i++) {
      const place = places[i]!
      if (last < 0 || this.compare(place, last) < 0) found.push(place)
      if (found.length === SORTED_MAX) {
        found = found.toSorted((a, b) => this.compare(a, b)).slice(0, count)
        last = found[count - 1]!
      }
      if (i % RUN_LENGTH === 0 && this.slices.isTimeOver()) await this.slices.next()
    }
    return Uint32Array.from(found.toSorted((a, b) => this.compare(a, b)).slice(0, count))
  }

  async #ranks(places: Uint32Array, common: number): Promise<Float64Array> {
    const ranks = new Float64Array(places.length)
    for (let i = 0; i < places.length; i++) {
      const key = this.#keys[places[i]!]
      ranks[i] = this.#sign * (typeof key === "string" ? rankOfText(key, common) : -1)
      if (i % RUN_LENGTH === 0 && this.slices.isTimeOver()) await this.slices.next()
    }
    return ranks
  }

  async #commonLength(places: Uint32Array, known: number): Promise<number> {
    let common: string | null = null
    for (let i = 0; i < places.length; i++) {
      const key = this.#keys[places[i]!]
      if (typeof key === "string")
        if (common === null) common = key
        else if (!key.startsWith(common)) common = commonStart(common, key, known)
      if (i % RUN_LENGTH === 0 && this.slices.isTimeOver()) await this.slices.next()
    }
    return common === null ? 0 : common.length
  }
}

function placesTo(count: number): Uint32Array {
  const places = new Uint32Array(count)
  for (let i = 0; i < count; i++) places[i] = i
  return places
}

function joined(...parts: readonly Uint32Array[]): Uint32Array {
  const whole = new Uint32Array(parts.reduce((size, part) => size + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

/** As many code units, each one of 65,537 with the end of the text, fit into the 53 bits of a rank. */
const RANKED_LENGTH = 3
const UNITS = 0x1_00_01

function rankOfText(text: string, from: number): number {
  let rank = 0
  for (let i = from; i < from + RANKED_LENGTH; i++)
    rank = rank * UNITS + (i < text.length ? text.charCodeAt(i) + 1 : 0)
  return rank
}

/** The first `known` characters are equal. */
function commonStart(a: string, b: string, known: number): string {
  let length = Math.min(known, b.length)
  while (length < a.length && a.charCodeAt(length) === b.charCodeAt(length)) length++
  return a.slice(0, length)
}

/** Work beyond so many times the length: the pivots were bad, by chance or by intention. */
const WORK_MAX = 12

/**
 * The value that would stand at `place` if the values were sorted. What stands before `from` is not greater
 * than the rest; afterwards the same holds of `place`.
 */
async function rankAt(
  values: Float64Array,
  place: number,
  from: number,
  slices: Slices,
): Promise<number> {
  let left = from
  let right = values.length - 1
  let work = 0
  while (left < right) {
    if (slices.isTimeOver()) await slices.next()
    work += right - left
    if (work > WORK_MAX * values.length) {
      values.set(values.subarray(left, right + 1).toSorted(), left)
      break
    }
    const [i, j] = partition(values, left, right)
    if (place <= j) right = j
    else if (place >= i) left = i
    else break
  }
  return values[place]!
}

/** Up to `j` nothing is greater than the pivot, from `i` nothing less, between them all are equal to it. */
function partition(values: Float64Array, left: number, right: number): [i: number, j: number] {
  const pivot = middleOf(values, left, right)
  let i = left
  let j = right
  while (i <= j) {
    while (values[i]! < pivot) i++
    while (values[j]! > pivot) j--
    if (i > j) break
    const value = values[i]!
    values[i] = values[j]!
    values[j] = value
    i++
    j--
  }
  return [i, j]
}

const SAMPLES = 9

/** The median of a few of them. */
function middleOf(values: Float64Array, left: number, right: number): number {
  const step = (right - left) / (SAMPLES - 1)
  const samples = Float64Array.from(
    { length: SAMPLES },
    (_, i) => values[left + Math.floor(i * step)]!,
  )
  return samples.toSorted()[SAMPLES >> 1]!
}
