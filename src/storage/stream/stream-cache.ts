import type { BufferHolder, BufferPool } from "../../util/buffer-pool.ts"
import { BUFFER_SIZE_MAX } from "../../util/buffer-pool.ts"
import { Chunk } from "../../util/bytes.ts"
import { StorageError } from "../disk.ts"
import type { StoreContext } from "../store-context.ts"
import type { StreamSegment } from "./stream-segment.ts"

/**
 * The pieces of stream segments that are in memory, for all readers of all streams of a broker: at most
 * 16 MiB, the one that was not used for the longest time goes first. Readers at the same place share a
 * piece; thousands at different places cost no more than the limit, they only read more often.
 *
 * Also bounds the indexes of segments. Who reads what is stream-reader.ts.
 */
const LIMIT_BYTES = 16 << 20
const INDEXES_MAX = 256

export const WINDOW_SIZE_MIN = 16 << 10
export const WINDOW_SIZE_MAX: number = BUFFER_SIZE_MAX

export class StreamWindow {
  readonly chunk: Chunk
  readonly segment: StreamSegment
  /** Range of positions that the chunk holds, from its first byte on. `start` is where a message begins. */
  readonly start: number
  readonly end: number
  /** The chunk is the pool's. */
  readonly isLent: boolean
  isLoaded = true
  /** Since the last sweep. */
  wasUsed = true

  constructor(segment: StreamSegment, chunk: Chunk, start: number, end: number, isLent: boolean) {
    this.segment = segment
    this.chunk = chunk
    this.start = start
    this.end = end
    this.isLent = isLent
  }
}

export class StreamCache implements BufferHolder {
  /** Bytes of memory that the windows take. */
  usedBytes = 0
  /** Windows read from files so far. */
  loadCount = 0
  readonly #buffers: BufferPool
  readonly #limitBytes: number
  /** In the order of their last use. */
  readonly #windows = new Set<StreamWindow>()
  readonly #indexed = new Set<StreamSegment>()
  #isHolder = false

  constructor(buffers: BufferPool, limitBytes = LIMIT_BYTES) {
    this.#buffers = buffers
    this.#limitBytes = limitBytes
  }

  get windowCount(): number {
    return this.#windows.size
  }

  /** The window that holds [position, position + need), or null. */
  find(segment: StreamSegment, position: number, need: number): StreamWindow | null {
    const { windows } = segment
    for (let i = windows.length - 1; i >= 0; i--) {
      const window = windows[i]!
      if (position >= window.start && position + need <= window.end) {
        this.#use(window)
        return window
      }
    }
    return null
  }

  /**
   * Reads at least `need` and about `wanted` bytes from `position` on, not beyond `fileEnd`, which must
   * be that far. Throws StorageError.
   */
  load(
    context: StoreContext,
    segment: StreamSegment,
    position: number,
    need: number,
    wanted: number,
    fileEnd: number,
  ): StreamWindow {
    const size = Math.min(Math.max(need, wanted), fileEnd - position)
    const lent = this.#acquire(size) ?? this.#acquire(need)
    const chunk = lent ?? Chunk.allocate(Math.max(need, 1))
    const { path } = segment.file
    let count = 0
    try {
      const fd = context.openFiles.acquire(path, false)
      const length = Math.min(chunk.bytes.length, fileEnd - position)
      count = context.disk.read(fd, chunk.bytes, 0, length, position)
      if (count < need) throw new StorageError(path, "CORRUPT", "the file is too short")
    } catch (error) {
      if (lent !== null) this.#buffers.release(lent)
      throw error
    }
    this.loadCount++
    return this.#add(new StreamWindow(segment, chunk, position, position + count, lent !== null))
  }

  /** Takes over a chunk of the pool that holds [start, end) of the segment. */
  adopt(segment: StreamSegment, chunk: Chunk, start: number, end: number): void {
    this.#add(new StreamWindow(segment, chunk, start, end, true))
  }

  /** Forgets what it has of a segment: its file is removed or has changed. */
  drop(segment: StreamSegment): void {
    while (segment.windows.length > 0) this.#evict(segment.windows.at(-1)!)
    segment.index = null
    this.#indexed.delete(segment)
  }

  /** The index of the segment was made or used; the one unused for the longest time may go. */
  noteIndex(segment: StreamSegment): void {
    this.#indexed.delete(segment)
    this.#indexed.add(segment)
    if (this.#indexed.size <= INDEXES_MAX) return
    for (const oldest of this.#indexed) {
      oldest.index = null
      this.#indexed.delete(oldest)
      return
    }
  }

  releaseIdleBuffers(): boolean {
    for (const window of this.#windows)
      if (window.wasUsed) window.wasUsed = false
      else this.#evict(window)
    this.#isHolder = this.#windows.size > 0
    return this.#isHolder
  }

  #acquire(size: number): Chunk | null {
    if (size > BUFFER_SIZE_MAX) return null
    // Under pressure others need the memory more: the windows shrink to what is being read.
    while (
      this.#windows.size > 0 &&
      (this.#buffers.underPressure || this.usedBytes + size > this.#limitBytes)
    )
      this.#evictOldest()
    return this.#buffers.acquire(Math.max(size, 1))
  }

  #add(window: StreamWindow): StreamWindow {
    this.usedBytes += window.chunk.bytes.length
    window.segment.windows.push(window)
    this.#windows.add(window)
    while (this.usedBytes > this.#limitBytes && this.#windows.size > 1) this.#evictOldest()
    if (!this.#isHolder) {
      this.#isHolder = true
      this.#buffers.hold(this)
    }
    return window
  }

  #use(window: StreamWindow): void {
    window.wasUsed = true
    this.#windows.delete(window)
    this.#windows.add(window)
  }

  #evictOldest(): void {
    for (const window of this.#windows) {
      this.#evict(window)
      return
    }
  }

  #evict(window: StreamWindow): void {
    this.#windows.delete(window)
    this.usedBytes -= window.chunk.bytes.length
    window.isLoaded = false
    const { windows } = window.segment
    windows.splice(windows.indexOf(window), 1)
    if (window.isLent) this.#buffers.release(window.chunk)
  }
}
