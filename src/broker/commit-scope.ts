/**
 * What somebody waits for who waits for a commit round: a failure of the disk concerns only those whose
 * bytes it may have lost. Knows neither files nor rounds (storage/group-commit.ts).
 */

/** A round of syncs that failed in part. */
export interface CommitFailure {
  /** What is in this file, or in this directory and below, may be lost. */
  hits(path: string): boolean
  /** What was put in this file for that round or a later one may be lost. */
  hitsSince(path: string, round: number): boolean
}

export interface CommitScope {
  /** The disk refused, at the end of this turn, what belongs to it. */
  readonly hasFailedWrites: boolean
  isHitBy(failure: CommitFailure): boolean
}

/** The definitions of a vhost. */
export interface DefinitionScope extends CommitScope {
  /** What was declared for that commit round may be lost, and with it a queue and its messages. */
  isHitSince(failure: CommitFailure, round: number): boolean
}

/** For whoever cannot say where the bytes went: every failure is one of theirs. */
export const ANYWHERE: CommitScope = { hasFailedWrites: true, isHitBy: () => true }

/** With more places than this the verdict is the same as for all. */
const PLACES_MAX = 16

/** Several places; one at fault counts for all of them. */
export class CommitScopes implements CommitScope {
  readonly #places: CommitScope[] = []

  add(place: CommitScope): void {
    const places = this.#places
    if (places.length > PLACES_MAX || places.includes(place)) return
    places.push(places.length === PLACES_MAX ? ANYWHERE : place)
  }

  get hasFailedWrites(): boolean {
    return this.#places.some((place) => place.hasFailedWrites)
  }

  isHitBy(failure: CommitFailure): boolean {
    return this.#places.some((place) => place.isHitBy(failure))
  }
}
