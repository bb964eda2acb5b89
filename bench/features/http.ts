/**
 * The management API with many queues: how long a page takes, how long any request keeps the event loop
 * from everything else, how long definitions take to come in, and what the data plane loses while an
 * overview is asked for each second. Pages and first requests are measured by http-pages.ts.
 */
import { spawnSync } from "node:child_process"
import { startBroker } from "../../src/server/start-broker.ts"
import { measureLoad } from "../bench.ts"
import type { Bench, Measurement, Row } from "../bench.ts"
import { ask, QUEUE_COUNT, timed } from "./http-pages.ts"
import type { PageTimes } from "./http-pages.ts"

const IMPORT_COUNT = 50_000
/** Of the issue. */
const PAGE_MS_MAX = 20
const DELAY_MS_MAX = 10
const IMPORT_MS_MAX = 3000
const RATIO_MIN = 0.95

const AUTHORIZATION = `Basic ${btoa("guest:guest")}`

const PAGES: readonly (readonly [title: string, path: string])[] = [
  ["in order", "/api/queues?page=1"],
  ["the last one", "/api/queues?page=1000"],
  ["by a part of the name", "/api/queues?page=1&name=99"],
  ["by a regular expression", "/api/queues?page=1&name=^work\\.\\d*99$&use_regex=true"],
  ["by a preset", "/api/queues?page=1&preset=growing"],
  ["sorted by name", "/api/queues?page=1&sort=name&sort_reverse=true"],
  ["sorted by name, in the middle", "/api/queues?page=500&sort=name"],
  ["by a part of the name, sorted by it", "/api/queues?page=1&name=9&sort=name"],
  ["sorted by messages", "/api/queues?page=1&sort=messages&sort_reverse=true"],
  ["sorted by a counter", "/api/queues?page=1&sort=message_stats.publish&sort_reverse=true"],
  [
    "sorted by a rate",
    "/api/queues?page=1&sort=message_stats.publish_details.rate&sort_reverse=true",
  ],
  ["sorted by policy, of three", "/api/queues?page=1&sort=policy"],
  ["(the overview)", "/api/overview"],
]

export const HTTP_ROWS: readonly Row[] = [
  { name: "http-pages", run: pages },
  { name: "http-start", run: start },
  { name: "http-import", run: imports },
  { name: "http-polling", run: polling },
]

/** Each in a process of its own: the first request is a cold one. */
function pages(bench: Bench): Promise<readonly Measurement[]> {
  const rounds = bench.isQuick ? 9 : 25
  return Promise.resolve(PAGES.flatMap(([title, query]) => page(title, query, rounds)))
}

function page(title: string, query: string, rounds: number): readonly Measurement[] {
  const { first, others } = measure("page", rounds, query)
  const times = others.map(({ tookMs }) => tookMs).toSorted((a, b) => a - b)
  const delays = others.map(({ delayMs }) => delayMs)
  const name = `of ${String(QUEUE_COUNT)} queues ${title}`
  return [
    {
      name: `page of 100 ${name}`,
      value: times[times.length >> 1] ?? 0,
      unit: "ms",
      limit: PAGE_MS_MAX,
      note: `${shown(times[0])} to ${shown(times.at(-1))}`,
    },
    { name: "  the first of the process", value: first.tookMs, unit: "ms", limit: PAGE_MS_MAX },
    {
      name: "  longest delay of the event loop",
      value: Math.max(first.delayMs, ...delays),
      unit: "ms",
      limit: DELAY_MS_MAX,
      note: `by the first ${shown(first.delayMs)}`,
    },
  ]
}

function shown(ms = 0): string {
  return `${ms.toFixed(1)} ms`
}

function measure(kind: "page" | "start", rounds: number, query = ""): PageTimes {
  const program = ["--expose-gc", "bench/features/http-pages.ts", kind, String(rounds), query]
  const { status, stdout, stderr } = spawnSync(process.execPath, program, { encoding: "utf8" })
  if (status !== 0) throw new Error(`${program.join(" ")}: ${stderr}`)
  const times: PageTimes = JSON.parse(stdout)
  return times
}

/** The application is loaded with the first request, beside everything else that the broker does. */
function start(): Promise<readonly Measurement[]> {
  const { first, others } = measure("start", 1)
  return Promise.resolve([
    {
      name: "longest delay by the first request of all",
      value: first.delayMs,
      unit: "ms",
      limit: DELAY_MS_MAX,
      note: `took ${shown(first.tookMs)}, the second ${shown(others[0]?.tookMs)}`,
    },
  ])
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

/** Requests whose processor time is measured. */
const OVERVIEWS = 200

/**
 * By turns with and without the polling, each pair for itself: what else the machine does changes from
 * one moment to the next. The processor time of the requests is what they take from everything else.
 */
async function polling(bench: Bench): Promise<readonly Measurement[]> {
  const rounds = bench.isQuick ? 5 : 11
  return bench.withBroker(["--http-port", "35671", "--http-bind", "127.0.0.1"], async (broker) => {
    await overview() // Loads the API.
    const args = ["-t", bench.isQuick ? 3 : 4, "-s", 16, "-d", 1, "flow"]
    const rate = async (isPolled: boolean): Promise<number> => {
      const timer = isPolled ? setInterval(() => void overview(), 1000) : null
      const { consumed = 0 } = await measureLoad(broker, args)
      if (timer !== null) clearInterval(timer)
      return consumed
    }
    const ratios: number[] = []
    for (let round = 0; round < rounds; round++) {
      const isFirst = round % 2 === 0
      const first = await rate(isFirst)
      const second = await rate(!isFirst)
      ratios.push(isFirst ? first / second : second / first)
    }
    const sorted = ratios.toSorted((a, b) => a - b)
    const cpuBefore = broker.cpuSeconds()
    for (let i = 0; i < OVERVIEWS; i++) await overview()
    const cost = ((broker.cpuSeconds() - cpuBefore) * 1000) / OVERVIEWS
    return [
      {
        name: "throughput while the overview is polled each second, against alone",
        value: sorted[sorted.length >> 1] ?? 0,
        unit: "ratio",
        floor: RATIO_MIN,
        note: `of ${String(rounds)} pairs, ${sorted[0]?.toFixed(2)} to ${sorted.at(-1)?.toFixed(2)}`,
      },
      {
        name: "processor time of an overview",
        value: cost,
        unit: "ms",
        limit: (1 - RATIO_MIN) * 1000,
      },
    ]
  })
}

async function overview(): Promise<void> {
  const response = await fetch("http://127.0.0.1:35671/api/overview", {
    headers: { authorization: AUTHORIZATION },
  })
  await response.text()
}
