import type { QueueStore } from "../../storage/queue-store.ts"
import type { Exchange } from "../exchange/exchange.ts"
import { DelayedMessages } from "./delayed-messages.ts"
import type { DelayedContext } from "./delayed-messages.ts"

/**
 * The messages that wait at the exchanges of one vhost. An exchange has a place for them from the first
 * one on, or since the start if an earlier process left some; also if it does not delay any more.
 */

/** The store of an exchange is that of a queue which no client can declare. */
export function delayStoreName(exchangeName: string): string {
  return `amq.delayed-${exchangeName}`
}

export class DelayedExchanges {
  readonly #context: DelayedContext
  readonly #openStore: (exchange: Exchange) => QueueStore
  readonly #places = new Map<Exchange, DelayedMessages>()

  constructor(context: DelayedContext, openStore: (exchange: Exchange) => QueueStore) {
    this.#context = context
    this.#openStore = openStore
  }

  /** Messages that wait in the vhost. */
  get count(): number {
    let count = 0
    for (const place of this.#places.values()) count += place.count
    return count
  }

  /** Null if no message has ever waited there. */
  get(exchange: Exchange): DelayedMessages | null {
    return this.#places.get(exchange) ?? null
  }

  /** As get(), and makes it if it is not there. */
  of(exchange: Exchange): DelayedMessages {
    return this.#places.get(exchange) ?? this.restore(exchange, this.#openStore(exchange))
  }

  /** At boot, with what an earlier process left in the store. */
  restore(exchange: Exchange, store: QueueStore): DelayedMessages {
    const place = new DelayedMessages(this.#context, exchange, store)
    this.#places.set(exchange, place)
    exchange.delayedMessages = place
    return place
  }

  /** The exchange is deleted. */
  delete(exchange: Exchange): void {
    exchange.delayedMessages = null
    const place = this.#places.get(exchange)
    if (place === undefined) return
    this.#places.delete(exchange)
    place.dispose()
  }

  close(): void {
    for (const place of this.#places.values()) place.close()
    this.#places.clear()
  }
}
