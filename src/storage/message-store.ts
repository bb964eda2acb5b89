import { assert } from "../util/assert.ts"
import { copyBytes } from "../util/bytes.ts"
import type { BufferHolder } from "../util/buffer-pool.ts"
import type { StorageError } from "./disk.ts"
import { HandedOut } from "./handed-out.ts"
import type { IncomingMessage, StoredMessage } from "./message.ts"
import { writeMetaFile } from "./meta-file.ts"
import { ReadGuard } from "./read-guard.ts"
import type { GuardedStore } from "./read-guard.ts"
import { ReadyWalk } from "./ready-walk.ts"
import { READ_EMPTY, READ_READY, READ_UNVERIFIED, Reader } from "./reader.ts"
import {
  readRecord,
  RECORD_HEADER_SIZE,
  RECORD_SIZE_MAX,
  RECORD_SIZE_MIN,
  SEGMENT_HEADER_SIZE,
  TRAILER_SIZE,
  writeRecordHeader,
} from "./record.ts"
import { RecoveryReport, recoverSegments } from "./recovery.ts"
import type { QueueStore } from "./queue-store.ts"
import { Requeued } from "./requeued.ts"
import { asStorageError, removeIfEmpty } from "./segment-files.ts"
import { SegmentSet } from "./segment-set.ts"
import { findSegment, Segment } from "./segment.ts"
import type { StoreContext } from "./store-context.ts"
import { deleteStoreDirectory, REMOVALS_MAX } from "./store-deletion.ts"
import { StoreDirectory } from "./store-directory.ts"
import { Tail } from "./tail.ts"

/**
 * The messages of one queue, on disk and in order. The hot path of the broker: append, shift and ack
 * allocate nothing and touch no file; write(), at the end of the turn, does.
 *
 *   settled … | cursor: ready, read in sequence …                | tail: not written yet |
 *   segment 7 | segment 8                 | segment 9 (growing)                          |
 *             requeued ones, and unacked ones before the cursor
 *
 * Nothing in memory per ready message, 16 bytes per requeued one, nothing per unacked one: who took
 * it brings segment, position and size back. Knows nothing of consumers, limits or expiry.
 */

/** From this size on a message is written past the tail: the copy would cost more than the write. */
const THROUGH_SIZE_MIN = 64 << 10
/** An empty store keeps a segment smaller than this until it is idle, instead of making files all the time. */
const RESET_SIZE_MIN = 256 << 10

export interface MessageStoreOptions {
  /** Persistent messages wait for a sync. */
  readonly durable: boolean
  /** Of the queue, for its directory's `.queue` file and for the log. */
  readonly name: string
  /** The directory of the queue, if this store is for one of its priorities. */
  readonly parent?: StoreDirectory
}

export class MessageStore implements QueueStore, BufferHolder, GuardedStore {
  /** Ready and handed-out messages, and the bytes of their bodies. */
  readyCount = 0
  readyBytes = 0
  unackedCount = 0
  unackedBytes = 0
  /** The disk refuses: nothing can be appended until a later write() succeeds. */
  failed = false
  lastError: StorageError | null = null
  /** Messages given up because the disk could not give them back, since open(). */
  lostCount = 0
  /** The last read() that failed will not succeed later either. */
  isReadFinal = false
  /** Ready messages that were handed out before and came back. */
  requeuedCount = 0
  readonly #context: StoreContext
  readonly #durable: boolean
  readonly #name: string
  readonly #directory: StoreDirectory
  readonly #tail = new Tail()
  readonly #segments = new SegmentSet(this.#tail)
  readonly #reader = new Reader()
  readonly #guard: ReadGuard
  /** Null if no message came back. */
  #requeued: Requeued | null = null
  /** Null if none is read that the reader has left behind. */
  #handedOut: HandedOut | null = null
  #nextNumber = 1
  #dirty = false
  /** failed was set since the last write(). */
  #failedInTurn = false
  #closed = false
  /** On the buffer pool's list of holders. */
  #isHolder = false
  /** Bytes that the tail took in the last turn: the size to begin the next one with. */
  #tailBytes = 0

  constructor(context: StoreContext, directory: string, options: MessageStoreOptions) {
    this.#context = context
    this.#durable = options.durable
    this.#name = options.name
    this.#directory = new StoreDirectory(directory, options.name, options.parent)
    this.#guard = new ReadGuard(
      this,
      context,
      options.name,
      this.#segments.list,
      this.#tail,
      this.#reader,
    )
  }

  get directory(): string {
    return this.#directory.path
  }

  get cannotRead(): boolean {
    return this.#guard.cannotRead
  }

  get requeuedBytes(): number {
    return this.#requeued === null ? 0 : this.#requeued.bodyBytes
  }

  /** Stores a copy of the message. False if the store refuses: it has failed. */
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
      // One after the other, as a publisher that repeats itself has them: one copy.
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
    this.readyCount++
    this.readyBytes += bodySize
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
      // The first is appended by itself, which makes room; the next ones are like it.
      if (!this.append(message)) break
      const start = message.bodyStart + stride
      const repeated = this.#tail.repeatLast(
        message.body,
        start,
        count - done - 1,
        stride,
        bodySize,
      )
      this.readyCount += repeated
      this.readyBytes += repeated * bodySize
      done += 1 + repeated
      message.bodyStart = start + repeated * stride
      message.bodyEnd = message.bodyStart + bodySize
    }
    return done
  }

  /** Takes the next ready message, which is unacked then. False if there is none to be had. */
  shift(into: StoredMessage): boolean {
    if (this.requeuedCount > 0) return this.#shiftRequeued(into)
    if (this.readyCount === 0) return false
    const reader = this.#reader
    let at = reader.cursor
    let size = 0
    // One condition for the usual case: a whole message is in memory. prepare() sorts out the others.
    if (at + RECORD_SIZE_MIN <= reader.end)
      size = reader.chunk.view.getInt32(at - reader.base, true)
    if (size < RECORD_SIZE_MIN || at + size > reader.end) {
      if (!this.#prepareRead()) return false
      at = reader.cursor
      size = reader.chunk.view.getInt32(at - reader.base, true)
    }
    if (!readRecord(reader.chunk, at - reader.base, size, into))
      return this.#repairAtCursor() && this.shift(into)
    into.segment = reader.segment!.number
    into.position = at
    into.redelivered = false
    reader.cursor = at + size
    const bodySize = into.bodyEnd - into.bodyStart
    this.readyCount--
    this.readyBytes -= bodySize
    this.unackedCount++
    this.unackedBytes += bodySize
    return true
  }

  /**
   * As shift(), and takes with the message those directly behind it that are like it but for their
   * bodies and the time of day: `count` at most, and no more once these have `bytesMax` bytes. They are
   * `into.size` bytes apart. Returns how many it took.
   */
  shiftRun(into: StoredMessage, count: number, bytesMax: number): number {
    if (!this.shift(into)) return 0
    if (count <= 1 || into.redelivered || into.expires) return 1
    const countMax = Math.min(count, Math.floor(bytesMax / into.size))
    const more = this.#reader.skipRepeats(into, countMax - 1)
    const bodyBytes = more * (into.bodyEnd - into.bodyStart)
    this.readyCount -= more
    this.readyBytes -= bodyBytes
    this.unackedCount += more
    this.unackedBytes += bodyBytes
    return 1 + more
  }

  /** The message that shift() would take, without taking it. */
  peek(into: StoredMessage): boolean {
    if (this.requeuedCount > 0) return this.#describeRequeued(into)
    if (this.readyCount === 0 || !this.#prepareRead()) return false
    const reader = this.#reader
    const offset = reader.cursor - reader.base
    const size = reader.chunk.view.getInt32(offset, true)
    if (!readRecord(reader.chunk, offset, size, into))
      return this.#repairAtCursor() && this.peek(into)
    into.segment = reader.segment!.number
    into.position = reader.cursor
    into.redelivered = false
    return true
  }

  /**
   * Settles a message that shift() handed out, or `count` of the same size that lie one directly behind
   * the other.
   */
  ack(
    segmentNumber: number,
    position: number,
    size: number,
    bodySize: number,
    count: number = 1,
  ): void {
    if (this.#closed) return // Consumers may outlive the store: their messages come again.
    assert(this.unackedCount >= count, "only messages that were handed out can be settled")
    const segments = this.#segments
    const bodyBytes = count * bodySize
    segments.settle(segments.find(segmentNumber), position, count * size, count, bodyBytes)
    this.unackedCount -= count
    this.unackedBytes -= bodyBytes
    if (!this.#dirty) this.#markDirty()
  }

  /** Puts a message that shift() handed out back to its place in the order. See QueueStore.requeue. */
  requeue(
    segmentNumber: number,
    position: number,
    size: number,
    bodySize: number,
    count: number = 1,
  ): void {
    if (this.#closed) return
    assert(this.unackedCount >= count, "only messages that were handed out can come back")
    this.#segments.find(segmentNumber) // It must be there.
    const bodyBytes = count * bodySize
    this.unackedCount -= count
    this.unackedBytes -= bodyBytes
    this.readyCount += count
    this.readyBytes += bodyBytes
    this.#requeued ??= new Requeued()
    this.#requeued.heap.push(segmentNumber, position, size, bodySize, count)
    this.#requeued.bodyBytes += bodyBytes
    this.requeuedCount += count
  }

  /** Describes a message that shift() handed out, in `into`. See QueueStore.read. */
  read(segmentNumber: number, position: number, size: number, into: StoredMessage): boolean {
    this.isReadFinal = false
    if (this.#closed || this.#guard.isPaused) return false
    const segment = this.#segments.find(segmentNumber)
    try {
      into.redelivered = false
      if (this.#describe(segment, position, size, into)) return true
      this.isReadFinal = true
    } catch (error) {
      this.isReadFinal = this.#guard.noteFailure(asStorageError(error))
    }
    if (this.isReadFinal) this.#guard.noteUnreadable(segment)
    return false
  }

  /** Calls `visit` for ready messages, in order and from the one at `skip` on. See QueueStore.browse. */
  browse(skip: number, visit: (message: StoredMessage) => boolean): void {
    if (this.#closed || this.#guard.isPaused || skip >= this.readyCount) return
    const requeued = this.#requeued
    const context = this.#context
    const { list } = this.#segments
    const walk = new ReadyWalk(context, this.#name, list, this.#tail, this.#reader)
    try {
      if (requeued !== null && skip < this.requeuedCount) {
        const heap = requeued.heap.clone()
        for (let i = 0; heap.count > 0; i++, heap.pop())
          if (i >= skip && !walk.visitRequeued(heap, visit)) return
      }
      walk.run(Math.max(0, skip - this.requeuedCount), this.#guard, visit)
    } catch (error) {
      this.#guard.noteFailure(asStorageError(error))
    } finally {
      walk.release()
    }
  }

  /** See QueueStore.nextLevel. */
  nextLevel(below: number): number {
    return below > 0 && this.readyCount > 0 ? 0 : -1
  }

  shiftLevel(_level: number, into: StoredMessage): boolean {
    return this.shift(into)
  }

  peekLevel(_level: number, into: StoredMessage): boolean {
    return this.peek(into)
  }

  /** There may be a message that is not settled at this place; false is certain. */
  mayHold(segmentNumber: number, position: number): boolean {
    const { list } = this.#segments
    const segment = list[findSegment(list, segmentNumber)]
    if (segment === undefined) return false
    return position < (segment === this.#tail.segment ? this.#tail.position : segment.size)
  }

  /** Settles all ready messages and returns how many there were. Handed-out ones stay. */
  purge(): number {
    const count = this.readyCount
    if (count === 0 || this.#closed) return 0
    this.#purgeRequeued()
    this.#purgeAhead()
    this.readyCount = 0
    this.readyBytes = 0
    this.noteFinished()
    return count
  }

  #purgeRequeued(): void {
    const segments = this.#segments
    const requeued = this.#requeued
    if (requeued === null) return
    while (this.requeuedCount > 0) {
      const { segment, position, size, bodySize } = requeued.heap
      this.#popRequeued()
      this.readyCount--
      this.readyBytes -= bodySize
      segments.settle(segments.find(segment), position, size, 1, bodySize)
    }
  }

  /**
   * Settles everything from the cursor on: in the segment's file, in later ones, in the unwritten
   * tail. A range ends before the trailer, so that the next batch's acks cannot become part of it.
   */
  #purgeAhead(): void {
    const segments = this.#segments
    const tail = this.#tail
    const reader = this.#reader
    const { segment, cursor } = reader
    if (segment === null) return
    const isInBatch = segment === tail.segment && cursor >= tail.batchPosition
    if (!isInBatch) {
      const count = this.#guard.aheadCount(segment)
      const bytes = this.#guard.aheadBytes(segment)
      segments.settleRange(segment, cursor, segment.size - TRAILER_SIZE, count, bytes)
    }
    segment.unverified = false // It is not read any more.
    for (let i = segments.list.length - 1; segments.list[i] !== segment; i--) {
      const later = segments.list[i]!
      const count = later.messageCount - later.ackedCount
      const bytes = later.bodyBytes - later.ackedBytes
      segments.settleRange(later, SEGMENT_HEADER_SIZE, later.size - TRAILER_SIZE, count, bytes)
      later.unverified = false
    }
    if (tail.segment !== null) {
      const start = isInBatch ? cursor : tail.batchPosition
      const count = tail.countFrom(start)
      segments.settleRange(tail.segment, start, tail.position, count, tail.bodyBytesFrom(start))
    }
    const last = segments.list.at(-1)!
    reader.releaseWindow(this.#context)
    reader.moveTo(last, last === tail.segment ? tail.position : last.end)
  }

  // ---- end of the turn

  /** Writes what this turn left: the tail, then acks. Never throws for the disk's sake; sets `failed`. */
  write(): void {
    this.#dirty = false
    if (this.#closed) return
    // Removing comes first: it may give the space that the writing needs.
    let error = this.#segments.removeFinished(this.#context, this.#reader.segment)
    error = this.#writeTail() ?? error
    error = this.#segments.writeAcks(this.#context) ?? error
    if (error === null) error = this.#resetIfLarge()
    this.#releaseBuffers(this.#context.buffers.underPressure)
    if (error !== null) this.#fail(error)
    else if (!this.#failedInTurn) this.#succeed()
    this.#failedInTurn = false
    // There are more segments to remove than one turn should take the time for.
    if (error === null && this.#segments.hasFinished) this.#markDirty()
  }

  #succeed(): void {
    if (!this.failed) return
    this.failed = false
    this.#context.log.info({ queue: this.#name }, "the store can write again")
  }

  #fail(error: StorageError): void {
    this.lastError = error
    if (!this.failed) {
      this.failed = true
      this.#context.log.error(
        { queue: this.#name, path: error.path, code: error.code, err: error },
        "the store cannot write: publishing to it is refused until it can",
      )
    }
  }

  /**
   * In the middle of a turn, whose end shall see it: the write there may well succeed, because the
   * message at fault is not part of it, but the store has failed all the same until it is tried again.
   */
  #failNow(error: StorageError): void {
    this.#failedInTurn = true
    this.#fail(error)
    if (!this.#dirty) this.#markDirty()
  }

  #markDirty(): void {
    if (this.#closed) return
    this.#dirty = true
    this.#context.markDirty(this)
  }

  #writeTail(): StorageError | null {
    const tail = this.#tail
    if (tail.count === 0 && !tail.isTorn) return null
    this.#tailBytes = tail.used
    try {
      if (tail.ackedCount < tail.count) tail.flush(this.#context, this.#directory, this.#durable)
      else this.#discardTail()
      return null
    } catch (error) {
      return asStorageError(error)
    }
  }

  /** All in the unwritten batch is settled: it need not be written, and its positions are free. */
  #discardTail(): void {
    const tail = this.#tail
    const reader = this.#reader
    // Before the disk is asked to cut off what a failed write may have left: that may fail, too.
    if (reader.segment === tail.segment && reader.cursor > tail.batchPosition)
      reader.moveTo(tail.segment, tail.batchPosition)
    tail.discard(this.#context)
  }

  // ---- buffers

  /** Gives back chunks without unread messages; with `all`, also those that can be read again. */
  #releaseBuffers(all: boolean): void {
    const context = this.#context
    const tail = this.#tail
    const reader = this.#reader
    if (tail.chunk !== null && tail.count === 0 && (all || tail.isRead(reader))) {
      const chunk = tail.takeChunk()
      if (chunk !== null && reader.chunk === chunk) reader.forgetSource()
      if (chunk !== null) context.buffers.release(chunk)
    }
    if (reader.holdsWindow && (all || this.readyCount === this.requeuedCount))
      reader.releaseWindow(context)
    if (this.requeuedCount === 0) this.#requeued = null
    if (this.#handedOut !== null && (all || this.requeuedCount === 0)) {
      this.#handedOut.releaseWindow(context)
      this.#handedOut = null
    }
    if (this.#isHolder || !this.#holdsBuffers()) return
    this.#isHolder = true
    context.buffers.hold(this)
  }

  #holdsBuffers(): boolean {
    if (this.#tail.chunk !== null || this.#reader.holdsWindow) return true
    return this.#handedOut !== null && this.#handedOut.holdsWindow
  }

  releaseIdleBuffers(): boolean {
    if (!this.#dirty) {
      if (!this.#reader.wasUsed) this.#releaseBuffers(true)
      this.#reader.wasUsed = false
    }
    this.#isHolder = this.#holdsBuffers()
    return this.#isHolder
  }

  // ---- empty stores

  #resetIfLarge(): StorageError | null {
    if (this.readyCount > 0 || this.unackedCount > 0) return null
    const { segment } = this.#tail
    if (segment === null || segment.size < RESET_SIZE_MIN) return null
    return this.#segments.list.length > REMOVALS_MAX ? null : this.#reset()
  }

  /** Removes all segments of a store without messages. */
  #reset(): StorageError | null {
    const tail = this.#tail
    const reader = this.#reader
    assert(tail.count === 0, "only a written tail can be reset")
    const error = this.#segments.removeAll(this.#context)
    this.#releaseBuffers(true)
    tail.takeChunk()
    tail.segment = null
    // If the disk refused, nothing more goes into the file that is left.
    const last = this.#segments.list.at(-1)
    if (last !== undefined) last.sealed = true
    reader.moveTo(last ?? null, last === undefined ? 0 : last.end)
    return error
  }

  /** Removes the files of a store that has no messages. True if nothing is left of it. */
  resetIfIdle(): boolean {
    if (this.#closed) return true
    if (this.readyCount > 0 || this.unackedCount > 0 || this.#dirty || this.failed) return false
    if (this.#segments.list.length > REMOVALS_MAX) return false
    try {
      const error = this.#reset()
      if (error === null) return removeIfEmpty(this.#context, this.#directory)
      this.#failNow(error)
    } catch (error) {
      this.#failNow(asStorageError(error))
    }
    return false
  }

  // ---- beginning and end

  /** Finds what an earlier process left in the directory. Throws only for bugs; damage is reported. */
  open(): RecoveryReport {
    const { list } = this.#segments
    assert(list.length === 0 && this.#nextNumber === 1, "a store is opened once, unused")
    const report = new RecoveryReport()
    recoverSegments(this.#context, this.#directory, this.#name, list, report)
    this.#nextNumber = report.highestNumber + 1
    this.readyCount = report.messageCount
    this.readyBytes = report.bodyBytes
    const first = list[0]
    const last = list.at(-1)
    if (first !== undefined) this.#reader.moveTo(first, SEGMENT_HEADER_SIZE)
    if (last !== undefined && !last.sealed) this.#tail.begin(last)
    return report
  }

  /** Writes what is left, and what makes the next open() fast. The store is unusable afterwards. */
  close(): void {
    if (this.#closed) return
    this.write()
    if (this.#tail.count > 0) {
      const count = this.#tail.count - this.#tail.ackedCount
      this.#context.log.error({ queue: this.#name, count }, "unwritten messages are lost")
      this.#tail.abandon()
    }
    for (const segment of this.#segments.list) this.#writeMeta(segment)
    this.#shut()
    this.failed = false
  }

  /** Removes all files. A store that is made for the same directory afterwards starts empty. */
  delete(): void {
    if (this.#closed) return
    const segmentCount = this.abandon()
    try {
      deleteStoreDirectory(this.#context, this.directory, segmentCount)
    } catch (error) {
      // What is left is removed at the next boot, because no definition knows it.
      const { path, code } = asStorageError(error)
      this.#context.log.warn({ queue: this.#name, path, code }, "files of a deleted queue remain")
    }
  }

  /** Forgets everything, so that the caller can remove the files. Returns the number of segments. */
  abandon(): number {
    if (this.#closed) return 0
    const { list } = this.#segments
    const { length } = list
    for (const segment of list) {
      this.#context.openFiles.forget(segment.path)
      this.#context.openFiles.forget(segment.ackPath)
    }
    this.#directory.forget(this.#context)
    this.#tail.abandon()
    this.#shut()
    this.failed = false
    this.readyCount = 0
    this.readyBytes = 0
    return length
  }

  #shut(): void {
    this.#closed = true
    this.#releaseBuffers(true)
    this.#context.buffers.unhold(this)
    this.#segments.clear()
  }

  /** A boot without it scans the segment: no reason to fail. */
  #writeMeta(segment: Segment): void {
    if (segment.metaWritten || segment.size === 0) return
    try {
      writeMetaFile(this.#context, segment)
    } catch (error) {
      const { path, code } = asStorageError(error)
      this.#context.log.warn({ queue: this.#name, path, code }, "no meta file was written")
    }
  }

  // ---- appending, when the tail has no room

  /** Room for the message in the tail's chunk. False if it has to be written through, or refused. */
  #makeRoom(size: number): boolean {
    const tail = this.#tail
    if (this.#closed || size > RECORD_SIZE_MAX) return false
    const context = this.#context
    try {
      if (!tail.fits(size, context.segmentSizeBytes)) this.#roll()
      if (size >= THROUGH_SIZE_MIN) return false
      const hint = this.#tailBytes
      return tail.makeRoom(context, this.#directory, this.#durable, this.#reader, size, hint)
    } catch (error) {
      this.#failNow(asStorageError(error))
      return false
    }
  }

  /** Goes on in a new segment. */
  #roll(): void {
    const tail = this.#tail
    tail.park(this.#context, this.#directory, this.#durable, this.#reader)
    const old = tail.segment
    if (old !== null) {
      old.sealed = true
      this.#writeMeta(old)
      if (old.isFinished) this.#segments.hasFinished = true
    }
    const segment = new Segment(this.directory, this.#nextNumber++)
    this.#segments.list.push(segment)
    tail.begin(segment)
    if (this.#reader.segment === null) this.#reader.moveTo(segment, SEGMENT_HEADER_SIZE)
  }

  #appendThrough(message: IncomingMessage, size: number, bodySize: number): boolean {
    if (this.failed || this.#closed || size > RECORD_SIZE_MAX) return false
    const tail = this.#tail
    try {
      tail.park(this.#context, this.#directory, this.#durable, this.#reader)
      tail.writeThrough(this.#context, this.#directory, this.#durable, message)
    } catch (error) {
      this.#failNow(asStorageError(error))
      return false
    }
    assert(tail.segment !== null && tail.segment.size >= size, "what was written must be counted")
    this.readyCount++
    this.readyBytes += bodySize
    if (!this.#dirty) this.#markDirty()
    return true
  }

  // ---- reading, when the next message is not simply there

  #shiftRequeued(into: StoredMessage): boolean {
    if (!this.#describeRequeued(into)) return this.requeuedCount === 0 && this.shift(into)
    const bodySize = into.bodyEnd - into.bodyStart
    this.#popRequeued()
    this.readyCount--
    this.readyBytes -= bodySize
    this.unackedCount++
    this.unackedBytes += bodySize
    return true
  }

  /** The lowest requeued message. Those that turn out to be damaged are given up on the way. */
  #describeRequeued(into: StoredMessage): boolean {
    if (this.#closed || this.#guard.isPaused) return false
    const requeued = this.#requeued
    if (requeued === null) return false
    while (this.requeuedCount > 0) {
      const { heap } = requeued
      const segment = this.#segments.find(heap.segment)
      try {
        if (this.#describe(segment, heap.position, heap.size, into)) {
          into.redelivered = true
          return true
        }
      } catch (error) {
        if (!this.#guard.noteFailure(asStorageError(error))) return false
      }
      const { bodySize } = heap
      this.#popRequeued()
      this.#guard.lose(segment, 1, bodySize)
    }
    return false
  }

  /** A message that the reader has left behind. Throws StorageError. */
  #describe(segment: Segment, position: number, size: number, into: StoredMessage): boolean {
    const handedOut = (this.#handedOut ??= new HandedOut())
    if (!handedOut.describe(this.#context, segment, position, size, this.#reader, this.#tail, into))
      return false
    this.#noteRead()
    return true
  }

  #popRequeued(): void {
    const requeued = this.#requeued
    assert(requeued !== null, "there must be a requeued message to take")
    requeued.bodyBytes -= requeued.heap.bodySize
    requeued.heap.pop()
    this.requeuedCount--
    if (this.requeuedCount === 0 && !this.#dirty) this.#markDirty()
  }

  /** Brings a whole message to the reader's cursor. */
  #prepareRead(): boolean {
    if (this.#closed || this.#guard.isPaused) return false
    const reader = this.#reader
    try {
      for (;;) {
        const before = reader.segment
        const state = reader.prepare(this.#context, this.#segments.list, this.#tail)
        if (reader.segment !== before) this.noteFinished()
        if (state === READ_READY) {
          this.#noteRead()
          return true
        }
        if (state === READ_EMPTY) {
          this.#guard.correctCounts()
          return false
        }
        if (state === READ_UNVERIFIED) this.#guard.verify()
        else this.#guard.repair()
      }
    } catch (error) {
      if (this.#guard.noteFailure(asStorageError(error))) this.#guard.giveUpSegment()
      return false
    }
  }

  /** Some segment may be done with: the end of the turn looks after it. */
  noteFinished(): void {
    this.#segments.hasFinished = true
    if (!this.#dirty) this.#markDirty()
  }

  #noteRead(): void {
    this.#guard.noteSuccess()
    if (!this.#dirty) this.#markDirty() // So that the end of the turn looks after the window.
  }

  #repairAtCursor(): boolean {
    try {
      this.#guard.repair()
      return true
    } catch (error) {
      if (this.#guard.noteFailure(asStorageError(error))) this.#guard.giveUpSegment()
      return false
    }
  }
}
