import type { BasicProperties } from "../../amqp/properties.ts"
import { PropertyScan, SCAN_OK } from "../../amqp/property-scan.ts"
import { formatFieldType, isArray } from "../../amqp/table.ts"
import { findHeader, skipValue } from "../../amqp/table-scan.ts"
import type { IncomingMessage } from "../../storage/message.ts"
import { assert } from "../../util/assert.ts"
import { Chunk, copyBytes, equalBytes } from "../../util/bytes.ts"
import { Refusal } from "../errors.ts"

/**
 * The headers CC and BCC, which add routing keys to a message's own. CC stays in the message; BCC is
 * taken out before any queue gets it.
 */

const UPPER_B = 0x42
const UPPER_C = 0x43
const BCC = new Chunk(Buffer.from("BCC", "latin1"))

/** True if the entries of a validated headers table hold CC or BCC. Allocates nothing. */
export function hasRoutingHeaders(chunk: Chunk, headersStart: number, headersEnd: number): boolean {
  const { view } = chunk
  let at = headersStart
  while (at >= 0 && at < headersEnd) {
    const size = view.getUint8(at)
    const first = view.getUint8(at + 1)
    if (size === 2 && first === UPPER_C && view.getUint8(at + 2) === UPPER_C) return true
    if (size === 3 && first === UPPER_B && view.getUint16(at + 2) === (UPPER_C << 8) + UPPER_C)
      return true
    at = skipValue(view, at + 1 + size, headersEnd, 1)
  }
  return false
}

/**
 * The routing key and those of CC and BCC. Elements that are no strings do not count. Throws Refusal
 * for a header that is no array, with RabbitMQ's text.
 */
export function collectRoutingKeys(routingKey: string, properties: BasicProperties): string[] {
  const keys = [routingKey]
  const { headers } = properties
  if (headers === undefined) return keys
  for (const name of ["CC", "BCC"]) {
    const value = headers.get(name)
    if (value === undefined) continue
    if (!isArray(value))
      throw new Refusal(
        "precondition-failed",
        `invalid message: {unacceptable_type_in_header,"${name}",${formatFieldType(value)}}`,
      )
    for (const key of value) if (typeof key === "string") keys.push(key)
  }
  return keys
}

const scan = new PropertyScan()

/** Takes the BCC header out of the message, which must have valid properties. They are a copy then. */
export function stripBcc(message: IncomingMessage): void {
  const { properties, propertiesStart, propertiesEnd } = message
  assert(
    scan.scan(properties, propertiesStart, propertiesEnd) === SCAN_OK,
    "the properties were checked when the message came",
  )
  const { headersStart, headersEnd } = scan
  if (headersStart < 0) return
  if (findHeader(properties, headersStart, headersEnd, BCC) < 0) return
  const target = Chunk.allocate(Math.max(8, propertiesEnd - propertiesStart))
  const head = headersStart - propertiesStart
  copyBytes(properties, propertiesStart, target, 0, head)
  let to = head
  let at = headersStart
  while (at < headersEnd) {
    const tagAt = at + 1 + properties.view.getUint8(at)
    const next = skipValue(properties.view, tagAt, headersEnd, 1)
    assert(next > at, "the headers were checked when the message came")
    if (!isBcc(properties, at)) {
      copyBytes(properties, at, target, to, next - at)
      to += next - at
    }
    at = next
  }
  target.view.setUint32(head - 4, to - head)
  copyBytes(properties, headersEnd, target, to, propertiesEnd - headersEnd)
  message.properties = target
  message.propertiesStart = 0
  message.propertiesEnd = to + propertiesEnd - headersEnd
}

function isBcc(chunk: Chunk, at: number): boolean {
  return chunk.view.getUint8(at) === 3 && equalBytes(chunk, at + 1, BCC, 0, 3)
}
