import { availableParallelism } from "node:os"
import { extname } from "node:path"
import { Worker } from "node:worker_threads"
import { AmqpClient } from "../client/client.ts"
import { ClientError, messageOf } from "../client/errors.ts"
import { parseUri } from "../client/uri.ts"
import { monotonicMs } from "../util/clock.ts"
import type { TimerHandle } from "../util/clock.ts"
import { Reservoir, reservoirBytes, summarize } from "./latency.ts"
import type { FlagValues } from "./modes.ts"
import { EXIT_FAILURE, EXIT_SUCCESS, wait } from "./perf-io.ts"
import type { PerfIo } from "./perf-io.ts"
import { formatJson, formatProgress, formatSummary } from "./report.ts"
import type { ThroughputResult } from "./report.ts"
import { throughputSettings } from "./settings.ts"
import type { ThroughputSettings } from "./settings.ts"
import { declareTopology } from "./topology.ts"
import type { FromWorker, ToWorker, WorkerTask } from "./worker-protocol.ts"

/**
 * The mode throughput, main thread: prepares the queues, shares the publishers and consumers out to worker
 * threads, shows what they have done each second, and sums up.
 */
const RETRY_MS = 1000
const SECOND_MS = 1000
/** Of one second; percentiles of so many are exact enough for a glance. */
const RECENT_SIZE = 8192
/** How long threads may take to close their connections. */
const STOP_MS_MAX = 15_000

export async function runThroughput(values: FlagValues, io: PerfIo): Promise<number> {
  const settings = throughputSettings(values)
  let isInterrupted = false
  let run: Run | null = null
  io.onInterrupt(() => {
    isInterrupted = true
    run?.stop()
  })
  const queues = await prepare(settings, io, () => isInterrupted)
  if (queues === null) return EXIT_SUCCESS
  const isJson = values.isOn("json")
  const threads = values.number("threads") || defaultThreads(settings.uri, availableParallelism())
  run = new Run({ ...settings, queues }, threads, io, {
    seconds: values.number("time"),
    isQuiet: values.isOn("quiet") || isJson,
  })
  if (isInterrupted) run.stop()
  const failure = await run.finished
  if (failure !== null) {
    io.error(`${failure}\n`)
    return EXIT_FAILURE
  }
  const result = run.result()
  io.out(isJson ? formatJson(result) : formatSummary(result))
  return EXIT_SUCCESS
}

/** One a processor; if the broker is on this machine, it keeps one for its own. */
export function defaultThreads(uri: string, processors: number): number {
  const { host = "", socketPath } = parseUri(uri)
  const isHere = socketPath !== undefined || /^(localhost|127\..*|::1|)$/.test(host)
  return Math.max(1, isHere ? processors - 1 : processors)
}

/** Names of the queues; null if interrupted before the broker could be reached. */
async function prepare(
  settings: ThroughputSettings,
  io: PerfIo,
  isInterrupted: () => boolean,
): Promise<readonly string[] | null> {
  const client = new AmqpClient({ clock: io.clock })
  while (!isInterrupted()) {
    try {
      const connection = await client.connect(settings.uri, { name: "sluiceperf" })
      try {
        return await declareTopology(connection, settings, settings.measureLatency)
      } finally {
        await connection.close()
      }
    } catch (error) {
      if (
        !(error instanceof ClientError) ||
        !["connect", "timeout", "connection-lost"].includes(error.kind)
      )
        throw error
      io.error(`${error.message}\n`)
      await wait(io.clock, RETRY_MS)
    }
  }
  return null
}

interface RunOptions {
  readonly seconds: number
  readonly isQuiet: boolean
}

class Run {
  /** Null, or why it cannot go on. */
  readonly finished: Promise<string | null>
  readonly #settings: ThroughputSettings
  readonly #io: PerfIo
  readonly #options: RunOptions
  readonly #counters: Float64Array<SharedArrayBuffer>
  readonly #second = new Int32Array(new SharedArrayBuffer(4))
  readonly #reservoirs: Reservoir[] = []
  readonly #recent: Reservoir[] = []
  readonly #workers: Worker[] = []
  readonly #end: PromiseWithResolvers<string | null> = Promise.withResolvers()
  #startMs = 0
  #endMs = 0
  #readyCount = 0
  #doneCount = 0
  #isStopping = false
  #timers: TimerHandle[] = []
  #lastMs = 0
  #lastPublished = 0
  #lastConsumed = 0

  constructor(settings: ThroughputSettings, threads: number, io: PerfIo, options: RunOptions) {
    this.#settings = settings
    this.#io = io
    this.#options = options
    const roleCount = settings.publishers + settings.consumers
    this.#counters = new Float64Array(new SharedArrayBuffer(8 * roleCount))
    this.finished = this.#end.promise
    const count = Math.min(roleCount, threads)
    for (const task of this.#tasks(count)) this.#startWorker(task)
  }

  stop(): void {
    if (this.#isStopping) return
    this.#isStopping = true
    this.#endMs = this.#startMs === 0 ? 0 : monotonicMs()
    for (const timer of this.#timers) timer.cancel()
    this.#tell("stop")
    const timer = this.#io.clock.setTimer(STOP_MS_MAX, () => this.#finish(null))
    this.#timers = [timer]
  }

  result(): ThroughputResult {
    const [published, consumed] = this.#sums()
    const elapsedSeconds = this.#startMs === 0 ? 0 : (this.#endMs - this.#startMs) / 1000
    return { elapsedSeconds, published, consumed, latency: summarize(this.#reservoirs) }
  }

  /** Publishers and consumers in turn, so that every thread has some of both. */
  #tasks(count: number): WorkerTask[] {
    const settings = this.#settings
    const consumed = new SharedArrayBuffer(8)
    const tasks = Array.from({ length: count }, () => {
      const latencies = new SharedArrayBuffer(settings.measureLatency ? reservoirBytes() : 24)
      const recent = new SharedArrayBuffer(
        settings.measureLatency ? reservoirBytes(RECENT_SIZE) : 24,
      )
      if (settings.measureLatency) {
        this.#reservoirs.push(new Reservoir(latencies, 1))
        this.#recent.push(new Reservoir(recent, 1))
      }
      const publishers: WorkerTask["publishers"][number][] = []
      const consumers: WorkerTask["consumers"][number][] = []
      return { latencies, recent, publishers, consumers }
    })
    const { publishers, consumers, publishMessages } = settings
    for (let index = 0; index < publishers; index++) {
      // What does not divide evenly goes to the first ones. Nothing left is "none", not "no limit".
      const quota = Math.floor((publishMessages + publishers - 1 - index) / publishers)
      if (publishMessages > 0 && quota === 0) continue
      tasks[index % count]!.publishers.push({ index, place: index, quota })
    }
    for (let index = 0; index < consumers; index++)
      tasks[(publishers + index) % count]!.consumers.push({ index, place: publishers + index })
    return tasks.map(({ latencies, recent, publishers: some, consumers: others }) => ({
      settings,
      publishers: some,
      consumers: others,
      counters: this.#counters.buffer,
      consumed,
      latencies,
      recentLatencies: recent,
      second: this.#second.buffer,
    }))
  }

  #startWorker(task: WorkerTask): void {
    // Beside this file as source (.ts) as well as built (.js).
    const file = `./throughput-worker${extname(import.meta.url)}`
    const worker = new Worker(new URL(file, import.meta.url), { workerData: task })
    this.#workers.push(worker)
    let isDone = false
    worker.on("message", (message: FromWorker) => {
      if (message.kind === "done") isDone = true
      this.#onMessage(message)
    })
    worker.on("error", (error) => this.#finish(messageOf(error)))
    worker.on("exit", () => {
      if (!isDone) this.#finish("a thread has ended early")
    })
  }

  #onMessage(message: FromWorker): void {
    switch (message.kind) {
      case "ready":
        if (++this.#readyCount === this.#workers.length) this.#start()
        return
      case "limit-reached":
        this.#tell("stop-consumers")
        return
      case "notice":
        this.#io.error(`${message.text}\n`)
        return
      case "done":
        if (++this.#doneCount === this.#workers.length) this.#finish(null)
        return
      case "failed":
        this.#finish(message.text)
    }
  }

  #start(): void {
    if (this.#isStopping) return
    this.#startMs = monotonicMs()
    this.#lastMs = this.#startMs
    this.#tell("start")
    const { seconds, isQuiet } = this.#options
    const { clock } = this.#io
    if (seconds > 0) this.#timers.push(clock.setTimer(seconds * 1000, () => this.stop()))
    if (!isQuiet) this.#scheduleProgress()
  }

  #scheduleProgress(): void {
    const delayMs = SECOND_MS - ((monotonicMs() - this.#startMs) % SECOND_MS)
    this.#timers[1] = this.#io.clock.setTimer(delayMs, () => {
      if (this.#isStopping) return
      this.#showProgress()
      this.#scheduleProgress()
    })
    this.#timers[0] ??= this.#timers[1]
  }

  #showProgress(): void {
    const nowMs = monotonicMs()
    const [published, consumed] = this.#sums()
    const seconds = (nowMs - this.#lastMs) / 1000
    const line = formatProgress(
      (published - this.#lastPublished) / seconds,
      (consumed - this.#lastConsumed) / seconds,
      summarize(this.#recent),
    )
    // In place: back to the start of the line, and clear it.
    this.#io.out(this.#io.isTerminal ? `\r\u001B[K${line}` : `${line}\n`)
    this.#lastMs = nowMs
    this.#lastPublished = published
    this.#lastConsumed = consumed
    Atomics.add(this.#second, 0, 1)
  }

  #sums(): [published: number, consumed: number] {
    const { publishers } = this.#settings
    let published = 0
    let consumed = 0
    for (const [place, count] of this.#counters.entries())
      if (place < publishers) published += count
      else consumed += count
    return [published, consumed]
  }

  #tell(message: ToWorker): void {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- A thread, not a window.
    for (const worker of this.#workers) worker.postMessage(message)
  }

  #finish(failure: string | null): void {
    if (!this.#isStopping && this.#startMs > 0) this.#endMs = monotonicMs()
    this.#isStopping = true
    for (const timer of this.#timers) timer.cancel()
    for (const worker of this.#workers) void worker.terminate()
    if (this.#io.isTerminal && !this.#options.isQuiet) this.#io.out("\n")
    this.#end.resolve(failure)
  }
}
