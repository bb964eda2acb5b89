/**
 * A scrape of 100,000 queues: how long until Prometheus has all of it, and how long it keeps the event loop
 * from everything else. The broker is in this process, in memory; the client is a process of its own.
 */
import { execFile } from "node:child_process"
import { promisify } from "node:util"
import { EMPTY_TABLE } from "../../src/amqp/table.ts"
import type { Vhost } from "../../src/broker/vhost.ts"
import { startBroker } from "../../src/server/start-broker.ts"
import type { Bench, Measurement, Row } from "../bench.ts"

const QUEUE_COUNT = 100_000
/** Of the issue. */
const SCRAPE_MS_MAX = 1000
const DELAY_MS_MAX = 10

export const METRICS_ROWS: readonly Row[] = [{ name: "metrics", run }]

async function run(bench: Bench): Promise<readonly Measurement[]> {
  const rounds = bench.isQuick ? 5 : 20
  const broker = await startBroker({ amqp: { port: 0 }, metrics: { port: 0 } })
  try {
    const vhost = broker.broker.vhosts.get("/")
    const port = broker.metrics?.port
    if (vhost === undefined || port === undefined) throw new Error("no vhost or no metrics")
    declareQueues(vhost)
    const url = `http://127.0.0.1:${String(port)}`
    const sums = await measure(`${url}/metrics`, rounds)
    const idle = await measure(`${url}/metrics/per-object`, rounds)
    for (const queue of vhost.queues.values()) markAsUsed(queue)
    const used = await measure(`${url}/metrics/per-object`, rounds)
    return [
      ...rowsOf("sums over 100,000 queues", sums, null),
      ...rowsOf("100,000 idle queues per object", idle, SCRAPE_MS_MAX),
      ...rowsOf("100,000 used queues per object", used, null),
    ]
  } finally {
    await broker.close()
  }
}

function declareQueues(vhost: Vhost): void {
  const attributes = { durable: false, exclusive: false, autoDelete: false, arguments: EMPTY_TABLE }
  for (let i = 0; i < QUEUE_COUNT; i++)
    vhost.declareQueue({ name: `work.${String(i)}`, ...attributes }, null)
}

/** As if consumers had had some messages of it. */
function markAsUsed(queue: { publishedCount: number; acknowledgedCount: number }): void {
  queue.publishedCount = 1000
  queue.acknowledgedCount = 999
}

interface Scrapes {
  /** The median. */
  readonly totalMs: number
  readonly bytes: number
  readonly delayMs: number
  readonly cpuMs: number
}

function rowsOf(of: string, scrapes: Scrapes, limit: number | null): Measurement[] {
  const { totalMs, bytes, delayMs, cpuMs } = scrapes
  return [
    {
      name: `metrics, ${of}`,
      value: totalMs,
      unit: "ms",
      note: `${(bytes / 2 ** 20).toFixed(1)} MiB`,
      ...(limit !== null && { limit }),
    },
    {
      name: `longest delay by ${of}`,
      value: delayMs,
      unit: "ms",
      limit: DELAY_MS_MAX,
      note: `CPU ${cpuMs.toFixed(1)} ms`,
    },
  ]
}

/** Prints milliseconds and bytes of each scrape; the first one is not counted. */
const CLIENT = `
const { get } = require("node:http")
const [url, rounds] = process.argv.slice(1)
const scrape = () => new Promise((done, failed) => {
  const startMs = performance.now()
  get(url, (response) => {
    let bytes = 0
    response.on("data", (chunk) => (bytes += chunk.length))
    response.on("end", () => done([performance.now() - startMs, bytes]))
    response.on("error", failed)
  }).on("error", failed)
})
void (async () => {
  await scrape()
  const all = []
  for (let i = 0; i < Number(rounds); i++) all.push(await scrape())
  console.log(JSON.stringify(all))
})()
`

async function measure(url: string, rounds: number): Promise<Scrapes> {
  let lastMs = performance.now()
  let delayMs = 0
  let lastCpuMs = threadCpuMs()
  let cpuMs = 0
  let isDone = false
  const look = (): void => {
    const nowMs = performance.now()
    delayMs = Math.max(delayMs, nowMs - lastMs)
    lastMs = nowMs
    const nowCpuMs = threadCpuMs()
    cpuMs = Math.max(cpuMs, nowCpuMs - lastCpuMs)
    lastCpuMs = nowCpuMs
    if (!isDone) setImmediate(look)
  }
  const client = promisify(execFile)(process.execPath, ["-e", CLIENT, url, String(rounds)])
  // Starting a process is not what is measured.
  lastMs = performance.now()
  lastCpuMs = threadCpuMs()
  setImmediate(look)
  const { stdout } = await client
  isDone = true
  const all: readonly (readonly [ms: number, bytes: number])[] = JSON.parse(stdout)
  const sorted = all.toSorted(([a], [b]) => a - b)
  const [totalMs, bytes] = sorted[sorted.length >> 1] ?? [0, 0]
  return { totalMs, bytes, delayMs, cpuMs }
}

function threadCpuMs(): number {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1000
}
