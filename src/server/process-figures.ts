import { constants, performance, PerformanceObserver } from "node:perf_hooks"
import type { PerformanceEntry } from "node:perf_hooks"
import { getHeapSpaceStatistics, getHeapStatistics } from "node:v8"
import type { GarbageCollections, ProcessFigures } from "../http/metrics/figures.ts"
import type { Clock, TimerHandle } from "../util/clock.ts"
import { Histogram } from "../util/histogram.ts"
import { FileDescriptors } from "./file-descriptors.ts"

/**
 * What the runtime tells of this process, for the metrics. Garbage collections and the delay of the event
 * loop are counted from start() on; the rest is read when somebody asks.
 */

/** The delay of the loop is sampled so often: what a timer that fires now has waited too long. */
const SAMPLE_MS = 100
const DELAY_BOUNDS_MS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000]

const COLLECTION_KINDS: ReadonlyMap<number, string> = new Map([
  [constants.NODE_PERFORMANCE_GC_MINOR, "minor"],
  [constants.NODE_PERFORMANCE_GC_MAJOR, "major"],
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL, "incremental"],
  [constants.NODE_PERFORMANCE_GC_WEAKCB, "weak_callbacks"],
])

export class ProcessMeter {
  readonly #clock: Clock
  readonly #descriptors = new FileDescriptors()
  readonly #delayMs = new Histogram(DELAY_BOUNDS_MS)
  readonly #collections = new Map<string, { count: number; seconds: number }>()
  readonly #observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) this.#collected(entry)
  })
  #timer: TimerHandle | null = null

  constructor(clock: Clock) {
    this.#clock = clock
    for (const kind of COLLECTION_KINDS.values())
      this.#collections.set(kind, { count: 0, seconds: 0 })
  }

  start(): void {
    this.#observer.observe({ entryTypes: ["gc"] })
    this.#sample()
  }

  stop(): void {
    this.#observer.disconnect()
    this.#timer?.cancel()
  }

  #sample(): void {
    const clock = this.#clock
    clock.refresh()
    const dueMs = clock.nowMs + SAMPLE_MS
    this.#timer = clock.setTimer(SAMPLE_MS, () => {
      clock.refresh()
      this.#delayMs.note(Math.max(0, clock.nowMs - dueMs), 1)
      this.#sample()
    })
  }

  #collected(entry: PerformanceEntry): void {
    const detail: unknown = "detail" in entry ? entry.detail : null
    if (typeof detail !== "object" || detail === null || !("kind" in detail)) return
    const kind = COLLECTION_KINDS.get(Number(detail.kind))
    const sum = kind === undefined ? undefined : this.#collections.get(kind)
    if (sum === undefined) return
    sum.count++
    sum.seconds += entry.duration / 1000
  }

  async read(): Promise<ProcessFigures> {
    const memory = process.memoryUsage()
    const cpu = process.cpuUsage()
    const { active } = performance.eventLoopUtilization()
    const { openCount, max } = await this.#descriptors.read()
    return {
      openFileCount: openCount,
      openFileMax: max,
      residentBytes: memory.rss,
      heapTotalBytes: memory.heapTotal,
      heapUsedBytes: memory.heapUsed,
      heapLimitBytes: getHeapStatistics().heap_size_limit,
      externalBytes: memory.external,
      arrayBufferBytes: memory.arrayBuffers,
      heapSpaces: getHeapSpaceStatistics().map(({ space_name: name, space_used_size }) => ({
        name,
        usedBytes: space_used_size,
      })),
      cpuUserMs: cpu.user / 1000,
      cpuSystemMs: cpu.system / 1000,
      loopActiveSeconds: active / 1000,
      loopDelayMs: this.#delayMs,
      collections: Array.from(this.#collections, ([kind, sum]): GarbageCollections => ({
        kind,
        ...sum,
      })),
    }
  }
}
