import {
  FLAG_CONTENT_ENCODING,
  FLAG_CONTENT_TYPE,
  FLAG_HEADERS,
  FLAG_USER_ID,
} from "../../amqp/property-flags.ts"
import { PropertyScan, SCAN_OK } from "../../amqp/property-scan.ts"
import { decodeTableEntries, encodeTable } from "../../amqp/table-codec.ts"
import { findHeader, skipValue } from "../../amqp/table-scan.ts"
import type { FieldValue } from "../../amqp/table.ts"
import { mayPass, RECEIVED_FROM_HEADER } from "../../broker/exchange/federation-exchange.ts"
import type { Delivery } from "../../client/delivery.ts"
import { Chunk, copyBytes } from "../../util/bytes.ts"

/**
 * Notes on a message of a federated exchange over which link it has come: puts a table in front of those
 * in the header x-received-from, from wire bytes to wire bytes. Nothing is decoded unless the message
 * has come over a link before, and nothing allocated while sizes stay the same.
 *
 *   | flags | content-type | content-encoding | headers: u32 size, entries | the other fields |
 *
 *   entry   x-received-from  A  u32 size, items
 *   item    F  u32 size  uri, exchange, redelivered, cluster-name, vhost
 */
export interface Hop {
  /** Without credentials. */
  readonly uri: string
  readonly exchange: string
  /** Null if the upstream does not tell its name. */
  readonly clusterName: string | null
  readonly vhost: string
}

const TAG_ARRAY = 0x41
const TAG_TABLE = 0x46
const NAME = new Chunk(Buffer.from(RECEIVED_FROM_HEADER, "latin1"))
const ENTRY_HEAD_SIZE = 1 + NAME.bytes.length + 1 + 4

export class HopHeader {
  /** The item, for a delivery that the upstream has made before and for one that it has not. */
  readonly #redelivered: Chunk
  readonly #first: Chunk
  readonly #keepsUserId: boolean
  readonly #scan = new PropertyScan()
  #target = Chunk.allocate(512)
  /** Of the target, as long as the properties of the last message. */
  #view: Buffer = Buffer.alloc(0)

  constructor(hop: Hop, keepsUserId: boolean) {
    this.#redelivered = itemOf(hop, true)
    this.#first = itemOf(hop, false)
    this.#keepsUserId = keepsUserId
  }

  /** May the message go on to this vhost? For upstreams whose exchange does not hold it back. */
  mayPass(delivery: Delivery, hopsMax: number, clusterName: string, vhost: string): boolean {
    const scan = this.#scan
    const { chunk, propertiesStart, propertiesEnd } = delivery
    if (scan.scan(chunk, propertiesStart, propertiesEnd) !== SCAN_OK) return true
    const { headersStart, headersEnd } = scan
    if (headersStart < 0 || findHeader(chunk, headersStart, headersEnd, NAME) < 0) return true
    const headers = decodeTableEntries(chunk.bytes, headersStart, headersEnd)
    return mayPass(headers, hopsMax, clusterName, vhost)
  }

  /** The properties with the hop, valid until the next call; null if they are malformed. */
  applyTo(delivery: Delivery): Buffer | null {
    const { chunk, propertiesStart: start, propertiesEnd: end } = delivery
    const scan = this.#scan
    if (scan.scan(chunk, start, end) !== SCAN_OK) return null
    const item = delivery.redelivered ? this.#redelivered : this.#first
    this.#reserve(end - start + item.bytes.length + ENTRY_HEAD_SIZE + 4)
    const dropsUserId = !this.#keepsUserId && (scan.flags & FLAG_USER_ID) !== 0
    const target = this.#target
    const flags = (scan.flags | FLAG_HEADERS) & (dropsUserId ? ~FLAG_USER_ID : ~0)
    target.view.setUint16(0, flags)
    let headEnd = start + 2
    if ((scan.flags & FLAG_CONTENT_TYPE) !== 0) headEnd = scan.contentTypeEnd
    if ((scan.flags & FLAG_CONTENT_ENCODING) !== 0) headEnd = scan.contentEncodingEnd
    copyBytes(chunk, start + 2, target, 2, headEnd - start - 2)
    const tableAt = headEnd - start
    const hasHeaders = scan.headersStart >= 0
    const to = hasHeaders
      ? this.#writeHeaders(chunk, scan.headersStart, scan.headersEnd, tableAt + 4, item)
      : this.#writeEntry(tableAt + 4, item)
    target.view.setUint32(tableAt, to - tableAt - 4)
    return this.#finish(chunk, hasHeaders ? scan.headersEnd : headEnd, end, to, dropsUserId)
  }

  /** The fields behind the headers. */
  #finish(chunk: Chunk, start: number, end: number, at: number, dropsUserId: boolean): Buffer {
    const target = this.#target
    let to = at
    let from = start
    if (dropsUserId) {
      const { userIdStart, userIdEnd } = this.#scan
      copyBytes(chunk, from, target, to, userIdStart - 1 - from)
      to += userIdStart - 1 - from
      from = userIdEnd
    }
    copyBytes(chunk, from, target, to, end - from)
    to += end - from
    if (this.#view.length !== to) this.#view = target.bytes.subarray(0, to)
    return this.#view
  }

  /** Returns where it ends. */
  #writeHeaders(chunk: Chunk, start: number, end: number, at: number, item: Chunk): number {
    const target = this.#target
    const tagAt = findHeader(chunk, start, end, NAME)
    if (tagAt < 0) {
      copyBytes(chunk, start, target, at, end - start)
      return this.#writeEntry(at + end - start, item)
    }
    const valueEnd = skipValue(chunk.view, tagAt, end, 1)
    const before = tagAt - start
    copyBytes(chunk, start, target, at, before)
    let to = at + before
    target.view.setUint8(to, TAG_ARRAY)
    const sizeAt = to + 1
    to = sizeAt + 4
    copyBytes(item, 0, target, to, item.bytes.length)
    to += item.bytes.length
    // What a client has put there that is no list is lost: it could not be read by anybody.
    if (chunk.view.getUint8(tagAt) === TAG_ARRAY) {
      copyBytes(chunk, tagAt + 5, target, to, valueEnd - tagAt - 5)
      to += valueEnd - tagAt - 5
    }
    target.view.setUint32(sizeAt, to - sizeAt - 4)
    copyBytes(chunk, valueEnd, target, to, end - valueEnd)
    return to + end - valueEnd
  }

  #writeEntry(at: number, item: Chunk): number {
    const target = this.#target
    const nameSize = NAME.bytes.length
    target.view.setUint8(at, nameSize)
    copyBytes(NAME, 0, target, at + 1, nameSize)
    target.view.setUint8(at + 1 + nameSize, TAG_ARRAY)
    target.view.setUint32(at + 2 + nameSize, item.bytes.length)
    copyBytes(item, 0, target, at + ENTRY_HEAD_SIZE, item.bytes.length)
    return at + ENTRY_HEAD_SIZE + item.bytes.length
  }

  #reserve(size: number): void {
    if (size <= this.#target.bytes.length) return
    this.#target = Chunk.allocate(size * 2)
    this.#view = Buffer.alloc(0)
  }
}

function itemOf({ uri, exchange, clusterName, vhost }: Hop, redelivered: boolean): Chunk {
  const table = new Map<string, FieldValue>([
    ["uri", uri],
    ["exchange", exchange],
    ["redelivered", redelivered],
  ])
  if (clusterName !== null) table.set("cluster-name", clusterName)
  table.set("vhost", vhost)
  return new Chunk(Buffer.concat([Buffer.of(TAG_TABLE), encodeTable(table)]))
}
