import { clock } from "./clock.ts"

/** For search as you type: calls at once after a pause, and for what comes shortly after that with the last value. */
export function debounce<T>(set: (value: T) => void, delayMs = 150): (value: T) => void {
  let timer: { cancel(): void } | null = null
  return (value) => {
    const isFirst = timer === null
    timer?.cancel()
    timer = clock.setTimer(delayMs, () => {
      timer = null
      if (!isFirst) set(value)
    })
    if (isFirst) set(value)
  }
}
