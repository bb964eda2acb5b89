import { EMPTY_TABLE, formatFieldType, type Table } from "../../amqp/table.ts"
import { Refusal } from "../errors.ts"
import { BindingRegister } from "./binding-register.ts"
import type { BindingTable } from "./binding-table.ts"
import { checkHashArguments, HashBindings, hashSourceOf } from "./hash-bindings.ts"
import { DirectBindings } from "./direct-bindings.ts"
import { FanoutBindings } from "./fanout-bindings.ts"
import {
  checkFederationArguments,
  FEDERATION_EXCHANGE_TYPE,
  FederationBindings,
} from "./federation-exchange.ts"
import { HeadersBindings } from "./headers-bindings.ts"
import { LocalRandomBindings, ModulusBindings, RandomBindings } from "./choice-bindings.ts"
import { TopicBindings } from "./topic-bindings.ts"

/**
 * The types of exchanges: the binding table of each, and which arguments of a declaration it accepts.
 *
 * A delayed exchange (x-delayed-message) has the bindings of the type that its argument x-delayed-type
 * names; that it delays is in its settings.
 */

type CreateBindings = (args: Table) => BindingTable

/** One entry per type; a new type adds a line here and its binding table. */
const BINDING_TABLES: ReadonlyMap<string, CreateBindings> = new Map<string, CreateBindings>([
  ["direct", () => new DirectBindings(new BindingRegister())],
  ["fanout", () => new FanoutBindings(new BindingRegister())],
  ["topic", () => new TopicBindings(new BindingRegister())],
  ["headers", () => new HeadersBindings(new BindingRegister())],
  ["x-consistent-hash", (args) => new HashBindings(new BindingRegister(), hashSourceOf(args))],
  ["x-modulus-hash", () => new ModulusBindings(new BindingRegister())],
  ["x-random", () => new RandomBindings(new BindingRegister())],
  ["x-local-random", () => new LocalRandomBindings(new BindingRegister())],
  [FEDERATION_EXCHANGE_TYPE, (args) => new FederationBindings(new BindingRegister(), args)],
])

/** The second name is what LavinMQ's definitions may hold. */
const DELAYED_TYPES: ReadonlySet<string> = new Set(["x-delayed-message", "x-delayed-exchange"])
const INNER_TYPE_ARGUMENT = "x-delayed-type"

export const EXCHANGE_TYPES: readonly string[] = [...BINDING_TABLES.keys(), "x-delayed-message"]

/** Throws Refusal for a type that does not exist. A declare checks this before anything else. */
export function checkExchangeType(type: string): void {
  if (!BINDING_TABLES.has(type) && !DELAYED_TYPES.has(type))
    throw new Refusal("precondition-failed", `unknown exchange type '${type}'`)
}

/** Throws Refusal unless a new exchange of this type may have these arguments, with RabbitMQ's texts. */
export function checkTypeArguments(
  vhostName: string,
  name: string,
  type: string,
  args: Table,
): void {
  let inner = type
  if (DELAYED_TYPES.has(type)) {
    const innerType = args.get(INNER_TYPE_ARGUMENT)
    if (typeof innerType !== "string" || !BINDING_TABLES.has(innerType))
      throw new Refusal(
        "precondition-failed",
        `Invalid argument, '${INNER_TYPE_ARGUMENT}' must be an existing exchange type`,
      )
    inner = innerType
  }
  const isDelayed = args.get("x-delayed-exchange")
  if (isDelayed !== undefined && typeof isDelayed !== "boolean")
    throw new Refusal(
      "precondition-failed",
      `invalid arg 'x-delayed-exchange' for exchange '${name}' in vhost '${vhostName}': ` +
        `{unacceptable_type,${formatFieldType(isDelayed)}}`,
    )
  if (inner === "x-consistent-hash") checkHashArguments(vhostName, name, args)
  if (inner === FEDERATION_EXCHANGE_TYPE) checkFederationArguments(args)
}

/**
 * The bindings of a new exchange. Throws Refusal if the type does not exist; arguments that were not
 * checked (an old definition) have no effect.
 */
export function createBindingTable(type: string, args: Table = EMPTY_TABLE): BindingTable {
  let create = BINDING_TABLES.get(type)
  if (DELAYED_TYPES.has(type)) {
    const inner = args.get(INNER_TYPE_ARGUMENT)
    create =
      BINDING_TABLES.get(typeof inner === "string" ? inner : "") ?? BINDING_TABLES.get("direct")
  }
  if (create === undefined)
    throw new Refusal("precondition-failed", `unknown exchange type '${type}'`)
  return create(args)
}
