/**
 * When deliveries count as overdue (consumer timeout), without a time per delivery. Delivery tags rise
 * with time, so now and then a sample notes the latest one; what is not settled when a sample is as
 * old as the timeout was delivered before it and is overdue.
 *
 *   samples  (t0, tag 40) (t1, tag 90) (t2, tag 90) ...      t0 + timeout reached: 1 to 40 are overdue
 *
 * One object for each timeout in use on a channel; some ten samples in it. A delivery is found overdue
 * between the timeout and a tenth, but at least a second, later (TICK_MS and the distance of samples).
 */

/** How often a connection looks, about (server/start-broker.ts). */
const TICK_MS = 500

/** Sampled so often, two ticks that come late included, nothing is found later than promised. */
function sampleDistance(timeoutMs: number): number {
  return Math.max(0, timeoutMs / 10 - 2 * TICK_MS)
}

export class AckDeadlines {
  readonly timeoutMs: number
  /** Every delivery with this tag or a lower one is overdue. */
  overdueTag = 0
  /** Up to here they were looked for and dealt with. */
  checkedTag = 0
  readonly #distanceMs: number
  readonly #times: number[] = []
  readonly #tags: number[] = []

  constructor(timeoutMs: number) {
    this.timeoutMs = timeoutMs
    this.#distanceMs = sampleDistance(timeoutMs)
  }

  get sampleCount(): number {
    return this.#times.length
  }

  /** About twice a second while anything is unacknowledged: `lastTag` was delivered before `nowMs`. */
  tick(nowMs: number, lastTag: number): void {
    const times = this.#times
    const tags = this.#tags
    let passed = 0
    while (passed < times.length && nowMs - times[passed]! >= this.timeoutMs) passed++
    if (passed > 0) {
      this.overdueTag = tags[passed - 1]!
      times.splice(0, passed)
      tags.splice(0, passed)
    }
    const last = times.length - 1
    const knownTag = last < 0 ? this.overdueTag : tags[last]!
    if (lastTag === knownTag) return // An older sample covers them all.
    if (last >= 0 && nowMs - times[last]! < this.#distanceMs) return
    times.push(nowMs)
    tags.push(lastTag)
  }
}
