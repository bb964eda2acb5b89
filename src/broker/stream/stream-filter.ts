import { ProtocolError } from "../../amqp/errors.ts"
import { AmqpReader } from "../../amqp/reader.ts"
import {
  FLAG_CONTENT_ENCODING,
  FLAG_CONTENT_TYPE,
  FLAG_HEADERS,
} from "../../amqp/property-flags.ts"
import { readFieldValue } from "../../amqp/table-codec.ts"
import { findHeader } from "../../amqp/table-scan.ts"
import {
  formatFieldType,
  isArray,
  isTable,
  numberOf,
  type FieldValue,
  type Table,
} from "../../amqp/table.ts"
import type { StoredMessage } from "../../storage/message.ts"
import { Chunk, equalBytes } from "../../util/bytes.ts"
import { numberFrom, parseGeoFilter } from "./geo-filter.ts"
import type { GeoFilter } from "./geo-filter.ts"

/**
 * Which messages of a stream a consumer wants, by their headers: exact, message by message, before
 * they are sent. The bytes are compared where they lie; only numbers and places are decoded.
 *
 *   x-stream-filter          "a" | "a,b" | ["a", "b"]   one of the values in x-stream-filter-value
 *                            { header: value, … }        these headers, compared as text
 *                            { geo-within-radius | geo-bbox | geo-polygon: { … } }
 *   x-filter-match-type      any: one of all conditions is enough; all: every single one must hold.
 *                            Without it: one of the values, and every header and place
 *   x-stream-match-unfiltered  also messages without x-stream-filter-value
 */
const TAG_LONG_STRING = 0x53
const COMMA = 0x2c

const FILTER_VALUE = nameChunk("x-stream-filter-value")
const LATITUDE = nameChunk("x-geo-lat")
const LONGITUDE = nameChunk("x-geo-lon")

interface HeaderCondition {
  readonly name: Chunk
  readonly text: string
  readonly bytes: Chunk
}

type MatchType = "any" | "all" | null

export class StreamFilter {
  readonly #values: Chunk[] = []
  readonly #headers: HeaderCondition[] = []
  readonly #places: GeoFilter[] = []
  matchType: MatchType = null
  matchUnfiltered = false
  /** Entries of the headers table of the message at hand. */
  #start = 0
  #end = 0
  /** The text of its x-stream-filter-value; start -1 if it has none. */
  #valueStart = -1
  #valueEnd = -1

  get isEmpty(): boolean {
    return this.#values.length + this.#headers.length + this.#places.length === 0
  }

  /** Takes the conditions of x-stream-filter. Returns what is wrong with them, or null. */
  add(value: FieldValue): string | null {
    if (typeof value === "string") {
      for (const part of value.split(",")) if (part !== "") this.#values.push(textChunk(part))
      return null
    }
    if (isTable(value)) return this.#addTable(value)
    if (!isArray(value)) return `{unacceptable_type,${formatFieldType(value)}}`
    for (const item of value) {
      const error =
        typeof item === "string" || isTable(item)
          ? this.add(item)
          : `{unacceptable_type,${formatFieldType(item)}}`
      if (error !== null) return error
    }
    return null
  }

  #addTable(table: Table): string | null {
    for (const [key, value] of table) {
      const place = parseGeoFilter(key, value)
      if (typeof place === "string") return place
      if (place !== null) {
        this.#places.push(place)
        continue
      }
      const text = textOf(value)
      if (text === null) return `{unacceptable_type,${formatFieldType(value)}}`
      this.#headers.push({ name: nameChunk(key), text, bytes: textChunk(text) })
    }
    return null
  }

  matches(message: StoredMessage): boolean {
    try {
      return this.#matches(message)
    } catch (error) {
      // What was published is sound, and files are checked before they are read; they may rot later.
      if (error instanceof RangeError || error instanceof ProtocolError) return false
      throw error
    }
  }

  #matches(message: StoredMessage): boolean {
    const { chunk } = message
    this.#locate(message)
    if (this.#valueStart < 0 && this.matchUnfiltered) return true
    if (this.matchType === "any")
      return this.#hasAnyValue(chunk) || this.#hasAnyHeader(chunk) || this.#isAnywhere(chunk)
    const hasValues =
      this.matchType === "all"
        ? this.#hasAllValues(chunk)
        : this.#values.length === 0 || this.#hasAnyValue(chunk)
    return hasValues && this.#hasAllHeaders(chunk) && this.#isEverywhere(chunk)
  }

  /** Finds the headers table and the filter value in it. */
  #locate(message: StoredMessage): void {
    const { chunk, propertiesStart, propertiesEnd } = message
    const { view } = chunk
    this.#start = 0
    this.#end = 0
    this.#valueStart = -1
    const flags = view.getUint16(propertiesStart)
    if ((flags & FLAG_HEADERS) === 0) return
    let at = propertiesStart + 2
    if ((flags & FLAG_CONTENT_TYPE) !== 0) at += 1 + view.getUint8(at)
    if ((flags & FLAG_CONTENT_ENCODING) !== 0) at += 1 + view.getUint8(at)
    const end = at + 4 + view.getUint32(at)
    if (end > propertiesEnd) return
    this.#start = at + 4
    this.#end = end
    const tagAt = findHeader(chunk, this.#start, end, FILTER_VALUE)
    if (tagAt < 0 || view.getUint8(tagAt) !== TAG_LONG_STRING) return
    this.#valueStart = tagAt + 5
    this.#valueEnd = this.#valueStart + view.getUint32(tagAt + 1)
  }

  #hasAnyValue(chunk: Chunk): boolean {
    const values = this.#values
    for (let i = 0; i < values.length; i++) if (this.#hasValue(chunk, values[i]!)) return true
    return false
  }

  #hasAllValues(chunk: Chunk): boolean {
    const values = this.#values
    for (let i = 0; i < values.length; i++) if (!this.#hasValue(chunk, values[i]!)) return false
    return true
  }

  /** The message's value is a list with commas between the parts. */
  #hasValue(chunk: Chunk, value: Chunk): boolean {
    if (this.#valueStart < 0) return false
    const { view } = chunk
    const end = this.#valueEnd
    const size = value.bytes.length
    let start = this.#valueStart
    while (start + size <= end) {
      const next = start + size
      const isWhole = next === end || view.getUint8(next) === COMMA
      if (isWhole && equalBytes(chunk, start, value, 0, size)) return true
      while (start < end && view.getUint8(start) !== COMMA) start++
      start++
    }
    return false
  }

  #hasAnyHeader(chunk: Chunk): boolean {
    const headers = this.#headers
    for (let i = 0; i < headers.length; i++) if (this.#hasHeader(chunk, headers[i]!)) return true
    return false
  }

  #hasAllHeaders(chunk: Chunk): boolean {
    const headers = this.#headers
    for (let i = 0; i < headers.length; i++) if (!this.#hasHeader(chunk, headers[i]!)) return false
    return true
  }

  #hasHeader(chunk: Chunk, condition: HeaderCondition): boolean {
    const { view } = chunk
    const tagAt = findHeader(chunk, this.#start, this.#end, condition.name)
    if (tagAt < 0) return false
    if (view.getUint8(tagAt) === TAG_LONG_STRING) {
      const size = view.getUint32(tagAt + 1)
      const { bytes } = condition
      return size === bytes.bytes.length && equalBytes(chunk, tagAt + 5, bytes, 0, size)
    }
    return textOf(this.#decode(chunk, tagAt)) === condition.text
  }

  #isAnywhere(chunk: Chunk): boolean {
    return this.#places.length > 0 && this.#places.some((place) => this.#isIn(chunk, place))
  }

  #isEverywhere(chunk: Chunk): boolean {
    return this.#places.length === 0 || this.#places.every((place) => this.#isIn(chunk, place))
  }

  #isIn(chunk: Chunk, place: GeoFilter): boolean {
    const latitude = this.#number(chunk, LATITUDE)
    const longitude = this.#number(chunk, LONGITUDE)
    return latitude !== null && longitude !== null && place.contains(latitude, longitude)
  }

  #number(chunk: Chunk, name: Chunk): number | null {
    const tagAt = findHeader(chunk, this.#start, this.#end, name)
    return tagAt < 0 ? null : numberFrom(this.#decode(chunk, tagAt))
  }

  #decode(chunk: Chunk, tagAt: number): FieldValue {
    return readFieldValue(new AmqpReader(chunk.bytes, tagAt, this.#end))
  }
}

/** How a value is compared: null for those that have no plain text. */
function textOf(value: FieldValue): string | null {
  if (typeof value === "string") return value
  if (typeof value === "boolean") return String(value)
  const number = numberOf(value)
  return number === null ? null : String(number)
}

function nameChunk(name: string): Chunk {
  return new Chunk(Buffer.from(name))
}

function textChunk(text: string): Chunk {
  return new Chunk(Buffer.from(text))
}
