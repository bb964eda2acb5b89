import { choice, flag, json, numeric, textual } from "./arguments.ts"
import type { KnownArgument } from "./arguments.ts"

/** What parameters of shovels and of federation upstreams may hold beside the fields of their forms. */
export const SHOVEL_KEYS: readonly KnownArgument[] = [
  json(
    "src-delete-after",
    "When the shovel ends and removes itself: never (default), queue-length (what is there when it starts), or a number of messages",
    "queue-length",
  ),
  numeric("src-delete-after-duration", "Seconds after which it ends and removes itself", 3600),
  json(
    "src-queue-args",
    "Arguments with which a missing source queue is declared",
    '{"x-queue-type":"classic"}',
  ),
  json(
    "src-consumer-args",
    "Arguments of the consumer; for a stream x-stream-offset says where reading begins",
    '{"x-stream-offset":"first"}',
  ),
  textual("src-consumer-name", "Tag of the consumer at the source", "shovel"),
  flag("src-predeclared", "The source queue must be there; it is not declared"),
  json(
    "dest-queue-args",
    "Arguments with which a missing destination queue is declared",
    '{"x-queue-type":"classic"}',
  ),
  flag("dest-predeclared", "The destination queue must be there; it is not declared"),
  json(
    "dest-publish-properties",
    "Properties that every message gets at the destination",
    '{"delivery_mode":2}',
  ),
  flag("dest-add-forward-headers", "Adds the header x-shovelled: where the message has been"),
  flag("dest-add-timestamp-header", "Adds the header x-shovelled-timestamp, in seconds"),
  numeric(
    "dest-loop-limit",
    "How often a message may pass this shovel before it is rejected; needs forward headers, 0 is no limit",
    3,
  ),
  textual("dest-signing-secret", "HTTP: signs each request, so that the receiver can check it"),
  numeric("dest-http-concurrency", "HTTP: requests under way at one time (default 1)", 4),
  numeric("dest-http-timeout", "HTTP: seconds until a request is given up (default 30)", 30),
]

export const UPSTREAM_KEYS: readonly KnownArgument[] = [
  textual("exchange", "Exchanges: its name at the upstream, if it is another one"),
  numeric("max-hops", "Exchanges: over how many links a message may go (default 1)", 1),
  numeric(
    "expires",
    "Exchanges: milliseconds after which the upstream deletes the link's queue while the link is away; without it, never",
    3_600_000,
  ),
  numeric("message-ttl", "Exchanges: milliseconds that messages wait in that queue", 3_600_000),
  choice("queue-type", "Exchanges: type of that queue", ["classic", "quorum"]),
  choice(
    "resource-cleanup-mode",
    "Exchanges: never leaves queue and bindings at the upstream when the link ends",
    ["default", "never"],
  ),
  textual("queue", "Queues: its name at the upstream, if it is another one"),
  textual("consumer-tag", "Queues: tag of the link's consumer"),
  flag("trust-user-id", "Keeps the property user-id; otherwise it is dropped"),
  flag("bind-nowait", "Binds without waiting for the answer"),
  choice("channel-use-mode", "One channel for everything, or several", ["multiple", "single"]),
]

export const ACK_MODES = [
  ["on-confirm", "on-confirm: when the destination has it; nothing is lost"],
  ["on-publish", "on-publish: when it is sent; lost if the destination fails"],
  ["no-ack", "no-ack: at once; may be lost at both ends, fastest"],
] as const

/** The parameter without the keys that have fields of their own: what the editor of further keys shows. */
export function furtherKeys(
  value: Readonly<Record<string, unknown>>,
  known: readonly KnownArgument[],
  fields: readonly string[],
): Readonly<Record<string, unknown>> {
  const names = new Set(known.map(({ name }) => name))
  return Object.fromEntries(
    Object.entries(value).filter(([name]) => names.has(name) || !fields.includes(name)),
  )
}
