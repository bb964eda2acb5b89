/**
 * How many dead messages all queues of a vhost together may deal with in one turn. A thousand queues
 * whose messages expire at the same moment must not keep everybody else waiting; what is left over is
 * for the next turn.
 */
const PER_TURN = 4096
/** To look at a head may be to read a file: as much as so many messages. */
const LOOK_COST = 40

/** The turn as it is seen here. */
export interface Turns {
  readonly runCount: number
}

export class BurialBudget {
  readonly #turns: Turns
  #turn = -1
  #left = PER_TURN

  constructor(turns: Turns) {
    this.#turns = turns
  }

  /** How many of `wanted` there may be now; 0 if the queue has to wait for the next turn. */
  grant(wanted: number): number {
    const { runCount } = this.#turns
    if (runCount !== this.#turn) {
      this.#turn = runCount
      this.#left = PER_TURN
    }
    return Math.max(0, Math.min(wanted, this.#left))
  }

  use(count: number): void {
    this.#left -= count + LOOK_COST
  }
}
