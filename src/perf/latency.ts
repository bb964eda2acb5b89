/**
 * Latencies: a reservoir of a bounded number of samples, each message with the same chance of being one of
 * them (Vitter's algorithm R), and percentiles over the reservoirs of several threads. A reservoir lies in
 * shared memory, so that another thread reads it while this one writes.
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

  add(latencyMs: number): void {
    const fields = this.#fields
    const count = fields[0]!
    if (count === 0 || latencyMs < fields[1]!) fields[1] = latencyMs
    const slot = count < this.#size ? count : Math.floor(this.#nextRandom() * (count + 1))
    if (slot < this.#size) fields[HEADER_FIELDS + slot] = latencyMs
    fields[0] = count + 1
  }

  /** Forgets all, for the next second. */
  clear(): void {
    this.#fields[0] = 0
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
