import type { ReadonlySignal, Signal } from "@preact/signals"
import { useSignal } from "@preact/signals"
import type { JSX, RefObject } from "preact"
import { useLayoutEffect, useRef } from "preact/hooks"
import uPlot from "uplot"
import { theme } from "../core/theme.ts"
import {
  TIME_STEPS,
  loneIndexes,
  stacked,
  timeWindow,
  valueRange,
  valueSteps,
} from "../lib/chart-values.ts"
import type { Unit, Values } from "../lib/chart-values.ts"
import { formatTime } from "../lib/format.ts"

/**
 * Lines or stacked areas over time. Values are `null` where there is a gap. The legend shows the values below the
 * pointer, else the latest, and a click on a name hides its line. The arrow keys move the pointer, too.
 */
export interface Line {
  readonly label: string
  /** 1 to 8: a colour of styles/tokens.css. The same thing has the same colour on every page. */
  readonly color: number
  readonly values: Values
}

export interface ChartProps {
  /** Read to those who cannot see it. */
  readonly title: string
  /** Seconds since 1970, one for each value. */
  readonly times: readonly number[]
  readonly lines: readonly Line[]
  readonly format: (value: number | null) => string
  readonly isStacked?: boolean
  /** Where the marks of the values' axis stand. */
  readonly unit?: Unit
  readonly height?: number
}

export function Chart(props: ChartProps): JSX.Element {
  const { title, lines, times, format } = props
  const at = useSignal<number | null>(null)
  const hidden = useSignal<ReadonlySet<string>>(new Set())
  const box = useRef<HTMLDivElement>(null)
  const shown = lines.filter(({ label }) => !hidden.value.has(label))
  const plot = usePlot(box, { ...props, lines: shown }, at)
  const point = (left: number): void => plot.current?.setCursor({ left, top: 0 })
  const step = (event: KeyboardEvent): void => {
    const by = Number(event.key === "ArrowRight") - Number(event.key === "ArrowLeft")
    if (by === 0) return
    event.preventDefault()
    const last = times.length - 1
    const next = Math.max(0, Math.min((at.value ?? last - by) + by, last))
    point(plot.current?.valToPos(times[next] ?? 0, "x") ?? 0)
  }
  return (
    <div class="chart">
      <div
        role="img"
        aria-label={`Chart: ${title}. ${lines.map((line) => `${line.label} ${valueText(line, null, format)}`).join(", ")}`}
        tabIndex={0}
        ref={box}
        onKeyDown={step}
        onBlur={() => point(-1)}
        onPointerMove={({ pointerType, clientX }) => {
          // The library sees to the mouse. A finger that moves sideways is nothing to it.
          if (pointerType === "touch") point(clientX - (plot.current?.rect.left ?? 0))
        }}
      />
      <Legend {...props} at={at} hidden={hidden} />
    </div>
  )
}

/** Of the line itself, also where it is drawn on top of others; without a pointer the latest. */
function valueText({ values }: Line, at: number | null, format: ChartProps["format"]): string {
  return format((at === null ? values.at(-1) : values[at]) ?? null)
}

type Size = Pick<uPlot.Options, "width" | "height">

/** Made anew when lines come or go or the colours change; new values are drawn in place. */
function usePlot(
  box: RefObject<HTMLDivElement | null>,
  props: ChartProps,
  at: Signal<number | null>,
): RefObject<uPlot | null> {
  const plot = useRef<uPlot | null>(null)
  const { lines, height = 170 } = props
  const shape = [theme.value, ...lines.map(({ label, color }) => `${label} ${String(color)}`)]
  useLayoutEffect(() => {
    const element = box.current
    if (element === null) return undefined
    const size = (): Size => ({ width: Math.max(200, element.clientWidth), height })
    const made = new uPlot({ ...optionsOf(props, at), ...size() }, undefined, element)
    plot.current = made
    const observer = new ResizeObserver(() => made.setSize(size()))
    observer.observe(element)
    return () => {
      observer.disconnect()
      made.destroy()
      at.value = null
    }
  }, [shape.join()])
  useLayoutEffect(() => plot.current?.setData(dataOf(props)))
  return plot
}

function dataOf({ times, lines, isStacked = false }: ChartProps): uPlot.AlignedData {
  const values = lines.map((line) => [...line.values])
  return [[...times], ...(isStacked ? stacked(values) : values)]
}

function optionsOf(
  { lines, format, isStacked = false, unit = "other" }: ChartProps,
  at: Signal<number | null>,
): Omit<uPlot.Options, keyof Size> {
  const style = getComputedStyle(document.documentElement)
  const color = (name: string): string => style.getPropertyValue(`--${name}`)
  const axis: uPlot.Axis = {
    stroke: color("muted"),
    font: `11px ${color("font")}`,
    grid: { stroke: color("grid"), width: 1 },
    ticks: { show: false },
  }
  return {
    // On the right room for half of a time.
    padding: [8, 18, 0, 0],
    legend: { show: false },
    cursor: { y: false, points: { size: 7 }, drag: { x: false } },
    scales: {
      x: { range: (_, first, last) => timeWindow(first, last) },
      y: { range: (_, low, high) => valueRange(low, high) },
    },
    axes: [
      {
        ...axis,
        space: 70,
        size: 24,
        gap: 6,
        incrs: TIME_STEPS,
        border: { show: true, stroke: color("grid"), width: 1 },
        // Without a sample there is no time that could be shown.
        values: ({ data }, splits) =>
          splits.map((time) => (data[0].length > 0 ? formatTime(time * 1000).slice(0, 5) : "")),
      },
      {
        ...axis,
        space: 32,
        size: unit === "bytes" ? 72 : 58,
        incrs: valueSteps(unit),
        values: (_, splits) => splits.map(format),
      },
    ],
    series: [
      {},
      ...lines.map((line): uPlot.Series => {
        const stroke = color(`chart-${String(line.color)}`)
        return {
          stroke,
          width: 1.5,
          ...(isStacked && { fill: `${stroke}40` }),
          points: {
            show: false,
            size: 4,
            fill: stroke,
            filter: (plot, index) => loneIndexes([...(plot.data[index] ?? [])]),
          },
        }
      }),
    ],
    // Each area ends where the one below it begins.
    bands: isStacked ? lines.slice(1).map((_, index) => ({ series: [index + 2, index + 1] })) : [],
    hooks: {
      setCursor: [
        ({ cursor }) => {
          at.value = cursor.idx ?? null
        },
      ],
    },
  }
}

interface LegendProps extends ChartProps {
  readonly at: ReadonlySignal<number | null>
  readonly hidden: Signal<ReadonlySet<string>>
}

function Legend({ title, lines, times, format, at: pointer, hidden }: LegendProps): JSX.Element {
  const at = pointer.value
  return (
    <ul class="chart-legend" aria-label={`Lines of ${title}`}>
      {lines.map((line) => {
        const { label, color } = line
        const toggle = (): void => {
          const next = new Set(hidden.value)
          if (!next.delete(label)) next.add(label)
          hidden.value = next
        }
        return (
          <li key={label}>
            <button type="button" aria-pressed={!hidden.value.has(label)} onClick={toggle}>
              <i style={{ background: `var(--chart-${String(color)})` }} />
              {label} <b>{valueText(line, at, format)}</b>
            </button>
          </li>
        )
      })}
      {at !== null && <li class="muted">{formatTime((times[at] ?? 0) * 1000)}</li>}
    </ul>
  )
}
