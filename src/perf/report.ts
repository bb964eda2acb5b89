import type { LatencySummary } from "./latency.ts"

/** What sluiceperf prints: progress, summaries and JSON, in lavinmqperf's words. Only makes text. */
export interface ThroughputResult {
  readonly elapsedSeconds: number
  readonly published: number
  readonly consumed: number
  readonly latency: LatencySummary | null
}

export function formatProgress(
  publishRate: number,
  consumeRate: number,
  latency: LatencySummary | null,
): string {
  const rates = `Publish rate: ${whole(publishRate)} msgs/s Consume rate: ${whole(consumeRate)} msgs/s`
  if (latency === null) return rates
  return `${rates} | Latency (ms) min/median/75th/95th/99th: ${latencies(latency)}`
}

export function formatSummary(result: ThroughputResult): string {
  const { published, consumed, latency } = result
  const lines = [
    "",
    "Summary:",
    `Average publish rate: ${whole(rate(published, result))} msgs/s`,
    `Average consume rate: ${whole(rate(consumed, result))} msgs/s`,
  ]
  if (latency !== null) {
    lines.push(`Latency (ms) min/median/75th/95th/99th: ${latencies(latency)}`)
    const { count, sampleSize } = latency
    lines.push(`Latency of ${String(count)} messages, ${String(sampleSize)} samples`)
  }
  return `${lines.join("\n")}\n`
}

export function formatJson(result: ThroughputResult): string {
  const { elapsedSeconds, published, consumed, latency } = result
  const document: Record<string, number> = {
    elapsed_seconds: round(elapsedSeconds, 3),
    avg_pub_rate: Math.round(rate(published, result)),
    avg_consume_rate: Math.round(rate(consumed, result)),
    published,
    consumed,
  }
  if (latency !== null) {
    document["latency_min_ms"] = round(latency.minMs, 3)
    document["latency_median_ms"] = round(latency.medianMs, 3)
    document["latency_p75_ms"] = round(latency.p75Ms, 3)
    document["latency_p95_ms"] = round(latency.p95Ms, 3)
    document["latency_p99_ms"] = round(latency.p99Ms, 3)
    document["latency_count"] = latency.count
    document["latency_sample_size"] = latency.sampleSize
  }
  return `${JSON.stringify(document)}\n`
}

/** One operation of a churn mode. */
export interface ChurnResult {
  readonly name: string
  /** Iterations. */
  readonly count: number
  readonly meanSeconds: number
  /** Standard deviation as a part of the mean. */
  readonly deviation: number
}

/** `name  12.3k (81.3µs) (± 3.21%)  1.20× slower` */
export function formatChurn(results: readonly ChurnResult[]): string {
  const width = Math.max(...results.map(({ name }) => name.length))
  const fastest = Math.min(...results.map(({ meanSeconds }) => meanSeconds))
  return results
    .map(({ name, meanSeconds, deviation }) => {
      const perSecond = engineering(1 / meanSeconds).padStart(8)
      const time = duration(meanSeconds).padStart(8)
      const spread = `(± ${(deviation * 100).toFixed(2).padStart(5)}%)`
      const factor = meanSeconds / fastest
      const place = factor === 1 ? "fastest" : `${factor.toFixed(2)}× slower`
      const beside = results.length === 1 ? "" : `  ${place}`
      return `${name.padEnd(width)}  ${perSecond} (${time}) ${spread}${beside}\n`
    })
    .join("")
}

export function formatChurnJson(results: readonly ChurnResult[]): string {
  const rows = results.map(({ name, count, meanSeconds, deviation }) => ({
    name,
    iterations: count,
    iterations_per_second: round(1 / meanSeconds, 2),
    mean_ms: round(meanSeconds * 1000, 6),
    deviation: round(deviation, 4),
  }))
  return `${JSON.stringify(rows)}\n`
}

function rate(count: number, { elapsedSeconds }: ThroughputResult): number {
  return elapsedSeconds === 0 ? 0 : count / elapsedSeconds
}

function latencies({ minMs, medianMs, p75Ms, p95Ms, p99Ms }: LatencySummary): string {
  return [minMs, medianMs, p75Ms, p95Ms, p99Ms].map((ms) => ms.toFixed(3)).join("/")
}

function whole(value: number): string {
  return String(Math.round(value))
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits))
}

function engineering(value: number): string {
  if (value >= 1e6) return `${(value / 1e6).toFixed(2)}M`
  return value >= 1e3 ? `${(value / 1e3).toFixed(2)}k` : value.toFixed(2)
}

function duration(seconds: number): string {
  if (seconds < 1e-3) return `${(seconds * 1e6).toFixed(2)}µs`
  return seconds < 1 ? `${(seconds * 1e3).toFixed(2)}ms` : `${seconds.toFixed(2)}s`
}
