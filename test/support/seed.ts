/**
 * Random numbers of a test, from a seed that is printed, and the time that a random test may take.
 * SEED repeats a run; in CI the seed is the commit, so that the commit alone repeats it.
 */
import { spawnSync } from "node:child_process"

export interface Random {
  readonly seed: number
  /** Whole number from 0 to below `end`. */
  below(end: number): number
  /** True with this probability. */
  chance(probability: number): boolean
  pick<T>(items: readonly T[]): T
  bytes(size: number): Buffer
}

export function chooseSeed(name: string): number {
  const seed = seedNumber()
  console.log(`${name}: SEED=${String(seed)}`)
  return seed
}

function seedNumber(): number {
  const given = process.env["SEED"]
  if (given !== undefined && given !== "") return Number(given) >>> 0
  if (process.env["CI"] === "true") {
    const { stdout } = spawnSync("git", ["rev-parse", "HEAD"], { encoding: "utf8" })
    const commit = Number.parseInt((stdout ?? "").slice(0, 8), 16)
    if (Number.isInteger(commit)) return commit
  }
  return Math.trunc(Math.random() * 2 ** 32)
}

/** Seconds that a time-boxed suite may take. */
export function timeBoxSeconds(local: number, ci: number): number {
  const given = Number(process.env["TIME_BOX_SECONDS"])
  if (given > 0) return given
  return process.env["CI"] === "true" ? ci : local
}

/** Mulberry32: small, fast, and good enough to choose test cases. */
export function createRandom(seed: number): Random {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const below = (end: number): number => Math.floor(next() * end)
  return {
    seed,
    below,
    chance: (probability) => next() < probability,
    pick: (items) => items[below(items.length)]!,
    bytes: (size) => Buffer.from(Array.from({ length: size }, () => below(256))),
  }
}
