import type { PlainRecord } from "../../amqp/table.ts"
import { Refusal } from "../../broker/errors.ts"
import { amqpUriProblem, isHttpUri, uriList } from "../link-uri.ts"
import { httpTargetProblem } from "./http-target.ts"
import { ParameterReader } from "./parameter-reader.ts"
import { parsePublishProperties } from "./publish-properties.ts"
import type { BasicProperties } from "../../amqp/properties.ts"

/**
 * What a parameter of the component `shovel` says: names, defaults and rules of RabbitMQ and LavinMQ,
 * their older names, and a few of our own (docs/shovels.md). Pure; whether the places exist shows when
 * the shovel connects.
 */
export type AckMode = "on-confirm" | "on-publish" | "no-ack"

export interface SourceConfig {
  readonly uris: readonly string[]
  /** Null: a queue of the shovel's own, bound to `exchange`. */
  readonly queue: string | null
  readonly exchange: string | null
  readonly exchangeKey: string
  readonly queueArguments: PlainRecord
  readonly consumerArguments: PlainRecord
  readonly consumerName: string | null
  /** The queue must be there. */
  readonly isPredeclared: boolean
}

export interface AmqpDestinationConfig {
  readonly kind: "amqp"
  readonly uris: readonly string[]
  readonly queue: string | null
  readonly exchange: string | null
  readonly exchangeKey: string | null
  readonly queueArguments: PlainRecord
  readonly isPredeclared: boolean
}

export interface HttpDestinationConfig {
  readonly kind: "http"
  readonly uris: readonly string[]
  readonly signingSecret: string | null
  /** Requests under way at a time. */
  readonly concurrency: number
  /** From the request until the end of the response. */
  readonly timeoutMs: number
}

export interface ShovelConfig {
  readonly source: SourceConfig
  readonly destination: AmqpDestinationConfig | HttpDestinationConfig
  readonly ackMode: AckMode
  readonly prefetch: number
  readonly deleteAfter: "never" | "queue-length" | number
  /** Null: never. */
  readonly deleteAfterMs: number | null
  /** 0: the first failure is the last. */
  readonly reconnectDelayMs: number
  readonly addForwardHeaders: boolean
  readonly addTimestampHeader: boolean
  /** Null: as they came. */
  readonly publishProperties: BasicProperties | null
  /** A message that has passed this shovel so often is rejected; 0 is no limit. Needs forward headers. */
  readonly loopLimit: number
}

const PREFETCH = 1000
const RECONNECT_DELAY_S = 5
const DELAY_MAX_S = 2_000_000
const COUNT_MAX = Number.MAX_SAFE_INTEGER
const HTTP_TIMEOUT_S = 30
const HTTP_CONCURRENCY_MAX = 100
const LOOP_LIMIT = 3
const SECRET_MAX = 1024

/** Throws Refusal with all that is wrong. */
export function parseShovel(name: string, value: unknown): ShovelConfig {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw refused(name, ["the value must be an object"])
  const reader = new ParameterReader(value)
  readProtocols(reader)
  const source = readSource(reader)
  const destination = readDestination(reader)
  const ackMode = reader.choice<AckMode>("ack-mode", "on-confirm", [
    "on-confirm",
    "on-publish",
    "no-ack",
  ])
  const durationS = reader.number("src-delete-after-duration", 0, DELAY_MAX_S)
  const config: ShovelConfig = {
    source,
    destination,
    ackMode,
    prefetch: reader.integer(["src-prefetch-count", "prefetch-count"], PREFETCH, 65_535),
    deleteAfter: readDeleteAfter(reader, ackMode),
    deleteAfterMs: durationS === 0 ? null : durationS * 1000,
    reconnectDelayMs: reader.number("reconnect-delay", RECONNECT_DELAY_S, DELAY_MAX_S) * 1000,
    addForwardHeaders: reader.flag("dest-add-forward-headers", "add-forward-headers"),
    addTimestampHeader: reader.flag("dest-add-timestamp-header", "add-timestamp-header"),
    publishProperties: parsePublishProperties(
      reader.table("dest-publish-properties", "publish-properties"),
      reader.problems,
    ),
    loopLimit: reader.integer(["dest-loop-limit"], LOOP_LIMIT, 10_000),
  }
  reader.refuseOthers("shovel")
  if (reader.problems.length > 0) throw refused(name, reader.problems)
  return config
}

function refused(name: string, problems: readonly string[]): Refusal {
  return new Refusal(
    "precondition-failed",
    `Validation failed\n\nshovel '${name}': ${problems.join("; ")}\n`,
  )
}

const AMQP10 = [
  "src-address",
  "dest-address",
  "dest-properties",
  "dest-application-properties",
  "dest-message-annotations",
  "src-durable-terminus",
  "dest-durable-terminus",
]

function readProtocols(reader: ParameterReader): void {
  for (const name of ["src-protocol", "dest-protocol"] as const) {
    const value = reader.value(name)
    if (value === "amqp10")
      reader.problems.push(`${name} amqp10 is not supported: links speak AMQP 0-9-1`)
    else if (value !== undefined && value !== "amqp091" && value !== "local")
      reader.problems.push(
        `${name} should be amqp091 or local, actually was ${JSON.stringify(value)}`,
      )
  }
  for (const name of AMQP10)
    if (reader.has(name)) reader.problems.push(`${name} is for AMQP 1.0, which is not supported`)
}

function readUris(reader: ParameterReader, name: string, mayBeHttp: boolean): readonly string[] {
  const value = reader.value(name)
  if (value === undefined) {
    reader.problems.push(`Key '${name}' not found`)
    return []
  }
  const uris = uriList(value)
  if (uris === null) {
    reader.problems.push(`${name} should be a URI or a list of URIs`)
    return []
  }
  const problems = new Set<string>()
  for (const uri of uris) {
    const problem = mayBeHttp && isHttpUri(uri) ? httpTargetProblem(uri) : amqpUriProblem(uri)
    if (problem !== null) problems.add(`${name}: ${problem}`)
  }
  reader.problems.push(...problems)
  return uris
}

function readSource(reader: ParameterReader): SourceConfig {
  const queue = reader.text("src-queue")
  const exchange = reader.text("src-exchange")
  if (queue === null && exchange === null)
    reader.problems.push("Must specify 'src-exchange' or 'src-queue'")
  if (queue !== null && exchange !== null)
    reader.problems.push("Cannot specify 'src-exchange' and 'src-queue'")
  return {
    uris: readUris(reader, "src-uri", false),
    queue,
    exchange,
    exchangeKey: reader.text("src-exchange-key") ?? "",
    queueArguments: reader.table("src-queue-args"),
    consumerArguments: reader.table("src-consumer-args"),
    consumerName: reader.text("src-consumer-name"),
    isPredeclared: reader.flag("src-predeclared"),
  }
}

function readDestination(reader: ParameterReader): AmqpDestinationConfig | HttpDestinationConfig {
  const uris = readUris(reader, "dest-uri", true)
  const hasDefaultExchange = reader.has("dest-exchange")
  const amqp: AmqpDestinationConfig = {
    kind: "amqp",
    uris,
    queue: reader.text("dest-queue"),
    exchange: reader.text("dest-exchange"),
    exchangeKey: reader.text("dest-exchange-key"),
    queueArguments: reader.table("dest-queue-args"),
    isPredeclared: reader.flag("dest-predeclared"),
  }
  const http: HttpDestinationConfig = {
    kind: "http",
    uris,
    signingSecret: reader.text("dest-signing-secret", SECRET_MAX),
    concurrency: reader.integer(["dest-http-concurrency"], 1, HTTP_CONCURRENCY_MAX, 1),
    timeoutMs: reader.number("dest-http-timeout", HTTP_TIMEOUT_S, 3600) * 1000,
  }
  if (amqp.queue !== null && amqp.exchange !== null)
    reader.problems.push("Cannot specify 'dest-exchange' and 'dest-queue'")
  if (!uris.some(isHttpUri)) {
    if (http.signingSecret !== null)
      reader.problems.push("dest-signing-secret is for destinations of HTTP")
    // An exchange of "" is the default one, unless a queue says where to.
    return amqp.exchange === null && amqp.queue === null && hasDefaultExchange
      ? { ...amqp, exchange: "" }
      : amqp
  }
  if (!uris.every(isHttpUri))
    reader.problems.push("dest-uri: the URIs must all be AMQP, or all be HTTP")
  if (http.timeoutMs === 0) reader.problems.push("dest-http-timeout must be more than 0")
  return http
}

function readDeleteAfter(reader: ParameterReader, ackMode: AckMode): ShovelConfig["deleteAfter"] {
  const value = reader.value("src-delete-after", "delete-after")
  if (value === undefined || value === "never") return "never"
  if (value === "queue-length") return value
  if (typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= COUNT_MAX) {
    if (ackMode === "no-ack")
      reader.problems.push("Cannot specify 'no-ack' and numerical 'delete-after'")
    return value
  }
  reader.problems.push(
    `src-delete-after should be never, queue-length or a number, actually was ${JSON.stringify(value)}`,
  )
  return "never"
}
