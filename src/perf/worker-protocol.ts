import type { ThroughputSettings } from "./settings.ts"

/** What the main thread of a throughput run and its workers tell each other. */
export interface WorkerTask {
  readonly settings: ThroughputSettings
  readonly publishers: readonly {
    readonly index: number
    readonly place: number
    readonly quota: number
  }[]
  readonly consumers: readonly { readonly index: number; readonly place: number }[]
  /** A double for each role: messages so far. */
  readonly counters: SharedArrayBuffer
  /** One 64-bit integer: consumed in all, if there is a limit. */
  readonly consumed: SharedArrayBuffer
  /** Reservoirs of this worker (latency.ts). */
  readonly latencies: SharedArrayBuffer
  readonly recentLatencies: SharedArrayBuffer
  /** Changes when the latencies of the present second begin anew. */
  readonly second: SharedArrayBuffer
}

export type ToWorker = "start" | "stop" | "stop-consumers"

export type FromWorker =
  /** All connections are open. */
  | { readonly kind: "ready" }
  | { readonly kind: "limit-reached" }
  | { readonly kind: "notice"; readonly text: string }
  | { readonly kind: "done" }
  /** Trying again cannot help. */
  | { readonly kind: "failed"; readonly text: string }
