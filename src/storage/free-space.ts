import type { Clock, TimerHandle } from "../util/clock.ts"
import type { Disk } from "./disk.ts"

/**
 * Watches the free space of the data directory's filesystem, and says when it falls below a limit and
 * when it is back. What then happens to publishers is the broker's business.
 */
export interface FreeSpaceOptions {
  readonly disk: Disk
  readonly clock: Clock
  readonly path: string
  /** Low means less than this. */
  readonly minBytes: number
  /** Called at every change between low and not low; it begins as not low. */
  readonly onChange: (isLow: boolean, freeBytes: number) => void
  /** The free space cannot be read; called once until it can be again. The state stays as it was. */
  readonly onError?: (error: unknown) => void
}

const POLL_MS = 5000
/** Publishers wait: look more often. */
const POLL_LOW_MS = 1000

export class FreeSpaceMonitor {
  isLow = false
  /** May change at any time; counts from the next look on. */
  minBytes: number
  /** As of the last look; -1 if unknown. */
  freeBytes = -1
  readonly #options: FreeSpaceOptions
  #timer: TimerHandle | null = null
  #isUnreadable = false

  constructor(options: FreeSpaceOptions) {
    this.#options = options
    this.minBytes = options.minBytes
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

  /** Looks now, for instance because a write was refused. */
  check(): void {
    const { disk, path, onChange, onError } = this.#options
    try {
      this.freeBytes = disk.freeBytes(path)
      this.#isUnreadable = false
    } catch (error) {
      if (!this.#isUnreadable) onError?.(error)
      this.#isUnreadable = true
      return
    }
    const isLow = this.freeBytes < this.minBytes
    if (isLow === this.isLow) return
    this.isLow = isLow
    onChange(isLow, this.freeBytes)
  }

  #schedule(): void {
    const delayMs = this.isLow ? POLL_LOW_MS : POLL_MS
    this.#timer = this.#options.clock.setTimer(delayMs, () => {
      this.check()
      // onChange may have stopped the monitor.
      if (this.#timer !== null) this.#schedule()
    })
  }
}
