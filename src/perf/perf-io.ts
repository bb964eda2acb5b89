import type { Clock } from "../util/clock.ts"
import type { Random } from "../util/random.ts"

/** What a mode needs of the world around it. The entry file makes it. */
export interface PerfIo {
  readonly clock: Clock
  readonly random: Random
  /** Standard output is a terminal: progress stands in one line, and Enter can be waited for. */
  readonly isTerminal: boolean
  out(text: string): void
  error(text: string): void
  /** Calls back with the first interrupt; the second ends the program by itself. */
  onInterrupt(callback: () => void): void
  /** Fulfilled with each Enter, false if the input has ended or the program is interrupted. */
  readLine(): Promise<boolean>
}

export const EXIT_SUCCESS = 0
export const EXIT_FAILURE = 1

export function wait(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => void clock.setTimer(ms, resolve))
}

/** Resident memory of this process, for people. */
export function formatMemory(): string {
  return `${(process.memoryUsage().rss / 2 ** 20).toFixed(1)} MiB`
}
