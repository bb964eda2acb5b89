import { json, numeric, textual } from "../../lib/arguments.ts"
import type { ArgumentRow, KnownArgument } from "../../lib/arguments.ts"

/** The properties of a message, with what they mean, for forms that publish. */
export const MESSAGE_PROPERTIES: readonly KnownArgument[] = [
  textual(
    "content_type",
    "What the body is; consumers and this UI choose how to read it",
    "application/json",
  ),
  textual("content_encoding", "How the body was packed", "gzip"),
  numeric("priority", "0 to 255; counts in queues with x-max-priority", 5),
  textual("expiration", "Milliseconds after which this message expires in a queue", "60000"),
  textual("correlation_id", "Which request this answers"),
  textual("reply_to", "The queue for the answer"),
  textual("message_id", "The application's name for the message"),
  numeric("timestamp", "Seconds since 1970"),
  textual("type", "The application's name for the kind of message"),
  textual("user_id", "Must be your user name; the broker checks it"),
  textual("app_id", "The application that publishes"),
  textual("cluster_id", "Not used any more"),
]

export const MESSAGE_HEADERS: readonly KnownArgument[] = [
  numeric("x-delay", "Milliseconds to wait at a delayed exchange", 5000),
  json("CC", "Further routing keys, as a list", '["other-key"]'),
  json("BCC", "The same, and not shown to consumers", '["other-key"]'),
  textual(
    "x-deduplication-header",
    "Where deduplication is on: a value seen before drops the message",
  ),
  textual("x-stream-filter-value", "Streams: readers can ask for messages with this value"),
]

/** Rows for an editor from which parseArguments makes the same values again: text that looks like JSON is quoted. */
export function exactRows(value: Readonly<Record<string, unknown>>): ArgumentRow[] {
  return Object.entries(value).map(([name, one]) => ({
    name,
    value: typeof one === "string" && !isJsonValue(one) ? one : JSON.stringify(one),
  }))
}

function isJsonValue(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return text.trim() !== text || text === ""
  }
}

export type PayloadKind = "text" | "json" | "base64"

/** Throws what is wrong with it. */
export function checkedPayload(text: string, kind: PayloadKind): string {
  if (kind === "json") {
    try {
      JSON.parse(text)
    } catch (error) {
      const reason = error instanceof Error ? error.message : ""
      throw new Error(`The body is no JSON: ${reason}`, { cause: error })
    }
    return text
  }
  if (kind === "text") return text
  const packed = text.replaceAll(/\s+/g, "")
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(packed) || packed.length % 4 !== 0)
    throw new Error("The body is no base64: its length must be a multiple of four characters.")
  return packed
}
