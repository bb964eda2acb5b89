import type { BasicProperties } from "../../amqp/properties.ts"
import { fromPlain, isTable } from "../../amqp/table.ts"
import type { PlainRecord, PlainValue, Table } from "../../amqp/table.ts"

/**
 * The properties that a shovel gives to all its messages (dest-publish-properties): their names with
 * underscores or hyphens, checked when the parameter is set.
 */
const TEXTS: Readonly<Record<string, keyof BasicProperties>> = {
  content_type: "contentType",
  content_encoding: "contentEncoding",
  correlation_id: "correlationId",
  reply_to: "replyTo",
  expiration: "expiration",
  message_id: "messageId",
  type: "type",
  user_id: "userId",
  app_id: "appId",
  cluster_id: "clusterId",
}

/** Null if there are none. Adds to the problems. */
export function parsePublishProperties(
  record: PlainRecord,
  problems: string[],
): BasicProperties | null {
  const entries = Object.entries(record)
  if (entries.length === 0) return null
  const properties: Record<string, string | number | bigint | Table> = {}
  for (const [given, value] of entries) {
    const name = given.replaceAll("-", "_")
    const text = TEXTS[name]
    const problem =
      text === undefined ? readOther(properties, name, value) : readText(properties, text, value)
    if (problem !== null) problems.push(`dest-publish-properties: ${given} ${problem}`)
  }
  return properties
}

type Properties = Record<string, string | number | bigint | Table>

function readText(properties: Properties, name: string, value: PlainValue): string | null {
  if (typeof value !== "string" || Buffer.byteLength(value) > 255)
    return "must be a string of at most 255 bytes"
  if (name === "expiration" && !/^\d{1,15}$/.test(value))
    return "must be a number of ms as a string"
  properties[name] = value
  return null
}

function readOther(properties: Properties, name: string, value: PlainValue): string | null {
  switch (name) {
    case "delivery_mode":
      if (value !== 1 && value !== 2) return "must be 1 or 2"
      properties["deliveryMode"] = value
      return null
    case "priority":
      if (!isInteger(value, 255)) return "must be a number from 0 to 255"
      properties["priority"] = value
      return null
    case "timestamp":
      if (!isInteger(value, Number.MAX_SAFE_INTEGER)) return "must be a number of seconds"
      properties["timestamp"] = BigInt(value)
      return null
    case "headers": {
      const headers = fromPlain(value)
      if (!isTable(headers)) return "must be an object"
      properties["headers"] = headers
      return null
    }
    default:
      return "is no property"
  }
}

function isInteger(value: PlainValue, max: number): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= max
}
