import type { Clock } from "../util/clock.ts"
import { Histogram } from "../util/histogram.ts"

/**
 * What is counted of messages for the whole broker, whatever channel or queue they pass: sizes, and how
 * long publishers wait for confirms. On the path of messages, so nothing here allocates, and time is the
 * turn's (clock.nowMs), never asked for.
 */

/** RabbitMQ's, in bytes. */
const SIZE_BOUNDS = [100, 1e3, 1e4, 1e5, 1e6, 1e7, 5e7, 1e8]

/** In milliseconds. The clock has no finer ones: what took less than one counts as 0. */
const LATENCY_BOUNDS_MS = [
  1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 30_000, 60_000,
]

/** Stamps stay small integers, which cost no memory of their own: 12 days, then they begin again. */
const STAMP_MASK = 0x3fff_ffff

export class ConfirmLatency {
  readonly histogramMs = new Histogram(LATENCY_BOUNDS_MS)
  readonly #clock: Clock

  constructor(clock: Clock) {
    this.#clock = clock
  }

  stamp(): number {
    return this.#clock.nowMs & STAMP_MASK
  }

  /** A clock that was set back makes no wait of days: it counts as none. */
  note(stamp: number, count: number): void {
    const waited = (this.stamp() - stamp) & STAMP_MASK
    this.histogramMs.note(waited > STAMP_MASK >> 1 ? 0 : waited, count)
  }
}

export class MessageCounters {
  /** Bodies of published messages. */
  readonly sizes = new Histogram(SIZE_BOUNDS)
  readonly confirmLatency: ConfirmLatency

  constructor(clock: Clock) {
    this.confirmLatency = new ConfirmLatency(clock)
  }
}
