/** The arguments that forms offer, with type and explanation. What is not in these lists can be typed freely. */
export type ArgumentType = "number" | "text" | "boolean" | "choice" | "json"

export interface KnownArgument {
  readonly name: string
  readonly type: ArgumentType
  readonly help: string
  readonly example?: string | number | boolean
  readonly choices?: readonly string[]
}

export const QUEUE_ARGUMENTS: readonly KnownArgument[] = [
  {
    name: "x-queue-type",
    type: "choice",
    choices: ["classic", "quorum", "stream"],
    help: "classic by default; stream keeps messages after they were read",
  },
  {
    name: "x-message-ttl",
    type: "number",
    example: 60_000,
    help: "Milliseconds until a message expires",
  },
  {
    name: "x-expires",
    type: "number",
    example: 1_800_000,
    help: "Milliseconds without use until the queue deletes itself",
  },
  {
    name: "x-max-length",
    type: "number",
    example: 10_000,
    help: "Most ready messages that the queue holds",
  },
  {
    name: "x-max-length-bytes",
    type: "number",
    example: 104_857_600,
    help: "Most bytes of ready messages",
  },
  {
    name: "x-overflow",
    type: "choice",
    choices: ["drop-head", "reject-publish", "reject-publish-dlx"],
    help: "What happens when it is full: drop the oldest, or refuse the new",
  },
  {
    name: "x-dead-letter-exchange",
    type: "text",
    help: "Where messages go that expire, are rejected, or are dropped",
  },
  {
    name: "x-dead-letter-routing-key",
    type: "text",
    help: "The routing key for these; without it, their own",
  },
  {
    name: "x-delivery-limit",
    type: "number",
    example: 20,
    help: "Deliveries before a message is given up",
  },
  {
    name: "x-max-priority",
    type: "number",
    example: 10,
    help: "Highest priority; each level is a store of its own",
  },
  {
    name: "x-single-active-consumer",
    type: "boolean",
    example: true,
    help: "One consumer at a time; the next takes over",
  },
  {
    name: "x-consumer-timeout",
    type: "number",
    example: 1_800_000,
    help: "Milliseconds that a consumer may keep a message",
  },
  {
    name: "x-message-deduplication",
    type: "boolean",
    example: true,
    help: "Drops messages whose deduplication header was seen before",
  },
  {
    name: "x-cache-size",
    type: "number",
    example: 100_000,
    help: "How many deduplication values are remembered",
  },
  {
    name: "x-cache-ttl",
    type: "number",
    example: 60_000,
    help: "Milliseconds for which they are remembered",
  },
  {
    name: "x-deduplication-header",
    type: "text",
    example: "x-deduplication-header",
    help: "The header that is compared",
  },
  {
    name: "x-max-age",
    type: "text",
    example: "7D",
    help: "Streams: age after which messages go, in Y, M, D, h, m, s",
  },
  {
    name: "x-stream-max-segment-size-bytes",
    type: "number",
    example: 8_388_608,
    help: "Streams: size of a file",
  },
]

export const EXCHANGE_ARGUMENTS: readonly KnownArgument[] = [
  { name: "x-alternate-exchange", type: "text", help: "Where messages go that no binding matches" },
  {
    name: "x-delayed-exchange",
    type: "boolean",
    example: true,
    help: "Messages with an x-delay header wait that many milliseconds",
  },
  {
    name: "x-delayed-type",
    type: "choice",
    choices: ["direct", "fanout", "topic", "headers"],
    help: "How a delayed exchange routes",
  },
  {
    name: "x-hash-on",
    type: "text",
    help: "Consistent hash: the header to hash instead of the routing key",
  },
  {
    name: "x-message-deduplication",
    type: "boolean",
    example: true,
    help: "Drops messages whose deduplication header was seen before",
  },
  {
    name: "x-cache-size",
    type: "number",
    example: 100_000,
    help: "How many deduplication values are remembered",
  },
  {
    name: "x-cache-ttl",
    type: "number",
    example: 60_000,
    help: "Milliseconds for which they are remembered",
  },
  { name: "x-deduplication-header", type: "text", help: "The header that is compared" },
]

export const BINDING_ARGUMENTS: readonly KnownArgument[] = [
  {
    name: "x-match",
    type: "choice",
    choices: ["all", "any", "all-with-x", "any-with-x"],
    help: "Headers exchange: all headers must match, or one",
  },
]

export const POLICY_KEYS: readonly KnownArgument[] = [
  {
    name: "message-ttl",
    type: "number",
    example: 60_000,
    help: "Queues: milliseconds until a message expires",
  },
  {
    name: "expires",
    type: "number",
    example: 1_800_000,
    help: "Queues: milliseconds without use until the queue goes",
  },
  { name: "max-length", type: "number", example: 10_000, help: "Queues: most ready messages" },
  {
    name: "max-length-bytes",
    type: "number",
    example: 104_857_600,
    help: "Queues: most bytes of ready messages",
  },
  {
    name: "overflow",
    type: "choice",
    choices: ["drop-head", "reject-publish", "reject-publish-dlx"],
    help: "Queues: what happens when it is full",
  },
  {
    name: "dead-letter-exchange",
    type: "text",
    help: "Queues: where messages go that the queue gives up",
  },
  { name: "dead-letter-routing-key", type: "text", help: "Queues: the routing key for these" },
  {
    name: "delivery-limit",
    type: "number",
    example: 20,
    help: "Queues: deliveries before a message is given up",
  },
  {
    name: "consumer-timeout",
    type: "number",
    example: 1_800_000,
    help: "Queues: milliseconds that a consumer may keep a message",
  },
  { name: "max-age", type: "text", example: "7D", help: "Streams: age after which messages go" },
  {
    name: "stream-max-segment-size-bytes",
    type: "number",
    example: 8_388_608,
    help: "Streams: size of a file",
  },
  {
    name: "alternate-exchange",
    type: "text",
    help: "Exchanges: where messages go that no binding matches",
  },
  {
    name: "delayed-message",
    type: "boolean",
    example: true,
    help: "Exchanges: messages with an x-delay header wait",
  },
  { name: "federation-upstream", type: "text", help: "The upstream that feeds it" },
  {
    name: "federation-upstream-set",
    type: "text",
    example: "all",
    help: "The set of upstreams that feeds it",
  },
]

export const OPERATOR_POLICY_KEYS: readonly KnownArgument[] = POLICY_KEYS.filter(({ name }) =>
  [
    "message-ttl",
    "expires",
    "max-length",
    "max-length-bytes",
    "overflow",
    "delivery-limit",
  ].includes(name),
)

/** A line of the editor: the value as it was typed. */
export interface ArgumentRow {
  readonly name: string
  readonly value: string
}

export type ParsedArguments =
  | { readonly ok: true; readonly value: Readonly<Record<string, unknown>> }
  | { readonly ok: false; readonly index: number; readonly reason: string }

/** Known arguments have their type; others are JSON, and what is no JSON is text. */
export function parseArguments(
  rows: readonly ArgumentRow[],
  known: readonly KnownArgument[],
): ParsedArguments {
  const value: Record<string, unknown> = {}
  for (const [index, row] of rows.entries()) {
    const name = row.name.trim()
    if (name === "" && row.value.trim() === "") continue
    if (name === "") return { ok: false, index, reason: "The argument needs a name." }
    if (Object.hasOwn(value, name)) return { ok: false, index, reason: `${name} is there twice.` }
    const parsed = parseValue(row.value, known.find((one) => one.name === name)?.type ?? "json")
    if ("reason" in parsed) return { ok: false, index, reason: `${name}: ${parsed.reason}` }
    value[name] = parsed.value
  }
  return { ok: true, value }
}

function parseValue(text: string, type: ArgumentType): { value: unknown } | { reason: string } {
  const trimmed = text.trim()
  switch (type) {
    case "number": {
      const number = Number(trimmed)
      return trimmed !== "" && Number.isFinite(number)
        ? { value: number }
        : { reason: "this must be a number." }
    }
    case "boolean":
      if (trimmed === "true" || trimmed === "false") return { value: trimmed === "true" }
      return { reason: "this must be true or false." }
    case "text":
    case "choice":
      return trimmed === "" ? { reason: "the value is missing." } : { value: trimmed }
    case "json":
    default:
      return { value: fromJson(trimmed) }
  }
}

function fromJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

/** The reverse, for forms that edit something that is there. */
export function toRows(value: Readonly<Record<string, unknown>>): ArgumentRow[] {
  return Object.entries(value).map(([name, one]) => ({
    name,
    value: typeof one === "string" ? one : JSON.stringify(one),
  }))
}
