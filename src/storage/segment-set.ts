import { assert } from "../util/assert.ts"
import type { StorageError } from "./disk.ts"
import { asStorageError, removeSegmentFiles, writePendingAcks } from "./segment-files.ts"
import { findSegment } from "./segment.ts"
import type { Segment } from "./segment.ts"
import type { StoreContext } from "./store-context.ts"
import { REMOVALS_MAX } from "./store-deletion.ts"
import type { Tail } from "./tail.ts"

/**
 * The segments of a store, and what of them is settled. settle() runs per message and allocates
 * nothing; the files follow at the end of the turn.
 */
export class SegmentSet {
  /** In ascending order. The last one is the tail's, if the tail has one. */
  readonly list: Segment[] = []
  /** Some segment may have nothing left that is not settled. */
  hasFinished = false
  readonly #tail: Tail
  /** The next ack is most likely in the segment of the last one. */
  #latest: Segment | null = null
  /** Those with acks that their files do not have. */
  readonly #acked: Segment[] = []

  constructor(tail: Tail) {
    this.#tail = tail
  }

  /** The segment of a message that was handed out. It cannot be gone. */
  find(number: number): Segment {
    const latest = this.#latest
    if (latest !== null && latest.number === number) return latest
    const segment = this.list[findSegment(this.list, number)]
    assert(segment !== undefined, "a handed-out message keeps its segment")
    this.#latest = segment
    return segment
  }

  /** Settles the `count` messages in these `size` bytes, which have nothing between them. */
  settle(segment: Segment, position: number, size: number, count: number, bodyBytes: number): void {
    if (position === segment.pendingEnd && segment.pendingCount > 0) {
      segment.pendingEnd = position + size
      segment.pendingCount += count
      segment.pendingBytes += bodyBytes
    } else segment.beginRange(position, position + size, count, bodyBytes)
    this.#count(segment, position, count, bodyBytes)
  }

  /**
   * Settles all messages from `start` on, in the segment's file or in the unwritten batch, but not in
   * both: these are `count` messages. A range in the file must end before the last trailer, so that no
   * later ack becomes part of it.
   */
  settleRange(segment: Segment, start: number, end: number, count: number, bytes: number): void {
    if (count === 0) return
    segment.beginRange(start, end, count, bytes)
    this.#count(segment, start, count, bytes)
  }

  #count(segment: Segment, position: number, count: number, bodyBytes: number): void {
    const tail = this.#tail
    segment.ackedCount += count
    segment.ackedBytes += bodyBytes
    if (segment === tail.segment && position >= tail.batchPosition) {
      tail.ackedCount += count
      tail.ackedBytes += bodyBytes
    }
    if (segment.sealed && segment.ackedCount === segment.messageCount) this.hasFinished = true
    if (segment.acksDirty) return
    segment.acksDirty = true
    this.#acked.push(segment)
  }

  /** Appends what was settled since the last call to the ack files. */
  writeAcks(context: StoreContext): StorageError | null {
    const segments = this.#acked
    const tail = this.#tail
    let failure: StorageError | null = null
    let kept = 0
    for (let i = 0; i < segments.length; i++) {
      const segment = segments[i]!
      // Acks of messages that are not in the file must not be in the ack file: their positions may
      // be given to other messages.
      let isWritten = segment !== tail.segment || tail.count === 0
      try {
        if (isWritten) writePendingAcks(context, segment)
      } catch (error) {
        isWritten = false
        failure = asStorageError(error)
      }
      if (isWritten) segment.acksDirty = false
      else segments[kept++] = segment
    }
    segments.length = kept
    return failure
  }

  /**
   * Removes segments that have nothing left but settled messages; not the reader's. If these are many,
   * `hasFinished` stays true: the rest is for the next turn.
   */
  removeFinished(context: StoreContext, read: Segment | null): StorageError | null {
    if (!this.hasFinished) return null
    this.hasFinished = false
    let left = REMOVALS_MAX
    try {
      for (let i = this.list.length - 1; i >= 0; i--) {
        const segment = this.list[i]!
        if (!segment.isFinished || segment === read) continue
        if (left-- === 0) {
          this.hasFinished = true
          break
        }
        this.#remove(context, i)
      }
      return null
    } catch (error) {
      this.hasFinished = true
      return asStorageError(error)
    }
  }

  /** Removes all; they must have nothing but settled messages. What the disk refuses to remove stays. */
  removeAll(context: StoreContext): StorageError | null {
    try {
      while (this.list.length > 0) this.#remove(context, this.list.length - 1)
      return null
    } catch (error) {
      return asStorageError(error)
    }
  }

  /** Forgets the segments, not their files. */
  clear(): void {
    this.list.length = 0
    this.#acked.length = 0
    this.#latest = null
  }

  #remove(context: StoreContext, index: number): void {
    const segment = this.list[index]!
    removeSegmentFiles(context, segment)
    this.list.splice(index, 1)
    segment.clearPending()
    if (this.#latest === segment) this.#latest = null
    if (!segment.acksDirty) return
    segment.acksDirty = false
    this.#acked.splice(this.#acked.indexOf(segment), 1)
  }
}
