import { writeBasicCancel } from "../amqp/generated/methods.ts"
import { Refusal } from "../broker/errors.ts"
import type { MessageQueue } from "../broker/queue/message-queue.ts"
import { AckDeadlines } from "./ack-deadlines.ts"
import type { Channel } from "./channel.ts"
import type { Subscription } from "./subscription.ts"

/**
 * Deliveries that a client keeps without settling them (consumer timeout): they go back to their
 * queue, and their consumer is cancelled; the other consumers of the channel go on. The client may
 * still settle them later, which has no effect. A client that does not know a cancel by the server
 * loses the channel (RabbitMQ up to 4.2).
 *
 * One object per channel that ever had anything unacknowledged when its connection looked, asked
 * about twice a second. When a delivery is overdue is ack-deadlines.ts.
 */

/** More wait for the next tick: a million at once would hold everybody up. */
const RETURNED_PER_TICK_MAX = 10_000

export class ConsumerTimeouts {
  /** One for each timeout in use. */
  readonly #deadlines: AckDeadlines[] = []
  readonly #channel: Channel
  /** For queues without a timeout of their own; 0 is none. */
  readonly #defaultMs: number

  constructor(channel: Channel, defaultMs: number) {
    this.#channel = channel
    this.#defaultMs = defaultMs
  }

  /** `nowMs` of the clock; with `outstanding` deliveries. */
  tick(nowMs: number, outstanding: number): void {
    const { lastDeliveryTag: lastTag } = this.#channel
    const deadlines = this.#deadlines
    if (outstanding === 0) {
      deadlines.length = 0
      return
    }
    this.#addMissing()
    for (let i = 0; i < deadlines.length; i++) {
      const one = deadlines[i]!
      one.tick(nowMs, lastTag)
      if (one.overdueTag <= one.checkedTag) continue
      one.checkedTag = this.#expire(one.timeoutMs, one.checkedTag + 1, one.overdueTag)
      if (this.#channel.isReleased) return
    }
  }

  /** A rolled back transaction has given deliveries back that may be overdue already. */
  recheck(): void {
    for (const one of this.#deadlines) one.checkedTag = 0
  }

  #addMissing(): void {
    const { sources } = this.#channel
    for (let i = 1; i < sources.length; i++) {
      const source = sources[i]
      if (source === null || source === undefined || source.unackedCount === 0) continue
      const timeoutMs = this.#timeoutOf(source.queue)
      if (timeoutMs > 0 && this.#find(timeoutMs) === null)
        this.#deadlines.push(new AckDeadlines(timeoutMs))
    }
  }

  #find(timeoutMs: number): AckDeadlines | null {
    const deadlines = this.#deadlines
    for (let i = 0; i < deadlines.length; i++)
      if (deadlines[i]!.timeoutMs === timeoutMs) return deadlines[i]!
    return null
  }

  #timeoutOf(queue: MessageQueue): number {
    return queue.settings.consumerTimeoutMs ?? this.#defaultMs
  }

  /** Looks through the deliveries from `firstTag` to `lastTag`; returns the tag up to which it came. */
  #expire(timeoutMs: number, firstTag: number, lastTag: number): number {
    const channel = this.#channel
    const overdue: number[] = []
    const queues = new Set<string>()
    const late = new Set<Subscription>()
    channel.forEachUnacked(firstTag, lastTag, (tag, source) => {
      if (this.#timeoutOf(source.queue) !== timeoutMs) return true
      overdue.push(tag)
      queues.add(source.queue.name)
      const { subscription } = source
      if (subscription !== null && !subscription.cancelled) late.add(subscription)
      return overdue.length < RETURNED_PER_TICK_MAX
    })
    if (overdue.length === 0) return lastTag
    channel.connection.broker.log.warn(
      {
        connection: channel.connection.name,
        channel: channel.id,
        deliveries: overdue.length,
        queues: [...queues],
        timeoutMs,
      },
      "deliveries were not acknowledged in time",
    )
    if (late.size > 0 && !channel.connection.wantsConsumerCancel) {
      channel.connection.failChannel(channel, timedOut(channel.id, timeoutMs))
      return lastTag
    }
    for (const tag of overdue) channel.returnOverdue(tag)
    for (const subscription of late) this.#cancel(subscription)
    return overdue.length < RETURNED_PER_TICK_MAX ? lastTag : overdue[overdue.length - 1]!
  }

  #cancel(subscription: Subscription): void {
    const channel = this.#channel
    const { tag: consumerTag } = subscription
    channel.cancelConsumer(subscription)
    channel.reply(writeBasicCancel(channel.id, { consumerTag, nowait: true }))
  }
}

function timedOut(channelId: number, timeoutMs: number): Refusal {
  return new Refusal(
    "precondition-failed",
    `delivery acknowledgement on channel ${channelId} timed out. Timeout value used: ${timeoutMs} ms. ` +
      "This timeout value can be configured, see consumers doc guide to learn more",
  )
}
