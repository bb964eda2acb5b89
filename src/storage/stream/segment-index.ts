import { BUFFER_SIZE_MAX } from "../../util/buffer-pool.ts"
import { Chunk } from "../../util/bytes.ts"
import { StorageError } from "../disk.ts"
import {
  HOLE_SIZE_MIN,
  holeSize,
  isRecordWord,
  isTrailerWord,
  readTimestampMs,
  RECORD_HEADER_SIZE,
  RECORD_SIZE_MIN,
  SEGMENT_HEADER_SIZE,
  TRAILER_MARK,
  TRAILER_SIZE,
} from "../record.ts"
import type { StoreContext } from "../store-context.ts"
import type { StreamSegment } from "./stream-segment.ts"

/**
 * Where in a segment an offset or a time is, to within 16 KiB: made by one walk over the file when a
 * consumer asks for a place in its middle, extended when the segment has grown, dropped when memory
 * is wanted (stream-cache.ts). Reading in sequence needs none.
 *
 * Also counts the messages that a damaged range held: offsets behind it must stay what they were. The
 * sizes of its messages and the trailers of its batches say how many these were. A batch of which both
 * are damaged counts as empty; offsets are right again with the next segment.
 */
const INTERVAL_SIZE = 16 << 10

/** Walks read so much at a time. One at a time, and not across turns: one buffer for all. */
let scratch: Chunk | null = null

export class SegmentIndex {
  /** Columns of the entries: a message begins at the position, with that offset and time. */
  readonly positions: number[] = []
  readonly offsets: number[] = []
  readonly timestamps: number[] = []
  /** Walked so far: position and offset of what follows. */
  builtTo = SEGMENT_HEADER_SIZE
  nextOffset: number
  /** First offset of the last batch. */
  lastBatchOffset: number

  constructor(firstOffset: number) {
    this.nextOffset = firstOffset
    this.lastBatchOffset = firstOffset
  }

  /** Index of the last entry at or before the offset, or -1. */
  findOffset(offset: number): number {
    let low = 0
    let high = this.offsets.length - 1
    while (low <= high) {
      const middle = (low + high) >> 1
      if (this.offsets[middle]! <= offset) low = middle + 1
      else high = middle - 1
    }
    return high
  }

  /** Index of the last entry before which all are older, or -1. The clock may have been set back. */
  findTime(timestampMs: number): number {
    const { timestamps } = this
    let at = 0
    while (at < timestamps.length && timestamps[at]! < timestampMs) at++
    return at - 1
  }
}

/** Extends the segment's index over its file, or makes it. Throws StorageError. */
export function buildIndex(context: StoreContext, segment: StreamSegment): SegmentIndex {
  const { file } = segment
  const index = segment.index ?? new SegmentIndex(segment.firstOffset)
  segment.index = index
  if (index.builtTo < file.size) new Walk(context, segment, index).run()
  return index
}

class Walk {
  readonly #context: StoreContext
  readonly #segment: StreamSegment
  readonly #index: SegmentIndex
  readonly #chunk: Chunk
  readonly #fd: number
  #start = 0
  #end = 0

  constructor(context: StoreContext, segment: StreamSegment, index: SegmentIndex) {
    this.#context = context
    this.#segment = segment
    this.#index = index
    this.#chunk = scratch ??= Chunk.allocate(BUFFER_SIZE_MAX)
    this.#fd = context.openFiles.acquire(segment.file.path, false)
  }

  run(): void {
    const index = this.#index
    const { size } = this.#segment.file
    let batchOffset = index.nextOffset
    let lastEntry = index.positions.at(-1) ?? -INTERVAL_SIZE
    let at = index.builtTo
    while (at < size) {
      this.#see(at, Math.min(RECORD_HEADER_SIZE, size - at))
      const { view } = this.#chunk
      const word = view.getInt32(at - this.#start, true)
      if (isRecordWord(word) && at + word <= size) {
        if (at - lastEntry >= INTERVAL_SIZE) {
          this.#addEntry(at)
          lastEntry = at
        }
        index.nextOffset++
        at += word
        continue
      }
      if (isTrailerWord(word)) {
        index.lastBatchOffset = batchOffset
        at += TRAILER_SIZE
      } else {
        const hole = holeSize(word, view.getUint32(at - this.#start + 4, true))
        // What stands here is neither: the reader that gets here will see to it.
        if (hole === 0) break
        index.nextOffset += lostMessages(this.#context, this.#segment, at, hole)
        at += hole
      }
      batchOffset = index.nextOffset
      index.builtTo = at
    }
  }

  #addEntry(at: number): void {
    this.#index.positions.push(at)
    this.#index.offsets.push(this.#index.nextOffset)
    this.#index.timestamps.push(readTimestampMs(this.#chunk.view, at - this.#start))
  }

  #see(at: number, need: number): void {
    if (at >= this.#start && at + need <= this.#end) return
    const { file } = this.#segment
    const length = Math.min(this.#chunk.bytes.length, file.size - at)
    const count = this.#context.disk.read(this.#fd, this.#chunk.bytes, 0, length, at)
    if (count < need) throw new StorageError(file.path, "CORRUPT", "the file is too short")
    this.#start = at
    this.#end = at + count
  }
}

/** Messages that the damaged range of `size` bytes held, as far as its trailers tell. Throws StorageError. */
export function lostMessages(
  context: StoreContext,
  segment: StreamSegment,
  position: number,
  size: number,
): number {
  const known = segment.lostAt?.get(position)
  if (known !== undefined) return known
  // The copy that was set aside is as it was found: a hole has eight bytes of its own.
  let bytes = context.disk.readFile(`${segment.file.path}.${String(position)}.corrupt`)
  if (bytes === null || bytes.length !== size) {
    bytes = Buffer.alloc(size)
    const fd = context.openFiles.acquire(segment.file.path, false)
    context.disk.read(fd, bytes, 0, size, position)
  }
  const lost = countMessages(bytes, position)
  segment.lostAt ??= new Map()
  segment.lostAt.set(position, lost)
  return lost
}

/** Throws StorageError unless each of the ranges, pairs of start and end, is a hole in the file. */
export function requireHoles(
  context: StoreContext,
  segment: StreamSegment,
  ranges: Uint32Array,
): void {
  const { path } = segment.file
  const head = Buffer.alloc(HOLE_SIZE_MIN)
  for (let i = 0; i < ranges.length; i += 2) {
    const start = ranges[i]!
    const size = ranges[i + 1]! - start
    if (size < HOLE_SIZE_MIN) continue
    const fd = context.openFiles.acquire(path, false)
    context.disk.read(fd, head, 0, HOLE_SIZE_MIN, start)
    if (holeSize(head.readInt32LE(0), head.readUInt32LE(4)) !== size)
      throw new StorageError(path, "CORRUPT", "a damaged range could not be set aside")
  }
}

/**
 * The messages of damaged batches; `bytes` begins at `position` of its segment, with a batch. Of a
 * batch either the sizes of its messages lead to its end, or its trailer says how many there are.
 */
export function countMessages(bytes: Buffer, position: number): number {
  let count = 0
  let batch = 0
  while (batch < bytes.length) {
    const trailer = findTrailer(bytes, position, batch)
    const isNext = trailer >= 0 && bytes.readUInt32LE(trailer + 4) === position + batch
    const walked = walkMessages(bytes, position, batch)
    if (walked.count > 0) {
      count += walked.count
      batch = walked.end
    } else if (isNext) {
      count += bytes.readUInt32LE(trailer + 8)
      batch = trailer + TRAILER_SIZE
    } else if (trailer >= 0) {
      // Neither: what lies before the next batch cannot be counted.
      batch = bytes.readUInt32LE(trailer + 4) - position
    } else return count
  }
  return count
}

/** Follows the sizes of messages; a count of 0 if they do not lead to a trailer or to the end. */
function walkMessages(
  bytes: Buffer,
  position: number,
  batch: number,
): { count: number; end: number } {
  let count = 0
  let at = batch
  while (at + RECORD_HEADER_SIZE <= bytes.length) {
    const word = bytes.readInt32LE(at)
    if (!isRecordWord(word) || at + word > bytes.length) break
    count++
    at += word
  }
  const end = at + TRAILER_SIZE
  if (end > bytes.length) return { count: 0, end: 0 }
  const isTrailer =
    isTrailerWord(bytes.readInt32LE(at)) || bytes.readUInt32LE(at + 4) === position + batch
  return end === bytes.length || isTrailer ? { count, end } : { count: 0, end: 0 }
}

/** The first trailer of a batch that begins at `batch` or behind it, or -1. */
function findTrailer(bytes: Buffer, position: number, batch: number): number {
  let at = bytes.indexOf(TRAILER_MARK, batch)
  while (at >= 0 && at + TRAILER_SIZE <= bytes.length) {
    const start = bytes.readUInt32LE(at + 4) - position
    const messages = bytes.readUInt32LE(at + 8)
    if (start >= batch && start < at && messages > 0 && messages * RECORD_SIZE_MIN <= at - start)
      return at
    at = bytes.indexOf(TRAILER_MARK, at + 1)
  }
  return -1
}
