import type { Table } from "../../amqp/table.ts"

/**
 * What a binding points to, and the collection in which a routing pass gathers what it found.
 * Queues and exchanges are opaque here: routing needs their kind and a place for its mark.
 */

export const DESTINATION_QUEUE = 0
export const DESTINATION_EXCHANGE = 1
export type DestinationKind = typeof DESTINATION_QUEUE | typeof DESTINATION_EXCHANGE

/** Implemented by the broker's queues and exchanges. Belongs to one vhost, hence to one router. */
export interface Destination {
  readonly kind: DestinationKind
  readonly name: string
  /** With which it was declared. */
  readonly arguments?: Table
  /** Number of the last routing pass that reached it. Starts at 0; only RouteTargets writes it. */
  routeMark: number
}

/**
 * The destinations of one message, each once. Made once per router and reused: a pass starts with
 * begin(), binding tables call add(), and nothing is allocated unless an array must grow.
 */
export class RouteTargets {
  /** Valid up to queueCount. */
  readonly queues: Destination[] = []
  queueCount = 0
  /** Exchanges still to be followed, in order of discovery. Valid up to exchangeCount. */
  readonly exchanges: Destination[] = []
  exchangeCount = 0
  /** Something was added since it was last set to false, even if the pass had reached it before. */
  matched = false
  #pass = 0

  begin(): void {
    this.#pass++
    this.queueCount = 0
    this.exchangeCount = 0
    this.matched = false
  }

  add(destination: Destination): void {
    this.matched = true
    if (destination.routeMark === this.#pass) return
    destination.routeMark = this.#pass
    if (destination.kind === DESTINATION_QUEUE) this.queues[this.queueCount++] = destination
    else this.exchanges[this.exchangeCount++] = destination
  }

  /** Drops the references to what earlier passes found, so that deleted queues can be collected. */
  release(): void {
    this.queues.length = 0
    this.exchanges.length = 0
    this.queueCount = 0
    this.exchangeCount = 0
  }
}
