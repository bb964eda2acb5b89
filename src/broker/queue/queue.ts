import type { Table } from "../../amqp/table.ts"
import type { DeliveryCounts } from "../../storage/delivery-counts.ts"
import { ADDED_NONE, StoredMessage } from "../../storage/message.ts"
import type { IncomingMessage } from "../../storage/message.ts"
import type { QueueStore } from "../../storage/queue-store.ts"
import { assert } from "../../util/assert.ts"
import type { Clock } from "../../util/clock.ts"
import type { TimerWheel } from "../../util/timer-wheel.ts"
import type { ConnectionHandle } from "../connection-handle.ts"
import type { CommitFailure, DefinitionScope } from "../commit-scope.ts"
import type { ConsumerRequest, Subscriber } from "../consumer.ts"
import type { DeadLetters } from "../dead-letter/dead-letters.ts"
import { Refusal } from "../errors.ts"
import { queueTypeOf } from "../queue-type.ts"
import { PLAIN_QUEUE, type QueueSettings } from "../settings.ts"
import type { Turn } from "../turn.ts"
import type { BurialBudget } from "./burial-budget.ts"
import { Dispatcher } from "./dispatcher.ts"
import { QueueFeatures } from "./features.ts"
import { faultOf, QUEUE_FAILED, QUEUE_TOOK } from "./message-queue.ts"
import type { MessageQueue, QueueFault } from "./message-queue.ts"

/**
 * A queue: messages in a store on one side, subscribers on the other. Owns the rules of delivery;
 * knows neither frames nor files. An idle queue is this object and its name and nothing else:
 * store and dispatcher are made with the first message and the first consumer, and what a queue can
 * do beyond this (features.ts) with the first setting or message that asks for it.
 */

/** What a queue needs from its surroundings; one per vhost, shared by its queues. */
export interface QueueContext {
  readonly vhostName: string
  readonly definitions: DefinitionScope
  readonly turn: Turn
  readonly clock: Clock
  readonly timers: TimerWheel
  readonly deadLetters: DeadLetters
  readonly burials: BurialBudget
  openStore(queue: Queue): QueueStore
  openDeliveryCounts(queue: Queue): DeliveryCounts
  /** Reads what the queue has on disk; see recover(). */
  reopenStore(queue: Queue): void
  /** The queue ends by itself (auto-delete, x-expires). */
  deleteQueue(queue: Queue, reason: string): void
  /** The store cannot read at present: delivery is to be tried again in a while. */
  stalled(queue: Queue): void
  /** The store went empty: it may give its files back when it stays so. */
  wentEmpty(queue: Queue): void
  /** examine() is to be called, in its turn among thousands of queues; soon is now if there are few. */
  examineLater(queue: Queue): void
  examineSoon(queue: Queue): void
}

export interface QueueProperties {
  readonly name: string
  readonly durable: boolean
  readonly exclusive: boolean
  readonly autoDelete: boolean
  readonly arguments: Table
}

/** A sole consumer is asked for its capacity once in so many bytes. */
const SOLE_BYTES = 32 << 10

/** Larger bodies are stored: how much a consumer takes at once is limited behind the store. */
const PASS_ON_BODY_MAX = 16 << 10

/** Expired messages that one basic.get clears away; behind more it is as if there were none. */
const EXPIRED_PER_GET_MAX = 4096

/** The view through which all deliveries go; a delivery never outlives the call. */
const delivered = new StoredMessage()

export class Queue implements MessageQueue {
  readonly kind = 0
  readonly name: string
  readonly durable: boolean
  readonly autoDelete: boolean
  readonly arguments: Table
  /** The only connection that may use an exclusive queue, and with which it ends. */
  readonly owner: ConnectionHandle | null
  /** Of a federated queue: `wantsMessages` may have changed. Null for all others. */
  onDemand: (() => void) | null = null
  /** On the turn's list of queues to deliver from. */
  inTurn = false
  deleted = false
  isPaused = false
  /** Mark of the last routing pass that found this queue, so that it gets one copy (route.ts). */
  routeMark = 0
  store: QueueStore | null = null
  /** What arguments and policies say together; see configure(). */
  settings: QueueSettings = PLAIN_QUEUE
  publishedCount = 0
  acknowledgedCount = 0
  redeliveredCount = 0
  deliverNoAckCount = 0
  getCount = 0
  getNoAckCount = 0
  getEmptyCount = 0
  /** To consumers that acknowledge. */
  #deliverAckCount = 0
  #dispatcher: Dispatcher | null = null
  /** Null while the queue is a plain one, or has nothing yet that they could be about. */
  #features: QueueFeatures | null = null
  /** The settings ask for features, which are made with the first message. */
  #isDormant = false
  /** Messages without an expiration are looked at when they come, too. */
  #looksAtArrivals = false
  /** There are messages of an earlier process of which nothing is known. */
  #isUnexamined = false
  readonly #context: QueueContext
  /** The commit round that its definition went with, or one soon after. */
  readonly #definedRound: number

  constructor(context: QueueContext, properties: QueueProperties, owner: ConnectionHandle | null) {
    this.#context = context
    this.name = properties.name
    this.durable = properties.durable
    this.autoDelete = properties.autoDelete
    this.arguments = properties.arguments
    this.owner = owner
    this.#definedRound = context.turn.lastRound + 1
  }

  get deliveredCount(): number {
    return this.#deliverAckCount + this.deliverNoAckCount + this.getCount + this.getNoAckCount
  }

  get exclusive(): boolean {
    return this.owner !== null
  }

  get vhostName(): string {
    return this.#context.vhostName
  }

  get readyCount(): number {
    return this.store === null ? 0 : this.store.readyCount
  }

  get readyBytes(): number {
    return this.store === null ? 0 : this.store.readyBytes
  }

  get unackedCount(): number {
    return this.store === null ? 0 : this.store.unackedCount
  }

  get fault(): QueueFault | null {
    return this.store === null ? null : faultOf(this.store, this.store.cannotRead)
  }

  get hasFailedWrites(): boolean {
    return this.store !== null && this.store.failed
  }

  isHitBy(failure: CommitFailure): boolean {
    return (
      this.store !== null &&
      (failure.hits(this.store.directory) ||
        this.#context.definitions.isHitSince(failure, this.#definedRound))
    )
  }

  get consumerCount(): number {
    return this.#dispatcher === null ? 0 : this.#dispatcher.size
  }

  get subscribers(): Iterable<Subscriber> {
    return this.#dispatcher === null ? [] : this.#dispatcher.subscribers
  }

  /** Messages that deduplication has dropped. */
  get duplicateCount(): number {
    return this.#features === null ? 0 : this.#features.duplicateCount
  }

  /**
   * Applies what arguments and policies say. Called once after creation and at each change. For most of
   * 100,000 queues under a policy that is a note.
   */
  configure(settings: QueueSettings): void {
    this.settings = settings
    if (this.deleted) return
    const isPlain = !this.#countsDeliveries && hasNoFeature(settings)
    this.#isDormant =
      !isPlain && this.#features === null && this.#isEmpty && settings.expiresMs === null
    this.#looksAtArrivals = this.#isDormant
    if (this.#isDormant || (isPlain && this.#features === null)) return
    this.#configureFeatures(isPlain ? PLAIN_QUEUE : settings)
    this.#dropFeaturesIfIdle()
  }

  #configureFeatures(settings: QueueSettings): QueueFeatures {
    this.#features ??= new QueueFeatures(this, this.#context)
    this.#features.configure(settings, this.#countsDeliveries)
    this.#looksAtArrivals = this.#features.looksAtArrivals
    return this.#features
  }

  #withFeatures(): QueueFeatures {
    if (this.#isDormant) {
      this.#isDormant = false
      return this.#configureFeatures(this.settings)
    }
    this.#features ??= new QueueFeatures(this, this.#context)
    return this.#features
  }

  #dropFeaturesIfIdle(): void {
    if (this.#features?.isDispensable !== true) return
    this.#features.dispose()
    this.#features = null
  }

  get #isQuorum(): boolean {
    return this.arguments.size > 0 && queueTypeOf(this.arguments) === "quorum"
  }

  get #countsDeliveries(): boolean {
    return this.settings.deliveryLimit !== null || this.#isQuorum
  }

  get #isEmpty(): boolean {
    const { store } = this
    return store === null || (store.readyCount === 0 && store.unackedCount === 0)
  }

  /** Takes over what an earlier process has left. */
  recover(store: QueueStore): void {
    this.store = store
    if (this.#isDormant) this.#withFeatures()
    this.#features?.noteRecovered()
    if (store.readyCount === 0) return
    this.#isUnexamined = true
    this.#context.examineLater(this)
  }

  /** There are messages of an earlier process, or other settings: some may have to leave, now or later. */
  examine(): void {
    this.#isUnexamined = false
    if (this.deleted || this.readyCount === 0) return
    if (this.#features === null) this.#withFeatures().noteRecovered()
    this.mark()
  }

  /** QUEUE_TOOK, QUEUE_REJECTED, or QUEUE_FAILED if the store refuses (disk full, damaged). */
  publish(message: IncomingMessage): number {
    if (this.deleted) return QUEUE_TOOK // It raced with the deletion, as if it had come before it.
    if (this.#looksAt(message)) return this.#withFeatures().publish(message)
    if (this.passOn(message)) return QUEUE_TOOK
    if (!this.append(message)) return QUEUE_FAILED
    if (!this.inTurn && this.#dispatcher !== null) this.#context.turn.markQueue(this)
    return QUEUE_TOOK
  }

  #looksAt(message: IncomingMessage): boolean {
    return message.expires || this.#looksAtArrivals
  }

  /** Stores the message. False if the store refuses. */
  append(message: IncomingMessage): boolean {
    let { store } = this
    if (store === null) {
      store = this.#context.openStore(this)
      this.store = store
    }
    if (!store.append(message)) return false
    this.publishedCount++
    return true
  }

  /**
   * As publish(), for `count` messages whose bodies lie `stride` bytes apart and which are alike
   * otherwise. Returns how many were accepted; 0 means that publish() has to look at each.
   */
  publishRun(message: IncomingMessage, count: number, stride: number): number {
    if (this.#looksAt(message)) return 0
    let done = 0
    // One by one as long as they can be passed on. What has to be stored marks the queue.
    while (done < count && (this.store === null || (this.#dispatcher !== null && !this.inTurn))) {
      if (this.publish(message) !== QUEUE_TOOK) return done
      done++
      message.bodyStart += stride
      message.bodyEnd += stride
      if (this.deleted) return count
    }
    if (done === count || this.store === null) return done
    const stored = this.store.appendRun(message, count - done, stride)
    this.publishedCount += stored
    return done + stored
  }

  /**
   * Gives the message to a subscriber that does not acknowledge, without storing it: delivered is
   * settled. Only if nothing waits before it and all subscribers are such. A third of the CPU of a
   * message that is consumed at once (bench: publish and consume, auto-ack).
   */
  passOn(message: IncomingMessage): boolean {
    const dispatcher = this.#dispatcher
    if (dispatcher === null || this.inTurn) return false
    if (dispatcher.ackingCount > 0 || this.readyCount > 0) return false
    if (message.bodyEnd - message.bodyStart > PASS_ON_BODY_MAX) return false
    const subscriber = dispatcher.next()
    if (subscriber === null) return false
    subscriber.passOn(message)
    this.publishedCount++
    this.deliverNoAckCount++
    return true
  }

  /** Hands out up to `limit` ready messages. True if there may be more to do next turn. */
  deliver(limit: number): boolean {
    const features = this.#features
    if (features !== null && features.looksAtDeliveries) return this.#deliverWith(features, limit)
    const { store } = this
    const dispatcher = this.#dispatcher
    if (store === null || dispatcher === null || this.deleted) return false
    let count = 0
    let subscriber: Subscriber | null = null
    /** Messages and bytes that the subscriber takes before the dispatcher is asked again. */
    let left = 0
    let bytesLeft = 0
    while (count < limit && store.readyCount > 0) {
      if (left <= 0 || bytesLeft <= 0 || subscriber === null) {
        subscriber = dispatcher.next()
        if (subscriber === null) {
          this.#noteBacklog()
          break
        }
        left = dispatcher.size === 1 ? subscriber.credit : 1
        bytesLeft = SOLE_BYTES
      }
      const taken = store.shiftRun(delivered, Math.min(left, limit - count), bytesLeft)
      if (taken === 0) {
        if (store.readyCount > 0) this.#context.stalled(this)
        break
      }
      count += taken
      left -= taken
      const { segment, position, size } = delivered
      const bodySize = delivered.bodyEnd - delivered.bodyStart
      bytesLeft -= taken * size
      if (delivered.redelivered) this.redeliveredCount += taken
      subscriber.deliver(delivered, taken)
      if (subscriber.noAck) {
        this.deliverNoAckCount += taken
        store.ack(segment, position, size, bodySize, taken)
      } else this.#deliverAckCount += taken
    }
    if (count > 0 && store.readyCount === 0) this.#context.wentEmpty(this)
    if (this.onDemand !== null) this.onDemand()
    return count === limit
  }

  /** Publishers are not to blame for an operator's pause. */
  #noteBacklog(): void {
    if (!this.isPaused) this.#context.turn.noteBacklog()
  }

  /** As deliver(), where a message may have expired or tells how often it has failed: those go one by one. */
  #deliverWith(features: QueueFeatures, limit: number): boolean {
    const { store } = this
    if (store === null || this.deleted) return false
    if (features.dropExpired()) return true
    const dispatcher = this.#dispatcher
    let count = 0
    while (count < limit && store.readyCount > 0) {
      if (dispatcher === null) break
      const subscriber = dispatcher.next()
      if (subscriber === null) {
        this.#noteBacklog()
        break
      }
      const most = dispatcher.size === 1 && features.allowsRuns ? subscriber.credit : 1
      const taken = store.shiftRun(delivered, Math.min(most, limit - count), SOLE_BYTES)
      if (taken === 0) {
        if (store.readyCount > 0) this.#context.stalled(this)
        break
      }
      count += taken
      if (!features.beginDelivery(delivered)) continue
      if (delivered.redelivered) this.redeliveredCount += taken
      const { segment, position, size } = delivered
      const bodySize = delivered.bodyEnd - delivered.bodyStart
      subscriber.deliver(delivered, taken)
      delivered.added = ADDED_NONE
      if (!subscriber.noAck) {
        this.#deliverAckCount += taken
        continue
      }
      this.deliverNoAckCount += taken
      store.ack(segment, position, size, bodySize, taken)
      features.settled(segment, position, size, taken)
    }
    if (count > 0 && store.readyCount === 0) this.#context.wentEmpty(this)
    const hasMore = features.endDelivery(count)
    this.#dropFeaturesIfIdle()
    if (this.onDemand !== null) this.onDemand()
    return hasMore || count === limit
  }

  /** basic.get: the next message in `into`, or false. With noAck it is settled at once. */
  get(into: StoredMessage, noAck: boolean): boolean {
    if (this.#isUnexamined) this.examine()
    const { store } = this
    const features = this.#features
    into.added = ADDED_NONE
    this.#checkGet()
    if (store === null || this.deleted) {
      this.getEmptyCount++
      return false
    }
    if (features !== null) features.beginGet()
    for (let left = EXPIRED_PER_GET_MAX; ; left--) {
      if (left === 0 || !store.shift(into)) {
        this.getEmptyCount++
        return false
      }
      if (features === null || features.beginDelivery(into)) break
    }
    if (noAck) this.getNoAckCount++
    else this.getCount++
    if (into.redelivered) this.redeliveredCount++
    const { segment, position, size } = into
    if (noAck) store.ack(segment, position, size, into.bodyEnd - into.bodyStart)
    if (store.readyCount === 0) {
      this.#context.wentEmpty(this)
      if (this.onDemand !== null) this.onDemand()
    }
    if (features !== null) {
      if (noAck) features.settled(segment, position)
      features.headTaken()
    }
    return true
  }

  #checkGet(): void {
    if (this.settings.singleActiveConsumer && this.#isQuorum)
      throw new Refusal(
        "resource-locked",
        `cannot obtain access to locked queue '${this.name}' in vhost '${this.#context.vhostName}'. ` +
          "basic.get operations are not supported by quorum queues with single active consumer",
      )
  }

  /** `count` messages of the same size, one directly behind the other. */
  ack(segment: number, position: number, size: number, bodySize: number, count = 1): void {
    if (this.deleted || this.store === null) return
    this.acknowledgedCount += count
    this.store.ack(segment, position, size, bodySize, count)
    if (this.#features !== null) this.#features.settled(segment, position, size, count)
  }

  /** Settles without having been consumed (reject or nack without requeue). */
  drop(segment: number, position: number, size: number, bodySize: number): void {
    const { store } = this
    if (this.deleted || store === null) return
    if (this.#features === null) store.ack(segment, position, size, bodySize)
    else this.#features.drop(store, segment, position, size, bodySize)
  }

  requeue(segment: number, position: number, size: number, bodySize: number, count = 1): void {
    const { store } = this
    if (this.deleted || store === null) return
    if (this.#features !== null) {
      this.#features.requeue(store, segment, position, size, bodySize, count)
      return
    }
    store.requeue(segment, position, size, bodySize, count)
    this.wake()
  }

  /** A dead letter is safe where it went. */
  settleMoved(segment: number, position: number, size: number, bodySize: number): void {
    if (this.deleted || this.store === null) return
    this.store.ack(segment, position, size, bodySize)
    if (this.readyCount === 0) this.#context.wentEmpty(this)
  }

  /** Throws access-refused if the consumer or those that are there demand exclusive use. */
  checkConsumer(request: ConsumerRequest): void {
    if (this.#isQuorum) {
      // RabbitMQ: quorum queues show the exclusive flag and do not enforce it.
      if (request.globalPrefetch !== 0)
        throw new Refusal(
          "not-implemented",
          `queue '${this.name}' in vhost '${this.#context.vhostName}' does not support global qos`,
        )
      return
    }
    const dispatcher = this.#dispatcher
    const isAlone = dispatcher === null || dispatcher.size === 0
    const isRefused = request.exclusive
      ? !isAlone || this.settings.singleActiveConsumer
      : !isAlone && dispatcher.exclusive !== null
    if (isRefused)
      throw new Refusal(
        "access-refused",
        `queue '${this.name}' in vhost '${this.#context.vhostName}' in exclusive use`,
      )
  }

  addSubscriber(subscriber: Subscriber): void {
    if (this.#dispatcher === null) {
      this.#dispatcher = new Dispatcher(this.settings.singleActiveConsumer)
      if (this.isPaused) this.#dispatcher.setPaused(true)
    }
    this.#dispatcher.add(subscriber)
    if (this.#isUnexamined) this.examine()
    if (this.#features !== null) this.#features.consumerAdded()
    this.wake()
    if (this.onDemand !== null) this.onDemand()
  }

  /** False for a consumer that waits until the active one has left (single active consumer). */
  isActive(subscriber: Subscriber): boolean {
    return this.#dispatcher !== null && this.#dispatcher.isActive(subscriber)
  }

  /** A consumer would take a message now. */
  get hasCapacity(): boolean {
    return this.#dispatcher !== null && this.#dispatcher.next() !== null
  }

  /**
   * Nothing is left to give and somebody waits for it: a consumer with capacity, and with a priority of a
   * consumer of its own right, not that of a link which federates this queue elsewhere (RabbitMQ's rule).
   */
  get wantsMessages(): boolean {
    if (this.deleted || this.#dispatcher === null || this.readyCount > 0) return false
    return (this.#dispatcher.activePriority() ?? -1) >= 0
  }

  touch(): void {
    if (this.#features !== null) this.#features.touch()
  }

  /** May delete the queue (auto-delete). */
  removeSubscriber(subscriber: Subscriber): void {
    const dispatcher = this.#dispatcher
    if (dispatcher === null || this.deleted) return
    dispatcher.remove(subscriber)
    if (dispatcher.size > 0) {
      this.wake()
      if (this.onDemand !== null) this.onDemand()
      return
    }
    this.#dispatcher = null
    if (this.onDemand !== null) this.onDemand()
    if (this.autoDelete) this.#context.deleteQueue(this, "the last consumer has left")
    else this.touch()
  }

  /** The subscriber has capacity again. */
  unpark(subscriber: Subscriber): void {
    if (this.#dispatcher === null) return
    this.#dispatcher.unpark(subscriber)
    this.wake()
    if (this.onDemand !== null) this.onDemand()
  }

  setPaused(isPaused: boolean): void {
    this.isPaused = isPaused
    if (this.#dispatcher === null) return
    this.#dispatcher.setPaused(isPaused)
    this.wake()
    if (this.onDemand !== null) this.onDemand()
  }

  restart(): void {
    assert(this.unackedCount === 0, "what is handed out cannot be found again")
    this.#cancelSubscribers()
    this.#features?.close()
    this.#features = null
    this.store?.close()
    this.store = null
    this.configure(this.settings)
    this.#context.reopenStore(this)
  }

  #cancelSubscribers(): void {
    const dispatcher = this.#dispatcher
    this.#dispatcher = null
    if (dispatcher === null) return
    for (const subscriber of dispatcher.subscribers) subscriber.queueDeleted()
  }

  /** Drops ready messages, the first ones or all, and returns how many. */
  purge(countMax = Infinity): number {
    if (this.store === null) return 0
    if (countMax < this.readyCount) return this.#purgeFirst(this.store, countMax)
    const count = this.store.purge()
    if (this.#features !== null) this.#features.purged()
    this.#context.wentEmpty(this)
    if (this.onDemand !== null) this.onDemand()
    return count
  }

  #purgeFirst(store: QueueStore, countMax: number): number {
    if (this.#isUnexamined) this.examine()
    const message = new StoredMessage()
    let count = 0
    while (count < countMax && store.shift(message)) {
      const { segment, position, size, bodyStart, bodyEnd } = message
      store.ack(segment, position, size, bodyEnd - bodyStart)
      this.#features?.settled(segment, position)
      count++
    }
    this.#features?.headTaken()
    return count
  }

  /** The broker stops: what is in memory is written. */
  close(): void {
    this.store?.close()
    this.#features?.close()
  }

  /** Called by the vhost once the queue is out of its tables. Returns the number of ready messages lost. */
  dispose(): number {
    const count = this.readyCount
    this.deleted = true
    this.#features?.dispose()
    this.#features = null
    this.#cancelSubscribers()
    this.store?.delete()
    this.store = null
    return count
  }

  /** Consumers may be able to take messages. */
  wake(): void {
    if (!this.inTurn && this.#dispatcher !== null && this.readyCount > 0)
      this.#context.turn.markQueue(this)
  }

  /** There is something to do at the end of the turn, whether there are consumers or not. */
  mark(): void {
    this.#context.turn.markQueue(this)
  }
}

/** Nothing that QueueFeatures would have to do. */
function hasNoFeature(settings: QueueSettings): boolean {
  return (
    settings.expiresMs === null &&
    settings.messageTtlMs === null &&
    settings.deadLetterExchange === null &&
    settings.maxLength === null &&
    settings.maxLengthBytes === null &&
    settings.maxPriority === 0 &&
    settings.deduplication === null
  )
}
