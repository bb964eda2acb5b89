import { equalBytes } from "../util/bytes.ts"
import type { Chunk } from "../util/bytes.ts"
import { NO_ACKS } from "./ack-log.ts"
import type { AckRanges } from "./ack-log.ts"
import type { StoredMessage } from "./message.ts"
import { EMPTY_CHUNK, ReadWindow } from "./read-window.ts"
import {
  HOLE_SIZE_MIN,
  holeSize,
  isRecordWord,
  isTrailerWord,
  RECORD_HEADER_SIZE,
  RECORD_LIKENESS_OFFSET,
  SEGMENT_HEADER_SIZE,
  TRAILER_SIZE,
} from "./record.ts"
import { findSegment } from "./segment.ts"
import type { Segment } from "./segment.ts"
import type { StoreContext } from "./store-context.ts"
import type { Tail } from "./tail.ts"

/**
 * Where the next ready message of a store is: a segment, a position in it, and the bytes around it,
 * which are the tail's own chunk or a window into the file. Skips what was settled before the
 * process began. Takes no decisions about damage; message-store.ts does.
 *
 * The hot path (MessageStore.shift) uses the plain fields; prepare() is called when they do not
 * show a whole message: once per batch, window or segment.
 */
export const READ_EMPTY = 0
export const READ_READY = 1
/** What stands at the cursor is no message. */
export const READ_CORRUPT = 2
/** The segment was written by an earlier process and must be verified first. */
export const READ_UNVERIFIED = 3

/** Beyond any position, and still a small integer. */
const NO_SKIP = 0x7fffffff

export class Reader {
  segment: Segment | null = null
  cursor = 0
  /** The bytes [base, …) of the segment; a message that ends at or before `end` is whole. */
  chunk: Chunk = EMPTY_CHUNK
  base = 0
  end = 0
  /** Was used since the last look: it stays for another while. */
  wasUsed = false
  /** Number of a segment that is read although it was not verified. */
  acceptedSegment = 0
  /** As `end`, but not cut at the next range to skip. */
  #sourceEnd = 0
  #skips: AckRanges = NO_ACKS
  #skipIndex = 0
  #skipStart = NO_SKIP
  readonly #window = new ReadWindow()

  get holdsWindow(): boolean {
    return !this.#window.isEmpty
  }

  /**
   * Skips up to `count` messages at the cursor that are like the one before them, but for their bodies
   * and the low half of their times. Returns how many.
   */
  skipRepeats(before: StoredMessage, count: number): number {
    const { chunk, base, cursor } = this
    const { size } = before
    const head = cursor - base - size + RECORD_LIKENESS_OFFSET
    const headSize =
      before.bodyStart - before.routeStart + RECORD_HEADER_SIZE - RECORD_LIKENESS_OFFSET
    const countMax = Math.min(count, Math.floor((this.end - cursor) / size))
    let skipped = 0
    let at = cursor - base
    while (
      skipped < countMax &&
      chunk.view.getInt32(at, true) === size &&
      equalBytes(chunk, at + RECORD_LIKENESS_OFFSET, chunk, head, headSize)
    ) {
      at += size
      skipped++
    }
    this.cursor = base + at
    return skipped
  }

  /** Moves to a position from which nothing is to be skipped. */
  moveTo(segment: Segment | null, position: number): void {
    this.segment = segment
    this.cursor = position
    this.setSkips(NO_ACKS)
    this.forgetSource()
  }

  moveToStart(segment: Segment): void {
    this.moveTo(segment, SEGMENT_HEADER_SIZE)
  }

  /** Settled ranges of the present segment, from before this process. */
  setSkips(ranges: AckRanges): void {
    this.#skips = ranges
    this.#skipIndex = 0
    this.#skipStart = ranges.length === 0 ? NO_SKIP : ranges[0]!
    while (this.#skipStart < this.cursor) {
      const end = this.#skips[this.#skipIndex + 1]!
      if (end > this.cursor) this.cursor = end
      this.#nextSkip()
    }
    this.end = Math.min(this.#sourceEnd, this.#skipStart)
  }

  /** The ranges from the cursor on that it will skip. */
  skipsAhead(): AckRanges {
    return this.#skips.subarray(this.#skipIndex)
  }

  /** The chunk it reads from is not its any more. The window stays loaded. */
  forgetSource(): void {
    this.chunk = EMPTY_CHUNK
    this.base = 0
    this.end = 0
    this.#sourceEnd = 0
  }

  /** The tail has moved to a larger chunk with the same content. */
  replaceChunk(old: Chunk, larger: Chunk): void {
    if (this.chunk === old) this.chunk = larger
  }

  /** Takes over the tail's chunk, because the cursor is in it: the tail goes on in another. */
  adoptWindow(context: StoreContext, chunk: Chunk, start: number, end: number): void {
    this.#window.adopt(context, chunk, this.segment === null ? 0 : this.segment.number, start, end)
    this.#useWindow()
  }

  releaseWindow(context: StoreContext): void {
    if (this.chunk === this.#window.chunk) this.forgetSource()
    this.#window.release(context)
  }

  /** The window's chunk for a message that was handed out before, if it is still in there. */
  windowFor(segment: number, position: number, size: number): ReadWindow | null {
    return this.#window.holds(segment, position, size) ? this.#window : null
  }

  /** Position behind the last byte of the segment, in its file or in the tail. */
  #dataEnd(segment: Segment, tail: Tail): number {
    return tail.segment === segment && tail.chunk !== null ? tail.position : segment.size
  }

  /** Brings a whole message to the cursor, over trailers, holes, settled ranges and segments. Throws StorageError. */
  prepare(context: StoreContext, segments: readonly Segment[], tail: Tail): number {
    this.wasUsed = true
    for (;;) {
      const { segment } = this
      if (segment === null) return READ_EMPTY
      if (segment.unverified && segment.number !== this.acceptedSegment) return READ_UNVERIFIED
      const dataEnd = this.#dataEnd(segment, tail)
      if (this.cursor >= this.#skipStart) this.#skip()
      else if (this.cursor >= dataEnd) {
        if (!this.#nextSegment(segments, segment)) return READ_EMPTY
      } else {
        const state = this.#look(context, segment, tail, dataEnd)
        if (state !== READ_EMPTY) return state
      }
    }
  }

  /** One step: READ_EMPTY means go on. */
  #look(context: StoreContext, segment: Segment, tail: Tail, dataEnd: number): number {
    const at = this.cursor
    if (dataEnd - at < HOLE_SIZE_MIN) return READ_CORRUPT
    if (at + HOLE_SIZE_MIN > this.#sourceEnd) this.#load(context, segment, tail, HOLE_SIZE_MIN)
    const { view } = this.chunk
    const word = view.getInt32(at - this.base, true)
    if (isRecordWord(word)) {
      const end = at + word
      if (end > dataEnd || end > this.#skipStart) return READ_CORRUPT
      if (end > this.#sourceEnd) this.#load(context, segment, tail, word)
      return READ_READY
    }
    const size = isTrailerWord(word)
      ? TRAILER_SIZE
      : holeSize(word, view.getUint32(at - this.base + 4, true))
    if (size === 0 || at + size > dataEnd) return READ_CORRUPT
    this.cursor = at + size
    return READ_EMPTY
  }

  #load(context: StoreContext, segment: Segment, tail: Tail, need: number): void {
    const at = this.cursor
    if (tail.segment === segment && tail.chunk !== null && at >= tail.base) {
      this.#window.release(context)
      this.chunk = tail.chunk
      this.base = tail.base
      this.#setEnd(tail.position)
      return
    }
    this.forgetSource()
    this.#window.load(context, segment, at, need, segment.size)
    this.#useWindow()
  }

  #useWindow(): void {
    this.chunk = this.#window.chunk
    this.base = this.#window.start
    this.#setEnd(this.#window.end)
  }

  #setEnd(end: number): void {
    this.#sourceEnd = end
    this.end = Math.min(end, this.#skipStart)
  }

  #nextSegment(segments: readonly Segment[], segment: Segment): boolean {
    const next = segments[findSegment(segments, segment.number) + 1]
    if (next === undefined) return false
    this.moveToStart(next)
    return true
  }

  #skip(): void {
    this.cursor = Math.max(this.cursor, this.#skips[this.#skipIndex + 1]!)
    this.#nextSkip()
    this.end = Math.min(this.#sourceEnd, this.#skipStart)
  }

  #nextSkip(): void {
    this.#skipIndex += 2
    const { length } = this.#skips
    this.#skipStart = this.#skipIndex < length ? this.#skips[this.#skipIndex]! : NO_SKIP
    if (this.#skipIndex >= length) this.#skips = NO_ACKS
  }
}
