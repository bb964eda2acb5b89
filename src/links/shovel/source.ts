import type { PlainRecord } from "../../amqp/table.ts"
import type { ClientChannel } from "../../client/channel.ts"
import type { ClientConnection } from "../../client/connection.ts"
import { ClientError } from "../../client/errors.ts"
import type { Delivery } from "../../client/delivery.ts"
import type { LinkSession } from "../link-connection.ts"
import type { ShovelConfig, SourceConfig } from "./shovel-config.ts"

/**
 * Where a shovel takes its messages: declares the queue, consumes it, settles what was delivered, and
 * stops reading while there is a reason to. Where the messages go it does not know.
 */

/** Why nothing is read at present. Bits. */
export const HOLD_DESTINATION = 1
export const HOLD_REFUSED = 2
export const HOLD_BYTES = 4

/** Unacknowledged deliveries, where the parameter says 0 (no limit). */
const PREFETCH_MAX = 65_535

export class ShovelSource {
  readonly connection: ClientConnection
  readonly channel: ClientChannel
  readonly queue: string
  /** In the queue when it was opened. */
  readonly messageCount: number
  readonly #config: ShovelConfig
  readonly #session: LinkSession
  #consumerTag: string | null = null
  #holds = 0
  #lateTag = 0
  #isAckScheduled = false

  private constructor(
    session: LinkSession,
    config: ShovelConfig,
    connection: ClientConnection,
    prepared: Prepared,
  ) {
    this.#session = session
    this.#config = config
    this.connection = connection
    this.channel = prepared.channel
    this.queue = prepared.queue
    this.messageCount = prepared.messageCount
    this.channel.onClosed = (error) =>
      session.fail(error ?? new ClientError("closed", "the source channel was closed"))
  }

  static async open(
    session: LinkSession,
    config: ShovelConfig,
    uri: string,
  ): Promise<ShovelSource> {
    const connection = await session.connect(uri)
    const prepared = await prepare(connection, config.source)
    return new ShovelSource(session, config, connection, prepared)
  }

  /** `limit`: how many messages are wanted at most. */
  async consume(
    consumerTag: string,
    limit: number,
    onDelivery: (delivery: Delivery) => void,
  ): Promise<void> {
    const { ackMode, prefetch, source } = this.#config
    const noAck = ackMode === "no-ack"
    if (!noAck) await this.channel.qos(Math.min(prefetch === 0 ? PREFETCH_MAX : prefetch, limit))
    const consumer = await this.channel.consume(this.queue, {
      consumerTag: source.consumerName ?? consumerTag,
      noAck,
      arguments: consumerArguments(source.consumerArguments),
      onDelivery,
      onCancelled: () =>
        this.#session.fail(new ClientError("closed", `queue '${this.queue}' has gone`)),
    })
    this.#consumerTag = consumer.tag
  }

  /** No more are wanted. What comes nevertheless goes back when the shovel disconnects. */
  cancel(): void {
    const tag = this.#consumerTag
    this.#consumerTag = null
    if (tag !== null) this.channel.cancel(tag).catch((error: unknown) => this.#session.fail(error))
  }

  get isCancelled(): boolean {
    return this.#consumerTag === null
  }

  /** Acknowledges it and all before it at the end of this turn. */
  ackLater(tag: number): void {
    this.#lateTag = tag
    if (this.#isAckScheduled) return
    this.#isAckScheduled = true
    this.#session.environment.clock.setImmediate(this.#ackLate)
  }

  readonly #ackLate = (): void => {
    this.#isAckScheduled = false
    this.channel.ack(this.#lateTag, true)
  }

  // ---- reading

  get isHeld(): boolean {
    return this.#holds !== 0
  }

  get holds(): number {
    return this.#holds
  }

  hold(reason: number): void {
    this.#holds |= reason
    this.connection.pause()
  }

  release(reason: number): void {
    if ((this.#holds & reason) === 0) return
    this.#holds &= ~reason
    if (this.#holds === 0) this.connection.resume()
  }

  /** Null while nothing can be asked. */
  async countMessages(): Promise<number | null> {
    if (this.isHeld || !this.channel.isOpen) return null
    return (await this.channel.checkQueue(this.queue)).messageCount
  }
}

interface Prepared {
  readonly channel: ClientChannel
  readonly queue: string
  readonly messageCount: number
}

async function prepare(connection: ClientConnection, source: SourceConfig): Promise<Prepared> {
  const { queue, exchange, exchangeKey, isPredeclared, queueArguments } = source
  if (queue !== null) return openQueue(connection, queue, queueArguments, isPredeclared)
  const channel = await connection.openChannel()
  const declared = await channel.declareQueue("", { exclusive: true, arguments: queueArguments })
  await channel.bindQueue(declared.queue, exchange ?? "", exchangeKey)
  return { channel, ...declared }
}

/**
 * The queue as it is; or, if there is none and it need not be there, a new durable one. Asking first lets
 * a queue be that was declared with other arguments.
 */
export async function openQueue(
  connection: ClientConnection,
  queue: string,
  queueArguments: PlainRecord,
  isPredeclared: boolean,
): Promise<Prepared> {
  const channel = await connection.openChannel()
  try {
    return { channel, ...(await channel.checkQueue(queue)) }
  } catch (error) {
    if (isPredeclared || !(error instanceof ClientError) || error.code !== 404) throw error
  }
  const next = await connection.openChannel()
  const declared = await next.declareQueue(queue, { durable: true, arguments: queueArguments })
  return { channel: next, ...declared }
}

/** A stream is read on where the shovel was; the offset that is given counts for the first time. */
function consumerArguments(given: PlainRecord): PlainRecord {
  return given["x-stream-offset"] === undefined
    ? given
    : { "x-stream-automatic-offset-tracking": true, ...given }
}
