import type { Broker } from "../../broker/broker.ts"
import { CounterSum } from "../../broker/inspection.ts"
import type { TimerHandle } from "../../util/clock.ts"
import { badRequest, HttpError } from "../errors.ts"
import { Slices } from "../slices.ts"
import type { MetricsFacts } from "./figures.ts"
import { CONTENT_TYPE, formatMetric, headerOf } from "./metric.ts"
import type { Labels, MetricInfo, Sample } from "./metric.ts"
import { NodeFigures } from "./node-figures.ts"
import { MEMORY_METRICS, NODE_METRICS } from "./node-metrics.ts"
import type { NodeMetric } from "./node-metrics.ts"
import { detailedPrefixOf, EMPTY_FAMILIES, isInFamily, OBJECT_KINDS } from "./object-metrics.ts"
import { takeSnapshot } from "./snapshot.ts"
import type { View } from "./snapshot.ts"

/**
 * Scrapes for Prometheus, as text in pieces. Sums are counted first, in slices; what is listed per object
 * is written while it goes out, a piece at a time and no faster than the client takes it. So a scrape
 * holds one piece, and only some of them run at one time.
 */
export type Endpoint = "aggregated" | "per-object" | "detailed" | "memory-breakdown"

export interface ScrapeRequest {
  readonly endpoint: Endpoint
  readonly view: View
  /** Default rabbitmq. */
  readonly prefix?: string | undefined
  /** For `detailed`. */
  readonly families?: readonly string[] | undefined
}

export const DEFAULT_PREFIX = "rabbitmq"
export const PREFIX_BYTES_MAX = 20

/** At one time. */
const SCRAPES_MAX = 4
/** A client that takes nothing for so long has given up, or should. */
const STALLED_MS = 15_000
const PIECE_SIZE = 64 << 10

/** The version that RabbitMQ's dashboards are told, as by the HTTP API. */
const COMPATIBLE_VERSION = "4.1.0"

export class Metrics {
  /** For the page of the node. */
  readonly nodeFigures: NodeFigures
  readonly #broker: Broker
  readonly #facts: MetricsFacts
  /** What was shown last: counters do not fall. */
  readonly #shown = new CounterSum()
  #running = 0

  constructor(broker: Broker, facts: MetricsFacts) {
    this.#broker = broker
    this.#facts = facts
    this.nodeFigures = new NodeFigures(broker, facts)
  }

  /** Throws HttpError: 400 for what makes no sense, 503 if too many scrapes are under way. */
  scrape(request: ScrapeRequest): AsyncIterable<string> {
    const prefix = checkedPrefix(request.prefix ?? DEFAULT_PREFIX)
    const families = checkedFamilies(request.families ?? [])
    this.#checkRunning()
    return this.#held(this.#text(request, prefix, new Set(families)))
  }

  #checkRunning(): void {
    if (this.#running >= SCRAPES_MAX)
      throw new HttpError(503, "service_unavailable", "too many scrapes are under way", {
        "Retry-After": "5",
      })
  }

  /** Takes a place among those that run with the first piece, and gives it back at the end or if the client stalls. */
  #held(pieces: AsyncGenerator<string>): AsyncIterable<string> {
    const { clock } = this.#broker
    let state: "new" | "running" | "over" = "new"
    let timer: TimerHandle | null = null
    const release = (): void => {
      timer?.cancel()
      if (state === "running") this.#running--
      state = "over"
    }
    const begin = (): void => {
      if (state === "over") throw new Error("the client took nothing for too long")
      if (state === "running") return
      this.#checkRunning()
      state = "running"
      this.#running++
    }
    const iterator: AsyncIterator<string> = {
      async next() {
        begin()
        timer?.cancel()
        try {
          const result = await pieces.next()
          if (result.done === true) release()
          else timer = clock.setTimer(STALLED_MS, release)
          return result
        } catch (error) {
          release()
          throw error
        }
      },
      async return() {
        release()
        await pieces.return(undefined)
        return { done: true, value: undefined }
      },
    }
    return { [Symbol.asyncIterator]: () => iterator }
  }

  async *#text(
    request: ScrapeRequest,
    prefix: string,
    families: ReadonlySet<string>,
  ): AsyncGenerator<string> {
    const { endpoint, view } = request
    const { clock } = this.#broker
    clock.refresh()
    const startedMs = clock.nowMs
    const slices = new Slices(clock)
    const namePrefix = endpoint === "detailed" ? `${prefix}_detailed` : prefix
    let size = 0
    const isEmpty = endpoint === "detailed" && families.size === 0
    if (!isEmpty) {
      const snapshot = await takeSnapshot(this.#broker, this.#facts, view, this.#shown, slices)
      let piece = this.#info(endpoint, prefix)
      for (const metric of nodeMetricsOf(endpoint, view, families))
        piece += formatMetric(`${namePrefix}_${metric.name}`, metric, metric.samples(snapshot))
      size += piece.length
      yield piece
    }
    let piece = ""
    for (const { kind, metric } of objectMetricsOf(endpoint, families)) {
      const before = endpoint === "detailed" ? `${prefix}_${detailedPrefixOf(metric)}` : prefix
      const fullName = `${before}_${metric.name}`
      let hasHeader = false
      for (const line of kind.lines(metric, { broker: this.#broker, view, fullName })) {
        if (line !== "") {
          if (!hasHeader) piece += headerOf(fullName, metric)
          hasHeader = true
          piece += line
        }
        if (piece.length >= PIECE_SIZE) {
          size += piece.length
          yield piece
          piece = ""
        }
        if (slices.isOver()) await slices.next()
      }
    }
    clock.refresh()
    size += piece.length
    yield piece + telemetry((clock.nowMs - startedMs) / 1000, size)
  }

  #info(endpoint: Endpoint, prefix: string): string {
    const { node, runtimeVersion, clusterId } = this.#facts
    const clusterName = this.#clusterName()
    const own: Labels =
      prefix === DEFAULT_PREFIX
        ? {}
        : { [`${prefix}_version`]: node.version, [`${prefix}_cluster`]: clusterName }
    const identity = {
      rabbitmq_node: node.name,
      rabbitmq_cluster: clusterName,
      rabbitmq_cluster_permanent_id: clusterId,
      rabbitmq_endpoint: endpoint,
      ...own,
    }
    const build = {
      rabbitmq_version: COMPATIBLE_VERSION,
      prometheus_plugin_version: node.version,
      prometheus_client_version: node.version,
      erlang_version: `Node.js ${runtimeVersion}`,
      product_version: node.version,
      product_name: "Sluice",
    }
    return (
      formatMetric(`${prefix}_build_info`, BUILD_INFO, [{ labels: build, value: 1 }]) +
      formatMetric(`${prefix}_identity_info`, IDENTITY_INFO, [{ labels: identity, value: 1 }])
    )
  }

  #clusterName(): string {
    const { globalParameters, clusterName } = this.#broker
    const value = globalParameters.get("", "cluster_name")?.value
    return typeof value === "string" ? value : clusterName
  }
}

export const BUILD_INFO: MetricInfo = {
  type: "gauge",
  family: "info",
  name: "build_info",
  labels: [
    "rabbitmq_version",
    "prometheus_plugin_version",
    "prometheus_client_version",
    "erlang_version",
    "product_version",
    "product_name",
  ],
  help: "1, with the version of Sluice and of its runtime, and that of RabbitMQ whose tools fit",
}

export const IDENTITY_INFO: MetricInfo = {
  type: "gauge",
  family: "info",
  name: "identity_info",
  labels: [
    "rabbitmq_node",
    "rabbitmq_cluster",
    "rabbitmq_cluster_permanent_id",
    "rabbitmq_endpoint",
  ],
  help: "1, with the name of the node; dashboards multiply with it",
}

function nodeMetricsOf(
  endpoint: Endpoint,
  view: View,
  families: ReadonlySet<string>,
): readonly NodeMetric[] {
  const all = endpoint === "memory-breakdown" ? MEMORY_METRICS : NODE_METRICS
  return all.filter((metric) => {
    if (metric.isOfNode && !view.seesNode) return false
    if (endpoint === "detailed") return !metric.isSum && families.has(metric.family)
    return endpoint !== "per-object" || !metric.isSum
  })
}

interface Wanted {
  readonly kind: (typeof OBJECT_KINDS)[number]
  readonly metric: MetricInfo
}

function objectMetricsOf(endpoint: Endpoint, families: ReadonlySet<string>): readonly Wanted[] {
  if (endpoint === "aggregated" || endpoint === "memory-breakdown") return []
  const all = OBJECT_KINDS.flatMap((kind) => kind.metrics.map((metric) => ({ kind, metric })))
  return all.filter(({ metric }) =>
    endpoint === "per-object"
      ? detailedPrefixOf(metric) === "detailed"
      : [...families].some((family) => isInFamily(metric, family)),
  )
}

/** Every name that `family=` takes. */
export function knownFamilies(): ReadonlySet<string> {
  const names = new Set(EMPTY_FAMILIES)
  for (const { family, isSum } of NODE_METRICS) if (!isSum) names.add(family)
  for (const { metrics } of OBJECT_KINDS)
    for (const metric of metrics) {
      names.add(metric.family)
      if ("alsoIn" in metric && Array.isArray(metric.alsoIn))
        for (const family of metric.alsoIn) names.add(String(family))
    }
  return names
}

function checkedFamilies(families: readonly string[]): readonly string[] {
  const known = knownFamilies()
  for (const family of families)
    if (!known.has(family))
      throw badRequest(`unknown family '${family}'; there are ${[...known].toSorted().join(", ")}`)
  return families
}

function checkedPrefix(prefix: string): string {
  if (Buffer.byteLength(prefix) > PREFIX_BYTES_MAX)
    throw badRequest(`prefix is longer than ${String(PREFIX_BYTES_MAX)} bytes`)
  if (!/^[a-zA-Z_][a-zA-Z0-9_]*$/.test(prefix))
    throw badRequest(
      "prefix is not a letter or underscore, followed by letters, digits, underscores",
    )
  return prefix
}

function telemetryInfo(name: string, help: string): MetricInfo {
  return { type: "gauge", family: "telemetry", name, labels: [], help }
}

/** Never with the prefix. */
export const TELEMETRY_METRICS: readonly MetricInfo[] = [
  telemetryInfo("telemetry_scrape_duration_seconds", "Time that this scrape took"),
  telemetryInfo("telemetry_scrape_size_bytes", "Characters of this scrape"),
  telemetryInfo("telemetry_scrape_mem", "Bytes that this scrape holds at a time"),
]

function telemetry(seconds: number, size: number): string {
  const values = [seconds, size, Math.min(size, PIECE_SIZE)]
  const labels = { registry: "default", content_type: CONTENT_TYPE }
  return TELEMETRY_METRICS.map((metric, index) => {
    const sample: Sample = {
      labels: metric.name === "telemetry_scrape_mem" ? {} : labels,
      value: values[index] ?? 0,
    }
    return formatMetric(metric.name, metric, [sample])
  }).join("")
}
