import { href } from "../../lib/route.ts"
import type { Rate } from "../overview/types.ts"

/** Exchanges and bindings as the API has them, and what the routing test answers. */
export interface ExchangeRow {
  readonly name: string
  readonly vhost: string
  readonly type: string
  readonly durable: boolean
  readonly auto_delete: boolean
  readonly internal: boolean
  readonly arguments: Readonly<Record<string, unknown>>
  readonly policy: string | null
  readonly operator_policy: string | null
  readonly effective_policy_definition: Readonly<Record<string, unknown>>
  readonly message_stats: Readonly<Record<string, number | Rate>>
}

export interface BindingRow {
  readonly source: string
  readonly vhost: string
  readonly destination: string
  readonly destination_type: string
  readonly routing_key: string
  readonly arguments: Readonly<Record<string, unknown>>
  readonly properties_key: string
}

export interface RouteStep extends BindingRow {
  readonly via: "binding" | "alternate-exchange" | "chance"
  readonly routing_keys: readonly string[]
}

export interface RouteAnswer {
  readonly routed: boolean
  readonly queues: readonly string[]
  readonly routing_keys: readonly string[]
  readonly exchanges: readonly {
    readonly name: string
    readonly type: string
    readonly matched: boolean
    readonly delay_ms: number
    readonly deduplicates: boolean
  }[]
  readonly path: readonly RouteStep[]
  readonly steps: number
  readonly truncated: boolean
}

/** The default exchange has no name; addresses and the API call it so. */
const DEFAULT_ALIAS = "amq.default"

const isDefaultName = (name: string): boolean => name === "" || name === DEFAULT_ALIAS
export const addressName = (name: string): string => (name === "" ? DEFAULT_ALIAS : name)
export const shownName = (name: string): string => (isDefaultName(name) ? "(default)" : name)

export function exchangeHref({ vhost, name }: Pick<ExchangeRow, "vhost" | "name">): string {
  return href(["exchanges", vhost, addressName(name)])
}

/** Those that every vhost has cannot be deleted. */
export const isPredeclared = (name: string): boolean => name === "" || name.startsWith("amq.")

/** Messages with the header x-delay wait here. */
export function isDelayed(exchange: ExchangeRow): boolean {
  const { type, arguments: args, effective_policy_definition: policy } = exchange
  return (
    type === "x-delayed-message" ||
    args["x-delayed-exchange"] === true ||
    policy["delayed-message"] === true
  )
}

export const EXCHANGE_TYPES: readonly (readonly [type: string, name: string, about: string])[] = [
  ["direct", "Direct", "the binding key equals the routing key"],
  ["fanout", "Fanout", "everything that is bound gets a copy"],
  ["topic", "Topic", "the binding key is a pattern with * and #"],
  ["headers", "Headers", "the arguments of the binding are compared with the headers"],
  [
    "x-consistent-hash",
    "Consistent hash",
    "one destination, by a hash; the binding key is its weight",
  ],
  ["x-modulus-hash", "Modulus hash", "one destination, by a hash of the routing key"],
  ["x-random", "Random", "one destination, by chance"],
  ["x-local-random", "Local random", "one classic queue, by chance"],
  [
    "x-delayed-message",
    "Delayed message",
    "waits as long as x-delay says; routes as x-delayed-type says",
  ],
]

export function typeName(type: string): string {
  return EXCHANGE_TYPES.find(([one]) => one === type)?.[1] ?? type
}
