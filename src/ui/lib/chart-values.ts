/** What a chart draws of the values it is given: sums of what is stacked, its window, and the steps of its axes. No DOM. */
const WINDOW_SECONDS = 600

export type Values = readonly (number | null)[]

/** Always ten minutes at least, so that a young chart does not stretch what it has. */
export function timeWindow(first: number | null, last: number | null): [from: number, to: number] {
  const to = last ?? WINDOW_SECONDS
  return [Math.min(first ?? to, to - WINDOW_SECONDS), to]
}

/** From zero, with some air above the highest; of nothing but zeros from 0 to 1. */
export function valueRange(low: number, high: number): [low: number, high: number] {
  return [Math.min(0, low), high > 0 ? high * 1.08 : 1]
}

/** Each line on top of those before it. A value that is missing leaves a gap in its own line only. */
export function stacked(lines: readonly Values[]): (number | null)[][] {
  const sums: number[] = []
  return lines.map((values) =>
    values.map((value, index) => {
      if (value === null) return null
      const sum = (sums[index] ?? 0) + value
      sums[index] = sum
      return sum
    }),
  )
}

/** Values between gaps, which no line would show. Null of none. */
export function loneIndexes(values: readonly (number | null | undefined)[]): number[] | null {
  const found: number[] = []
  for (const [index, value] of values.entries())
    if (isKnown(value) && !isKnown(values[index - 1]) && !isKnown(values[index + 1]))
      found.push(index)
  return found.length > 0 ? found : null
}

function isKnown(value: number | null | undefined): boolean {
  return typeof value === "number"
}

/** Bytes have marks at powers of two, counts at whole numbers, all else down to the tenths that are written. */
export type Unit = "bytes" | "count" | "other"

export function valueSteps(unit: Unit): number[] {
  if (unit === "bytes") return Array.from({ length: 50 }, (_, power) => 2 ** power)
  return Array.from({ length: 16 }, (_, index) => (unit === "count" ? index : index - 1)).flatMap(
    (power) => [1, 2, 5].map((factor) => Number(`${String(factor)}e${String(power)}`)),
  )
}

/** Times are written in minutes, so no mark stands between. */
export const TIME_STEPS = [1, 2, 5, 10, 30, 60, 120, 360, 720, 1440].map((minutes) => minutes * 60)
