import { isUtf8 } from "node:buffer"
import {
  ByteArray,
  isArray,
  isTable,
  numberOf,
  type FieldValue,
  type Table,
} from "../../amqp/table.ts"
import { assert } from "../../util/assert.ts"

/**
 * Field values as strings: one under which equal values meet in a Map, and one for error texts.
 */

/**
 * Equal for two values exactly when equalFieldValues() says so: numbers by value whatever their type,
 * byte arrays like strings, tables without order. Every part ends by itself, so parts can be joined.
 */
export function fieldKey(value: FieldValue): string {
  if (value === null) return "v"
  if (typeof value === "boolean") return value ? "t" : "f"
  if (typeof value === "string") return stringKey(value)
  if (value instanceof ByteArray) return bytesKey(value.bytes)
  if (Buffer.isBuffer(value)) return bytesKey(value)
  if (isTable(value)) return `{${entriesKey(value)}}`
  if (isArray(value)) return `[${value.map(fieldKey).join("")}]`
  const number = numberOf(value)
  assert(number !== null, "what is left is a number")
  return `n${numberKey(number)};`
}

/** The key of a whole table; "" exactly for the empty one. */
export function tableKey(table: Table): string {
  return table.size === 0 ? "" : entriesKey(table)
}

function entriesKey(table: Table): string {
  const names = [...table.keys()].toSorted()
  let key = ""
  for (const name of names) key += stringKey(name) + fieldKey(table.get(name) ?? null)
  return key
}

function stringKey(text: string): string {
  return `s${text.length}:${text}`
}

function bytesKey(bytes: Buffer): string {
  return isUtf8(bytes)
    ? stringKey(bytes.toString("utf8"))
    : `x${bytes.length}:${bytes.toString("latin1")}`
}

function numberKey(number: number | bigint): string {
  // A float beyond 2^53 must meet the same number as 64-bit integer.
  if (typeof number === "number" && Number.isInteger(number)) return BigInt(number).toString()
  return String(number)
}

/** The value as RabbitMQ prints it in error texts (Erlang's `~tp`). */
export function formatTerm(value: FieldValue): string {
  if (value === null) return "undefined"
  if (typeof value === "boolean") return String(value)
  if (typeof value === "string") return formatBinary(Buffer.from(value, "utf8"))
  if (value instanceof ByteArray) return formatBinary(value.bytes)
  if (Buffer.isBuffer(value)) return formatBinary(value)
  if (isArray(value)) return `[${value.map(formatTerm).join(",")}]`
  if (isTable(value))
    return `[${[...value].map(([name, field]) => `{${formatTerm(name)},${formatTerm(field)}}`).join(",")}]`
  return String(numberOf(value))
}

function formatBinary(bytes: Buffer): string {
  // Erlang shows text as text and everything else as numbers.
  const text = bytes.toString("utf8")
  if (!isUtf8(bytes) || /\p{Cc}/u.test(text)) return `<<${[...bytes].join(",")}>>`
  const quoted = `"${text.replaceAll(/["\\]/g, "\\$&")}"`
  return /[^\0-\x7f]/.test(text) ? `<<${quoted}/utf8>>` : `<<${quoted}>>`
}
