import type { Clock, TimerHandle } from "../util/clock.ts"
import type { LogEntry, LogListener, LogRing } from "../util/log-ring.ts"
import { HttpError } from "./errors.ts"
import { TEXT } from "./rates-schema.ts"
import { route } from "./route.ts"
import type { Route } from "./route.ts"
import { Type } from "./schema.ts"

/** The log from afar: the latest lines for download, and new ones as they come (server-sent events). */

/** Those that may follow at one time. */
const TAILS_MAX = 20
/** Lines that wait for a reader who does not keep up. */
const BACKLOG_MAX = 1024
/** Proxies cut connections on which nothing comes. */
const HEARTBEAT_MS = 15_000

const LEVELS = ["debug", "info", "warn", "error"] as const

const QUERY = Type.Object({
  format: Type.Optional(
    Type.String({ enum: ["text", "json"], description: "json has the fields of each line" }),
  ),
  level: Type.Optional(Type.String({ enum: LEVELS, description: "Only from this severity on" })),
  text: Type.Optional(Type.String({ description: "Only lines with this text, whatever its case" })),
})

interface Query {
  readonly format?: string | undefined
  readonly level?: string | undefined
  readonly text?: string | undefined
}

function filterOf({ level, text = "" }: Query): (entry: LogEntry) => boolean {
  const lowest = LEVELS.findIndex((name) => name === level)
  const wanted = text.toLowerCase()
  return (entry) =>
    LEVELS.findIndex((name) => name === entry.level) >= lowest &&
    (wanted === "" || entry.message.toLowerCase().includes(wanted))
}

function timeOf(entry: LogEntry): string {
  return new Date(entry.timeMs).toISOString()
}

function jsonOf(entry: LogEntry): string {
  const { level, source, text, fields } = entry
  const head = JSON.stringify({ time: timeOf(entry), level, source, text })
  return `${head.slice(0, -1)},"fields":${fields}}`
}

function lineOf(entry: LogEntry): string {
  const message = entry.message.replaceAll(/[\r\n]+/g, " ")
  return `${timeOf(entry)} [${entry.level.toUpperCase()}] ${entry.source}: ${message}\n`
}

/** LavinMQ's shape: `[severity, source, message]`. */
function arrayOf({ level, source, message }: LogEntry): string {
  return JSON.stringify([level.toUpperCase(), source, message])
}

async function* download(entries: readonly LogEntry[], isJson: boolean): AsyncGenerator<string> {
  if (isJson) yield `[${entries.map(jsonOf).join(",\n")}]`
  else yield entries.map(lineOf).join("")
}

/** One who follows the log. Each next() gives all that waits. */
class LogTail implements LogListener, AsyncIterable<string>, AsyncIterator<string> {
  readonly #ring: LogRing
  readonly #clock: Clock
  readonly #isWanted: (entry: LogEntry) => boolean
  readonly #format: (entry: LogEntry) => string
  #backlog: string[] = []
  #droppedCount = 0
  #isEnded = false
  #waiting: ((result: IteratorResult<string, undefined>) => void) | null = null
  #heartbeat: TimerHandle | null = null

  constructor(ring: LogRing, clock: Clock, query: Query, afterId: number) {
    this.#ring = ring
    this.#clock = clock
    this.#isWanted = filterOf(query)
    this.#format = query.format === "json" ? jsonOf : arrayOf
    this.#backlog.push(": the log\n\n")
    for (const entry of ring.since(afterId)) this.logged(entry)
    ring.listen(this)
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  logged(entry: LogEntry): void {
    if (!this.#isWanted(entry)) return
    if (this.#backlog.length > BACKLOG_MAX) {
      this.#backlog.shift()
      this.#droppedCount++
    }
    this.#backlog.push(`id: ${String(entry.id)}\ndata: ${this.#format(entry)}\n\n`)
    this.#wake()
  }

  closed(): void {
    void this.return()
  }

  next(): Promise<IteratorResult<string, undefined>> {
    if (this.#isEnded) return Promise.resolve({ done: true, value: undefined })
    if (this.#backlog.length > 0) return Promise.resolve({ done: false, value: this.#take() })
    return new Promise((resolve) => {
      this.#waiting = resolve
      this.#heartbeat = this.#clock.setTimer(HEARTBEAT_MS, () => {
        this.#backlog.push(": still there\n\n")
        this.#wake()
      })
    })
  }

  #take(): string {
    const text = this.#backlog.join("")
    this.#backlog = []
    if (this.#droppedCount === 0) return text
    const note = ["WARN", "livelog", `${String(this.#droppedCount)} lines were left out: too slow`]
    this.#droppedCount = 0
    return `data: ${JSON.stringify(note)}\n\n${text}`
  }

  #wake(): void {
    const waiting = this.#waiting
    if (waiting === null) return
    this.#waiting = null
    this.#heartbeat?.cancel()
    waiting({ done: false, value: this.#take() })
  }

  return(): Promise<IteratorResult<string, undefined>> {
    this.#isEnded = true
    this.#ring.leave(this)
    this.#heartbeat?.cancel()
    this.#waiting?.({ done: true, value: undefined })
    this.#waiting = null
    return Promise.resolve({ done: true, value: undefined })
  }
}

export const LOG_ROUTES: readonly Route[] = [
  route({
    method: "GET",
    path: "/api/logs",
    group: "Broker",
    summary: "The latest lines of the log as a file",
    access: "administrator",
    query: QUERY,
    responses: { 200: { doc: "One line each", schema: TEXT, contentType: "text/plain" } },
    handle(api, { query }) {
      const isJson = query.format === "json"
      const entries = api.logs.since().filter(filterOf(query))
      return {
        status: 200,
        text: download(entries, isJson),
        headers: {
          "Content-Type": isJson ? "application/json" : "text/plain; charset=utf-8",
          "Content-Disposition": `attachment; filename=logs.${isJson ? "json" : "txt"}`,
          "Cache-Control": "no-store",
        },
      }
    },
  }),
  route({
    method: "GET",
    path: "/api/livelog",
    group: "Broker",
    summary: "The log as it is written: server-sent events, the latest lines first",
    access: "administrator",
    query: QUERY,
    responses: { 200: { doc: "Events", schema: TEXT, contentType: "text/event-stream" } },
    handle(api, request) {
      if (api.logs.listenerCount >= TAILS_MAX)
        throw new HttpError(503, "service_unavailable", "too many follow the log already", {
          "Retry-After": "10",
        })
      const last = request.header("last-event-id") ?? ""
      const afterId = /^\d{1,15}$/.test(last) ? Number(last) : 0
      return {
        status: 200,
        text: new LogTail(api.logs, api.broker.clock, request.query, afterId),
        headers: {
          "Content-Type": "text/event-stream",
          "Cache-Control": "no-store",
          "X-Accel-Buffering": "no",
        },
      }
    },
  }),
]
