import type { BasicProperties } from "../../amqp/properties.ts"
import {
  isArray,
  isInteger,
  isTable,
  numberOf,
  type FieldValue,
  type Table,
} from "../../amqp/table.ts"
import { Refusal } from "../errors.ts"
import type { BindingRegister } from "./binding-register.ts"
import { FanoutBindings } from "./fanout-bindings.ts"
import type { RouteTargets } from "./destination.ts"

/**
 * Exchange x-federation-upstream: what a broker that federates an exchange from here puts between that
 * exchange and its queue. A fanout that lets no message pass which has been at that broker already, or
 * has come over as many links as it may. Who declares it is the other broker's link; ours is
 * links/federation.
 */
export const FEDERATION_EXCHANGE_TYPE = "x-federation-upstream"

export const MAX_HOPS_ARGUMENT = "x-max-hops"
export const DOWNSTREAM_NAME_ARGUMENT = "x-downstream-name"
export const DOWNSTREAM_VHOST_ARGUMENT = "x-downstream-vhost"
/** Of a message: a table for each link that it has come over, the latest first. */
export const RECEIVED_FROM_HEADER = "x-received-from"

export class FederationBindings extends FanoutBindings {
  readonly #hopsMax: number
  readonly #downstreamName: string | null
  readonly #downstreamVhost: string | null

  constructor(register: BindingRegister, args: Table) {
    super(register)
    this.#hopsMax = Number(numberOf(args.get(MAX_HOPS_ARGUMENT)) ?? Number.POSITIVE_INFINITY)
    this.#downstreamName = textOf(args, DOWNSTREAM_NAME_ARGUMENT)
    this.#downstreamVhost = textOf(args, DOWNSTREAM_VHOST_ARGUMENT)
  }

  override get usesProperties(): boolean {
    return true
  }

  override match(
    routingKey: string,
    properties: BasicProperties | null,
    targets: RouteTargets,
  ): void {
    const headers = properties?.headers
    if (
      headers === undefined ||
      mayPass(headers, this.#hopsMax, this.#downstreamName, this.#downstreamVhost)
    )
      super.match(routingKey, properties, targets)
    // What is held back has reached where it was to go: it must not count as unroutable.
    else targets.matched = true
  }
}

/** May a message with these headers go on to this vhost of that cluster? Null is known of neither. */
export function mayPass(
  headers: Table,
  hopsMax: number,
  clusterName: string | null,
  vhostName: string | null,
): boolean {
  const received = headers.get(RECEIVED_FROM_HEADER)
  if (received === undefined || !isArray(received)) return true
  return received.length < hopsMax && !hasSeen(received, clusterName, vhostName)
}

/** Is the vhost of the cluster among these entries of x-received-from or x-bound-from? */
export function hasSeen(
  entries: readonly FieldValue[],
  clusterName: string | null,
  vhostName: string | null,
): boolean {
  if (clusterName === null || vhostName === null) return false
  return entries.some(
    (entry) =>
      isTable(entry) &&
      entry.get("cluster-name") === clusterName &&
      entry.get("vhost") === vhostName,
  )
}

/** Throws Refusal, with RabbitMQ's texts. */
export function checkFederationArguments(args: Table): void {
  const hopsMax = args.get(MAX_HOPS_ARGUMENT)
  if (hopsMax === undefined)
    throw new Refusal("precondition-failed", `Argument ${MAX_HOPS_ARGUMENT} missing`)
  if (!isInteger(hopsMax))
    throw new Refusal("precondition-failed", `Argument ${MAX_HOPS_ARGUMENT} must be of type long`)
}

function textOf(args: Table, name: string): string | null {
  const value = args.get(name)
  return typeof value === "string" ? value : null
}
