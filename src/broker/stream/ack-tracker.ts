/**
 * How far one consumer has come: the offsets that were delivered to it and are not acknowledged. It goes
 * on, after a restart, with the lowest of them; so nothing that it did not acknowledge is skipped.
 *
 * Deliveries have keys, which rise by the size of the message, as if what the consumer gets lay in one
 * file: so a session sees neighbours and acknowledges them in one go. Acknowledgements come in any order;
 * those behind an outstanding delivery wait for it.
 */
const CAPACITY_MIN = 16

/** Acknowledgements bring so many values of the key back. */
export const KEY_RANGE: number = 2 ** 44

export class AckTracker {
  readonly tag: string
  /** In the stream's list of trackers. */
  readonly id: number
  /** The consumer is gone; what it has not acknowledged may still be. */
  isDetached = false
  /** Rings. The offset of an acknowledged delivery is negative until those before it are settled. */
  #offsets = new Float64Array(CAPACITY_MIN)
  #keys = new Float64Array(CAPACITY_MIN)
  #mask = CAPACITY_MIN - 1
  #head = 0
  #tail = 0
  /** Behind the last one that was delivered. */
  #nextOffset: number

  constructor(tag: string, id: number, startOffset: number) {
    this.tag = tag
    this.id = id
    this.#nextOffset = startOffset
  }

  get isEmpty(): boolean {
    return this.#head === this.#tail
  }

  /** With which offset the consumer would go on. */
  get resumeOffset(): number {
    return this.isEmpty ? this.#nextOffset : this.#offsets[this.#head & this.#mask]!
  }

  /** `count` messages with offsets from this one on, whose keys lie `size` apart. */
  deliver(offset: number, key: number, size: number, count: number): void {
    while (this.#tail - this.#head + count > this.#mask + 1) this.#grow()
    for (let i = 0; i < count; i++) {
      const at = this.#tail & this.#mask
      this.#offsets[at] = offset + i
      this.#keys[at] = key + i * size
      this.#tail++
    }
    this.#nextOffset = offset + count
  }

  /**
   * `count` deliveries, one after the other from the one with this key on, are settled. Only the low bits
   * of the key count (KEY_RANGE). True if the consumer has come further by that.
   */
  settle(lowKey: number, count: number): boolean {
    if (this.isEmpty) return false
    const base = this.#keys[this.#head & this.#mask]!
    const distance = (lowKey - base) % KEY_RANGE
    const key = base + (distance < 0 ? distance + KEY_RANGE : distance)
    let index = key === base ? this.#head : this.#find(key)
    if (index < 0) return false
    const offsets = this.#offsets
    const mask = this.#mask
    for (let i = 0; i < count && index < this.#tail; i++, index++) {
      const at = index & mask
      if (offsets[at]! >= 0) offsets[at] = -1 - offsets[at]!
    }
    const before = this.#head
    while (this.#head < this.#tail && offsets[this.#head & mask]! < 0) this.#head++
    return this.#head > before
  }

  #find(key: number): number {
    let low = this.#head
    let high = this.#tail - 1
    while (low <= high) {
      const middle = Math.floor((low + high) / 2)
      const found = this.#keys[middle & this.#mask]!
      if (found === key) return middle
      if (found < key) low = middle + 1
      else high = middle - 1
    }
    return -1
  }

  #grow(): void {
    const count = this.#tail - this.#head
    const offsets = new Float64Array(this.#offsets.length * 2)
    const keys = new Float64Array(offsets.length)
    for (let i = 0; i < count; i++) {
      const at = (this.#head + i) & this.#mask
      offsets[i] = this.#offsets[at]!
      keys[i] = this.#keys[at]!
    }
    this.#offsets = offsets
    this.#keys = keys
    this.#mask = offsets.length - 1
    this.#head = 0
    this.#tail = count
  }
}
