import type { JSX } from "preact"
import { useRef } from "preact/hooks"
import type { Unit } from "../lib/chart-values.ts"
import { History, logTimes } from "../lib/history.ts"
import { Chart } from "./chart.tsx"
import type { Line } from "./chart.tsx"

/**
 * The rates of counters of the API as a chart: from the broker's log of the last ten minutes where it keeps one,
 * else from what the page has seen since it was opened.
 */
const SAMPLE_MS = 5000

export type RateLine = readonly [counter: string, label: string, color: number]

export interface RateChartProps {
  readonly title: string
  /** `publish` and `publish_details` and so on. */
  readonly stats: Readonly<Record<string, unknown>>
  readonly lines: readonly RateLine[]
  readonly receivedMs: number
  readonly format: (value: number | null) => string
  readonly unit?: Unit
}

export function RateChart(props: RateChartProps): JSX.Element {
  const { title, stats, lines, receivedMs, format, unit = "other" } = props
  const history = useRef(new History("rate"))
  const counts = lines.map(([counter]) => numberOf(stats[counter]))
  history.current.push(receivedMs, counts)
  const logs = lines.map(([counter]) => logOf(stats[`${counter}_details`]))
  const length = Math.max(...logs.map((log) => log.length))
  const own = history.current.samples
  const times =
    length > 0
      ? logTimes(length, Math.floor(receivedMs / SAMPLE_MS) * SAMPLE_MS, SAMPLE_MS)
      : own.map(({ timeMs }) => timeMs / 1000)
  // A rate needs two answers; until then the axis shows the time alone.
  if (times.length === 0) times.push(receivedMs / 1000)
  const drawn = lines.map(([, label, color], index): Line => {
    const log = logs[index] ?? []
    const values =
      length > 0
        ? [...Array.from({ length: length - log.length }, () => null), ...log]
        : own.map((sample) => sample.values[index] ?? null)
    return { label, color, values }
  })
  return <Chart title={title} times={times} lines={drawn} format={format} unit={unit} />
}

function numberOf(value: unknown): number | null {
  return typeof value === "number" ? value : null
}

function logOf(details: unknown): readonly number[] {
  if (typeof details !== "object" || details === null || !("log" in details)) return []
  const { log } = details
  return Array.isArray(log) ? log.filter((value): value is number => typeof value === "number") : []
}
