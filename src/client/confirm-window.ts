/**
 * Which publishes of a channel in confirm mode the server has not answered yet: one byte for each tag
 * between the oldest unanswered one and the next, in a ring that grows with the window. Allocates
 * nothing per message. Tags rise by one from 1.
 */
const RING_SIZE_MIN = 256

export class ConfirmWindow {
  /** Publishes that were neither confirmed nor refused. */
  unconfirmedCount = 0
  /** Publishes that the server refused with basic.nack. */
  nackedCount = 0
  nextTag = 1
  #oldestTag = 1
  #waiting = new Uint8Array(RING_SIZE_MIN)

  /** The tag of the publish that goes out now. */
  add(): number {
    const tag = this.nextTag
    if (tag - this.#oldestTag >= this.#waiting.length) this.#grow()
    this.nextTag++
    this.#waiting[tag & (this.#waiting.length - 1)] = 1
    this.unconfirmedCount++
    return tag
  }

  addMany(count: number): void {
    const first = this.nextTag
    while (first + count - this.#oldestTag > this.#waiting.length) this.#grow()
    this.nextTag = first + count
    this.unconfirmedCount += count
    this.#fill(first, count, 1)
  }

  /** True if `tag` was published. One that was answered before counts for nothing. */
  settle(tag: number, multiple: boolean, isAck: boolean): boolean {
    if (tag >= this.nextTag) return false
    const before = this.unconfirmedCount
    if (multiple) this.#clearUpTo(tag === 0 ? this.nextTag - 1 : tag)
    else if (tag >= this.#oldestTag) this.#clear(tag)
    this.#moveOldest()
    if (!isAck) this.nackedCount += before - this.unconfirmedCount
    return true
  }

  #clearUpTo(last: number): void {
    const first = this.#oldestTag
    const count = last + 1 - first
    if (count <= 0) return
    if (this.unconfirmedCount < this.nextTag - first) {
      for (let at = first; at <= last; at++) this.#clear(at)
      return
    }
    // None of them was answered out of turn.
    this.unconfirmedCount -= count
    this.#oldestTag = last + 1
    this.#fill(first, count, 0)
  }

  /** Sets the slots of `count` tags, at most as many as there are. */
  #fill(tag: number, count: number, value: number): void {
    const size = this.#waiting.length
    const start = tag & (size - 1)
    const end = start + count
    this.#waiting.fill(value, start, Math.min(end, size))
    if (end > size) this.#waiting.fill(value, 0, end - size)
  }

  #clear(tag: number): void {
    const slot = tag & (this.#waiting.length - 1)
    this.unconfirmedCount -= this.#waiting[slot]!
    this.#waiting[slot] = 0
  }

  #moveOldest(): void {
    const mask = this.#waiting.length - 1
    while (this.#oldestTag < this.nextTag && this.#waiting[this.#oldestTag & mask] === 0)
      this.#oldestTag++
  }

  #grow(): void {
    const old = this.#waiting
    const larger = new Uint8Array(old.length * 2)
    for (let tag = this.#oldestTag; tag < this.nextTag; tag++)
      larger[tag & (larger.length - 1)] = old[tag & (old.length - 1)]!
    this.#waiting = larger
  }
}
