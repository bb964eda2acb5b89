import type { Clock } from "../util/clock.ts"
import { ratesOf, RATES_ONLY, round, SampleHistory, SampleRing, samplesOf } from "./samples.ts"
import type { Sample, SampleKind, SampleWindow, Shown } from "./samples.ts"

/**
 * What is remembered of the objects that count: for each a row of numbers with the last values and their
 * rates, and samples for those that are in use. Memory is bounded: what counts nothing for LENGTH samples
 * is forgotten, and only so many objects have samples at one time.
 */
export const LENGTH = 121
const RINGS_MAX = 500
const CHUNK_ROWS = 128

/** A name in the API, and how its value is read. */
export type Metric<T> = readonly [name: string, read: (subject: T) => number]

/** Of one kind of object: what only grows, then what goes up and down. */
export interface Metrics<T> {
  readonly counters: readonly Metric<T>[]
  readonly levels: readonly Metric<T>[]
}

/** When samples are taken, and how many objects have some. The tables of all kinds share it. */
export class SampleRounds {
  readonly #clock: Clock
  /** 0 before the first. */
  round = 0
  /** Since the round before. */
  seconds = 1
  nowMs: number
  ringCount = 0

  constructor(clock: Clock) {
    this.#clock = clock
    this.nowMs = clock.nowMs
  }

  begin(): void {
    const { nowMs } = this.#clock
    this.round++
    this.seconds = Math.max(nowMs - this.nowMs, 1) / 1000
    this.nowMs = nowMs
  }
}

/** Several rings for what there is one of, one for what is in use. */
type Samples = SampleRing | SampleHistory

/**
 * The objects of one kind. A row is
 *
 *   | last value … | rate … | round that has seen it last | rounds without a change |
 *
 * in chunks that are typed arrays: 100,000 objects are nothing that the garbage collector has to look at,
 * and a walk over them in their order finds each behind the one before.
 */
export class SeriesTable<T extends object> {
  readonly #rounds: SampleRounds
  readonly #reads: readonly ((subject: T) => number)[]
  readonly #counterCount: number
  /** Values of an object. */
  readonly #width: number
  readonly #rowWidth: number
  readonly #chunks: Float64Array[] = []
  readonly #subjects: T[] = []
  readonly #samples: (Samples | null)[] = []
  readonly #rows = new Map<object, number>()
  /** Forgotten while they were idle: what they count next has been since then. */
  readonly #forgotten = new WeakMap<object, readonly number[]>()
  /** That was asked for last. */
  #row = -1
  /** As they have just been read. */
  readonly #values: number[]
  readonly #zeros: readonly number[]

  constructor(rounds: SampleRounds, { counters, levels }: Metrics<T>) {
    this.#rounds = rounds
    this.#reads = [...counters, ...levels].map(([, read]) => read)
    this.#counterCount = counters.length
    this.#width = this.#reads.length
    this.#rowWidth = 2 * this.#width + 2
    this.#zeros = this.#reads.map(() => 0)
    this.#values = [...this.#zeros]
  }

  get size(): number {
    return this.#subjects.length
  }

  /** -1 for what has counted nothing lately. */
  #rowOf(subject: object): number {
    const next = this.#row + 1
    if (this.#subjects[next] !== subject) {
      const row = this.#rows.get(subject)
      if (row === undefined) return -1
      this.#row = row
    } else this.#row = next
    return this.#row
  }

  #chunkOf(row: number): Float64Array {
    return this.#chunks[Math.floor(row / CHUNK_ROWS)]!
  }

  /** In its chunk. */
  #start(row: number): number {
    return (row % CHUNK_ROWS) * this.#rowWidth
  }

  /** `isOne`: there is one of its kind, with a long history. */
  note(subject: T, isOne = false): void {
    const values = this.#values
    for (let i = 0; i < this.#width; i++) values[i] = this.#reads[i]!(subject)
    let row = this.#rowOf(subject)
    if (row < 0) {
      const before = this.#forgotten.get(subject) ?? this.#zeros
      if (!isOne && values.every((value, i) => value === before[i])) return
      row = this.#add(subject, before)
    }
    const chunk = this.#chunkOf(row)
    const start = this.#start(row)
    const isChanged = this.#isChanged(chunk, start)
    if (this.#samples[row] === null && (isOne || isChanged)) this.#startSamples(row, isOne)
    this.#update(chunk, start)
    this.#samples[row]?.push(this.#rounds.nowMs, values)
    const idleAt = start + this.#rowWidth - 1
    chunk[idleAt - 1] = this.#rounds.round
    const idleRounds = isChanged ? 0 : chunk[idleAt]! + 1
    chunk[idleAt] = idleRounds
    if (!isOne && idleRounds > LENGTH) this.#forget(row)
  }

  #isChanged(chunk: Float64Array, start: number): boolean {
    for (let i = 0; i < this.#width; i++) if (this.#values[i] !== chunk[start + i]) return true
    return false
  }

  #update(chunk: Float64Array, start: number): void {
    const { seconds } = this.#rounds
    const width = this.#width
    for (let i = 0; i < width; i++) {
      const value = this.#values[i]!
      const grown = value - chunk[start + i]!
      // A sum may fall when something leaves it; a rate of what only grows is never negative.
      chunk[start + width + i] = (i < this.#counterCount ? Math.max(0, grown) : grown) / seconds
      chunk[start + i] = value
    }
  }

  #add(subject: T, before: readonly number[]): number {
    const row = this.#subjects.push(subject) - 1
    this.#samples.push(null)
    this.#rows.set(subject, row)
    if (row % CHUNK_ROWS === 0) this.#chunks.push(new Float64Array(CHUNK_ROWS * this.#rowWidth))
    const start = this.#start(row)
    const chunk = this.#chunkOf(row)
    chunk.fill(0, start, start + this.#rowWidth)
    chunk.set(before, start)
    this.#row = row
    return row
  }

  /** With what was counted when the round before ended, so that there is a first rate. */
  #startSamples(row: number, isOne: boolean): void {
    const rounds = this.#rounds
    if (!isOne && rounds.ringCount >= RINGS_MAX) return
    const samples = isOne ? new SampleHistory(this.#width) : new SampleRing(this.#width, LENGTH)
    if (!isOne) rounds.ringCount++
    this.#samples[row] = samples
    const [ring] = ringsIn(samples)
    const first = this.#lastOf(row)
    // What there is one of has been there before: its levels have not begun at zero.
    if (isOne) for (let i = this.#counterCount; i < this.#width; i++) first[i] = this.#values[i]!
    ring?.push(rounds.nowMs - rounds.seconds * 1000, first)
  }

  #lastOf(row: number): number[] {
    const start = this.#start(row)
    return Array.from(this.#chunkOf(row).subarray(start, start + this.#width))
  }

  #forget(row: number): void {
    this.#forgotten.set(this.#subjects[row]!, this.#lastOf(row))
    this.#remove(row)
  }

  /** The last one takes its place. */
  #remove(row: number): void {
    if (this.#samples[row] instanceof SampleRing) this.#rounds.ringCount--
    this.#rows.delete(this.#subjects[row]!)
    const lastRow = this.size - 1
    const last = this.#subjects.pop()
    const samples = this.#samples.pop() ?? null
    if (row < lastRow && last !== undefined) {
      this.#subjects[row] = last
      this.#samples[row] = samples
      this.#rows.set(last, row)
      const start = this.#start(lastRow)
      const cells = this.#chunkOf(lastRow).subarray(start, start + this.#rowWidth)
      this.#chunkOf(row).set(cells, this.#start(row))
    }
    if (lastRow % CHUNK_ROWS === 0) this.#chunks.pop()
  }

  /** What this round has not seen is gone. `pause` is called between steps. */
  async end(pause: () => Promise<void> | null): Promise<void> {
    for (let row = this.size - 1; row >= 0; row--) {
      const paused = pause()
      if (paused !== null) await paused
      if (row < this.size && this.#roundOf(row) !== this.#rounds.round) this.#remove(row)
    }
  }

  #roundOf(row: number): number {
    return this.#chunkOf(row)[this.#start(row) + this.#rowWidth - 2]!
  }

  /** What has been counted up to now is no growth of the next round. */
  clear(): void {
    while (this.size > 0) this.#forget(this.size - 1)
  }

  /** Fastest in the order of the rows, which is that of the first walk. */
  rate(subject: object, index: number): number {
    return this.#rateIn(this.#rowOf(subject), index)
  }

  #rateIn(row: number, index: number): number {
    return row < 0 ? 0 : round(this.#chunkOf(row)[this.#start(row) + this.#width + index]!)
  }

  /** `x` and `x_details` for each metric; their place in the series begins at `first`. */
  describe<S>(
    subject: object,
    source: S,
    metrics: readonly Metric<S>[],
    first: number,
    kind: SampleKind,
    shown: Shown = RATES_ONLY,
  ): Record<string, unknown> {
    const record: Record<string, unknown> = {}
    const window = shown.windows[kind]
    const row = this.#rowOf(subject)
    const now = (sample: number): Sample => ({ sample, timestamp: this.#rounds.nowMs })
    for (const [offset, [name, read]] of metrics.entries()) {
      const index = first + offset
      const sample = read(source)
      record[name] = sample
      const rate = this.#rateIn(row, index)
      record[`${name}_details`] =
        shown.log || window !== null
          ? { rate, ...samplesShown(this.#ringsOf(row), index, shown, window, now(sample)) }
          : { rate }
    }
    return record
  }

  /** Empty for what has no samples. */
  ringsOf(subject: object): readonly SampleRing[] {
    return this.#ringsOf(this.#rowOf(subject))
  }

  #ringsOf(row: number): readonly SampleRing[] {
    const samples = this.#samples[row] ?? null
    return samples === null ? [] : ringsIn(samples)
  }
}

function ringsIn(samples: Samples): readonly SampleRing[] {
  return samples instanceof SampleHistory ? samples.rings : [samples]
}

function samplesShown(
  rings: readonly SampleRing[],
  index: number,
  { log: withLog }: Shown,
  window: SampleWindow | null,
  now: Sample,
): Record<string, unknown> {
  const [ring] = rings
  return {
    ...(withLog && { log: ring === undefined ? [] : ratesOf(ring, index) }),
    ...(window !== null && samplesOf(rings, index, window, now)),
  }
}
