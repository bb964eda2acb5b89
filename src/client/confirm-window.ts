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
    const tag = this.nextTag++
    if (tag - this.#oldestTag >= this.#waiting.length) this.#grow()
    this.#waiting[tag & (this.#waiting.length - 1)] = 1
    this.unconfirmedCount++
    return tag
  }

  addMany(count: number): void {
    for (let i = 0; i < count; i++) this.add()
  }

  /** True if `tag` was published. One that was answered before counts for nothing. */
  settle(tag: number, multiple: boolean, isAck: boolean): boolean {
    if (tag >= this.nextTag) return false
    const before = this.unconfirmedCount
    if (multiple) {
      const last = tag === 0 ? this.nextTag - 1 : tag
      for (let at = this.#oldestTag; at <= last; at++) this.#clear(at)
    } else if (tag >= this.#oldestTag) this.#clear(tag)
    this.#moveOldest()
    if (!isAck) this.nackedCount += before - this.unconfirmedCount
    return true
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
    for (let tag = this.#oldestTag; tag < this.nextTag - 1; tag++)
      larger[tag & (larger.length - 1)] = old[tag & (old.length - 1)]!
    this.#waiting = larger
  }
}
