import type { ClientChannel } from "../../client/channel.ts"
import type { ClientConnection } from "../../client/connection.ts"
import type { Delivery } from "../../client/delivery.ts"
import { ClientError } from "../../client/errors.ts"
import { PublishTarget } from "../../client/publish-target.ts"
import type { TimerHandle } from "../../util/clock.ts"
import { SourceTags } from "../source-tags.ts"
import type { AmqpDestinationConfig } from "./shovel-config.ts"
import { HOLD_DESTINATION, HOLD_REFUSED, openQueue } from "./source.ts"
import type { Transfer, TransferContext } from "./transfer.ts"

/**
 * From deliveries to publishes, and from confirms back to acknowledgements. Of a message that is under
 * way nothing is kept but its tag.
 */
const REFUSED_MS = 100
const REFUSED_MS_MAX = 5000

export class AmqpTransfer implements Transfer {
  readonly #context: TransferContext
  readonly #connection: ClientConnection
  readonly #channel: ClientChannel
  readonly #target: PublishTarget
  readonly #isConfirming: boolean
  readonly #isAckedAtOnce: boolean
  readonly #tags = new SourceTags()
  #takenCount = 0
  #limit: number
  #refusedMs = 0
  #timer: TimerHandle | null = null

  private constructor(
    context: TransferContext,
    connection: ClientConnection,
    channel: ClientChannel,
    destination: AmqpDestinationConfig,
  ) {
    this.#context = context
    this.#limit = context.limit
    this.#connection = connection
    this.#channel = channel
    this.#isConfirming = context.config.ackMode === "on-confirm"
    this.#isAckedAtOnce = context.config.ackMode === "on-publish"
    const { queue, exchange, exchangeKey } = destination
    this.#target =
      queue === null
        ? new PublishTarget({ exchange, routingKey: exchangeKey })
        : new PublishTarget({ exchange: "", routingKey: queue, mandatory: true })
    channel.onConfirm = (tag, multiple, isAck) =>
      this.#tags.confirm(tag, multiple, true, isAck ? this.#acked : this.#nacked)
    channel.onDrain = () => context.source.release(HOLD_DESTINATION)
    channel.onReturn = () =>
      context.session.fail(
        new ClientError("closed", `the destination queue '${queue ?? ""}' has gone`),
      )
    channel.onClosed = (error) =>
      context.session.fail(error ?? new ClientError("closed", "the channel was closed"))
    connection.onBlocked = (reason) =>
      context.trouble(`the destination takes no messages: ${reason}`, null)
    connection.onUnblocked = () => context.trouble(null, null)
  }

  static async open(
    context: TransferContext,
    destination: AmqpDestinationConfig,
    uri: string,
  ): Promise<AmqpTransfer> {
    const connection = await context.session.connect(uri)
    const { queue, exchange, queueArguments, isPredeclared } = destination
    let channel: ClientChannel
    if (queue !== null)
      channel = (await openQueue(connection, queue, queueArguments, isPredeclared)).channel
    else {
      channel = await connection.openChannel()
      if (exchange !== null && exchange !== "") await channel.checkExchange(exchange)
    }
    if (context.config.ackMode === "on-confirm") await channel.confirmSelect()
    return new AmqpTransfer(context, connection, channel, destination)
  }

  get pendingCount(): number {
    return this.#channel.unconfirmedCount
  }

  get isBlocked(): boolean {
    return this.#connection.isBlocked
  }

  onDelivery(delivery: Delivery): void {
    const context = this.#context
    const { source, headers, counters } = context
    if (this.#takenCount >= this.#limit || !this.#channel.isOpen) return
    this.#takenCount++
    let properties: Buffer | null = null
    if (headers.isNeeded) {
      properties = headers.rewrite(delivery, context.environment.clock.nowMs)
      if (properties === null) {
        this.#drop(delivery.deliveryTag)
        return
      }
    }
    counters.forwarded++
    counters.bytes += delivery.bodyEnd - delivery.bodyStart
    if (!this.#channel.forward(delivery, this.#target, properties)) source.hold(HOLD_DESTINATION)
    if (this.#takenCount >= this.#limit) source.cancel()
    if (this.#isConfirming) {
      this.#tags.add(delivery.deliveryTag)
      return
    }
    if (this.#isAckedAtOnce) source.ackLater(delivery.deliveryTag)
    context.settled(1)
  }

  /** It went round in circles: to the dead letters with it. */
  #drop(deliveryTag: number): void {
    const { source, counters, config } = this.#context
    if (config.ackMode !== "no-ack") source.channel.reject(deliveryTag, false)
    counters.rejected++
    this.#context.settled(1)
  }

  readonly #acked = (deliveryTag: number, multiple: boolean, count: number): void => {
    const { source, counters } = this.#context
    counters.confirmed += count
    source.channel.ack(deliveryTag, multiple)
    if (this.#refusedMs !== 0) this.#accepted()
    this.#context.settled(count)
  }

  readonly #nacked = (deliveryTag: number, multiple: boolean, count: number): void => {
    const { source, counters } = this.#context
    counters.returned += count
    this.#takenCount -= count
    source.channel.nack(deliveryTag, multiple, true)
    this.#refused()
  }

  /** The message is back in its queue; it comes again when the destination has had some time. */
  #refused(): void {
    const { source, environment, session } = this.#context
    this.#context.settled(0)
    if (this.#limit === 0) return // It is about to end.
    if (source.isCancelled) {
      session.fail(new ClientError("closed", "the destination has refused messages"))
      return
    }
    if (this.#timer !== null) return
    this.#refusedMs = Math.min(REFUSED_MS_MAX, Math.max(REFUSED_MS, this.#refusedMs * 2))
    source.hold(HOLD_REFUSED)
    environment.clock.refresh()
    this.#context.trouble(
      "the destination refuses messages",
      environment.clock.nowMs + this.#refusedMs,
    )
    this.#timer = environment.clock.setTimer(this.#refusedMs, () => {
      this.#timer = null
      source.release(HOLD_REFUSED)
    })
  }

  #accepted(): void {
    this.#refusedMs = 0
    if (!this.#connection.isBlocked) this.#context.trouble(null, null)
  }

  finish(): void {
    this.#limit = 0
  }

  close(): void {
    this.#timer?.cancel()
    this.#timer = null
  }
}
