import { formatFieldType, isInteger, numberOf, type FieldValue, type Table } from "../amqp/table.ts"

/**
 * What values the known arguments of queues, exchanges and consumers may have: RabbitMQ's rules, and
 * its words for what is wrong. Which rules apply when is arguments.ts.
 */

/** RabbitMQ's bound on everything that is a time in ms: ten years. */
const TIME_MS_MAX = 315_360_000_000
const PRIORITY_MAX = 255
/** RabbitMQ's bounds for streams. */
const STREAM_SEGMENT_BYTES_MAX = 3_000_000_000
const FILTER_BYTES_MIN = 16
const FILTER_BYTES_MAX = 255

/** What is wrong with a value, as an Erlang term like RabbitMQ prints it, or null. */
export type Rule = (value: FieldValue, args: Table) => string | null

function integer(value: FieldValue): string | null {
  return isInteger(value) ? null : `"expected integer, got ${formatFieldType(value)}"`
}

function nonNegative(value: FieldValue): string | null {
  return integer(value) ?? (amount(value) < 0 ? `{value_negative,${amount(value)}}` : null)
}

function positive(value: FieldValue): string | null {
  return nonNegative(value) ?? (amount(value) === 0 ? "{value_zero,0}" : null)
}

function time(value: FieldValue): string | null {
  return (
    nonNegative(value) ?? (amount(value) > TIME_MS_MAX ? `{value_too_big,${amount(value)}}` : null)
  )
}

function positiveTime(value: FieldValue): string | null {
  return positive(value) ?? time(value)
}

function priorityCount(value: FieldValue): string | null {
  return (
    nonNegative(value) ??
    (amount(value) > PRIORITY_MAX ? `{max_value_exceeded,${amount(value)}}` : null)
  )
}

function boolean(value: FieldValue): string | null {
  return typeof value === "boolean" ? null : unacceptableType(value)
}

/** Strings, also those that are no UTF-8. */
export function text(value: FieldValue): string | null {
  return typeof value === "string" || Buffer.isBuffer(value) ? null : unacceptableType(value)
}

function oneOf(words: readonly string[], error: string): Rule {
  return (value) =>
    text(value) ?? (typeof value === "string" && words.includes(value) ? null : error)
}

function deadLetterRoutingKey(value: FieldValue, args: Table): string | null {
  return (
    text(value) ?? (args.has("x-dead-letter-exchange") ? null : "routing_key_but_no_dlx_defined")
  )
}

function queueType(value: FieldValue): string | null {
  if (typeof value !== "string") return text(value) ?? "invalid_queue_type"
  return QUEUE_TYPES.has(value) ? null : `"unsupported queue type '${value}'"`
}

function queueVersion(value: FieldValue): string | null {
  const isKnown = amount(value) === 1 || amount(value) === 2
  return nonNegative(value) ?? (isKnown ? null : `"unsupported queue version '${amount(value)}'"`)
}

function segmentSize(value: FieldValue): string | null {
  const isTooBig = amount(value) > STREAM_SEGMENT_BYTES_MAX
  return nonNegative(value) ?? (isTooBig ? `{value_too_big,${amount(value)}}` : null)
}

function filterSize(value: FieldValue): string | null {
  const isInRange = amount(value) >= FILTER_BYTES_MIN && amount(value) <= FILTER_BYTES_MAX
  return nonNegative(value) ?? (isInRange ? null : `{invalid_filter_size,${amount(value)}}`)
}

function maxAge(value: FieldValue): string | null {
  const isAge = typeof value === "string" && /^0*[1-9][0-9]*[YMDhms]$/.test(value)
  return text(value) ?? (isAge ? null : "invalid_max_age")
}

const QUEUE_TYPES: ReadonlySet<string> = new Set(["classic", "quorum", "stream"])

export const DEDUPLICATION_RULES: ReadonlyMap<string, Rule> = new Map<string, Rule>([
  ["x-message-deduplication", boolean],
  ["x-cache-size", nonNegative],
  ["x-cache-ttl", nonNegative],
  ["x-deduplication-header", text],
])

/** All that change an exchange of some type. */
export const EXCHANGE_ARGUMENTS: readonly string[] = [
  "alternate-exchange",
  "x-alternate-exchange",
  "x-delayed-type",
  "x-delayed-exchange",
  "hash-header",
  "hash-property",
  "x-hash-on",
  ...DEDUPLICATION_RULES.keys(),
]

/** In the order in which RabbitMQ checks. */
export const QUEUE_RULES: ReadonlyMap<string, Rule> = new Map<string, Rule>([
  ["x-expires", positiveTime],
  ["x-message-ttl", time],
  ["x-dead-letter-exchange", text],
  ["x-dead-letter-routing-key", deadLetterRoutingKey],
  ["x-dead-letter-strategy", oneOf(["at-most-once", "at-least-once"], "invalid_dlx_strategy")],
  ["x-max-length", nonNegative],
  ["x-max-length-bytes", nonNegative],
  ["x-max-in-memory-length", nonNegative],
  ["x-max-in-memory-bytes", nonNegative],
  ["x-max-priority", priorityCount],
  ["x-overflow", oneOf(["drop-head", "reject-publish", "reject-publish-dlx"], "invalid_overflow")],
  ["x-queue-mode", oneOf(["default", "lazy"], "invalid_queue_mode")],
  ["x-queue-version", queueVersion],
  ["x-single-active-consumer", boolean],
  ["x-queue-type", queueType],
  ["x-consumer-timeout", nonNegative],
  ["x-delivery-limit", integer],
  ["x-quorum-initial-group-size", positive],
  ["x-quorum-target-group-size", positive],
  ["x-max-age", maxAge],
  ["x-stream-max-segment-size-bytes", segmentSize],
  ["x-stream-filter-size-bytes", filterSize],
  ["x-initial-cluster-size", positive],
  [
    "x-queue-leader-locator",
    oneOf(["client-local", "balanced", "random", "least-leaders"], "invalid_queue_locator_arg"),
  ],
  ["x-queue-master-locator", text],
  ...DEDUPLICATION_RULES,
])

export const CONSUMER_RULES: ReadonlyMap<string, Rule> = new Map<string, Rule>([
  ["x-priority", integer],
  ["x-cancel-on-ha-failover", boolean],
])

const STREAM_ONLY = ["x-max-age", "x-stream-max-segment-size-bytes", "x-stream-filter-size-bytes"]
export const NOT_ON_QUORUM: readonly string[] = ["x-max-priority", "x-queue-mode", ...STREAM_ONLY]
/** x-max-length is LavinMQ's addition to streams and allowed. */
export const NOT_ON_STREAM: readonly string[] = [
  "x-expires",
  "x-message-ttl",
  "x-dead-letter-exchange",
  "x-dead-letter-routing-key",
  "x-dead-letter-strategy",
  "x-max-priority",
  "x-overflow",
  "x-queue-mode",
  "x-single-active-consumer",
  "x-consumer-timeout",
  "x-delivery-limit",
]

function amount(value: FieldValue): number | bigint {
  return numberOf(value) ?? 0
}

function unacceptableType(value: FieldValue): string {
  return `{unacceptable_type,${formatFieldType(value)}}`
}
