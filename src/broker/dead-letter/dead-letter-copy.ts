import { decodeProperties, type BasicProperties } from "../../amqp/properties.ts"
import { FLAG_EXPIRATION, FLAG_HEADERS } from "../../amqp/property-flags.ts"
import { PropertyScan, SCAN_OK } from "../../amqp/property-scan.ts"
import { EMPTY_TABLE, type Table } from "../../amqp/table.ts"
import { decodeTableEntries, encodeTable } from "../../amqp/table-codec.ts"
import { IncomingMessage } from "../../storage/message.ts"
import { assert } from "../../util/assert.ts"
import { Chunk, copyBytes, equalBytes } from "../../util/bytes.ts"
import type { Clock } from "../../util/clock.ts"
import { deathsOf, recordDeath, routingKeysOf, type Death, type DeathReason } from "./deaths.ts"

/**
 * Makes the message that a dead one becomes: the same body and properties, with another exchange and
 * key, the death in its headers, and without its expiration. All of it in a block of its own, because
 * the queue that takes the copy may be the one in whose buffers the dead message lies.
 *
 * A queue's messages mostly die of the same reason with the same key and without headers. The first of
 * such a run leaves a DeathStamp, with which the next ones are copied without decoding anything.
 */

/** A larger block is made for the message and given up after it. */
const SCRATCH_SIZE_MAX = 1 << 20
const SCRATCH_SIZE_MIN = 4 << 10
const FLAGS_SIZE = 2
const NO_DEATHS: readonly Table[] = []

/** Headers and route for messages without headers of their own that die alike. */
export class DeathStamp {
  readonly reason: DeathReason
  /** Exchange and routing key of the dead messages, and their expiration. */
  readonly #route: Chunk
  readonly #expiration: Chunk
  /** Of the copies: exchange and key, and the headers table with its length. */
  readonly route: Chunk
  readonly headers: Chunk
  readonly #timeOffset: number
  #timeSeconds: number
  readonly routingKeys: readonly string[]

  constructor(
    death: Death,
    source: IncomingMessage,
    expiration: Chunk,
    route: Chunk,
    routingKeys: readonly string[],
  ) {
    this.reason = death.reason
    this.#route = new Chunk(
      Buffer.from(source.route.bytes.subarray(source.routeStart, source.routeEnd)),
    )
    this.#expiration = expiration
    this.route = route
    this.routingKeys = routingKeys
    this.headers = encodeHeaders(recordDeath(EMPTY_TABLE, death))
    // Two encodings that differ in the time alone show where it lies.
    const other = encodeHeaders(
      recordDeath(EMPTY_TABLE, { ...death, timeSeconds: 0xffff_ffff_ffff }),
    )
    const earlier = encodeHeaders(recordDeath(EMPTY_TABLE, { ...death, timeSeconds: 0 }))
    let at = 0
    while (earlier.view.getUint8(at) === other.view.getUint8(at)) at++
    this.#timeOffset = at - 2 // Of the eight bytes, the upper two are always 0.
    this.#timeSeconds = death.timeSeconds
  }

  fits(source: IncomingMessage, scan: PropertyScan, reason: DeathReason): boolean {
    const routeSize = source.routeEnd - source.routeStart
    const { expirationStart, expirationEnd, headersStart } = scan
    const expirationSize = expirationEnd - expirationStart
    return (
      this.reason === reason &&
      headersStart < 0 &&
      routeSize === this.#route.bytes.length &&
      expirationSize === this.#expiration.bytes.length &&
      equalBytes(source.route, source.routeStart, this.#route, 0, routeSize) &&
      (expirationSize === 0 ||
        equalBytes(source.properties, expirationStart, this.#expiration, 0, expirationSize))
    )
  }

  /** Given the clock, because a time that is passed on its own is an object for the collector. */
  setTime(clock: Clock): void {
    const timeSeconds = Math.floor(clock.nowMs / 1000)
    if (timeSeconds === this.#timeSeconds) return
    this.#timeSeconds = timeSeconds
    this.headers.view.setBigUint64(this.#timeOffset, BigInt(timeSeconds))
  }
}

/** Where the messages of a queue go when they die. */
export interface DeadLetterAddress {
  readonly queueName: string
  readonly exchangeName: string
  /** Null: with the keys that they have. */
  readonly routingKey: string | null
}

/** One object is made per vhost and reused: what it holds is valid until the next make(). */
export class DeadLetterCopy {
  readonly message = new IncomingMessage()
  routingKeys: readonly string[] = []
  /** With the present one in front. Empty for a stamped copy: it died here and nowhere else. */
  deaths: readonly Table[] = NO_DEATHS
  readonly #clock: Clock
  readonly #scan = new PropertyScan()
  #scratch = Chunk.allocate(SCRATCH_SIZE_MIN)
  /** Of the last make(). */
  #headers: Table = EMPTY_TABLE

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /**
   * Copies the message with the stamp, if that fits; else the long way. Returns the stamp that was
   * used, a new one if the message allows for it, or null.
   */
  make(
    source: IncomingMessage,
    address: DeadLetterAddress,
    reason: DeathReason,
    stamp: DeathStamp | null,
  ): DeathStamp | null {
    const scan = this.#scan
    const { properties, propertiesStart, propertiesEnd } = source
    assert(
      scan.scan(properties, propertiesStart, propertiesEnd) === SCAN_OK,
      "the properties were checked when the message came",
    )
    if (stamp === null || !stamp.fits(source, scan, reason))
      return this.#makeAnew(source, address, reason)
    stamp.setTime(this.#clock)
    this.routingKeys = stamp.routingKeys
    this.deaths = NO_DEATHS
    this.#assemble(source, stamp.route, stamp.headers)
    return stamp
  }

  /** The properties of the copy, decoded, for exchanges that look at them. */
  decode(): BasicProperties {
    const { properties, propertiesStart, propertiesEnd } = this.message
    try {
      return decodeProperties(properties.bytes, propertiesStart, propertiesEnd)
    } catch {
      return { headers: this.#headers } // Text that is no UTF-8: nothing can be routed by it.
    }
  }

  /** Gives a large block back. */
  release(): void {
    if (this.#scratch.bytes.length > SCRATCH_SIZE_MAX)
      this.#scratch = Chunk.allocate(SCRATCH_SIZE_MIN)
  }

  #makeAnew(
    source: IncomingMessage,
    address: DeadLetterAddress,
    reason: DeathReason,
  ): DeathStamp | null {
    const { headersStart, headersEnd, expirationStart, expirationEnd } = this.#scan
    const { bytes } = source.properties
    const headers = headersStart < 0 ? EMPTY_TABLE : decodeHeaders(bytes, headersStart, headersEnd)
    const { route } = source
    const keyStart = source.routeStart + 1 + route.view.getUint8(source.routeStart)
    const keys = routingKeysOf(route.bytes.toString("utf8", keyStart + 1, source.routeEnd), headers)
    const death: Death = {
      reason,
      queue: address.queueName,
      exchange: route.bytes.toString("utf8", source.routeStart + 1, keyStart),
      routingKeys: keys,
      timeSeconds: Math.floor(this.#clock.nowMs / 1000),
      expiration:
        expirationStart < 0 ? null : bytes.toString("latin1", expirationStart, expirationEnd),
    }
    const newKey =
      address.routingKey === null
        ? route.bytes.subarray(keyStart, source.routeEnd)
        : shortString(address.routingKey)
    const newRoute = new Chunk(Buffer.concat([shortString(address.exchangeName), newKey]))
    this.routingKeys = address.routingKey === null ? keys : [address.routingKey]
    this.#headers = recordDeath(headers, death)
    this.deaths = deathsOf(this.#headers)
    this.#assemble(source, newRoute, encodeHeaders(this.#headers))
    if (headersStart >= 0) return null
    const expiration = new Chunk(
      Buffer.from(expirationStart < 0 ? [] : bytes.subarray(expirationStart, expirationEnd)),
    )
    return new DeathStamp(death, source, expiration, newRoute, this.routingKeys)
  }

  #assemble(source: IncomingMessage, route: Chunk, headers: Chunk): void {
    const { properties, propertiesStart, propertiesEnd, body, bodyStart } = source
    const scan = this.#scan
    const bodySize = source.bodyEnd - bodyStart
    const routeSize = route.bytes.length
    const headersSize = headers.bytes.length
    const size = routeSize + propertiesEnd - propertiesStart + headersSize + bodySize
    if (this.#scratch.bytes.length < size) this.#scratch = Chunk.allocate(roundUp(size))
    const scratch = this.#scratch
    copyBytes(route, 0, scratch, 0, routeSize)
    let to = routeSize + FLAGS_SIZE
    scratch.view.setUint16(routeSize, (scan.flags | FLAG_HEADERS) & ~FLAG_EXPIRATION)
    // Content type and encoding come before the headers, everything else behind them.
    const upperEnd = Math.max(
      propertiesStart + FLAGS_SIZE,
      scan.contentTypeEnd,
      scan.contentEncodingEnd,
    )
    const upperSize = upperEnd - propertiesStart - FLAGS_SIZE
    copyBytes(properties, propertiesStart + FLAGS_SIZE, scratch, to, upperSize)
    to += upperSize
    copyBytes(headers, 0, scratch, to, headersSize)
    to += headersSize
    const lowerStart = scan.headersEnd < 0 ? upperEnd : scan.headersEnd
    const lowerEnd = scan.expirationStart < 0 ? propertiesEnd : scan.expirationStart - 1
    copyBytes(properties, lowerStart, scratch, to, lowerEnd - lowerStart)
    to += lowerEnd - lowerStart
    if (scan.expirationStart >= 0) {
      const restSize = propertiesEnd - scan.expirationEnd
      copyBytes(properties, scan.expirationEnd, scratch, to, restSize)
      to += restSize
    }
    copyBytes(body, bodyStart, scratch, to, bodySize)
    const { message } = this
    message.route = scratch
    message.properties = scratch
    message.body = scratch
    message.routeStart = 0
    message.routeEnd = routeSize
    message.propertiesStart = routeSize
    message.propertiesEnd = to
    message.bodyStart = to
    message.bodyEnd = to + bodySize
    message.timestampMs = this.#clock.nowMs
    message.persistent = source.persistent
    message.expires = false
  }
}

function decodeHeaders(bytes: Buffer, start: number, end: number): Table {
  try {
    return decodeTableEntries(bytes, start, end)
  } catch {
    return EMPTY_TABLE // Names that are no UTF-8: nobody could read them, and the record is worth more.
  }
}

function encodeHeaders(headers: Table): Chunk {
  return new Chunk(Buffer.from(encodeTable(headers)))
}

/** What was declared or received as a short string is no longer than one; a policy's key may be. */
function shortString(text: string): Buffer {
  const bytes = Buffer.from(text, "utf8").subarray(0, 255)
  return Buffer.concat([Buffer.of(bytes.length), bytes])
}

function roundUp(size: number): number {
  let rounded = SCRATCH_SIZE_MIN
  while (rounded < size) rounded *= 2
  return rounded
}
