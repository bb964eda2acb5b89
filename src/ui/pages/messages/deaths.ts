import { propertyText } from "./types.ts"
import type { Message, MessageProperties } from "./types.ts"

/** What the x-death header tells of a message, and how messages are written for other tools. */
export interface Death {
  readonly reason: string
  readonly queue: string
  readonly exchange: string
  readonly routingKeys: readonly string[]
  readonly count: number
  /** Milliseconds; null if it has none. */
  readonly timeMs: number | null
}

/** Newest first. A header of another form is no history. */
export function deathsOf(properties: MessageProperties): Death[] {
  const list = properties.headers?.["x-death"]
  return Array.isArray(list) ? list.flatMap(deathOf) : []
}

function deathOf(entry: unknown): Death[] {
  if (typeof entry !== "object" || entry === null) return []
  const fields: Readonly<Record<string, unknown>> = { ...entry }
  const { reason, queue, exchange, count, time } = fields
  if (typeof reason !== "string" || typeof queue !== "string") return []
  const keys = fields["routing-keys"]
  return [
    {
      reason,
      queue,
      exchange: typeof exchange === "string" ? exchange : "",
      routingKeys: Array.isArray(keys) ? keys.map(String) : [],
      count: Number(count ?? 1),
      timeMs: timeOf(time),
    },
  ]
}

/** AMQP has seconds; a client may have written a date. */
function timeOf(time: unknown): number | null {
  if (typeof time === "number") return time * 1000
  if (typeof time !== "string") return null
  const ms = /^\d+$/.test(time) ? Number(time) * 1000 : Date.parse(time)
  return Number.isFinite(ms) ? ms : null
}

/** A command that publishes the message again by the API. */
export function curlOf(message: Message, origin: string, vhost: string, user: string): string {
  const exchange = message.exchange === "" ? "amq.default" : message.exchange
  const path = `api/exchanges/${encodeURIComponent(vhost)}/${encodeURIComponent(exchange)}/publish`
  const { properties, routing_key, payload, payload_encoding } = message
  const body = JSON.stringify({ properties, routing_key, payload, payload_encoding })
  return `curl -u ${quoted(user)} -X POST ${quoted(origin + path)} -d ${quoted(body)}`
}

/** For a shell. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}

/** Of a download: the content type's ending, or what the bytes are. */
export function fileName(message: Message, name: string, isText: boolean): string {
  const type = propertyText(message.properties, "content_type")
  const ending = /json/.test(type) ? "json" : /xml/.test(type) ? "xml" : isText ? "txt" : "bin"
  return `${name.replaceAll(/[^\w.-]+/g, "-").slice(0, 80)}.${ending}`
}
