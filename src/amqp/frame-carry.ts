import { FRAME_HEADER_SIZE, FRAME_OVERHEAD } from "./frames.ts"
import { Chunk, copyBytes } from "../util/bytes.ts"

/**
 * The beginning of a frame whose rest has not arrived yet. At most one frame, hence at most frame-max
 * bytes; one copy per chunk received, because the frames that lie whole in a chunk are parsed there.
 */
const SIZE_MIN = 512
/** A buffer that one large frame needed is given back. */
const KEPT_SIZE_MAX = 4096

export class FrameCarry {
  used = 0
  #chunk: Chunk | null = null

  /** Valid while `used` is greater than 0. */
  get chunk(): Chunk {
    return this.#chunk!
  }

  add(chunk: Chunk, start: number, end: number): void {
    const size = end - start
    const needed = this.used + size
    let own = this.#chunk
    if (own === null || own.bytes.length < needed) {
      const larger = Chunk.allocate(Math.max(SIZE_MIN, 2 ** Math.ceil(Math.log2(needed))))
      if (own !== null) copyBytes(own, 0, larger, 0, this.used)
      own = larger
      this.#chunk = larger
    }
    copyBytes(chunk, start, own, this.used, size)
    this.used = needed
  }

  /**
   * Adds what the frame begun here still needs. Returns how many bytes were taken. The frame is
   * whole afterwards if isWhole() says so.
   */
  complete(chunk: Chunk, start: number, end: number, frameMax: number): number {
    let offset = start
    if (this.used < FRAME_HEADER_SIZE) {
      const part = Math.min(end, offset + FRAME_HEADER_SIZE - this.used)
      this.add(chunk, offset, part)
      offset = part
    }
    const wanted = this.#wanted(frameMax)
    if (this.used < wanted) {
      const part = Math.min(end, offset + wanted - this.used)
      this.add(chunk, offset, part)
      offset = part
    }
    return offset - start
  }

  isWhole(frameMax: number): boolean {
    return this.used >= this.#wanted(frameMax)
  }

  /** A frame that is too large is refused at its header, so no more than that is waited for. */
  #wanted(frameMax: number): number {
    if (this.used < FRAME_HEADER_SIZE) return FRAME_HEADER_SIZE
    const size = this.chunk.view.getUint32(3) + FRAME_OVERHEAD
    return size > frameMax ? FRAME_HEADER_SIZE : size
  }

  /** Forgets the bytes, and the buffer if it is large. */
  clear(): void {
    this.used = 0
    if (this.#chunk !== null && this.#chunk.bytes.length > KEPT_SIZE_MAX) this.#chunk = null
  }
}
