/**
 * Latencies: a reservoir of a bounded number of samples, each message with the same chance of being one of
 * them (Li's algorithm L: lots are drawn for the next message to be kept, not for each), and percentiles over
 * the reservoirs of several threads. A reservoir lies in shared memory, so that another thread reads it while
 * this one writes.
 */
export const RESERVOIR_SIZE = 131_072

/** In the order of the fields of a reservoir's memory: count, minimum, then the samples. */
const HEADER_FIELDS = 2

export function reservoirBytes(size = RESERVOIR_SIZE): number {
  return (HEADER_FIELDS + size) * Float64Array.BYTES_PER_ELEMENT
}

export class Reservoir {
  readonly #fields: Float64Array
  readonly #size: number
  #random: number
  /** What the memory has, after publish(). */
  #count = 0
  #minMs = Number.POSITIVE_INFINITY
  /** Count at which the next latency is kept, once the reservoir is full. */
  #nextKept = 0
  #weight = 1

  constructor(memory: SharedArrayBuffer, seed: number) {
    this.#fields = new Float64Array(memory)
    this.#size = this.#fields.length - HEADER_FIELDS
    this.#random = seed | 1
  }

  /** Latencies recorded, sampled or not. */
  get count(): number {
    return this.#fields[0]!
  }

  get minMs(): number {
    return this.#fields[1]!
  }

  get samples(): Float64Array {
    return this.#fields.subarray(HEADER_FIELDS, HEADER_FIELDS + Math.min(this.count, this.#size))
  }

  /** Seen by others after publish(). */
  add(latencyMs: number): void {
    if (latencyMs < this.#minMs) this.#minMs = latencyMs
    const count = this.#count++
    if (count < this.#size) {
      this.#fields[HEADER_FIELDS + count] = latencyMs
      if (count === this.#size - 1) this.#chooseNext(count)
    } else if (count === this.#nextKept) {
      const slot = Math.floor(this.#nextRandom() * this.#size)
      this.#fields[HEADER_FIELDS + slot] = latencyMs
      this.#chooseNext(count)
    }
  }

  publish(): void {
    this.#fields[1] = this.#minMs
    this.#fields[0] = this.#count
  }

  /** Forgets all, for the next second. */
  clear(): void {
    this.#count = 0
    this.#minMs = Number.POSITIVE_INFINITY
    this.#weight = 1
    this.#fields[0] = 0
  }

  #chooseNext(count: number): void {
    // Never zero, whose logarithm is none.
    this.#weight *= Math.exp(Math.log(1 - this.#nextRandom()) / this.#size)
    const skipped = Math.log(1 - this.#nextRandom()) / Math.log(1 - this.#weight)
    this.#nextKept = count + 1 + Math.floor(skipped)
  }

  /** 0 ≤ x < 1, xorshift32: a hundred times cheaper than the system's randomness, and good enough. */
  #nextRandom(): number {
    let x = this.#random
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    this.#random = x
    return (x >>> 0) / 2 ** 32
  }
}

/** Of the whole run and of the present second; used by one thread. */
export class LatencyRecorder {
  readonly #all: Reservoir
  readonly #recent: Reservoir
  /** Changes when the present second begins anew. */
  readonly #second: Int32Array
  #current = 0

  constructor(all: Reservoir, recent: Reservoir, second: Int32Array) {
    this.#all = all
    this.#recent = recent
    this.#second = second
  }

  /** Before some that are added in one go. */
  beginRun(): void {
    const second = Atomics.load(this.#second, 0)
    if (second === this.#current) return
    this.#current = second
    this.#recent.clear()
  }

  add(latencyMs: number): void {
    this.#all.add(latencyMs)
    this.#recent.add(latencyMs)
  }

  /** After them. */
  endRun(): void {
    this.#all.publish()
    this.#recent.publish()
  }
}

export interface LatencySummary {
  readonly minMs: number
  readonly medianMs: number
  readonly p75Ms: number
  readonly p95Ms: number
  readonly p99Ms: number
  readonly count: number
  readonly sampleSize: number
}

/** Null if nothing was measured. A sample stands for as many messages as its reservoir has seen per sample. */
export function summarize(reservoirs: readonly Reservoir[]): LatencySummary | null {
  const samples: { readonly ms: number; readonly weight: number }[] = []
  let count = 0
  let minMs = Number.POSITIVE_INFINITY
  for (const reservoir of reservoirs) {
    const taken = reservoir.samples
    if (taken.length === 0) continue
    count += reservoir.count
    minMs = Math.min(minMs, reservoir.minMs)
    const weight = reservoir.count / taken.length
    for (const ms of taken) samples.push({ ms, weight })
  }
  if (samples.length === 0) return null
  samples.sort((a, b) => a.ms - b.ms)
  const total = samples.reduce((sum, { weight }) => sum + weight, 0)
  const at = (part: number): number => {
    let passed = 0
    for (const { ms, weight } of samples) {
      passed += weight
      // Weights are fractions: what is missing by rounding alone is not missing.
      if (passed >= part * total - 1e-9 * total) return ms
    }
    return samples[samples.length - 1]!.ms
  }
  return {
    minMs,
    medianMs: at(0.5),
    p75Ms: at(0.75),
    p95Ms: at(0.95),
    p99Ms: at(0.99),
    count,
    sampleSize: samples.length,
  }
}
