/**
 * What a policy says: keys as RabbitMQ and LavinMQ name them, values as they came from JSON. A stored
 * definition may hold keys and values that mean nothing (another product wrote them): they are kept and
 * ignored one by one, so readers ask for a value of the type they need.
 */
export type Definition = ReadonlyMap<string, unknown>

/** RabbitMQ's bound on everything that is a time in ms: ten years. */
export const TIME_MS_MAX = 315_360_000_000

/** An integer from `min` on, or null for anything else. */
export function integerIn(
  definition: Definition | null,
  key: string,
  min: number,
  max = Number.MAX_SAFE_INTEGER,
): number | null {
  const value = definition?.get(key)
  if (typeof value !== "number" || !Number.isSafeInteger(value)) return null
  return value >= min && value <= max ? value : null
}

export function textIn(definition: Definition | null, key: string): string | null {
  const value = definition?.get(key)
  return typeof value === "string" ? value : null
}

const DAY_MS = 86_400_000
const AGE_UNIT_MS: Readonly<Record<string, number>> = {
  Y: 365 * DAY_MS,
  M: 30 * DAY_MS,
  D: DAY_MS,
  h: 3_600_000,
  m: 60_000,
  s: 1000,
}

/** `7D`, `12h`: RabbitMQ's units, a month of 30 days and a year of 365. Null if it is no age. */
export function parseAgeMs(text: string): number | null {
  const match = /^(\d{1,15})([YMDhms])$/.exec(text)
  const unitMs = AGE_UNIT_MS[match?.[2] ?? ""]
  if (match === null || unitMs === undefined) return null
  const count = Number(match[1])
  return count === 0 ? null : Math.min(count * unitMs, Number.MAX_SAFE_INTEGER)
}
