/**
 * Values of AMQP field tables as the program sees them: lossless (re-encoding gives the same types),
 * safe for any key, compared and shown by RabbitMQ's rules. The bytes are table-codec.ts's business.
 *
 *   t boolean | S string, or Buffer if it is no UTF-8 | x ByteArray | V null | A array | F Table
 *   b B s u U I i l L f d TypedNumber (bigint for l and L) | D Decimal | T Timestamp
 */
import { assert } from "../util/assert.ts"

export type NumberTag = "b" | "B" | "s" | "u" | "U" | "I" | "i" | "l" | "L" | "f" | "d"

/** A number with its wire type. 64-bit integers are bigint: they may pass 2^53. */
export class TypedNumber {
  readonly tag: NumberTag
  readonly value: number | bigint

  constructor(tag: NumberTag, value: number | bigint) {
    assert(fitsTag(tag, value), "number does not fit its field type")
    this.tag = tag
    this.value = value
  }
}

/** Tag D: `value` / 10^`scale`. Both unsigned, as RabbitMQ reads them. */
export class Decimal {
  readonly scale: number
  readonly value: number

  constructor(scale: number, value: number) {
    this.scale = scale
    this.value = value
  }
}

/** Tag T: seconds since 1970, unsigned 64 bit. Any value is tolerated. */
export class Timestamp {
  readonly seconds: bigint

  constructor(seconds: bigint) {
    this.seconds = seconds
  }
}

/** Tag x. A Buffer stands for a long string (S) that is no UTF-8. */
export class ByteArray {
  readonly bytes: Buffer

  constructor(bytes: Buffer) {
    this.bytes = bytes
  }
}

export type FieldValue =
  | null
  | boolean
  | string
  | Buffer
  | ByteArray
  | TypedNumber
  | Decimal
  | Timestamp
  | readonly FieldValue[]
  | Table

/** In wire order. A key that occurs twice keeps its last value. */
export type Table = ReadonlyMap<string, FieldValue>

/** Ordinary JavaScript as toPlain() gives it; fits JSON but for bigint and Buffer. */
export type PlainValue =
  | null
  | boolean
  | string
  | number
  | bigint
  | Buffer
  | readonly PlainValue[]
  | PlainRecord

export interface PlainRecord {
  readonly [key: string]: PlainValue
}

export const EMPTY_TABLE: Table = new Map()

/** The numeric value of any numeric type (a timestamp counts), else null. Exact: bigint above 2^53. */
export function numberOf(value: FieldValue | undefined): number | bigint | null {
  if (value instanceof TypedNumber) return narrow(value.value)
  if (value instanceof Timestamp) return narrow(value.seconds)
  if (value instanceof Decimal) return value.value / 10 ** value.scale
  return null
}

/** True for the eight integer types, whatever the width. */
export function isInteger(value: FieldValue | undefined): value is TypedNumber {
  return value instanceof TypedNumber && value.tag !== "f" && value.tag !== "d"
}

/** Ordinary JavaScript: numbers lose their width, timestamps become seconds, tables records without prototype. */
export function toPlain(value: FieldValue): PlainValue {
  if (isTable(value)) return tableToPlain(value)
  if (isArray(value)) return value.map(toPlain)
  if (value instanceof ByteArray) return value.bytes
  if (value === null || typeof value !== "object" || Buffer.isBuffer(value)) return value
  return numberOf(value) ?? null
}

export function tableToPlain(table: Table): PlainRecord {
  // Without a prototype `__proto__` is a key like any other.
  const record: Record<string, PlainValue> = Object.create(null)
  for (const [key, value] of table) record[key] = toPlain(value)
  return record
}

/** The inverse with RabbitMQ's choices: integers become I, or l if they need it, other numbers d, strings S. */
export function fromPlain(value: PlainValue): FieldValue {
  if (typeof value === "number") return typedNumber(value)
  if (typeof value === "bigint") return new TypedNumber("l", value)
  if (value === null || typeof value !== "object" || Buffer.isBuffer(value)) return value
  if (isPlainArray(value)) return value.map(fromPlain)
  return tableFromPlain(value)
}

export function tableFromPlain(record: PlainRecord): Table {
  const table = new Map<string, FieldValue>()
  for (const [key, value] of Object.entries(record)) table.set(key, fromPlain(value))
  return table
}

/**
 * Equality by value, as RabbitMQ compares headers and arguments: numbers of any width and kind by their
 * value (10 = 10.0), strings and byte arrays by their bytes, tables without order, arrays in order,
 * null only with null. A string never equals a number.
 */
export function equalFieldValues(a: FieldValue, b: FieldValue): boolean {
  if (a === b) return true
  if (a === null || b === null) return false
  if (typeof a === "boolean" || typeof b === "boolean") return false
  const leftNumber = numberOf(a)
  if (leftNumber !== null) return equalNumbers(leftNumber, numberOf(b))
  if (isTable(a)) return isTable(b) && equalTables(a, b)
  if (isArray(a)) return isArray(b) && equalArrays(a, b)
  const left = bytesOf(a)
  const right = bytesOf(b)
  return left !== null && right !== null && left.equals(right)
}

export function equalTables(a: Table, b: Table): boolean {
  if (a.size !== b.size) return false
  for (const [key, value] of a) {
    const other = b.get(key)
    if (other === undefined || !equalFieldValues(value, other)) return false
  }
  return true
}

const NUMBER_TYPE_NAMES: Readonly<Record<NumberTag, string>> = {
  b: "byte",
  B: "unsignedbyte",
  s: "short",
  u: "unsignedshort",
  U: "short",
  I: "signedint",
  i: "unsignedint",
  l: "long",
  L: "long",
  f: "float",
  d: "double",
}

/** RabbitMQ's word for the type, as its error texts use it. */
export function formatFieldType(value: FieldValue): string {
  if (value === null) return "void"
  if (typeof value === "boolean") return "bool"
  if (typeof value === "string" || Buffer.isBuffer(value)) return "longstr"
  if (value instanceof TypedNumber) return NUMBER_TYPE_NAMES[value.tag]
  if (value instanceof Decimal) return "decimal"
  if (value instanceof Timestamp) return "timestamp"
  if (value instanceof ByteArray) return "binary"
  return isTable(value) ? "table" : "array"
}

export function isTable(value: FieldValue | undefined): value is Table {
  return value instanceof Map
}

export function isArray(value: FieldValue | undefined): value is readonly FieldValue[] {
  return Array.isArray(value)
}

function equalArrays(a: readonly FieldValue[], b: readonly FieldValue[]): boolean {
  return a.length === b.length && a.every((value, i) => equalFieldValues(value, b[i] ?? null))
}

function equalNumbers(a: number | bigint, b: number | bigint | null): boolean {
  if (b === null) return false
  // NaN equals itself here: redeclaring with the very same arguments must succeed. -0 equals 0.
  if (typeof a === typeof b) return a === b || (Number.isNaN(a) && Number.isNaN(b))
  // A bigint beside a number: numberOf() makes safe integers numbers, so the bigint lies beyond 2^53.
  const [big, float] = typeof a === "bigint" ? [a, b] : [b, a]
  return Number.isInteger(float) && BigInt(float) === big
}

function isPlainArray(value: PlainValue): value is readonly PlainValue[] {
  return Array.isArray(value)
}

function bytesOf(value: FieldValue): Buffer | null {
  if (typeof value === "string") return Buffer.from(value, "utf8")
  if (value instanceof ByteArray) return value.bytes
  return Buffer.isBuffer(value) ? value : null
}

/** A number if it is exact as one. */
function narrow(value: number | bigint): number | bigint {
  if (typeof value === "number") return value
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : value
}

function typedNumber(value: number): TypedNumber {
  if (!Number.isSafeInteger(value) || Object.is(value, -0)) return new TypedNumber("d", value)
  return fitsTag("I", value) ? new TypedNumber("I", value) : new TypedNumber("l", BigInt(value))
}

const RANGES: Readonly<Partial<Record<NumberTag, readonly [number, number]>>> = {
  b: [-0x80, 0x7f],
  B: [0, 0xff],
  s: [-0x8000, 0x7fff],
  U: [-0x8000, 0x7fff],
  u: [0, 0xffff],
  I: [-0x8000_0000, 0x7fff_ffff],
  i: [0, 0xffff_ffff],
}

function fitsTag(tag: NumberTag, value: number | bigint): boolean {
  if (tag === "l" || tag === "L")
    return typeof value === "bigint" && BigInt.asIntN(64, value) === value
  if (typeof value === "bigint") return false
  const range = RANGES[tag]
  return range === undefined || (Number.isInteger(value) && value >= range[0] && value <= range[1])
}
