import { assert } from "./assert.ts"
import { Chunk } from "./bytes.ts"

/**
 * Lends chunks of four sizes and takes them back, so that a store or a reader owns memory only
 * while it has something in it. Bounded three times:
 *
 *   keepBytes   idle chunks above it are left to the collector
 *   softBytes   lent out above it: `underPressure`; holders give back at the end of the turn
 *               what they can read again from the disk
 *   limitBytes  lent out above it: acquire() returns null, and the caller does without
 *               (writes through, or reads into a one-off buffer)
 *
 * Nothing is ever taken away from a holder behind its back: a view handed out of a chunk stays
 * valid until its holder releases the chunk.
 */
export interface BufferPoolOptions {
  readonly keepBytes?: number
  readonly softBytes?: number
  readonly limitBytes?: number
}

/** Something that keeps chunks between turns because it will probably need their content again. */
export interface BufferHolder {
  /** Gives back what was not used since the last call. True while it still holds a chunk. */
  releaseIdleBuffers(): boolean
}

export const BUFFER_SIZE_MIN = 4 << 10
export const BUFFER_SIZE_MAX = 256 << 10

/** 4, 16, 64, 256 KiB. */
const CLASS_COUNT = 4

export class BufferPool {
  /** Bytes lent out. */
  inUseBytes = 0
  /** Bytes of idle chunks kept for the next acquire(). */
  keptBytes = 0
  readonly #free: Chunk[][] = Array.from({ length: CLASS_COUNT }, () => [])
  /** A chunk released twice would end up in two stores: worth a set, at once per turn and store. */
  readonly #lent = new Set<Chunk>()
  readonly #holders = new Set<BufferHolder>()
  readonly #keepBytes: number
  readonly #softBytes: number
  readonly #limitBytes: number

  constructor(options: BufferPoolOptions = {}) {
    this.#keepBytes = options.keepBytes ?? 8 << 20
    this.#softBytes = options.softBytes ?? 24 << 20
    this.#limitBytes = options.limitBytes ?? 64 << 20
  }

  get underPressure(): boolean {
    return this.inUseBytes > this.#softBytes
  }

  /** A chunk of at least `sizeMin` bytes; null above the limit or above the largest size. */
  acquire(sizeMin: number): Chunk | null {
    if (sizeMin > BUFFER_SIZE_MAX) return null
    const index = classOf(sizeMin)
    const size = BUFFER_SIZE_MIN << (2 * index)
    if (this.inUseBytes + size > this.#limitBytes) return null
    let chunk = this.#free[index]!.pop()
    if (chunk === undefined) chunk = Chunk.allocate(size)
    else this.keptBytes -= size
    this.inUseBytes += size
    this.#lent.add(chunk)
    return chunk
  }

  release(chunk: Chunk): void {
    assert(this.#lent.delete(chunk), "a chunk must be released once, to the pool it came from")
    const size = chunk.bytes.length
    this.inUseBytes -= size
    if (this.keptBytes + size > this.#keepBytes) return
    this.keptBytes += size
    this.#free[classOf(size)]!.push(chunk)
  }

  /** Lets sweep() visit the holder, until its releaseIdleBuffers() says false. */
  hold(holder: BufferHolder): void {
    this.#holders.add(holder)
  }

  /** The holder is gone. */
  unhold(holder: BufferHolder): void {
    this.#holders.delete(holder)
  }

  /** Lets holders give back what they did not use since the last sweep; call it about once a second. */
  sweep(): void {
    for (const holder of this.#holders)
      if (!holder.releaseIdleBuffers()) this.#holders.delete(holder)
  }
}

function classOf(size: number): number {
  if (size <= 4 << 10) return 0
  if (size <= 16 << 10) return 1
  return size <= 64 << 10 ? 2 : 3
}
