/**
 * Messages that came back: a binary heap by (segment, position) in one typed array, 16 bytes each.
 * A heap and not a sorted list, because consumers give back in any order while others take the
 * lowest: push and pop are 100 to 200 ns at 100,000 entries, whatever the order (store.bench.ts).
 */
const STRIDE = 4
const CAPACITY_MIN = 16

export class RequeueHeap {
  count = 0
  #columns = new Uint32Array(CAPACITY_MIN * STRIDE)

  /** The lowest entry. Only valid while count > 0. */
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
    copy.#columns = this.#columns.slice(0, Math.max(CAPACITY_MIN, this.count) * STRIDE)
    return copy
  }

  push(segment: number, position: number, size: number, bodySize: number): void {
    let columns = this.#columns
    if (this.count * STRIDE === columns.length) {
      const larger = new Uint32Array(columns.length * 2)
      larger.set(columns)
      columns = larger
      this.#columns = larger
    }
    let at = this.count++
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!isBefore(segment, position, columns, parent)) break
      moveEntry(columns, parent, at)
      at = parent
    }
    place(columns, at, segment, position, size, bodySize)
  }

  /** Removes the lowest entry. */
  pop(): void {
    const columns = this.#columns
    const last = --this.count
    if (last === 0) return
    const segment = columns[last * STRIDE]!
    const position = columns[last * STRIDE + 1]!
    const size = columns[last * STRIDE + 2]!
    const bodySize = columns[last * STRIDE + 3]!
    let at = 0
    for (;;) {
      let child = at * 2 + 1
      if (child >= last) break
      if (child + 1 < last && isEntryBefore(columns, child + 1, child)) child++
      if (isBefore(segment, position, columns, child)) break
      moveEntry(columns, child, at)
      at = child
    }
    place(columns, at, segment, position, size, bodySize)
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
}

function place(
  columns: Uint32Array,
  at: number,
  segment: number,
  position: number,
  size: number,
  bodySize: number,
): void {
  columns[at * STRIDE] = segment
  columns[at * STRIDE + 1] = position
  columns[at * STRIDE + 2] = size
  columns[at * STRIDE + 3] = bodySize
}
