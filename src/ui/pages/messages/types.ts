/** Messages as the API shows them: taken from a queue, or looked at without taking. */
export interface Message {
  readonly payload: string
  readonly payload_encoding: "string" | "base64"
  /** Of the whole body; `payload` may be its beginning. */
  readonly payload_bytes: number
  readonly exchange: string
  readonly routing_key: string
  readonly redelivered: boolean
  readonly properties: MessageProperties
}

export interface MessageProperties {
  readonly headers?: Readonly<Record<string, unknown>>
  readonly [name: string]: unknown
}

/** One that was looked at. */
export interface BrowsedMessage extends Message {
  /** Names it as long as it is there. */
  readonly id: string
  /** From the head; of a stream its offset. */
  readonly index: number
  readonly state: string
  /** When it came; of a delayed one when it is due. */
  readonly timestamp_ms: number
  readonly delivery_tag?: number
  readonly consumer_tag?: string
  readonly channel_name?: string
  readonly unacked_since_ms?: number | null
}

/** Where messages are looked at. */
export type MessageKind = "ready" | "unacked" | "delayed" | "stream"

export interface MessageSource {
  readonly kind: MessageKind
  readonly vhost: string
  /** Of the API. */
  readonly path: string
}

export const propertyText = (properties: MessageProperties, name: string): string => {
  const value = properties[name]
  return typeof value === "string" ? value : typeof value === "number" ? String(value) : ""
}
