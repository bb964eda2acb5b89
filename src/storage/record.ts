import { crc32 } from "node:zlib"
import type { Chunk } from "../util/bytes.ts"
import type { StoredMessage } from "./message.ts"

/**
 * The bytes of a segment file, and nothing but the bytes: no file, no counts.
 *
 *   segment = | magic "SLUI" | version u32 | batch | batch | …            integers little-endian
 *   batch   = | message | message | … | trailer |                         one write of one turn
 *   message = | size u32 | timestamp ms u48 | flags u8 | 0 u8 | properties size u32
 *             | exchange short string | routing key short string | properties (wire) | body |
 *             flags: bit 0 persistent, bit 1 the properties hold an expiration; size counts the
 *             whole message; bits 30 and 31 of it are 0
 *   trailer = | 0x80000010 u32 | position of the batch u32 | messages u32 | CRC-32 |
 *             over the batch and the first 12 bytes of the trailer
 *   hole    = | 0xC0000000 + size u32 | check u32 | bytes of no meaning … |
 *             covers a quarantined range in place, so that later positions stay what they are
 *
 * A position is the byte offset of a message in its segment. A batch without a valid trailer was
 * never confirmed, because confirms wait for the sync that follows the write.
 */
export const SEGMENT_HEADER_SIZE = 8
export const SEGMENT_MAGIC = 0x49554c53
export const SEGMENT_VERSION = 1

export const RECORD_HEADER_SIZE = 16
/**
 * What follows in the header, up to the body, is the same in messages that are alike: flags, sizes of
 * properties, route, properties. Before it lie the size and the low half of the time.
 */
export const RECORD_LIKENESS_OFFSET = 8
/** Two empty short strings and the two bytes of property flags. */
export const RECORD_SIZE_MIN = RECORD_HEADER_SIZE + 4
/** Bit 30 tells a hole from a trailer. */
export const RECORD_SIZE_MAX = 0x3fffffff

/** Smaller than any message, so a gap of this size can hold none. */
export const TRAILER_SIZE = 16
const TRAILER_WORD = 0x80000010 | 0
const TRAILER_CHECKED_SIZE = 12

export const HOLE_SIZE_MIN = 8
const HOLE_BITS = 0xc0000000 | 0

const FLAG_PERSISTENT = 1
const FLAG_EXPIRES = 2

export function writeSegmentHeader(chunk: Chunk, offset: number): void {
  chunk.view.setUint32(offset, SEGMENT_MAGIC, true)
  chunk.view.setUint32(offset + 4, SEGMENT_VERSION, true)
}

export function isSegmentHeader(bytes: Buffer): boolean {
  return (
    bytes.length >= SEGMENT_HEADER_SIZE &&
    bytes.readUInt32LE(0) === SEGMENT_MAGIC &&
    bytes.readUInt32LE(4) === SEGMENT_VERSION
  )
}

/** What a record says of its message beside the parts. */
export interface RecordAttributes {
  readonly timestampMs: number
  readonly persistent: boolean
  readonly expires: boolean
}

/** Writes the 16 bytes that precede route, properties and body. */
export function writeRecordHeader(
  chunk: Chunk,
  offset: number,
  size: number,
  message: RecordAttributes,
  propertiesSize: number,
): void {
  const { view } = chunk
  // Not a parameter: a time is no small integer, and a call that is not inlined would box it.
  const { timestampMs, persistent, expires } = message
  const flags = (persistent ? FLAG_PERSISTENT : 0) | (expires ? FLAG_EXPIRES : 0)
  view.setUint32(offset, size, true)
  view.setUint32(offset + 4, timestampMs >>> 0, true)
  view.setUint16(offset + 8, (timestampMs / 0x1_0000_0000) | 0, true)
  view.setUint16(offset + 10, flags, true)
  view.setUint32(offset + 12, propertiesSize, true)
}

export function readTimestampMs(view: DataView, offset: number): number {
  return view.getUint32(offset + 4, true) + view.getUint16(offset + 8, true) * 0x1_0000_0000
}

/**
 * Describes the message at `offset`, which lies whole in the chunk, in `into` (all but segment,
 * position and redelivered). False if its inner lengths contradict its size.
 */
export function readRecord(
  chunk: Chunk,
  offset: number,
  size: number,
  into: StoredMessage,
): boolean {
  const { view } = chunk
  const end = offset + size
  const routeStart = offset + RECORD_HEADER_SIZE
  const keyStart = routeStart + 1 + view.getUint8(routeStart)
  if (keyStart >= end) return false
  const routeEnd = keyStart + 1 + view.getUint8(keyStart)
  const propertiesEnd = routeEnd + view.getUint32(offset + 12, true)
  if (propertiesEnd > end) return false
  into.chunk = chunk
  into.routeStart = routeStart
  into.routeEnd = routeEnd
  into.propertiesStart = routeEnd
  into.propertiesEnd = propertiesEnd
  into.bodyStart = propertiesEnd
  into.bodyEnd = end
  into.timestampMs = readTimestampMs(view, offset)
  const flags = view.getUint8(offset + 10)
  into.persistent = (flags & FLAG_PERSISTENT) !== 0
  into.expires = (flags & FLAG_EXPIRES) !== 0
  into.size = size
  return true
}

/** Bytes of body in the message at `offset`, or -1 if its inner lengths contradict its size. */
export function recordBodySize(chunk: Chunk, offset: number, size: number): number {
  const { view } = chunk
  const end = offset + size
  const keyStart = offset + RECORD_HEADER_SIZE + 1 + view.getUint8(offset + RECORD_HEADER_SIZE)
  if (keyStart >= end) return -1
  const propertiesStart = keyStart + 1 + view.getUint8(keyStart)
  const bodySize = end - propertiesStart - view.getUint32(offset + 12, true)
  return bodySize < 0 ? -1 : bodySize
}

/**
 * Ends the batch [batchStart, trailerStart) of the chunk. `position` is the batch's place in the
 * segment.
 */
export function writeTrailer(
  chunk: Chunk,
  batchStart: number,
  trailerStart: number,
  position: number,
  count: number,
): void {
  const { bytes, view } = chunk
  view.setInt32(trailerStart, TRAILER_WORD, true)
  view.setUint32(trailerStart + 4, position, true)
  view.setUint32(trailerStart + 8, count, true)
  const sum = crc32(bytes.subarray(batchStart, trailerStart + TRAILER_CHECKED_SIZE))
  view.setUint32(trailerStart + 12, sum, true)
}

/** As writeTrailer, for a batch that does not lie in the trailer's chunk: `sum` is its CRC-32. */
export function writeDetachedTrailer(
  chunk: Chunk,
  offset: number,
  position: number,
  count: number,
  sum: number,
): void {
  const { bytes, view } = chunk
  view.setInt32(offset, TRAILER_WORD, true)
  view.setUint32(offset + 4, position, true)
  view.setUint32(offset + 8, count, true)
  const whole = crc32(bytes.subarray(offset, offset + TRAILER_CHECKED_SIZE), sum)
  view.setUint32(offset + 12, whole, true)
}

/** True if the trailer, CRC included, fits the batch whose CRC-32 is `sum`. */
export function trailerMatches(
  chunk: Chunk,
  offset: number,
  position: number,
  count: number,
  sum: number,
): boolean {
  const { bytes, view } = chunk
  if (view.getInt32(offset, true) !== TRAILER_WORD) return false
  if (view.getUint32(offset + 4, true) !== position) return false
  if (view.getUint32(offset + 8, true) !== count) return false
  const whole = crc32(bytes.subarray(offset, offset + TRAILER_CHECKED_SIZE), sum)
  return view.getUint32(offset + 12, true) === whole
}

/** A first word that is a message's size. */
export function isRecordWord(word: number): boolean {
  return word >= RECORD_SIZE_MIN && word <= RECORD_SIZE_MAX
}

export function isTrailerWord(word: number): boolean {
  return word === TRAILER_WORD
}

/** Bytes covered by the hole whose two first words these are, or 0 if they are not a hole's. */
export function holeSize(word: number, check: number): number {
  if ((word & HOLE_BITS) !== HOLE_BITS) return 0
  const size = word & RECORD_SIZE_MAX
  return size >= HOLE_SIZE_MIN && check >>> 0 === holeCheck(size) ? size : 0
}

/** The eight bytes that make `size` bytes of a segment a hole. */
export function encodeHole(size: number): Buffer {
  const bytes = Buffer.alloc(HOLE_SIZE_MIN)
  bytes.writeInt32LE(HOLE_BITS | size, 0)
  bytes.writeUInt32LE(holeCheck(size), 4)
  return bytes
}

function holeCheck(size: number): number {
  return (Math.imul(size, 0x9e3779b1) ^ 0x484f4c45) >>> 0
}

/** The word by which a search for the end of a batch in garbage looks. */
export const TRAILER_MARK: Buffer = Buffer.from([0x10, 0x00, 0x00, 0x80])
