/**
 * Basic properties as an object, for the control plane, clients and tests. Messages on their way
 * through the broker keep their properties as bytes (property-scan.ts).
 */
import { ProtocolError } from "./errors.ts"
import { FLAGS_UNKNOWN } from "./property-flags.ts"
import { AmqpReader } from "./reader.ts"
import { PROPERTIES } from "./spec.ts"
import type { Table } from "./table.ts"
import { readTable, writeTable } from "./table-codec.ts"
import { AmqpWriter } from "./writer.ts"

export interface BasicProperties {
  readonly contentType?: string
  readonly contentEncoding?: string
  readonly headers?: Table
  readonly deliveryMode?: number
  readonly priority?: number
  readonly correlationId?: string
  readonly replyTo?: string
  readonly expiration?: string
  readonly messageId?: string
  /** Seconds since 1970, unsigned 64 bit. */
  readonly timestamp?: bigint
  readonly type?: string
  readonly userId?: string
  readonly appId?: string
  readonly clusterId?: string
}

/** Flags word 0: no property. */
export const NO_PROPERTIES = Buffer.from([0, 0])

type PropertyValue = string | number | bigint | Table

/** Decodes flags and fields that fill the range exactly. */
export function decodeProperties(bytes: Buffer, start = 0, end = bytes.length): BasicProperties {
  const reader = new AmqpReader(bytes, start, end)
  const flags = reader.readShort()
  if ((flags & FLAGS_UNKNOWN) !== 0) throw new ProtocolError(502, "unknown property flags")
  const properties: Record<string, PropertyValue> = {}
  for (const property of PROPERTIES) {
    if ((flags & (1 << property.bit)) === 0) continue
    if (property.type === "shortstr") properties[property.name] = reader.readShortString()
    else if (property.type === "octet") properties[property.name] = reader.readOctet()
    else if (property.type === "longlong") properties[property.name] = reader.readBigUint64()
    else properties[property.name] = readTable(reader)
  }
  reader.expectEnd()
  return properties
}

export function encodeProperties(properties: BasicProperties): Buffer {
  const writer = new AmqpWriter()
  let flags = 0
  for (const property of PROPERTIES)
    if (properties[property.name] !== undefined) flags |= 1 << property.bit
  writer.writeShort(flags)
  for (const property of PROPERTIES) {
    const value: PropertyValue | undefined = properties[property.name]
    if (value === undefined) continue
    if (typeof value === "string") writer.writeShortString(value)
    else if (typeof value === "number") writer.writeOctet(value)
    else if (typeof value === "bigint") writer.writeBigUint64(value)
    else writeTable(writer, value)
  }
  return writer.written()
}
