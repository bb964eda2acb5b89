/**
 * What a metric is, and how it is written in Prometheus' text format (version 0.0.4). Which metrics there
 * are is node-metrics.ts and object-metrics.ts; docs/metrics.md is made from both.
 */
export type MetricType = "counter" | "gauge" | "histogram"

export interface MetricInfo {
  /** Without the prefix. */
  readonly name: string
  readonly type: MetricType
  /** As `family=` of /metrics/detailed has it. */
  readonly family: string
  readonly labels: readonly string[]
  readonly help: string
}

export const CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

/** HELP and TYPE, once before the samples of a metric. */
export function headerOf(fullName: string, { type, help }: MetricInfo): string {
  const text = help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n")
  return `# HELP ${fullName} ${text}\n# TYPE ${fullName} ${type}\n`
}

const NEEDS_ESCAPE = /[\\"\n]/

export function escapeLabel(value: string): string {
  if (!NEEDS_ESCAPE.test(value)) return value
  return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n")
}

export function formatValue(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return "+Inf"
  return value === Number.NEGATIVE_INFINITY ? "-Inf" : String(value)
}

export type Labels = Readonly<Record<string, string>>

/** `{vhost="/",queue="q"}`, or nothing. */
export function labelText(labels: Labels): string {
  const parts = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`)
  return parts.length === 0 ? "" : `{${parts.join(",")}}`
}

export interface Sample {
  /** Behind the name, for the series of a histogram. */
  readonly suffix?: string
  readonly labels: Labels
  readonly value: number
}

/** A metric with its samples; nothing without samples. */
export function formatMetric(
  fullName: string,
  metric: MetricInfo,
  samples: readonly Sample[],
): string {
  if (samples.length === 0) return ""
  const lines = samples.map(
    ({ suffix = "", labels, value }) =>
      `${fullName}${suffix}${labelText(labels)} ${formatValue(value)}\n`,
  )
  return headerOf(fullName, metric) + lines.join("")
}

/** Counts by bucket, as a histogram of the format: cumulative, with the bounds times `scale`. */
export function histogramSamples(
  histogram: {
    readonly bounds: readonly number[]
    readonly counts: readonly number[]
    readonly sum: number
  },
  scale: number,
  labels: Labels = {},
): Sample[] {
  const { bounds, counts, sum } = histogram
  let total = 0
  const samples: Sample[] = counts.map((count, index) => {
    total += count
    const bound = bounds[index]
    const le = bound === undefined ? "+Inf" : formatValue(bound * scale)
    return { suffix: "_bucket", labels: { ...labels, le }, value: total }
  })
  samples.push({ suffix: "_sum", labels, value: sum * scale })
  samples.push({ suffix: "_count", labels, value: total })
  return samples
}
