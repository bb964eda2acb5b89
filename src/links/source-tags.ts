/**
 * Which delivery of the source a publish at the destination came from, while its confirm is awaited:
 * a ring of delivery tags by confirm tag. Allocates nothing once it is as large as the prefetch.
 */

/** A power of two; small, because there may be many links that do nothing. */
const CAPACITY = 16

export class SourceTags {
  /** 0 where it is settled. */
  #tags = new Float64Array(CAPACITY)
  /** The first confirm tag that is not settled. */
  #oldest = 1
  #last = 0

  /** Publishes without a confirm so far. */
  get span(): number {
    return this.#last - this.#oldest + 1
  }

  /** The next publish; confirm tags count from 1. */
  add(sourceTag: number): void {
    if (this.span === this.#tags.length) this.#grow()
    this.#last++
    this.#tags[this.#last & (this.#tags.length - 1)] = sourceTag
  }

  /** The delivery of that confirm tag; 0 if it is settled or was never published. */
  at(confirmTag: number): number {
    if (confirmTag < this.#oldest || confirmTag > this.#last) return 0
    return this.#tags[confirmTag & (this.#tags.length - 1)]!
  }

  /**
   * Forgets the publishes that a confirm is about (0 with `multiple` means all so far) and tells which
   * deliveries they were: with `asOne` the last of them for all before it, unless that one is settled.
   */
  confirm(
    confirmTag: number,
    multiple: boolean,
    asOne: boolean,
    settle: (sourceTag: number, multiple: boolean, count: number) => void,
  ): void {
    const isBeyond = multiple && (confirmTag === 0 || confirmTag > this.#last)
    const last = isBeyond ? this.#last : confirmTag
    const isOne = !multiple || (asOne && this.at(last) !== 0)
    for (let tag = isOne ? last : this.#oldest; tag <= last; tag++) {
      const sourceTag = this.at(tag)
      if (sourceTag !== 0) settle(sourceTag, isOne && multiple, this.settle(tag, isOne && multiple))
    }
  }

  /** Forgets the confirm tag, or with `multiple` all up to it. Returns how many were not settled before. */
  settle(confirmTag: number, multiple: boolean): number {
    const mask = this.#tags.length - 1
    let count = 0
    for (let tag = multiple ? this.#oldest : confirmTag; tag <= confirmTag; tag++) {
      if (this.at(tag) === 0) continue
      this.#tags[tag & mask] = 0
      count++
    }
    while (this.#oldest <= this.#last && this.#tags[this.#oldest & mask] === 0) this.#oldest++
    return count
  }

  #grow(): void {
    const larger = new Float64Array(this.#tags.length * 2)
    for (let tag = this.#oldest; tag <= this.#last; tag++)
      larger[tag & (larger.length - 1)] = this.#tags[tag & (this.#tags.length - 1)]!
    this.#tags = larger
  }
}
