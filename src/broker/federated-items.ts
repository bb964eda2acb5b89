import type { Table } from "../amqp/table.ts"
import type { Destination } from "./exchange/destination.ts"
import type { Exchange } from "./exchange/exchange.ts"
import type { MessageQueue } from "./queue/message-queue.ts"
import type { FederationSettings } from "./settings.ts"

/**
 * Tells whoever makes the links of federation (links/federation) what becomes of the exchanges and queues
 * of a vhost that a policy federates. For all others it costs a comparison when they are declared,
 * configured, bound or deleted, and nothing per message.
 */
export interface FederationObserver {
  /** It is federated now, otherwise than before, or no longer: see its settings. */
  exchangeChanged(exchange: Exchange): void
  exchangeDeleted(exchange: Exchange): void
  bound(source: Exchange, destination: Destination, routingKey: string, args: Table): void
  unbound(source: Exchange, destination: Destination, routingKey: string, args: Table): void
  queueChanged(queue: MessageQueue): void
  queueDeleted(queue: MessageQueue): void
}

export function areFederatedAlike(
  a: FederationSettings | null,
  b: FederationSettings | null,
): boolean {
  return a === b || (a !== null && b !== null && a.by === b.by && a.name === b.name)
}

export class FederatedItems {
  /** Null as long as nobody makes links. */
  observer: FederationObserver | null = null
  readonly #exchanges: ReadonlyMap<string, Exchange>
  readonly #queues: ReadonlyMap<string, MessageQueue>

  constructor(exchanges: ReadonlyMap<string, Exchange>, queues: ReadonlyMap<string, MessageQueue>) {
    this.#exchanges = exchanges
    this.#queues = queues
  }

  exchangeChanged(name: string): void {
    const exchange = this.#exchanges.get(name)
    if (exchange !== undefined) this.observer?.exchangeChanged(exchange)
  }

  queueChanged(name: string): void {
    const queue = this.#queues.get(name)
    if (queue !== undefined) this.observer?.queueChanged(queue)
  }

  exchangeDeclared(exchange: Exchange): void {
    if (exchange.settings.federation !== null) this.observer?.exchangeChanged(exchange)
  }

  queueDeclared(queue: MessageQueue): void {
    if (queue.settings.federation !== null) this.observer?.queueChanged(queue)
  }

  exchangeDeleted(exchange: Exchange): void {
    if (exchange.settings.federation !== null) this.observer?.exchangeDeleted(exchange)
  }

  queueDeleted(queue: MessageQueue): void {
    if (queue.settings.federation !== null) this.observer?.queueDeleted(queue)
  }

  bound(source: Exchange, destination: Destination, routingKey: string, args: Table): void {
    if (source.settings.federation !== null)
      this.observer?.bound(source, destination, routingKey, args)
  }

  unbound(source: Exchange, destination: Destination, routingKey: string, args: Table): void {
    if (source.settings.federation !== null)
      this.observer?.unbound(source, destination, routingKey, args)
  }
}
