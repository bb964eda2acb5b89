/** Where things of a chart go: its window of time, the marks of its axes, and the paths of its lines. No DOM. */
const WINDOW_SECONDS = 600

type Values = readonly (number | null)[]

/** Always ten minutes at least, so that a young chart does not stretch what it has. */
export function timeWindow(times: readonly number[]): readonly [from: number, to: number] {
  const to = times.at(-1) ?? 0
  return [Math.min(times[0] ?? to, to - WINDOW_SECONDS), to]
}

/** From zero, with some air above the highest; of nothing but zeros from 0 to 1. */
export function valueRange(lines: readonly Values[]): readonly [low: number, high: number] {
  let low = 0
  let high = 0
  for (const values of lines)
    for (const value of values) {
      if (value === null) continue
      low = Math.min(low, value)
      high = Math.max(high, value)
    }
  return [low, high > 0 ? high * 1.08 : 1]
}

const MINUTE = 60
const HOUR = 60 * MINUTE
const TIME_STEPS = [15, 30, MINUTE, 2 * MINUTE, 5 * MINUTE, 10 * MINUTE, 30 * MINUTE, HOUR]

/** Round times, at most about `count`. */
export function timeTicks(from: number, to: number, count: number): number[] {
  const least = (to - from) / Math.max(1, count)
  const step = TIME_STEPS.find((one) => one >= least) ?? Math.ceil(least / HOUR) * HOUR
  return multiples(from, to, step)
}

/** Round values, at most about `count`: of 1, 2 and 5, or of powers of two for bytes. */
export function valueTicks(low: number, high: number, count: number, isBytes: boolean): number[] {
  const least = (high - low) / Math.max(1, count)
  if (isBytes) return multiples(low, high, 2 ** Math.max(0, Math.ceil(Math.log2(least))))
  const power = 10 ** Math.floor(Math.log10(least))
  const factor = [1, 2, 5].find((one) => one * power >= least) ?? 10
  return multiples(low, high, factor * power)
}

function multiples(from: number, to: number, step: number): number[] {
  const first = Math.ceil(from / step)
  const count = Math.floor(to / step) - first + 1
  return Array.from({ length: Math.max(0, count) }, (_, index) => (first + index) * step)
}

/** Each line on top of those before it: what it stands on, and its sum with them. */
export function stack(lines: readonly Values[]): { below: Values; above: Values }[] {
  let ground: readonly number[] = []
  return lines.map((values) => {
    const below = values.map((_, index) => ground[index] ?? 0)
    const above = values.map((value, index) =>
      value === null ? null : value + (below[index] ?? 0),
    )
    ground = above.map((value, index) => value ?? below[index] ?? 0)
    return { below, above }
  })
}

/** The line of an SVG path. It is broken where a value is missing; a value alone becomes a short dash. */
export function linePath(xs: readonly number[], ys: Values): string {
  return runs(ys)
    .map(([start, end]) =>
      end - start === 1 ? `${points(xs, ys, start, end)}m-1.5 0h3` : points(xs, ys, start, end),
    )
    .join("")
}

/** The area between two lines, closed, as an SVG path. */
export function areaPath(xs: readonly number[], above: Values, below: Values): string {
  return runs(above)
    .map(([start, end]) => {
      const back = points(
        xs.slice(start, end).toReversed(),
        below.slice(start, end).toReversed(),
        0,
        end - start,
      )
      return `${points(xs, above, start, end)}L${back.slice(1)}Z`
    })
    .join("")
}

/** Where values stand without a gap. */
function runs(values: Values): (readonly [start: number, end: number])[] {
  const found: (readonly [number, number])[] = []
  let start = 0
  for (let index = 0; index <= values.length; index++) {
    if (index < values.length && values[index] !== null) continue
    if (index > start) found.push([start, index])
    start = index + 1
  }
  return found
}

function points(xs: readonly number[], ys: Values, start: number, end: number): string {
  const pairs: string[] = []
  for (let index = start; index < end; index++)
    pairs.push(`${(xs[index] ?? 0).toFixed(1)} ${(ys[index] ?? 0).toFixed(1)}`)
  return `M${pairs.join("L")}`
}

/** The index of the value that is nearest to `at`; null of none. */
export function nearest(values: readonly number[], at: number): number | null {
  let best: number | null = null
  for (const [index, value] of values.entries())
    if (best === null || Math.abs(value - at) < Math.abs((values[best] ?? 0) - at)) best = index
  return best
}
