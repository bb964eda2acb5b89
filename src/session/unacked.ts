import { assert } from "../util/assert.ts"

/**
 * Deliveries of one channel that wait for their acknowledgement, by delivery tag.
 *
 * Tags are dense and rise, so a ring indexed by `tag & mask` holds them: five 32-bit columns, 20
 * bytes each, no object. A settled entry leaves source 0 behind. When an old delivery stays
 * unacknowledged while thousands after it are settled, the ring would grow with the distance; the
 * old ones move to a Map instead, and the ring follows the tags.
 */
const STRIDE = 5
const SOURCE = 0
const SEGMENT = 1
const POSITION = 2
const SIZE = 3
const BODY_SIZE = 4

/** Stands for the source of a delivery that went back to its queue: settling it has no effect. */
export const RETURNED = 0xffff_ffff

const CAPACITY_MIN = 16
/** A ring that has grown beyond it is given back when nothing is outstanding. */
const CAPACITY_KEPT_MAX = 512
/** From this distance on, a ring that would be mostly holes gives its oldest entries away instead of growing. */
const SPILL_DISTANCE = 4096

/** One unacknowledged delivery, copied out by take(). */
export class Unacked {
  /** Number of the consumer or queue (1-based index in the channel's sources). */
  source = 0
  segment = 0
  position = 0
  size = 0
  bodySize = 0

  fill(source: number, segment: number, position: number, size: number, bodySize: number): void {
    this.source = source
    this.segment = segment
    this.position = position
    this.size = size
    this.bodySize = bodySize
  }
}

export class UnackedWindow {
  #columns: Uint32Array
  #mask: number
  /** Ring covers [#lowest, #next). The entry at #lowest is unsettled, unless the ring is empty. */
  #lowest = 1
  #next = 1
  #ringCount = 0
  /** All tags in it are below the ring. */
  readonly #spilled = new Map<number, Unacked>()
  /** #spilled is in the order of its tags. */
  #isSorted = true
  /** The lowest key of #spilled, if it has that key at all. */
  #lowestSpilled = 0
  /** Stands behind #lowestSpilled: a new iterator would walk over all that was deleted in front. */
  #spilledKeys: Iterator<number> = this.#spilled.keys()

  constructor() {
    this.#columns = new Uint32Array(CAPACITY_MIN * STRIDE)
    this.#mask = CAPACITY_MIN - 1
  }

  get count(): number {
    return this.#ringCount + this.#spilled.size
  }

  /** The oldest unsettled tag, or 0. */
  get lowestTag(): number {
    if (this.#spilled.size > 0) return this.#findLowestSpilled()
    return this.#ringCount > 0 ? this.#lowest : 0
  }

  /** Tags must rise; gaps (deliveries without acknowledgement) are allowed. */
  add(
    tag: number,
    source: number,
    segment: number,
    position: number,
    size: number,
    bodySize: number,
  ): void {
    if (this.#ringCount === 0) {
      this.#lowest = tag
      this.#next = tag
    }
    if (tag - this.#lowest > this.#mask) this.#makeRoom(tag)
    const columns = this.#columns
    // Tags may jump over automatic deliveries: the slots between must read as settled.
    for (let gap = this.#next; gap < tag; gap++) columns[(gap & this.#mask) * STRIDE] = 0
    const at = (tag & this.#mask) * STRIDE
    columns[at + SOURCE] = source
    columns[at + SEGMENT] = segment
    columns[at + POSITION] = position
    columns[at + SIZE] = size
    columns[at + BODY_SIZE] = bodySize
    this.#next = tag + 1
    this.#ringCount++
  }

  has(tag: number): boolean {
    if (tag >= this.#lowest && tag < this.#next)
      return this.#ringCount > 0 && this.#columns[(tag & this.#mask) * STRIDE] !== 0
    return this.#spilled.has(tag)
  }

  /** Removes `tag` and copies it to `into`. False if it is not outstanding. */
  take(tag: number, into: Unacked): boolean {
    if (this.#ringCount === 0 || tag < this.#lowest || tag >= this.#next)
      return this.#unspill(tag, into)
    const columns = this.#columns
    const at = (tag & this.#mask) * STRIDE
    const source = columns[at + SOURCE]!
    if (source === 0) return false
    into.source = source
    into.segment = columns[at + SEGMENT]!
    into.position = columns[at + POSITION]!
    into.size = columns[at + SIZE]!
    into.bodySize = columns[at + BODY_SIZE]!
    columns[at + SOURCE] = 0
    this.#ringCount--
    if (tag === this.#lowest) this.#advance()
    return true
  }

  /** Removes the oldest outstanding tag that is ≤ `last`; returns it, or 0 if there is none. */
  takeLowest(last: number, into: Unacked): number {
    const tag = this.lowestTag
    if (tag === 0 || tag > last) return 0
    this.take(tag, into)
    return tag
  }

  /**
   * As takeLowest(), and takes with it the tags directly behind it, up to `last`, whose messages lie
   * directly behind its own. Returns how many.
   */
  takeRun(last: number, into: Unacked): number {
    const first = this.takeLowest(last, into)
    if (first === 0) return 0
    const columns = this.#columns
    let tag = first + 1
    // Once taken, the lowest tag of the ring is the next one there, be it the neighbour or not.
    if (this.#spilled.size > 0 || this.#lowest !== tag || this.#ringCount === 0) return 1
    const end = Math.min(last + 1, this.#next)
    let position = into.position + into.size
    while (tag < end) {
      const at = (tag & this.#mask) * STRIDE
      if (
        columns[at + POSITION] !== position ||
        columns[at + SOURCE] !== into.source ||
        columns[at + SEGMENT] !== into.segment ||
        columns[at + SIZE] !== into.size ||
        columns[at + BODY_SIZE] !== into.bodySize
      )
        break
      columns[at + SOURCE] = 0
      position += into.size
      tag++
    }
    const count = tag - first
    if (count === 1) return 1
    this.#ringCount -= count - 1
    this.#lowest = tag - 1
    this.#advance()
    return count
  }

  /**
   * The delivery went back to its queue, but its tag stays outstanding: the client may still settle it.
   * Copies it to `into`. False if it is not outstanding, or was returned before.
   */
  markReturned(tag: number, into: Unacked): boolean {
    if (this.#ringCount === 0 || tag < this.#lowest || tag >= this.#next) {
      const entry = this.#spilled.get(tag)
      if (entry === undefined || entry.source === RETURNED) return false
      into.fill(entry.source, entry.segment, entry.position, entry.size, entry.bodySize)
      entry.source = RETURNED
      return true
    }
    const columns = this.#columns
    const at = (tag & this.#mask) * STRIDE
    const source = columns[at + SOURCE]!
    if (source === 0 || source === RETURNED) return false
    into.source = source
    into.segment = columns[at + SEGMENT]!
    into.position = columns[at + POSITION]!
    into.size = columns[at + SIZE]!
    into.bodySize = columns[at + BODY_SIZE]!
    columns[at + SOURCE] = RETURNED
    return true
  }

  /**
   * Shows outstanding deliveries with tags from `first` to `last` in order, until `visit` returns
   * false; then it returns false, too. Those that were returned are left out. Nothing may change
   * meanwhile.
   */
  forEach(
    first: number,
    last: number,
    visit: (
      tag: number,
      source: number,
      segment: number,
      position: number,
      size: number,
    ) => boolean,
  ): boolean {
    if (!this.#isSorted) this.#sort()
    for (const [tag, entry] of this.#spilled) {
      if (tag > last) return true
      if (tag < first || entry.source === RETURNED) continue
      if (!visit(tag, entry.source, entry.segment, entry.position, entry.size)) return false
    }
    if (this.#ringCount === 0) return true
    const columns = this.#columns
    const end = Math.min(last + 1, this.#next)
    for (let tag = Math.max(first, this.#lowest); tag < end; tag++) {
      const at = (tag & this.#mask) * STRIDE
      const source = columns[at + SOURCE]!
      if (source === 0 || source === RETURNED) continue
      const position = columns[at + POSITION]!
      if (!visit(tag, source, columns[at + SEGMENT]!, position, columns[at + SIZE]!)) return false
    }
    return true
  }

  /** Gives back what a burst of deliveries has made it grow to. Only if nothing is outstanding. */
  shrink(): void {
    if (this.count > 0 || this.#mask < CAPACITY_KEPT_MAX) return
    this.#columns = new Uint32Array(CAPACITY_MIN * STRIDE)
    this.#mask = CAPACITY_MIN - 1
  }

  /** Puts back a delivery that was taken (rolled back transaction). Slow: control plane only. */
  restore(tag: number, entry: Unacked): void {
    const isEmpty = this.#ringCount === 0
    if (isEmpty && this.#next <= tag) this.#next = tag + 1
    const lowest = isEmpty || tag < this.#lowest ? tag : this.#lowest
    // Below a ring that has given entries away it goes to them: they must stay below the ring.
    const isAboveSpilled = this.#spilled.size === 0 || lowest !== tag
    if (isAboveSpilled && this.#next - lowest <= this.#mask + 1) {
      const columns = this.#columns
      for (let gap = lowest; gap < this.#lowest && gap < this.#next; gap++)
        columns[(gap & this.#mask) * STRIDE] = 0
      const at = (tag & this.#mask) * STRIDE
      columns[at + SOURCE] = entry.source
      columns[at + SEGMENT] = entry.segment
      columns[at + POSITION] = entry.position
      columns[at + SIZE] = entry.size
      columns[at + BODY_SIZE] = entry.bodySize
      this.#lowest = lowest
      this.#ringCount++
      return
    }
    const copy = new Unacked()
    copy.fill(entry.source, entry.segment, entry.position, entry.size, entry.bodySize)
    this.#spilled.set(tag, copy)
    this.#isSorted = false // Sorted once, when the order counts: a rollback gives thousands back.
  }

  #sort(): void {
    const sorted = [...this.#spilled].toSorted((left, right) => left[0] - right[0])
    this.#spilled.clear()
    for (const [key, value] of sorted) this.#spilled.set(key, value)
    this.#isSorted = true
    this.#lowestSpilled = 0
    this.#spilledKeys = this.#spilled.keys()
  }

  #findLowestSpilled(): number {
    if (!this.#isSorted) this.#sort()
    if (this.#spilled.has(this.#lowestSpilled)) return this.#lowestSpilled
    let next = this.#spilledKeys.next()
    if (next.done === true) {
      this.#spilledKeys = this.#spilled.keys()
      next = this.#spilledKeys.next()
    }
    assert(next.done !== true, "a map that is not empty has a first key")
    this.#lowestSpilled = next.value
    return next.value
  }

  #unspill(tag: number, into: Unacked): boolean {
    const entry = this.#spilled.get(tag)
    if (entry === undefined) return false
    this.#spilled.delete(tag)
    into.fill(entry.source, entry.segment, entry.position, entry.size, entry.bodySize)
    return true
  }

  #advance(): void {
    if (this.#ringCount === 0) {
      this.#lowest = this.#next
      return
    }
    const columns = this.#columns
    let tag = this.#lowest + 1
    while (columns[(tag & this.#mask) * STRIDE] === 0) tag++
    this.#lowest = tag
  }

  /** Makes the ring reach `tag`, by moving the oldest entries out if the ring is mostly holes, else by growing. */
  #makeRoom(tag: number): void {
    const capacity = this.#mask + 1
    const distance = tag - this.#lowest
    if (distance >= SPILL_DISTANCE && this.#ringCount * 4 < distance) {
      const keepFrom = tag - capacity / 2
      while (this.#ringCount > 0 && this.#lowest < keepFrom) this.#spillLowest()
      if (this.#ringCount === 0) {
        this.#lowest = tag
        this.#next = tag
      }
      if (tag - this.#lowest <= this.#mask) return
    }
    let larger = capacity
    while (tag - this.#lowest >= larger) larger *= 2
    const columns = new Uint32Array(larger * STRIDE)
    const mask = larger - 1
    for (let from = this.#lowest; from < this.#next; from++) {
      const at = (from & this.#mask) * STRIDE
      columns.set(this.#columns.subarray(at, at + STRIDE), (from & mask) * STRIDE)
    }
    this.#columns = columns
    this.#mask = mask
  }

  #spillLowest(): void {
    const tag = this.#lowest
    const entry = new Unacked()
    const taken = this.take(tag, entry)
    assert(taken, "the lowest tag must be outstanding")
    this.#spilled.set(tag, entry)
  }
}
