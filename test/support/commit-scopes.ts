/** Places that wait for a commit round, and failures of rounds, by name. */
import type { CommitFailure, CommitScope } from "../../src/broker/commit-scope.ts"

/** Hits whoever asks. */
export const FAILURE_EVERYWHERE: CommitFailure = {
  hits: () => true,
  hitsSince: () => true,
}

export function failureAt(...paths: readonly string[]): CommitFailure {
  return { hits: (path) => paths.includes(path), hitsSince: (path) => paths.includes(path) }
}

/** A place of this path, whose writes succeed or not. */
export class Place implements CommitScope {
  hasFailedWrites = false
  readonly #path: string

  constructor(path: string) {
    this.#path = path
  }

  isHitBy(failure: CommitFailure): boolean {
    return failure.hits(this.#path)
  }
}
