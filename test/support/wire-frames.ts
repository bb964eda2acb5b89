/**
 * Frames and methods for tests, read and written by walking the table in src/amqp/spec.ts. On purpose
 * not by the generated code that the broker uses: the two check each other.
 */
import { CLASSES, type FieldSpec, type MethodSpec } from "../../src/amqp/spec.ts"
import { AmqpReader } from "../../src/amqp/reader.ts"
import type { MethodArguments } from "../../src/amqp/generated/methods.ts"
import { readTable, writeTable } from "../../src/amqp/table-codec.ts"
import type { Table } from "../../src/amqp/table.ts"
import { AmqpWriter } from "../../src/amqp/writer.ts"

export type MethodName = keyof MethodArguments

export interface Frame {
  readonly type: number
  readonly channel: number
  readonly payload: Buffer
}

interface KnownMethod {
  readonly id: number
  readonly name: MethodName
  readonly spec: MethodSpec
}

const METHODS: readonly KnownMethod[] = CLASSES.flatMap((amqpClass) =>
  amqpClass.methods.map((spec) => ({
    id: amqpClass.id * 0x10000 + spec.id,
    // The generated test proves that the table and MethodArguments have the same names.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    name: `${amqpClass.name}.${spec.name}` as MethodName,
    spec,
  })),
)
const BY_ID = new Map(METHODS.map((method) => [method.id, method]))
const BY_NAME = new Map(METHODS.map((method) => [method.name, method]))

export function methodId(name: MethodName): number {
  return methodNamed(name).id
}

export function hasContent(name: MethodName): boolean {
  return methodNamed(name).spec.hasContent
}

/** One method frame. Fields not given are zero, empty or false. */
export function methodFrame<N extends MethodName>(
  name: N,
  channel: number,
  args: Partial<MethodArguments[N]> = {},
): Buffer {
  const method = methodNamed(name)
  const given: Readonly<Record<string, unknown>> = args
  const writer = new AmqpWriter()
  writer.beginMethodFrame(channel, method.id)
  let bits = 0
  let bitCount = 0
  const flushBits = (): void => {
    if (bitCount > 0) writer.writeOctet(bits)
    bits = bitCount = 0
  }
  for (const field of method.spec.fields) {
    const value = given[field.name]
    if (field.type === "bit") {
      if (value === true) bits |= 1 << bitCount
      bitCount++
      continue
    }
    flushBits()
    writeField(writer, field, value)
  }
  flushBits()
  return writer.endFrame()
}

/** Name and arguments of a method frame's payload, or null if there is no such method. */
export function parseMethod(
  payload: Buffer,
): { readonly name: MethodName; readonly args: Record<string, unknown> } | null {
  const method = BY_ID.get(payload.readUInt32BE(0))
  if (method === undefined) return null
  const reader = new AmqpReader(payload, 4)
  const args: Record<string, unknown> = {}
  let bits = 0
  let bitCount = 0
  for (const field of method.spec.fields) {
    if (field.type === "bit") {
      if (bitCount === 0) bits = reader.readOctet()
      args[field.name] = (bits & (1 << bitCount)) !== 0
      bitCount++
      continue
    }
    bitCount = 0
    const value = readField(reader, field)
    if (!field.isReserved) args[field.name] = value
  }
  reader.expectEnd()
  return { name: method.name, args }
}

function methodNamed(name: MethodName): KnownMethod {
  const method = BY_NAME.get(name)
  if (method === undefined) throw new Error(`no method ${name}`)
  return method
}

// oxlint-disable typescript/no-unsafe-type-assertion -- The table says which field has which type.
function writeField(writer: AmqpWriter, field: FieldSpec, value: unknown): void {
  switch (field.type) {
    case "octet":
      return writer.writeOctet((value as number | undefined) ?? 0)
    case "short":
      return writer.writeShort((value as number | undefined) ?? 0)
    case "long":
      return writer.writeLong((value as number | undefined) ?? 0)
    case "longlong":
      return writer.writeLongLong((value as number | undefined) ?? 0)
    case "shortstr":
      return writer.writeShortString((value as string | undefined) ?? "")
    case "longstr":
      return writer.writeLongString((value as Buffer | undefined) ?? "")
    case "table":
      return writeTable(writer, (value as Table | undefined) ?? new Map())
    case "bit":
      throw new Error("bits are written together")
  }
}
// oxlint-enable typescript/no-unsafe-type-assertion

function readField(reader: AmqpReader, field: FieldSpec): unknown {
  if (field.type === "octet") return reader.readOctet()
  if (field.type === "short") return reader.readShort()
  if (field.type === "long") return reader.readLong()
  if (field.type === "longlong") return reader.readLongLong()
  if (field.type === "shortstr") return reader.readShortString()
  if (field.type === "longstr") return reader.readLongString()
  return readTable(reader)
}
