import type { BasicProperties } from "../amqp/properties.ts"
import type { PlainRecord, PlainValue, Table } from "../amqp/table.ts"
import { tableFromPlain, tableToPlain } from "../amqp/table.ts"
import { badRequest } from "./errors.ts"

/** AMQP tables and message properties as JSON, and back. */

/** Bytes that are no text are shown as base64; integers beyond 2^53 as strings. */
export function tableToJson(table: Table): Record<string, unknown> {
  const record: Record<string, unknown> = Object.create(null)
  for (const [key, value] of Object.entries(tableToPlain(table))) record[key] = toJson(value)
  return record
}

function toJson(value: PlainValue): unknown {
  if (typeof value === "bigint") return value.toString()
  if (value === null || typeof value !== "object") return value
  if (Buffer.isBuffer(value)) return value.toString("base64")
  if (Array.isArray(value)) return value.map(toJson)
  const record: Record<string, unknown> = Object.create(null)
  for (const [key, field] of Object.entries(value)) record[key] = toJson(field)
  return record
}

/** Throws bad_request for a key that is too long for the protocol. */
export function tableFromJson(record: Readonly<Record<string, unknown>>): Table {
  return tableFromPlain(plainRecord(record))
}

function plainRecord(record: Readonly<Record<string, unknown>>): PlainRecord {
  const plain: Record<string, PlainValue> = Object.create(null)
  for (const [key, value] of Object.entries(record)) {
    if (Buffer.byteLength(key) > 255) throw badRequest("an argument's name is too long")
    plain[key] = plainValue(value)
  }
  return plain
}

function plainValue(value: unknown): PlainValue {
  if (typeof value === "number" || typeof value === "string" || typeof value === "boolean")
    return value
  if (Array.isArray(value)) return value.map(plainValue)
  if (typeof value === "object" && value !== null)
    return plainRecord(Object.fromEntries(Object.entries(value)))
  return null
}

/** Property names as RabbitMQ's API has them, and the kind of value. */
const PROPERTIES = [
  ["content_type", "contentType", "text"],
  ["content_encoding", "contentEncoding", "text"],
  ["delivery_mode", "deliveryMode", "octet"],
  ["priority", "priority", "octet"],
  ["correlation_id", "correlationId", "text"],
  ["reply_to", "replyTo", "text"],
  ["expiration", "expiration", "text"],
  ["message_id", "messageId", "text"],
  ["timestamp", "timestamp", "seconds"],
  ["type", "type", "text"],
  ["user_id", "userId", "text"],
  ["app_id", "appId", "text"],
  ["cluster_id", "clusterId", "text"],
] as const

export function propertiesToJson(properties: BasicProperties): Record<string, unknown> {
  const record: Record<string, unknown> = {}
  for (const [name, field] of PROPERTIES) {
    const value = properties[field]
    if (value !== undefined) record[name] = typeof value === "bigint" ? Number(value) : value
  }
  if (properties.headers !== undefined) record["headers"] = tableToJson(properties.headers)
  return record
}

/** Throws bad_request. Names that nobody knows are ignored, as RabbitMQ does. */
export function propertiesFromJson(record: Readonly<Record<string, unknown>>): BasicProperties {
  const properties: Record<string, string | number | bigint | Table> = {}
  for (const [name, field, kind] of PROPERTIES) {
    const value = record[name]
    if (value !== undefined && value !== null) properties[field] = propertyValue(name, kind, value)
  }
  const headers = record["headers"]
  if (typeof headers === "object" && headers !== null)
    properties["headers"] = tableFromJson(Object.fromEntries(Object.entries(headers)))
  return properties
}

function propertyValue(
  name: string,
  kind: "text" | "octet" | "seconds",
  value: unknown,
): string | number | bigint {
  if (kind === "text") {
    if (typeof value !== "string" && typeof value !== "number")
      throw badRequest(`property ${name} is no string`)
    const text = String(value)
    if (Buffer.byteLength(text) > 255) throw badRequest(`property ${name} is longer than 255 bytes`)
    if (name === "expiration" && !/^\d{1,15}$/.test(text))
      throw badRequest("property expiration is no number of milliseconds")
    return text
  }
  const max = kind === "octet" ? 255 : Number.MAX_SAFE_INTEGER
  const number = Number(value)
  if (!Number.isInteger(number) || number < 0 || number > max)
    throw badRequest(`property ${name} is no number from 0 to ${max}`)
  return kind === "octet" ? number : BigInt(number)
}
