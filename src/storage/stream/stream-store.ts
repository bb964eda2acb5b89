import { assert } from "../../util/assert.ts"
import type { BufferHolder } from "../../util/buffer-pool.ts"
import type { Chunk } from "../../util/bytes.ts"
import { copyBytes } from "../../util/bytes.ts"
import type { StorageError } from "../disk.ts"
import type { IncomingMessage } from "../message.ts"
import { StoredMessage } from "../message.ts"
import { writeMetaFile } from "../meta-file.ts"
import {
  RECORD_HEADER_SIZE,
  RECORD_SIZE_MAX,
  RECORD_SIZE_MIN,
  SEGMENT_HEADER_SIZE,
  writeRecordHeader,
} from "../record.ts"
import { RecoveryReport, recoverSegments, verifySegment } from "../recovery.ts"
import { asStorageError, removeSegmentFiles } from "../segment-files.ts"
import { Segment } from "../segment.ts"
import type { DirtyStore, StoreContext } from "../store-context.ts"
import { deleteStoreDirectory, REMOVALS_MAX } from "../store-deletion.ts"
import { StoreDirectory } from "../store-directory.ts"
import { Tail } from "../tail.ts"
import { FIRST_OFFSETS } from "./check-stream.ts"
import { ConsumerOffsets } from "./consumer-offsets.ts"
import { OffsetLog } from "./offset-log.ts"
import { NO_RETENTION, removableCount } from "./retention.ts"
import type { Retention } from "./retention.ts"
import { buildIndex, lostMessages, requireHoles } from "./segment-index.ts"
import type { SegmentIndex } from "./segment-index.ts"
import { SEGMENT_SIZE_MAX, StreamContext } from "./stream-context.ts"
import type { StreamCache } from "./stream-cache.ts"
import { READ_MESSAGE, StreamReader } from "./stream-reader.ts"
import type { StreamBytes, StreamSource } from "./stream-reader.ts"
import { findByOffset, StreamSegment } from "./stream-segment.ts"
import { TailKeeper } from "./tail-keeper.ts"

/**
 * The messages of one stream: appended at the end, read from any place by any number of readers,
 * removed from the beginning by whole segments. Segments are those of a queue (record.ts), without ack
 * files. Beside them:
 *
 *   first-offsets      with which offset each segment begins (offset-log.ts), written before the
 *                      segment's first message. The entry of a segment that is not there yet says
 *                      that the one before it takes no more messages, and where offsets go on.
 *   consumer-offsets   how far consumers have come (consumer-offsets.ts)
 *
 * Offsets count all messages ever appended, from 0. A damaged range keeps its offsets: readers jump over
 * them. Nothing is kept in memory per message. Knows nothing of consumers and filters (broker/stream).
 */
const THROUGH_SIZE_MIN = 64 << 10

/** A segment that cannot be read is tried again this often, this far apart, before its rest is given up. */
const READ_ATTEMPTS_MAX = 3
const READ_RETRY_MS = 1000
const REPAIRS_MAX = 2

export interface StreamStoreOptions {
  /** Of the stream, for its directory's `.queue` file and for the log. */
  readonly name: string
  /** Persistent messages wait for a sync. */
  readonly durable: boolean
  /** Shared by all streams of the broker. */
  readonly cache: StreamCache
}

export class StreamStore implements DirtyStore, BufferHolder, StreamSource {
  /** In ascending order. The last one is the tail's, if the tail has one. */
  readonly segments: StreamSegment[] = []
  /** Stored messages, and the bytes of their bodies. */
  messageCount = 0
  bodyBytes = 0
  /** Of the next message to be appended. */
  nextOffset = 0
  /** The disk refuses: nothing can be appended until a later write() succeeds. */
  failed = false
  lastError: StorageError | null = null
  /** Bytes of segments that were checked, since open(). */
  checkedBytes = 0
  /** Messages that turned out to be damaged, since open(). */
  lostCount = 0
  readonly consumerOffsets: ConsumerOffsets
  readonly cache: StreamCache
  readonly #context: StreamContext
  readonly #name: string
  readonly #durable: boolean
  readonly #directory: StoreDirectory
  readonly #firstOffsets: OffsetLog
  readonly #readers = new Set<StreamReader>()
  readonly #tail = new Tail()
  readonly #keeper: TailKeeper
  #retention: Retention = NO_RETENTION
  #nextNumber = 1
  /** First offset of the last batch that was written, -1 if none was since open(). */
  #lastBatchOffset = -1
  /** Bytes that the tail took in the last turn: the size to begin the next one with. */
  #tailBytes = 0
  #dirty = false
  #failedInTurn = false
  /** The first offsets of segments up to this one are on disk, whatever happens. */
  #syncedNumber = 0
  #isSyncing = false
  /** Segments may have to go. */
  #mustRetain = false
  /** The active segment was damaged: what follows goes into another one. */
  #mustSeal = false
  #isHolder = false
  /** Readers read from its chunk since the last sweep. */
  #tailWasUsed = false
  #closed = false

  constructor(context: StoreContext, directory: string, options: StreamStoreOptions) {
    this.#context = new StreamContext(context)
    this.#name = options.name
    this.#durable = options.durable
    this.cache = options.cache
    this.#directory = new StoreDirectory(directory, options.name)
    this.#firstOffsets = new OffsetLog(context, this.#directory, FIRST_OFFSETS)
    this.consumerOffsets = new ConsumerOffsets(context, this.#directory, () => this.#noteChange())
    this.#keeper = new TailKeeper(this.#tail, (chunk, start, end) => this.#adopt(chunk, start, end))
  }

  get directory(): string {
    return this.#directory.path
  }

  /** Of the oldest message that is there; nextOffset if there is none. */
  get firstOffset(): number {
    const [first] = this.segments
    return first === undefined ? this.nextOffset : first.firstOffset
  }

  /** Bytes of all segments, as max-length-bytes counts them. */
  get sizeBytes(): number {
    let bytes = 0
    for (const { file } of this.segments) bytes += file.size
    return bytes + (this.#tail.used - this.#tail.written)
  }

  // ---- appending

  /** Stores a copy of the message; its offset is nextOffset. False if the store refuses: it has failed. */
  append(message: IncomingMessage): boolean {
    const routeSize = message.routeEnd - message.routeStart
    const propertiesSize = message.propertiesEnd - message.propertiesStart
    const bodySize = message.bodyEnd - message.bodyStart
    const size = RECORD_HEADER_SIZE + routeSize + propertiesSize + bodySize
    const tail = this.#tail
    if (this.failed) return false
    if (size >= THROUGH_SIZE_MIN || tail.used + size > tail.limit) {
      if (!this.#makeRoom(size)) return this.#appendThrough(message, size, bodySize)
    }
    const chunk = tail.chunk!
    const at = tail.used
    writeRecordHeader(chunk, at, size, message, propertiesSize)
    let to = at + RECORD_HEADER_SIZE
    if (message.properties === message.route && message.propertiesStart === message.routeEnd) {
      copyBytes(message.route, message.routeStart, chunk, to, routeSize + propertiesSize)
      to += routeSize + propertiesSize
    } else {
      copyBytes(message.route, message.routeStart, chunk, to, routeSize)
      to += routeSize
      copyBytes(message.properties, message.propertiesStart, chunk, to, propertiesSize)
      to += propertiesSize
    }
    copyBytes(message.body, message.bodyStart, chunk, to, bodySize)
    tail.used = at + size
    tail.lastOffset = at
    tail.count++
    tail.bodyBytes += bodySize
    if (message.persistent) tail.hasPersistent = true
    this.nextOffset++
    this.messageCount++
    this.bodyBytes += bodySize
    if (!this.#dirty) this.#markDirty()
    return true
  }

  /**
   * Stores `count` messages that differ in their bodies only, which lie `stride` bytes apart. Returns
   * how many; the one behind them was refused.
   */
  appendRun(message: IncomingMessage, count: number, stride: number): number {
    const bodySize = message.bodyEnd - message.bodyStart
    let done = 0
    while (done < count) {
      if (!this.append(message)) break
      const start = message.bodyStart + stride
      const left = count - done - 1
      const repeated = this.#tail.repeatLast(message.body, start, left, stride, bodySize)
      this.nextOffset += repeated
      this.messageCount += repeated
      this.bodyBytes += repeated * bodySize
      done += 1 + repeated
      message.bodyStart = start + repeated * stride
      message.bodyEnd = message.bodyStart + bodySize
    }
    return done
  }

  /** Room for the message in the tail's chunk. False if it has to be written through, or refused. */
  #makeRoom(size: number): boolean {
    const tail = this.#tail
    if (this.#closed || size > RECORD_SIZE_MAX) return false
    const context = this.#context
    try {
      this.#noteBatch()
      this.#keeper.look(this.#readers)
      if (!tail.fits(size, context.segmentSizeBytes)) this.#roll()
      if (size >= THROUGH_SIZE_MIN) return false
      const hint = this.#tailBytes
      return tail.makeRoom(context, this.#directory, this.#durable, this.#keeper, size, hint)
    } catch (error) {
      this.#failNow(asStorageError(error))
      return false
    }
  }

  #appendThrough(message: IncomingMessage, size: number, bodySize: number): boolean {
    if (this.failed || this.#closed || size > RECORD_SIZE_MAX) return false
    const tail = this.#tail
    try {
      tail.park(this.#context, this.#directory, this.#durable, this.#keeper)
      tail.writeThrough(this.#context, this.#directory, this.#durable, message)
    } catch (error) {
      this.#failNow(asStorageError(error))
      return false
    }
    this.#lastBatchOffset = this.nextOffset
    this.nextOffset++
    this.messageCount++
    this.bodyBytes += bodySize
    if (!this.#dirty) this.#markDirty()
    return true
  }

  #noteBatch(): void {
    if (this.#tail.count > 0) this.#lastBatchOffset = this.nextOffset - this.#tail.count
  }

  /** Goes on in a new segment. Throws StorageError. */
  #roll(): void {
    const tail = this.#tail
    tail.park(this.#context, this.#directory, this.#durable, this.#keeper)
    this.#seal()
    const segment = new Segment(this.directory, this.#nextNumber++)
    this.segments.push(new StreamSegment(segment, this.nextOffset))
    tail.begin(segment)
    this.#mustRetain = true
  }

  /** The next message goes into another segment, also after a restart. The tail must be written. Throws StorageError. */
  #seal(): void {
    const last = this.segments.at(-1)
    const number = String(this.#nextNumber)
    if (this.#firstOffsets.entries.get(number) !== this.nextOffset)
      this.#firstOffsets.set(number, this.nextOffset)
    this.#firstOffsets.write()
    this.#firstOffsets.touch()
    this.#mustSeal = false
    this.#tail.mustRoll = true
    if (last === undefined) return
    last.file.sealed = true
    this.#writeMeta(last.file)
  }

  // ---- end of the turn

  /** Writes what this turn left. Never throws for the disk's sake; sets `failed`. */
  write(): void {
    this.#dirty = false
    if (this.#closed) return
    // Removing comes first: it may give the space that the writing needs.
    this.#applyRetention()
    const error = this.#writeTail()
    if (error !== null) this.#fail(error)
    else if (!this.#failedInTurn) this.#succeed()
    this.#failedInTurn = false
    this.#releaseBuffers(this.#context.buffers.underPressure)
    if (error === null && this.#mustRetain) this.#markDirty()
  }

  #writeTail(): StorageError | null {
    const tail = this.#tail
    try {
      if (tail.count > 0) {
        this.#noteBatch()
        this.#tailBytes = tail.used
        tail.flush(this.#context, this.#directory, this.#durable)
      }
      if (this.#mustSeal) {
        this.#keeper.look(this.#readers)
        tail.park(this.#context, this.#directory, this.#durable, this.#keeper)
        this.#seal()
      }
      this.#firstOffsets.write()
      this.consumerOffsets.write()
      return null
    } catch (error) {
      return asStorageError(error)
    }
  }

  #succeed(): void {
    if (!this.failed) return
    this.failed = false
    this.#context.log.info({ queue: this.#name }, "the stream can write again")
  }

  #fail(error: StorageError): void {
    this.lastError = error
    if (this.failed) return
    this.failed = true
    this.#context.log.error(
      { queue: this.#name, path: error.path, code: error.code, err: error },
      "the stream cannot write: publishing to it is refused until it can",
    )
  }

  /** In the middle of a turn, whose end shall see it, even if its write succeeds. */
  #failNow(error: StorageError): void {
    this.#failedInTurn = true
    this.#fail(error)
    if (!this.#dirty) this.#markDirty()
  }

  #noteChange(): void {
    if (!this.#dirty) this.#markDirty()
  }

  #markDirty(): void {
    if (this.#closed) return
    this.#dirty = true
    this.#context.markDirty(this)
  }

  // ---- retention

  /** Sizes count from the next segment on. */
  configure(retention: Retention, segmentSizeBytes: number | null): void {
    this.#context.setSegmentSize(segmentSizeBytes)
    this.#retention = retention
    this.retain()
  }

  /** Looks at the end of this turn what is to be removed. Called from time to time if there is a maximal age. */
  retain(): void {
    if (this.#closed || this.segments.length === 0) return
    this.#mustRetain = true
    this.#noteChange()
  }

  /** What the disk refuses is tried again the next time that there is a reason to look. */
  #applyRetention(): void {
    if (!this.#mustRetain) return
    this.#mustRetain = false
    try {
      this.#sealOld()
      const { nowMs } = this.#context.clock
      let count = removableCount(this.segments, this.#retention, this.#isTailSealed(), nowMs)
      // Where offsets go on must be known without the last segment.
      if (count > 0 && count === this.segments.length) this.#seal()
      count = this.#safeCount(count)
      // Thousands may go at once, a millisecond each: the rest is for the next turns.
      for (let i = 0; i < count && i < REMOVALS_MAX; i++) this.#removeFirst()
      if (count > REMOVALS_MAX) this.#mustRetain = true
    } catch (error) {
      const { path, code } = asStorageError(error)
      this.#context.log.warn(
        { queue: this.#name, path, code },
        "an old segment could not be removed",
      )
    }
  }

  /**
   * How many of `count` segments may go now: the first offset of the one that is then the first must be
   * on disk. Else: 1. removed  2. power failure, which keeps the removal and not the offset  3. on boot
   * nobody knows where offsets began.
   */
  #safeCount(count: number): number {
    const numberAt = (index: number): number =>
      this.segments[index]?.file.number ?? this.#nextNumber
    let safe = count
    while (safe > 0 && numberAt(safe) > this.#syncedNumber) safe--
    if (safe < count) this.#syncFirstOffsets(numberAt(count))
    return safe
  }

  #syncFirstOffsets(number: number): void {
    if (this.#isSyncing) return
    this.#firstOffsets.write()
    this.#isSyncing = true
    try {
      this.#firstOffsets.sync((error) => {
        this.#isSyncing = false
        if (error === null) this.#syncedNumber = Math.max(this.#syncedNumber, number)
        else this.#context.log.warn({ queue: this.#name, err: error }, "offsets were not synced")
        if (error === null) this.retain()
      })
    } catch (error) {
      this.#isSyncing = false
      throw error
    }
  }

  /** A segment that takes messages for longer than the maximal age would keep old ones for ever. */
  #sealOld(): void {
    const { maxAgeMs } = this.#retention
    const last = this.segments.at(-1)
    if (maxAgeMs === null || last === undefined || this.#isTailSealed()) return
    const { file } = last
    if (file.messageCount === 0) return
    if (file.firstTimestampMs + maxAgeMs >= this.#context.clock.nowMs) return
    this.#noteBatch()
    this.#keeper.look(this.#readers)
    this.#tail.park(this.#context, this.#directory, this.#durable, this.#keeper)
    this.#seal()
  }

  /** No segment takes messages at present: the next message begins one. */
  #isTailSealed(): boolean {
    const last = this.segments.at(-1)
    return last === undefined || last.file.sealed
  }

  #removeFirst(): void {
    const first = this.segments[0]!
    removeSegmentFiles(this.#context, first.file)
    this.segments.shift()
    first.isRemoved = true
    this.cache.drop(first)
    this.messageCount -= first.file.messageCount
    this.bodyBytes -= first.file.bodyBytes
    this.#firstOffsets.forget(String(first.file.number))
    if (this.segments.length > 0) return
    this.#giveUpChunk()
    this.#tail.segment = null
  }

  // ---- reading

  newReader(): StreamReader {
    const reader = new StreamReader(this)
    this.#readers.add(reader)
    this.seekEnd(reader)
    return reader
  }

  removeReader(reader: StreamReader): void {
    this.#readers.delete(reader)
  }

  /** To the message with this offset; below the first to the first, above the last to the end. */
  seekOffset(reader: StreamReader, offset: number): void {
    if (offset >= this.nextOffset || this.segments.length === 0) {
      this.seekEnd(reader)
      return
    }
    const segment = this.segments[Math.max(0, findByOffset(this.segments, offset))]!
    reader.moveTo(segment, SEGMENT_HEADER_SIZE, segment.firstOffset)
    if (offset <= segment.firstOffset) return
    this.#moveIn(reader, segment, (index) => index.findOffset(offset))
    reader.skipTo(offset)
  }

  /** To the first message with this time or a later one; to the end if there is none. */
  seekTime(reader: StreamReader, timestampMs: number): void {
    const tail = this.#tail
    for (const segment of this.segments) {
      const isGrowing = tail.count > 0 && tail.segment === segment.file
      if (segment.file.lastTimestampMs < timestampMs && !isGrowing) continue
      reader.moveTo(segment, SEGMENT_HEADER_SIZE, segment.firstOffset)
      this.#moveIn(reader, segment, (index) => index.findTime(timestampMs))
      reader.skipToTime(timestampMs)
      return
    }
    this.seekEnd(reader)
  }

  /** To the beginning of what was written last, in one go. */
  seekLast(reader: StreamReader): void {
    let offset = this.#lastBatchOffset
    if (this.#tail.count > 0) offset = this.nextOffset - this.#tail.count
    const last = this.segments.at(-1)
    if (offset < 0 && last !== undefined) {
      offset = last.firstOffset
      this.#moveIn(reader, last, (index) => {
        offset = index.lastBatchOffset
        return -1
      })
    }
    this.seekOffset(reader, Math.max(offset, this.firstOffset))
  }

  /** Behind the last message. */
  seekEnd(reader: StreamReader): void {
    const last = this.segments.at(-1)
    if (last === undefined) reader.moveTo(null, 0, this.nextOffset)
    else reader.moveTo(last, Math.max(this.endOf(last), SEGMENT_HEADER_SIZE), this.nextOffset)
  }

  /** Moves the reader to an entry of the segment's index. If the disk refuses, it stays. */
  #moveIn(
    reader: StreamReader,
    segment: StreamSegment,
    find: (index: SegmentIndex) => number,
  ): void {
    if (segment.file.size === 0 || segment.isGivenUp || this.isPaused(segment)) return
    try {
      if (segment.file.unverified) this.verify(segment)
      const index = buildIndex(this.#context, segment)
      this.cache.noteIndex(segment)
      const at = find(index)
      if (at >= 0) reader.moveTo(segment, index.positions[at]!, index.offsets[at]!)
    } catch (error) {
      this.noteFailure(segment, error)
    }
  }

  /** Calls `visit` for the messages from `offset` on until it returns false. */
  browse(offset: number, visit: (message: StoredMessage) => boolean): void {
    const reader = new StreamReader(this)
    const message = new StoredMessage()
    this.seekOffset(reader, offset)
    while (reader.read(message) === READ_MESSAGE && visit(message));
  }

  // ---- what readers need

  endOf(segment: StreamSegment): number {
    const tail = this.#tail
    return tail.segment === segment.file && tail.chunk !== null ? tail.position : segment.file.size
  }

  isInTail(segment: StreamSegment, position: number): boolean {
    const tail = this.#tail
    return tail.segment === segment.file && tail.chunk !== null && position >= tail.base
  }

  bytesAt(segment: StreamSegment, position: number, need: number, wanted: number): StreamBytes {
    const { file } = segment
    if (this.isInTail(segment, position)) {
      this.#tailWasUsed = true
      return this.#keeper.bytes()
    }
    const window = this.cache.find(segment, position, need)
    if (window !== null) return window
    return this.cache.load(this.#context, segment, position, need, wanted, file.size)
  }

  lostMessages(segment: StreamSegment, position: number, size: number): number {
    return lostMessages(this.#context, segment, position, size)
  }

  isPaused(segment: StreamSegment): boolean {
    return segment.retryAtMs > this.#context.clock.nowMs
  }

  noteFailure(segment: StreamSegment, error: unknown): boolean {
    const { path, code } = asStorageError(error)
    this.#context.log.error(
      { queue: this.#name, path, code, err: error },
      "a segment of a stream cannot be read",
    )
    segment.retryAtMs = this.#context.clock.nowMs + READ_RETRY_MS
    if (++segment.failures < READ_ATTEMPTS_MAX) return true
    this.#giveUp(segment)
    return false
  }

  verify(segment: StreamSegment): void {
    const { file } = segment
    this.checkedBytes += file.size
    const found = verifySegment(this.#context, this.#name, file, 0)
    requireHoles(this.#context, segment, found.skips)
    file.unverified = false
    const lost = file.messageCount - found.readyCount
    if (lost === 0 && found.skips.length === 0) return
    this.cache.drop(segment)
    segment.lostAt = null
    this.messageCount -= lost
    this.bodyBytes -= file.bodyBytes - found.readyBytes
    file.messageCount -= lost
    file.bodyBytes = found.readyBytes
    file.metaWritten = false
    this.#sealIfActive(segment)
    if (lost === 0) return
    this.lostCount += Math.max(lost, 0)
    const fields = { queue: this.#name, path: file.path, count: lost }
    this.#context.log.error(fields, "damaged messages of a stream are not served")
  }

  repair(segment: StreamSegment, position: number): void {
    this.cache.drop(segment)
    if (++segment.repairs > REPAIRS_MAX) {
      const fields = { queue: this.#name, path: segment.file.path, position }
      this.#context.log.error(fields, "the rest of a segment of a stream makes no sense")
      this.#giveUp(segment)
    } else this.verify(segment)
  }

  #giveUp(segment: StreamSegment): void {
    segment.isGivenUp = true
    segment.file.keepFile = true
    this.#sealIfActive(segment)
  }

  /** Offsets behind damage cannot be counted again at the next start: they begin anew in a segment of their own. */
  #sealIfActive(segment: StreamSegment): void {
    if (this.#tail.segment !== segment.file || segment.file.sealed) return
    this.#mustSeal = true
    this.#tail.mustRoll = true
    this.#tail.limit = 0
    this.#noteChange()
  }

  #adopt(chunk: Chunk, start: number, end: number): void {
    const last = this.segments.at(-1)
    assert(last !== undefined, "a tail with a chunk has a segment")
    this.cache.adopt(last, chunk, start, end)
  }

  // ---- buffers

  #releaseBuffers(all: boolean): void {
    const tail = this.#tail
    if (tail.chunk !== null && tail.count === 0 && (all || this.#readers.size === 0))
      this.#giveUpChunk()
    if (this.#isHolder || tail.chunk === null) return
    this.#isHolder = true
    this.#context.buffers.hold(this)
  }

  #giveUpChunk(): void {
    const chunk = this.#tail.takeChunk()
    if (chunk !== null) this.#context.buffers.release(chunk)
  }

  releaseIdleBuffers(): boolean {
    if (!this.#dirty && !this.#tailWasUsed) this.#releaseBuffers(true)
    this.#tailWasUsed = false
    this.#isHolder = this.#tail.chunk !== null
    return this.#isHolder
  }

  // ---- beginning and end

  /** Finds what an earlier process left in the directory. Throws only for bugs; damage is reported. */
  open(): RecoveryReport {
    assert(this.segments.length === 0 && this.#nextNumber === 1, "a stream is opened once, unused")
    const report = new RecoveryReport()
    const files: Segment[] = []
    recoverSegments(this.#context, this.#directory, this.#name, files, report)
    this.#loadLog(this.#firstOffsets)
    this.#loadLog(this.consumerOffsets)
    let number = 0
    for (const key of this.#firstOffsets.entries.keys()) number = Math.max(number, Number(key))
    for (const file of files) {
      const known = this.#firstOffsets.entries.get(String(file.number)) ?? -1
      const before = this.segments.at(-1)
      if (known < 0 && before !== undefined && report.quarantinedBytes > 0) this.#countLost(before)
      const segment = new StreamSegment(file, Math.max(known, this.nextOffset))
      if (segment.firstOffset !== known)
        this.#firstOffsets.set(String(file.number), segment.firstOffset)
      this.segments.push(segment)
      this.nextOffset = segment.firstOffset + file.messageCount
    }
    const oldest = this.segments[0]?.file.number ?? number
    for (const key of this.#firstOffsets.entries.keys())
      if (Number(key) < oldest) this.#firstOffsets.forget(key)
    this.messageCount = report.messageCount
    this.bodyBytes = report.bodyBytes
    this.#nextNumber = Math.max(report.highestNumber + 1, number)
    const last = this.segments.at(-1)
    if (number > (last?.file.number ?? 0)) {
      this.nextOffset = Math.max(
        this.nextOffset,
        this.#firstOffsets.entries.get(String(number)) ?? 0,
      )
      if (last !== undefined) last.file.sealed = true
      // Some cannot be read now. If they can be at the next start, they need their offsets.
      if (report.unreadableCount > 0)
        this.nextOffset += Math.ceil(SEGMENT_SIZE_MAX / RECORD_SIZE_MIN)
    } else if (last !== undefined && report.scannedCount > 0 && this.#countLost(last)) {
      this.#mustSeal = true
      this.#noteChange()
    }
    if (last !== undefined && !last.file.sealed) this.#tail.begin(last.file)
    if (this.#firstOffsets.hasPending) this.#noteChange()
    return report
  }

  #loadLog(log: { load(): void }): void {
    try {
      log.load()
    } catch (error) {
      const { path, code } = asStorageError(error)
      this.#context.log.error(
        { queue: this.#name, path, code, err: error },
        "offsets cannot be read",
      )
    }
  }

  /**
   * Messages in damaged ranges keep their offsets, also of a segment behind which nothing says where the
   * next one begins. True if there are any.
   */
  #countLost(segment: StreamSegment): boolean {
    try {
      const { nextOffset } = buildIndex(this.#context, segment)
      this.cache.noteIndex(segment)
      if (nextOffset <= this.nextOffset) return false
      this.nextOffset = nextOffset
      return true
    } catch (error) {
      this.noteFailure(segment, error)
      return false
    }
  }

  /** Writes what is left, and what makes the next open() fast. The store is unusable afterwards. */
  close(): void {
    if (this.#closed) return
    this.write()
    if (this.#tail.count > 0) {
      this.#context.log.error(
        { queue: this.#name, count: this.#tail.count },
        "unwritten messages are lost",
      )
      this.#tail.abandon()
    }
    for (const { file } of this.segments) this.#writeMeta(file)
    this.#shut()
    this.failed = false
  }

  /** Removes all files. */
  delete(): void {
    if (this.#closed) return
    const { length } = this.segments
    for (const { file } of this.segments) this.#context.openFiles.forget(file.path)
    this.#directory.forget(this.#context)
    this.#tail.abandon()
    this.#shut()
    this.failed = false
    try {
      deleteStoreDirectory(this.#context, this.directory, length)
    } catch (error) {
      const { path, code } = asStorageError(error)
      this.#context.log.warn({ queue: this.#name, path, code }, "files of a deleted stream remain")
    }
  }

  #shut(): void {
    this.#closed = true
    this.#firstOffsets.close()
    this.consumerOffsets.close()
    this.#giveUpChunk()
    this.#context.buffers.unhold(this)
    for (const segment of this.segments) {
      segment.isRemoved = true
      this.cache.drop(segment)
    }
    this.segments.length = 0
    this.#readers.clear()
  }

  /** A boot without it scans the segment: no reason to fail. */
  #writeMeta(file: Segment): void {
    if (file.metaWritten || file.size === 0) return
    try {
      writeMetaFile(this.#context, file)
    } catch (error) {
      const { path, code } = asStorageError(error)
      this.#context.log.warn({ queue: this.#name, path, code }, "no meta file was written")
    }
  }
}
