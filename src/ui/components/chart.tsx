import type { Signal } from "@preact/signals"
import { useSignal } from "@preact/signals"
import type { JSX, RefObject } from "preact"
import { useLayoutEffect, useRef } from "preact/hooks"
import {
  areaPath,
  linePath,
  nearest,
  stack,
  timeTicks,
  timeWindow,
  valueRange,
  valueTicks,
} from "../lib/chart-scale.ts"
import { formatTime } from "../lib/format.ts"

/**
 * Lines or stacked areas over time, as SVG. Values are `null` where there is a gap. The legend shows the values
 * below the pointer, else the latest, and a click on a name hides its line.
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
  /** The values are bytes: the axis has steps of powers of two. */
  readonly isBytes?: boolean
  readonly height?: number
}

export function Chart(props: ChartProps): JSX.Element {
  const { title, lines, times, format, height = 170 } = props
  const box = useRef<HTMLDivElement>(null)
  const width = useWidth(box)
  const pointer = useSignal<number | null>(null)
  const hidden = useSignal<ReadonlySet<string>>(new Set())
  const plot = planOf(
    { ...props, lines: lines.filter(({ label }) => !hidden.value.has(label)) },
    width,
    height,
  )
  const at = pointer.value === null ? null : nearest(plot.xs, pointer.value)
  return (
    <div class="chart" ref={box}>
      <svg
        role="img"
        aria-label={`Chart: ${title}. ${lines.map((line) => `${line.label} ${valueText(line, null, format)}`).join(", ")}`}
        height={height}
        onPointerMove={(event) => {
          pointer.value = event.clientX - event.currentTarget.getBoundingClientRect().left
        }}
        onPointerLeave={() => {
          pointer.value = null
        }}
      >
        <Axes plot={plot} />
        <Lines plot={plot} at={at} />
      </svg>
      <ul class="chart-legend" aria-label={`Lines of ${title}`}>
        {lines.map((line) => (
          <LegendEntry key={line.label} line={line} hidden={hidden}>
            {valueText(line, at, format)}
          </LegendEntry>
        ))}
        {at !== null && <li class="muted">{formatTime((times[at] ?? 0) * 1000)}</li>}
      </ul>
    </div>
  )
}

/** Of the line itself, also where it is drawn on top of others; without a pointer the latest. */
function valueText({ values }: Line, at: number | null, format: ChartProps["format"]): string {
  return format((at === null ? values.at(-1) : values[at]) ?? null)
}

function useWidth(box: RefObject<HTMLDivElement | null>): number {
  const width = useSignal(0)
  useLayoutEffect(() => {
    const element = box.current
    if (element === null) return undefined
    const measure = (): void => {
      width.value = Math.max(200, element.clientWidth)
    }
    measure()
    const observer = new ResizeObserver(measure)
    observer.observe(element)
    return () => observer.disconnect()
  }, [])
  return width.value
}

interface Tick {
  readonly at: number
  readonly label: string
}

/** What is drawn, in pixels. */
interface Plot {
  readonly left: number
  readonly right: number
  readonly bottom: number
  readonly xs: readonly number[]
  readonly times: readonly Tick[]
  readonly values: readonly Tick[]
  readonly lines: readonly {
    readonly label: string
    readonly color: string
    readonly ys: readonly (number | null)[]
    readonly area: string
  }[]
}

const TOP = 8
/** Room for half of a time at the edge. */
const RIGHT = 18
const TIMES_HEIGHT = 24

function planOf(props: ChartProps, width: number, height: number): Plot {
  const { times, lines, format, isStacked = false, isBytes = false } = props
  const left = isBytes ? 72 : 58
  const right = Math.max(left + 1, width - RIGHT)
  const bottom = height - TIMES_HEIGHT
  const [from, to] = timeWindow(times)
  const x = (time: number): number => left + ((time - from) / (to - from)) * (right - left)
  const layers = isStacked
    ? stack(lines.map(({ values }) => values))
    : lines.map(({ values }) => ({ above: values, below: [] }))
  const [low, high] = valueRange(layers.map(({ above }) => above))
  const y = (value: number): number => bottom - ((value - low) / (high - low)) * (bottom - TOP)
  const toY = (value: number | null): number | null => (value === null ? null : y(value))
  const xs = times.map(x)
  return {
    left,
    right,
    bottom,
    xs,
    // Without a sample there is no time that could be shown.
    times: (times.length === 0 ? [] : timeTicks(from, to, (right - left) / 70)).map((time) => ({
      at: x(time),
      label: formatTime(time * 1000).slice(0, 5),
    })),
    values: valueTicks(low, high, (bottom - TOP) / 32, isBytes).map((value) => ({
      at: y(value),
      label: format(value),
    })),
    lines: lines.map(({ label, color }, index) => {
      const { above = [], below = [] } = layers[index] ?? {}
      const ys = above.map(toY)
      const area = isStacked ? areaPath(xs, ys, below.map(toY)) : ""
      return { label, color: `var(--chart-${String(color)})`, ys, area }
    }),
  }
}

function Axes({ plot }: { plot: Plot }): JSX.Element {
  const { left, right, bottom, times, values } = plot
  return (
    <g class="chart-axes" aria-hidden="true">
      {values.map(({ at, label }) => (
        <g key={at}>
          <path d={`M${String(left)} ${String(Math.round(at))}H${String(right)}`} />
          <text x={left - 8} y={at + 4} text-anchor="end">
            {label}
          </text>
        </g>
      ))}
      {times.map(({ at, label }) => (
        <g key={label}>
          <path d={`M${String(Math.round(at))} ${String(TOP)}V${String(bottom)}`} />
          <text x={at} y={bottom + 17} text-anchor="middle">
            {label}
          </text>
        </g>
      ))}
    </g>
  )
}

function Lines({ plot, at }: { plot: Plot; at: number | null }): JSX.Element {
  const { xs, lines, bottom } = plot
  const x = at === null ? undefined : xs[at]
  return (
    <g class="chart-lines">
      {lines.map(({ label, color, ys, area }) => (
        <g key={label} style={{ stroke: color, fill: color }}>
          <path class="chart-area" d={area} />
          <path class="chart-line" d={linePath(xs, ys)} />
        </g>
      ))}
      {x !== undefined && (
        <path class="chart-pointer" d={`M${String(x)} ${String(TOP)}V${String(bottom)}`} />
      )}
      {lines.map(({ label, color, ys }) => {
        const y = at === null ? null : (ys[at] ?? null)
        return y === null ? null : (
          <circle key={label} cx={x} cy={y} r={3.5} style={{ fill: color }} />
        )
      })}
    </g>
  )
}

interface LegendEntryProps {
  readonly line: Line
  readonly hidden: Signal<ReadonlySet<string>>
  readonly children: string
}

function LegendEntry({ line, hidden, children }: LegendEntryProps): JSX.Element {
  const { label, color } = line
  const toggle = (): void => {
    const next = new Set(hidden.value)
    if (!next.delete(label)) next.add(label)
    hidden.value = next
  }
  return (
    <li>
      <button type="button" aria-pressed={!hidden.value.has(label)} onClick={toggle}>
        <i style={{ background: `var(--chart-${String(color)})` }} />
        {label} <b>{children}</b>
      </button>
    </li>
  )
}
