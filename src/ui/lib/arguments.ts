/** The arguments that forms offer, with type and explanation. What is not in these lists can be typed freely. */
export type ArgumentType = "number" | "text" | "boolean" | "choice" | "json"

export interface KnownArgument {
  readonly name: string
  readonly type: ArgumentType
  readonly help: string
  readonly example?: string | number | boolean
  readonly choices?: readonly string[]
}

type Example = KnownArgument["example"]

const of =
  (type: ArgumentType) =>
  (name: string, help: string, example?: Example): KnownArgument => ({
    name,
    type,
    help,
    ...(example !== undefined && { example }),
  })

export const numeric = of("number")
export const textual = of("text")
export const json = of("json")

export const flag = (name: string, help: string): KnownArgument => of("boolean")(name, help, true)

export const choice = (name: string, help: string, choices: readonly string[]): KnownArgument => ({
  ...of("choice")(name, help),
  choices,
})

export const QUEUE_ARGUMENTS: readonly KnownArgument[] = [
  choice("x-queue-type", "classic by default; stream keeps messages after they were read", [
    "classic",
    "quorum",
    "stream",
  ]),
  numeric("x-message-ttl", "Milliseconds until a message expires", 60_000),
  numeric("x-expires", "Milliseconds without use until the queue deletes itself", 1_800_000),
  numeric("x-max-length", "Most ready messages that the queue holds", 10_000),
  numeric("x-max-length-bytes", "Most bytes of ready messages", 104_857_600),
  choice("x-overflow", "What happens when it is full: drop the oldest, or refuse the new", [
    "drop-head",
    "reject-publish",
    "reject-publish-dlx",
  ]),
  textual("x-dead-letter-exchange", "Where messages go that expire, are rejected, or are dropped"),
  textual("x-dead-letter-routing-key", "The routing key for these; without it, their own"),
  numeric("x-delivery-limit", "Deliveries before a message is given up", 20),
  numeric("x-max-priority", "Highest priority; each level is a store of its own", 10),
  flag("x-single-active-consumer", "One consumer at a time; the next takes over"),
  numeric("x-consumer-timeout", "Milliseconds that a consumer may keep a message", 1_800_000),
  flag("x-message-deduplication", "Drops messages whose deduplication header was seen before"),
  numeric("x-cache-size", "How many deduplication values are remembered", 100_000),
  numeric("x-cache-ttl", "Milliseconds for which they are remembered", 60_000),
  textual("x-deduplication-header", "The header that is compared", "x-deduplication-header"),
  textual("x-max-age", "Streams: age after which messages go, in Y, M, D, h, m, s", "7D"),
  numeric("x-stream-max-segment-size-bytes", "Streams: size of a file", 8_388_608),
]

export const EXCHANGE_ARGUMENTS: readonly KnownArgument[] = [
  textual("x-alternate-exchange", "Where messages go that no binding matches"),
  flag("x-delayed-exchange", "Messages with an x-delay header wait that many milliseconds"),
  choice("x-delayed-type", "How a delayed exchange routes", [
    "direct",
    "fanout",
    "topic",
    "headers",
  ]),
  textual("x-hash-on", "Consistent hash: the header to hash instead of the routing key"),
  flag("x-message-deduplication", "Drops messages whose deduplication header was seen before"),
  numeric("x-cache-size", "How many deduplication values are remembered", 100_000),
  numeric("x-cache-ttl", "Milliseconds for which they are remembered", 60_000),
  textual("x-deduplication-header", "The header that is compared"),
]

export const BINDING_ARGUMENTS: readonly KnownArgument[] = [
  choice("x-match", "Headers exchange: all headers must match, or one", [
    "all",
    "any",
    "all-with-x",
    "any-with-x",
  ]),
]

/** Those of queues, without `x-`. */
const QUEUE_KEYS = new Set([
  "message-ttl",
  "expires",
  "max-length",
  "max-length-bytes",
  "overflow",
  "dead-letter-exchange",
  "dead-letter-routing-key",
  "delivery-limit",
  "consumer-timeout",
  "max-age",
  "stream-max-segment-size-bytes",
])

function policyKey({ name, help, ...rest }: KnownArgument): KnownArgument {
  return {
    name: name.slice(2),
    help: help.replace(/^(?!Streams)./, (first) => `Queues: ${first.toLowerCase()}`),
    ...rest,
  }
}

export const POLICY_KEYS: readonly KnownArgument[] = [
  ...QUEUE_ARGUMENTS.map(policyKey).filter(({ name }) => QUEUE_KEYS.has(name)),
  textual("alternate-exchange", "Exchanges: where messages go that no binding matches"),
  flag("delayed-message", "Exchanges: messages with an x-delay header wait"),
  textual("federation-upstream", "The upstream that feeds it"),
  textual("federation-upstream-set", "The set of upstreams that feeds it", "all"),
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
