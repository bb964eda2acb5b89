import { encodeProperties } from "../amqp/properties.ts"
import type { BasicProperties } from "../amqp/properties.ts"
import { PROPERTIES } from "../amqp/spec.ts"
import { tableFromPlain } from "../amqp/table.ts"
import type { PlainRecord } from "../amqp/table.ts"
import { ClientError } from "../client/errors.ts"
import type { FlagValues } from "./modes.ts"

/** A throughput run as its threads need it: plain values that a message to a worker can carry. */
export interface ThroughputSettings {
  readonly uri: string
  readonly publishers: number
  readonly consumers: number
  readonly size: number
  readonly verify: boolean
  readonly ack: number
  readonly confirm: number
  readonly publishTx: number
  readonly ackTx: number
  /** Names; an empty one is replaced by the server's before the threads start. */
  readonly queues: readonly string[]
  /** Null: each queue's name. */
  readonly routingKey: string | null
  readonly exchange: string
  readonly rate: number
  readonly consumerRate: number
  readonly prefetch: number
  readonly poll: boolean
  readonly publishMessages: number
  readonly consumeMessages: number
  readonly queueArguments: PlainRecord
  readonly consumerArguments: PlainRecord
  /** Wire bytes. */
  readonly properties: Uint8Array
  readonly randomBodies: boolean
  readonly measureLatency: boolean
}

/** Throws ClientError (usage) for properties that AMQP does not have. */
export function throughputSettings(values: FlagValues): ThroughputSettings {
  return {
    uri: values.text("uri"),
    publishers: values.number("publishers"),
    consumers: values.number("consumers"),
    size: values.number("size"),
    verify: values.isOn("verify"),
    ack: values.number("ack"),
    confirm: values.number("confirm"),
    publishTx: values.number("publishTx"),
    ackTx: values.number("ackTx"),
    queues: queueNames(values),
    routingKey: values.textOrNull("routingKey"),
    exchange: values.text("exchange"),
    rate: values.number("rate"),
    consumerRate: values.number("consumerRate"),
    prefetch: values.number("prefetch"),
    poll: values.isOn("poll"),
    publishMessages: values.number("publishMessages"),
    consumeMessages: values.number("consumeMessages"),
    queueArguments: plainRecord(values.object("queueArgs")),
    consumerArguments: plainRecord(values.object("consumerArgs")),
    properties: new Uint8Array(
      encodeProperties(basicProperties(values.object("properties"), values.isOn("persistent"))),
    ),
    randomBodies: values.isOn("randomBodies"),
    measureLatency: values.isOn("measureLatency"),
  }
}

function queueNames(values: FlagValues): string[] {
  const pattern = values.textOrNull("queuePattern")
  if (pattern === null) return [values.text("queue")]
  const names: string[] = []
  const last = values.number("queuePatternTo")
  for (let number = values.number("queuePatternFrom"); number <= last; number++)
    names.push(pattern.replaceAll("%", String(number)))
  return names
}

/** JSON has no values that AMQP lacks. */
export function plainRecord(object: Readonly<Record<string, unknown>>): PlainRecord {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- What JSON.parse() makes is plain all the way down.
  return object as PlainRecord
}

/** Names as in AMQP (`content_type`, `content-type`) or as in programs (`contentType`). */
function basicProperties(
  object: Readonly<Record<string, unknown>>,
  persistent: boolean,
): BasicProperties {
  const result: Record<string, unknown> = persistent ? { deliveryMode: 2 } : {}
  for (const [name, value] of Object.entries(object)) {
    const camel = name.replace(/[-_](\w)/g, (_, letter: string) => letter.toUpperCase())
    const property = PROPERTIES.find((known) => known.name === camel)
    if (property === undefined)
      throw new ClientError("usage", `--properties: there is no property '${name}'`)
    result[property.name] = propertyValue(property.type, name, value)
  }
  return result
}

function propertyValue(type: string, name: string, value: unknown): unknown {
  if (type === "table" && typeof value === "object" && value !== null && !Array.isArray(value))
    return tableFromPlain(plainRecord({ ...value }))
  if (type === "shortstr" && ["string", "number"].includes(typeof value)) {
    const text = String(value)
    if (Buffer.byteLength(text, "utf8") <= 255) return text
  }
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) {
    if (type === "octet" && value <= 255) return value
    if (type === "longlong") return BigInt(value)
  }
  throw new ClientError("usage", `--properties: '${name}' has a value that it cannot have`)
}
