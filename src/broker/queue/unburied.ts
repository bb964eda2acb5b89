import type { DeathReason } from "../dead-letter/deaths.ts"

/**
 * Messages that consumers have rejected, or that have failed too often, and that wait for their turn to
 * become dead letters: a consumer may reject 100,000 with one frame. First in, first out. They count as
 * unacknowledged until then.
 */

/** Four numbers of the message, and which reason. */
const STRIDE = 5
const CAPACITY_MIN = 64

const REASONS: readonly DeathReason[] = ["rejected", "delivery_limit"]

export class UnburiedMessages {
  /** Of the one that next() took. */
  segment = 0
  position = 0
  size = 0
  bodySize = 0
  reason: DeathReason = "rejected"
  #numbers = new Float64Array(CAPACITY_MIN * STRIDE)
  #start = 0
  #end = 0

  get count(): number {
    return (this.#end - this.#start) / STRIDE
  }

  add(
    segment: number,
    position: number,
    size: number,
    bodySize: number,
    reason: DeathReason,
  ): void {
    if (this.#end === this.#numbers.length) this.#makeRoom()
    const numbers = this.#numbers
    const at = this.#end
    numbers[at] = segment
    numbers[at + 1] = position
    numbers[at + 2] = size
    numbers[at + 3] = bodySize
    numbers[at + 4] = REASONS.indexOf(reason)
    this.#end = at + STRIDE
  }

  /** Takes the first one out. False if there is none. */
  next(): boolean {
    if (this.#start === this.#end) return false
    const numbers = this.#numbers
    const at = this.#start
    this.segment = numbers[at]!
    this.position = numbers[at + 1]!
    this.size = numbers[at + 2]!
    this.bodySize = numbers[at + 3]!
    this.reason = REASONS[numbers[at + 4]!]!
    this.#start = at + STRIDE
    return true
  }

  #makeRoom(): void {
    const used = this.#numbers.subarray(this.#start, this.#end)
    // What is half empty is room enough.
    const isFull = used.length * 2 > this.#numbers.length
    const numbers = isFull ? new Float64Array(this.#numbers.length * 2) : this.#numbers
    if (isFull) numbers.set(used)
    else numbers.copyWithin(0, this.#start, this.#end)
    this.#numbers = numbers
    this.#start = 0
    this.#end = used.length
  }
}
