/**
 * Field tables and arrays on the wire (AMQP 0-9-1 §4.2.5.5, with the types and signs of RabbitMQ).
 * For the control plane; the data plane validates and searches tables in place (table-scan.ts).
 *
 *   table = | size u32 | name short string, tag u8, value | … |      size and lengths count bytes
 *   array = | size u32 | tag u8, value | … |
 */
import { isUtf8 } from "node:buffer"
import { ProtocolError } from "./errors.ts"
import { AmqpReader } from "./reader.ts"
import {
  ByteArray,
  Decimal,
  isArray,
  isTable,
  Timestamp,
  TypedNumber,
  type FieldValue,
  type Table,
} from "./table.ts"
import { unreachable } from "../util/assert.ts"
import { AmqpWriter } from "./writer.ts"

/** Tables and arrays inside one another. Deeper ones are refused: recursion must end before the stack does. */
export const TABLE_DEPTH_MAX = 64

/** Reads a table with its length in front. */
export function readTable(reader: AmqpReader): Table {
  return readNestedTable(reader, 1)
}

export function writeTable(writer: AmqpWriter, table: Table): void {
  const at = writer.beginLength()
  writeTableEntries(writer, table)
  writer.endLength(at)
}

/** Decodes bytes that hold a table with its length in front and nothing else. */
export function decodeTable(bytes: Buffer, start = 0, end = bytes.length): Table {
  const reader = new AmqpReader(bytes, start, end)
  const table = readTable(reader)
  reader.expectEnd()
  return table
}

export function encodeTable(table: Table): Buffer {
  const writer = new AmqpWriter()
  writeTable(writer, table)
  return writer.written()
}

/** Entries without the length in front: the form of an AMQPLAIN response, or of a located headers table. */
export function decodeTableEntries(bytes: Buffer, start = 0, end = bytes.length): Table {
  return readEntries(new AmqpReader(bytes, start, end), end, 1)
}

export function encodeTableEntries(table: Table): Buffer {
  const writer = new AmqpWriter()
  writeTableEntries(writer, table)
  return writer.written()
}

/** Reads a tag and its value. */
export function readFieldValue(reader: AmqpReader, depth = 1): FieldValue {
  const tag = String.fromCharCode(reader.readOctet())
  switch (tag) {
    case "t":
      return reader.readOctet() !== 0
    case "b":
      return new TypedNumber(tag, reader.readInt8())
    case "B":
      return new TypedNumber(tag, reader.readOctet())
    case "s":
    case "U":
      return new TypedNumber(tag, reader.readInt16())
    case "u":
      return new TypedNumber(tag, reader.readShort())
    case "I":
      return new TypedNumber(tag, reader.readInt32())
    case "i":
      return new TypedNumber(tag, reader.readLong())
    case "l":
    case "L":
      return new TypedNumber(tag, reader.readBigInt64())
    case "f":
      return new TypedNumber(tag, reader.readFloat())
    case "d":
      return new TypedNumber(tag, reader.readDouble())
    case "D":
      return new Decimal(reader.readOctet(), reader.readLong())
    case "S":
      return textOrBytes(reader.readLongString())
    case "x":
      return new ByteArray(reader.readLongString())
    case "A":
      return readArray(reader, depth + 1)
    case "F":
      return readNestedTable(reader, depth + 1)
    case "T":
      return new Timestamp(reader.readBigUint64())
    case "V":
      return null
    default:
      throw new ProtocolError(502, `unknown field type ${tag.charCodeAt(0)} in a table`)
  }
}

export function writeFieldValue(writer: AmqpWriter, value: FieldValue): void {
  if (value === null) writeTag(writer, "V")
  else if (typeof value === "boolean") {
    writeTag(writer, "t")
    writer.writeOctet(value ? 1 : 0)
  } else if (typeof value === "string" || Buffer.isBuffer(value)) {
    writeTag(writer, "S")
    writer.writeLongString(value)
  } else if (value instanceof TypedNumber) writeNumber(writer, value)
  else if (value instanceof Timestamp) {
    writeTag(writer, "T")
    writer.writeBigUint64(value.seconds)
  } else if (value instanceof Decimal) {
    writeTag(writer, "D")
    writer.writeOctet(value.scale)
    writer.writeLong(value.value)
  } else if (value instanceof ByteArray) {
    writeTag(writer, "x")
    writer.writeLongString(value.bytes)
  } else if (isTable(value)) {
    writeTag(writer, "F")
    writeTable(writer, value)
  } else if (isArray(value)) {
    writeTag(writer, "A")
    const at = writer.beginLength()
    for (const item of value) writeFieldValue(writer, item)
    writer.endLength(at)
  } else unreachable(value)
}

function readNestedTable(reader: AmqpReader, depth: number): Table {
  return readEntries(reader, readExtent(reader, depth), depth)
}

function readEntries(reader: AmqpReader, end: number, depth: number): Table {
  const table = new Map<string, FieldValue>()
  while (reader.offset < end) {
    const name = reader.readShortString()
    table.set(name, readFieldValue(reader, depth))
  }
  expectExtent(reader, end)
  return table
}

function readArray(reader: AmqpReader, depth: number): FieldValue[] {
  const end = readExtent(reader, depth)
  const array: FieldValue[] = []
  while (reader.offset < end) array.push(readFieldValue(reader, depth))
  expectExtent(reader, end)
  return array
}

/** Reads a length in bytes and returns where that many bytes end. */
function readExtent(reader: AmqpReader, depth: number): number {
  if (depth > TABLE_DEPTH_MAX) throw new ProtocolError(502, "table is nested too deeply")
  const size = reader.readLong()
  if (size > reader.remaining) throw new ProtocolError(502, "table is longer than its frame")
  return reader.offset + size
}

function expectExtent(reader: AmqpReader, end: number): void {
  if (reader.offset !== end) throw new ProtocolError(502, "table length does not match its content")
}

function writeTableEntries(writer: AmqpWriter, table: Table): void {
  for (const [name, value] of table) {
    writer.writeShortString(name)
    writeFieldValue(writer, value)
  }
}

function writeNumber(writer: AmqpWriter, { tag, value }: TypedNumber): void {
  writeTag(writer, tag)
  if (typeof value === "bigint") writer.writeBigInt64(value)
  else if (tag === "d") writer.writeDouble(value)
  else if (tag === "f") writer.writeFloat(value)
  else if (tag === "b" || tag === "B") writer.writeOctet(value)
  else if (tag === "s" || tag === "u" || tag === "U") writer.writeShort(value)
  else writer.writeLong(value) // DataView wraps negative numbers to two's complement.
}

function writeTag(writer: AmqpWriter, tag: string): void {
  writer.writeOctet(tag.charCodeAt(0))
}

function textOrBytes(bytes: Buffer): string | Buffer {
  return isUtf8(bytes) ? bytes.toString("utf8") : bytes
}
