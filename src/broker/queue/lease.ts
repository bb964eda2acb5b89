import type { TimerWheel } from "../../util/timer-wheel.ts"
import { WheelEntry } from "../../util/timer-wheel.ts"

/**
 * The lease of a queue with x-expires: it ends when nobody has used the queue for so long. Runs only
 * while there are no consumers. What is a use, is the queue's business.
 */
export class QueueLease extends WheelEntry {
  durationMs: number
  readonly #timers: TimerWheel
  readonly #onEnded: () => void

  constructor(durationMs: number, timers: TimerWheel, onEnded: () => void) {
    super()
    this.durationMs = durationMs
    this.#timers = timers
    this.#onEnded = onEnded
  }

  /** It starts anew. */
  renew(nowMs: number): void {
    this.#timers.schedule(this, nowMs + this.durationMs)
  }

  suspend(): void {
    this.#timers.cancel(this)
  }

  override onDue(): void {
    this.#onEnded()
  }
}
