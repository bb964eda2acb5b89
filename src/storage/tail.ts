import { crc32 } from "node:zlib"
import { assert } from "../util/assert.ts"
import { Chunk, copyBytes } from "../util/bytes.ts"
import type { IncomingMessage } from "./message.ts"
import {
  readTimestampMs,
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

/**
 * The growing end of a store: the last segment and the bytes that its file does not have yet, in the
 * layout of the file, so that a message keeps its position when it is written.
 *
 *   chunk:  | in the file, still read from here | not written: one batch | free |
 *           0                                   written                  used   limit
 *
 * Knows nothing of readers; message-store.ts decides when a chunk is given up.
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
  /** Of the unwritten batch. */
  count = 0
  bodyBytes = 0
  ackedCount = 0
  ackedBytes = 0
  hasPersistent = false
  /** Offset of the batch's last message. */
  lastOffset = 0

  /** Position of the next message. */
  get position(): number {
    return this.base + this.used
  }

  /** Where the unwritten batch begins, as an offset in the chunk. */
  get batchOffset(): number {
    return this.base === 0 && this.written === 0 ? SEGMENT_HEADER_SIZE : this.written
  }

  /** Position from which on messages are not in the file. */
  get unwrittenPosition(): number {
    return this.chunk === null ? this.base : this.base + this.batchOffset
  }

  /** Continues in another segment, without a chunk. */
  begin(segment: Segment): void {
    assert(this.chunk === null && this.count === 0, "a tail must be written before it moves on")
    this.segment = segment
    this.base = segment.end
    this.used = 0
    this.written = 0
    this.limit = 0
  }

  /** Takes a chunk for the next messages of the segment. */
  adopt(chunk: Chunk, segmentLimit: number): void {
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
    this.#limit(segmentLimit)
  }

  /** Moves to a larger chunk; returns the old one. */
  grow(larger: Chunk, segmentLimit: number): Chunk {
    const { chunk } = this
    assert(chunk !== null, "only a chunk can grow")
    copyBytes(chunk, 0, larger, 0, this.used)
    this.chunk = larger
    this.#limit(segmentLimit)
    return chunk
  }

  /** Starts over in the same chunk. All in it must be written and no longer be wanted from here. */
  rewind(segmentLimit: number): void {
    assert(this.count === 0, "unwritten messages must not be given up")
    this.base = this.position
    this.used = 0
    this.written = 0
    this.#limit(segmentLimit)
  }

  /** Gives up the chunk, which must be written. */
  takeChunk(): Chunk | null {
    assert(this.count === 0, "unwritten messages must not be given up")
    const { chunk, segment } = this
    this.chunk = null
    this.base = segment === null ? 0 : segment.end
    this.used = 0
    this.written = 0
    this.limit = 0
    return chunk
  }

  #limit(segmentLimit: number): void {
    const room = this.chunk === null ? 0 : this.chunk.bytes.length
    this.limit = Math.min(room, segmentLimit - this.base) - TRAILER_SIZE
  }

  /** Writes the batch. Throws StorageError and stays as it is if that fails. */
  flush(context: StoreContext, directory: StoreDirectory, isDurable: boolean): void {
    const { chunk, segment } = this
    if (this.count === 0 || chunk === null || segment === null) return
    const batch = this.batchOffset
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
    if (this.hasPersistent && isDurable) touch(context, directory, segment)
    this.used = end
    this.written = end
    this.#clearBatch()
  }

  /** Forgets the batch: all of it is settled. The next messages take its positions. */
  discard(context: StoreContext): void {
    const { segment } = this
    assert(segment !== null && this.count === this.ackedCount, "only settled messages are discarded")
    segment.ackedCount -= this.ackedCount
    segment.ackedBytes -= this.ackedBytes
    this.used = this.batchOffset
    segment.dropPendingFrom(this.base + this.used)
    this.#clearBatch()
    // A failed write may have left the whole batch in the file.
    if (segment.torn) cutOff(context, segment)
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
    this.base = segment.size
    if (message.persistent && isDurable) touch(context, directory, segment)
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
  const { timestampMs, persistent } = message
  writeRecordHeader(chunk, offset, size, timestampMs, persistent, propertiesSize)
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

function touch(context: StoreContext, directory: StoreDirectory, segment: Segment): void {
  context.commit.touchFile(segment.path, segment.onSyncFailed)
  directory.touch(context)
}
