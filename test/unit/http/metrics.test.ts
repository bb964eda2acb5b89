/** The text of metrics, and the page that lists them. */
import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { test } from "node:test"
import { METRICS_PAGE, withMetricTables } from "../../../scripts/metrics-docs.ts"
import {
  formatMetric,
  histogramSamples,
  labelText,
  type MetricInfo,
} from "../../../src/http/metrics/metric.ts"
import { knownFamilies } from "../../../src/http/metrics/metrics.ts"
import { MEMORY_METRICS, NODE_METRICS } from "../../../src/http/metrics/node-metrics.ts"
import { OBJECT_KINDS } from "../../../src/http/metrics/object-metrics.ts"
import { parseExposition, valueOf } from "../../support/exposition.ts"

const INFO: MetricInfo = {
  type: "gauge",
  family: "f",
  name: "n",
  labels: ["a"],
  help: "one\ntwo \\ three",
}

test("the page shows every metric as it is", () => {
  const page = readFileSync(METRICS_PAGE, "utf8")
  assert.equal(page, withMetricTables(page), "npm run generate")
})

test("label values and help texts come back as they were", () => {
  const values = ['"', "\\", "\n", '\\"\n', "\\n", "ü €", "{}=,"]
  const samples = values.map((a, value) => ({ labels: { a }, value }))
  const families = parseExposition(formatMetric("x_n", INFO, samples))
  for (const [index, a] of values.entries()) assert.equal(valueOf(families, "x_n", { a }), index)
  assert.equal(families.get("x_n")?.help, "one\\ntwo \\\\ three")
  assert.equal(labelText({}), "")
  assert.equal(formatMetric("x_n", INFO, []), "")
})

test("a histogram is cumulative, in the unit that is asked for", () => {
  const samples = histogramSamples({ bounds: [5, 2000], counts: [1, 0, 2], sum: 4500 }, 0.001)
  const families = parseExposition(formatMetric("h", { ...INFO, type: "histogram" }, samples))
  assert.equal(valueOf(families, "h_bucket", { le: "0.005" }), 1)
  assert.equal(valueOf(families, "h_bucket", { le: "2" }), 1)
  assert.equal(valueOf(families, "h_count"), 3)
  assert.equal(valueOf(families, "h_sum"), 4.5)
})

test("no name stands in a table twice", () => {
  for (const metrics of [
    NODE_METRICS,
    MEMORY_METRICS,
    OBJECT_KINDS.flatMap(({ metrics: ofKind }) => ofKind),
  ]) {
    const names = metrics.map(({ name }) => name)
    assert.deepEqual(names.toSorted(), [...new Set(names)].toSorted())
  }
})

test("in one scrape no metric is there as a sum and per object", () => {
  const objects = new Set(OBJECT_KINDS.flatMap(({ metrics }) => metrics.map(({ name }) => name)))
  const both = NODE_METRICS.filter(({ name, isSum }) => !isSum && objects.has(name))
  assert.deepEqual(both, [])
})

test("the families of RabbitMQ's documentation are known", () => {
  const known = knownFamilies()
  for (const family of [
    "connection_churn_metrics",
    "node_coarse_metrics",
    "node_metrics",
    "node_persister_metrics",
    "auth_attempt_metrics",
    "queue_coarse_metrics",
    "queue_consumer_count",
    "queue_metrics",
    "queue_delivery_metrics",
    "exchange_metrics",
    "queue_exchange_metrics",
    "channel_metrics",
    "channel_exchange_metrics",
    "channel_queue_metrics",
    "channel_queue_exchange_metrics",
    "connection_coarse_metrics",
    "connection_metrics",
    "vhost_status",
    "exchange_names",
    "exchange_bindings",
    "ra_metrics",
  ])
    assert.ok(known.has(family), family)
})
