import type { Clock, TimerHandle } from "./clock.ts"

/**
 * Asks again and again for what is on screen. Never twice at a time; waits longer after each failure; rests
 * while it is paused (the tab is hidden) and asks at once when it goes on. Knows no HTTP and no page.
 */
export interface PollState<T> {
  /** Of the last answer; kept while later ones fail. */
  readonly data: T | null
  readonly error: unknown
  readonly receivedMs: number
}

export interface PollerOptions<T> {
  readonly clock: Clock
  readonly load: (signal: AbortSignal) => Promise<T>
  /** Asked before each wait; 0 is off: then only refresh() asks, and a first answer is still sought. */
  readonly intervalMs: () => number
  readonly onChange: (state: PollState<T>) => void
  /** False for what no waiting mends, such as "no permission". */
  readonly isTemporary?: (error: unknown) => boolean
}

const RETRY_FIRST_MS = 1000
const RETRY_MAX_MS = 30_000

export class Poller<T> {
  state: PollState<T> = { data: null, error: null, receivedMs: 0 }
  readonly #options: PollerOptions<T>
  #timer: TimerHandle | null = null
  #running: AbortController | null = null
  #failureCount = 0
  #isStarted = false
  #isPaused = false
  #isWanted = false

  constructor(options: PollerOptions<T>) {
    this.#options = options
  }

  start(): void {
    if (this.#isStarted) return
    this.#isStarted = true
    this.refresh()
  }

  /** What is under way is given up. */
  stop(): void {
    this.#isStarted = false
    this.#cancelTimer()
    this.#running?.abort()
    this.#running = null
  }

  pause(isPaused: boolean): void {
    if (this.#isPaused === isPaused) return
    this.#isPaused = isPaused
    if (isPaused) this.#cancelTimer()
    else if (this.#isStarted) this.refresh()
  }

  /** Now; if an answer is under way, once more after it. */
  refresh(): void {
    if (!this.#isStarted) return
    if (this.#running !== null) {
      this.#isWanted = true
      return
    }
    this.#cancelTimer()
    void this.#ask()
  }

  /** The interval has changed. */
  reschedule(): void {
    if (!this.#isStarted || this.#running !== null) return
    this.#cancelTimer()
    this.#schedule()
  }

  async #ask(): Promise<void> {
    const controller = new AbortController()
    this.#running = controller
    this.#isWanted = false
    try {
      const data = await this.#options.load(controller.signal)
      if (this.#running !== controller) return
      this.#failureCount = 0
      this.#options.clock.refresh()
      const receivedMs = this.#options.clock.nowMs
      this.#change({ data, error: null, receivedMs })
    } catch (error) {
      if (this.#running !== controller) return
      this.#failureCount++
      this.#change({ error })
    }
    this.#running = null
    if (this.#isWanted) this.refresh()
    else this.#schedule()
  }

  #schedule(): void {
    if (this.#isPaused || !this.#isStarted) return
    const delayMs = this.#delayMs()
    if (delayMs > 0) this.#timer = this.#options.clock.setTimer(delayMs, () => this.refresh())
  }

  /** 0 is never. */
  #delayMs(): number {
    const interval = this.#options.intervalMs()
    if (this.#failureCount === 0) return interval
    if (this.#options.isTemporary?.(this.state.error) === false) return 0
    if (interval === 0 && this.state.data !== null) return 0
    const retry = RETRY_FIRST_MS * 2 ** Math.min(this.#failureCount - 1, 10)
    return Math.min(RETRY_MAX_MS, Math.max(interval, retry))
  }

  #cancelTimer(): void {
    this.#timer?.cancel()
    this.#timer = null
  }

  #change(change: Partial<PollState<T>>): void {
    this.state = { ...this.state, ...change }
    this.#options.onChange(this.state)
  }
}
