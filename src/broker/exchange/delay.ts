import { encodeProperties, type BasicProperties } from "../../amqp/properties.ts"
import { Chunk } from "../../util/bytes.ts"
import { numberOf, TypedNumber, type FieldValue } from "../../amqp/table.ts"
import type { IncomingMessage } from "../../storage/message.ts"

/**
 * The x-delay header: how long a message waits at a delayed exchange, and how it shows afterwards.
 * Where messages wait is broker/delayed/, which implements DelayStore.
 */

/** The messages that wait at one exchange. */
export interface DelayStore {
  /**
   * Keeps a copy of the message until it is due; then it goes to Publishing.releaseDelayed(). The BCC
   * header is still in it. Returns PUBLISH_ACCEPTED, PUBLISH_DURABLE (safe after the next commit
   * round) or PUBLISH_REFUSED. Must not route anything during the call.
   */
  add(message: IncomingMessage, properties: BasicProperties, delayMs: number): number
}

const DELAY_HEADER = "x-delay"
/** Longer ones are not obeyed, as by RabbitMQ's plugin: 49 days. */
const DELAY_MS_MAX = 0xffff_ffff

/** In ms; 0 for no delay, also if what the header says is none: RabbitMQ routes such a message at once. */
export function delayOf(properties: BasicProperties): number {
  const value = properties.headers?.get(DELAY_HEADER)
  if (value === undefined) return 0
  const delayMs = toDelay(value)
  return delayMs > 0 && delayMs <= DELAY_MS_MAX ? delayMs : 0
}

function toDelay(value: FieldValue): number {
  if (typeof value === "string") return /^[+-]?[0-9]+$/.test(value) ? Number(value) : 0
  const number = value instanceof TypedNumber ? Number(numberOf(value)) : 0
  return Number.isNaN(number) ? 0 : Math.trunc(number)
}

/** The properties of a message that has waited: the sign of x-delay says so (RabbitMQ's plugin). */
export function delayDone(properties: BasicProperties): BasicProperties {
  const delayMs = delayOf(properties)
  if (delayMs === 0 || properties.headers === undefined) return properties
  const headers = new Map(properties.headers)
  headers.set(DELAY_HEADER, new TypedNumber("l", BigInt(-delayMs)))
  return { ...properties, headers }
}

/** Puts these properties in the place of the message's. */
export function replaceProperties(message: IncomingMessage, properties: BasicProperties): void {
  const bytes = encodeProperties(properties)
  message.properties = new Chunk(bytes)
  message.propertiesStart = 0
  message.propertiesEnd = bytes.length
}
