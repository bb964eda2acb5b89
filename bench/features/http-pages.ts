/**
 * What http.ts measures in a process of its own, so that nothing has been compiled or made fast before the
 * first request: `node bench/features/http-pages.ts kind rounds [query]`. Kinds: `start` is the load of the
 * application and the first request of all, `page` the list of QUEUE_COUNT queues with this query.
 * The requests are made in memory: neither disk nor network is what is measured. Prints a line of JSON.
 */
import { EMPTY_TABLE } from "../../src/amqp/table.ts"
import { SAMPLE_MS } from "../../src/http/statistics.ts"
import { startBroker } from "../../src/server/start-broker.ts"
import type { RunningBroker } from "../../src/server/start-broker.ts"
import { pause } from "../bench.ts"

export const QUEUE_COUNT = 100_000

export interface Timed {
  readonly tookMs: number
  /** Of everything else in the process, by a turn of the event loop; garbage collection included. */
  readonly delayMs: number
}

export interface PageTimes {
  /** The first of the process with this query, after one that lists a single queue. */
  readonly first: Timed
  readonly others: readonly Timed[]
}

const AUTHORIZATION = `Basic ${btoa("guest:guest")}`

/** The longest turn of the event loop from now on. monitorEventLoopDelay() would not see the first one. */
class LoopProbe {
  #lastMs = performance.now()
  #longestMs = 0
  #isOver = false

  constructor() {
    this.#tick()
  }

  #tick(): void {
    const nowMs = performance.now()
    this.#longestMs = Math.max(this.#longestMs, nowMs - this.#lastMs)
    this.#lastMs = nowMs
    if (!this.#isOver) setImmediate(() => this.#tick())
  }

  async stop(): Promise<number> {
    await pause(5)
    this.#isOver = true
    return this.#longestMs
  }
}

export async function timed(work: () => Promise<void>): Promise<Timed> {
  const probe = new LoopProbe()
  const startMs = performance.now()
  await work()
  const tookMs = performance.now() - startMs
  return { tookMs, delayMs: await probe.stop() }
}

export async function ask(broker: RunningBroker, path: string, body?: string): Promise<void> {
  const response = await broker.http?.app.request(path, {
    method: body === undefined ? "GET" : "POST",
    headers: { authorization: AUTHORIZATION, "content-type": "application/json" },
    ...(body !== undefined && { body }),
  })
  await response?.text()
  if (response?.ok !== true) throw new Error(`${path}: ${String(response?.status)}`)
}

function declareQueues(broker: RunningBroker): void {
  const vhost = broker.broker.vhosts.get("/")
  if (vhost === undefined) throw new Error("no vhost")
  const attributes = { durable: false, exclusive: false, autoDelete: false, arguments: EMPTY_TABLE }
  for (let i = 0; i < QUEUE_COUNT; i++)
    vhost.declareQueue({ name: `work.${String(i)}`, ...attributes }, null).publishedCount = i
}

async function measurePage(query: string, rounds: number): Promise<PageTimes> {
  const broker = await startBroker({ amqp: { port: 0 }, http: { port: 0 } })
  try {
    declareQueues(broker)
    await setPolicies(broker)
    await ask(broker, "/api/queues?page=1&page_size=1")
    // Until all queues have a rate.
    await pause(1.5 * SAMPLE_MS)
    globalThis.gc?.()
    const page = (): Promise<void> => ask(broker, query)
    const first = await timed(page)
    const others: Timed[] = []
    while (others.length < rounds) others.push(await timed(page))
    return { first, others }
  } finally {
    await broker.close()
  }
}

/** Three that are tried for each queue. */
async function setPolicies(broker: RunningBroker): Promise<void> {
  for (const digit of [1, 2, 3])
    await broker.broker.vhosts.get("/")?.policies.set(`policy ${String(digit)}`, {
      pattern: `^work\\.${String(digit)}`,
      definition: { "max-length": 1000 * digit },
    })
}

async function measureStart(): Promise<PageTimes> {
  const broker = await startBroker({ amqp: { port: 0 }, http: { port: 0 } })
  try {
    // The API begins to be loaded in the next turn.
    const first = await timed(() => ask(broker, "/api/overview"))
    return { first, others: [await timed(() => ask(broker, "/api/overview"))] }
  } finally {
    await broker.close()
  }
}

if (import.meta.main) {
  const [, , kind = "", rounds = "1", query = ""] = process.argv
  const times = kind === "start" ? await measureStart() : await measurePage(query, Number(rounds))
  console.log(JSON.stringify(times))
}
