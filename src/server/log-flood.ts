import type { Clock, TimerHandle } from "../util/clock.ts"

/**
 * Keeps a client in a loop from filling the disk with lines: each kind of line (its text) has a bucket
 * of tokens. What is left out is counted, and said once there are tokens again.
 */
const BURST = 100
const PER_SECOND = 10
const KINDS_MAX = 500
/** How long a count of lines that were left out is kept back, if no other line of the kind comes. */
const REPORT_MS = 10_000

interface Bucket {
  tokens: number
  lastMs: number
  suppressedCount: number
}

export class LogFlood {
  readonly #clock: Clock
  readonly #buckets = new Map<string, Bucket>()
  readonly #report: (kind: string, count: number) => void
  #timer: TimerHandle | null = null
  #isClosed = false

  /** `report` is called with how many lines of the kind were left out. */
  constructor(clock: Clock, report: (kind: string, count: number) => void) {
    this.#clock = clock
    this.#report = report
  }

  /** Whether a line of this kind may be written now. */
  admits(kind: string): boolean {
    const { nowMs } = this.#clock
    let bucket = this.#buckets.get(kind)
    if (bucket === undefined) {
      if (this.#buckets.size >= KINDS_MAX) this.#forget()
      this.#buckets.set(kind, (bucket = { tokens: BURST, lastMs: nowMs, suppressedCount: 0 }))
    }
    const passedMs = Math.max(0, nowMs - bucket.lastMs)
    bucket.lastMs = nowMs
    bucket.tokens = Math.min(BURST, bucket.tokens + (passedMs * PER_SECOND) / 1000)
    if (bucket.tokens < 1) {
      bucket.suppressedCount++
      if (!this.#isClosed) this.#timer ??= this.#clock.setTimer(REPORT_MS, () => this.#reportAll())
      return false
    }
    bucket.tokens--
    if (bucket.suppressedCount > 0) this.#tell(kind, bucket)
    return true
  }

  #tell(kind: string, bucket: Bucket): void {
    const { suppressedCount } = bucket
    bucket.suppressedCount = 0
    this.#report(kind, suppressedCount)
  }

  #reportAll(): void {
    this.#timer = null
    for (const [kind, bucket] of this.#buckets)
      if (bucket.suppressedCount > 0) this.#tell(kind, bucket)
  }

  /** The kinds are few, because their texts are constants; this is for whoever gets that wrong. */
  #forget(): void {
    this.#reportAll()
    this.#buckets.clear()
  }

  /** What was left out is said; no timer remains. */
  close(): void {
    this.#isClosed = true
    this.#timer?.cancel()
    this.#reportAll()
  }
}
