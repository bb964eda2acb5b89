import { dirname } from "node:path"

/**
 * The failure of a round of syncs: the first error, and which files and directories it leaves in doubt.
 * Whoever waited for the round asks whether a place of theirs is among them.
 */
export class RoundFailure extends Error {
  /** A sync of this very round has failed; else it carries on what an earlier one left. */
  isNew = false
  /** Every place that failed, and the directories that it is in. */
  readonly #around = new Set<string>()
  /** Those whose names may be lost. */
  readonly #directories = new Set<string>()
  /** Files of which only later parts may be lost, and the first round of those. */
  readonly #doubts = new Map<string, number>()

  constructor(first: Error) {
    super(first.message, { cause: first })
    this.name = "RoundFailure"
  }

  addFile(path: string): void {
    for (const place of withParents(path)) this.#around.add(place)
  }

  addDirectory(path: string): void {
    this.addFile(path)
    this.#directories.add(path)
  }

  /** What was put in this file before that round is safe. */
  addDoubt(path: string, fromRound: number): void {
    this.addFile(path)
    this.#doubts.set(path, Math.min(fromRound, this.#doubts.get(path) ?? fromRound))
  }

  /** Takes over the places of another one. */
  addAll(other: RoundFailure): void {
    for (const [path, fromRound] of other.#doubts) this.addDoubt(path, fromRound)
    for (const place of other.#around) this.#around.add(place)
    for (const path of other.#directories) this.#directories.add(path)
  }

  /** What is in this file, or in this directory and below, may be lost. */
  hits(path: string): boolean {
    return this.#around.has(path) || this.#isNameHit(path)
  }

  /** What was put in this file for that round or a later one may be lost. */
  hitsSince(path: string, round: number): boolean {
    return round >= (this.#doubts.get(path) ?? Number.POSITIVE_INFINITY) || this.#isNameHit(path)
  }

  #isNameHit(path: string): boolean {
    if (this.#directories.size === 0) return false
    for (const place of withParents(path)) if (this.#directories.has(place)) return true
    return false
  }
}

function* withParents(path: string): Generator<string> {
  let place = path
  for (;;) {
    yield place
    const parent = dirname(place)
    if (parent === place) return
    place = parent
  }
}
