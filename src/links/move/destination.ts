import { encodeProperties } from "../../amqp/properties.ts"
import { numberOf, TypedNumber } from "../../amqp/table.ts"
import { requireWrite } from "../../broker/access.ts"
import type { Access } from "../../broker/access.ts"
import { Refusal } from "../../broker/errors.ts"
import type { Exchange } from "../../broker/exchange/exchange.ts"
import { IncomingMessage } from "../../broker/message.ts"
import type { StoredMessage } from "../../broker/message.ts"
import { collectRoutingKeys, PUBLISH_UNROUTABLE } from "../../broker/publishing.ts"
import type { MessageQueue } from "../../broker/queue/message-queue.ts"
import type { Vhost } from "../../broker/vhost.ts"
import { Chunk } from "../../util/bytes.ts"
import type { MessageFacts } from "./message-filter.ts"

/**
 * Where moved messages go: to a queue, to an exchange, or back to where they died. Each publishes one
 * message and returns the outcome (broker/publishing.ts). Everything is copied: the destination may be
 * the queue in whose buffers the message lies.
 */
export interface MoveDestination {
  /** Null: the message is to stay. */
  publish(message: StoredMessage, facts: MessageFacts, nowMs: number): number | null
}

export const REDRIVE_HEADER = "x-redrive-count"

export class QueueDestination implements MoveDestination {
  readonly #vhost: Vhost
  readonly #queueName: string

  constructor(vhost: Vhost, queueName: string) {
    this.#vhost = vhost
    this.#queueName = queueName
  }

  publish(message: StoredMessage, facts: MessageFacts, nowMs: number): number {
    return publishToQueue(this.#vhost, this.#queueName, message, facts, nowMs)
  }
}

export class ExchangeDestination implements MoveDestination {
  readonly #vhost: Vhost
  readonly #exchangeName: string
  /** Null: the one that the message has. */
  readonly #routingKey: string | null

  constructor(vhost: Vhost, exchangeName: string, routingKey: string | null) {
    this.#vhost = vhost
    this.#exchangeName = exchangeName
    this.#routingKey = routingKey
  }

  publish(message: StoredMessage, facts: MessageFacts, nowMs: number): number {
    const key = this.#routingKey ?? facts.routingKey
    const exchange = this.#vhost.exchange(this.#exchangeName)
    const keys = collectRoutingKeys(key, facts.properties)
    return publishToExchange(this.#vhost, exchange, keys, message, facts, nowMs)
  }
}

/** Back where it died last, so often and no more. */
export class OriginDestination implements MoveDestination {
  readonly #vhost: Vhost
  readonly #access: Access
  readonly #toQueue: boolean
  readonly #timesMax: number
  /** Exchanges to which the user may publish. */
  readonly #allowed = new Set<string>()

  constructor(vhost: Vhost, access: Access, toQueue: boolean, timesMax: number) {
    this.#vhost = vhost
    this.#access = access
    this.#toQueue = toQueue
    this.#timesMax = timesMax
  }

  publish(message: StoredMessage, facts: MessageFacts, nowMs: number): number | null {
    const { death } = facts
    if (death === null) return null
    const times = numberOf(facts.properties.headers?.get(REDRIVE_HEADER))
    const count = typeof times === "number" && times >= 0 ? Math.floor(times) : 0
    if (this.#timesMax > 0 && count >= this.#timesMax) return null
    const headers = new Map(facts.properties.headers)
    headers.set(REDRIVE_HEADER, new TypedNumber("I", Math.min(count + 1, 0x7fff_ffff)))
    const counted = { ...facts, properties: { ...facts.properties, headers } }
    this.#check(this.#toQueue ? "" : death.exchange)
    if (this.#toQueue) return publishToQueue(this.#vhost, death.queue, message, counted, nowMs)
    const exchange = this.#vhost.exchanges.get(death.exchange)
    if (exchange === undefined) return PUBLISH_UNROUTABLE
    const keys = death.routingKeys.length === 0 ? [facts.routingKey] : death.routingKeys
    return publishToExchange(this.#vhost, exchange, keys, message, counted, nowMs)
  }

  #check(exchangeName: string): void {
    if (this.#allowed.has(exchangeName)) return
    requireWrite(this.#access, exchangeName)
    this.#allowed.add(exchangeName)
  }
}

function publishToQueue(
  vhost: Vhost,
  name: string,
  message: StoredMessage,
  facts: MessageFacts,
  nowMs: number,
): number {
  const queue: MessageQueue | undefined = vhost.queues.get(name)
  if (queue === undefined) return PUBLISH_UNROUTABLE
  const exchange = vhost.defaultExchange
  return vhost.publish(exchange, [queue], 1, copyOf(exchange, name, message, facts, nowMs))
}

function publishToExchange(
  vhost: Vhost,
  exchange: Exchange,
  keys: readonly string[],
  message: StoredMessage,
  facts: MessageFacts,
  nowMs: number,
): number {
  if (exchange.internal)
    throw new Refusal("precondition-failed", `exchange '${exchange.name}' is internal`)
  const copy = copyOf(exchange, keys[0] ?? "", message, facts, nowMs)
  return vhost.publishMessage(exchange, keys, copy, facts.properties, null)
}

function copyOf(
  exchange: Exchange,
  routingKey: string,
  message: StoredMessage,
  { properties }: MessageFacts,
  nowMs: number,
): IncomingMessage {
  const key = Buffer.from(routingKey)
  const route = Buffer.concat([exchange.nameBytes, Buffer.of(key.length), key])
  const encoded = encodeProperties(properties)
  const body = Buffer.from(message.chunk.bytes.subarray(message.bodyStart, message.bodyEnd))
  const copy = new IncomingMessage()
  copy.route = new Chunk(route)
  copy.routeEnd = route.length
  copy.properties = new Chunk(encoded)
  copy.propertiesEnd = encoded.length
  copy.body = new Chunk(body)
  copy.bodyEnd = body.length
  copy.timestampMs = nowMs
  copy.persistent = message.persistent
  copy.expires = properties.expiration !== undefined
  copy.priority = properties.priority ?? 0
  const { headers } = properties
  copy.hasRoutingHeaders = headers !== undefined && (headers.has("CC") || headers.has("BCC"))
  return copy
}
