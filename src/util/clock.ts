/**
 * The only door to time: wall clock, timers and the end of the event-loop turn. Everything that
 * waits or reads the time takes a Clock, so that tests move time by hand (ManualClock).
 */
export interface TimerHandle {
  cancel(): void
}

export interface Clock {
  /** Wall clock in ms since 1970 as of the last refresh(); a plain field because Date.now() costs 80 ns. */
  nowMs: number
  /** Reads the wall clock into nowMs. Called once per received chunk and per turn. */
  refresh(): void
  /** Runs the callback once, not before `delayMs` from now. */
  setTimer(delayMs: number, callback: () => void): TimerHandle
  /** Runs the callback after the I/O events of this event-loop turn. */
  setImmediate(callback: () => void): void
}

export class SystemClock implements Clock {
  nowMs = Date.now()

  refresh(): void {
    this.nowMs = Date.now()
  }

  setTimer(delayMs: number, callback: () => void): TimerHandle {
    const timer = setTimeout(callback, delayMs)
    return { cancel: () => clearTimeout(timer) }
  }

  setImmediate(callback: () => void): void {
    setImmediate(callback)
  }
}

interface PendingTimer {
  dueMs: number
  callback: (() => void) | null
}

/** A clock that stands still until a test moves it. Turns still end by themselves. */
export class ManualClock implements Clock {
  nowMs: number
  readonly #timers = new Set<PendingTimer>()

  constructor(startMs = 1_700_000_000_000) {
    this.nowMs = startMs
  }

  refresh(): void {}

  /** Moves time forward and runs the timers that fall due, in order of their due time. */
  advance(ms: number): void {
    const endMs = this.nowMs + ms
    for (;;) {
      let first: PendingTimer | null = null
      for (const timer of this.#timers)
        if (timer.dueMs <= endMs && (first === null || timer.dueMs < first.dueMs)) first = timer
      if (first === null) break
      this.#timers.delete(first)
      this.nowMs = Math.max(this.nowMs, first.dueMs)
      first.callback?.()
    }
    this.nowMs = endMs
  }

  setTimer(delayMs: number, callback: () => void): TimerHandle {
    const timer: PendingTimer = { dueMs: this.nowMs + delayMs, callback }
    this.#timers.add(timer)
    return { cancel: () => void this.#timers.delete(timer) }
  }

  setImmediate(callback: () => void): void {
    setImmediate(callback)
  }
}

/** Milliseconds on a clock that never jumps, the same in all threads and processes of the machine. */
export function monotonicMs(): number {
  const [seconds, nanoseconds] = process.hrtime()
  return seconds * 1000 + nanoseconds / 1e6
}
