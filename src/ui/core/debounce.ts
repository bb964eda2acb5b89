import { clock } from "./clock.ts"

/** Calls with the last value after a pause, for search as you type. */
export function debounce<T>(set: (value: T) => void, delayMs = 250): (value: T) => void {
  let timer: { cancel(): void } | null = null
  return (value) => {
    timer?.cancel()
    timer = clock.setTimer(delayMs, () => set(value))
  }
}
