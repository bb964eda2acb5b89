/**
 * Adds one header to the properties of a message on its way to a consumer (x-delivery-count,
 * x-stream-offset), from wire bytes to wire bytes: nothing is decoded, nothing allocated.
 *
 *   | flags u16 | content-type | content-encoding | headers: u32 size, entries | the other fields |
 *
 * Without headers the flag is set and a table of one entry inserted; else the entry goes to the end
 * of the table, and entries of the same name that the publisher sent are left out. The value is
 * tagged `l`, as RabbitMQ does. Meant for properties that were validated when they were published:
 * anything else is left as it is.
 */
import { Chunk, copyBytes, equalBytes } from "../util/bytes.ts"
import { FLAG_CONTENT_ENCODING, FLAG_CONTENT_TYPE, FLAG_HEADERS } from "./property-flags.ts"
import { skipValue } from "./table-scan.ts"

const TAG_LONG_LONG = 0x6c
const FLAGS_SIZE = 2
const LENGTH_SIZE = 4
const VALUE_SIZE = 8

/** Name and tag of an entry as they stand in a table. Made once for each header. */
export class HeaderName {
  readonly entry: Chunk
  /** Of the name alone. */
  readonly size: number

  constructor(name: string) {
    const text = Buffer.from(name, "utf8")
    const bytes = Buffer.alloc(1 + text.length + 1)
    bytes.writeUInt8(text.length)
    text.copy(bytes, 1)
    bytes.writeUInt8(TAG_LONG_LONG, 1 + text.length)
    this.entry = new Chunk(bytes)
    this.size = text.length
  }
}

/** One object is made per program and reused: plan(), then write() as often as one likes. */
export class HeaderAddition {
  /** Bytes of the properties with the header, as of the last plan(). */
  size = 0
  /** Offset of the value's eight bytes behind the beginning of the properties. */
  valueOffset = 0
  #source!: Chunk
  #start = 0
  #end = 0
  #name!: HeaderName
  /** Where the entries lie in the source; empty if there is no table. */
  #entriesStart = 0
  #entriesEnd = 0
  /** Bytes of entries that are left out, all of the same name. */
  #replacedSize = 0

  /**
   * Finds out how the properties (flags and fields) between `start` and `end` will look. False if
   * they are malformed, or would be larger than `sizeMax`: then they are to stay as they are.
   */
  plan(source: Chunk, start: number, end: number, name: HeaderName, sizeMax: number): boolean {
    const { view } = source
    if (end - start < FLAGS_SIZE) return false
    const flags = view.getUint16(start)
    let at = start + FLAGS_SIZE
    if ((flags & FLAG_CONTENT_TYPE) !== 0 && at < end) at += 1 + view.getUint8(at)
    if ((flags & FLAG_CONTENT_ENCODING) !== 0 && at < end) at += 1 + view.getUint8(at)
    if (at > end) return false
    this.#source = source
    this.#start = start
    this.#end = end
    this.#name = name
    this.#replacedSize = 0
    const entrySize = name.entry.bytes.length + VALUE_SIZE
    if ((flags & FLAG_HEADERS) === 0) {
      this.#entriesStart = at
      this.#entriesEnd = at
      this.size = end - start + LENGTH_SIZE + entrySize
    } else {
      if (end - at < LENGTH_SIZE) return false
      this.#entriesStart = at + LENGTH_SIZE
      this.#entriesEnd = this.#entriesStart + view.getUint32(at)
      if (this.#entriesEnd > end || !this.#findReplaced()) return false
      this.size = end - start - this.#replacedSize + entrySize
    }
    this.valueOffset = this.size - (end - this.#entriesEnd) - VALUE_SIZE
    return this.size <= sizeMax
  }

  /** False if the entries do not fill the table. */
  #findReplaced(): boolean {
    const { view } = this.#source
    const end = this.#entriesEnd
    let at = this.#entriesStart
    while (at < end) {
      const next = skipValue(view, at + 1 + view.getUint8(at), end, 1)
      if (next < 0) return false
      if (this.#isReplaced(at)) this.#replacedSize += next - at
      at = next
    }
    return true
  }

  #isReplaced(at: number): boolean {
    const { entry, size } = this.#name
    const source = this.#source
    return source.view.getUint8(at) === size && equalBytes(source, at + 1, entry, 1, size)
  }

  /** Writes the `size` bytes of properties with the header; `value` is at most 2^53. */
  write(target: Chunk, targetStart: number, value: number): void {
    const source = this.#source
    const start = this.#start
    const { entry } = this.#name
    const entriesStart = this.#entriesStart
    const entriesEnd = this.#entriesEnd
    const flags = source.view.getUint16(start)
    const isNew = (flags & FLAG_HEADERS) === 0
    target.view.setUint16(targetStart, flags | FLAG_HEADERS)
    let at = targetStart + FLAGS_SIZE
    const headSize = entriesStart - (isNew ? 0 : LENGTH_SIZE) - start - FLAGS_SIZE
    copyBytes(source, start + FLAGS_SIZE, target, at, headSize)
    at += headSize
    const keptSize = entriesEnd - entriesStart - this.#replacedSize
    target.view.setUint32(at, keptSize + entry.bytes.length + VALUE_SIZE)
    at += LENGTH_SIZE
    if (this.#replacedSize === 0) copyBytes(source, entriesStart, target, at, keptSize)
    else this.#copyKept(target, at)
    at += keptSize
    copyBytes(entry, 0, target, at, entry.bytes.length)
    at += entry.bytes.length
    writeLongLong(target, at, value)
    copyBytes(source, entriesEnd, target, at + VALUE_SIZE, this.#end - entriesEnd)
  }

  #copyKept(target: Chunk, targetStart: number): void {
    const source = this.#source
    const end = this.#entriesEnd
    let at = this.#entriesStart
    let to = targetStart
    while (at < end) {
      const next = skipValue(source.view, at + 1 + source.view.getUint8(at), end, 1)
      if (!this.#isReplaced(at)) {
        copyBytes(source, at, target, to, next - at)
        to += next - at
      }
      at = next
    }
  }
}

/** A number from 0 to 2^53 as eight bytes. */
export function writeLongLong(target: Chunk, at: number, value: number): void {
  target.view.setUint32(at, (value / 0x1_0000_0000) >>> 0)
  target.view.setUint32(at + 4, value >>> 0)
}
