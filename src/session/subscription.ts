import { writeBasicCancel } from "../amqp/generated/methods.ts"
import type { Table } from "../amqp/table.ts"
import type { Subscriber } from "../broker/consumer.ts"
import type { ConsumerInfo } from "../broker/inspection.ts"
import type { MessageQueue } from "../broker/queue/message-queue.ts"
import type { IncomingMessage, StoredMessage } from "../broker/message.ts"
import type { Channel, DeliverySource } from "./channel.ts"
import { DeliveryWriter } from "./delivery-writer.ts"
import { describeConsumer } from "./inspection.ts"

/** A consumer of a channel (basic.consume): its credit, and the way of its deliveries into the outbox. */
export interface SubscriptionOptions {
  readonly tag: string
  readonly noAck: boolean
  readonly exclusive: boolean
  readonly priority: number
  readonly arguments: Table
  /** Unacknowledged deliveries that it may have; 0 is unlimited. */
  readonly prefetchCount: number
}

/** Without a prefetch count. More than any queue hands out in one turn. */
const CREDIT_MAX = 0x3fff_ffff

export class Subscription implements Subscriber {
  readonly tag: string
  readonly noAck: boolean
  readonly exclusive: boolean
  readonly priority: number
  readonly arguments: Table
  prefetchCount: number
  readonly queue: MessageQueue
  readonly channel: Channel
  /** Counts this consumer's unacknowledged deliveries. */
  readonly source: DeliverySource
  cancelled = false
  parked = false
  readonly #writer: DeliveryWriter

  constructor(
    channel: Channel,
    queue: MessageQueue,
    source: DeliverySource,
    options: SubscriptionOptions,
  ) {
    this.channel = channel
    this.queue = queue
    this.source = source
    this.tag = options.tag
    this.noAck = options.noAck
    this.exclusive = options.exclusive
    this.priority = options.priority
    this.arguments = options.arguments
    this.prefetchCount = options.prefetchCount
    this.#writer = new DeliveryWriter(channel.id, channel.connection.frameMax, options.tag)
  }

  hasCapacity(): boolean {
    const { channel } = this
    if (!channel.mayDeliver || !channel.connection.outbox.hasRoom) return false
    const { prefetchCount } = this
    if (!this.noAck && prefetchCount !== 0 && this.source.unackedCount >= prefetchCount)
      return false
    // RabbitMQ: what is not acknowledged does not count, but waits while the channel has its share.
    return channel.globalPrefetch === 0 || channel.consumerUnackedCount < channel.globalPrefetch
  }

  get credit(): number {
    let credit = CREDIT_MAX
    if (this.noAck) return credit
    if (this.prefetchCount !== 0) credit = this.prefetchCount - this.source.unackedCount
    const { globalPrefetch, consumerUnackedCount } = this.channel
    if (globalPrefetch === 0) return credit
    return Math.min(credit, globalPrefetch - consumerUnackedCount)
  }

  deliver(message: StoredMessage, count: number): void {
    const { channel } = this
    const tag = channel.lastDeliveryTag + 1
    channel.lastDeliveryTag += count
    if (this.noAck) channel.deliveredNoAckCount += count
    else channel.addUnacked(tag, this.source, message, count)
    if (message.redelivered) channel.redeliveredCount += count
    const { connection } = channel
    this.#writer.write(connection.outbox, tag, message, count)
    if (!connection.inTurn) connection.markTurn()
  }

  passOn(message: IncomingMessage): void {
    const { channel } = this
    const { connection } = channel
    channel.deliveredNoAckCount++
    this.#writer.writePassed(connection.outbox, ++channel.lastDeliveryTag, message)
    if (!connection.inTurn) connection.markTurn()
  }

  /** Tries to get messages again after waiting without capacity. */
  wake(): void {
    if (this.parked && this.hasCapacity()) this.queue.unpark(this)
  }

  describe(): ConsumerInfo {
    return describeConsumer(this)
  }

  queueDeleted(): void {
    this.cancelled = true
    this.channel.forgetConsumer(this)
    if (this.channel.connection.wantsConsumerCancel)
      this.channel.reply(writeBasicCancel(this.channel.id, { consumerTag: this.tag, nowait: true }))
  }
}
