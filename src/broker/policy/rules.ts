import { fromPlain, type PlainValue } from "../../amqp/table.ts"
import { AuthError } from "../../auth/errors.ts"
import { Pattern } from "../../auth/pattern.ts"
import { formatTerm } from "../exchange/table-key.ts"
import { parseAgeMs, TIME_MS_MAX } from "./definition.ts"

/**
 * Which keys a policy may have and with what values: RabbitMQ's and LavinMQ's, with RabbitMQ's words for
 * what is wrong. What a key does is merge.ts; which of them an operator policy may have is here too.
 *
 * Keys without effect are accepted if a client or a definitions file of either product is likely to
 * bring them: refusing them would refuse the whole policy.
 */

/** Null if the value will do; else what it should have been ("a valid queue expiry"). */
type Rule = (value: unknown) => string | null

function expect(name: string, isValid: (value: unknown) => boolean): Rule {
  return (value) => (isValid(value) ? null : name)
}

function isInteger(value: unknown, min: number, max = Number.MAX_SAFE_INTEGER): boolean {
  return Number.isSafeInteger(value) && Number(value) >= min && Number(value) <= max
}

function integer(name: string, min: number, max?: number): Rule {
  return expect(name, (value) => isInteger(value, min, max))
}

function text(name: string): Rule {
  return expect(name, (value) => typeof value === "string")
}

function pattern(name: string): Rule {
  return expect(name, (value) => typeof value === "string" && isPattern(value))
}

function isPattern(source: string): boolean {
  try {
    void new Pattern(source)
    return true
  } catch (error) {
    if (error instanceof AuthError) return false
    throw error
  }
}

function oneOf(name: string, words: readonly string[]): Rule {
  return expect(name, (value) => typeof value === "string" && words.includes(value))
}

const FEDERATION_KEYS = [
  "federation-upstream",
  "federation-upstream-set",
  "federation-upstream-pattern",
]
const OVERFLOWS = ["drop-head", "reject-publish", "reject-publish-dlx"]
const LOCATORS = ["client-local", "balanced", "random", "least-leaders", "min-masters"]
/** RabbitMQ's bounds. */
const STREAM_SEGMENT_BYTES_MAX = 3_000_000_000
const FILTER_BYTES_MIN = 16
const FILTER_BYTES_MAX = 255

const EFFECTIVE_RULES: ReadonlyMap<string, Rule> = new Map<string, Rule>([
  ["alternate-exchange", text("alternate exchange name")],
  ["consumer-timeout", integer("consumer timeout", 0)],
  ["dead-letter-exchange", text("dead letter exchange name")],
  ["dead-letter-routing-key", text("dead letter routing key")],
  // LavinMQ's API takes texts only.
  [
    "delayed-message",
    expect("delayed-message value", (value) =>
      [true, false, "true", "false"].some((v) => v === value),
    ),
  ],
  ["delivery-limit", integer("delivery limit", Number.MIN_SAFE_INTEGER)],
  ["expires", integer("queue expiry", 1, TIME_MS_MAX)],
  ["federation-upstream", text("federation upstream name")],
  ["federation-upstream-pattern", pattern("federation upstream pattern")],
  ["federation-upstream-set", text("federation upstream set name")],
  [
    "max-age",
    expect("max age", (value) => typeof value === "string" && parseAgeMs(value) !== null),
  ],
  ["max-length", integer("maximum length", 0)],
  ["max-length-bytes", integer("maximum length in bytes", 0)],
  ["message-ttl", integer("message TTL", 0, TIME_MS_MAX)],
  ["overflow", oneOf("overflow value", OVERFLOWS)],
  ["stream-max-segment-size-bytes", integer("segment size", 1, STREAM_SEGMENT_BYTES_MAX)],
])

/** Accepted and kept; this broker has nothing that they could change. */
const IGNORED_RULES: ReadonlyMap<string, Rule> = new Map<string, Rule>([
  ["dead-letter-strategy", oneOf("dead letter strategy", ["at-most-once", "at-least-once"])],
  ["delayed-retry-max", integer("delayed retry maximum", 0)],
  ["delayed-retry-min", integer("delayed retry minimum", 0)],
  ["delayed-retry-type", text("delayed retry type")],
  ["initial-cluster-size", integer("cluster size", 1)],
  ["max-in-memory-bytes", integer("maximum memory in bytes", 0)],
  ["max-in-memory-length", integer("maximum memory in messages", 0)],
  ["queue-leader-locator", oneOf("queue leader locator value", LOCATORS)],
  ["queue-master-locator", oneOf("queue master locator value", LOCATORS)],
  ["queue-mode", oneOf("queue-mode value", ["default", "lazy"])],
  ["queue-version", integer("queue-version value", 1, 2)],
  ["routing-key", text("routing key")],
  ["shards-per-node", integer("number of shards", 1)],
  ["stream-filter-size-bytes", integer("filter size", FILTER_BYTES_MIN, FILTER_BYTES_MAX)],
  ["target-group-size", integer("target group size", 1)],
])

/** Mirroring of classic queues, which RabbitMQ 4 has no more: kept for who comes from 3, and warned of. */
const OBSOLETE_KEYS: ReadonlySet<string> = new Set([
  "ha-mode",
  "ha-params",
  "ha-promote-on-failure",
  "ha-promote-on-shutdown",
  "ha-sync-batch-size",
  "ha-sync-mode",
])

/** RabbitMQ's list: limits that an operator sets above what the users say. */
const OPERATOR_KEYS: ReadonlySet<string> = new Set([
  "delivery-limit",
  "expires",
  "max-in-memory-bytes",
  "max-in-memory-length",
  "max-length",
  "max-length-bytes",
  "message-ttl",
  "overflow",
  "queue-version",
  "target-group-size",
])

/** Keys that change something; only they are shown as effective. */
export function isEffectiveKey(key: string): boolean {
  return EFFECTIVE_RULES.has(key)
}

export function isValidValue(key: string, value: unknown): boolean {
  return EFFECTIVE_RULES.get(key)?.(value) === null
}

/** Those of the keys that are accepted though nothing heeds them any more. */
export function obsoleteKeys(keys: Iterable<string>): string[] {
  return [...keys].filter((key) => OBSOLETE_KEYS.has(key))
}

/** What is wrong with the definition of a policy, or null. */
export function definitionError(
  definition: ReadonlyMap<string, unknown>,
  isOperator: boolean,
): string | null {
  if (definition.size === 0) return "no policy provided"
  const unknown = [...definition.keys()].filter((key) => !isKnown(key, isOperator))
  if (unknown.length > 0)
    return `${show(unknown)} are not recognised ${isOperator ? "operator " : ""}policy settings`
  for (const [key, value] of definition) {
    const error = (EFFECTIVE_RULES.get(key) ?? IGNORED_RULES.get(key))?.(value) ?? null
    if (error !== null) return `${show(value)} is not a valid ${error}`
  }
  if (definition.has("dead-letter-routing-key") && !definition.has("dead-letter-exchange"))
    return "dead-letter-routing-key needs dead-letter-exchange"
  const given = FEDERATION_KEYS.filter((key) => definition.has(key))
  if (given.length > 1) return `cannot specify both ${given.join(" and ")}`
  return null
}

function isKnown(key: string, isOperator: boolean): boolean {
  if (isOperator) return OPERATOR_KEYS.has(key)
  return EFFECTIVE_RULES.has(key) || IGNORED_RULES.has(key) || OBSOLETE_KEYS.has(key)
}

/** As RabbitMQ prints it: <<"text">>. */
function show(value: unknown): string {
  // It came from JSON: nothing else than plain values can be in it.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return formatTerm(fromPlain((value ?? null) as PlainValue))
}
