import type { BasicProperties } from "../../amqp/properties.ts"
import { formatFieldType, type FieldValue, type Table } from "../../amqp/table.ts"
import { Refusal } from "../errors.ts"
import type { BindingRegister } from "./binding-register.ts"
import { ChoiceBindings } from "./choice-bindings.ts"
import type { Destination, RouteTargets } from "./destination.ts"
import { hashText, mix } from "./hash.ts"
import { fieldKey, formatTerm } from "./table-key.ts"

/**
 * Consistent hash exchange (x-consistent-hash): each message goes to one destination, by a hash of its
 * routing key, of a header or of a property. A binding's routing key is the weight of its destination;
 * of several bindings of one destination the oldest counts.
 *
 * Weighted rendezvous hashing over 65,536 slots: a slot belongs to the destination whose hash with the
 * slot's number, scaled by its weight, is the highest. So a destination that comes takes exactly its
 * share from all others, one that goes leaves the rest where it was, the order of bindings and
 * restarts do not matter, and a weight of a million costs as much as one of 1. A ring needs points in
 * proportion to the weights and is uneven with few of them; a jump hash moves most keys when a
 * destination in the middle leaves. Owners of slots are looked for when they are first asked for.
 */

/** What is hashed. */
export interface HashSource {
  readonly kind: "routing-key" | "header" | "property"
  /** Of the header or property. */
  readonly name: string
}

const ROUTING_KEY: HashSource = { kind: "routing-key", name: "" }
const PROPERTIES: ReadonlySet<FieldValue> = new Set(["correlation_id", "message_id", "timestamp"])
const HEADER_ARGUMENTS = ["hash-header", "x-hash-on"]

const SLOT_COUNT = 1 << 16
/** So few destinations are compared each time: 10 ns each, while remembering costs 128 KiB. */
const UNREMEMBERED_MAX = 8
/** LavinMQ's bound. */
const WEIGHT_MAX = 0xffff_ffff

export class HashBindings extends ChoiceBindings {
  readonly #source: HashSource
  #owners: SlotOwners | null = null

  constructor(register: BindingRegister, source: HashSource) {
    super(register)
    this.#source = source
  }

  override get usesProperties(): boolean {
    return this.#source.kind !== "routing-key"
  }

  override add(destination: Destination, routingKey: string, args: Table): boolean {
    checkWeight(routingKey)
    return super.add(destination, routingKey, args)
  }

  match(routingKey: string, properties: BasicProperties | null, targets: RouteTargets): void {
    if (this.bound.size === 0) return
    const { kind, name } = this.#source
    let text = routingKey
    if (kind === "header") text = textOfHeader(properties, name)
    else if (kind === "property") text = textOfProperty(properties, name)
    const owners = (this.#owners ??= this.#findOwners())
    targets.add(owners.destinationOf(hashText(text) & (SLOT_COUNT - 1)))
  }

  protected override changed(): void {
    super.changed()
    this.#owners = null
  }

  #findOwners(): SlotOwners {
    const { destinations } = this
    const weights = destinations.map((destination) => {
      const [oldest] = this.bound.get(destination) ?? []
      return Number(oldest ?? 1)
    })
    return new SlotOwners(destinations, weights)
  }
}

/** Who gets the messages of each slot. Made anew after every change of the bindings. */
class SlotOwners {
  readonly #destinations: readonly Destination[]
  readonly #weights: Float64Array
  readonly #seeds: Int32Array
  readonly #isWeighted: boolean
  /** Index of the owner plus 1, or 0 if it is not known yet. */
  readonly #known: Uint16Array | Uint32Array | null

  constructor(destinations: readonly Destination[], weights: readonly number[]) {
    const count = destinations.length
    this.#destinations = destinations
    this.#weights = Float64Array.from(weights)
    this.#isWeighted = weights.some((weight) => weight !== weights[0])
    this.#seeds = new Int32Array(2 * count)
    for (let i = 0; i < count; i++) {
      const { kind, name } = destinations[i]! // In range.
      // Two seeds: two of a thousand destinations with the same one would happen, and one get nothing.
      this.#seeds[2 * i] = hashText(name, kind + 1)
      this.#seeds[2 * i + 1] = hashText(name, kind + 0x5bd1_e995)
    }
    if (count <= UNREMEMBERED_MAX) this.#known = null
    else this.#known = count < 0xffff ? new Uint16Array(SLOT_COUNT) : new Uint32Array(SLOT_COUNT)
  }

  destinationOf(slot: number): Destination {
    const known = this.#known
    let index = known === null ? -1 : known[slot]! - 1
    if (index < 0) {
      index = this.#isWeighted ? this.#findWeighted(slot) : this.#find(slot)
      if (known !== null) known[slot] = index + 1
    }
    return this.#destinations[index]!
  }

  /** The same as #findWeighted() finds for equal weights. */
  #find(slot: number): number {
    const count = this.#weights.length
    let best = 0
    let highest = -1
    for (let i = 0; i < count; i++) {
      const score = this.#hash(slot, i)
      if (score <= highest) continue
      best = i
      highest = score
    }
    return best
  }

  #findWeighted(slot: number): number {
    const weights = this.#weights
    let best = 0
    let highest = -1
    for (let i = 0; i < weights.length; i++) {
      // The chance that this is the highest is exactly the weight's share.
      const score = weights[i]! / -Math.log((this.#hash(slot, i) + 0.5) / 0x1_0000_0000)
      if (score <= highest) continue
      best = i
      highest = score
    }
    return best
  }

  #hash(slot: number, index: number): number {
    const seeds = this.#seeds
    const first = mix(Math.imul(slot + 1, 0x9e37_79b1) ^ seeds[2 * index]!)
    return mix(first ^ seeds[2 * index + 1]!) >>> 0
  }
}

/** Throws Refusal unless a new exchange may have these arguments, with RabbitMQ's texts. */
export function checkHashArguments(vhostName: string, name: string, args: Table): void {
  for (const argument of HEADER_ARGUMENTS) {
    const value = args.get(argument)
    if (value !== undefined && typeof value !== "string")
      throw new Refusal(
        "precondition-failed",
        `invalid arg '${argument}' for exchange '${name}' in vhost '${vhostName}': ` +
          `{unacceptable_type,${formatFieldType(value)}}`,
      )
  }
  const property = args.get("hash-property")
  if (property === undefined) return
  if (HEADER_ARGUMENTS.some((argument) => args.has(argument)))
    throw new Refusal("precondition-failed", "hash-header and hash-property are mutually exclusive")
  if (!PROPERTIES.has(property))
    throw new Refusal(
      "precondition-failed",
      `Unsupported property: ${typeof property === "string" ? property : formatTerm(property)}`,
    )
}

/** Of arguments that were checked; others have no effect. */
export function hashSourceOf(args: Table): HashSource {
  for (const argument of HEADER_ARGUMENTS) {
    const name = args.get(argument)
    if (typeof name === "string") return { kind: "header", name }
  }
  const property = args.get("hash-property")
  if (typeof property !== "string" || !PROPERTIES.has(property)) return ROUTING_KEY
  return { kind: "property", name: property }
}

function checkWeight(routingKey: string): void {
  if (!/^[+-]?[0-9]+$/.test(routingKey))
    throw new Refusal(
      "precondition-failed",
      `The binding key must be an integer: ${formatTerm(routingKey)}`,
    )
  const weight = Number(routingKey)
  if (weight < 1) throw new Refusal("precondition-failed", "The binding key must be greater than 0")
  if (weight > WEIGHT_MAX)
    throw new Refusal("precondition-failed", `The binding key must not exceed ${WEIGHT_MAX}`)
}

/** A message without the header is treated like one with an empty one. */
function textOfHeader(properties: BasicProperties | null, name: string): string {
  const value = properties?.headers?.get(name)
  if (value === undefined) return ""
  return typeof value === "string" ? value : fieldKey(value)
}

function textOfProperty(properties: BasicProperties | null, name: string): string {
  if (properties === null) return ""
  if (name === "correlation_id") return properties.correlationId ?? ""
  if (name === "message_id") return properties.messageId ?? ""
  return properties.timestamp === undefined ? "" : String(properties.timestamp)
}
