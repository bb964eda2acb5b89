/**
 * AMQP 0-9-1 with RabbitMQ's extensions as one table: every class and method with its fields in wire
 * order, the basic properties, the reply codes. scripts/generate-amqp.ts makes generated/methods.ts
 * from it. Only facts here, no code that reads or writes bytes.
 */
import { assert } from "../util/assert.ts"

const FIELD_TYPES = [
  "octet",
  "short",
  "long",
  "longlong",
  "shortstr",
  "longstr",
  "bit",
  "table",
] as const

export type FieldType = (typeof FIELD_TYPES)[number]

export interface FieldSpec {
  readonly name: string
  readonly type: FieldType
  /** Read and ignored, written as zero or empty; not part of the method's interface. */
  readonly isReserved: boolean
}

export interface MethodSpec {
  readonly name: string
  readonly id: number
  readonly sender: "client" | "server" | "both"
  /** The method waits for a reply (unless its nowait bit is set). */
  readonly isSynchronous: boolean
  /** A content header and body frames follow. */
  readonly hasContent: boolean
  readonly fields: readonly FieldSpec[]
}

export interface ClassSpec {
  readonly name: string
  readonly id: number
  readonly methods: readonly MethodSpec[]
}

/** Who sends: C the client, S the server, B both. Then: `sync` waits for a reply, `content` has content. */
type Traits = `${"C" | "S" | "B"}${"" | " sync"}${"" | " content"}`

/** Fields are written `type name`, separated by commas; a name that begins with `-` is reserved. */
function method(id: number, name: string, traits: Traits, fields = ""): MethodSpec {
  return {
    name,
    id,
    sender: traits.startsWith("C") ? "client" : traits.startsWith("S") ? "server" : "both",
    isSynchronous: traits.includes("sync"),
    hasContent: traits.includes("content"),
    fields: fields === "" ? [] : fields.split(", ").map(field),
  }
}

function field(text: string): FieldSpec {
  const [typeName, name = ""] = text.split(" ")
  const type = FIELD_TYPES.find((known) => known === typeName)
  assert(type !== undefined, "unknown field type in the table of methods")
  return { name: name.replace(/^-/, ""), type, isReserved: name.startsWith("-") }
}

const CLOSE = "short replyCode, shortstr replyText, short classId, short methodId"
const TUNE = "short channelMax, long frameMax, short heartbeat"
const BIND =
  "short -ticket, shortstr destination, shortstr source, shortstr routingKey, bit nowait, table arguments"

const CONNECTION: ClassSpec = {
  name: "connection",
  id: 10,
  methods: [
    method(
      10,
      "start",
      "S sync",
      "octet versionMajor, octet versionMinor, table serverProperties, longstr mechanisms, longstr locales",
    ),
    method(
      11,
      "start-ok",
      "C",
      "table clientProperties, shortstr mechanism, longstr response, shortstr locale",
    ),
    method(20, "secure", "S sync", "longstr challenge"),
    method(21, "secure-ok", "C", "longstr response"),
    method(30, "tune", "S sync", TUNE),
    method(31, "tune-ok", "C", TUNE),
    method(40, "open", "C sync", "shortstr vhost, shortstr -capabilities, bit -insist"),
    method(41, "open-ok", "S", "shortstr -knownHosts"),
    method(50, "close", "B sync", CLOSE),
    method(51, "close-ok", "B"),
    method(60, "blocked", "S", "shortstr reason"),
    method(61, "unblocked", "S"),
    method(70, "update-secret", "C sync", "longstr newSecret, shortstr reason"),
    method(71, "update-secret-ok", "S"),
  ],
}

const CHANNEL: ClassSpec = {
  name: "channel",
  id: 20,
  methods: [
    method(10, "open", "C sync", "shortstr -outOfBand"),
    method(11, "open-ok", "S", "longstr -channelId"),
    method(20, "flow", "B sync", "bit active"),
    method(21, "flow-ok", "B", "bit active"),
    method(40, "close", "B sync", CLOSE),
    method(41, "close-ok", "B"),
  ],
}

/** Deprecated in 0-9-1, still asked for by old clients: the server answers ticket 1 and ignores it afterwards. */
const ACCESS: ClassSpec = {
  name: "access",
  id: 30,
  methods: [
    method(
      10,
      "request",
      "C sync",
      "shortstr realm, bit exclusive, bit passive, bit active, bit write, bit read",
    ),
    method(11, "request-ok", "S", "short ticket"),
  ],
}

const EXCHANGE: ClassSpec = {
  name: "exchange",
  id: 40,
  methods: [
    method(
      10,
      "declare",
      "C sync",
      "short -ticket, shortstr exchange, shortstr type, bit passive, bit durable, bit autoDelete, bit internal, bit nowait, table arguments",
    ),
    method(11, "declare-ok", "S"),
    method(20, "delete", "C sync", "short -ticket, shortstr exchange, bit ifUnused, bit nowait"),
    method(21, "delete-ok", "S"),
    method(30, "bind", "C sync", BIND),
    method(31, "bind-ok", "S"),
    method(40, "unbind", "C sync", BIND),
    method(51, "unbind-ok", "S"), // 51, not 41: a slip of the extension that became the standard.
  ],
}

const QUEUE: ClassSpec = {
  name: "queue",
  id: 50,
  methods: [
    method(
      10,
      "declare",
      "C sync",
      "short -ticket, shortstr queue, bit passive, bit durable, bit exclusive, bit autoDelete, bit nowait, table arguments",
    ),
    method(11, "declare-ok", "S", "shortstr queue, long messageCount, long consumerCount"),
    method(
      20,
      "bind",
      "C sync",
      "short -ticket, shortstr queue, shortstr exchange, shortstr routingKey, bit nowait, table arguments",
    ),
    method(21, "bind-ok", "S"),
    method(30, "purge", "C sync", "short -ticket, shortstr queue, bit nowait"),
    method(31, "purge-ok", "S", "long messageCount"),
    method(
      40,
      "delete",
      "C sync",
      "short -ticket, shortstr queue, bit ifUnused, bit ifEmpty, bit nowait",
    ),
    method(41, "delete-ok", "S", "long messageCount"),
    method(
      50,
      "unbind", // Has no nowait bit, unlike every other method of its kind.
      "C sync",
      "short -ticket, shortstr queue, shortstr exchange, shortstr routingKey, table arguments",
    ),
    method(51, "unbind-ok", "S"),
  ],
}

const BASIC: ClassSpec = {
  name: "basic",
  id: 60,
  methods: [
    method(10, "qos", "C sync", "long prefetchSize, short prefetchCount, bit global"),
    method(11, "qos-ok", "S"),
    method(
      20,
      "consume",
      "C sync",
      "short -ticket, shortstr queue, shortstr consumerTag, bit noLocal, bit noAck, bit exclusive, bit nowait, table arguments",
    ),
    method(21, "consume-ok", "S", "shortstr consumerTag"),
    method(30, "cancel", "B sync", "shortstr consumerTag, bit nowait"),
    method(31, "cancel-ok", "B", "shortstr consumerTag"),
    method(
      40,
      "publish",
      "C content",
      "short -ticket, shortstr exchange, shortstr routingKey, bit mandatory, bit immediate",
    ),
    method(
      50,
      "return",
      "S content",
      "short replyCode, shortstr replyText, shortstr exchange, shortstr routingKey",
    ),
    method(
      60,
      "deliver",
      "S content",
      "shortstr consumerTag, longlong deliveryTag, bit redelivered, shortstr exchange, shortstr routingKey",
    ),
    method(70, "get", "C sync", "short -ticket, shortstr queue, bit noAck"),
    method(
      71,
      "get-ok",
      "S content",
      "longlong deliveryTag, bit redelivered, shortstr exchange, shortstr routingKey, long messageCount",
    ),
    method(72, "get-empty", "S", "shortstr -clusterId"),
    method(80, "ack", "B", "longlong deliveryTag, bit multiple"),
    method(90, "reject", "C", "longlong deliveryTag, bit requeue"),
    method(100, "recover-async", "C", "bit requeue"),
    method(110, "recover", "C sync", "bit requeue"),
    method(111, "recover-ok", "S"),
    method(120, "nack", "B", "longlong deliveryTag, bit multiple, bit requeue"),
  ],
}

const CONFIRM: ClassSpec = {
  name: "confirm",
  id: 85,
  methods: [method(10, "select", "C sync", "bit nowait"), method(11, "select-ok", "S")],
}

const TX: ClassSpec = {
  name: "tx",
  id: 90,
  methods: [
    method(10, "select", "C sync"),
    method(11, "select-ok", "S"),
    method(20, "commit", "C sync"),
    method(21, "commit-ok", "S"),
    method(30, "rollback", "C sync"),
    method(31, "rollback-ok", "S"),
  ],
}

export const CLASSES: readonly ClassSpec[] = [
  CONNECTION,
  CHANNEL,
  ACCESS,
  EXCHANGE,
  QUEUE,
  BASIC,
  CONFIRM,
  TX,
]

/** Basic properties in wire order. `bit` is the place in the property flags. */
export const PROPERTIES = [
  { name: "contentType", type: "shortstr", bit: 15 },
  { name: "contentEncoding", type: "shortstr", bit: 14 },
  { name: "headers", type: "table", bit: 13 },
  { name: "deliveryMode", type: "octet", bit: 12 },
  { name: "priority", type: "octet", bit: 11 },
  { name: "correlationId", type: "shortstr", bit: 10 },
  { name: "replyTo", type: "shortstr", bit: 9 },
  { name: "expiration", type: "shortstr", bit: 8 },
  { name: "messageId", type: "shortstr", bit: 7 },
  { name: "timestamp", type: "longlong", bit: 6 },
  { name: "type", type: "shortstr", bit: 5 },
  { name: "userId", type: "shortstr", bit: 4 },
  { name: "appId", type: "shortstr", bit: 3 },
  { name: "clusterId", type: "shortstr", bit: 2 },
] as const

/** Reply codes; `isHard` ones close the connection, the others the channel. */
export const REPLY_CODES = [
  { code: 200, name: "REPLY_SUCCESS", isHard: false },
  { code: 311, name: "CONTENT_TOO_LARGE", isHard: false },
  { code: 312, name: "NO_ROUTE", isHard: false },
  { code: 313, name: "NO_CONSUMERS", isHard: false },
  { code: 320, name: "CONNECTION_FORCED", isHard: true },
  { code: 402, name: "INVALID_PATH", isHard: true },
  { code: 403, name: "ACCESS_REFUSED", isHard: false },
  { code: 404, name: "NOT_FOUND", isHard: false },
  { code: 405, name: "RESOURCE_LOCKED", isHard: false },
  { code: 406, name: "PRECONDITION_FAILED", isHard: false },
  { code: 501, name: "FRAME_ERROR", isHard: true },
  { code: 502, name: "SYNTAX_ERROR", isHard: true },
  { code: 503, name: "COMMAND_INVALID", isHard: true },
  { code: 504, name: "CHANNEL_ERROR", isHard: true },
  { code: 505, name: "UNEXPECTED_FRAME", isHard: true },
  { code: 506, name: "RESOURCE_ERROR", isHard: true },
  { code: 530, name: "NOT_ALLOWED", isHard: true },
  { code: 540, name: "NOT_IMPLEMENTED", isHard: true },
  { code: 541, name: "INTERNAL_ERROR", isHard: true },
] as const

/** The code's name as it begins a reply text. */
export function replyName(code: number): string {
  for (const reply of REPLY_CODES) if (reply.code === code) return reply.name
  return String(code)
}
