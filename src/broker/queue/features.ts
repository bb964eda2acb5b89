import type { DeliveryCounts } from "../../storage/delivery-counts.ts"
import { ADDED_DELIVERY_COUNT, StoredMessage } from "../../storage/message.ts"
import type { IncomingMessage } from "../../storage/message.ts"
import { LEVELS } from "../../storage/queue-store.ts"
import type { QueueStore } from "../../storage/queue-store.ts"
import { DeadLetterRoute, MOVE_FAILED, MOVED } from "../dead-letter/dead-letters.ts"
import type { DeathReason } from "../dead-letter/deaths.ts"
import { Deduplication } from "../deduplication.ts"
import { PLAIN_QUEUE } from "../settings.ts"
import type { QueueSettings } from "../settings.ts"
import { dueOf, earliestDue, expirationOf, HeadTimer, priorityOf } from "./expiry.ts"
import { QueueLease } from "./lease.ts"
import { LengthLimit } from "./limits.ts"
import { QUEUE_FAILED, QUEUE_REJECTED, QUEUE_TOOK } from "./message-queue.ts"
import type { Queue, QueueContext } from "./queue.ts"
import { UnburiedMessages } from "./unburied.ts"

/**
 * What a queue does beyond storing and handing out: expiry, length limits, dead letters, delivery
 * limits, priorities, deduplication. A plain queue has none of this and pays one comparison for it.
 *
 * The queue asks at four moments: when a message arrives, when it is about to be handed out, when it
 * comes back, and in the queue's turn. Nothing here is done to more than a slice of messages at once; what
 * is left goes on in the next turn (dropExpired and enforceLimit return true).
 */

/** Messages handed out at once when one arrives that cannot wait for the end of the turn. */
const ARRIVAL_BATCH = 64
/** Messages that live shorter than a turn may take are offered to consumers at once. */
const SOON_MS = 20
/** Heads that are dead for so long show that publishers are faster than what follows from it. */
const BEHIND_MS = 1000
/** After a dead letter that no store could take. */
const RETRY_MS = 1000
/** Before any time: the heads have to be looked at. */
const UNKNOWN = -1

/** The message at hand; nothing keeps it over a call. */
const dead = new StoredMessage()

export class QueueFeatures {
  settings: QueueSettings = PLAIN_QUEUE
  /** Whether publish() does more than to store the message, if that has no expiration. */
  looksAtArrivals = false
  /** Number of failed deliveries after which a message is dead; Infinity is any number. */
  #deliveryLimit = Infinity
  #ttlMs = Infinity
  #limit: LengthLimit | null = null
  #route: DeadLetterRoute | null = null
  #countsDeliveries = false
  /** Null until a message comes back, or may have done so in an earlier process. */
  #counts: DeliveryCounts | null = null
  /** Dead, and left for later turns. Null again when all had theirs. */
  #unburied: UnburiedMessages | null = null
  #deduplication: Deduplication | null = null
  #lease: QueueLease | null = null
  #timer: HeadTimer | null = null
  #maxPriority = 0
  /** There may be messages with an expiration of their own: a later one may expire earlier. */
  #isMixed = false
  /** No head expires before this time. */
  #nextDueMs = Infinity
  /** The queue may be longer than it is allowed. */
  #isOverflowDue = false
  /** A message has just come and is offered to consumers: one that lives for 0 ms is not late yet. */
  #isArriving = false
  /** What follows from it is not left to the queue's turn. */
  #isAtOnce = false
  readonly #queue: Queue
  readonly #context: QueueContext

  constructor(queue: Queue, context: QueueContext) {
    this.#queue = queue
    this.#context = context
  }

  /** Messages that deduplication has dropped. */
  get duplicateCount(): number {
    return this.#deduplication === null ? 0 : this.#deduplication.droppedCount
  }

  /** Nothing is left to do for a queue without settings that is empty. */
  get isDispensable(): boolean {
    const { store } = this.#queue
    return (
      this.settings === PLAIN_QUEUE &&
      !this.#countsDeliveries && // A quorum queue without limit counts all the same.
      (store === null || (store.readyCount === 0 && store.unackedCount === 0))
    )
  }

  /** Whether beginDelivery() and endDelivery() have anything to do. */
  get looksAtDeliveries(): boolean {
    return (
      this.#ttlMs !== Infinity ||
      this.#isMixed ||
      this.#limit !== null ||
      this.#unburied !== null ||
      (this.#counts !== null && this.#counts.size > 0)
    )
  }

  /**
   * Whether messages without an expiration of their own may be handed out in runs: nothing is to be
   * asked or told about a single one of them.
   */
  get allowsRuns(): boolean {
    return this.#ttlMs === Infinity && (this.#counts === null || this.#counts.size === 0)
  }

  /** `settings` is PLAIN_QUEUE if they have nothing for a queue of this class. */
  configure(settings: QueueSettings, countsDeliveries: boolean): void {
    const { name } = this.#queue
    const { deadLetterExchange, deadLetterRoutingKey, deduplication, expiresMs } = settings
    this.settings = settings
    this.#ttlMs = settings.messageTtlMs ?? Infinity
    this.#limit = LengthLimit.of(settings)
    this.#route =
      deadLetterExchange === null
        ? null
        : new DeadLetterRoute(name, deadLetterExchange, deadLetterRoutingKey)
    this.#deliveryLimit = settings.deliveryLimit ?? Infinity
    this.#countDeliveries(countsDeliveries)
    this.#maxPriority = settings.maxPriority
    if (deduplication === null) this.#deduplication = null
    else if (this.#deduplication === null) this.#deduplication = new Deduplication(deduplication)
    else this.#deduplication.configure(deduplication)
    this.looksAtArrivals =
      this.#ttlMs !== Infinity ||
      this.#limit !== null ||
      this.#maxPriority > 0 ||
      deduplication !== null
    this.#setLease(expiresMs)
    this.#isOverflowDue = this.#limit !== null
    this.#nextDueMs = UNKNOWN
    // A policy may change thousands of queues, and each of them may have to be read from a file.
    if (this.#queue.readyCount > 0) this.#context.examineSoon(this.#queue)
  }

  #countDeliveries(isWanted: boolean): void {
    this.#countsDeliveries = isWanted
    if (isWanted || this.#counts === null) return
    this.#counts.clear()
    this.#counts.close()
    this.#counts = null
  }

  #openCounts(): DeliveryCounts {
    this.#counts ??= this.#context.openDeliveryCounts(this.#queue)
    return this.#counts
  }

  #setLease(durationMs: number | null): void {
    const { timers } = this.#context
    if (durationMs === null) {
      this.#lease?.suspend()
      this.#lease = null
    } else if (this.#lease === null)
      this.#lease = new QueueLease(durationMs, timers, () => {
        if (this.#queue.consumerCount === 0) this.#context.deleteQueue(this.#queue, "expired")
      })
    else if (this.#lease.durationMs === durationMs) return
    else this.#lease.durationMs = durationMs
    this.touch()
  }

  /** The messages in the store come from an earlier process: nothing is known of them. */
  noteRecovered(): void {
    if (this.#countsDeliveries) this.#openCounts()
    this.#isMixed = true
    this.#nextDueMs = UNKNOWN
  }

  /** The queue is used; or its last consumer has left. */
  touch(): void {
    if (this.#lease !== null && this.#queue.consumerCount === 0)
      this.#lease.renew(this.#context.clock.nowMs)
  }

  consumerAdded(): void {
    this.#lease?.suspend()
  }

  /** The broker stops. */
  close(): void {
    this.#stop()
    this.#counts?.close()
  }

  /** The queue is deleted, or plain from now on. */
  dispose(): void {
    this.#stop()
    this.#counts?.abandon()
  }

  #stop(): void {
    this.#timer?.clear()
    this.#lease?.suspend()
  }

  // ---- a message arrives

  /** Stores the message or gives it to a consumer. Returns QUEUE_TOOK, QUEUE_FAILED or QUEUE_REJECTED. */
  publish(message: IncomingMessage): number {
    const queue = this.#queue
    const deduplication = this.#deduplication
    const limit = this.#limit
    if (deduplication !== null && deduplication.isDuplicate(message, message.timestampMs))
      return QUEUE_TOOK
    if (queue.passOn(message)) return QUEUE_TOOK
    if (limit !== null && !limit.dropsHead && !this.#hasRoomFor(message, limit)) {
      deduplication?.forgetLast()
      if (limit.overflow === "reject-publish-dlx" && this.#route !== null)
        this.#context.deadLetters.moveRejected(this.#route, message)
      return QUEUE_REJECTED
    }
    if (this.#maxPriority > 0) {
      const priority = priorityOf(
        message.properties,
        message.propertiesStart,
        message.propertiesEnd,
      )
      message.priority = Math.min(priority, this.#maxPriority)
    }
    const wasEmpty = queue.readyCount === 0
    if (wasEmpty) this.#isMixed = false
    if (!queue.append(message)) {
      deduplication?.forgetLast()
      return QUEUE_FAILED
    }
    const isSoon = this.#noteArrival(message, wasEmpty)
    const isOver =
      limit !== null && limit.dropsHead && limit.isExceeded(queue.readyCount, queue.readyBytes)
    if (isOver) this.#isOverflowDue = true
    if (isSoon || isOver) this.#settleNow()
    else queue.wake()
    return QUEUE_TOOK
  }

  /** True if it expires before the end of the turn may come. */
  #noteArrival(message: IncomingMessage, wasEmpty: boolean): boolean {
    let ttlMs = this.#ttlMs
    if (message.expires) {
      this.#isMixed = true
      const { properties, propertiesStart, propertiesEnd } = message
      ttlMs = Math.min(ttlMs, expirationOf(properties, propertiesStart, propertiesEnd))
    }
    if (ttlMs === Infinity) {
      if (wasEmpty) this.#nextDueMs = Infinity
      return false
    }
    const dueMs = message.timestampMs + ttlMs
    // Behind others it waits until it is the head; every level of a priority queue has one.
    if (wasEmpty || (this.#maxPriority > 0 && dueMs < this.#nextDueMs)) this.#setDue(dueMs)
    return ttlMs < SOON_MS
  }

  /** Consumers that can take messages get them before any is dropped. */
  #settleNow(): void {
    const queue = this.#queue
    // A dead letter does not make others on its way.
    if (this.#context.deadLetters.isMoving) {
      queue.mark()
      return
    }
    this.#isAtOnce = true
    this.#isArriving = true
    const hasMore = queue.deliver(ARRIVAL_BATCH)
    this.#isArriving = false
    if (this.dropExpired() || hasMore) queue.mark()
    this.#isAtOnce = false
  }

  #hasRoomFor(message: IncomingMessage, limit: LengthLimit): boolean {
    const queue = this.#queue
    const bodySize = message.bodyEnd - message.bodyStart
    if (!limit.isExceeded(queue.readyCount + 1, queue.readyBytes + bodySize)) return true
    if (this.#context.deadLetters.isMoving) return false
    if (queue.readyCount > 0 && queue.deliver(ARRIVAL_BATCH)) queue.mark()
    if (!limit.isExceeded(queue.readyCount + 1, queue.readyBytes + bodySize)) return true
    // Even a queue that may hold nothing passes messages to a consumer that waits for one.
    return queue.readyCount === 0 && queue.hasCapacity
  }

  // ---- a message goes out or comes back

  /**
   * The message was shifted to be delivered. False if it has expired, and is settled already. Sets the
   * header that tells of failed deliveries.
   */
  beginDelivery(message: StoredMessage): boolean {
    if (message.expires || this.#ttlMs !== Infinity) {
      if (message.expires) this.#isMixed = true
      if (this.#isLate(dueOf(message, this.#ttlMs))) {
        this.#bury(message, "expired")
        return false
      }
    }
    const counts = this.#counts
    if (counts !== null && counts.size > 0) {
      const count = counts.get(message.segment, message.position)
      if (count > 0) {
        message.added = ADDED_DELIVERY_COUNT
        message.addedValue = count
      }
    }
    return true
  }

  /** What came back may have made the queue too long: a client that asks sees it as short as it must be. */
  beginGet(): void {
    if (this.#isOverflowDue && this.#limit !== null && this.#limit.dropsHead) this.#settleNow()
  }

  /** The head was taken out: the next one is looked at in the queue's turn, because a view is in use. */
  headTaken(): void {
    this.touch()
    if (!this.looksAtDeliveries) return
    if (this.#isMixed) this.#nextDueMs = UNKNOWN
    this.#queue.mark()
  }

  /** After messages were handed out: what follows from another head. True if there is more to do. */
  endDelivery(count: number): boolean {
    if (count > 0 && this.#isMixed) this.#nextDueMs = UNKNOWN
    const hasMore = this.#enforceLimit()
    this.#arm()
    return hasMore
  }

  /** The message is settled for good; so are `count` of the same size, one behind the other. */
  settled(segment: number, position: number, size = 0, count = 1): void {
    const counts = this.#counts
    if (counts === null || counts.size === 0) return
    for (let i = 0; i < count; i++) counts.forget(segment, position + i * size)
    this.#forgetIfEmpty(counts)
  }

  /** A store that starts anew gives the same positions to other messages. */
  #forgetIfEmpty(counts: DeliveryCounts): void {
    const { store } = this.#queue
    if (store === null || (store.readyCount === 0 && store.unackedCount === 0)) counts.clear()
  }

  /** reject or nack without requeue. */
  drop(store: QueueStore, segment: number, position: number, size: number, bodySize: number): void {
    this.#buryUnacked(store, segment, position, size, bodySize, "rejected")
  }

  /**
   * Deliveries have failed, `count` of the same size that lie one directly behind the other: the messages
   * go back to their places, or have failed too often.
   */
  requeue(
    store: QueueStore,
    segment: number,
    position: number,
    size: number,
    bodySize: number,
    count: number,
  ): void {
    if (this.#countsDeliveries)
      for (let i = 0; i < count; i++)
        this.#requeueCounted(store, segment, position + i * size, size, bodySize)
    else store.requeue(segment, position, size, bodySize, count)
    this.#headChanged()
    this.#queue.mark()
  }

  #requeueCounted(
    store: QueueStore,
    segment: number,
    position: number,
    size: number,
    bodySize: number,
  ): void {
    if (this.#openCounts().increment(segment, position) > this.#deliveryLimit)
      this.#buryUnacked(store, segment, position, size, bodySize, "delivery_limit")
    else store.requeue(segment, position, size, bodySize)
  }

  #headChanged(): void {
    this.#nextDueMs = UNKNOWN
    this.#isMixed = true // What has come back may have an expiration of its own.
    if (this.#limit !== null) this.#isOverflowDue = true
  }

  /** All ready messages are gone. */
  purged(): void {
    this.#setDue(Infinity)
    if (this.#counts !== null) this.#forgetIfEmpty(this.#counts)
  }

  // ---- the queue's turn

  /** Dead messages and expired heads leave. True if there are more than may leave in this turn. */
  dropExpired(): boolean {
    const { store } = this.#queue
    if (store === null) return false
    if (this.#unburied !== null && this.#buryLeftOver(store)) return true
    if (!this.#isLate(this.#nextDueMs)) return false
    if (this.#ttlMs === Infinity && !this.#isMixed) {
      this.#setDue(Infinity)
      return false
    }
    const granted = this.#grant()
    if (granted === 0) return true
    const left = this.#dropLate(store, granted)
    this.#use(granted - left)
    if (left < granted && store.readyCount === 0) this.#context.wentEmpty(this.#queue)
    return left === 0
  }

  /** Up to `left` of them; returns how many there might have been more. Sets the time of the next one. */
  #dropLate(store: QueueStore, granted: number): number {
    let left = granted
    let nextDueMs = Infinity
    /** How late the last one leaves. */
    let lateMs = 0
    const isLevelled = this.#maxPriority > 0
    let level = isLevelled ? store.nextLevel(LEVELS) : 0
    while (level >= 0 && store.readyCount > 0) {
      if (left === 0) {
        if (lateMs > BEHIND_MS) this.#context.turn.noteBacklog()
        return 0
      }
      const hasHead = isLevelled ? store.peekLevel(level, dead) : store.peek(dead)
      if (!hasHead) {
        this.#noteStall(store)
        return left
      }
      const dueMs = dueOf(dead, this.#ttlMs)
      if (this.#isLate(dueMs)) {
        lateMs = this.#context.clock.nowMs - dueMs
        if (!this.#buryHead(store, isLevelled ? level : -1, "expired")) return left
        left--
        // The level may be empty now: looking below the one above it finds it if it is not.
        if (isLevelled) level = store.nextLevel(level + 1)
        continue
      }
      nextDueMs = Math.min(nextDueMs, dueMs)
      level = isLevelled ? store.nextLevel(level) : -1
    }
    this.#setDue(nextDueMs)
    return Math.max(left, 1) // All are looked at, even if the last one was the last that was granted.
  }

  /** Heads leave until the queue is as short as it must be. True if there are more than may leave now. */
  #enforceLimit(): boolean {
    const limit = this.#limit
    const { store } = this.#queue
    if (!this.#isOverflowDue || store === null) return false
    if (limit !== null && limit.dropsHead) {
      const granted = this.#grant()
      let left = granted
      let isStuck = false
      while (left > 0 && !isStuck && limit.isExceeded(store.readyCount, store.readyBytes)) {
        isStuck = !this.#buryHead(store, -1, "maxlen")
        left--
      }
      if (granted > 0) this.#use(granted - left)
      if (left < granted && !isStuck) this.#nextDueMs = UNKNOWN
      if (left < granted && store.readyCount === 0) this.#context.wentEmpty(this.#queue)
      if (isStuck) return false
      if (limit.isExceeded(store.readyCount, store.readyBytes)) return true
    }
    this.#isOverflowDue = false
    return false
  }

  /** What follows from an arrival is done with it; the rest waits its turn. */
  #grant(): number {
    return this.#isAtOnce ? ARRIVAL_BATCH : this.#context.burials.grant(this.#route !== null)
  }

  #use(count: number): void {
    this.#context.burials.use(count, this.#route !== null)
  }

  /** The counts are right and nothing can be read: the disk does not answer at present. */
  #noteStall(store: QueueStore): void {
    if (store.readyCount > 0) this.#context.stalled(this.#queue)
  }

  #isLate(dueMs: number): boolean {
    const { nowMs } = this.#context.clock
    return this.#isArriving ? dueMs < nowMs : dueMs <= nowMs
  }

  #arm(): void {
    const { store } = this.#queue
    if (store === null || store.readyCount === 0) {
      this.#setDue(Infinity)
      this.#isMixed = false
    } else if (this.#nextDueMs === UNKNOWN)
      if (this.#ttlMs === Infinity && !this.#isMixed) this.#setDue(Infinity)
      else this.#setDue(earliestDue(store, this.#ttlMs, this.#maxPriority > 0, dead))
  }

  #setDue(dueMs: number): void {
    this.#nextDueMs = dueMs
    if (this.#timer !== null) this.#timer.set(dueMs)
    else if (dueMs !== Infinity) {
      this.#timer = new HeadTimer(this.#context.timers, () => this.#queue.mark())
      this.#timer.set(dueMs)
    }
  }

  // ---- the dead

  /** The head of the level, or with -1 of the queue. False if it has to stay for now. */
  #buryHead(store: QueueStore, level: number, reason: DeathReason): boolean {
    const isThere = level < 0 ? store.shift(dead) : store.shiftLevel(level, dead)
    if (isThere) return this.#bury(dead, reason)
    this.#noteStall(store)
    return false
  }

  /** The message was handed out, to nobody. False if it had to go back. */
  #bury(message: StoredMessage, reason: DeathReason): boolean {
    const { store } = this.#queue
    if (store === null) return false
    const { segment, position, size } = message
    const bodySize = message.bodyEnd - message.bodyStart
    const outcome = this.#move(message, reason)
    if (outcome === MOVE_FAILED) {
      // It comes back like a message that was returned, and dies again.
      store.requeue(segment, position, size, bodySize)
      this.#headChanged()
      this.#setDue(this.#context.clock.nowMs + RETRY_MS)
      return false
    }
    if (outcome === MOVED) store.ack(segment, position, size, bodySize)
    this.settled(segment, position)
    return true
  }

  #buryUnacked(
    store: QueueStore,
    segment: number,
    position: number,
    size: number,
    bodySize: number,
    reason: DeathReason,
  ): void {
    if (this.#route === null) {
      store.ack(segment, position, size, bodySize)
      this.settled(segment, position)
      return
    }
    const { burials } = this.#context
    if (this.#unburied === null && burials.grant(true) > 0) {
      burials.useForMove()
      this.#moveUnacked(store, segment, position, size, bodySize, reason)
      return
    }
    this.#unburied ??= new UnburiedMessages()
    this.#unburied.add(segment, position, size, bodySize, reason)
    this.#queue.mark()
  }

  /** True if there are more than may be moved in this turn. */
  #buryLeftOver(store: QueueStore): boolean {
    const unburied = this.#unburied!
    const granted = this.#grant()
    if (granted === 0) return true
    let left = granted
    while (left > 0 && unburied.next()) {
      const { segment, position, size, bodySize, reason } = unburied
      this.#moveUnacked(store, segment, position, size, bodySize, reason)
      left--
    }
    this.#use(granted - left)
    if (unburied.count > 0) return true
    this.#unburied = null
    return false
  }

  #moveUnacked(
    store: QueueStore,
    segment: number,
    position: number,
    size: number,
    bodySize: number,
    reason: DeathReason,
  ): void {
    if (store.read(segment, position, size, dead)) {
      this.#bury(dead, reason)
      return
    }
    if (!store.isReadFinal) {
      store.requeue(segment, position, size, bodySize) // The disk does not answer at present.
      this.#headChanged()
      this.#context.stalled(this.#queue)
      return
    }
    store.ack(segment, position, size, bodySize)
    this.settled(segment, position)
  }

  #move(message: StoredMessage, reason: DeathReason): number {
    if (this.#route === null) return MOVED
    return this.#context.deadLetters.move(this.#queue, this.#route, message, reason)
  }
}
