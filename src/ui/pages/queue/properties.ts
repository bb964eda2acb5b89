import type { ArgumentRow, KnownArgument } from "../../lib/arguments.ts"

/** The properties of a message, with what they mean, for forms that publish. */
export const MESSAGE_PROPERTIES: readonly KnownArgument[] = [
  {
    name: "content_type",
    type: "text",
    example: "application/json",
    help: "What the body is; consumers and this UI choose how to read it",
  },
  { name: "content_encoding", type: "text", example: "gzip", help: "How the body was packed" },
  {
    name: "priority",
    type: "number",
    example: 5,
    help: "0 to 255; counts in queues with x-max-priority",
  },
  {
    name: "expiration",
    type: "text",
    example: "60000",
    help: "Milliseconds after which this message expires in a queue",
  },
  { name: "correlation_id", type: "text", help: "Which request this answers" },
  { name: "reply_to", type: "text", help: "The queue for the answer" },
  { name: "message_id", type: "text", help: "The application's name for the message" },
  { name: "timestamp", type: "number", help: "Seconds since 1970" },
  { name: "type", type: "text", help: "The application's name for the kind of message" },
  { name: "user_id", type: "text", help: "Must be your user name; the broker checks it" },
  { name: "app_id", type: "text", help: "The application that publishes" },
  { name: "cluster_id", type: "text", help: "Not used any more" },
]

export const MESSAGE_HEADERS: readonly KnownArgument[] = [
  {
    name: "x-delay",
    type: "number",
    example: 5000,
    help: "Milliseconds to wait at a delayed exchange",
  },
  { name: "CC", type: "json", example: '["other-key"]', help: "Further routing keys, as a list" },
  {
    name: "BCC",
    type: "json",
    example: '["other-key"]',
    help: "The same, and not shown to consumers",
  },
  {
    name: "x-deduplication-header",
    type: "text",
    help: "Where deduplication is on: a value seen before drops the message",
  },
  {
    name: "x-stream-filter-value",
    type: "text",
    help: "Streams: readers can ask for messages with this value",
  },
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
