/**
 * Messages that came back: a binary heap by (segment, position) in one typed array, 20 bytes per run. A run is
 * messages of one size that lie one directly behind the other, as what a consumer gives back at one time
 * often does: 100,000 of them cost what a few do. Runs do not overlap, so the head of the lowest is the lowest.
 *
 * A heap and not a sorted list, because consumers give back in any order while others take the
 * lowest: push and pop are 100 to 200 ns at 100,000 entries, whatever the order (store.bench.ts).
 */
const STRIDE = 5
const CAPACITY_MIN = 16

export class RequeueHeap {
  /** Messages. */
  count = 0
  #runCount = 0
  #columns = new Uint32Array(CAPACITY_MIN * STRIDE)

  /** The lowest message. Only valid while count > 0. */
  get segment(): number {
    return this.#columns[0]!
  }

  get position(): number {
    return this.#columns[1]!
  }

  get size(): number {
    return this.#columns[2]!
  }

  get bodySize(): number {
    return this.#columns[3]!
  }

  /** A copy that can be popped without changing this one. */
  clone(): RequeueHeap {
    const copy = new RequeueHeap()
    copy.count = this.count
    copy.#runCount = this.#runCount
    copy.#columns = this.#columns.slice(0, Math.max(CAPACITY_MIN, this.#runCount) * STRIDE)
    return copy
  }

  /** A run of `length` messages. */
  push(segment: number, position: number, size: number, bodySize: number, length: number): void {
    let columns = this.#columns
    this.count += length
    if (this.#runCount * STRIDE === columns.length) {
      const larger = new Uint32Array(columns.length * 2)
      larger.set(columns)
      columns = larger
      this.#columns = larger
    }
    let at = this.#runCount++
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!isBefore(segment, position, columns, parent)) break
      moveEntry(columns, parent, at)
      at = parent
    }
    place(columns, at, segment, position, size, bodySize, length)
  }

  /** Removes the lowest message. */
  pop(): void {
    const columns = this.#columns
    this.count--
    if (columns[4]! > 1) {
      columns[1]! += columns[2]!
      columns[4]!--
      return
    }
    const last = --this.#runCount
    if (last === 0) return
    const segment = columns[last * STRIDE]!
    const position = columns[last * STRIDE + 1]!
    const size = columns[last * STRIDE + 2]!
    const bodySize = columns[last * STRIDE + 3]!
    const length = columns[last * STRIDE + 4]!
    let at = 0
    for (;;) {
      let child = at * 2 + 1
      if (child >= last) break
      if (child + 1 < last && isEntryBefore(columns, child + 1, child)) child++
      if (isBefore(segment, position, columns, child)) break
      moveEntry(columns, child, at)
      at = child
    }
    place(columns, at, segment, position, size, bodySize, length)
  }
}

function isBefore(segment: number, position: number, columns: Uint32Array, other: number): boolean {
  const otherSegment = columns[other * STRIDE]!
  if (segment !== otherSegment) return segment < otherSegment
  return position < columns[other * STRIDE + 1]!
}

function isEntryBefore(columns: Uint32Array, entry: number, other: number): boolean {
  return isBefore(columns[entry * STRIDE]!, columns[entry * STRIDE + 1]!, columns, other)
}

function moveEntry(columns: Uint32Array, from: number, to: number): void {
  columns[to * STRIDE] = columns[from * STRIDE]!
  columns[to * STRIDE + 1] = columns[from * STRIDE + 1]!
  columns[to * STRIDE + 2] = columns[from * STRIDE + 2]!
  columns[to * STRIDE + 3] = columns[from * STRIDE + 3]!
  columns[to * STRIDE + 4] = columns[from * STRIDE + 4]!
}

function place(
  columns: Uint32Array,
  at: number,
  segment: number,
  position: number,
  size: number,
  bodySize: number,
  length: number,
): void {
  columns[at * STRIDE] = segment
  columns[at * STRIDE + 1] = position
  columns[at * STRIDE + 2] = size
  columns[at * STRIDE + 3] = bodySize
  columns[at * STRIDE + 4] = length
}
