/**
 * Counts values by size: a few buckets with upper bounds, and the sum. Noting a value allocates nothing.
 * Values may be noted in runs. Never reset: what a reader wants of an interval is a difference.
 */
export class Histogram {
  readonly #bounds: Float64Array
  readonly #counts: Float64Array
  /** In an array of its own, so that it is changed in place however large it grows. */
  readonly #sum = new Float64Array(1)

  /** Bounds rise; a value belongs to the first bucket whose bound is not below it. */
  constructor(bounds: readonly number[]) {
    this.#bounds = Float64Array.from(bounds)
    this.#counts = new Float64Array(bounds.length + 1)
  }

  note(value: number, count: number): void {
    const bounds = this.#bounds
    const { length } = bounds
    let bucket = 0
    while (bucket < length && value > bounds[bucket]!) bucket++
    this.#counts[bucket]! += count
    this.#sum[0]! += value * count
  }

  get bounds(): readonly number[] {
    return [...this.#bounds]
  }

  /** Per bucket, the last one without a bound. */
  get counts(): readonly number[] {
    return [...this.#counts]
  }

  get sum(): number {
    return this.#sum[0] ?? 0
  }
}
