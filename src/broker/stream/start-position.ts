import {
  formatFieldType,
  isInteger,
  numberOf,
  Timestamp,
  type FieldValue,
} from "../../amqp/table.ts"
import { formatTerm } from "../exchange/table-key.ts"
import { parseAgeMs } from "../policy/definition.ts"

/** Where a consumer of a stream begins: the argument x-stream-offset in all its forms. */
export type StartPosition =
  | { readonly kind: "first" | "last" | "next" }
  | { readonly kind: "offset"; readonly offset: number }
  | { readonly kind: "time"; readonly timestampMs: number }

/** The position, or what is wrong with the value as RabbitMQ says it. `1h` is an hour before `nowMs`. */
export function parseStartPosition(value: FieldValue, nowMs: number): StartPosition | string {
  if (value === "first" || value === "last" || value === "next") return { kind: value }
  if (typeof value === "string") {
    const ageMs = parseAgeMs(value)
    if (ageMs !== null) return { kind: "time", timestampMs: nowMs - ageMs }
  }
  if (value instanceof Timestamp)
    return { kind: "time", timestampMs: Number(numberOf(value) ?? 0) * 1000 }
  // What lies below 0 begins at the first message, what lies beyond the end at the next one.
  if (isInteger(value)) return { kind: "offset", offset: Number(value.value) }
  return `{invalid_stream_offset_arg,{${formatFieldType(value)},${formatTerm(value)}}}`
}
