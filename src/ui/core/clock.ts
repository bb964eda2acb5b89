import type { Clock, TimerHandle } from "../lib/clock.ts"

/** The browser's door to time; everything else takes a Clock, so that tests move it by hand. */
class BrowserClock implements Clock {
  nowMs = Date.now()

  refresh(): void {
    this.nowMs = Date.now()
  }

  setTimer(delayMs: number, callback: () => void): TimerHandle {
    const timer = setTimeout(callback, delayMs)
    return { cancel: () => clearTimeout(timer) }
  }

  setImmediate(callback: () => void): void {
    queueMicrotask(callback)
  }
}

export const clock: Clock = new BrowserClock()

export function nowMs(): number {
  clock.refresh()
  return clock.nowMs
}
