/**
 * How many messages are due at a rate: exact over time, for rates below one a tick as well as far above.
 * What a slow tick leaves out the next one makes up for. Has no timer and no clock.
 */
export class RateLimiter {
  readonly #perSecond: number
  #startMs: number
  #taken = 0

  constructor(perSecond: number, nowMs: number) {
    this.#perSecond = perSecond
    this.#startMs = nowMs
  }

  /** Messages that may go out now; less than zero while more went out than were due. */
  due(nowMs: number): number {
    return Math.floor(((nowMs - this.#startMs) * this.#perSecond) / 1000 + 1e-6) - this.#taken
  }

  take(count: number): void {
    this.#taken += count
  }

  /** Milliseconds until one more is due, at least 0. */
  waitMs(nowMs: number): number {
    return Math.max(0, ((this.#taken + 1) * 1000) / this.#perSecond - (nowMs - this.#startMs))
  }

  /** After a pause that should not be made up for, such as a lost connection. */
  restart(nowMs: number): void {
    this.#startMs = nowMs
    this.#taken = 0
  }
}
