/**
 * Which message is due when: a binary heap by due time, and by place among equal ones, which is the
 * order in which they came. 24 bytes per message in columns of chunks, so that a million of them grow
 * by small steps and nothing is ever copied to a larger place.
 *
 * Knows times and places and nothing of messages.
 */
const CHUNK_BITS = 14
const CHUNK_SIZE = 1 << CHUNK_BITS
const CHUNK_MASK = CHUNK_SIZE - 1

/** Segment, position, size of the record, size of the body. */
const STRIDE = 4

/** Up to so many of the first entries are found by walking down the heap, more by selection. */
const WALKED_MAX = 500

/** Entries of one chunk. */
interface Columns {
  readonly times: Float64Array
  readonly places: Uint32Array
}

/** One entry, copied out. */
export class DueEntry {
  dueMs = 0
  segment = 0
  position = 0
  size = 0
  bodySize = 0
}

export class DueIndex {
  count = 0
  readonly #chunks: Columns[] = []

  /** When the first one is due; Infinity if there is none. */
  get firstMs(): number {
    return this.count === 0 ? Infinity : this.#timeOf(0)
  }

  push(dueMs: number, segment: number, position: number, size: number, bodySize: number): void {
    if (this.count >> CHUNK_BITS === this.#chunks.length)
      this.#chunks.push({
        times: new Float64Array(CHUNK_SIZE),
        places: new Uint32Array(CHUNK_SIZE * STRIDE),
      })
    let at = this.count++
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!this.#isBefore(dueMs, segment, position, parent)) break
      this.#move(parent, at)
      at = parent
    }
    this.#place(at, dueMs, segment, position, size, bodySize)
  }

  /** Removes the first entry and copies it out. There must be one. */
  pop(into: DueEntry): void {
    this.#copy(0, into)
    this.#removeAt(0)
  }

  /** Removes the entry of this place. False if there is none. Looks at all of them: 3 ms for a million. */
  remove(segment: number, position: number, into: DueEntry): boolean {
    const at = this.#find(segment, position)
    if (at < 0) return false
    this.#copy(at, into)
    this.#removeAt(at)
    return true
  }

  #find(segment: number, position: number): number {
    for (let start = 0, chunk = 0; start < this.count; start += CHUNK_MASK + 1, chunk++) {
      const { places } = this.#chunks[chunk]!
      const end = Math.min(this.count - start, CHUNK_MASK + 1) * STRIDE
      for (let offset = 0; offset < end; offset += STRIDE)
        if (places[offset + 1] === position && places[offset] === segment)
          return start + offset / STRIDE
    }
    return -1
  }

  /** All entries, in no order. The entry is valid during the visit only. */
  forEach(visit: (entry: DueEntry) => void): void {
    const entry = new DueEntry()
    for (let at = 0; at < this.count; at++) {
      this.#copy(at, entry)
      visit(entry)
    }
  }

  clear(): void {
    this.count = 0
    this.#chunks.length = 0
  }

  /** Up to `limit` entries from the one at `skip` on, in order. Changes nothing. */
  list(skip: number, limit: number): DueEntry[] {
    const end = Math.min(skip + limit, this.count)
    if (end <= skip) return []
    const order = end <= WALKED_MAX ? this.#walk(end) : this.#select(skip, end)
    const entries: DueEntry[] = []
    for (const at of order.slice(order.length - (end - skip))) {
      const entry = new DueEntry()
      this.#copy(at, entry)
      entries.push(entry)
    }
    return entries
  }

  // ---- order

  /** Indexes of the first `count` entries, in order: the next is always a child of one before. */
  #walk(count: number): number[] {
    const order: number[] = []
    const candidates = [0]
    while (order.length < count) {
      let first = 0
      for (let i = 1; i < candidates.length; i++)
        if (this.#compare(candidates[i]!, candidates[first]!) < 0) first = i
      const at = candidates[first]!
      order.push(at)
      candidates.splice(first, 1)
      for (const child of [at * 2 + 1, at * 2 + 2]) if (child < this.count) candidates.push(child)
    }
    return order
  }

  /** Indexes of the entries [skip, end), in order, by halving the range that holds them. */
  #select(skip: number, end: number): Uint32Array {
    const order = new Uint32Array(this.count)
    for (let i = 0; i < order.length; i++) order[i] = i
    this.#partition(order, skip)
    this.#partition(order.subarray(skip), end - skip)
    return order.subarray(skip, end).toSorted((left, right) => this.#compare(left, right))
  }

  /** Puts the first `count` before the others. No two entries are equal. */
  #partition(order: Uint32Array, count: number): void {
    let low = 0
    let high = order.length - 1
    while (low < high) {
      const pivot = order[(low + high) >> 1]!
      let left = low
      let right = high
      while (left <= right) {
        while (this.#compare(order[left]!, pivot) < 0) left++
        while (this.#compare(order[right]!, pivot) > 0) right--
        if (left > right) break
        const swapped = order[left]!
        order[left++] = order[right]!
        order[right--] = swapped
      }
      if (count <= right) high = right
      else if (count >= left) low = left
      else return
    }
  }

  #compare(left: number, right: number): number {
    const byTime = this.#timeOf(left) - this.#timeOf(right)
    if (byTime !== 0) return byTime
    const a = this.#chunkOf(left).places
    const b = this.#chunkOf(right).places
    const from = (left & CHUNK_MASK) * STRIDE
    const to = (right & CHUNK_MASK) * STRIDE
    return a[from]! - b[to]! || a[from + 1]! - b[to + 1]!
  }

  #isBefore(dueMs: number, segment: number, position: number, at: number): boolean {
    const time = this.#timeOf(at)
    if (dueMs !== time) return dueMs < time
    const { places } = this.#chunkOf(at)
    const offset = (at & CHUNK_MASK) * STRIDE
    if (segment !== places[offset]) return segment < places[offset]!
    return position < places[offset + 1]!
  }

  // ---- entries

  #removeAt(hole: number): void {
    const last = --this.count
    const entry = scratch
    if (hole !== last) {
      this.#copy(last, entry)
      this.#refill(hole, entry, last)
    }
    // One empty chunk is kept, so that a border crossed to and fro costs nothing.
    const needed = (last >> CHUNK_BITS) + 2
    if (this.#chunks.length > needed) this.#chunks.length = needed
  }

  /** Puts the entry where the heap's order wants it, from a hole on, up or down. */
  #refill(hole: number, entry: DueEntry, count: number): void {
    const { dueMs, segment, position, size, bodySize } = entry
    let at = hole
    while (at > 0 && this.#isBefore(dueMs, segment, position, (at - 1) >> 1)) {
      const parent = (at - 1) >> 1
      this.#move(parent, at)
      at = parent
    }
    for (;;) {
      let child = at * 2 + 1
      if (child >= count) break
      if (child + 1 < count && this.#compare(child + 1, child) < 0) child++
      if (this.#isBefore(dueMs, segment, position, child)) break
      this.#move(child, at)
      at = child
    }
    this.#place(at, dueMs, segment, position, size, bodySize)
  }

  #chunkOf(at: number): Columns {
    return this.#chunks[at >> CHUNK_BITS]!
  }

  #timeOf(at: number): number {
    return this.#chunkOf(at).times[at & CHUNK_MASK]!
  }

  #copy(at: number, into: DueEntry): void {
    const { times, places } = this.#chunkOf(at)
    const index = at & CHUNK_MASK
    into.dueMs = times[index]!
    into.segment = places[index * STRIDE]!
    into.position = places[index * STRIDE + 1]!
    into.size = places[index * STRIDE + 2]!
    into.bodySize = places[index * STRIDE + 3]!
  }

  #move(from: number, to: number): void {
    const source = this.#chunkOf(from)
    const target = this.#chunkOf(to)
    const f = from & CHUNK_MASK
    const t = to & CHUNK_MASK
    target.times[t] = source.times[f]!
    for (let i = 0; i < STRIDE; i++) target.places[t * STRIDE + i] = source.places[f * STRIDE + i]!
  }

  #place(
    at: number,
    dueMs: number,
    segment: number,
    position: number,
    size: number,
    bodySize: number,
  ): void {
    const { times, places } = this.#chunkOf(at)
    const index = at & CHUNK_MASK
    times[index] = dueMs
    places[index * STRIDE] = segment
    places[index * STRIDE + 1] = position
    places[index * STRIDE + 2] = size
    places[index * STRIDE + 3] = bodySize
  }
}

/** For one removal at a time. */
const scratch = new DueEntry()
