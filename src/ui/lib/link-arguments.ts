import type { KnownArgument } from "./arguments.ts"

/** What parameters of shovels and of federation upstreams may hold beside the fields of their forms. */
export const SHOVEL_KEYS: readonly KnownArgument[] = [
  {
    name: "src-delete-after",
    type: "json",
    example: "queue-length",
    help: "When the shovel ends and removes itself: never (default), queue-length (what is there when it starts), or a number of messages",
  },
  {
    name: "src-delete-after-duration",
    type: "number",
    example: 3600,
    help: "Seconds after which it ends and removes itself",
  },
  {
    name: "src-queue-args",
    type: "json",
    example: '{"x-queue-type":"classic"}',
    help: "Arguments with which a missing source queue is declared",
  },
  {
    name: "src-consumer-args",
    type: "json",
    example: '{"x-stream-offset":"first"}',
    help: "Arguments of the consumer; for a stream x-stream-offset says where reading begins",
  },
  {
    name: "src-consumer-name",
    type: "text",
    example: "shovel",
    help: "Tag of the consumer at the source",
  },
  {
    name: "src-predeclared",
    type: "boolean",
    example: true,
    help: "The source queue must be there; it is not declared",
  },
  {
    name: "dest-queue-args",
    type: "json",
    example: '{"x-queue-type":"classic"}',
    help: "Arguments with which a missing destination queue is declared",
  },
  {
    name: "dest-predeclared",
    type: "boolean",
    example: true,
    help: "The destination queue must be there; it is not declared",
  },
  {
    name: "dest-publish-properties",
    type: "json",
    example: '{"delivery_mode":2}',
    help: "Properties that every message gets at the destination",
  },
  {
    name: "dest-add-forward-headers",
    type: "boolean",
    example: true,
    help: "Adds the header x-shovelled: where the message has been",
  },
  {
    name: "dest-add-timestamp-header",
    type: "boolean",
    example: true,
    help: "Adds the header x-shovelled-timestamp, in seconds",
  },
  {
    name: "dest-loop-limit",
    type: "number",
    example: 3,
    help: "How often a message may pass this shovel before it is rejected; needs forward headers, 0 is no limit",
  },
  {
    name: "dest-signing-secret",
    type: "text",
    example: "",
    help: "HTTP: signs each request, so that the receiver can check it",
  },
  {
    name: "dest-http-concurrency",
    type: "number",
    example: 4,
    help: "HTTP: requests under way at one time (default 1)",
  },
  {
    name: "dest-http-timeout",
    type: "number",
    example: 30,
    help: "HTTP: seconds until a request is given up (default 30)",
  },
]

export const UPSTREAM_KEYS: readonly KnownArgument[] = [
  {
    name: "exchange",
    type: "text",
    help: "Exchanges: its name at the upstream, if it is another one",
  },
  {
    name: "max-hops",
    type: "number",
    example: 1,
    help: "Exchanges: over how many links a message may go (default 1)",
  },
  {
    name: "expires",
    type: "number",
    example: 3_600_000,
    help: "Exchanges: milliseconds after which the upstream deletes the link's queue while the link is away; without it, never",
  },
  {
    name: "message-ttl",
    type: "number",
    example: 3_600_000,
    help: "Exchanges: milliseconds that messages wait in that queue",
  },
  {
    name: "queue-type",
    type: "choice",
    choices: ["classic", "quorum"],
    help: "Exchanges: type of that queue",
  },
  {
    name: "resource-cleanup-mode",
    type: "choice",
    choices: ["default", "never"],
    help: "Exchanges: never leaves queue and bindings at the upstream when the link ends",
  },
  { name: "queue", type: "text", help: "Queues: its name at the upstream, if it is another one" },
  { name: "consumer-tag", type: "text", help: "Queues: tag of the link's consumer" },
  {
    name: "trust-user-id",
    type: "boolean",
    example: true,
    help: "Keeps the property user-id; otherwise it is dropped",
  },
  {
    name: "bind-nowait",
    type: "boolean",
    example: true,
    help: "Binds without waiting for the answer",
  },
  {
    name: "channel-use-mode",
    type: "choice",
    choices: ["multiple", "single"],
    help: "One channel for everything, or several",
  },
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
