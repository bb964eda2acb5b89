import { crc32 } from "node:zlib"
import { assert } from "../util/assert.ts"
import { BUFFER_SIZE_MAX } from "../util/buffer-pool.ts"
import { Chunk, copyBytes } from "../util/bytes.ts"
import type { IncomingMessage } from "./message.ts"
import {
  readTimestampMs,
  recordBodySize,
  RECORD_HEADER_SIZE,
  SEGMENT_HEADER_SIZE,
  TRAILER_SIZE,
  writeDetachedTrailer,
  writeRecordHeader,
  writeSegmentHeader,
  writeTrailer,
} from "./record.ts"
import type { Segment } from "./segment.ts"
import type { StoreContext } from "./store-context.ts"
import type { StoreDirectory } from "./store-directory.ts"

/** What the tail asks of the store's reader when it gives up a chunk that may still be read from. */
export interface TailReader {
  readonly segment: Segment | null
  readonly cursor: number
  readonly chunk: Chunk
  forgetSource(): void
  replaceChunk(old: Chunk, larger: Chunk): void
  adoptWindow(context: StoreContext, chunk: Chunk, start: number, end: number): void
}

/**
 * The growing end of a store: the last segment and the bytes that its file does not have yet, in the
 * layout of the file, so that a message keeps its position when it is written.
 *
 *   chunk:  | in the file, still read from here | not written: one batch | free |
 *           0                                   written                  used   limit
 *
 * message-store.ts decides when a chunk is given up.
 */
export class Tail {
  segment: Segment | null = null
  chunk: Chunk | null = null
  /** Position in the segment of the chunk's first byte. Without a chunk: of the next message. */
  base = 0
  used = 0
  written = 0
  /** `used` may reach it and leave room for the trailer. */
  limit = 0
  /** Position of the unwritten batch. */
  batchPosition = 0
  count = 0
  bodyBytes = 0
  ackedCount = 0
  ackedBytes = 0
  hasPersistent = false
  /** Offset of the batch's last message. */
  lastOffset = 0
  /** A sync failed, so nobody knows what the disk has of the file: go on in a new segment. */
  mustRoll = false
  readonly #onSyncFailed: () => void

  constructor() {
    this.#onSyncFailed = () => {
      this.mustRoll = true
      this.limit = 0
    }
  }

  /** Position of the next message. */
  get position(): number {
    return this.base + this.used
  }

  /** A failed write may have left something behind the end of the file. */
  get isTorn(): boolean {
    return this.segment !== null && this.segment.torn
  }

  /** Continues in another segment, without a chunk. */
  begin(segment: Segment): void {
    assert(this.chunk === null && this.count === 0, "a tail must be written before it moves on")
    this.segment = segment
    this.mustRoll = false
    this.#withoutChunk(segment.end)
  }

  /** True if a message of this size may go into the segment. An empty one takes any. */
  fits(size: number, segmentLimit: number): boolean {
    const { segment } = this
    if (segment === null || this.mustRoll) return false
    if (segment.size === 0 && this.count === 0) return true
    return this.position + size + TRAILER_SIZE <= segmentLimit
  }

  /**
   * Makes room in memory for a message that fits() the segment. False if it has to be written through:
   * the pool is empty, or the message larger than its chunks or than a segment. Throws StorageError.
   */
  makeRoom(
    context: StoreContext,
    directory: StoreDirectory,
    isDurable: boolean,
    reader: TailReader,
    size: number,
    sizeHint: number,
  ): boolean {
    const { buffers, segmentSizeBytes } = context
    const { chunk } = this
    if (chunk !== null && chunk.bytes.length < BUFFER_SIZE_MAX) {
      const wanted = Math.max(this.used + size + TRAILER_SIZE, chunk.bytes.length * 4)
      const larger = buffers.acquire(Math.min(wanted, BUFFER_SIZE_MAX))
      if (larger !== null) {
        this.#grow(chunk, larger, segmentSizeBytes)
        reader.replaceChunk(chunk, larger)
        buffers.release(chunk)
        if (this.used + size <= this.limit) return true
      }
    }
    this.park(context, directory, isDurable, reader)
    const wanted = SEGMENT_HEADER_SIZE + size + TRAILER_SIZE
    const fresh = buffers.acquire(Math.max(wanted, Math.min(sizeHint, BUFFER_SIZE_MAX)))
    if (fresh === null) return false
    this.#adopt(fresh, segmentSizeBytes)
    if (this.used + size <= this.limit) return true
    this.park(context, directory, isDurable, reader)
    return false
  }

  /**
   * Repeats the last message, if it is in the chunk, with up to `count` bodies of the same size, as
   * long as there is room. Returns how often. Half of the time that as many appends take
   * (bench/micro/store.bench.ts).
   */
  repeatLast(
    source: Chunk,
    start: number,
    count: number,
    stride: number,
    bodySize: number,
  ): number {
    const { chunk, lastOffset } = this
    if (chunk === null || this.count === 0) return 0
    const size = this.used - lastOffset
    const headSize = size - bodySize
    const repeats = Math.min(count, Math.floor((this.limit - this.used) / size))
    if (repeats <= 0) return 0
    let to = this.used
    let from = start
    for (let i = 0; i < repeats; i++) {
      copyBytes(chunk, lastOffset, chunk, to, headSize)
      copyBytes(source, from, chunk, to + headSize, bodySize)
      to += size
      from += stride
    }
    this.used = to
    this.lastOffset = to - size
    this.count += repeats
    this.bodyBytes += repeats * bodySize
    return repeats
  }

  /** Writes the batch and gives up the chunk: to the reader if it is reading there, else to the pool. */
  park(
    context: StoreContext,
    directory: StoreDirectory,
    isDurable: boolean,
    reader: TailReader,
  ): void {
    this.flush(context, directory, isDurable)
    const { chunk, segment, base, position } = this
    if (chunk === null) return
    const isWanted = !this.isRead(reader) && reader.segment === segment && reader.cursor >= base
    this.takeChunk()
    if (reader.chunk === chunk) reader.forgetSource()
    if (isWanted) reader.adoptWindow(context, chunk, base, position)
    else context.buffers.release(chunk)
  }

  /** True if no message is left between the reader and the end. A trailer's size can hold none. */
  isRead(reader: TailReader): boolean {
    return reader.segment === this.segment && reader.cursor + TRAILER_SIZE >= this.position
  }

  /** Messages of the unwritten batch from `position` on, which must be the start of one or the end. */
  countFrom(position: number): number {
    let count = 0
    for (let at = position - this.base; at < this.used; count++)
      at += this.chunk!.view.getInt32(at, true)
    return count
  }

  bodyBytesFrom(position: number): number {
    let bytes = 0
    for (let at = position - this.base; at < this.used;) {
      const size = this.chunk!.view.getInt32(at, true)
      bytes += recordBodySize(this.chunk!, at, size)
      at += size
    }
    return bytes
  }

  /** Takes a chunk for the next messages of the segment. */
  #adopt(chunk: Chunk, segmentLimit: number): void {
    const { segment } = this
    assert(segment !== null && this.chunk === null, "a tail has one segment and one chunk")
    this.chunk = chunk
    this.base = segment.size
    this.written = 0
    this.used = 0
    if (segment.size === 0) {
      writeSegmentHeader(chunk, 0)
      this.used = SEGMENT_HEADER_SIZE
    }
    this.batchPosition = this.position
    this.#limit(segmentLimit)
  }

  #grow(chunk: Chunk, larger: Chunk, segmentLimit: number): void {
    copyBytes(chunk, 0, larger, 0, this.used)
    this.chunk = larger
    this.#limit(segmentLimit)
  }

  /** Gives up the chunk, which must be written. */
  takeChunk(): Chunk | null {
    assert(this.count === 0, "unwritten messages must not be given up")
    const { chunk, segment } = this
    this.chunk = null
    this.#withoutChunk(segment === null ? 0 : segment.end)
    return chunk
  }

  /** Forgets the batch without writing it: the store is deleted, or closed on a full disk. */
  abandon(): void {
    if (this.chunk !== null) this.used = this.batchPosition - this.base
    this.#clearBatch()
  }

  #withoutChunk(position: number): void {
    this.base = position
    this.batchPosition = position
    this.used = 0
    this.written = 0
    this.limit = 0
  }

  #limit(segmentLimit: number): void {
    const room = this.chunk === null ? 0 : this.chunk.bytes.length
    this.limit = this.mustRoll ? 0 : Math.min(room, segmentLimit - this.base) - TRAILER_SIZE
  }

  /** Writes the batch. Throws StorageError and stays as it is if that fails. */
  flush(context: StoreContext, directory: StoreDirectory, isDurable: boolean): void {
    const { chunk, segment } = this
    if (this.count === 0 || chunk === null || segment === null) return
    const batch = this.batchPosition - this.base
    const trailer = this.used
    writeTrailer(chunk, batch, trailer, this.base + batch, this.count)
    const end = trailer + TRAILER_SIZE
    const fd = prepareFile(context, directory, segment)
    writeBytes(context, segment, fd, chunk.bytes, this.written, end, this.base + this.written)
    finishFile(context, segment, fd, this.base + end)
    if (segment.messageCount === 0) segment.firstTimestampMs = readTimestampMs(chunk.view, batch)
    segment.lastTimestampMs = readTimestampMs(chunk.view, this.lastOffset)
    segment.messageCount += this.count
    segment.bodyBytes += this.bodyBytes
    if (this.hasPersistent && isDurable) this.#touch(context, directory, segment)
    this.used = end
    this.written = end
    this.batchPosition = this.position
    this.#clearBatch()
  }

  /** Forgets the batch: all of it is settled. The next messages take its positions. */
  discard(context: StoreContext): void {
    const { segment } = this
    assert(
      segment !== null && this.count === this.ackedCount,
      "only settled messages are discarded",
    )
    segment.ackedCount -= this.ackedCount
    segment.ackedBytes -= this.ackedBytes
    this.used = this.batchPosition - this.base
    segment.dropPendingFrom(this.batchPosition)
    this.#clearBatch()
    // A failed write may have left the whole batch in the file.
    if (segment.torn) cutOff(context, segment)
  }

  #touch(context: StoreContext, directory: StoreDirectory, segment: Segment): void {
    context.commit.touchFile(segment.path, this.#onSyncFailed)
    directory.touch(context)
  }

  #clearBatch(): void {
    this.count = 0
    this.bodyBytes = 0
    this.ackedCount = 0
    this.ackedBytes = 0
    this.hasPersistent = false
  }

  /**
   * Writes one message as a batch of its own, past the chunk: large bodies are not copied, and small
   * ones come here when the pool has no chunk left. The tail must be written and without a chunk.
   */
  writeThrough(
    context: StoreContext,
    directory: StoreDirectory,
    isDurable: boolean,
    message: IncomingMessage,
  ): void {
    const { segment } = this
    assert(segment !== null && this.chunk === null, "a tail writes through only when it is empty")
    const position = segment.end
    const start = position - segment.size // The header of a new segment goes first.
    const bodySize = message.bodyEnd - message.bodyStart
    const headSize = headSizeOf(message)
    const scratchSize = start + headSize + TRAILER_SIZE
    const lent = context.buffers.acquire(scratchSize)
    const scratch = lent ?? Chunk.allocate(scratchSize)
    try {
      if (start > 0) writeSegmentHeader(scratch, 0)
      writeHead(scratch, start, message, headSize + bodySize)
      const headEnd = start + headSize
      const { bytes } = message.body
      let sum = crc32(scratch.bytes.subarray(start, headEnd))
      sum = crc32(bytes.subarray(message.bodyStart, message.bodyEnd), sum)
      writeDetachedTrailer(scratch, headEnd, position, 1, sum)
      const bodyPosition = position + headSize
      const end = bodyPosition + bodySize + TRAILER_SIZE
      const fd = prepareFile(context, directory, segment)
      writeBytes(context, segment, fd, scratch.bytes, 0, headEnd, segment.size)
      writeBytes(context, segment, fd, bytes, message.bodyStart, message.bodyEnd, bodyPosition)
      writeBytes(context, segment, fd, scratch.bytes, headEnd, scratchSize, end - TRAILER_SIZE)
      finishFile(context, segment, fd, end)
    } finally {
      if (lent !== null) context.buffers.release(lent)
    }
    if (segment.messageCount === 0) segment.firstTimestampMs = message.timestampMs
    segment.lastTimestampMs = message.timestampMs
    segment.messageCount++
    segment.bodyBytes += bodySize
    this.#withoutChunk(segment.size)
    if (message.persistent && isDurable) this.#touch(context, directory, segment)
  }
}

/** Bytes of a message before its body. */
export function headSizeOf(message: IncomingMessage): number {
  return (
    RECORD_HEADER_SIZE +
    (message.routeEnd - message.routeStart) +
    (message.propertiesEnd - message.propertiesStart)
  )
}

function writeHead(chunk: Chunk, offset: number, message: IncomingMessage, size: number): void {
  const routeSize = message.routeEnd - message.routeStart
  const propertiesSize = message.propertiesEnd - message.propertiesStart
  writeRecordHeader(chunk, offset, size, message, propertiesSize)
  const routeAt = offset + RECORD_HEADER_SIZE
  copyBytes(message.route, message.routeStart, chunk, routeAt, routeSize)
  const propertiesAt = routeAt + routeSize
  copyBytes(message.properties, message.propertiesStart, chunk, propertiesAt, propertiesSize)
}

function prepareFile(context: StoreContext, directory: StoreDirectory, segment: Segment): number {
  directory.ensure(context)
  if (segment.size > 0) return context.openFiles.acquire(segment.path, false)
  directory.noteCreation()
  return context.openFiles.acquire(segment.path, true)
}

function writeBytes(
  context: StoreContext,
  segment: Segment,
  fd: number,
  bytes: Buffer,
  start: number,
  end: number,
  position: number,
): void {
  try {
    context.disk.write(fd, bytes, start, end - start, position)
  } catch (error) {
    segment.torn = true
    throw error
  }
}

/** The file now ends at `size`; what a failed write left behind it is cut off. */
function finishFile(context: StoreContext, segment: Segment, fd: number, size: number): void {
  if (segment.torn) {
    if (context.disk.size(fd) > size) context.disk.truncate(fd, size)
    segment.torn = false
  }
  segment.size = size
  segment.metaWritten = false
}

function cutOff(context: StoreContext, segment: Segment): void {
  if (segment.size === 0) {
    context.openFiles.forget(segment.path)
    context.disk.remove(segment.path)
  } else {
    const fd = context.openFiles.acquire(segment.path, false)
    context.disk.truncate(fd, segment.size)
  }
  segment.torn = false
}
