import type { Table } from "../../amqp/table.ts"
import { assert } from "../../util/assert.ts"
import { Deduplication } from "../deduplication.ts"
import { resolveExchangeSettings } from "../policy/merge.ts"
import { PLAIN_EXCHANGE, type ExchangeSettings } from "../settings.ts"
import type { BindingTable } from "./binding-table.ts"
import type { DelayStore } from "./delay.ts"
import { DESTINATION_EXCHANGE, type Destination } from "./destination.ts"
import { createBindingTable } from "./exchange-type.ts"
import type { ResolvedRoute } from "./route.ts"

/**
 * An exchange: its attributes, its bindings and its counters. Does no I/O and has no rules about
 * names, permissions or deletion (vhost); following a message through exchanges is route.ts, what
 * types there are exchange-type.ts.
 *
 * After every change of `bindings` and every configure() the vhost calls Router.invalidate().
 */
export interface ExchangeOptions {
  readonly name: string
  readonly type: string
  readonly durable: boolean
  readonly autoDelete: boolean
  readonly internal: boolean
  readonly arguments: Table
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
  /** What arguments and policies say together; see configure(). */
  settings: ExchangeSettings = PLAIN_EXCHANGE
  /** Where unroutable messages go, by name; "" if nowhere. */
  alternateExchange = ""
  /** The messages seen lately; null if the exchange does not look for duplicates. */
  deduplication: Deduplication | null = null
  /** The messages that wait here; null until there is one. Made and ended by the vhost. */
  delayedMessages: DelayStore | null = null
  /** It delays or deduplicates: publishing.ts is asked before its bindings are followed. */
  isIntercepting = false

  /** Messages that clients published here. */
  publishInCount = 0
  /** Copies of them that went to queues. */
  publishOutCount = 0
  /** Messages that reached no queue. */
  unroutableCount = 0

  /** The fields below belong to routing (destination.ts, route.ts). */
  routeMark = 0
  routes: Map<string, ResolvedRoute<Destination>> | null = null
  needGeneration = -1
  needsProperties = false

  /** Throws Refusal if the type does not exist. */
  constructor(options: ExchangeOptions) {
    const name = Buffer.from(options.name, "utf8")
    assert(name.length <= 255, "an exchange name fits a short string")
    this.name = options.name
    this.nameBytes = Buffer.concat([Buffer.of(name.length), name])
    this.type = options.type
    this.durable = options.durable
    this.autoDelete = options.autoDelete
    this.internal = options.internal
    this.arguments = options.arguments
    this.bindings = createBindingTable(options.type, options.arguments)
    this.configure(resolveExchangeSettings(options.type, options.arguments, null))
  }

  /** Applies what arguments and policies say. Of what was remembered as much as possible is kept. */
  configure(settings: ExchangeSettings): void {
    this.settings = settings
    this.alternateExchange = settings.alternateExchange ?? ""
    const { deduplication } = settings
    if (deduplication === null) this.deduplication = null
    else if (this.deduplication === null) this.deduplication = new Deduplication(deduplication)
    else this.deduplication.configure(deduplication)
    this.isIntercepting = settings.delayed || deduplication !== null
  }
}
