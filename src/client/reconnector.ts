import type { Clock, TimerHandle } from "../util/clock.ts"
import type { Random } from "../util/random.ts"
import { messageOf } from "./errors.ts"

/**
 * Tries again until it works: connects, waits after a failure, twice as long after each further one and
 * a random part of it, and begins anew when what was connected is lost. Knows no AMQP: what is made, and
 * what a failure is, the caller says.
 */
export type ReconnectorState = "stopped" | "connecting" | "up" | "waiting"

export interface ReconnectorOptions<T> {
  readonly clock: Clock
  readonly random: Random
  /** `attempt` counts from 1 since it was last up. Rejects if it fails. */
  readonly connect: (attempt: number) => Promise<T>
  readonly onUp: (connected: T) => void
  /** What arrives after stop() is thrown away. */
  readonly discard: (connected: T) => void
  /** After each change of `state`. */
  readonly onChange?: () => void
  /** False: this failure is final, and the state is `stopped`. Default: none is. */
  readonly isRetryable?: (error: unknown) => boolean
  /** The wait after the first failure, before its random part is taken off. Default 1 s. */
  readonly delayMs?: number
  /** Default 60 s. */
  readonly delayMsMax?: number
  /** Part of the delay that is random, 0 to 1. Default 0.5. */
  readonly jitter?: number
  /** What has been up this long counts as a success: the next delay is the first one. Default 10 s. */
  readonly stableMs?: number
}

export class Reconnector<T> {
  state: ReconnectorState = "stopped"
  /** Of the latest failure or loss; null if there was none. It stays when a later attempt succeeds. */
  lastError: unknown = null
  /** Attempts since it was last up for a while. */
  attemptCount = 0
  /** When the next attempt begins, in ms since 1970; null if none is planned. */
  nextAttemptAtMs: number | null = null
  readonly #options: ReconnectorOptions<T>
  #timer: TimerHandle | null = null
  #upSinceMs = 0
  /** An attempt that was stopped meanwhile is known by its number. */
  #generation = 0

  constructor(options: ReconnectorOptions<T>) {
    this.#options = options
  }

  get lastErrorText(): string {
    return this.lastError === null ? "" : messageOf(this.lastError)
  }

  start(): void {
    if (this.state !== "stopped") return
    this.attemptCount = 0
    this.#connect()
  }

  /** What is connected is the caller's to close. */
  stop(): void {
    this.#generation++
    this.#cancelTimer()
    this.#enter("stopped")
  }

  /** Does not wait any longer. */
  retryNow(): void {
    if (this.state !== "waiting") return
    this.#cancelTimer()
    this.#connect()
  }

  /** What was connected is lost. */
  lost(error: unknown): void {
    if (this.state !== "up") return
    const { clock, stableMs = 10_000 } = this.#options
    clock.refresh()
    if (clock.nowMs - this.#upSinceMs >= stableMs) this.attemptCount = 0
    this.#failed(error)
  }

  #connect(): void {
    const generation = ++this.#generation
    this.attemptCount++
    this.#enter("connecting")
    void this.#attempt(generation)
  }

  async #attempt(generation: number): Promise<void> {
    let connected: T
    try {
      connected = await this.#options.connect(this.attemptCount)
    } catch (error) {
      if (generation === this.#generation) this.#failed(error)
      return
    }
    if (generation === this.#generation) this.#connected(connected)
    else this.#options.discard(connected)
  }

  #connected(connected: T): void {
    const { clock, onUp } = this.#options
    clock.refresh()
    this.#upSinceMs = clock.nowMs
    this.#enter("up")
    onUp(connected)
  }

  #failed(error: unknown): void {
    const { clock, isRetryable = () => true } = this.#options
    this.lastError = error
    if (!isRetryable(error)) {
      this.stop()
      return
    }
    const delayMs = this.#delayMs()
    clock.refresh()
    this.nextAttemptAtMs = clock.nowMs + delayMs
    this.#timer = clock.setTimer(delayMs, () => {
      this.#cancelTimer()
      this.#connect()
    })
    this.#enter("waiting")
  }

  /** Twice as long each time up to the maximum, and shorter by a random part. */
  #delayMs(): number {
    const { random, delayMs = 1000, delayMsMax = 60_000, jitter = 0.5 } = this.#options
    const doublings = Math.min(Math.max(0, this.attemptCount - 1), 30)
    const whole = Math.min(delayMs * 2 ** doublings, Math.max(delayMs, delayMsMax))
    const part = random.bytes(4).readUInt32BE(0) / 2 ** 32
    return Math.round(whole * (1 - jitter * part))
  }

  #cancelTimer(): void {
    this.#timer?.cancel()
    this.#timer = null
    this.nextAttemptAtMs = null
  }

  #enter(state: ReconnectorState): void {
    if (this.state === state) return
    this.state = state
    this.#options.onChange?.()
  }
}
