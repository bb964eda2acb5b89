import { createHash } from "node:crypto"
import { PropertyScan, SCAN_OK } from "../amqp/property-scan.ts"
import { AmqpReader } from "../amqp/reader.ts"
import { isInteger, numberOf } from "../amqp/table.ts"
import { readFieldValue } from "../amqp/table-codec.ts"
import { findHeader } from "../amqp/table-scan.ts"
import type { IncomingMessage } from "../storage/message.ts"
import { Chunk } from "../util/bytes.ts"
import { fieldKey } from "./exchange/table-key.ts"
import type { DeduplicationSettings } from "./settings.ts"

/**
 * Remembers the keys of the messages that an exchange or a queue has taken lately, and recognises a
 * message whose key is among them. The key is a header of any type; a message without it is never a
 * duplicate. What happens to a duplicate is its exchange's or queue's business.
 *
 * Bounded: the oldest entry leaves when there are `cacheSize`. Not on disk, as in LavinMQ: after a
 * restart nothing is remembered.
 */
interface Entry {
  readonly key: string
  /** Infinity if it stays until it is pushed out. */
  readonly expiresMs: number
  older: Entry | null
  newer: Entry | null
}

/** More are not kept, whatever the settings say; a Map could not hold four times as many. */
const ENTRY_COUNT_MAX = 1 << 22
/** Longer keys are kept as a digest. */
const KEY_LENGTH_MAX = 64
/** S and x: told apart by nobody, and most keys are strings, so these are not decoded. */
const TAG_LONG_STRING = 0x53
const TAG_BYTES = 0x78
const TTL_HEADER = headerName("x-cache-ttl")

const scan = new PropertyScan()

export class Deduplication {
  /** Duplicates seen so far. */
  droppedCount = 0
  #settings: DeduplicationSettings
  #header: Chunk
  readonly #entries = new Map<string, Entry>()
  /** In the order of arrival. A Map alone would walk over what has left, again and again. */
  #oldest: Entry | null = null
  #newest: Entry | null = null
  /** What the last call of isDuplicate() has remembered. */
  #last: Entry | null = null

  constructor(settings: DeduplicationSettings) {
    this.#settings = settings
    this.#header = headerName(settings.header)
  }

  get settings(): DeduplicationSettings {
    return this.#settings
  }

  get size(): number {
    return this.#entries.size
  }

  /** Keeps what is remembered, unless the key comes from another header now. */
  configure(settings: DeduplicationSettings): void {
    if (settings.header !== this.#settings.header) {
      this.clear()
      this.#header = headerName(settings.header)
    }
    this.#settings = settings
    while (this.size > this.#sizeMax()) this.#removeOldest()
  }

  /** True if the message's key is remembered; else it is from now on. Its properties must be valid. */
  isDuplicate(message: IncomingMessage, nowMs: number): boolean {
    this.#last = null
    const { properties, propertiesStart, propertiesEnd } = message
    if (scan.scan(properties, propertiesStart, propertiesEnd) !== SCAN_OK || scan.headersStart < 0)
      return false
    const at = findHeader(properties, scan.headersStart, scan.headersEnd, this.#header)
    if (at < 0) return false
    const key = keyAt(properties, at, scan.headersEnd)
    if (key === "") return false
    const known = this.#entries.get(key)
    if (known !== undefined && known.expiresMs > nowMs) {
      this.droppedCount++
      return true
    }
    if (known !== undefined) this.#remove(known)
    this.#dropExpired(nowMs)
    this.#remember(key, nowMs + this.#ttlOf(properties))
    return false
  }

  /**
   * The message that isDuplicate() has let pass last was refused after all: its publisher will send
   * it again, and then it is none.
   */
  forgetLast(): void {
    if (this.#last !== null) this.#remove(this.#last)
    this.#last = null
  }

  clear(): void {
    this.#entries.clear()
    this.#oldest = null
    this.#newest = null
    this.#last = null
  }

  #sizeMax(): number {
    return Math.min(this.#settings.cacheSize, ENTRY_COUNT_MAX)
  }

  /** `scan` still holds the headers of the message at hand. */
  #ttlOf(properties: Chunk): number {
    const at = findHeader(properties, scan.headersStart, scan.headersEnd, TTL_HEADER)
    if (at >= 0) {
      const value = readFieldValue(new AmqpReader(properties.bytes, at, scan.headersEnd))
      const ttlMs = isInteger(value) ? Number(numberOf(value)) : -1
      if (ttlMs >= 0) return ttlMs
    }
    return this.#settings.ttlMs ?? Infinity
  }

  #remember(key: string, expiresMs: number): void {
    const sizeMax = this.#sizeMax()
    if (sizeMax === 0) return
    while (this.size >= sizeMax) this.#removeOldest()
    const entry: Entry = { key, expiresMs, older: this.#newest, newer: null }
    if (this.#newest === null) this.#oldest = entry
    else this.#newest.newer = entry
    this.#newest = entry
    this.#last = entry
    this.#entries.set(key, entry)
  }

  /** Those at the old end; with different TTLs others may stay until they are pushed out. */
  #dropExpired(nowMs: number): void {
    while (this.#oldest !== null && this.#oldest.expiresMs <= nowMs) this.#removeOldest()
  }

  #removeOldest(): void {
    if (this.#oldest !== null) this.#remove(this.#oldest)
  }

  #remove(entry: Entry): void {
    if (!this.#entries.delete(entry.key)) return
    const { older, newer } = entry
    if (older === null) this.#oldest = newer
    else older.newer = newer
    if (newer === null) this.#newest = older
    else newer.older = older
    if (this.#last === entry) this.#last = null
  }
}

/** Of the field value at `at`: equal for equal values; "" for void, which is no key. */
function keyAt(chunk: Chunk, at: number, end: number): string {
  const tag = chunk.view.getUint8(at)
  if (tag === TAG_LONG_STRING || tag === TAG_BYTES) {
    const start = at + 5
    const size = chunk.view.getUint32(at + 1)
    return shortKey(`s${chunk.bytes.toString("latin1", start, start + size)}`)
  }
  const value = readFieldValue(new AmqpReader(chunk.bytes, at, end))
  return value === null ? "" : shortKey(fieldKey(value))
}

function shortKey(key: string): string {
  if (key.length <= KEY_LENGTH_MAX) return key
  return `#${createHash("sha256").update(key, "utf8").digest("latin1")}`
}

function headerName(name: string): Chunk {
  return new Chunk(Buffer.from(name, "utf8"))
}
