import { decodeProperties, type BasicProperties } from "../amqp/properties.ts"
import { writeBasicNack } from "../amqp/generated/methods.ts"
import { requireTopicWrite, requireWrite } from "../broker/access.ts"
import type { UnackedVisit } from "../broker/broker.ts"
import type { CommitFailure, CommitScope } from "../broker/commit-scope.ts"
import type { ChannelCounters } from "../broker/inspection.ts"
import { Refusal } from "../broker/errors.ts"
import { collectRoutingKeys } from "../broker/publishing.ts"
import type { MessageQueue } from "../broker/queue/message-queue.ts"
import { isReplyName } from "../broker/direct-reply.ts"
import {
  PUBLISH_ACCEPTED,
  PUBLISH_OVERFLOWED,
  PUBLISH_DUPLICATE,
  PUBLISH_DURABLE,
  PUBLISH_REFUSED,
  PUBLISH_UNROUTABLE,
} from "../broker/vhost.ts"
import type { Vhost } from "../broker/vhost.ts"
import type { IncomingMessage, StoredMessage } from "../broker/message.ts"
import type { Chunk } from "../util/bytes.ts"
import type { Histogram } from "../util/histogram.ts"
import { randomName } from "../util/random.ts"
import { CONFIRM_DURABLE, CONFIRM_READY, CONFIRM_REFUSED, ConfirmTracker } from "./confirms.ts"
import type { ConfirmWriter } from "./confirms.ts"
import { ConsumerTimeouts } from "./consumer-timeouts.ts"
import { DeliveryTimes } from "./delivery-times.ts"
import type { Connection } from "./connection.ts"
import { writeReturn } from "./delivery-writer.ts"
import { HeldReplies } from "./held-replies.ts"
import { Publisher } from "./publisher.ts"
import type { ReplySubscription } from "./reply-subscription.ts"
import { copyKey, PublishRoute, scopeOf } from "./publish-route.ts"
import type { Subscription } from "./subscription.ts"
import { Transaction } from "./transaction.ts"
import { writeAck } from "./write-ack.ts"
import { RETURNED, Unacked, UnackedWindow } from "./unacked.ts"

/**
 * One channel of a connection: what it publishes, what it consumes, what is unacknowledged, and the
 * order of its replies. The methods themselves are read in methods/.
 */

/** What happens to a delivery. */
export const SETTLE_ACK = 0
export const SETTLE_DROP = 1
export const SETTLE_REQUEUE = 2

/** What deliveries came from: a consumer, or the basic.get calls on one queue. */
export class DeliverySource {
  readonly queue: MessageQueue
  /** Position in the channel's table of sources, from 1. */
  readonly index: number
  subscription: Subscription | null = null
  unackedCount = 0
  /** The consumer is gone; the place is free once nothing is unacknowledged. */
  isReleased = false

  constructor(queue: MessageQueue, index: number) {
    this.queue = queue
    this.index = index
  }
}

const settled = new Unacked()

export class Channel implements ConfirmWriter, ChannelCounters {
  readonly id: number
  readonly connection: Connection
  readonly vhost: Vhost
  readonly publisher: Publisher
  readonly consumers = new Map<string, Subscription>()
  /** The consumer of direct replies, which is none of a queue. */
  replies: ReplySubscription | null = null
  /** One side has closed the channel, close-ok is still to come: everything else is ignored. */
  isClosing = false
  /** It holds nothing any more. */
  isReleased = false
  /** False while the client has stopped the flow, or a consume-ok is held back. */
  mayDeliver = true
  isFlowing = true
  lastDeliveryTag = 0
  /** Name of the queue declared last, for methods with an empty queue name. */
  lastQueueName = ""
  /** For consumers started from now on (qos with global=false). */
  consumerPrefetch = 0
  /** For all consumers together (qos with global=true). */
  globalPrefetch = 0
  /** Unacknowledged deliveries of consumers, without those of basic.get. */
  consumerUnackedCount = 0
  confirms: ConfirmTracker | null = null
  transaction: Transaction | null = null
  publishedCount = 0
  returnedCount = 0
  droppedCount = 0
  deliveredNoAckCount = 0
  gotCount = 0
  gotNoAckCount = 0
  getEmptyCount = 0
  redeliveredCount = 0
  acknowledgedCount = 0
  rejectedCount = 0
  /** On the connection's list of channels to settle at the end of the turn. */
  inTurn = false
  #unacked: UnackedWindow | null = null
  /** Of them, those that went back to their queue: settling them has no effect. */
  #returnedCount = 0
  #timeouts: ConsumerTimeouts | null = null
  #deliveryTimes: DeliveryTimes | null = null
  readonly #sources: (DeliverySource | null)[] = [null]
  readonly #freeSources: number[] = []
  #held: HeldReplies | null = null
  readonly #sizes: Histogram

  constructor(id: number, connection: Connection, vhost: Vhost) {
    this.id = id
    this.#sizes = connection.broker.messageCounters.sizes
    this.connection = connection
    this.vhost = vhost
    this.publisher = new Publisher(this)
  }

  /** By index; the first is never one. */
  get sources(): readonly (DeliverySource | null)[] {
    return this.#sources
  }

  get unackedCount(): number {
    return this.#unacked === null ? 0 : this.#unacked.count - this.#returnedCount
  }

  get deliveredCount(): number {
    return this.lastDeliveryTag - this.deliveredNoAckCount - this.gotCount - this.gotNoAckCount
  }

  get confirmedCount(): number {
    return this.confirms === null ? 0 : this.confirms.answeredCount
  }

  get publishedConfirmCount(): number {
    return this.confirms === null ? 0 : this.confirms.publishedCount
  }

  // ---- publishing

  /**
   * The slow part of a publish: a key that differs from the last one, or a changed topology. Null if
   * an alarm holds the connection up.
   */
  resolveRoute(
    chunk: Chunk,
    exchangeStart: number,
    routingKeyStart: number,
    end: number,
  ): PublishRoute | null {
    const { connection, vhost } = this
    const size = end - exchangeStart
    const cached = connection.findRoute(chunk, exchangeStart, size)
    if (cached !== null && (!cached.isRefused || this.confirms !== null)) return cached
    const exchangeName = chunk.bytes.toString("utf8", exchangeStart + 1, routingKeyStart)
    const routingKey = chunk.bytes.toString("utf8", routingKeyStart + 1, end)
    requireWrite(connection.access, exchangeName)
    const exchange = vhost.exchange(exchangeName)
    if (exchange.internal)
      throw new Refusal(
        "access-refused",
        `cannot publish to internal exchange '${exchangeName}' in vhost '${vhost.name}'`,
      )
    requireTopicWrite(connection.access, exchange, routingKey)
    const alarm = connection.broker.alarmReason
    if (alarm !== null) {
      // With confirms the publisher gets its answer: a nack. Otherwise it must wait or fail.
      if (this.confirms !== null) connection.notifyBlocked(alarm)
      else if (connection.holdUp(alarm)) return null
      else throw new Refusal("precondition-failed", `publish refused: ${alarm}`)
    }
    const isReply = exchangeName === "" && isReplyName(routingKey)
    const usesHeaders = isReply || (exchangeName !== "" && vhost.router.needsProperties(exchange))
    const queues: MessageQueue[] = []
    if (exchangeName === "") {
      const queue = vhost.queues.get(routingKey)
      if (queue !== undefined) queues.push(queue)
    } else if (!usesHeaders) {
      const found = vhost.router.resolve(exchange, routingKey, null)
      for (let i = 0; i < found.count; i++) queues.push(found.queues[i]!)
    }
    const route = new PublishRoute({
      exchange,
      routingKey,
      queues,
      queueCount: queues.length,
      generation: vhost.generation,
      usesHeaders,
      isReply,
      isRefused: alarm !== null,
      key: copyKey(chunk, exchangeStart, size),
      keySize: size,
    })
    connection.keepRoute(route)
    return route
  }

  /** The message has more routing keys than that of its route (CC, BCC): each must be allowed. */
  checkTopics(route: PublishRoute, chunk: Chunk, start: number, end: number): void {
    const { access } = this.connection
    if (access.user.topicPermissions.size === 0 || route.exchange.type !== "topic") return
    const properties = decodeProperties(chunk.bytes, start, end)
    for (const key of collectRoutingKeys(route.routingKey, properties))
      requireTopicWrite(access, route.exchange, key)
  }

  checkUserId(userId: string): void {
    const user = this.connection.user
    if (user === null || user.name === userId || user.tags.includes("impersonator")) return
    throw new Refusal(
      "precondition-failed",
      `user_id property set to '${userId}' but authenticated user was '${user.name}'`,
    )
  }

  /** A whole message has arrived. The parts of `message` are valid only during the call. */
  publish(route: PublishRoute, message: IncomingMessage, mandatory: boolean): void {
    this.publishedCount++
    this.#sizes.note(message.bodyEnd - message.bodyStart, 1)
    if (this.transaction !== null) {
      // What is wrong with it must show now: a commit could not be undone.
      if (route.usesHeaders || message.hasRoutingHeaders)
        collectRoutingKeys(route.routingKey, propertiesOf(message))
      this.transaction.addPublish(route, message, mandatory)
      return
    }
    const outcome = this.store(route, message, mandatory)
    if (this.connection.broker.turn.hasCopiedEnough) this.connection.holdForOthers()
    if (this.confirms !== null) {
      this.confirms.add(
        outcome === PUBLISH_DURABLE || outcome === PUBLISH_DUPLICATE
          ? CONFIRM_DURABLE
          : outcome === PUBLISH_REFUSED || outcome === PUBLISH_OVERFLOWED
            ? CONFIRM_REFUSED
            : CONFIRM_READY,
        1,
        scopeOf(route, message),
      )
      if (!this.inTurn) this.connection.markChannel(this)
    } else if (outcome === PUBLISH_REFUSED)
      throw new Refusal("resource-error", "a queue could not store the message")
  }

  /**
   * As publish(), for `count` messages that differ in their bodies only, which lie `stride` bytes
   * apart. Returns how many it has dealt with, at least one.
   */
  publishRun(
    route: PublishRoute,
    message: IncomingMessage,
    mandatory: boolean,
    count: number,
    stride: number,
  ): number {
    const isPlain = route.queueCount === 1 && !route.usesHeaders && !route.isRefused
    if (count > 1 && isPlain && this.transaction === null) {
      message.timestampMs = this.connection.clock.nowMs
      const queue = route.queues[0]!
      const bodySize = message.bodyEnd - message.bodyStart
      const accepted = this.vhost.publishRun(route.exchange, queue, message, count, stride)
      if (accepted > 0) {
        this.publishedCount += accepted
        this.#sizes.note(bodySize, accepted)
        if (this.confirms !== null) {
          const isDurable = message.persistent && queue.durable
          this.confirms.add(isDurable ? CONFIRM_DURABLE : CONFIRM_READY, accepted, route)
          if (!this.inTurn) this.connection.markChannel(this)
        }
        return accepted
      }
    }
    this.publish(route, message, mandatory)
    return 1
  }

  /** Hands the message to its queues and returns it if it must be returned. */
  store(route: PublishRoute, message: IncomingMessage, mandatory: boolean): number {
    const { vhost } = this
    if (route.isRefused) return PUBLISH_REFUSED
    message.timestampMs = this.connection.clock.nowMs
    let outcome = 0
    if (!route.usesHeaders && !message.hasRoutingHeaders)
      outcome = vhost.publish(route.exchange, route.queues, route.queueCount, message)
    else outcome = this.#storeTheLongWay(route, message)
    if (outcome === PUBLISH_UNROUTABLE || outcome === PUBLISH_DUPLICATE)
      this.#unwanted(outcome, message, mandatory)
    return outcome
  }

  #unwanted(outcome: number, message: IncomingMessage, mandatory: boolean): void {
    if (!mandatory) {
      if (outcome === PUBLISH_UNROUTABLE) this.droppedCount++
      return
    }
    const { connection } = this
    this.returnedCount++
    writeReturn(connection.outbox, this.id, connection.frameMax, 312, "NO_ROUTE", message)
    if (!connection.inTurn) connection.markTurn()
  }

  /** With more than one routing key, to an exchange that looks at the properties, or as a direct reply. */
  #storeTheLongWay(route: PublishRoute, message: IncomingMessage): number {
    const { vhost } = this
    const { replies } = vhost
    if (route.isReply && !message.hasRoutingHeaders)
      return replies.publish(route.routingKey, message) ? PUBLISH_ACCEPTED : PUBLISH_UNROUTABLE
    const properties = propertiesOf(message)
    const keys = collectRoutingKeys(route.routingKey, properties)
    const outcome = vhost.publishMessage(route.exchange, keys, message, properties, null)
    if (route.exchange.name !== "") return outcome
    let isTaken = false
    for (const key of keys) if (isReplyName(key) && replies.publish(key, message)) isTaken = true
    return isTaken && outcome === PUBLISH_UNROUTABLE ? PUBLISH_ACCEPTED : outcome
  }

  writeConfirm(sequence: number, multiple: boolean, isAck: boolean): void {
    const { connection } = this
    if (isAck) writeAck(connection.outbox, this.id, sequence, multiple)
    else
      connection.outbox.write(
        writeBasicNack(this.id, { deliveryTag: sequence, multiple, requeue: false }),
      )
  }

  selectConfirms(): void {
    const { confirmLatency } = this.connection.broker.messageCounters
    this.confirms ??= new ConfirmTracker(this, confirmLatency)
  }

  selectTransaction(): void {
    this.transaction ??= new Transaction(this)
  }

  // ---- consuming

  newSource(queue: MessageQueue): DeliverySource {
    const index = this.#freeSources.pop() ?? this.#sources.length
    const source = new DeliverySource(queue, index)
    this.#sources[index] = source
    return source
  }

  /** The source that counts the deliveries of basic.get on a queue. */
  getSource(queue: MessageQueue): DeliverySource {
    for (const source of this.#sources)
      if (
        source !== null &&
        source.queue === queue &&
        source.subscription === null &&
        !source.isReleased
      )
        return source
    return this.newSource(queue)
  }

  /** Its unacknowledged deliveries stay. */
  cancelConsumer(subscription: Subscription): void {
    subscription.cancelled = true
    this.forgetConsumer(subscription)
    subscription.queue.removeSubscriber(subscription)
  }

  /** From here on replies are unroutable. */
  endReplies(): void {
    this.replies?.cancel()
    this.replies = null
  }

  /** A tag for a consumer that has asked for none. */
  unusedTag(): string {
    for (;;) {
      const tag = randomName(this.connection.broker.random, "amq.ctag-")
      if (!this.isTagUsed(tag)) return tag
    }
  }

  isTagUsed(tag: string): boolean {
    return this.consumers.has(tag) || (this.replies !== null && this.replies.tag === tag)
  }

  /** The consumer is gone; its unacknowledged deliveries stay. */
  forgetConsumer(subscription: Subscription): void {
    this.consumers.delete(subscription.tag)
    subscription.source.isReleased = true
    this.#freeSource(subscription.source)
  }

  releaseSource(source: DeliverySource): void {
    if (source.subscription === null && source.unackedCount === 0) {
      source.isReleased = true
      this.#freeSource(source)
    }
  }

  #freeSource(source: DeliverySource): void {
    if (!source.isReleased || source.unackedCount > 0 || this.#sources[source.index] !== source)
      return
    this.#sources[source.index] = null
    this.#freeSources.push(source.index)
  }

  /** `count` messages with tags from `tag` on, one directly behind the other in their store. */
  addUnacked(tag: number, source: DeliverySource, message: StoredMessage, count = 1): void {
    source.unackedCount += count
    if (source.subscription !== null) this.consumerUnackedCount += count
    this.#unacked ??= new UnackedWindow()
    const { segment, position, size } = message
    const bodySize = message.bodyEnd - message.bodyStart
    for (let i = 0; i < count; i++)
      this.#unacked.add(tag + i, source.index, segment, position + i * size, size, bodySize)
  }

  /** ack, nack and reject. Throws precondition-failed if the tag is not outstanding, with nothing settled. */
  settle(tag: number, multiple: boolean, how: number): void {
    const unacked = this.#unacked
    if (multiple && tag === 0) {
      if (unacked !== null) this.#settleUpTo(unacked, Number.MAX_SAFE_INTEGER, how)
      return
    }
    if (unacked === null || !unacked.has(tag))
      throw new Refusal("precondition-failed", `unknown delivery tag ${tag}`)
    if (multiple) this.#settleUpTo(unacked, tag, how)
    else {
      unacked.take(tag, settled)
      this.#settleOne(tag, how)
    }
  }

  #settleUpTo(unacked: UnackedWindow, last: number, how: number): void {
    if (how !== SETTLE_DROP && this.transaction === null) {
      for (;;) {
        const count = unacked.takeRun(last, settled)
        if (count === 0) return
        this.applySettlement(settled, how, count)
      }
    }
    for (;;) {
      const tag = unacked.takeLowest(last, settled)
      if (tag === 0) return
      this.#settleOne(tag, how)
    }
  }

  /** `settled` holds the delivery. */
  #settleOne(tag: number, how: number): void {
    if (this.transaction === null) this.applySettlement(settled, how)
    else {
      if (settled.source === RETURNED) this.#returnedCount--
      this.transaction.addSettlement(tag, settled, how)
    }
  }

  /** With a count: so many deliveries of the same source that lie one directly behind the other; not for drops. */
  applySettlement(entry: Unacked, how: number, count = 1): void {
    if (entry.source === RETURNED) {
      this.#returnedCount -= count
      return
    }
    const source = this.#sources[entry.source]!
    const { queue } = source
    if (how === SETTLE_ACK) this.acknowledgedCount += count
    else this.rejectedCount += count
    if (how === SETTLE_ACK)
      queue.ack(entry.segment, entry.position, entry.size, entry.bodySize, count)
    else if (how === SETTLE_REQUEUE)
      queue.requeue(entry.segment, entry.position, entry.size, entry.bodySize, count)
    else queue.drop(entry.segment, entry.position, entry.size, entry.bodySize)
    source.unackedCount -= count
    const { subscription } = source
    if (subscription === null) {
      this.releaseSource(source)
      return
    }
    const before = this.consumerUnackedCount
    this.consumerUnackedCount = before - count
    if (source.isReleased) this.#freeSource(source)
    // All wait for the common limit while it is reached, and go on in turn: this one is the last.
    const { globalPrefetch, consumers } = this
    if (before >= globalPrefetch && before - count < globalPrefetch) {
      if (!source.isReleased && consumers.delete(subscription.tag))
        consumers.set(subscription.tag, subscription)
      this.wakeConsumers()
    } else if (subscription.parked && !source.isReleased) subscription.wake()
  }

  /** A rolled back transaction gives its settlements back. */
  restoreUnacked(tag: number, entry: Unacked): void {
    this.#unacked ??= new UnackedWindow()
    this.#unacked.restore(tag, entry)
    if (entry.source === RETURNED) this.#returnedCount++
    this.#timeouts?.recheck()
  }

  /** About twice a second: what was delivered long ago and is not settled goes back. */
  tick(nowMs: number): void {
    const unacked = this.#unacked
    if (unacked === null || this.isClosing) return
    const { count } = unacked
    if (count === 0) {
      unacked.shrink()
      this.#deliveryTimes?.clear()
      if (this.#timeouts === null) return
    } else (this.#deliveryTimes ??= new DeliveryTimes()).tick(nowMs, this.lastDeliveryTag)
    const defaultMs = this.connection.options.consumerTimeoutMs ?? 0
    this.#timeouts ??= new ConsumerTimeouts(this, defaultMs)
    this.#timeouts.tick(nowMs, count - this.#returnedCount)
  }

  /** Since about when the client has this delivery; null: not for long. */
  heldSinceMs(tag: number): number | null {
    return this.#deliveryTimes?.heldSinceMs(tag) ?? null
  }

  /** Deliveries from the first to the last tag that are not settled, until `visit` returns false; then it does, too. */
  forEachUnacked(
    firstTag: number,
    lastTag: number,
    visit: (
      tag: number,
      source: DeliverySource,
      segment: number,
      position: number,
      size: number,
    ) => boolean,
  ): boolean {
    if (this.#unacked === null) return true
    return this.#unacked.forEach(firstTag, lastTag, (tag, source, segment, position, size) =>
      visit(tag, this.#sources[source]!, segment, position, size),
    )
  }

  /** The delivery goes back to its queue. The client may still settle it, without effect. */
  returnOverdue(tag: number): void {
    if (this.#unacked === null || !this.#unacked.markReturned(tag, settled)) return
    this.#returnedCount++
    this.applySettlement(settled, SETTLE_REQUEUE)
  }

  forEachUnackedOf(queue: MessageQueue, visit: UnackedVisit): boolean {
    return this.forEachUnacked(1, Infinity, (tag, source, segment, position, size) => {
      if (source.queue !== queue) return true
      return visit(segment, position, size, tag, source.subscription?.tag ?? "", this.id)
    })
  }

  /** As returnOverdue(), for all that is outstanding from the queue. */
  returnDeliveries(queue: MessageQueue): void {
    const tags: number[] = []
    this.forEachUnacked(1, Infinity, (tag, source) => {
      if (source.queue === queue) tags.push(tag)
      return true
    })
    for (const tag of tags) this.returnOverdue(tag)
  }

  /** basic.recover: everything outstanding goes back to its queue. */
  requeueAll(): void {
    const unacked = this.#unacked
    if (unacked === null) return
    for (;;) {
      const count = unacked.takeRun(Number.MAX_SAFE_INTEGER, settled)
      if (count === 0) return
      this.applySettlement(settled, SETTLE_REQUEUE, count)
    }
  }

  setFlow(active: boolean): void {
    this.isFlowing = active
    this.#updateMayDeliver()
  }

  /** The first one is the last the next time: it may take all the room that there is. */
  wakeConsumers(): void {
    const { consumers } = this
    if (!this.mayDeliver || consumers.size === 0) return
    for (const subscription of consumers.values()) subscription.wake()
    if (consumers.size === 1) return
    const [first] = consumers.values()
    consumers.delete(first!.tag)
    consumers.set(first!.tag, first!)
  }

  #updateMayDeliver(): void {
    this.mayDeliver =
      this.isFlowing && !this.isClosing && (this.#held === null || this.#held.isEmpty)
    this.wakeConsumers()
  }

  // ---- replies

  /**
   * Sends a frame in the order of the channel's replies. With `isDurable` it waits for the commit
   * round that covers what was changed in this turn; later replies and deliveries wait behind it.
   * `scope` is where that was written.
   */
  reply(frame: Buffer, isDurable = false, scope: CommitScope = this.vhost.definitions): void {
    const held = this.#held
    if (!isDurable && (held === null || held.isEmpty)) {
      this.connection.outbox.write(frame)
      if (!this.connection.inTurn) this.connection.markTurn()
      this.connection.broker.turn.expectRequest()
      return
    }
    this.inOrder(() => this.connection.outbox.write(frame), isDurable, scope)
  }

  /** As reply(), for anything that must keep its place among the replies. */
  inOrder(
    action: () => void,
    isDurable = false,
    scope: CommitScope = this.vhost.definitions,
  ): void {
    if (!isDurable && (this.#held === null || this.#held.isEmpty)) {
      action()
      return
    }
    this.#held ??= new HeldReplies()
    this.#held.add(action, isDurable, scope)
    if (this.#held.isFull) this.connection.holdForOutput()
    this.mayDeliver = false
    if (!this.inTurn) this.connection.markChannel(this)
  }

  /** Replies wait for a commit round, and whatever must not overtake them. */
  get isHolding(): boolean {
    return this.#held !== null && !this.#held.isEmpty
  }

  /** True if something waits for a commit round. */
  get isWaiting(): boolean {
    return this.isHolding || (this.confirms !== null && this.confirms.isWaiting)
  }

  endTurn(round: number, completedRound: number, writeFailed: boolean): void {
    const { confirms } = this
    if (confirms !== null && confirms.settle(round, completedRound, writeFailed))
      this.connection.broker.turn.expectRequest()
    const held = this.#held
    if (held === null || held.isEmpty) return
    if (writeFailed && held.hasFailedWrites) {
      this.connection.internalError("the change could not be written to disk")
      return
    }
    held.assignRound(round)
    this.#releaseHeld(held, completedRound)
  }

  #releaseHeld(held: HeldReplies, completedRound: number): void {
    if (held.release(completedRound)) this.connection.broker.turn.expectRequest()
    if (held.isEmpty) this.#updateMayDeliver()
    if (!held.isFull) this.connection.outputAdvanced()
  }

  roundCompleted(round: number, failure: CommitFailure | null): void {
    this.confirms?.roundCompleted(round, failure)
    const held = this.#held
    if (held === null || held.isEmpty) return
    if (failure !== null && held.isHitBy(failure, round)) {
      this.connection.internalError("the change could not be written to disk")
      return
    }
    this.#releaseHeld(held, round)
  }

  // ---- ending

  /** Gives everything back: consumers leave, unacknowledged messages return, the transaction is void. */
  release(): void {
    if (!this.isReleased) this.connection.broker.closedChannels.add(this.vhost.name, this)
    this.isClosing = true
    this.isReleased = true
    this.mayDeliver = false
    this.publisher.reset()
    this.transaction?.discard()
    this.transaction = null
    this.confirms = null
    this.#held = null
    const consumers = [...this.consumers.values()]
    this.consumers.clear()
    this.requeueAll()
    this.endReplies()
    for (const subscription of consumers) {
      subscription.cancelled = true
      subscription.queue.removeSubscriber(subscription)
    }
  }
}

function propertiesOf({
  properties,
  propertiesStart,
  propertiesEnd,
}: IncomingMessage): BasicProperties {
  return decodeProperties(properties.bytes, propertiesStart, propertiesEnd)
}
