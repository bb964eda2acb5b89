/**
 * How many dead messages all queues of a vhost together may deal with in one turn. A thousand queues
 * whose messages expire at the same moment must not keep everybody else waiting; what is left over is
 * for the next turn. No queue gets more than half of what is left, or a long one would keep all others
 * waiting until it is done.
 *
 * Counted in messages that are dropped, each a fraction of a microsecond.
 */
const PER_TURN = 2048
/** To publish a dead letter is as much as to drop so many. */
const MOVE_COST = 4
/** To look at a head may be to read a file, and what leaves is written to one. */
const LOOK_COST = 64

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

  /** How many messages a queue may bury now; 0 if it has to wait for the next turn. */
  grant(areMoved: boolean): number {
    const { runCount } = this.#turns
    if (runCount !== this.#turn) {
      this.#turn = runCount
      this.#left = PER_TURN
    }
    const share = this.#left / 2
    return share < 1 ? 0 : Math.ceil(areMoved ? share / MOVE_COST : share)
  }

  use(count: number, areMoved: boolean): void {
    this.#left -= (areMoved ? count * MOVE_COST : count) + LOOK_COST
  }

  /** One that is moved at once, without looking for it. */
  useForMove(): void {
    this.#left -= MOVE_COST
  }
}
