/**
 * What arguments, policy and operator policy together say of a queue or an exchange: plain values,
 * checked and merged (policy/merge.ts), so that queues know neither arguments nor policies.
 */

export type Overflow = "drop-head" | "reject-publish" | "reject-publish-dlx"

/** From where a queue or exchange is federated (links/federation), as its policy says it. */
export interface FederationSettings {
  readonly by: "upstream" | "set" | "pattern"
  /** Name of the upstream or the set, or a regular expression for names of upstreams. */
  readonly name: string
}

export interface DeduplicationSettings {
  /** Entries that are remembered. */
  readonly cacheSize: number
  /** How long an entry is remembered; null is until it is pushed out. */
  readonly ttlMs: number | null
  /** Name of the message header that holds the key. */
  readonly header: string
}

/** null is "not limited" or "does not have it". */
export interface QueueSettings {
  readonly expiresMs: number | null
  readonly messageTtlMs: number | null
  readonly deadLetterExchange: string | null
  /** Only with deadLetterExchange; null keeps the message's own keys. */
  readonly deadLetterRoutingKey: string | null
  readonly maxLength: number | null
  readonly maxLengthBytes: number | null
  readonly overflow: Overflow
  readonly deliveryLimit: number | null
  readonly consumerTimeoutMs: number | null
  /** 0 if the queue knows no priorities, else the highest (x-max-priority; never from a policy). */
  readonly maxPriority: number
  /** Never from a policy. */
  readonly singleActiveConsumer: boolean
  readonly deduplication: DeduplicationSettings | null
  /** Streams only. */
  readonly maxAgeMs: number | null
  readonly streamSegmentBytes: number | null
  /** Policies only; never of a stream. */
  readonly federation: FederationSettings | null
}

export const PLAIN_QUEUE: QueueSettings = {
  expiresMs: null,
  messageTtlMs: null,
  deadLetterExchange: null,
  deadLetterRoutingKey: null,
  maxLength: null,
  maxLengthBytes: null,
  overflow: "drop-head",
  deliveryLimit: null,
  consumerTimeoutMs: null,
  maxPriority: 0,
  singleActiveConsumer: false,
  deduplication: null,
  maxAgeMs: null,
  streamSegmentBytes: null,
  federation: null,
}

export interface ExchangeSettings {
  /** Where messages go that match nothing here; null is nowhere. */
  readonly alternateExchange: string | null
  /** Messages with an x-delay header wait (x-delayed-message, or the policy key delayed-message). */
  readonly delayed: boolean
  readonly deduplication: DeduplicationSettings | null
  /** Policies only. */
  readonly federation: FederationSettings | null
}

export const PLAIN_EXCHANGE: ExchangeSettings = {
  alternateExchange: null,
  delayed: false,
  deduplication: null,
  federation: null,
}
