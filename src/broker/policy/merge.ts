import { numberOf, type Table } from "../../amqp/table.ts"
import type { QueueType } from "../queue-type.ts"
import { PLAIN_EXCHANGE, PLAIN_QUEUE } from "../settings.ts"
import type {
  DeduplicationSettings,
  ExchangeSettings,
  FederationSettings,
  Overflow,
  QueueSettings,
} from "../settings.ts"
import { integerIn, parseAgeMs, textIn, TIME_MS_MAX, type Definition } from "./definition.ts"

/**
 * Merges what arguments, policy and operator policy say into the settings that hold (amqp.md §10):
 *
 *   numbers, ages       the smallest of the three
 *   delivery limit      the smallest, but a negative one is unlimited: any limit is smaller
 *   overflow            the argument, else the operator policy, else the policy
 *   other strings       the argument, else the policy
 *
 * Every type heeds its own keys only. What has no usable value is as if it were absent: arguments were
 * checked at the declaration, but definitions may come from another product's files.
 */

/** Of a quorum queue without any; RabbitMQ's since 4.0. */
const QUORUM_DELIVERY_LIMIT = 20
const PRIORITY_MAX = 255
/** LavinMQ's defaults. */
const CACHE_SIZE = 128
const DEDUPLICATION_HEADER = "x-deduplication-header"

const OVERFLOWS: readonly Overflow[] = ["drop-head", "reject-publish", "reject-publish-dlx"]

export function resolveQueueSettings(
  type: QueueType,
  args: Table,
  policy: Definition | null,
  operatorPolicy: Definition | null,
): QueueSettings {
  if (type === "stream") return resolveStream(args, policy, operatorPolicy)
  if (type === "classic" && args.size === 0 && policy === null && operatorPolicy === null)
    return PLAIN_QUEUE
  const least = (key: string, min: number, max?: number): number | null =>
    minimum(
      argumentInteger(args, `x-${key}`, min, max),
      minimum(integerIn(policy, key, min, max), integerIn(operatorPolicy, key, min, max)),
    )
  const deadLetterExchange = argumentOrPolicy(args, policy, "dead-letter-exchange")
  return {
    ...PLAIN_QUEUE,
    expiresMs: least("expires", 1, TIME_MS_MAX),
    messageTtlMs: least("message-ttl", 0, TIME_MS_MAX),
    deadLetterExchange,
    deadLetterRoutingKey:
      deadLetterExchange === null
        ? null
        : argumentOrPolicy(args, policy, "dead-letter-routing-key"),
    maxLength: least("max-length", 0),
    maxLengthBytes: least("max-length-bytes", 0),
    overflow: overflowOf(type, args, policy, operatorPolicy),
    deliveryLimit: deliveryLimitOf(type, args, policy, operatorPolicy),
    consumerTimeoutMs: least("consumer-timeout", 0),
    maxPriority:
      type === "classic" ? (argumentInteger(args, "x-max-priority", 0, PRIORITY_MAX) ?? 0) : 0,
    singleActiveConsumer: args.get("x-single-active-consumer") === true,
    deduplication: deduplicationOf(args),
    federation: federationOf(policy),
  }
}

function resolveStream(
  args: Table,
  policy: Definition | null,
  operatorPolicy: Definition | null,
): QueueSettings {
  const least = (key: string, min: number): number | null =>
    minimum(
      argumentInteger(args, `x-${key}`, min),
      minimum(integerIn(policy, key, min), integerIn(operatorPolicy, key, min)),
    )
  return {
    ...PLAIN_QUEUE,
    maxLength: least("max-length", 0),
    maxLengthBytes: least("max-length-bytes", 0),
    maxAgeMs: minimum(ageOf(args.get("x-max-age")), ageOf(policy?.get("max-age"))),
    streamSegmentBytes: least("stream-max-segment-size-bytes", 1),
  }
}

export function resolveExchangeSettings(
  type: string,
  args: Table,
  policy: Definition | null,
): ExchangeSettings {
  const alternateExchange =
    argumentText(args, "alternate-exchange") ??
    argumentText(args, "x-alternate-exchange") ??
    textIn(policy, "alternate-exchange")
  const delayed =
    type === "x-delayed-message" ||
    type === "x-delayed-exchange" ||
    args.get("x-delayed-exchange") === true ||
    policy?.get("delayed-message") === true ||
    policy?.get("delayed-message") === "true"
  const deduplication = deduplicationOf(args)
  const federation = federationOf(policy)
  const isPlain = alternateExchange === null && !delayed && deduplication === null
  if (isPlain && federation === null) return PLAIN_EXCHANGE
  return { alternateExchange, delayed, deduplication, federation }
}

/** The smaller one; null is no limit. */
function minimum(a: number | null, b: number | null): number | null {
  if (a === null) return b
  return b === null ? a : Math.min(a, b)
}

function overflowOf(
  type: QueueType,
  args: Table,
  policy: Definition | null,
  operatorPolicy: Definition | null,
): Overflow {
  const candidates = [
    args.get("x-overflow"),
    operatorPolicy?.get("overflow"),
    policy?.get("overflow"),
  ]
  for (const candidate of candidates) {
    const overflow = OVERFLOWS.find((known) => known === candidate)
    if (overflow === undefined) continue
    // Quorum queues have no reject-publish-dlx: it is refused as an argument, and heeded as if absent here.
    if (type === "quorum" && overflow === "reject-publish-dlx") continue
    return overflow
  }
  return "drop-head"
}

function deliveryLimitOf(
  type: QueueType,
  args: Table,
  policy: Definition | null,
  operatorPolicy: Definition | null,
): number | null {
  const key = "delivery-limit"
  const min = Number.MIN_SAFE_INTEGER
  const limit = strictest(
    argumentInteger(args, `x-${key}`, min),
    strictest(integerIn(policy, key, min), integerIn(operatorPolicy, key, min)),
  )
  if (limit === null) return type === "quorum" ? QUORUM_DELIVERY_LIMIT : null
  return limit < 0 ? null : limit
}

/** null is not said, negative is unlimited. */
function strictest(a: number | null, b: number | null): number | null {
  if (a === null) return b
  if (b === null) return a
  return a < 0 || b < 0 ? Math.max(a, b) : Math.min(a, b)
}

function deduplicationOf(args: Table): DeduplicationSettings | null {
  if (args.get("x-message-deduplication") !== true) return null
  return {
    cacheSize: argumentInteger(args, "x-cache-size", 0) ?? CACHE_SIZE,
    ttlMs: argumentInteger(args, "x-cache-ttl", 0),
    header: argumentText(args, "x-deduplication-header") ?? DEDUPLICATION_HEADER,
  }
}

/** Of several, which a definition of another product may hold, the first. */
function federationOf(policy: Definition | null): FederationSettings | null {
  const upstream = textIn(policy, "federation-upstream")
  if (upstream !== null) return { by: "upstream", name: upstream }
  const set = textIn(policy, "federation-upstream-set")
  if (set !== null) return { by: "set", name: set }
  const pattern = textIn(policy, "federation-upstream-pattern")
  return pattern === null ? null : { by: "pattern", name: pattern }
}

function argumentOrPolicy(args: Table, policy: Definition | null, key: string): string | null {
  return argumentText(args, `x-${key}`) ?? textIn(policy, key)
}

function ageOf(value: unknown): number | null {
  return typeof value === "string" ? parseAgeMs(value) : null
}

function argumentText(args: Table, name: string): string | null {
  const value = args.get(name)
  return typeof value === "string" ? value : null
}

function argumentInteger(
  args: Table,
  name: string,
  min: number,
  max = Number.MAX_SAFE_INTEGER,
): number | null {
  const value = args.get(name)
  if (value === undefined) return null
  const number = numberOf(value)
  // Beyond 2^53 it limits nothing that could ever be reached.
  if (typeof number !== "number" || !Number.isInteger(number)) return null
  return number >= min && number <= max ? number : null
}
