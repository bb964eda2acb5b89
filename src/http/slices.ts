import type { Clock } from "../util/clock.ts"

/**
 * Divides work over many objects into slices, between which the event loop serves everybody else: with
 * 100,000 queues no request holds the broker up.
 *
 *   const slices = new Slices(clock)
 *   for (const queue of queues) {
 *     if (slices.isOver()) await slices.next()
 *     …
 *   }
 *
 * What is walked may change between slices; the iterator of a Map or Set stands that.
 */
const SLICE_MS = 3
/** The clock is asked once in so many steps. */
const STEPS = 32
/** The same where steps are short, and done by a loop that the engine can make fast at once. */
const SHORT_STEPS = 1024

export class Slices {
  readonly #clock: Clock
  #endMs: number
  #steps = 0

  constructor(clock: Clock) {
    this.#clock = clock
    clock.refresh()
    this.#endMs = clock.nowMs + SLICE_MS
  }

  isOver(): boolean {
    if (++this.#steps % STEPS !== 0) return false
    return this.isTimeOver()
  }

  /** As isOver() for steps that take long: asks the clock each time. */
  isTimeOver(): boolean {
    this.#clock.refresh()
    return this.#clock.nowMs >= this.#endMs
  }

  /** Has the steps from 0 to before `count` done, some at a time, with pauses between. */
  async each(count: number, work: (from: number, to: number) => void): Promise<void> {
    for (let from = 0; from < count; from += SHORT_STEPS) {
      if (this.isTimeOver()) await this.next()
      work(from, Math.min(from + SHORT_STEPS, count))
    }
  }

  next(): Promise<void> {
    return new Promise((resolve) => {
      this.#clock.setImmediate(() => {
        this.#clock.refresh()
        this.#endMs = this.#clock.nowMs + SLICE_MS
        resolve()
      })
    })
  }
}
