import { BUFFER_SIZE_MAX } from "../util/buffer-pool.ts"
import { Chunk } from "../util/bytes.ts"
import { StorageError } from "./disk.ts"
import type { Segment } from "./segment.ts"
import type { StoreContext } from "./store-context.ts"

/**
 * A piece of one segment file in memory. Grows while it is read in sequence, so that a slow consumer
 * costs 16 KiB and a drain reads 256 KiB at a time. Holds a chunk only between load() and release().
 */
const SIZE_MIN = 16 << 10
const GROWTH = 4

/** Stands for "no chunk", so that the hot path need not ask. */
export const EMPTY_CHUNK: Chunk = Chunk.allocate(0)

export class ReadWindow {
  chunk: Chunk = EMPTY_CHUNK
  /** Number of the segment and range of positions that the chunk holds, from its first byte on. */
  segment = 0
  start = 0
  end = 0
  /** The chunk is the pool's. One that is larger than the pool's largest is not. */
  #isLent = false
  #size = SIZE_MIN

  get isEmpty(): boolean {
    return this.chunk === EMPTY_CHUNK
  }

  holds(segment: number, position: number, size: number): boolean {
    return this.segment === segment && position >= this.start && position + size <= this.end
  }

  /**
   * Reads on from `position`: at least `need` bytes, at most up to `fileEnd`, which must be that far.
   * Throws StorageError.
   */
  load(
    context: StoreContext,
    segment: Segment,
    position: number,
    need: number,
    fileEnd: number,
  ): void {
    const isSequential =
      this.segment === segment.number && position >= this.start && position <= this.end + SIZE_MIN
    if (!isSequential) this.#size = SIZE_MIN
    else if (!this.isEmpty) this.#size = Math.min(this.#size * GROWTH, BUFFER_SIZE_MAX)
    const wanted = Math.min(Math.max(need, this.#size), fileEnd - position)
    this.#makeRoom(context, need, wanted)
    const length = Math.min(wanted, this.chunk.bytes.length)
    this.segment = 0
    const fd = context.openFiles.acquire(segment.path, false)
    const count = context.disk.read(fd, this.chunk.bytes, 0, length, position)
    if (count < need) throw new StorageError(segment.path, "CORRUPT", "the file is too short")
    this.segment = segment.number
    this.start = position
    this.end = position + count
  }

  /** Takes over a chunk of the pool that holds [start, end) of the segment. */
  adopt(context: StoreContext, chunk: Chunk, segment: number, start: number, end: number): void {
    this.release(context)
    this.chunk = chunk
    this.#isLent = true
    this.segment = segment
    this.start = start
    this.end = end
  }

  release(context: StoreContext): void {
    if (this.#isLent) context.buffers.release(this.chunk)
    this.#isLent = false
    this.chunk = EMPTY_CHUNK
    this.segment = 0
    this.start = 0
    this.end = 0
    this.#size = SIZE_MIN
  }

  #makeRoom(context: StoreContext, need: number, wanted: number): void {
    const room = this.chunk.bytes.length
    if (room >= wanted && (this.#isLent || room === wanted)) return
    const size = this.#size
    this.release(context)
    this.#size = size
    const { buffers } = context
    const chunk = buffers.acquire(wanted) ?? buffers.acquire(need)
    this.#isLent = chunk !== null
    this.chunk = chunk ?? Chunk.allocate(need)
  }
}
