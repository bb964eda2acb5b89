import { equalBytes, type Chunk } from "../../util/bytes.ts"
import type { StoredMessage } from "../message.ts"
import { EMPTY_CHUNK } from "../read-window.ts"
import {
  HOLE_SIZE_MIN,
  holeSize,
  isRecordWord,
  isTrailerWord,
  readRecord,
  readTimestampMs,
  RECORD_HEADER_SIZE,
  RECORD_LIKENESS_OFFSET,
  RECORD_SIZE_MIN,
  SEGMENT_HEADER_SIZE,
  TRAILER_SIZE,
} from "../record.ts"
import { WINDOW_SIZE_MAX, WINDOW_SIZE_MIN } from "./stream-cache.ts"
import type { StreamSegment } from "./stream-segment.ts"

/**
 * A place in a stream, of one consumer: segment, position and the offset of the message there. Reads
 * from the tail's own chunk or from a shared window into the file; owns no memory. What it needs of the
 * stream is StreamSource; damage is the stream's business.
 */
export const READ_END = 0
export const READ_MESSAGE = 1
/** The disk does not give the next message at present. */
export const READ_STALLED = 2

const LOOK_MESSAGE = 0
const LOOK_AGAIN = 1
const LOOK_CORRUPT = 2

export interface StreamBytes {
  readonly chunk: Chunk
  /** Position of the chunk's first byte, and behind the last one that counts. */
  readonly start: number
  readonly end: number
}

/** What a reader needs of its stream. */
export interface StreamSource {
  readonly segments: readonly StreamSegment[]
  readonly nextOffset: number
  /** Position behind the last byte of the segment, in its file or in the tail. */
  endOf(segment: StreamSegment): number
  /** The position is in the tail's chunk. */
  isInTail(segment: StreamSegment, position: number): boolean
  /** At least `need` bytes from `position` on. Throws StorageError. */
  bytesAt(segment: StreamSegment, position: number, need: number, wanted: number): StreamBytes
  /** Throws StorageError. */
  lostMessages(segment: StreamSegment, position: number, size: number): number
  /** Checks a segment that an earlier process wrote. Throws StorageError. */
  verify(segment: StreamSegment): void
  /** What stands at the position is no message: sets it aside. Throws StorageError. */
  repair(segment: StreamSegment, position: number): void
  /** True if the read is to be tried again later; else the rest of the segment is given up. */
  noteFailure(segment: StreamSegment, error: unknown): boolean
  isPaused(segment: StreamSegment): boolean
}

export class StreamReader {
  /** Null: before the first segment, in a stream that has none. */
  segment: StreamSegment | null = null
  position = 0
  /** Of the next message. */
  offset = 0
  readonly #source: StreamSource
  /** The bytes [base, end) of the segment. Only for one batch: begin() forgets them. */
  #chunk: Chunk = EMPTY_CHUNK
  #base = 0
  #end = 0
  /** Bytes to read at a time: more while it reads on, few again when its window is gone before it was read. */
  #wanted = WINDOW_SIZE_MIN
  /** Where it is to start, while the disk has not let it get there; else 0. */
  #startOffset = 0
  #startMs = 0
  /** Range of the last window. */
  #windowStart = 0
  #windowEnd = 0

  constructor(source: StreamSource) {
    this.#source = source
  }

  /**
   * Before each batch: in between, memory may have gone to others. False if the disk does not let it get
   * to where it was to start.
   */
  begin(): boolean {
    this.#end = 0
    if (this.#startOffset > 0) this.skipTo(this.#startOffset)
    else if (this.#startMs > 0) this.skipToTime(this.#startMs)
    return this.#startOffset === 0 && this.#startMs === 0
  }

  moveTo(segment: StreamSegment | null, position: number, offset: number): void {
    this.segment = segment
    this.position = position
    this.offset = offset
    this.#end = 0
    this.#windowStart = 0
    this.#windowEnd = 0
  }

  /**
   * Describes the next message in `into` and moves on. `into.addedValue` is its offset. Valid until
   * the next call that reads from any stream.
   */
  read(into: StoredMessage): number {
    let at = this.position
    let size = 0
    // One condition for the usual case: a whole message is in memory.
    if (at + RECORD_SIZE_MIN <= this.#end) size = this.#chunk.view.getInt32(at - this.#base, true)
    if (size < RECORD_SIZE_MIN || at + size > this.#end) {
      const state = this.#prepare()
      if (state !== READ_MESSAGE) return state
      at = this.position
      size = this.#chunk.view.getInt32(at - this.#base, true)
    }
    if (!readRecord(this.#chunk, at - this.#base, size, into))
      return this.#tryRepair() ? this.read(into) : READ_STALLED
    into.redelivered = false
    into.addedValue = this.offset
    this.position = at + size
    this.offset++
    return READ_MESSAGE
  }

  /**
   * Skips up to `count` messages that are like the one read before them, but for their bodies and the
   * low half of their times, and lie directly behind it. Returns how many.
   */
  skipRepeats(before: StoredMessage, count: number): number {
    const chunk = this.#chunk
    const { size } = before
    const start = this.position - this.#base
    const head = start - size + RECORD_LIKENESS_OFFSET
    const headSize =
      before.bodyStart - before.routeStart + RECORD_HEADER_SIZE - RECORD_LIKENESS_OFFSET
    const countMax = Math.min(count, Math.floor((this.#end - this.position) / size))
    let skipped = 0
    let at = start
    while (
      skipped < countMax &&
      chunk.view.getInt32(at, true) === size &&
      equalBytes(chunk, at + RECORD_LIKENESS_OFFSET, chunk, head, headSize)
    ) {
      at += size
      skipped++
    }
    this.position = this.#base + at
    this.offset += skipped
    return skipped
  }

  /** Brings a whole message to the position: over trailers, holes and segments. */
  #prepare(): number {
    const source = this.#source
    for (;;) {
      const { segment } = this
      if (segment === null || segment.isRemoved) {
        if (!this.#jump()) return READ_END
        continue
      }
      if (this.position >= source.endOf(segment) || segment.isGivenUp) {
        if (!this.#nextSegment(segment)) return READ_END
        continue
      }
      // What is in memory needs neither the disk nor a check.
      const isInFile = !source.isInTail(segment, this.position)
      if (isInFile && source.isPaused(segment)) return READ_STALLED
      try {
        if (isInFile && segment.file.unverified) source.verify(segment)
        const found = this.#look(segment)
        if (found === LOOK_MESSAGE) {
          segment.failures = 0
          return READ_MESSAGE
        }
        if (found === LOOK_CORRUPT) this.#repair(segment)
      } catch (error) {
        this.#end = 0
        if (source.noteFailure(segment, error)) return READ_STALLED
      }
    }
  }

  /** To the first segment: it had none, or its own was removed. Offsets never go back. */
  #jump(): boolean {
    const [first] = this.#source.segments
    if (first === undefined) {
      this.moveTo(null, 0, Math.max(this.offset, this.#source.nextOffset))
      return false
    }
    this.moveTo(first, SEGMENT_HEADER_SIZE, first.firstOffset)
    return true
  }

  #nextSegment(segment: StreamSegment): boolean {
    const { segments } = this.#source
    // Numbers are nearly dense, and most readers are near the end.
    let at = segments.length - 1
    if (segments[at] === segment) return false
    while (at > 0 && segments[at - 1]!.file.number > segment.file.number) at--
    const next = segments[at]
    if (next === undefined) return false
    this.moveTo(next, SEGMENT_HEADER_SIZE, next.firstOffset)
    return true
  }

  #look(segment: StreamSegment): number {
    const source = this.#source
    const dataEnd = source.endOf(segment)
    const at = this.position
    if (dataEnd - at < HOLE_SIZE_MIN) return LOOK_CORRUPT
    if (at + HOLE_SIZE_MIN > this.#end) this.#load(segment, HOLE_SIZE_MIN)
    const { view } = this.#chunk
    const word = view.getInt32(at - this.#base, true)
    if (isRecordWord(word)) {
      if (at + word > dataEnd) return LOOK_CORRUPT
      if (at + word > this.#end) this.#load(segment, word)
      return LOOK_MESSAGE
    }
    let size = TRAILER_SIZE
    if (!isTrailerWord(word)) {
      size = holeSize(word, view.getUint32(at - this.#base + 4, true))
      if (size === 0 || at + size > dataEnd) return LOOK_CORRUPT
      this.offset += source.lostMessages(segment, at, size)
    } else if (at + size > dataEnd) return LOOK_CORRUPT
    this.position = at + size
    return LOOK_AGAIN
  }

  #load(segment: StreamSegment, need: number): void {
    const at = this.position
    if (at === this.#windowEnd || (at > this.#windowStart && at + need > this.#windowEnd))
      this.#wanted = Math.min(this.#wanted * 4, WINDOW_SIZE_MAX)
    else if (at < this.#windowStart || at > this.#windowEnd) this.#wanted = WINDOW_SIZE_MIN
    this.#end = 0
    const bytes = this.#source.bytesAt(segment, at, need, this.#wanted)
    // Read again from the middle of what was in memory: there are more readers than memory.
    const wasEvicted = bytes.start === at && at > this.#windowStart && at + need <= this.#windowEnd
    if (wasEvicted) this.#wanted = WINDOW_SIZE_MIN
    this.#chunk = bytes.chunk
    this.#base = bytes.start
    this.#end = bytes.end
    this.#windowStart = bytes.start
    this.#windowEnd = bytes.end
  }

  #tryRepair(): boolean {
    const { segment } = this
    if (segment === null) return true
    try {
      this.#repair(segment)
      return true
    } catch (error) {
      this.#end = 0
      return !this.#source.noteFailure(segment, error)
    }
  }

  /** A damaged range may begin before the position: walks there anew from the start. Throws StorageError. */
  #repair(segment: StreamSegment): void {
    const { position, offset } = this
    this.#end = 0
    this.#source.repair(segment, position)
    if (segment.isGivenUp) return
    this.moveTo(segment, SEGMENT_HEADER_SIZE, segment.firstOffset)
    while (this.segment === segment && this.position < position && this.#prepare() === READ_MESSAGE)
      if (this.segment === segment && this.position < position) this.#skipOne()
    // What is damaged now may not tell any more how many messages it held: offsets never go back.
    if (this.segment === segment) this.offset = Math.max(this.offset, offset)
  }

  #skipOne(): void {
    this.position += this.#chunk.view.getInt32(this.position - this.#base, true)
    this.offset++
  }

  /** Moves on to the first message with this offset or a higher one, or to the end. */
  skipTo(offset: number): void {
    this.#startOffset = offset
    while (this.offset < offset) {
      const state = this.#prepare()
      if (state === READ_STALLED) return
      if (state === READ_END) break
      if (this.offset < offset) this.#skipOne()
    }
    this.#startOffset = 0
  }

  /** Moves on to the first message that is not older. */
  skipToTime(timestampMs: number): void {
    this.#startMs = timestampMs
    for (;;) {
      const state = this.#prepare()
      if (state === READ_STALLED) return
      if (state === READ_END) break
      const at = this.position - this.#base
      if (readTimestampMs(this.#chunk.view, at) >= timestampMs) break
      this.#skipOne()
    }
    this.#startMs = 0
  }
}
