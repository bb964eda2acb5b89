import type { BufferPool } from "../../util/buffer-pool.ts"
import type { Clock } from "../../util/clock.ts"
import type { Disk } from "../disk.ts"
import type {
  DirtyStore,
  StoreCommit,
  StoreContext,
  StoreFiles,
  StoreLog,
} from "../store-context.ts"

/** Smaller segments would be mostly files; checking a larger one would hold the broker up for over 0.1 s. */
const SEGMENT_SIZE_MIN = 4 << 10
export const SEGMENT_SIZE_MAX: number = 32 << 20

/** The surroundings of one stream: those of all stores, with a segment size of its own. */
export class StreamContext implements StoreContext {
  readonly disk: Disk
  readonly openFiles: StoreFiles
  readonly commit: StoreCommit
  readonly buffers: BufferPool
  readonly clock: Clock
  readonly log: StoreLog
  segmentSizeBytes: number
  readonly #common: StoreContext

  constructor(common: StoreContext) {
    this.#common = common
    this.disk = common.disk
    this.openFiles = common.openFiles
    this.commit = common.commit
    this.buffers = common.buffers
    this.clock = common.clock
    this.log = common.log
    this.segmentSizeBytes = common.segmentSizeBytes
  }

  /** Null and 0 are the size of queues' segments. */
  setSegmentSize(bytes: number | null): void {
    this.segmentSizeBytes =
      bytes === null || bytes === 0
        ? this.#common.segmentSizeBytes
        : Math.min(Math.max(bytes, SEGMENT_SIZE_MIN), SEGMENT_SIZE_MAX)
  }

  markDirty(store: DirtyStore): void {
    this.#common.markDirty(store)
  }
}
