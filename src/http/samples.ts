import { Type } from "./schema.ts"
import type { Static } from "./schema.ts"

/**
 * Samples of counters and levels over time, and the way RabbitMQ shows them: as many as a request wants
 * of the last so many seconds. A ring holds the newest of one interval; a history is several rings, each
 * coarser and longer than the one before. Memory is what has been sampled, up to the length of the ring.
 */

/** The newest `length` samples of `width` values each. Grows as they come. */
export class SampleRing {
  readonly #width: number
  readonly #length: number
  #capacity: number
  #values: Float64Array
  #times: Float64Array
  #count = 0

  constructor(width: number, length: number) {
    this.#width = width
    this.#length = length
    this.#capacity = Math.min(8, length)
    this.#values = new Float64Array(width * this.#capacity)
    this.#times = new Float64Array(this.#capacity)
  }

  get size(): number {
    return Math.min(this.#count, this.#capacity)
  }

  push(nowMs: number, values: readonly number[]): void {
    if (this.#count === this.#capacity && this.#capacity < this.#length) this.#grow()
    const slot = this.#count % this.#capacity
    this.#values.set(values, slot * this.#width)
    this.#times[slot] = nowMs
    this.#count++
  }

  /** 0 is the oldest. */
  timeAt(place: number): number {
    return this.#times[this.#slot(place)] ?? 0
  }

  valueAt(place: number, index: number): number {
    return this.#values[this.#slot(place) * this.#width + index] ?? 0
  }

  #slot(place: number): number {
    return (this.#count - this.size + place) % this.#capacity
  }

  /** Before the ring has turned: what is there stays where it is. */
  #grow(): void {
    this.#capacity = Math.min(2 * this.#capacity, this.#length)
    const values = new Float64Array(this.#width * this.#capacity)
    values.set(this.#values)
    this.#values = values
    const times = new Float64Array(this.#capacity)
    times.set(this.#times)
    this.#times = times
  }
}

/** For what there is one of: ten minutes, two hours and a day. */
export class SampleHistory {
  readonly rings: readonly SampleRing[]
  #pushes = 0
  static readonly #EVERY = [1, 12, 120]

  constructor(width: number) {
    this.rings = [
      new SampleRing(width, 121),
      new SampleRing(width, 121),
      new SampleRing(width, 145),
    ]
  }

  push(nowMs: number, values: readonly number[]): void {
    for (const [index, ring] of this.rings.entries())
      if (this.#pushes % (SampleHistory.#EVERY[index] ?? 1) === 0) ring.push(nowMs, values)
    this.#pushes++
  }
}

/** Of the last `ageSeconds`, one sample each `stepSeconds`. */
export interface SampleWindow {
  readonly ageSeconds: number
  readonly stepSeconds: number
}

const AGE_MAX = 86_400
/** Of one series in one reply. */
const SAMPLES_MAX = 1000

const KINDS = ["lengths", "msg_rates", "data_rates", "node_stats"] as const

const AGE = Type.Optional(
  Type.Integer({
    minimum: 1,
    maximum: AGE_MAX,
    description: "With the matching _incr: adds samples of the last so many seconds",
  }),
)
const INCREMENT = Type.Optional(
  Type.Integer({ minimum: 1, maximum: AGE_MAX, description: "Seconds between two samples" }),
)

/** RabbitMQ's parameters for samples. */
export const SAMPLE_QUERY = {
  lengths_age: AGE,
  lengths_incr: INCREMENT,
  msg_rates_age: AGE,
  msg_rates_incr: INCREMENT,
  data_rates_age: AGE,
  data_rates_incr: INCREMENT,
  node_stats_age: AGE,
  node_stats_incr: INCREMENT,
}

const SAMPLES = Type.Object(SAMPLE_QUERY)

export type SampleKind = (typeof KINDS)[number]

/** What a reply shows beside counters and rates. */
export interface Shown {
  /** The rates of the last ten minutes, as LavinMQ has them. */
  readonly log: boolean
  readonly windows: Readonly<Record<SampleKind, SampleWindow | null>>
}

const NO_WINDOWS = { lengths: null, msg_rates: null, data_rates: null, node_stats: null } as const

/** Of a row of a list. */
export const RATES_ONLY: Shown = { log: false, windows: NO_WINDOWS }

export function shownBy(query: Static<typeof SAMPLES>, log: boolean): Shown {
  const windows: Record<SampleKind, SampleWindow | null> = { ...NO_WINDOWS }
  for (const kind of KINDS) {
    const age = query[`${kind}_age`]
    const increment = query[`${kind}_incr`]
    if (age === undefined || increment === undefined) continue
    const stepSeconds = Math.max(increment, Math.ceil(age / SAMPLES_MAX))
    windows[kind] = { ageSeconds: age, stepSeconds }
  }
  return { log, windows }
}

export interface Sample {
  readonly sample: number
  /** Milliseconds since 1970. */
  readonly timestamp: number
}

interface Samples {
  readonly avg: number
  readonly avg_rate: number
  readonly samples: readonly Sample[]
}

/** Newest first, each the last one before its time. What has no samples yet is as it is now. */
export function samplesOf(
  rings: readonly SampleRing[],
  index: number,
  { ageSeconds, stepSeconds }: SampleWindow,
  now: Sample,
): Samples {
  const ring = ringFor(rings, ageSeconds)
  const samples: Sample[] = []
  let place = ring.size - 1
  let wantedMs = place < 0 ? 0 : ring.timeAt(place)
  const endMs = wantedMs - ageSeconds * 1000
  let shownPlace = -1
  while (place >= 0 && wantedMs >= endMs) {
    if (place !== shownPlace)
      samples.push({ sample: ring.valueAt(place, index), timestamp: ring.timeAt(place) })
    shownPlace = place
    wantedMs -= stepSeconds * 1000
    while (place >= 0 && ring.timeAt(place) > wantedMs) place--
  }
  const [newest] = samples
  const oldest = samples.at(-1)
  if (newest === undefined || oldest === undefined)
    return { avg: now.sample, avg_rate: 0, samples: [now] }
  const sum = samples.reduce((total, { sample }) => total + sample, 0)
  const elapsed = (newest.timestamp - oldest.timestamp) / 1000
  return {
    avg: round(sum / samples.length),
    avg_rate: elapsed === 0 ? 0 : round((newest.sample - oldest.sample) / elapsed),
    samples,
  }
}

/** The finest that reaches so far back, once it has been filled. */
function ringFor(rings: readonly SampleRing[], ageSeconds: number): SampleRing {
  let best: SampleRing | null = null
  let reach = -1
  for (const ring of rings) {
    const span = ring.size === 0 ? 0 : ring.timeAt(ring.size - 1) - ring.timeAt(0)
    if (span > reach) [best, reach] = [ring, span]
    if (reach >= ageSeconds * 1000) break
  }
  return best ?? new SampleRing(0, 1)
}

/** Rates between the samples, oldest first. */
export function ratesOf(ring: SampleRing, index: number): number[] {
  const rates: number[] = []
  for (let place = 1; place < ring.size; place++) {
    const elapsed = Math.max(1, ring.timeAt(place) - ring.timeAt(place - 1)) / 1000
    const grown = ring.valueAt(place, index) - ring.valueAt(place - 1, index)
    rates.push(round(Math.max(0, grown) / elapsed))
  }
  return rates
}

/** The samples themselves, oldest first. */
export function levelsOf(ring: SampleRing, index: number): number[] {
  return Array.from({ length: ring.size }, (_, place) => ring.valueAt(place, index))
}

export function round(value: number): number {
  return Math.round(value * 10) / 10
}
