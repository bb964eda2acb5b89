import { formatFieldType, type FieldValue, type Table } from "../../amqp/table.ts"
import type { ConsumerRequest } from "../consumer.ts"
import { Refusal } from "../errors.ts"
import { parseStartPosition } from "./start-position.ts"
import type { StartPosition } from "./start-position.ts"
import { StreamFilter } from "./stream-filter.ts"

/**
 * What a consumer of a stream may ask for (basic.consume): RabbitMQ's rules and texts, and LavinMQ's
 * arguments for tracking and filters.
 */
export interface StreamConsumerOptions {
  readonly start: StartPosition
  /** How far it comes is kept under its tag, and where it begins if something is kept already. */
  readonly isTracked: boolean
  /** Null: it wants everything. */
  readonly filter: StreamFilter | null
}

/** Tags that the server makes up mean nothing to the next connection. */
const GENERATED_TAG_PREFIX = "amq.ctag-"

/** Throws Refusal unless a stream can serve the consumer. `subject` is `queue 'q' in vhost '/'`. */
export function checkStreamConsumer(
  subject: string,
  request: ConsumerRequest,
  nowMs: number,
): StreamConsumerOptions {
  const { arguments: args } = request
  if (args.has("x-priority"))
    throw new Refusal(
      "precondition-failed",
      `invalid arg 'x-priority' for ${subject} of queue type rabbit_stream_queue`,
    )
  if (request.noAck)
    throw new Refusal(
      "not-implemented",
      `automatic acknowledgement not supported by stream ${subject}`,
    )
  if (request.globalPrefetch !== 0)
    throw new Refusal("not-implemented", `${subject} does not support global qos`)
  if (request.prefetchCount === 0)
    throw new Refusal(
      "precondition-failed",
      `consumer prefetch count is not set for stream ${subject}`,
    )
  return parseStreamConsumer(subject, request.tag, args, nowMs)
}

/** Throws Refusal if an argument makes no sense. */
export function parseStreamConsumer(
  subject: string,
  tag: string,
  args: Table,
  nowMs: number,
): StreamConsumerOptions {
  const offset = args.get("x-stream-offset")
  const start = offset === undefined ? { kind: "next" as const } : parseStartPosition(offset, nowMs)
  if (typeof start === "string") throw invalid(subject, "x-stream-offset", start)
  const isNamed = tag !== "" && !tag.startsWith(GENERATED_TAG_PREFIX)
  const isForced = readFlag(subject, args, "x-stream-automatic-offset-tracking", true)
  return {
    start,
    isTracked: isNamed && (isForced ?? offset === undefined),
    filter: parseFilter(subject, args),
  }
}

function parseFilter(subject: string, args: Table): StreamFilter | null {
  const conditions = args.get("x-stream-filter")
  const matchUnfiltered = readFlag(subject, args, "x-stream-match-unfiltered", false)
  const matchType = args.get("x-filter-match-type")
  if (matchType !== undefined && matchType !== "any" && matchType !== "all")
    throw invalid(subject, "x-filter-match-type", `"must be 'any' or 'all'"`)
  if (conditions === undefined) return null
  const filter = new StreamFilter()
  const error = filter.add(conditions)
  if (error !== null) throw invalid(subject, "x-stream-filter", error)
  if (filter.isEmpty) return null
  filter.matchUnfiltered = matchUnfiltered ?? false
  filter.matchType = matchType ?? null
  return filter
}

/** A boolean; also as text, where LavinMQ takes it. */
function readFlag(
  subject: string,
  args: Table,
  name: string,
  isTextAllowed: boolean,
): boolean | null {
  const value: FieldValue | undefined = args.get(name)
  if (value === undefined) return null
  if (typeof value === "boolean") return value
  if (isTextAllowed && (value === "true" || value === "false")) return value === "true"
  throw invalid(subject, name, `{unacceptable_type,${formatFieldType(value)}}`)
}

function invalid(subject: string, name: string, reason: string): Refusal {
  return new Refusal("precondition-failed", `invalid arg '${name}' for ${subject}: ${reason}`)
}
