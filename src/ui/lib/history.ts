/**
 * Samples that a page has gathered itself, for charts of what the API keeps no log of. Counters become
 * rates; where an answer was missing for long, there is a gap.
 */
const LENGTH_MAX = 360

export interface Sample {
  readonly timeMs: number
  readonly values: readonly (number | null)[]
}

export class History {
  readonly #isRate: boolean
  #samples: Sample[] = []
  #last: Sample | null = null

  /** `rate`: the values are counters. */
  constructor(kind: "rate" | "gauge") {
    this.#isRate = kind === "rate"
  }

  get samples(): readonly Sample[] {
    return this.#samples
  }

  /** `gapMs`: from this distance on the line is broken. */
  push(timeMs: number, values: readonly (number | null)[], gapMs = 60_000): void {
    const last = this.#last
    if (last !== null && timeMs <= last.timeMs) return
    this.#last = { timeMs, values }
    if (last !== null && timeMs - last.timeMs > gapMs)
      this.#add({ timeMs: last.timeMs + 1, values: values.map(() => null) })
    if (!this.#isRate) this.#add({ timeMs, values })
    else if (last !== null && timeMs - last.timeMs <= gapMs) {
      const seconds = (timeMs - last.timeMs) / 1000
      this.#add({ timeMs, values: values.map((value, i) => rate(value, last.values[i], seconds)) })
    }
  }

  #add(sample: Sample): void {
    this.#samples = [...this.#samples.slice(1 - LENGTH_MAX), sample]
  }
}

function rate(
  value: number | null,
  last: number | null | undefined,
  seconds: number,
): number | null {
  if (value === null || last === null || last === undefined) return null
  return Math.max(0, (value - last) / seconds)
}

/** Times in seconds of a log of the API, whose last sample is the newest. */
export function logTimes(length: number, lastMs: number, intervalMs: number): number[] {
  return Array.from({ length }, (_, i) => (lastMs - (length - 1 - i) * intervalMs) / 1000)
}
