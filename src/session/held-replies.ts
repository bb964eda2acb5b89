import { ANYWHERE } from "../broker/commit-scope.ts"
import type { CommitFailure, CommitScope } from "../broker/commit-scope.ts"

/**
 * Replies of one channel that wait for a commit round, and everything that must not overtake them.
 * Control plane: a closure per entry is fine.
 */
const ROUND_UNKNOWN = -1

/** With so many the connection is not read any further until some have gone. */
const ENTRIES_MAX = 4096

interface Held {
  readonly run: () => void
  readonly isDurable: boolean
  /** What a durable one waits for. */
  readonly scope: CommitScope
  round: number
}

export class HeldReplies {
  #entries: Held[] = []

  get isFull(): boolean {
    return this.#entries.length >= ENTRIES_MAX
  }

  get isEmpty(): boolean {
    return this.#entries.length === 0
  }

  /** What a durable one of this turn waits for could not be written. */
  get hasFailedWrites(): boolean {
    return this.#entries.some(
      (entry) => entry.isDurable && entry.round === ROUND_UNKNOWN && entry.scope.hasFailedWrites,
    )
  }

  add(run: () => void, isDurable: boolean, scope: CommitScope = ANYWHERE): void {
    this.#entries.push({ run, isDurable, scope, round: isDurable ? ROUND_UNKNOWN : 0 })
  }

  assignRound(round: number): void {
    for (let i = this.#entries.length - 1; i >= 0; i--) {
      const entry = this.#entries[i]!
      if (!entry.isDurable) continue
      if (entry.round !== ROUND_UNKNOWN) break
      entry.round = round
    }
  }

  /** The round has failed for one that has waited for it. */
  isHitBy(failure: CommitFailure, round: number): boolean {
    return this.#entries.some(
      (entry) =>
        entry.isDurable &&
        entry.round !== ROUND_UNKNOWN &&
        entry.round <= round &&
        entry.scope.isHitBy(failure),
    )
  }

  /** Runs, in order, all entries up to the first that waits for a later round. False if there were none. */
  release(completedRound: number): boolean {
    let count = 0
    try {
      for (const entry of this.#entries) {
        if (entry.round === ROUND_UNKNOWN || entry.round > completedRound) break
        count++ // Also if it throws: it must not run twice.
        entry.run()
      }
    } finally {
      this.#entries.splice(0, count)
    }
    return count > 0
  }
}
