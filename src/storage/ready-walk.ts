import { HandedOut } from "./handed-out.ts"
import { StoredMessage } from "./message.ts"
import { READ_CORRUPT, READ_EMPTY, READ_UNVERIFIED, Reader } from "./reader.ts"
import { readRecord } from "./record.ts"
import { verifySegment } from "./recovery.ts"
import type { RequeueHeap } from "./requeue-heap.ts"
import { findSegment } from "./segment.ts"
import type { Segment } from "./segment.ts"
import type { StoreContext } from "./store-context.ts"
import type { Tail } from "./tail.ts"

/**
 * A look at the ready messages of a store without taking any: a reader of its own that starts where
 * the store's stands. Files of an earlier process are verified before anything of them is shown; the
 * store does so again for its counts when it comes to them. What is not a message ends the walk through
 * its segment. Lives for one call, and nothing may happen to the store meanwhile.
 */

/** Ready messages from the store's cursor on in the file of the reader's segment. */
export interface AheadCount {
  aheadCount(segment: Segment): number
}

type Visit = (message: StoredMessage) => boolean

export class ReadyWalk {
  readonly #context: StoreContext
  readonly #queueName: string
  readonly #segments: readonly Segment[]
  readonly #tail: Tail
  readonly #storeReader: Reader
  readonly #reader = new Reader()
  readonly #handedOut = new HandedOut()
  readonly #message = new StoredMessage()

  constructor(
    context: StoreContext,
    queueName: string,
    segments: readonly Segment[],
    tail: Tail,
    storeReader: Reader,
  ) {
    this.#context = context
    this.#queueName = queueName
    this.#segments = segments
    this.#tail = tail
    this.#storeReader = storeReader
  }

  release(): void {
    this.#reader.releaseWindow(this.#context)
    this.#handedOut.releaseWindow(this.#context)
  }

  /** The lowest message of the heap. False if the visitor has seen enough. Throws StorageError. */
  visitRequeued(heap: RequeueHeap, visit: Visit): boolean {
    const message = this.#message
    const segment = this.#segments[findSegment(this.#segments, heap.segment)]
    if (segment === undefined) return true
    const { position, size } = heap
    const reader = this.#reader
    if (
      !this.#handedOut.describe(this.#context, segment, position, size, reader, this.#tail, message)
    )
      return true
    message.redelivered = true
    return visit(message)
  }

  /** The messages from the store's cursor on, without the first `skip`. Throws StorageError. */
  run(skip: number, ahead: AheadCount, visit: Visit): void {
    const reader = this.#reader
    let left = this.#start(skip, ahead)
    for (;;) {
      const state = reader.prepare(this.#context, this.#segments, this.#tail)
      const { segment } = reader
      if (state === READ_EMPTY || segment === null) return
      if (state === READ_UNVERIFIED) this.#verify(segment)
      else if (state === READ_CORRUPT || !this.#describe(segment)) {
        if (!this.#leave(segment)) return
      } else if (left > 0) left--
      else if (!visit(this.#message)) return
    }
  }

  /** Goes to the first segment that cannot be skipped as a whole; returns what is left to skip. */
  #start(skip: number, ahead: AheadCount): number {
    const reader = this.#reader
    const from = this.#storeReader
    const tail = this.#tail
    let { segment } = from
    if (segment === null) return skip
    let left = skip
    const isInBatch = segment === tail.segment && from.cursor >= tail.batchPosition
    let count = isInBatch ? 0 : ahead.aheadCount(segment)
    reader.moveTo(segment, from.cursor)
    reader.setSkips(from.skipsAhead())
    if (!segment.unverified) reader.acceptedSegment = segment.number
    let index = findSegment(this.#segments, segment.number)
    // The last one may have a batch that its counts do not know.
    while (left >= count && left > 0 && index < this.#segments.length - 1) {
      left -= count
      segment = this.#segments[++index]!
      count = segment.messageCount - segment.ackedCount
      reader.moveToStart(segment)
    }
    return left
  }

  /** Written by an earlier process, and not yet looked at in this one. */
  #verify(segment: Segment): void {
    const reader = this.#reader
    const { skips } = verifySegment(this.#context, this.#queueName, segment, reader.cursor)
    reader.releaseWindow(this.#context)
    reader.setSkips(skips)
    reader.acceptedSegment = segment.number
  }

  /** The message at the cursor, which moves on. */
  #describe(segment: Segment): boolean {
    const reader = this.#reader
    const message = this.#message
    const offset = reader.cursor - reader.base
    const size = reader.chunk.view.getInt32(offset, true)
    if (!readRecord(reader.chunk, offset, size, message)) return false
    message.segment = segment.number
    message.position = reader.cursor
    message.redelivered = false
    reader.cursor += size
    return true
  }

  /** The rest of the segment cannot be read. False if there is no other. */
  #leave(segment: Segment): boolean {
    const next = this.#segments[findSegment(this.#segments, segment.number) + 1]
    if (next === undefined) return false
    this.#reader.moveToStart(next)
    return true
  }
}
