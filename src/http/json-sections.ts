import { badRequest } from "./errors.ts"
import type { Slices } from "./slices.ts"

/**
 * A JSON object whose values are long arrays, read element by element in slices: a definitions file may
 * have 100 MB, and JSON.parse of that would hold the broker up for a second. Only the borders of the
 * elements are searched for; JSON.parse reads each and finds what is wrong within it.
 *
 *   { "queues": [ {…}, {…} ], "rabbit_version": "4.1.0" }
 *     key        element element                 a value that is no array is an element by itself
 */
export type ElementVisit = (key: string, element: unknown, index: number) => void | Promise<void>

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COMMA = 0x2c
const COLON = 0x3a
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d
const OPEN_BRACKET = 0x5b
const CLOSE_BRACKET = 0x5d
/** As much as the protocol's tables can be nested, and what is around them. */
const DEPTH_MAX = 64

/** Calls `visit` for every element in order, and waits for it. Throws bad_request for what is no JSON. */
export async function readSections(
  bytes: Buffer,
  slices: Slices,
  visit: ElementVisit,
): Promise<void> {
  const cursor = new Cursor(bytes)
  cursor.expect(OPEN_BRACE)
  if (!cursor.skip(CLOSE_BRACE))
    do {
      const key = cursor.value()
      if (typeof key !== "string") throw notJson()
      cursor.expect(COLON)
      if (cursor.peek() !== OPEN_BRACKET) await visit(key, cursor.value(), 0)
      else await readArray(cursor, key, slices, visit)
    } while (cursor.nextOr(CLOSE_BRACE))
  if (cursor.peek() !== -1) throw notJson()
}

async function readArray(
  cursor: Cursor,
  key: string,
  slices: Slices,
  visit: ElementVisit,
): Promise<void> {
  cursor.expect(OPEN_BRACKET)
  if (cursor.skip(CLOSE_BRACKET)) return
  let index = 0
  do {
    if (slices.isOver()) await slices.next()
    const done = visit(key, cursor.value(), index++)
    if (done !== undefined) await done
  } while (cursor.nextOr(CLOSE_BRACKET))
}

class Cursor {
  #at = 0
  readonly #bytes: Buffer

  constructor(bytes: Buffer) {
    this.#bytes = bytes
    // Some editors write a mark of byte order.
    if (bytes.length >= 3 && bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf)
      this.#at = 3
  }

  /** The next byte that is no white space, or -1 at the end. */
  peek(): number {
    const bytes = this.#bytes
    while (this.#at < bytes.length) {
      const byte = bytes[this.#at] ?? 0
      if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return byte
      this.#at++
    }
    return -1
  }

  skip(byte: number): boolean {
    if (this.peek() !== byte) return false
    this.#at++
    return true
  }

  expect(byte: number): void {
    if (!this.skip(byte)) throw notJson()
  }

  /** True behind a comma, false behind the closing byte. */
  nextOr(closing: number): boolean {
    if (this.skip(closing)) return false
    this.expect(COMMA)
    return true
  }

  /** The value that begins here. */
  value(): unknown {
    this.peek()
    const start = this.#at
    this.#at = this.#end()
    try {
      return JSON.parse(this.#bytes.toString("utf8", start, this.#at))
    } catch {
      // What exactly is wrong with it nobody needs to know; RabbitMQ's word.
      throw notJson()
    }
  }

  /** Behind the value: where its bracket closes, or before the next comma or bracket. */
  #end(): number {
    const bytes = this.#bytes
    let depth = 0
    for (let i = this.#at; i < bytes.length; i++) {
      const byte = bytes[i]
      if (byte === QUOTE) {
        i = textEnd(bytes, i)
        if (depth === 0) return i + 1
      } else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
        if (++depth > DEPTH_MAX) throw badRequest("the JSON is nested too deeply")
      } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
        if (depth === 0) return i
        if (--depth === 0) return i + 1
      } else if (byte === COMMA && depth === 0) return i
    }
    return bytes.length
  }
}

/** Of the closing quote; the end of the bytes if there is none. */
function textEnd(bytes: Buffer, start: number): number {
  let i = start + 1
  while (i < bytes.length && bytes[i] !== QUOTE) i += bytes[i] === BACKSLASH ? 2 : 1
  return i
}

function notJson(): Error {
  return badRequest("not_json")
}
