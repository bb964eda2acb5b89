import { WheelEntry } from "../../util/timer-wheel.ts"
import type { TimerWheel } from "../../util/timer-wheel.ts"

/**
 * Queues whose messages have to be looked at, because they come from an earlier process or because a
 * policy has changed: some may have expired, some may be too many. Looking at a head may read a file, so
 * a start or a policy with thousands of queues does it by and by.
 */
const PER_TICK = 64

/** A queue as it is seen here. */
export interface UnexaminedQueue {
  examine(): void
}

export class UnexaminedQueues extends WheelEntry {
  readonly #timers: TimerWheel
  #queues = new Set<UnexaminedQueue>()
  #atOnceLeft = PER_TICK

  constructor(timers: TimerWheel) {
    super()
    this.#timers = timers
  }

  /** With the next tick at the earliest. */
  add(queue: UnexaminedQueue): void {
    this.#queues.add(queue)
    if (!this.isScheduled) this.#timers.schedule(this, 0)
  }

  /** At once, unless there were many lately. */
  addFirst(queue: UnexaminedQueue): void {
    if (this.#atOnceLeft === 0) {
      this.add(queue)
      return
    }
    this.#atOnceLeft--
    if (!this.isScheduled) this.#timers.schedule(this, 0)
    queue.examine()
  }

  override onDue(nowMs: number): void {
    this.#atOnceLeft = PER_TICK
    let left = PER_TICK
    for (const queue of this.#queues) {
      if (left-- === 0) break
      this.#queues.delete(queue)
      queue.examine()
    }
    if (this.#queues.size > 0) this.#timers.schedule(this, nowMs)
    else this.#queues = new Set() // The table of a large one would stay.
  }
}
