import type { Clock } from "../util/clock.ts"
import { ratesOf, RATES_ONLY, round, SampleHistory, SampleRing, samplesOf } from "./samples.ts"
import type { SampleKind, SampleWindow, Shown } from "./samples.ts"

/**
 * What is remembered of the objects that count: for each the last values and their rates, and samples
 * for those that are in use. Memory is bounded: what counts nothing for LENGTH samples is forgotten, and
 * only so many objects have samples at one time.
 */
export const LENGTH = 121
const RINGS_MAX = 500

/** A name in the API, and how its value is read. */
export type Metric<T> = readonly [name: string, read: (subject: T) => number]

/** Of one kind of object: what only grows, then what goes up and down. */
export interface Metrics<T> {
  readonly counters: readonly Metric<T>[]
  readonly levels: readonly Metric<T>[]
}

class Series {
  /** Of the round that has seen it last. */
  round = 0
  idleRounds = 0
  readonly last: number[]
  readonly rates: number[]
  /** Several for what there is one of, one for what is in use, none for the rest. */
  rings: readonly SampleRing[] = []
  history: SampleHistory | null = null

  constructor(values: readonly number[]) {
    this.last = [...values]
    this.rates = values.map(() => 0)
  }
}

export class SeriesTable {
  readonly #clock: Clock
  readonly #series = new Map<object, Series>()
  /** Forgotten while they were idle: what they count next has been since then. */
  readonly #forgotten = new WeakMap<object, readonly number[]>()
  #ringCount = 0
  #round = 0
  #seconds = 1
  #lastMs: number

  constructor(clock: Clock) {
    this.#clock = clock
    this.#lastMs = clock.nowMs
  }

  /** A round of samples begins. */
  begin(): void {
    const { nowMs } = this.#clock
    this.#round++
    this.#seconds = Math.max(nowMs - this.#lastMs, 1) / 1000
    this.#lastMs = nowMs
  }

  /** `isOne`: there is one of its kind, with a long history. */
  note<T>(subject: object, source: T, { counters, levels }: Metrics<T>, isOne = false): void {
    let series = this.#series.get(subject)
    if (series === undefined) {
      const before = this.#forgotten.get(subject)
      if (!isOne && !isUsed(source, counters, levels, before)) return
      series = new Series(before ?? [...counters, ...levels].map(() => 0))
      this.#series.set(subject, series)
    }
    series.round = this.#round
    const hasRoom = isOne || this.#ringCount < RINGS_MAX
    const before = series.rings.length === 0 && hasRoom ? [...series.last] : null
    const isChanged = this.#measure(series, source, counters, levels)
    series.idleRounds = isChanged ? 0 : series.idleRounds + 1
    if (before !== null && (isOne || isChanged)) this.#startSamples(series, before, isOne)
    if (series.history !== null) series.history.push(this.#lastMs, series.last)
    else series.rings[0]?.push(this.#lastMs, series.last)
    if (!isOne && series.idleRounds > LENGTH) {
      this.#forgotten.set(subject, series.last)
      this.#drop(subject, series)
    }
  }

  #measure<T>(
    series: Series,
    source: T,
    counters: readonly Metric<T>[],
    levels: readonly Metric<T>[],
  ): boolean {
    let isChanged = false
    let index = 0
    for (const [, read] of counters) {
      const grown = read(source) - (series.last[index] ?? 0)
      if (grown !== 0) isChanged = true
      // A sum may fall when something leaves it; a rate of what only grows is never negative.
      series.rates[index] = Math.max(0, grown) / this.#seconds
      series.last[index++] = read(source)
    }
    for (const [, read] of levels) {
      const grown = read(source) - (series.last[index] ?? 0)
      if (grown !== 0) isChanged = true
      series.rates[index] = grown / this.#seconds
      series.last[index++] = read(source)
    }
    return isChanged
  }

  /** With what was counted when the round before ended, so that there is a first rate. */
  #startSamples(series: Series, before: readonly number[], isOne: boolean): void {
    const width = before.length
    if (isOne) {
      series.history = new SampleHistory(width)
      series.rings = series.history.rings
    } else {
      series.rings = [new SampleRing(width, LENGTH)]
      this.#ringCount++
    }
    series.rings[0]?.push(this.#lastMs - this.#seconds * 1000, before)
  }

  #drop(subject: object, series: Series): void {
    if (series.history === null && series.rings.length > 0) this.#ringCount--
    this.#series.delete(subject)
  }

  /** What this round has not seen is gone. `pause` is called between steps. */
  async end(pause: () => Promise<void> | null): Promise<void> {
    for (const [subject, series] of this.#series) {
      const paused = pause()
      if (paused !== null) await paused
      if (series.round !== this.#round) this.#drop(subject, series)
    }
  }

  /** What has been counted up to now is no growth of the next round. */
  clear(): void {
    for (const [subject, series] of this.#series) {
      this.#forgotten.set(subject, series.last)
      this.#drop(subject, series)
    }
  }

  rate(subject: object, index: number): number {
    return round(this.#series.get(subject)?.rates[index] ?? 0)
  }

  /** `x` and `x_details` for each metric; their place in the series begins at `first`. */
  describe<T>(
    subject: object,
    source: T,
    metrics: readonly Metric<T>[],
    first: number,
    kind: SampleKind,
    shown: Shown = RATES_ONLY,
  ): Record<string, unknown> {
    const series = this.#series.get(subject)
    const record: Record<string, unknown> = {}
    for (const [index, [name, read]] of metrics.entries()) {
      record[name] = read(source)
      record[`${name}_details`] = details(series, first + index, shown.log, shown.windows[kind])
    }
    return record
  }

  /** Empty for what has no samples. */
  ringsOf(subject: object): readonly SampleRing[] {
    return this.#series.get(subject)?.rings ?? []
  }
}

function isUsed<T>(
  source: T,
  counters: readonly Metric<T>[],
  levels: readonly Metric<T>[],
  before: readonly number[] | undefined,
): boolean {
  let index = 0
  for (const [, read] of counters) if (read(source) !== (before?.[index++] ?? 0)) return true
  for (const [, read] of levels) if (read(source) !== (before?.[index++] ?? 0)) return true
  return false
}

function details(
  series: Series | undefined,
  index: number,
  withLog: boolean,
  window: SampleWindow | null,
): Record<string, unknown> {
  const rate = round(series?.rates[index] ?? 0)
  if (!withLog && window === null) return { rate }
  const [ring] = series?.rings ?? []
  return {
    rate,
    ...(withLog && { log: ring === undefined ? [] : ratesOf(ring, index) }),
    ...(window !== null && samplesOf(series?.rings ?? [], index, window)),
  }
}
