import type { Table } from "../../amqp/table.ts"
import { assert } from "../../util/assert.ts"
import { Refusal } from "../errors.ts"
import { BindingRegister } from "./binding-register.ts"
import type { BindingTable } from "./binding-table.ts"
import { DESTINATION_EXCHANGE, type Destination } from "./destination.ts"
import { DirectBindings } from "./direct-bindings.ts"
import { FanoutBindings } from "./fanout-bindings.ts"
import { HeadersBindings } from "./headers-bindings.ts"
import type { ResolvedRoute } from "./route.ts"
import { TopicBindings } from "./topic-bindings.ts"

/**
 * An exchange: its attributes, its bindings and its counters. Does no I/O and has no rules about
 * names, permissions or deletion (vhost); following a message through exchanges is route.ts.
 *
 * After every change of `bindings` the vhost calls Router.invalidate().
 */
export interface ExchangeOptions {
  readonly name: string
  readonly type: string
  readonly durable: boolean
  readonly autoDelete: boolean
  readonly internal: boolean
  readonly arguments: Table
}

/** One entry per exchange type; a new type adds a line here and its binding table. */
const BINDING_TABLES: ReadonlyMap<string, (register: BindingRegister) => BindingTable> = new Map([
  ["direct", (register): BindingTable => new DirectBindings(register)],
  ["fanout", (register): BindingTable => new FanoutBindings(register)],
  ["topic", (register): BindingTable => new TopicBindings(register)],
  ["headers", (register): BindingTable => new HeadersBindings(register)],
])

export const EXCHANGE_TYPES: readonly string[] = [...BINDING_TABLES.keys()]

/** Throws Refusal for a type that does not exist. A declare checks this before anything else. */
export function checkExchangeType(type: string): void {
  if (!BINDING_TABLES.has(type))
    throw new Refusal("precondition-failed", `unknown exchange type '${type}'`)
}

export class Exchange implements Destination {
  readonly kind = DESTINATION_EXCHANGE
  readonly name: string
  /** The name as a short string (length octet first), ready for a delivery. */
  readonly nameBytes: Buffer
  readonly type: string
  readonly durable: boolean
  readonly autoDelete: boolean
  readonly internal: boolean
  readonly arguments: Table
  readonly bindings: BindingTable
  /** Where unroutable messages go, by name; "" if nowhere. Set from argument or policy. */
  alternateExchange = ""

  /** Messages that clients published here. */
  publishInCount = 0
  /** Copies of them that went to queues. */
  publishOutCount = 0
  /** Messages that reached no queue. */
  unroutableCount = 0

  /** The fields below belong to routing (destination.ts, route.ts). */
  routeMark = 0
  routes: Map<string, ResolvedRoute<Destination>> | null = null
  headersGeneration = -1
  needsHeaders = false

  /** Throws Refusal if the type does not exist. */
  constructor(options: ExchangeOptions) {
    checkExchangeType(options.type)
    const name = Buffer.from(options.name, "utf8")
    assert(name.length <= 255, "an exchange name fits a short string")
    this.name = options.name
    this.nameBytes = Buffer.concat([Buffer.of(name.length), name])
    this.type = options.type
    this.durable = options.durable
    this.autoDelete = options.autoDelete
    this.internal = options.internal
    this.arguments = options.arguments
    this.bindings = createBindingTable(options.type)
  }
}

/** Throws Refusal if the type does not exist. */
export function createBindingTable(type: string): BindingTable {
  checkExchangeType(type)
  const create = BINDING_TABLES.get(type)
  assert(create !== undefined, "the type was checked")
  return create(new BindingRegister())
}
