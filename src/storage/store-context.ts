import type { BufferPool } from "../util/buffer-pool.ts"
import type { Clock } from "../util/clock.ts"
import type { Disk } from "./disk.ts"

/**
 * What all message stores of a broker share: the disk and its helpers, and the way to the turn.
 * One object per broker; a store keeps a reference to it and nothing else of its surroundings.
 */
export interface StoreLog {
  info(fields: object, text: string): void
  warn(fields: object, text: string): void
  error(fields: object, text: string): void
}

/** Open data files by path, at most so many at a time (open-files.ts). */
export interface StoreFiles {
  /** Valid until the next acquire. */
  acquire(path: string, create: boolean): number
  /** Closes the file, before it is removed. */
  forget(path: string): void
}

/** What has to be on disk before the next round of syncs counts as done (group-commit.ts). */
export interface StoreCommit {
  touchFile(path: string, onSyncFailed?: (error: Error) => void): void
  touchDirectory(path: string): void
}

/** A store as the turn sees it. */
export interface DirtyStore {
  write(): void
  readonly failed: boolean
  readonly lastError: { readonly code: string } | null
}

export interface StoreContext {
  readonly disk: Disk
  readonly openFiles: StoreFiles
  readonly commit: StoreCommit
  readonly buffers: BufferPool
  /** A segment is sealed before it would grow beyond this. 8 MiB. */
  readonly segmentSizeBytes: number
  readonly clock: Clock
  readonly log: StoreLog
  /**
   * The store has something to write: the end of this turn calls its write(), once, and looks at
   * `failed` after it. While that is true, write() is to be called again every 100 ms to 1 s.
   */
  markDirty(store: DirtyStore): void
}
