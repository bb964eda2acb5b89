import { decodeProperties } from "../../amqp/properties.ts"
import type { BasicProperties } from "../../amqp/properties.ts"
import { ProtocolError } from "../../amqp/errors.ts"
import { isTable } from "../../amqp/table.ts"
import type { FieldValue, Table } from "../../amqp/table.ts"
import type { StoredMessage } from "../../broker/message.ts"
import { textOf } from "../shovel/forward-headers.ts"

/** Which messages of a queue are meant, and what a dead letter says of its last death. Pure. */
export interface MessageFilter {
  /** Headers that must be there with this value, compared as text. */
  readonly headers: ReadonlyMap<string, string>
  /** Why it was dead-lettered last: rejected, expired, maxlen, delivery_limit. */
  readonly reason: string | null
  /** The exchange and the key it was published with; also those before it was dead-lettered. */
  readonly exchange: string | null
  readonly routingKey: string | null
  /** The queue has had it since before, or after, this time. */
  readonly beforeMs: number | null
  readonly afterMs: number | null
}

export const NO_FILTER: MessageFilter = {
  headers: new Map(),
  reason: null,
  exchange: null,
  routingKey: null,
  beforeMs: null,
  afterMs: null,
}

/** What is known of a message; decoded once. */
export interface MessageFacts {
  readonly exchange: string
  readonly routingKey: string
  readonly properties: BasicProperties
  readonly death: LastDeath | null
}

export interface LastDeath {
  readonly queue: string
  readonly exchange: string
  readonly routingKeys: readonly string[]
  readonly reason: string
}

export function isEmptyFilter(filter: MessageFilter): boolean {
  const { headers, reason, exchange, routingKey, beforeMs, afterMs } = filter
  return (
    headers.size === 0 && [reason, exchange, routingKey, beforeMs, afterMs].every((x) => x === null)
  )
}

/** Null if the properties cannot be decoded. */
export function factsOf(message: StoredMessage): MessageFacts | null {
  const { bytes, view } = message.chunk
  const { routeStart, routeEnd, propertiesStart, propertiesEnd } = message
  const keyStart = routeStart + 1 + view.getUint8(routeStart)
  try {
    const properties = decodeProperties(bytes, propertiesStart, propertiesEnd)
    return {
      exchange: bytes.toString("utf8", routeStart + 1, keyStart),
      routingKey: bytes.toString("utf8", keyStart + 1, routeEnd),
      properties,
      death: lastDeathOf(properties.headers),
    }
  } catch (error) {
    if (error instanceof ProtocolError) return null
    throw error
  }
}

export function matches(filter: MessageFilter, facts: MessageFacts, timestampMs: number): boolean {
  const { headers, reason, exchange, routingKey, beforeMs, afterMs } = filter
  const { death } = facts
  if (beforeMs !== null && timestampMs >= beforeMs) return false
  if (afterMs !== null && timestampMs < afterMs) return false
  if (reason !== null && death?.reason !== reason) return false
  if (exchange !== null && facts.exchange !== exchange && death?.exchange !== exchange) return false
  if (
    routingKey !== null &&
    facts.routingKey !== routingKey &&
    death?.routingKeys.includes(routingKey) !== true
  )
    return false
  for (const [name, wanted] of headers) {
    const value = facts.properties.headers?.get(name)
    if (value === undefined || textOf(value) !== wanted) return false
  }
  return true
}

/** The newest entry of x-death; null without one that makes sense. */
function lastDeathOf(headers: Table | undefined): LastDeath | null {
  const deaths = headers?.get("x-death")
  const newest: FieldValue | undefined = Array.isArray(deaths) ? deaths[0] : undefined
  if (newest === undefined || !isTable(newest)) return null
  const text = (name: string): string | null => {
    const value = newest.get(name)
    return typeof value === "string" ? value : null
  }
  const queue = text("queue")
  const exchange = text("exchange")
  const keys = newest.get("routing-keys")
  if (queue === null || exchange === null || !Array.isArray(keys)) return null
  const routingKeys = keys.filter((key): key is string => typeof key === "string")
  return { queue, exchange, routingKeys, reason: text("reason") ?? "" }
}
