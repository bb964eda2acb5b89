/**
 * The management API with many queues: how long a page takes, how long any request keeps the event loop
 * from everything else, how long definitions take to come in, and what the data plane loses while an
 * overview is asked for each second. The pages are asked for in this process, in memory and without
 * sockets: neither the disk nor the network is what is measured.
 */
import { monitorEventLoopDelay } from "node:perf_hooks"
import { EMPTY_TABLE } from "../../src/amqp/table.ts"
import { startBroker } from "../../src/server/start-broker.ts"
import type { RunningBroker } from "../../src/server/start-broker.ts"
import { measureLoad } from "../bench.ts"
import type { Bench, Measurement, Row } from "../bench.ts"

const QUEUE_COUNT = 100_000
const IMPORT_COUNT = 50_000
/** Of the issue. */
const PAGE_MS_MAX = 20
const DELAY_MS_MAX = 10
const IMPORT_MS_MAX = 3000
const RATIO_MIN = 0.95

const AUTHORIZATION = `Basic ${btoa("guest:guest")}`

const PAGES: readonly (readonly [title: string, query: string])[] = [
  ["in order", "page=1"],
  ["the last one", "page=1000"],
  ["by a part of the name", "page=1&name=99"],
  ["by a regular expression", "page=1&name=^work\\.\\d*99$&use_regex=true"],
  ["sorted by name", "page=1&sort=name&sort_reverse=true"],
  ["sorted by messages", "page=1&sort=messages&sort_reverse=true"],
  ["sorted by a rate", "page=1&sort=message_stats.publish_details.rate&sort_reverse=true"],
  ["sorted by policy", "page=1&sort=policy"],
]

export const HTTP_ROWS: readonly Row[] = [
  { name: "http-pages", run: pages },
  { name: "http-import", run: imports },
  { name: "http-polling", run: polling },
]

interface Timed {
  readonly tookMs: number
  readonly delayMs: number
}

/** The longest delay is that of a timer beside the request, garbage collection included. */
async function timed(work: () => Promise<void>): Promise<Timed> {
  const delays = monitorEventLoopDelay({ resolution: 1 })
  delays.enable()
  const start = performance.now()
  await work()
  const tookMs = performance.now() - start
  await new Promise<void>((resolve) => setTimeout(resolve, 5))
  delays.disable()
  return { tookMs, delayMs: Math.max(0, delays.max / 1e6 - 1) }
}

async function ask(broker: RunningBroker, path: string, body?: string): Promise<void> {
  const response = await broker.http?.app.request(path, {
    method: body === undefined ? "GET" : "POST",
    headers: { authorization: AUTHORIZATION, "content-type": "application/json" },
    ...(body !== undefined && { body }),
  })
  await response?.text()
  if (response?.ok !== true) throw new Error(`${path}: ${String(response?.status)}`)
}

async function pages(bench: Bench): Promise<readonly Measurement[]> {
  const rounds = bench.isQuick ? 5 : 20
  const broker = await startBroker({ amqp: { port: 0 }, http: { port: 0 } })
  const measurements: Measurement[] = []
  try {
    const vhost = broker.broker.vhosts.get("/")
    if (vhost === undefined) throw new Error("no vhost")
    const attributes = {
      durable: false,
      exclusive: false,
      autoDelete: false,
      arguments: EMPTY_TABLE,
    }
    for (let i = 0; i < QUEUE_COUNT; i++)
      vhost.declareQueue({ name: `work.${String(i)}`, ...attributes }, null).publishedCount = i
    for (const [title, query] of PAGES) {
      globalThis.gc?.()
      const first = await timed(() => ask(broker, `/api/queues?${query}`))
      const all: Timed[] = []
      for (let i = 0; i < rounds; i++)
        all.push(await timed(() => ask(broker, `/api/queues?${query}`)))
      const times = all.map(({ tookMs }) => tookMs).toSorted((a, b) => a - b)
      measurements.push(
        {
          name: `page of 100 of ${String(QUEUE_COUNT)} queues ${title}`,
          value: times[times.length >> 1] ?? 0,
          unit: "ms",
          limit: PAGE_MS_MAX,
          note: `first ${first.tookMs.toFixed(1)} ms`,
        },
        {
          name: `longest delay by such a page ${title}`,
          value: Math.max(first.delayMs, ...all.map(({ delayMs }) => delayMs)),
          unit: "ms",
          limit: DELAY_MS_MAX,
        },
      )
    }
    const overview = await timed(() => ask(broker, "/api/overview"))
    measurements.push({
      name: `longest delay by an overview of ${String(QUEUE_COUNT)} queues`,
      value: overview.delayMs,
      unit: "ms",
      limit: DELAY_MS_MAX,
      note: `took ${overview.tookMs.toFixed(1)} ms`,
    })
  } finally {
    await broker.close()
  }
  return measurements
}

async function imports(): Promise<readonly Measurement[]> {
  const queues = Array.from({ length: IMPORT_COUNT }, (_, i) => ({
    name: `work.${String(i)}`,
    vhost: "/",
    durable: true,
    auto_delete: false,
    arguments: { "x-max-length": 1000 },
  }))
  const broker = await startBroker({ amqp: { port: 0 }, http: { port: 0 } })
  try {
    const text = JSON.stringify({ queues })
    const { tookMs, delayMs } = await timed(() => ask(broker, "/api/definitions", text))
    const title = `import of ${String(IMPORT_COUNT)} queues`
    return [
      { name: title, value: tookMs, unit: "ms", limit: IMPORT_MS_MAX },
      { name: `longest delay by an ${title}`, value: delayMs, unit: "ms", limit: DELAY_MS_MAX },
    ]
  } finally {
    await broker.close()
  }
}

const POLLED_ROUNDS = 4

/** By turns, with and without the polling. */
async function polling(bench: Bench): Promise<readonly Measurement[]> {
  return bench.withBroker(["--http-port", "35671", "--http-bind", "127.0.0.1"], async (broker) => {
    const args = ["-t", bench.seconds, "-s", 16, "-d", 1, "flow"]
    const rates: Readonly<Record<"alone" | "polled", number[]>> = { alone: [], polled: [] }
    for (let round = 0; round < POLLED_ROUNDS; round++)
      for (const kind of ["alone", "polled"] as const) {
        const timer =
          kind === "polled"
            ? setInterval(() => {
                void fetch("http://127.0.0.1:35671/api/overview", {
                  headers: { authorization: AUTHORIZATION },
                }).then((response) => response.text())
              }, 1000)
            : null
        const { consumed = 0 } = await measureLoad(broker, args)
        if (timer !== null) clearInterval(timer)
        rates[kind].push(consumed)
      }
    const best = (kind: "alone" | "polled"): number => Math.max(...rates[kind])
    return [
      {
        name: "throughput while the overview is polled each second, against alone",
        value: best("polled") / best("alone"),
        unit: "ratio",
        floor: RATIO_MIN,
        note: `alone ${best("alone").toFixed(0)}, polled ${best("polled").toFixed(0)} msg/s`,
      },
    ]
  })
}
