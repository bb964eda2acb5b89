import { dirname, join } from "node:path"
import type { Logger } from "../util/logger.ts"
import {
  DEFINITIONS_HEADER_SIZE,
  DEFINITIONS_VERSION,
  definitionsHeader,
  definitionsVersion,
  entrySize,
  isDeletion,
  scanEntries,
  writeEntry,
} from "./definitions-format.ts"
import { StorageError, type Disk } from "./disk.ts"
import type { GroupCommit } from "./group-commit.ts"
import type { OpenFile, OpenFiles } from "./open-files.ts"

/**
 * definitions.amqp: the durable exchanges, queues and bindings of one vhost, as the AMQP method frames
 * that declared and deleted them, in order (bytes: definitions-format.ts). What the frames mean is
 * known to the broker alone.
 *
 * Frames are buffered and written once per turn; a group-commit round makes them durable. Because
 * deletions only add to the file, it is rewritten when it holds many of them: the new file takes in
 * what is written meanwhile, and replaces the old one between two rounds, so that at every moment the
 * file of that name holds everything a completed round has promised.
 */
export const DEFINITIONS_FILE = "definitions.amqp"
/** What was found damaged; kept beside for a human. Its presence says that the log may be incomplete. */
export const DEFINITIONS_CORRUPT_FILE = "definitions.amqp.corrupt"

export interface DefinitionsContext {
  readonly disk: Disk
  readonly openFiles: OpenFiles
  readonly commit: GroupCommit
  readonly log: Logger
}

export interface DefinitionsReport {
  frames: number
  deletions: number
  /** Moved to definitions.amqp.corrupt: damaged entries, and the end of a write that a crash cut off. */
  quarantinedBytes: number
}

/** Hands every frame of the present topology to `emit`. */
export type DefinitionsSource = (emit: (frame: Uint8Array) => void) => void

interface Compaction {
  readonly file: OpenFile
  size: number
  readonly done: (error: StorageError | null) => void
}

const DELETIONS_MAX = 8192
const BUFFER_SIZE = 4096
/** A buffer that a burst made larger than this is given back. */
const KEPT_BUFFER_SIZE_MAX = 64 << 10
const COMPACTION_BATCH_SIZE = 256 << 10

function ignoreResult(): void {}

export class DefinitionsLog {
  /** The last write failed. What it should have written is kept, and append() refuses more. */
  failed = false
  lastError: StorageError | null = null
  /** Deletions in the file since it was last compacted. */
  dirtyDeletes = 0
  /** The file is to be replaced soon: what it holds is unknown. */
  onDamaged: () => void = () => {}
  readonly #context: DefinitionsContext
  readonly #directory: string
  /** definitions.amqp. */
  readonly path: string
  readonly #temporaryPath: string
  readonly #onSyncFailed: (error: Error) => void
  readonly #onCompactionSyncFailed: (error: Error) => void
  /** Entries that are not written yet. */
  #buffer: Buffer | null = null
  #length = 0
  /** Bytes of the file that are ours; what a failed write left behind them is overwritten. */
  #size = 0
  #isDamaged = false
  /** A sync has failed, and the file was not replaced since. */
  #isUnsynced = false
  #compaction: Compaction | null = null

  constructor(context: DefinitionsContext, directory: string) {
    this.#context = context
    this.#directory = directory
    this.path = join(directory, DEFINITIONS_FILE)
    this.#temporaryPath = `${this.path}.tmp`
    // What the file holds is unknown now. A new one is made from what the broker knows.
    this.#onSyncFailed = (error) => {
      this.#isDamaged = true
      this.#isUnsynced = true
      context.commit.doubt(this.path, error)
      this.onDamaged()
    }
    this.#onCompactionSyncFailed = (error) => this.#abortCompaction(error)
  }

  /** True when the caller should compact(): much of the file is superfluous, or a part of it is damaged. */
  get needsCompaction(): boolean {
    return this.#compaction === null && (this.#isDamaged || this.dirtyDeletes >= DELETIONS_MAX)
  }

  /** Hands over all whole frames in order. A frame is valid only during the call. */
  load(onFrame: (frame: Buffer) => void): DefinitionsReport {
    const report: DefinitionsReport = { frames: 0, deletions: 0, quarantinedBytes: 0 }
    this.#context.disk.remove(this.#temporaryPath)
    const content = this.#context.disk.readFile(this.path)
    if (content === null || content.length === 0) return report
    const gaps: Buffer[] = []
    let start = DEFINITIONS_HEADER_SIZE
    if (definitionsVersion(content) === 0) start = 0
    else this.#checkVersion(definitionsVersion(content))
    const end = scanEntries(content, start, {
      onFrame: (frame) => {
        report.frames++
        if (isDeletion(frame)) report.deletions++
        onFrame(frame)
      },
      onGap: (from, to) => gaps.push(content.subarray(from, to)),
    })
    this.dirtyDeletes = report.deletions
    this.#isDamaged = gaps.length > 0
    this.#size = content.length
    if (end < content.length) gaps.push(content.subarray(end))
    for (const gap of gaps) report.quarantinedBytes += gap.length
    if (report.quarantinedBytes > 0) this.#quarantine(gaps, end)
    return report
  }

  /** Buffers a frame for the end of the turn. Throws StorageError while the log cannot be written. */
  append(frame: Uint8Array, isDeletionFrame = false): void {
    if (this.failed)
      throw new StorageError(
        this.path,
        this.lastError?.code ?? "UNKNOWN",
        this.lastError?.message ?? `cannot write ${this.path}`,
      )
    const headerSize = this.#size === 0 && this.#length === 0 ? DEFINITIONS_HEADER_SIZE : 0
    this.#reserve(headerSize + entrySize(frame))
    const buffer = this.#buffer!
    if (headerSize > 0) this.#length = definitionsHeader().copy(buffer)
    this.#length = writeEntry(buffer, this.#length, frame)
    if (isDeletionFrame) this.dirtyDeletes++
  }

  /**
   * End of the turn. Never throws: after a failure `failed` is set, and the next call tries the same
   * bytes again.
   */
  write(): void {
    const buffer = this.#buffer
    if (buffer === null || this.#length === 0) return
    const { disk, openFiles, commit } = this.#context
    try {
      disk.write(openFiles.acquire(this.path, true), buffer, 0, this.#length, this.#size)
    } catch (error) {
      if (!(error instanceof StorageError)) throw error
      if (!this.failed) this.#context.log.error({ err: error }, "cannot write definitions")
      this.failed = true
      this.lastError = error
      commit.doubt(this.path, error)
      return
    }
    if (!this.#isUnsynced) commit.trust(this.path)
    if (this.failed) this.#context.log.info({ path: this.path }, "definitions are written again")
    this.failed = false
    this.lastError = null
    commit.touchFile(this.path, this.#onSyncFailed)
    if (this.#size === 0) {
      commit.touchDirectory(this.#directory)
      commit.touchDirectory(dirname(this.#directory))
    }
    this.#size += this.#length
    if (this.#compaction !== null) this.#writeToCompaction(this.#compaction, buffer)
    this.#length = 0
    if (buffer.length > KEPT_BUFFER_SIZE_MAX) this.#buffer = null
  }

  /**
   * Replaces the file by one that holds just the frames of `source`, which is read before the call
   * returns. Goes on in the background while the log is used. A failure is logged and leaves the log
   * as it was. `done` is called once, unless the log is closed before.
   */
  compact(
    source: DefinitionsSource,
    done: (error: StorageError | null) => void = ignoreResult,
  ): void {
    if (this.#compaction !== null) return
    // Not tried again at once if it fails, but after as many deletions as now, or at the next start.
    this.dirtyDeletes = 0
    this.#isDamaged = false
    this.write()
    if (this.failed) {
      done(this.lastError)
      return
    }
    const { disk, openFiles, commit } = this.#context
    try {
      openFiles.forget(this.#temporaryPath)
      disk.remove(this.#temporaryPath)
      openFiles.acquire(this.#temporaryPath, true)
      const file = openFiles.pin(this.#temporaryPath)
      const compaction: Compaction = { file, size: 0, done }
      this.#compaction = compaction
      this.#writeAll(compaction, source)
      disk.sync(file.fd, (error) => {
        openFiles.unpin(file)
        if (this.#compaction !== compaction) return
        if (error !== null) this.#abortCompaction(error)
        else commit.runBetweenRounds(() => this.#swap(compaction))
      })
      // A second pin: the file stays open until this sync ends, whatever happens meanwhile.
      openFiles.pin(this.#temporaryPath)
    } catch (error) {
      if (!(error instanceof StorageError)) throw error
      if (this.#compaction === null) this.#reportCompaction(done, error)
      else this.#abortCompaction(error)
    }
  }

  /** Writes what is buffered. A compaction under way is given up. */
  close(): void {
    this.write()
    if (this.#compaction !== null) this.#dropCompaction(this.#compaction)
    this.#context.openFiles.forget(this.path)
  }

  #checkVersion(version: number): void {
    if (version > DEFINITIONS_VERSION)
      throw new StorageError(
        this.path,
        "VERSION",
        `${this.path} was written by a newer version (format ${String(version)}, known up to ${String(DEFINITIONS_VERSION)})`,
      )
  }

  /** Sets damaged bytes aside and cuts off the torn end. Without space for that, all stays where it is. */
  #quarantine(gaps: readonly Buffer[], end: number): void {
    const { disk, openFiles, log } = this.#context
    const path = join(this.#directory, DEFINITIONS_CORRUPT_FILE)
    try {
      const fd = disk.open(path, true)
      try {
        let at = disk.size(fd)
        for (const gap of gaps) {
          disk.write(fd, gap, 0, gap.length, at)
          at += gap.length
        }
      } finally {
        disk.close(fd)
      }
      disk.truncate(openFiles.acquire(this.path, false), end)
      this.#size = end
      // The file and its copy: the round that follows makes both durable.
      this.#context.commit.touchFile(path)
      this.#context.commit.touchFile(this.path, this.#onSyncFailed)
      this.#context.commit.touchDirectory(this.#directory)
    } catch (error) {
      if (!(error instanceof StorageError)) throw error
      // New entries go behind the damage: reading finds its way past it.
      this.#isDamaged = true
      log.warn({ err: error }, "damaged definitions could not be set aside and stay in their file")
    }
  }

  #reserve(size: number): void {
    const needed = this.#length + size
    const old = this.#buffer
    if (old !== null && old.length >= needed) return
    let capacity = old?.length ?? BUFFER_SIZE
    while (capacity < needed) capacity *= 2
    const buffer = Buffer.allocUnsafeSlow(capacity)
    old?.copy(buffer, 0, 0, this.#length)
    this.#buffer = buffer
  }

  #writeAll(compaction: Compaction, source: DefinitionsSource): void {
    const { disk } = this.#context
    const { fd } = compaction.file
    let batch = Buffer.allocUnsafeSlow(COMPACTION_BATCH_SIZE)
    let length = definitionsHeader().copy(batch)
    const flush = (): void => {
      disk.write(fd, batch, 0, length, compaction.size)
      compaction.size += length
      length = 0
    }
    source((frame) => {
      const size = entrySize(frame)
      if (length + size > batch.length) flush()
      if (size > batch.length) batch = Buffer.allocUnsafeSlow(size)
      length = writeEntry(batch, length, frame)
    })
    flush()
  }

  /** Every entry goes into both files until one replaces the other. */
  #writeToCompaction(compaction: Compaction, buffer: Buffer): void {
    const { disk, commit } = this.#context
    try {
      disk.write(compaction.file.fd, buffer, 0, this.#length, compaction.size)
      compaction.size += this.#length
      commit.touchFile(this.#temporaryPath, this.#onCompactionSyncFailed)
    } catch (error) {
      if (!(error instanceof StorageError)) throw error
      this.#abortCompaction(error)
    }
  }

  /** No round is in flight: all that was confirmed is synced in the new file as well. */
  #swap(compaction: Compaction): void {
    if (this.#compaction !== compaction) return
    const { disk, openFiles, commit } = this.#context
    openFiles.forget(this.path)
    openFiles.forget(this.#temporaryPath)
    try {
      disk.rename(this.#temporaryPath, this.path)
    } catch (error) {
      this.#abortCompaction(error)
      return
    }
    openFiles.unpin(compaction.file)
    this.#compaction = null
    this.#size = compaction.size
    this.#isUnsynced = false
    commit.trust(this.path)
    // What was written but not yet synced under the old names is synced under the new one.
    commit.touchFile(this.path, this.#onSyncFailed)
    commit.touchDirectory(this.#directory)
    compaction.done(null)
  }

  #abortCompaction(cause: unknown): void {
    const compaction = this.#compaction
    if (compaction === null) return
    this.#dropCompaction(compaction)
    this.#isDamaged ||= this.#isUnsynced
    this.#reportCompaction(compaction.done, cause)
  }

  #dropCompaction(compaction: Compaction): void {
    const { disk, openFiles } = this.#context
    this.#compaction = null
    openFiles.forget(this.#temporaryPath)
    openFiles.unpin(compaction.file)
    try {
      disk.remove(this.#temporaryPath)
    } catch (error) {
      this.#context.log.warn({ err: error }, "cannot delete a temporary file")
    }
  }

  #reportCompaction(done: (error: StorageError | null) => void, cause: unknown): void {
    const error =
      cause instanceof StorageError
        ? cause
        : new StorageError(this.path, "UNKNOWN", `cannot compact ${this.path}`, cause)
    this.#context.log.warn({ err: error }, "definitions were not compacted; the log stays as it is")
    done(error)
  }
}
