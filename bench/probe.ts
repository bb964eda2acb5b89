/**
 * Loaded into a broker with `node --import`: answers questions about its process over the IPC
 * channel, so that the broker itself carries no code for benchmarks. Keeps nothing alive.
 */
import { monitorEventLoopDelay } from "node:perf_hooks"

/** The monitor's own timer: a delay is what goes beyond it. */
const RESOLUTION_MS = 1

export interface ProbeReport {
  readonly loopDelayMs: { readonly p50: number; readonly p99: number; readonly max: number }
  readonly heapUsedBytes: number
  readonly externalBytes: number
  /** Open handles and requests by kind, such as Timeout or TCPSocketWrap. */
  readonly resources: Readonly<Record<string, number>>
}

/** "reset" starts to measure the loop's delay, "report" answers with a ProbeReport. */
export type ProbeQuestion = "reset" | "report"

const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS })

process.on("message", (question: ProbeQuestion) => {
  if (question === "reset") {
    delay.enable()
    delay.reset()
    return
  }
  globalThis.gc?.()
  const memory = process.memoryUsage()
  const resources: Record<string, number> = {}
  for (const kind of process.getActiveResourcesInfo()) resources[kind] = (resources[kind] ?? 0) + 1
  const report: ProbeReport = {
    loopDelayMs: {
      p50: overMs(delay.percentile(50)),
      p99: overMs(delay.percentile(99)),
      max: overMs(delay.max),
    },
    heapUsedBytes: memory.heapUsed,
    externalBytes: memory.external,
    resources,
  }
  process.send?.(report)
})
process.channel?.unref()

function overMs(ns: number): number {
  return Math.max(0, ns / 1e6 - RESOLUTION_MS)
}
