/**
 * Since when a client holds a delivery, about, without a time per delivery: now and then a sample notes the
 * latest delivery tag. A few samples cover a minute and a day alike, for they thin out with age; what comes
 * out is right to about a quarter. For the management; when a delivery is overdue is ack-deadlines.ts.
 */
const SAMPLES_MAX = 64

export class DeliveryTimes {
  readonly #times: number[] = []
  readonly #tags: number[] = []

  get sampleCount(): number {
    return this.#times.length
  }

  /** About twice a second while anything is unacknowledged: `lastTag` was delivered before `nowMs`. */
  tick(nowMs: number, lastTag: number): void {
    const tags = this.#tags
    if (tags.length > 0 && tags[tags.length - 1] === lastTag) return
    this.#times.push(nowMs)
    tags.push(lastTag)
    if (tags.length > SAMPLES_MAX) this.#thinOut(nowMs)
  }

  /** Nothing is outstanding. */
  clear(): void {
    this.#times.length = 0
    this.#tags.length = 0
  }

  /** The client has had it at this time, and not for long before; null: it has just come. */
  heldSinceMs(tag: number): number | null {
    const index = this.#tags.findIndex((one) => one >= tag)
    return this.#times[index] ?? null
  }

  /** The one goes whose neighbours are closest, for its age. The first one and the last one stay. */
  #thinOut(nowMs: number): void {
    const times = this.#times
    let least = Infinity
    let found = 1
    for (let i = 1; i < times.length - 1; i++) {
      const gap = (times[i + 1]! - times[i - 1]!) / (nowMs - times[i]! + 1)
      if (gap >= least) continue
      least = gap
      found = i
    }
    times.splice(found, 1)
    this.#tags.splice(found, 1)
  }
}
