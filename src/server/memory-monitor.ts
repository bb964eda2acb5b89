import type { Clock, TimerHandle } from "../util/clock.ts"

/**
 * Watches the memory of the process, and says when it rises above a limit and when it is back. What then
 * happens to publishers is the broker's business.
 *
 * What counts is the resident memory, because a container is killed by it. Much of it may be garbage,
 * which nobody collects while nothing happens, so before the alarm is raised, and now and then while it
 * is on, the garbage is collected. The heap of objects has a bound of its own, at which the process ends
 * however much memory the machine has; it counts likewise.
 */
export interface MemorySource {
  /** Of the container, or of the machine. */
  readonly totalBytes: number
  /** Resident memory of the process. */
  readonly usedBytes: number
  readonly heapUsedBytes: number
  readonly heapLimitBytes: number
  /** Frees what nobody uses any more, which may take a while. */
  collect(): void
}

export interface MemoryMonitorOptions {
  readonly clock: Clock
  readonly source: MemorySource
  /** A fraction of all memory (up to 1), or bytes; 0 is no limit. */
  readonly highWatermark: number
  /** Called at every change between low and not low; it begins as not low. */
  readonly onChange: (isLow: boolean) => void
}

const POLL_MS = 1000
/** Low ends below this part of the limit, so that the alarm does not flutter. */
const CLEAR_FACTOR = 0.95
/** Of the heap's bound: near it the runtime does little but collect. */
const HEAP_FACTOR = 0.8
const COLLECT_INTERVAL_MS = 10_000
/** A collection may take this part of the time at most. */
const COLLECT_SHARE = 0.02

export class MemoryMonitor {
  isLow = false
  /** As of the last look. */
  usedBytes = 0
  readonly #options: MemoryMonitorOptions
  #highWatermark: number
  #collectAtMs = 0
  #timer: TimerHandle | null = null

  constructor(options: MemoryMonitorOptions) {
    this.#options = options
    this.#highWatermark = options.highWatermark
  }

  /** 0 if there is none. */
  get limitBytes(): number {
    const watermark = this.#highWatermark
    return watermark > 1 ? watermark : Math.floor(watermark * this.totalBytes)
  }

  get totalBytes(): number {
    return this.#options.source.totalBytes
  }

  get highWatermark(): number {
    return this.#highWatermark
  }

  /** May change at any time. */
  set highWatermark(value: number) {
    if (value === this.#highWatermark) return
    this.#highWatermark = value
    this.#collectAtMs = 0
    this.check()
  }

  /** Looks at once and from then on at intervals. */
  start(): void {
    this.check()
    this.#schedule()
  }

  stop(): void {
    this.#timer?.cancel()
    this.#timer = null
  }

  /** Looks now. */
  check(): void {
    const { source, onChange } = this.#options
    this.usedBytes = source.usedBytes
    const threshold = this.isLow ? CLEAR_FACTOR : 1
    let isLow = this.#pressure() >= threshold
    if (isLow && this.#collect()) {
      this.usedBytes = source.usedBytes
      isLow = this.#pressure() >= threshold
    }
    if (isLow === this.isLow) return
    this.isLow = isLow
    onChange(isLow)
  }

  #schedule(): void {
    this.#timer = this.#options.clock.setTimer(POLL_MS, () => {
      this.check()
      // onChange may have stopped the monitor.
      if (this.#timer !== null) this.#schedule()
    })
  }

  /** 1 is the limit. */
  #pressure(): number {
    const { limitBytes } = this
    if (limitBytes === 0) return 0
    const { heapUsedBytes, heapLimitBytes } = this.#options.source
    return Math.max(this.usedBytes / limitBytes, heapUsedBytes / (HEAP_FACTOR * heapLimitBytes))
  }

  /** False if the last time is too short ago. */
  #collect(): boolean {
    const { clock, source } = this.#options
    clock.refresh()
    const startMs = clock.nowMs
    if (startMs < this.#collectAtMs) return false
    source.collect()
    clock.refresh()
    const durationMs = clock.nowMs - startMs
    this.#collectAtMs = clock.nowMs + Math.max(COLLECT_INTERVAL_MS, durationMs / COLLECT_SHARE)
    return true
  }
}
