import type { LinkSet } from "../../links/link-set.ts"
import type { NodeFacts } from "../api.ts"

/** What the metrics need to know beside the broker: the process, the disk, the node. The composition root knows it. */
interface HistogramCounts {
  readonly bounds: readonly number[]
  readonly counts: readonly number[]
  readonly sum: number
}

export interface GarbageCollections {
  /** `minor`, `major`, `incremental`, `weak_callbacks` */
  readonly kind: string
  readonly count: number
  readonly seconds: number
}

export interface ProcessFigures {
  readonly openFileCount: number
  readonly openFileMax: number
  readonly residentBytes: number
  readonly heapTotalBytes: number
  readonly heapUsedBytes: number
  readonly heapLimitBytes: number
  /** Outside the heap, array buffers included. */
  readonly externalBytes: number
  readonly arrayBufferBytes: number
  readonly heapSpaces: readonly { readonly name: string; readonly usedBytes: number }[]
  readonly cpuUserMs: number
  readonly cpuSystemMs: number
  readonly loopActiveSeconds: number
  readonly loopDelayMs: HistogramCounts
  readonly collections: readonly GarbageCollections[]
}

export interface StoreFigures {
  readonly readCount: number
  readonly readBytes: number
  readonly writeCount: number
  readonly writtenBytes: number
  readonly syncCount: number
  readonly syncErrorCount: number
  readonly syncMs: number
  readonly directorySyncCount: number
  /** Group commits that have ended. */
  readonly commitRounds: number
  readonly openDataFiles: number
  readonly bufferInUseBytes: number
  readonly bufferKeptBytes: number
}

export interface MetricsFacts {
  readonly node: Pick<
    NodeFacts,
    "name" | "version" | "startedAtMs" | "freeDiskMinBytes" | "freeDiskBytes" | "memory"
  >
  /** Of Node. */
  readonly runtimeVersion: string
  /** The same for one data directory. */
  readonly clusterId: string
  readProcess(): Promise<ProcessFigures>
  readStore(): StoreFigures
  /** Null before they are made. */
  links(): LinkSet | null
}
