import type { StorageError } from "./disk.ts"
import type { Reader } from "./reader.ts"
import { verifySegment } from "./recovery.ts"
import type { Segment } from "./segment.ts"
import type { StoreContext } from "./store-context.ts"
import type { Tail } from "./tail.ts"

/**
 * What a store does when the disk does not give what it should: reads that fail are tried again
 * later, damage is set aside, and the counts follow what is really there. Decides; the files are
 * verified by recovery.ts.
 */

/** A file that cannot be read is tried again this often, this far apart, before it is given up. */
const READ_ATTEMPTS_MAX = 3
const READ_RETRY_MS = 1000

/** The store as its guard sees it. */
export interface GuardedStore {
  readyCount: number
  readyBytes: number
  /** Part of the ready ones: those that came back. */
  readonly requeuedCount: number
  readonly requeuedBytes: number
  lostCount: number
  lastError: StorageError | null
  /** A segment may have nothing left that is not settled. */
  noteFinished(): void
}

export class ReadGuard {
  readonly #store: GuardedStore
  readonly #context: StoreContext
  readonly #queueName: string
  readonly #segments: readonly Segment[]
  readonly #tail: Tail
  readonly #reader: Reader
  #failures = 0
  #retryAtMs = 0
  /** Where the last repair changed nothing. */
  #repairedSegment = 0
  #repairedPosition = 0

  constructor(
    store: GuardedStore,
    context: StoreContext,
    queueName: string,
    segments: readonly Segment[],
    tail: Tail,
    reader: Reader,
  ) {
    this.#store = store
    this.#context = context
    this.#queueName = queueName
    this.#segments = segments
    this.#tail = tail
    this.#reader = reader
  }

  /** The disk failed a moment ago and is left alone. */
  get isPaused(): boolean {
    return this.#retryAtMs > 0 && this.#context.clock.nowMs < this.#retryAtMs
  }

  /** The last read has failed, and none has succeeded since. */
  get cannotRead(): boolean {
    return this.#retryAtMs > 0
  }

  noteSuccess(): void {
    this.#failures = 0
    this.#retryAtMs = 0
  }

  /** The disk did not give what it should. True if it has been asked often enough. */
  noteFailure(error: StorageError): boolean {
    const { clock, log } = this.#context
    this.#store.lastError = error
    const { path, code } = error
    log.error({ queue: this.#queueName, path, code, err: error }, "a segment cannot be read")
    this.#retryAtMs = clock.nowMs + READ_RETRY_MS
    if (++this.#failures < READ_ATTEMPTS_MAX) return false
    this.noteSuccess()
    return true
  }

  /**
   * Looks at what an earlier process wrote in the reader's segment: what is damaged is set aside,
   * what is settled is skipped. Throws StorageError.
   */
  verify(): void {
    const reader = this.#reader
    const segment = reader.segment!
    const expectedCount = this.aheadCount(segment)
    const expectedBytes = this.aheadBytes(segment)
    const found = verifySegment(this.#context, this.#queueName, segment, reader.cursor)
    segment.unverified = false
    reader.releaseWindow(this.#context)
    reader.setSkips(found.skips)
    if (found.readyCount === expectedCount && found.readyBytes === expectedBytes) return
    this.lose(segment, expectedCount - found.readyCount, expectedBytes - found.readyBytes)
  }

  /** What stands at the cursor is no message, in a file that is thought to be whole. Throws StorageError. */
  repair(): void {
    const reader = this.#reader
    const segment = reader.segment!
    const position = reader.cursor
    this.verify()
    if (reader.segment !== segment || reader.cursor !== position) return
    // The file passes its checks but reads differently at times: do not try for ever.
    if (this.#repairedSegment === segment.number && this.#repairedPosition === position)
      this.giveUpSegment()
    this.#repairedSegment = segment.number
    this.#repairedPosition = position
  }

  /** Nothing more is served of the segment's file from the cursor on. The file is kept. */
  giveUpSegment(): void {
    const reader = this.#reader
    const { segment } = reader
    if (segment === null) return
    const count = this.aheadCount(segment)
    const bodyBytes = this.aheadBytes(segment)
    segment.unverified = false
    segment.keepFile = true
    reader.releaseWindow(this.#context)
    reader.moveTo(segment, Math.max(reader.cursor, segment.size))
    this.lose(segment, count, bodyBytes)
  }

  /** Messages that were counted are not there. Negative if there are more than were counted. */
  lose(segment: Segment, count: number, bodyBytes: number): void {
    const store = this.#store
    segment.messageCount -= count
    segment.bodyBytes -= bodyBytes
    segment.metaWritten = false
    store.readyCount -= count
    store.readyBytes -= bodyBytes
    if (count > 0) store.lostCount += count
    const { log } = this.#context
    const fields = { queue: this.#queueName, path: segment.path, count }
    if (count > 0) log.error(fields, "damaged messages are not served")
    else log.warn(fields, "the segment holds other messages than were counted")
    store.noteFinished()
  }

  /** A message that was handed out cannot be read again. Whoever has it settles it. */
  noteUnreadable(segment: Segment): void {
    this.#store.lostCount++
    this.#context.log.error(
      { queue: this.#queueName, path: segment.path },
      "a message that was handed out is damaged: it cannot be moved",
    )
  }

  /**
   * Ready messages from the cursor on in the file of the segment, which is the reader's. The cursor
   * must not be in the unwritten tail.
   */
  aheadCount(segment: Segment): number {
    const segments = this.#segments
    let count = this.#store.readyCount - this.#store.requeuedCount - this.#tail.count
    for (let i = segments.length - 1; segments[i] !== segment; i--)
      count -= segments[i]!.messageCount - segments[i]!.ackedCount
    return count
  }

  aheadBytes(segment: Segment): number {
    const segments = this.#segments
    let bytes = this.#store.readyBytes - this.#store.requeuedBytes - this.#tail.bodyBytes
    for (let i = segments.length - 1; segments[i] !== segment; i--)
      bytes -= segments[i]!.bodyBytes - segments[i]!.ackedBytes
    return bytes
  }

  /** The reader is at the end: only requeued messages can be ready. Else a count was wrong. */
  correctCounts(): void {
    const store = this.#store
    if (store.readyCount === store.requeuedCount) return
    const count = store.readyCount - store.requeuedCount
    this.#context.log.error(
      { queue: this.#queueName, count },
      "messages that were counted are not there",
    )
    store.readyCount = store.requeuedCount
    store.readyBytes = store.requeuedBytes
  }
}
