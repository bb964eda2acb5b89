/**
 * How many dead messages all queues of a vhost together may deal with in one round of the event loop. A
 * thousand queues whose messages expire at the same moment must not keep everybody else waiting; what
 * is left over is for the next round.
 */
const PER_ROUND = 4096
/** Each queue gets on. */
const PER_CALL_MIN = 8

/** The turn as it is seen here. */
export interface Rounds {
  readonly loopCount: number
}

export class BurialBudget {
  readonly #rounds: Rounds
  #round = -1
  #left = PER_ROUND

  constructor(rounds: Rounds) {
    this.#rounds = rounds
  }

  /** How many of `wanted` there may be now; at least some. */
  grant(wanted: number): number {
    const { loopCount } = this.#rounds
    if (loopCount !== this.#round) {
      this.#round = loopCount
      this.#left = PER_ROUND
    }
    return Math.min(wanted, Math.max(PER_CALL_MIN, this.#left))
  }

  use(count: number): void {
    this.#left -= count
  }
}
