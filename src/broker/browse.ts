import { decodeProperties } from "../amqp/properties.ts"
import type { BasicProperties } from "../amqp/properties.ts"
import { ProtocolError } from "../amqp/errors.ts"
import { StoredMessage } from "../storage/message.ts"
import type { QueueStore } from "../storage/queue-store.ts"
import type { BrokerSession } from "./broker.ts"
import type { MessageQueue } from "./queue/message-queue.ts"

/**
 * A look at the messages of a queue by position, for the management: takes none, settles none, sets no
 * redelivered flag. Ready messages are in the order of delivery; unacknowledged ones by connection and
 * delivery tag. Those that wait at a delayed exchange are in delayed/.
 *
 * Bounded: at most COUNT_MAX messages and READ_BYTES_MAX bytes are read per call, bodies are cut. It
 * is no snapshot: between two calls the positions may have moved.
 */

/** Messages per call. */
export const COUNT_MAX = 5000
/** Bytes of messages read per call, and one message more. */
export const READ_BYTES_MAX = 32 << 20

export interface BrowseRequest {
  /** Messages to pass over. */
  readonly skip: number
  readonly limit: number
  /** Bytes of each body that are returned. Default: all. */
  readonly bodyBytesMax?: number
  /** Bytes of messages in all, bodies as long as they are, after which it ends. */
  readonly bytesMax?: number
}

export type MessageState = "ready" | "unacked" | "delayed"

export interface BrowsedMessage {
  /** From 0 at the head, among those of its state. */
  readonly index: number
  readonly state: MessageState
  readonly exchange: string
  readonly routingKey: string
  /** Null if they cannot be decoded. */
  readonly properties: BasicProperties | null
  /** The beginning of it, if it is longer than was asked for. */
  readonly body: Buffer
  readonly bodySize: number
  readonly redelivered: boolean
  readonly persistent: boolean
  /** When the queue got it. Of a delayed message: when it is due. */
  readonly timestampMs: number
  /** Where it lies: together the name of the message in this queue or exchange, as long as it is there. */
  readonly segment: number
  readonly position: number
}

export interface UnackedMessage extends BrowsedMessage {
  readonly connection: BrokerSession
  readonly channel: number
  readonly deliveryTag: number
  /** "" if it was taken with basic.get. */
  readonly consumerTag: string
  /** Since about when; null: not for long. */
  readonly heldSinceMs: number | null
}

/** A queue that keeps its messages in a QueueStore. */
export interface StoredQueue extends MessageQueue {
  readonly store: QueueStore | null
}

/** What is left of the bounds of one call. */
export class BrowseBudget {
  readonly #bodyBytesMax: number
  #count: number
  #bytes: number

  constructor(request: BrowseRequest) {
    this.#count = Math.min(request.limit, COUNT_MAX)
    this.#bytes = Math.min(request.bytesMax ?? READ_BYTES_MAX, READ_BYTES_MAX)
    this.#bodyBytesMax = request.bodyBytesMax ?? Number.MAX_SAFE_INTEGER
  }

  /** Messages that may be taken yet. */
  get countMax(): number {
    return this.#count
  }

  get isSpent(): boolean {
    return this.#count <= 0 || this.#bytes <= 0
  }

  /** A copy of the message that outlives it. */
  take(message: StoredMessage, index: number, state: MessageState): BrowsedMessage {
    this.#count--
    this.#bytes -= message.size
    const { bytes, view } = message.chunk
    const { bodyStart, bodyEnd, routeStart, routeEnd } = message
    const keyStart = routeStart + 1 + view.getUint8(routeStart)
    const bodySize = bodyEnd - bodyStart
    return {
      index,
      state,
      exchange: bytes.toString("utf8", routeStart + 1, keyStart),
      routingKey: bytes.toString("utf8", keyStart + 1, routeEnd),
      properties: decode(bytes, message.propertiesStart, message.propertiesEnd),
      body: Buffer.from(
        bytes.subarray(bodyStart, bodyStart + Math.min(bodySize, this.#bodyBytesMax)),
      ),
      bodySize,
      redelivered: message.redelivered,
      persistent: message.persistent,
      timestampMs: message.timestampMs,
      segment: message.segment,
      position: message.position,
    }
  }
}

/** Ready messages, from the head of the queue. */
export function browseReady(queue: StoredQueue, request: BrowseRequest): BrowsedMessage[] {
  const found: BrowsedMessage[] = []
  const budget = new BrowseBudget(request)
  if (budget.isSpent || queue.store === null) return found
  let index = request.skip
  queue.store.browse(request.skip, (message) => {
    found.push(budget.take(message, index++, "ready"))
    return !budget.isSpent
  })
  return found
}

/**
 * Messages that were delivered and are not acknowledged. Those that cannot be read are left out, and
 * so are dead letters on their way.
 */
export function browseUnacked(
  connections: Iterable<BrokerSession>,
  queue: StoredQueue,
  request: BrowseRequest,
): UnackedMessage[] {
  const found: UnackedMessage[] = []
  const budget = new BrowseBudget(request)
  const { store } = queue
  if (budget.isSpent || store === null) return found
  const message = new StoredMessage()
  let index = -1
  for (const connection of connections) {
    const goesOn = connection.forEachUnacked(
      queue,
      (segment, position, size, deliveryTag, consumerTag, channel) => {
        index++
        if (index < request.skip) return true
        if (!store.read(segment, position, size, message)) return true
        const one = budget.take(message, index, "unacked")
        const heldSinceMs = connection.inspected.heldSinceMs(channel, deliveryTag)
        found.push({ ...one, connection, channel, deliveryTag, consumerTag, heldSinceMs })
        return !budget.isSpent
      },
    )
    if (!goesOn) break
  }
  return found
}

function decode(bytes: Buffer, start: number, end: number): BasicProperties | null {
  try {
    return decodeProperties(bytes, start, end)
  } catch (error) {
    if (error instanceof ProtocolError) return null
    throw error
  }
}
