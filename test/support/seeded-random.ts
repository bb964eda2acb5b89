/** Chance that repeats itself: the same seed gives the same numbers. */
export class SeededRandom {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  /** From 0 up to, not including, `limit`. */
  below(limit: number): number {
    // mulberry32
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let mixed = this.#state
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * limit)
  }

  chance(probability: number): boolean {
    return this.below(1_000_000) < probability * 1_000_000
  }

  /**
   * Which of `count` operations survive a power failure: none, all, those before a point in time
   * (the one at that point in parts), or any. The answer may differ between two calls with one index.
   */
  keeper(count: number): (index: number) => boolean {
    const manner = this.below(4)
    if (manner === 0) return () => false
    if (manner === 1) return () => true
    if (manner === 2) {
      const point = this.below(count + 1)
      return (index) => index < point || (index === point && this.chance(0.5))
    }
    return () => this.chance(0.5)
  }
}
