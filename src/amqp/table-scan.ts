/**
 * Walks field tables where they lie, for the data plane: validation before a message is stored, and
 * the search for one header. Allocates nothing; knows nothing of values (table-codec.ts decodes).
 */
import { equalBytes, type Chunk } from "../util/bytes.ts"
import { TABLE_DEPTH_MAX } from "./table-codec.ts"

/**
 * Skips the table whose length word lies at `at`, checking all it holds: lengths, tags, nesting.
 * Returns the offset behind it, or -1 if it is malformed or passes `end`.
 */
export function skipTable(view: DataView, at: number, end: number): number {
  if (end - at < 4) return -1
  const start = at + 4
  const size = view.getUint32(at)
  if (size > end - start) return -1
  return areEntriesValid(view, start, start + size, 1) ? start + size : -1
}

/**
 * Finds an entry of a validated table whose entries fill the range. Returns the offset of the value's
 * tag octet, or -1. The last one wins if the name occurs twice, as in a decoded table.
 */
export function findHeader(
  chunk: Chunk,
  headersStart: number,
  headersEnd: number,
  name: Chunk,
): number {
  const view = chunk.view
  const nameSize = name.bytes.length
  let found = -1
  let at = headersStart
  while (at >= 0 && at < headersEnd) {
    const size = view.getUint8(at)
    const tagAt = at + 1 + size
    if (size === nameSize && equalBytes(chunk, at + 1, name, 0, size)) found = tagAt
    at = skipValue(view, tagAt, headersEnd, 1)
  }
  return found
}

/** Skips tag and value at `at`. Returns the offset behind, or -1 if malformed or beyond `end`. */
export function skipValue(view: DataView, at: number, end: number, depth: number): number {
  if (at >= end) return -1
  const start = at + 1
  const fixedSize = fixedSizeOf(view.getUint8(at))
  if (fixedSize >= 0) return fixedSize > end - start ? -1 : start + fixedSize
  if (fixedSize === UNKNOWN || end - start < 4) return -1
  const contentStart = start + 4
  const size = view.getUint32(start)
  if (size > end - contentStart) return -1
  const contentEnd = contentStart + size
  if (fixedSize === LONG_STRING) return contentEnd
  if (depth === TABLE_DEPTH_MAX) return -1
  const isValid =
    fixedSize === TABLE
      ? areEntriesValid(view, contentStart, contentEnd, depth + 1)
      : areItemsValid(view, contentStart, contentEnd, depth + 1)
  return isValid ? contentEnd : -1
}

function areEntriesValid(view: DataView, start: number, end: number, depth: number): boolean {
  let at = start
  while (at < end) {
    at = skipValue(view, at + 1 + view.getUint8(at), end, depth)
    if (at < 0) return false
  }
  return true
}

function areItemsValid(view: DataView, start: number, end: number, depth: number): boolean {
  let at = start
  while (at < end) {
    at = skipValue(view, at, end, depth)
    if (at < 0) return false
  }
  return true
}

const LONG_STRING = -1
const ARRAY = -2
const TABLE = -3
const UNKNOWN = -4

/** Bytes of a value of the given type, or one of the negative constants above. */
function fixedSizeOf(tag: number): number {
  switch (tag) {
    case 0x53: // S
    case 0x78: // x
      return LONG_STRING
    case 0x49: // I
    case 0x69: // i
    case 0x66: // f
      return 4
    case 0x6c: // l
    case 0x4c: // L
    case 0x54: // T
    case 0x64: // d
      return 8
    case 0x74: // t
    case 0x62: // b
    case 0x42: // B
      return 1
    case 0x73: // s
    case 0x75: // u
    case 0x55: // U
      return 2
    case 0x44: // D
      return 5
    case 0x56: // V
      return 0
    case 0x46: // F
      return TABLE
    case 0x41: // A
      return ARRAY
    default:
      return UNKNOWN
  }
}
