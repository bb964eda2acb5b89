/**
 * The modes of sluiceperf with their flags: the one table that parser, --help and docs/sluiceperf.md are
 * made from. Names and defaults are lavinmqperf's; `aliases` are PerfTest's names where they mean the
 * same and collide with nothing.
 */
export type FlagValue = string | number | boolean | null | Readonly<Record<string, unknown>>

export interface FlagSpec {
  readonly key: string
  /** As shown: `-x`, `--publishers`. */
  readonly flags: readonly string[]
  /** Name of the value; a switch has none. */
  readonly argument?: string
  readonly aliases?: readonly string[]
  readonly default: FlagValue
  readonly kind: "switch" | "text" | "count" | "number" | "object" | "keep-alive"
  readonly min?: number
  readonly max?: number
  readonly doc: string
}

export interface ModeSpec {
  readonly name: ModeName
  readonly doc: string
  readonly flags: readonly FlagSpec[]
}

export const MODE_NAMES = [
  "throughput",
  "bind-churn",
  "queue-churn",
  "connection-churn",
  "channel-churn",
  "consumer-churn",
  "connection-count",
  "queue-count",
] as const
export type ModeName = (typeof MODE_NAMES)[number]

const COUNT_MAX = 2 ** 31 - 1

function count(
  key: string,
  flags: readonly string[],
  initial: number,
  doc: string,
  more: Partial<FlagSpec> = {},
): FlagSpec {
  return {
    key,
    flags,
    argument: "N",
    kind: "count",
    default: initial,
    max: COUNT_MAX,
    doc,
    ...more,
  }
}

function toggle(
  key: string,
  flags: readonly string[],
  doc: string,
  aliases: readonly string[] = [],
): FlagSpec {
  return { key, flags, kind: "switch", default: false, doc, aliases }
}

function object(key: string, flag: string, doc: string): FlagSpec {
  return { key, flags: [flag], argument: "JSON", kind: "object", default: null, doc }
}

export const URI_FLAG: FlagSpec = {
  key: "uri",
  flags: ["-u", "--uri"],
  argument: "URI",
  kind: "text",
  default: "amqp://guest:guest@localhost",
  doc: "Broker to connect to",
}

const URI_LONG: FlagSpec = { ...URI_FLAG, flags: ["--uri"] }

const JSON_FLAG = toggle("json", ["-j", "--json"], "Print the result as JSON and nothing else")

const THROUGHPUT_FLAGS: readonly FlagSpec[] = [
  URI_LONG,
  count("publishers", ["-x", "--publishers"], 1, "Publishers, each with a connection", {
    aliases: ["--producers"],
  }),
  count("consumers", ["-y", "--consumers"], 1, "Consumers, each with a connection"),
  count("size", ["-s", "--size"], 16, "Bytes in a message's body", { argument: "BYTES" }),
  toggle("verify", ["-V", "--verify"], "Compare the bodies received with those sent"),
  count("ack", ["-a", "--ack"], 0, "Acknowledge every N messages; 0 consumes without", {
    aliases: ["--multi-ack-every"],
  }),
  count("confirm", ["-c", "--confirm"], 0, "Publish with confirms, at most N outstanding"),
  count("publishTx", ["-t", "--transaction"], 0, "Publish in transactions of N messages", {
    aliases: ["--ptxsize"],
  }),
  count("ackTx", ["-T", "--ack-transaction"], 0, "Acknowledge in transactions of N messages", {
    aliases: ["--ctxsize"],
  }),
  {
    key: "queue",
    flags: ["-u", "--queue"],
    argument: "NAME",
    kind: "text",
    default: "perf-test",
    doc: "Queue, durable; an empty name: the server chooses, and deletes it afterwards",
  },
  {
    key: "routingKey",
    flags: ["-k", "--routing-key"],
    argument: "KEY",
    kind: "text",
    default: null,
    doc: "Routing key; default: the queue's name",
  },
  {
    key: "exchange",
    flags: ["-e", "--exchange"],
    argument: "NAME",
    kind: "text",
    default: "",
    doc: "Exchange to publish to; the queue is bound to it",
  },
  {
    key: "rate",
    flags: ["-r", "--rate"],
    argument: "PER_S",
    kind: "number",
    default: 0,
    doc: "Messages a second of each publisher; 0 is no limit",
  },
  {
    key: "consumerRate",
    flags: ["-R", "--consumer-rate"],
    argument: "PER_S",
    kind: "number",
    default: 0,
    doc: "Messages a second of each consumer; 0 is no limit",
  },
  toggle("persistent", ["-p", "--persistent"], "Delivery mode 2"),
  count(
    "prefetch",
    ["-P", "--prefetch"],
    0,
    "Unacknowledged messages of a consumer; 0 is no limit",
    {
      aliases: ["--qos"],
      max: 65_535,
    },
  ),
  toggle("poll", ["-g", "--poll"], "Fetch with basic.get instead of consuming", ["--polling"]),
  JSON_FLAG,
  {
    key: "time",
    flags: ["-z", "--time"],
    argument: "SECONDS",
    kind: "number",
    default: 0,
    doc: "Stop after this time; 0: go on until interrupted",
  },
  toggle("quiet", ["-q", "--quiet"], "Print the summary only"),
  count("publishMessages", ["-C", "--pmessages"], 0, "Stop after N messages published in all"),
  count("consumeMessages", ["-D", "--cmessages"], 0, "Stop after N messages consumed in all"),
  object("queueArgs", "--queue-args", "Arguments of the queue"),
  object("consumerArgs", "--consumer-args", "Arguments of the consumers"),
  object(
    "properties",
    "--properties",
    'Properties of the messages, such as {"priority":5,"headers":{}}',
  ),
  toggle("randomBodies", ["--random-bodies"], "Bodies of random bytes", ["--random-body"]),
  {
    key: "queuePattern",
    flags: ["--queue-pattern"],
    argument: "NAME-%",
    kind: "text",
    default: null,
    doc: "Many queues: % stands for the number; publishers take turns, consumers share them out",
  },
  count("queuePatternFrom", ["--queue-pattern-from"], 1, "First number of the pattern"),
  count("queuePatternTo", ["--queue-pattern-to"], 1, "Last number of the pattern"),
  toggle(
    "measureLatency",
    ["-l", "--measure-latency"],
    "Measure from publish to delivery; needs 8 bytes of body, empties the queue first",
  ),
  count(
    "threads",
    ["--threads"],
    0,
    "Threads that make the load; 0: one a processor, less one for a broker on this machine",
    {
      max: 256,
    },
  ),
]

const CHURN_FLAGS: readonly FlagSpec[] = [
  URI_FLAG,
  {
    key: "time",
    flags: ["-z", "--time"],
    argument: "SECONDS",
    kind: "number",
    default: 5,
    doc: "How long each operation is measured",
  },
  count("iterations", ["-C", "--iterations"], 0, "Measure N iterations instead of a time"),
  JSON_FLAG,
]

const CONNECTION_COUNT_FLAGS: readonly FlagSpec[] = [
  URI_LONG,
  count("count", ["-x", "--count"], 100, "Connections"),
  count("channels", ["-c", "--channels"], 1, "Channels of each connection"),
  count("consumers", ["-C", "--consumers"], 0, "Consumers of each channel"),
  {
    key: "queue",
    flags: ["-u", "--queue"],
    argument: "NAME",
    kind: "text",
    default: "connection-count",
    doc: "Queue of the consumers",
  },
  toggle(
    "localhost",
    ["-l", "--localhost"],
    "Connect to random addresses in 127.0.0.0/16, for more ports than one address has",
  ),
  {
    key: "keepAlive",
    flags: ["-k", "--keepalive"],
    argument: "IDLE[:COUNT:INTERVAL]",
    kind: "keep-alive",
    default: null,
    doc: "TCP keep-alive after IDLE seconds; count and interval are the system's",
  },
]

const QUEUE_COUNT_FLAGS: readonly FlagSpec[] = [
  URI_FLAG,
  count("queues", ["-q", "--queues"], 100, "Queues"),
  toggle("durable", ["-D", "--durable"], "Durable queues; without it exclusive ones"),
  object("arguments", "--arguments", "Arguments of the queues"),
  toggle("noWait", ["-n", "--no-wait"], "Do not wait for the reply to each declaration"),
]

export const MODES: readonly ModeSpec[] = [
  {
    name: "throughput",
    doc: "Publish and consume as fast as it goes, or at a rate",
    flags: THROUGHPUT_FLAGS,
  },
  {
    name: "bind-churn",
    doc: "Bind a temporary and a durable queue to amq.direct, over and over",
    flags: CHURN_FLAGS,
  },
  {
    name: "queue-churn",
    doc: "Declare and delete temporary and durable queues",
    flags: CHURN_FLAGS,
  },
  {
    name: "connection-churn",
    doc: "Open a connection with a channel, and close it",
    flags: CHURN_FLAGS,
  },
  { name: "channel-churn", doc: "Open and close a channel", flags: CHURN_FLAGS },
  { name: "consumer-churn", doc: "Start and cancel a consumer", flags: CHURN_FLAGS },
  {
    name: "connection-count",
    doc: "Open many connections and hold them",
    flags: CONNECTION_COUNT_FLAGS,
  },
  { name: "queue-count", doc: "Declare many queues and hold them", flags: QUEUE_COUNT_FLAGS },
]

/** The values of one run, by the keys of the table. The parser has checked kinds and ranges. */
export class FlagValues {
  readonly values: Readonly<Record<string, FlagValue>>

  constructor(values: Readonly<Record<string, FlagValue>>) {
    this.values = values
  }

  text(key: string): string {
    const value = this.values[key]
    return typeof value === "string" ? value : ""
  }

  textOrNull(key: string): string | null {
    const value = this.values[key]
    return typeof value === "string" ? value : null
  }

  number(key: string): number {
    const value = this.values[key]
    return typeof value === "number" ? value : 0
  }

  isOn(key: string): boolean {
    return this.values[key] === true
  }

  object(key: string): Readonly<Record<string, unknown>> {
    const value = this.values[key]
    return typeof value === "object" && value !== null ? value : {}
  }
}
