import type { JSX } from "preact"
import { useEffect, useRef } from "preact/hooks"
import uPlot from "uplot"
import { theme } from "../core/theme.ts"
import { formatTime } from "../lib/format.ts"

/**
 * Lines or stacked areas over time. Values are `null` where there is a gap. The legend shows the values below
 * the pointer, else the latest, and a click on a name hides its line.
 */
export interface Line {
  readonly label: string
  /** 1 to 8: a colour of styles/tokens.css. The same thing has the same colour on every page. */
  readonly color: number
  readonly values: readonly (number | null)[]
}

export interface ChartProps {
  /** Read to those who cannot see it. */
  readonly title: string
  /** Seconds since 1970, one for each value. */
  readonly times: readonly number[]
  readonly lines: readonly Line[]
  readonly format: (value: number | null) => string
  readonly isStacked?: boolean
  /** The values are bytes: the axis has steps of 1024. */
  readonly isBytes?: boolean
  readonly height?: number
}

export function Chart(given: ChartProps): JSX.Element {
  const props = atLeastTwo(given)
  const { title, lines, isStacked = false, height = 170 } = props
  const box = useRef<HTMLDivElement>(null)
  const plot = useRef<uPlot | null>(null)
  const latest = useRef(props)
  latest.current = props
  const shape = `${lines.map(({ label, color }) => `${label}:${String(color)}`).join()} ${String(isStacked)} ${theme.value}`
  useEffect(() => {
    const element = box.current
    if (element === null) return undefined
    const width = (): number => Math.max(200, element.clientWidth)
    const made = new uPlot(optionsOf(latest, width(), height), dataOf(latest.current), element)
    plot.current = made
    const observer = new ResizeObserver(() => made.setSize({ width: width(), height }))
    observer.observe(element)
    return () => {
      observer.disconnect()
      made.destroy()
      plot.current = null
    }
  }, [shape, height])
  useEffect(() => {
    plot.current?.setData(dataOf(props))
  }, [props.times, lines])
  return (
    <div class="chart" role="img" aria-label={`Chart: ${title}. ${summary(props)}`} ref={box} />
  )
}

/** For a single time uPlot would draw a whole day. */
function atLeastTwo(props: ChartProps): ChartProps {
  const [only] = props.times
  if (props.times.length !== 1 || only === undefined) return props
  return {
    ...props,
    times: [only - WINDOW_SECONDS, only],
    lines: props.lines.map((line) => ({ ...line, values: [null, ...line.values] })),
  }
}

function summary({ lines, format }: ChartProps): string {
  return lines.map(({ label, values }) => `${label} ${format(values.at(-1) ?? null)}`).join(", ")
}

/** Stacked areas are lines over the sum of what is below. */
function dataOf({ times, lines, isStacked = false }: ChartProps): uPlot.AlignedData {
  const sums = times.map(() => 0)
  const series = lines.map(({ values }) =>
    isStacked
      ? times.map((_, i) => {
          const value = values[i] ?? null
          if (value === null) return null
          sums[i] = (sums[i] ?? 0) + value
          return sums[i] ?? null
        })
      : [...values],
  )
  return [[...times], ...series]
}

const WINDOW_SECONDS = 600
const BYTE_STEPS = Array.from({ length: 50 }, (_, power) => 2 ** power)

/** Always ten minutes, so that a young chart does not stretch what it has. */
function timeRange(_: uPlot, min: number | null, max: number | null): uPlot.Range.MinMax {
  if (min === null || max === null) return [0, WINDOW_SECONDS]
  return [Math.min(min, max - WINDOW_SECONDS), max]
}

function optionsOf(latest: { current: ChartProps }, width: number, height: number): uPlot.Options {
  const style = getComputedStyle(document.documentElement)
  const color = (name: string): string => style.getPropertyValue(name).trim()
  const { lines, isStacked = false, isBytes = false } = latest.current
  const font = `11px ${color("--font")}`
  const axis = {
    stroke: color("--muted"),
    font,
    grid: { stroke: color("--grid"), width: 1 },
    ticks: { show: false },
  }
  return {
    width,
    height,
    padding: [8, 8, 0, 0],
    cursor: { points: { size: 6 }, drag: { x: false, y: false } },
    legend: { live: true },
    scales: {
      x: { range: timeRange },
      y: { range: (_, min, max) => [Math.min(0, min), max > 0 ? max * 1.08 : 1] },
    },
    axes: [
      {
        ...axis,
        space: 70,
        size: 24,
        values: (_, splits) => splits.map((at) => formatTime(at * 1000).slice(0, 5)),
      },
      {
        ...axis,
        ...(isBytes && { incrs: BYTE_STEPS }),
        space: 32,
        size: isBytes ? 72 : 58,
        values: (_, splits) => splits.map((value) => latest.current.format(value)),
      },
    ],
    series: [
      { label: "Time", value: (_, at) => formatTime(at === null ? null : at * 1000) },
      ...lines.map((line, index): uPlot.Series => {
        const stroke = color(`--chart-${String(line.color)}`)
        return {
          label: line.label,
          stroke,
          width: 1.5,
          points: { show: false },
          ...(isStacked && { fill: `${stroke}40` }),
          value: (_, __, ___, at) => valueText(latest.current, index, at),
        }
      }),
    ],
  }
}

/** Of the line itself, also where it is drawn on top of others; without a pointer the latest. */
function valueText({ lines, format }: ChartProps, index: number, at: number | null): string {
  const values = lines[index]?.values ?? []
  return format((at === null ? values.at(-1) : values[at]) ?? null)
}
