import { ANYWHERE } from "./commit-scope.ts"
import type { CommitFailure, CommitScope } from "./commit-scope.ts"
import { Refusal } from "./errors.ts"
import type { Turn, TurnSession } from "./turn.ts"

/**
 * For callers outside the protocol (HTTP, definitions) that change what must survive: a promise that
 * resolves when everything changed so far is safe on disk, as a held reply tells a client. Sessions
 * have their own (session/held-replies.ts).
 */

/** Told of commit rounds. */
export interface RoundWaiter {
  /** A commit round ended; false if it waits for no other. */
  roundCompleted(round: number, failure: CommitFailure | null): boolean
}

interface Waiting {
  readonly scope: CommitScope
  /** -1 until the turn has ended. */
  round: number
  resolve(): void
  reject(error: Error): void
}

export class DurableChanges implements TurnSession, RoundWaiter {
  inTurn = false
  #waiting: Waiting[] = []
  readonly #turn: Turn
  readonly #waiters: Set<RoundWaiter>

  constructor(turn: Turn, waiters: Set<RoundWaiter>) {
    this.#turn = turn
    this.#waiters = waiters
  }

  /** Rejects with a Refusal if the disk did not take it. `scope` is where it was written. */
  settled(scope: CommitScope = ANYWHERE): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ scope, round: -1, resolve, reject })
      this.#turn.markSession(this)
    })
  }

  settle(round: number, completedRound: number, writeFailed: boolean): void {
    for (const entry of this.#waiting) {
      if (entry.round !== -1) continue
      entry.round = round
      if (!writeFailed || !entry.scope.hasFailedWrites) continue
      entry.round = completedRound
      entry.reject(notWritten())
    }
    this.roundCompleted(completedRound, null)
    if (this.#waiting.length > 0) this.#waiters.add(this)
  }

  roundCompleted(round: number, failure: CommitFailure | null): boolean {
    const done = this.#waiting.filter((entry) => entry.round !== -1 && entry.round <= round)
    if (done.length > 0)
      this.#waiting = this.#waiting.filter((entry) => entry.round === -1 || entry.round > round)
    for (const entry of done) {
      if (failure !== null && entry.scope.isHitBy(failure)) entry.reject(notWritten())
      else entry.resolve()
    }
    return this.#waiting.length > 0
  }

  flush(): void {}

  continueReading(): void {}
}

function notWritten(): Refusal {
  return new Refusal("internal-error", "the change could not be written to disk")
}
