/**
 * The tables of docs/metrics.md, made from the tables that the scrapes are made from. generate-docs.ts
 * writes them, a test compares them.
 */
import { BUILD_INFO, IDENTITY_INFO, TELEMETRY_METRICS } from "../src/http/metrics/metrics.ts"
import type { MetricInfo } from "../src/http/metrics/metric.ts"
import { MEMORY_METRICS, NODE_METRICS } from "../src/http/metrics/node-metrics.ts"
import { detailedPrefixOf, OBJECT_KINDS } from "../src/http/metrics/object-metrics.ts"

export const METRICS_PAGE = "docs/metrics.md"
export const METRICS_START = "<!-- metrics: written by npm run generate -->\n"
export const METRICS_END = "<!-- end of metrics -->\n"

export function formatMetricTables(): string {
  const objects = OBJECT_KINDS.flatMap(({ metrics }) => metrics)
  return [
    section("Sums", [BUILD_INFO, IDENTITY_INFO, ...NODE_METRICS]),
    section("Per object", objects),
    section("Memory", MEMORY_METRICS),
    section("Of the scrape itself, without the prefix", TELEMETRY_METRICS),
  ].join("\n")
}

function section(title: string, metrics: readonly MetricInfo[]): string {
  const rows = metrics.map(
    (metric) =>
      `| \`${shownName(metric)}\` | ${metric.type} | ${labels(metric)} | \`${metric.family}\` | ${metric.help} |`,
  )
  return `### ${title}\n\n| Name | Type | Labels | Family | Meaning |\n|---|---|---|---|---|\n${rows.join("\n")}\n`
}

function shownName(metric: MetricInfo): string {
  return detailedPrefixOf(metric) === "cluster" ? `cluster_${metric.name}` : metric.name
}

function labels({ labels: names }: MetricInfo): string {
  return names.map((name) => `\`${name}\``).join(", ")
}

/** The page with its tables as they are now. */
export function withMetricTables(page: string): string {
  const start = page.indexOf(METRICS_START)
  const end = page.indexOf(METRICS_END)
  if (start < 0 || end < start) throw new Error(`${METRICS_PAGE} has lost its markers`)
  return `${page.slice(0, start + METRICS_START.length)}\n${formatMetricTables()}\n${page.slice(end)}`
}
