import { decodeProperties, encodeProperties } from "../../amqp/properties.ts"
import type { BasicProperties } from "../../amqp/properties.ts"
import { isTable, tableFromPlain, Timestamp, TypedNumber } from "../../amqp/table.ts"
import type { FieldValue, PlainRecord, Table } from "../../amqp/table.ts"
import type { Delivery } from "../../client/delivery.ts"

/**
 * What a shovel adds to messages when it is told to: `x-shovelled`, newest first, a timestamp and given
 * properties. Only such messages are decoded; how often one has passed this shovel is read off the way.
 */
export interface HeaderOptions {
  readonly addForwardHeaders: boolean
  readonly addTimestampHeader: boolean
  readonly publishProperties: BasicProperties | null
  readonly loopLimit: number
}

export const SHOVELLED_HEADER = "x-shovelled"
export const TIMESTAMP_HEADER = "x-shovelled-timestamp"
/** Older entries are dropped: the header must not grow without end. */
const ENTRIES_MAX = 64

export class HeaderWriter {
  readonly isNeeded: boolean
  readonly #options: HeaderOptions
  #entry: Table = new Map()

  constructor(options: HeaderOptions) {
    this.#options = options
    this.isNeeded =
      options.addForwardHeaders || options.addTimestampHeader || options.publishProperties !== null
  }

  /** What this shovel writes of itself; URIs without credentials. */
  set entry(entry: PlainRecord) {
    this.#entry = tableFromPlain(entry)
  }

  /** The property bytes to publish with; null if the message has passed here too often. */
  rewrite(delivery: Delivery, nowMs: number): Buffer | null {
    const { chunk, propertiesStart, propertiesEnd } = delivery
    const properties = decodeProperties(chunk.bytes, propertiesStart, propertiesEnd)
    const { publishProperties, addForwardHeaders, addTimestampHeader, loopLimit } = this.#options
    const headers = new Map<string, FieldValue>(properties.headers)
    for (const [name, value] of publishProperties?.headers ?? []) headers.set(name, value)
    if (addForwardHeaders) {
      const passed = shovelledOf(headers)
      if (loopLimit > 0 && this.#visitsOf(passed) >= loopLimit) return null
      headers.set(SHOVELLED_HEADER, [this.#entry, ...passed].slice(0, ENTRIES_MAX))
    }
    if (addTimestampHeader)
      headers.set(TIMESTAMP_HEADER, new TypedNumber("l", BigInt(Math.floor(nowMs / 1000))))
    return encodeProperties({
      ...properties,
      ...publishProperties,
      ...(headers.size === 0 ? {} : { headers }),
    })
  }

  #visitsOf(passed: readonly FieldValue[]): number {
    let count = 0
    for (const item of passed)
      if (
        isTable(item) &&
        ["shovelled-by", "shovel-name", "shovel-vhost"].every(
          (key) => item.get(key) === this.#entry.get(key),
        )
      )
        count++
    return count
  }
}

function shovelledOf(headers: ReadonlyMap<string, FieldValue>): readonly FieldValue[] {
  const value = headers.get(SHOVELLED_HEADER)
  return Array.isArray(value) ? value : []
}

/** Headers as text, for a destination that knows only text; what has no plain text is left out. */
export function textOf(value: FieldValue): string | null {
  if (typeof value === "string") return value
  if (typeof value === "boolean") return String(value)
  if (value instanceof TypedNumber) return String(value.value)
  if (value instanceof Timestamp) return String(value.seconds)
  return null
}
