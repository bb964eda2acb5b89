import type { DeathReason } from "./dead-letter/deaths.ts"
import type { Vhost } from "./vhost.ts"

/**
 * What a vhost has counted since the start, with what its deleted queues and exchanges had: the sums
 * never fall. Those of deleted vhosts are kept in one more of these (Broker.deletedVhosts).
 */
export const DEATH_REASONS = ["rejected", "expired", "maxlen", "delivery_limit"] as const

export class VhostTotals {
  queuesDeclaredCount = 0
  queuesCreatedCount = 0
  queuesDeletedCount = 0
  /** Messages that came to exchanges, from clients and as dead letters. */
  publishInCount = 0
  /** Copies of them that went to queues. */
  publishOutCount = 0
  unroutableCount = 0
  readonly deadLetteredCounts: Record<DeathReason, number> = {
    rejected: 0,
    expired: 0,
    maxlen: 0,
    delivery_limit: 0,
  }

  add(other: VhostTotals): void {
    this.#addTimes(other, 1)
  }

  /** A deletion that failed. */
  remove(other: VhostTotals): void {
    this.#addTimes(other, -1)
  }

  #addTimes(other: VhostTotals, sign: number): void {
    this.queuesDeclaredCount += sign * other.queuesDeclaredCount
    this.queuesCreatedCount += sign * other.queuesCreatedCount
    this.queuesDeletedCount += sign * other.queuesDeletedCount
    this.publishInCount += sign * other.publishInCount
    this.publishOutCount += sign * other.publishOutCount
    this.unroutableCount += sign * other.unroutableCount
    for (const reason of DEATH_REASONS)
      this.deadLetteredCounts[reason] += sign * other.deadLetteredCounts[reason]
  }
}

/** Of everything but the queues that are there. Walks over the exchanges. */
export function totalsOf(vhost: Vhost): VhostTotals {
  const totals = new VhostTotals()
  totals.add(vhost.deletedExchanges)
  totals.queuesDeclaredCount = vhost.queuesDeclaredCount
  totals.queuesCreatedCount = vhost.queuesCreatedCount
  totals.queuesDeletedCount = vhost.queuesDeletedCount
  for (const exchange of vhost.exchanges.values()) addExchange(totals, exchange)
  for (const reason of DEATH_REASONS)
    totals.deadLetteredCounts[reason] = vhost.deadLetters.counts[reason]
  return totals
}

interface ExchangeCounters {
  readonly publishInCount: number
  readonly publishOutCount: number
  readonly unroutableCount: number
}

export function addExchange(totals: VhostTotals, exchange: ExchangeCounters): void {
  totals.publishInCount += exchange.publishInCount
  totals.publishOutCount += exchange.publishOutCount
  totals.unroutableCount += exchange.unroutableCount
}
