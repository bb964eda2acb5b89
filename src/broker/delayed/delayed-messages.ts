import { ProtocolError } from "../../amqp/errors.ts"
import { decodeProperties } from "../../amqp/properties.ts"
import type { BasicProperties } from "../../amqp/properties.ts"
import { IncomingMessage, StoredMessage } from "../../storage/message.ts"
import type { QueueStore } from "../../storage/queue-store.ts"
import { Chunk, copyBytes } from "../../util/bytes.ts"
import type { Clock } from "../../util/clock.ts"
import type { Logger } from "../../util/logger.ts"
import { WheelEntry } from "../../util/timer-wheel.ts"
import type { TimerWheel } from "../../util/timer-wheel.ts"
import { BrowseBudget } from "../browse.ts"
import type { BrowsedMessage, BrowseRequest } from "../browse.ts"
import { ANYWHERE } from "../commit-scope.ts"
import { Refusal } from "../errors.ts"
import type { DelayStore } from "../exchange/delay.ts"
import type { Exchange } from "../exchange/exchange.ts"
import {
  PUBLISH_ACCEPTED,
  PUBLISH_DURABLE,
  PUBLISH_REFUSED,
  PUBLISH_UNROUTABLE,
} from "../publishing.ts"
import type { MovedFrom, SettledMoves } from "../settled-moves.ts"
import { DueEntry, DueIndex } from "./due-index.ts"

/**
 * The messages that wait at one exchange until they are due: in a message store of the exchange, and by
 * due time in an index in memory, which a restart makes again from the store. The time of a record in
 * this store is when its message is due, not when it came.
 *
 *   1. add: appended to the store, and taken out of it at once: unacked there, an entry in the index
 *   2. due: read, published through the exchange, which does not delay it again
 *   3. settled in the store once the copies are safe, as dead letters are (settled-moves.ts)
 *
 * A crash before 3 leaves both: the message goes out again after the restart.
 *
 * What a delay is, and how x-delay looks afterwards, is exchange/delay.ts's.
 */

/** Messages and bytes that go out in one turn of the event loop. */
const BATCH_COUNT_MAX = 1000
const BATCH_BYTES_MAX = 4 << 20

/** Messages found again after a restart that are put into the index in one turn. */
const INDEXED_MAX = 10_000

/** What the disk or a queue refused is tried again after this time. */
const RETRY_MS = 1000
/** No more messages of a batch are tried after so many were refused. */
const REFUSALS_MAX = 10

/** An empty store keeps its files for this long. */
const IDLE_MS = 5000

/** A larger buffer is not kept for the next message. */
const COPY_SIZE_KEPT_MAX = 256 << 10

/** A queue that a message goes to. */
export interface TargetQueue {
  /** Messages that it has ever taken. */
  readonly publishedCount: number
}

export interface DelayedContext {
  readonly vhostName: string
  readonly clock: Clock
  readonly timers: TimerWheel
  readonly log: Logger
  readonly settledMoves: Pick<SettledMoves, "add">
  /** Publishing.releaseDelayed. */
  releaseDelayed(
    exchange: Exchange,
    message: IncomingMessage,
    properties: BasicProperties,
    accepts: ((queue: TargetQueue) => boolean) | null,
  ): number
}

export class DelayedMessages extends WheelEntry implements DelayStore, MovedFrom {
  readonly exchange: Exchange
  /** Messages that went out, or were to. */
  releasedCount = 0
  readonly #context: DelayedContext
  readonly #store: QueueStore
  readonly #index = new DueIndex()
  readonly #entry = new DueEntry()
  readonly #stored = new StoredMessage()
  readonly #message = new IncomingMessage()
  #copy: Chunk | null = null
  /** Going on in the next turn: with what is due, or with the index. */
  #isContinuing = false
  /** The index does not know yet all that an earlier process left. */
  #isRecovering = true
  /** The store could not be read; it is left alone until then. */
  #pausedUntilMs = 0
  /** Queues that have their copy of a message that others refused, by its place. */
  readonly #partlyDone = new Map<string, Set<TargetQueue>>()
  /** Those of the message at hand, the queues that it goes to, and what these had taken before. */
  #doneBefore: Set<TargetQueue> | null = null
  readonly #targets: TargetQueue[] = []
  readonly #publishedBefore: number[] = []
  readonly #accepts: (queue: TargetQueue) => boolean
  #closed = false

  constructor(context: DelayedContext, exchange: Exchange, store: QueueStore) {
    super()
    this.#context = context
    this.exchange = exchange
    this.#store = store
    this.#accepts = (queue) => {
      if (this.#doneBefore !== null && this.#doneBefore.has(queue)) return false
      this.#targets.push(queue)
      this.#publishedBefore.push(queue.publishedCount)
      return true
    }
    this.#plan()
  }

  get durable(): boolean {
    return this.exchange.durable
  }

  /** Messages that wait. */
  get count(): number {
    return this.#index.count + this.#store.readyCount
  }

  /** When the next one is due; Infinity if none is. */
  get firstDueMs(): number {
    return this.#index.firstMs
  }

  // ---- messages come

  add(message: IncomingMessage, _properties: BasicProperties, delayMs: number): number {
    if (this.#closed) return PUBLISH_REFUSED
    const { timestampMs } = message
    message.timestampMs = this.#context.clock.nowMs + delayMs
    const isStored = this.#store.append(message)
    message.timestampMs = timestampMs
    if (!isStored) return PUBLISH_REFUSED
    if (!this.#isContinuing) {
      this.#fillIndex(1)
      this.#plan()
    }
    return message.persistent && this.durable ? PUBLISH_DURABLE : PUBLISH_ACCEPTED
  }

  /** Takes up to `limit` messages out of the store and into the index. */
  #fillIndex(limit: number): void {
    const store = this.#store
    const stored = this.#stored
    for (let left = limit; left > 0 && store.readyCount > 0; left--) {
      if (!store.shift(stored)) {
        if (store.readyCount > 0) this.#pause()
        return
      }
      const bodySize = stored.bodyEnd - stored.bodyStart
      this.#index.push(stored.timestampMs, stored.segment, stored.position, stored.size, bodySize)
    }
  }

  #pause(): void {
    this.#pausedUntilMs = this.#context.clock.nowMs + RETRY_MS
  }

  // ---- messages are due

  /** Sees to it that this is called again when there is something to do. */
  #plan(): void {
    if (this.#closed || this.#isContinuing) return
    const { clock, timers } = this.#context
    const nowMs = clock.nowMs
    const isPaused = this.#pausedUntilMs > nowMs
    if (this.#store.readyCount > 0 && !isPaused) {
      this.#continue()
      return
    }
    let dueMs = this.#index.firstMs
    if (isPaused && (dueMs < this.#pausedUntilMs || this.#store.readyCount > 0))
      dueMs = this.#pausedUntilMs
    if (dueMs === Infinity) dueMs = nowMs + IDLE_MS
    if (!this.isScheduled || dueMs !== this.dueMs) timers.schedule(this, dueMs)
  }

  #continue(): void {
    this.#isContinuing = true
    this.#context.clock.setImmediate(() => {
      this.#isContinuing = false
      if (this.#closed) return
      this.#fillIndex(INDEXED_MAX)
      const { nowMs } = this.#context.clock
      // What fell due while the broker was down goes out in order.
      if (this.#isRecovering && this.#store.readyCount > 0 && this.#pausedUntilMs <= nowMs)
        this.#continue()
      else {
        this.#isRecovering = false
        this.#release(nowMs)
      }
    })
  }

  override onDue(nowMs: number): void {
    if (this.#closed || this.#isContinuing) return
    this.#fillIndex(INDEXED_MAX)
    if (this.#index.count === 0 && this.#store.readyCount === 0) {
      // Copies that are on their way to the disk are still to be settled.
      if (!this.#store.resetIfIdle()) this.#plan()
      return
    }
    this.#release(nowMs)
  }

  #release(nowMs: number): void {
    const index = this.#index
    let bytes = 0
    let count = 0
    let refusals = 0
    while (index.firstMs <= nowMs && this.#pausedUntilMs <= nowMs) {
      if (count === BATCH_COUNT_MAX || bytes >= BATCH_BYTES_MAX) {
        this.#continue()
        return
      }
      index.pop(this.#entry)
      bytes += this.#entry.size
      count++
      if (!this.#releaseOne(nowMs) && ++refusals >= REFUSALS_MAX) {
        this.#pause()
        break
      }
      if (this.#closed) return // Its exchange was an auto-delete one, or went otherwise.
    }
    this.#plan()
  }

  /** False if the message stays because a queue, or the disk, refused. */
  #releaseOne(nowMs: number): boolean {
    const { dueMs, segment, position, size, bodySize } = this.#entry
    const store = this.#store
    const stored = this.#stored
    if (!store.read(segment, position, size, stored)) {
      if (store.isReadFinal) store.ack(segment, position, size, bodySize)
      else {
        this.#index.push(dueMs, segment, position, size, bodySize)
        this.#pause()
      }
      return store.isReadFinal
    }
    const { persistent } = stored
    const outcome = this.#publish(stored, nowMs, segment, position)
    if (this.#closed) return true
    if (outcome === PUBLISH_REFUSED) {
      this.#index.push(nowMs + RETRY_MS, segment, position, size, bodySize)
      return false
    }
    this.releasedCount++
    if (persistent && this.durable && outcome !== PUBLISH_UNROUTABLE)
      this.#context.settledMoves.add(this, ANYWHERE, segment, position, size, bodySize)
    else store.ack(segment, position, size, bodySize)
    return true
  }

  #publish(stored: StoredMessage, nowMs: number, segment: number, position: number): number {
    const message = this.#copyOut(stored)
    const properties = this.#decode(message)
    message.timestampMs = nowMs
    const partlyDone = this.#partlyDone
    const doneBefore =
      partlyDone.size === 0 ? undefined : partlyDone.get(placeOf(segment, position))
    this.#doneBefore = doneBefore ?? null
    this.#targets.length = 0
    this.#publishedBefore.length = 0
    let outcome = PUBLISH_UNROUTABLE
    try {
      outcome = this.#context.releaseDelayed(this.exchange, message, properties, this.#accepts)
    } catch (error) {
      // Its CC header makes no sense: the publisher was told so, or did not wait to be.
      if (!(error instanceof Refusal)) throw error
      this.#context.log.warn({ ...this.#fields(), err: error }, "a delayed message is dropped")
    }
    if (outcome === PUBLISH_REFUSED) {
      this.#noteTaken(placeOf(segment, position), doneBefore ?? new Set())
      return outcome
    }
    if (doneBefore === undefined) return outcome
    partlyDone.delete(placeOf(segment, position))
    return outcome === PUBLISH_UNROUTABLE ? PUBLISH_DURABLE : outcome
  }

  /** The queues that have their copy do not get another one when it is tried again. */
  #noteTaken(place: string, done: Set<TargetQueue>): void {
    const targets = this.#targets
    for (let i = 0; i < targets.length; i++)
      if (targets[i]!.publishedCount > this.#publishedBefore[i]!) done.add(targets[i]!)
    if (done.size > 0) this.#partlyDone.set(place, done)
  }

  /**
   * The message, in memory of its own: a queue that takes it may dead-letter another one to this very
   * exchange, and the view of the store would be void before the next queue has its copy.
   */
  #copyOut(stored: StoredMessage): IncomingMessage {
    const { chunk, routeStart, bodyEnd } = stored
    const size = bodyEnd - routeStart
    let copy = this.#copy
    if (copy === null || copy.bytes.length < size) {
      copy = Chunk.allocate(Math.max(size, 4096))
      this.#copy = size <= COPY_SIZE_KEPT_MAX ? copy : null
    }
    copyBytes(chunk, routeStart, copy, 0, size)
    const message = this.#message
    message.route = message.properties = message.body = copy
    message.routeStart = 0
    message.routeEnd = stored.routeEnd - routeStart
    message.propertiesStart = stored.propertiesStart - routeStart
    message.propertiesEnd = stored.propertiesEnd - routeStart
    message.bodyStart = stored.bodyStart - routeStart
    message.bodyEnd = size
    message.persistent = stored.persistent
    message.expires = stored.expires
    message.priority = 0
    return message
  }

  #decode(message: IncomingMessage): BasicProperties {
    const { properties, propertiesStart, propertiesEnd } = message
    try {
      return decodeProperties(properties.bytes, propertiesStart, propertiesEnd)
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      this.#context.log.warn(
        { ...this.#fields(), err: error },
        "the properties of a delayed message cannot be decoded: it is routed without them",
      )
      return {}
    }
  }

  #fields(): object {
    return { vhost: this.#context.vhostName, exchange: this.exchange.name }
  }

  /** The copies of a message that went out are safe. */
  settleMoved(segment: number, position: number, size: number, bodySize: number): void {
    if (!this.#closed) this.#store.ack(segment, position, size, bodySize)
  }

  // ---- for the management

  /** Messages that wait, by due time. */
  browse(request: BrowseRequest): BrowsedMessage[] {
    const found: BrowsedMessage[] = []
    const budget = new BrowseBudget(request)
    let index = request.skip
    for (const entry of this.#index.list(request.skip, Math.max(0, budget.countMax))) {
      if (budget.isSpent) break
      const { segment, position, size } = entry
      if (this.#store.read(segment, position, size, this.#stored))
        found.push(budget.take(this.#stored, index, "delayed"))
      index++
    }
    return found
  }

  /** Drops the message of this place, which must be one that browse() gave. False if it is gone. */
  cancel(segment: number, position: number): boolean {
    const entry = this.#entry
    if (this.#closed || !this.#index.remove(segment, position, entry)) return false
    this.#partlyDone.delete(placeOf(segment, position))
    this.#store.ack(segment, position, entry.size, entry.bodySize)
    this.#plan()
    return true
  }

  /** Drops all that wait, and returns how many there were. */
  purge(): number {
    if (this.#closed) return 0
    const count = this.count
    this.#store.purge()
    const store = this.#store
    this.#index.forEach((entry) =>
      store.ack(entry.segment, entry.position, entry.size, entry.bodySize),
    )
    this.#index.clear()
    this.#partlyDone.clear()
    this.#plan()
    return count
  }

  // ---- the end

  /** The exchange is deleted: so are its messages. */
  dispose(): void {
    if (this.#closed) return
    this.#end()
    this.#store.delete()
  }

  /** The broker ends. */
  close(): void {
    if (this.#closed) return
    this.#end()
    this.#store.close()
  }

  #end(): void {
    this.#closed = true
    this.#context.timers.cancel(this)
    this.#index.clear()
    this.#partlyDone.clear()
  }
}

function placeOf(segment: number, position: number): string {
  return `${String(segment)}:${String(position)}`
}
