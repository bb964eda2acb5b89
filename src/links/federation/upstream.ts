import { Pattern } from "../../auth/pattern.ts"
import { TIME_MS_MAX } from "../../broker/policy/definition.ts"
import { Refusal } from "../../broker/errors.ts"
import type { Parameters } from "../../broker/parameters.ts"
import type { FederationSettings } from "../../broker/settings.ts"
import { amqpUriProblem, uriList } from "../link-uri.ts"
import { ParameterReader } from "../shovel/parameter-reader.ts"

/**
 * What parameters of the components `federation-upstream` and `federation-upstream-set` say, and which
 * upstreams a policy means by them: names, defaults and rules of RabbitMQ. Pure; whether an upstream is
 * there shows when a link connects.
 */
export const UPSTREAM = "federation-upstream"
export const UPSTREAM_SET = "federation-upstream-set"

export type AckMode = "on-confirm" | "on-publish" | "no-ack"

export interface Upstream {
  /** Of the parameter. */
  readonly name: string
  readonly uris: readonly string[]
  /** At the upstream; null is the name of the local one. */
  readonly exchange: string | null
  readonly queue: string | null
  /** 0 is unlimited. */
  readonly prefetch: number
  /** 0: the first failure is the last. */
  readonly reconnectDelayMs: number
  readonly ackMode: AckMode
  /** The user-id property is kept; else it is left out, since nobody here has checked it. */
  readonly trustUserId: boolean
  readonly hopsMax: number
  readonly consumerTag: string
  /** Of the queue that an exchange has at the upstream. */
  readonly expiresMs: number | null
  readonly messageTtlMs: number | null
  readonly queueType: "classic" | "quorum"
  /** What a link has made at the upstream stays there when the link ends. */
  readonly keepsResources: boolean
  /** Bindings go over a channel of their own, so that they do not wait behind messages. */
  readonly hasCommandChannel: boolean
}

/** The implicit set of all upstreams of the vhost, unless there is a parameter of that name. */
const ALL = "all"
const PREFETCH = 1000
const PREFETCH_MAX = 65_535
const RECONNECT_DELAY_SECONDS = 5
const RECONNECT_DELAY_SECONDS_MAX = 86_400
/** Hops are a 16-bit number in the arguments of bindings. */
const HOPS_MAX = 32_767
const SET_SIZE_MAX = 1000

/** Throws Refusal, with all that is wrong. */
export function checkUpstream(name: string, value: unknown): void {
  const problems: string[] = []
  parse(name, value, problems)
  refuse(problems)
}

/** Throws Refusal. That the upstreams of a set are there is not asked: they may come later. */
export function checkUpstreamSet(name: string, value: unknown): void {
  if (!Array.isArray(value)) refuse([`${name} should be a list, actually was ${shown(value)}`])
  const entries: readonly unknown[] = Array.isArray(value) ? value : []
  if (entries.length > SET_SIZE_MAX) refuse([`${name} has more than ${SET_SIZE_MAX} upstreams`])
  for (const entry of entries) {
    const problems: string[] = []
    if (!isRecord(entry)) refuse([`${name} should be a list of objects`])
    else {
      const reader = new ParameterReader(entry)
      if (reader.text("upstream") === null) problems.push(`Key "upstream" not found in ${name}`)
      readFields(name, reader)
      reader.refuseOthers(name)
      refuse([...problems, ...reader.problems])
    }
  }
}

/** Those that a policy names, in the order of the parameters. Entries that cannot be used are left out. */
export function upstreamsOf(settings: FederationSettings, parameters: Parameters): Upstream[] {
  return wanted(settings, parameters).flatMap(({ name, overrides }) => {
    const value = parameters.get(UPSTREAM, name)?.value
    if (!isRecord(value)) return []
    const problems: string[] = []
    const upstream = parse(name, { ...value, ...overrides }, problems)
    return upstream === null || problems.length > 0 ? [] : [upstream]
  })
}

interface Wanted {
  readonly name: string
  readonly overrides: Readonly<Record<string, unknown>>
}

function wanted({ by, name }: FederationSettings, parameters: Parameters): Wanted[] {
  if (by === "upstream") return [{ name, overrides: {} }]
  const names = parameters.list(UPSTREAM).map((parameter) => parameter.name)
  if (by === "pattern") {
    const pattern = name === "" ? null : new Pattern(name)
    return names
      .filter((other) => pattern === null || pattern.test(other))
      .map((other) => ({ name: other, overrides: {} }))
  }
  const set = parameters.get(UPSTREAM_SET, name)?.value
  if (set === undefined && name === ALL)
    return names.map((other) => ({ name: other, overrides: {} }))
  const entries: readonly unknown[] = Array.isArray(set) ? set : []
  return entries.flatMap((entry) => {
    if (!isRecord(entry)) return []
    const { upstream, ...overrides } = entry
    return typeof upstream === "string" ? [{ name: upstream, overrides }] : []
  })
}

function parse(name: string, value: unknown, problems: string[]): Upstream | null {
  if (!isRecord(value)) {
    problems.push(`${name} should be an object, actually was ${shown(value)}`)
    return null
  }
  const reader = new ParameterReader(value)
  const given = reader.value("uri")
  const uris = uriList(given) ?? []
  if (given === undefined) problems.push(`Key "uri" not found in ${name}`)
  else if (uris.length === 0) problems.push("uri should be a URI or a list of URIs")
  for (const uri of uris) {
    const problem = amqpUriProblem(uri)
    if (problem !== null) problems.push(`uri is not valid: ${problem}`)
  }
  const fields = readFields(name, reader)
  reader.refuseOthers(name)
  problems.push(...reader.problems)
  return { name, uris, ...fields }
}

function readFields(name: string, reader: ParameterReader): Omit<Upstream, "name" | "uris"> {
  const optional = (key: string, min: number): number | null =>
    reader.has(key) ? reader.integer([key], min, TIME_MS_MAX, min) : null
  const seconds = reader.number(
    "reconnect-delay",
    RECONNECT_DELAY_SECONDS,
    RECONNECT_DELAY_SECONDS_MAX,
  )
  // Accepted for what comes from other brokers; nothing follows from them here.
  reader.value("ha-policy")
  reader.flag("bind-nowait")
  return {
    exchange: reader.text("exchange"),
    queue: reader.text("queue"),
    prefetch: reader.integer(["prefetch-count"], PREFETCH, PREFETCH_MAX),
    reconnectDelayMs: Math.round(seconds * 1000),
    ackMode: reader.choice("ack-mode", "on-confirm", ["on-confirm", "on-publish", "no-ack"]),
    trustUserId: reader.flag("trust-user-id"),
    hopsMax: reader.integer(["max-hops"], 1, HOPS_MAX, 1),
    consumerTag: reader.text("consumer-tag") ?? `federation-link-${name}`.slice(0, 255),
    expiresMs: optional("expires", 1),
    messageTtlMs: optional("message-ttl", 0),
    queueType: reader.choice("queue-type", "classic", ["classic", "quorum"]),
    keepsResources:
      reader.choice("resource-cleanup-mode", "default", ["default", "never"]) === "never",
    hasCommandChannel:
      reader.choice("channel-use-mode", "multiple", ["multiple", "single"]) === "multiple",
  }
}

function refuse(problems: readonly string[]): void {
  if (problems.length > 0)
    throw new Refusal("precondition-failed", `Validation failed\n\n${problems.join("\n")}\n`)
}

function shown(value: unknown): string {
  return value === undefined ? "nothing" : JSON.stringify(value).slice(0, 100)
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value)
}
