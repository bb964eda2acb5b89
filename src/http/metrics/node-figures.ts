import type { Broker } from "../../broker/broker.ts"
import type { MetricsFacts } from "./figures.ts"

/**
 * Figures of the process for GET /api/nodes, from what the metrics read. Percentiles are of the last minute
 * as far as somebody asks that often, else of the time since the last question.
 */
const WINDOW_MS = 60_000
/** How far what is remembered lies apart. */
const STEP_MS = 5000

interface Counts {
  readonly bounds: readonly number[]
  readonly counts: readonly number[]
}

interface Kept {
  readonly timeMs: number
  readonly counts: readonly number[]
}

/** Of a histogram that only grows. */
export class RecentPercentile {
  #kept: Kept[] = []

  /**
   * Interpolated within its bucket; of the last bucket, which has no end, its start. 0 without values.
   */
  read(nowMs: number, { bounds, counts }: Counts, share: number): number {
    while ((this.#kept[1]?.timeMs ?? nowMs) <= nowMs - WINDOW_MS) this.#kept.shift()
    const base = this.#kept[0]?.counts
    const recent = counts.map((count, i) => count - (base?.[i] ?? 0))
    const last = this.#kept.at(-1)
    if (last === undefined || nowMs - last.timeMs >= STEP_MS)
      this.#kept.push({ timeMs: nowMs, counts })
    return percentile(bounds, recent, share)
  }
}

function percentile(bounds: readonly number[], counts: readonly number[], share: number): number {
  const total = counts.reduce((sum, count) => sum + count, 0)
  if (total === 0) return 0
  const wanted = total * share
  let passed = 0
  for (const [index, count] of counts.entries()) {
    const start = index === 0 ? 0 : (bounds[index - 1] ?? 0)
    if (passed + count >= wanted && count > 0) {
      const end = bounds[index] ?? start
      return start + (end - start) * ((wanted - passed) / count)
    }
    passed += count
  }
  return bounds.at(-1) ?? 0
}

export class NodeFigures {
  readonly #broker: Broker
  readonly #facts: Pick<MetricsFacts, "readProcess" | "readStore">
  readonly #loopDelay = new RecentPercentile()
  readonly #confirmLatency = new RecentPercentile()

  constructor(broker: Broker, facts: Pick<MetricsFacts, "readProcess" | "readStore">) {
    this.#broker = broker
    this.#facts = facts
  }

  /** Times in milliseconds; the names are RabbitMQ's where it has them. */
  async read(): Promise<Record<string, number>> {
    const { openFileCount, openFileMax, loopDelayMs } = await this.#facts.readProcess()
    const store = this.#facts.readStore()
    const { clock, messageCounters } = this.#broker
    clock.refresh()
    const latency = messageCounters.confirmLatency.histogramMs
    return {
      fd_used: openFileCount,
      fd_total: openFileMax,
      io_read_count: store.readCount,
      io_read_bytes: store.readBytes,
      io_write_count: store.writeCount,
      io_write_bytes: store.writtenBytes,
      io_sync_count: store.syncCount,
      io_sync_avg_time: store.syncCount === 0 ? 0 : store.syncMs / store.syncCount,
      event_loop_delay_p99: this.#loopDelay.read(clock.nowMs, loopDelayMs, 0.99),
      confirm_latency_p99: this.#confirmLatency.read(clock.nowMs, latency, 0.99),
    }
  }
}
