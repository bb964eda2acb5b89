import { ClientError } from "../../client/errors.ts"
import type { StartLine } from "../links.ts"

/**
 * Keeps many links from connecting at one time: each upstream has so many attempts under way at once,
 * and all of them begin one after the other. An upstream that does not answer holds up its own links
 * only. The links of a broker have a limit: 100,000 queues under one policy must not take the file
 * descriptors from the clients.
 */
const AT_ONE_TIME_MAX = 16
export const LINKS_MAX = 8192

export class Attempts {
  readonly #startLine: StartLine
  readonly #lanes = new Map<string, Lane>()
  #linkCount = 0

  constructor(startLine: StartLine) {
    this.#startLine = startLine
  }

  /** Links that are connected or about to be. */
  get linkCount(): number {
    return this.#linkCount
  }

  /** Resolves when it is this attempt's turn; the attempt calls release(lane) when it is over. */
  async begin(lane: string): Promise<void> {
    let waiting = this.#lanes.get(lane)
    if (waiting === undefined) {
      waiting = { running: 0, next: [] }
      this.#lanes.set(lane, waiting)
    }
    const { next } = waiting
    if (waiting.running < AT_ONE_TIME_MAX) waiting.running++
    else await new Promise<void>((resolve) => next.push(resolve))
    await new Promise<void>((resolve) => this.#startLine.add(resolve))
  }

  release(lane: string): void {
    const waiting = this.#lanes.get(lane)
    if (waiting === undefined) return
    const next = waiting.next.shift()
    if (next !== undefined) next()
    else if (--waiting.running === 0) this.#lanes.delete(lane)
  }

  /** Throws if there are too many; else the link gives its place back with leave(). */
  enter(): void {
    if (this.#linkCount >= LINKS_MAX)
      throw new ClientError(
        "usage",
        `${String(LINKS_MAX)} federation links are connected, the most there may be`,
      )
    this.#linkCount++
  }

  leave(): void {
    this.#linkCount--
  }
}

interface Lane {
  running: number
  readonly next: (() => void)[]
}
