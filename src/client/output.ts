import { Chunk, copyBytes } from "../util/bytes.ts"
import type { Clock } from "../util/clock.ts"
import type { ClientTransport } from "./transport.ts"

/**
 * Bytes on their way to the server. Frames are encoded into a chunk, which goes to the transport when it
 * is full or the turn of the event loop ends. Knows nothing of frames.
 *
 * Above `OUTPUT_SOFT_BYTES` publishers are asked to wait; `onDrained` says when they may go on.
 */
export const OUTPUT_CHUNK_BYTES = 128 << 10
export const OUTPUT_SOFT_BYTES = 512 << 10
/** Whoever goes on regardless is refused here. */
export const OUTPUT_HARD_BYTES = 64 << 20

const SMALL_CHUNK_BYTES = 1 << 10
/** Below it a copy is cheaper than a write of its own. */
const SHARED_BYTES_MIN = 16 << 10
const POOL_CHUNKS_MAX = 32
/** Written only to learn when all before it was taken. */
const NOTHING = new Uint8Array(0)

/** Chunks shared by the connections of one client. */
export class OutputPool {
  readonly #small: Chunk[] = []
  readonly #large: Chunk[] = []

  take(size: number): Chunk {
    if (size <= SMALL_CHUNK_BYTES) return this.#small.pop() ?? Chunk.allocate(SMALL_CHUNK_BYTES)
    return this.#large.pop() ?? Chunk.allocate(OUTPUT_CHUNK_BYTES)
  }

  give(chunk: Chunk): void {
    const list = chunk.bytes.length === OUTPUT_CHUNK_BYTES ? this.#large : this.#small
    if (list.length < POOL_CHUNKS_MAX) list.push(chunk)
  }
}

export class Output {
  /** The chunk being filled. Writers that reserved room write into it at `used`. */
  chunk: Chunk | null = null
  used = 0
  /** Bytes written so far, for the heartbeat. */
  totalBytes = 0
  /** Of the body of a message: one of them is accepted whatever its size. */
  largestSize = 0
  /** Bytes that the transport has but has not sent. */
  #inFlightBytes = 0
  /** What was written, in order; null stands for bytes that belong to somebody else. */
  readonly #sent: (Chunk | null)[] = []
  readonly #sentUsed: number[] = []
  #isScheduled = false
  /** The connection works through received bytes, and will flush(). */
  isReceiving = false
  #isClosed = false
  readonly #transport: ClientTransport
  readonly #pool: OutputPool
  readonly #clock: Clock
  readonly #onDrained: () => void
  readonly #onWritten = (): void => this.#written()
  /**
   * In a turn of its own: the callbacks of a socket run before any I/O, and a publisher that fills the output
   * from there would keep the program from reading and from its timers.
   */
  readonly #onDrainTurn = (): void => {
    if (!this.#isClosed && this.hasRoom) this.#onDrained()
  }
  readonly #onTurnEnd = (): void => {
    this.#isScheduled = false
    this.flush()
  }

  constructor(transport: ClientTransport, pool: OutputPool, clock: Clock, onDrained: () => void) {
    this.#transport = transport
    this.#pool = pool
    this.#clock = clock
    this.#onDrained = onDrained
  }

  get pendingBytes(): number {
    return this.#inFlightBytes + this.used
  }

  get hasRoom(): boolean {
    return this.#inFlightBytes + this.used < OUTPUT_SOFT_BYTES
  }

  /** A chunk with `size` free bytes at `used` (size ≤ 128 KiB). The caller writes and adds to `used`. */
  reserve(size: number): Chunk {
    const { chunk } = this
    if (chunk !== null && chunk.bytes.length - this.used >= size) return chunk
    return this.#next(size)
  }

  #next(size: number): Chunk {
    if (!this.#isScheduled && !this.isReceiving) this.#schedule()
    const old = this.chunk
    // The first chunk of a turn is small; whoever fills it writes much and gets large ones.
    const next = this.#pool.take(old === null ? size : OUTPUT_CHUNK_BYTES)
    if (old !== null) {
      if (old.bytes.length < OUTPUT_CHUNK_BYTES && this.used + size <= OUTPUT_CHUNK_BYTES) {
        copyBytes(old, 0, next, 0, this.used) // A kilobyte at most, cheaper than a second write.
        this.#pool.give(old)
      } else this.#sendCurrent(old)
    }
    this.chunk = next
    return next
  }

  noteSize(bodySize: number): void {
    if (bodySize > this.largestSize) this.largestSize = bodySize
  }

  /** Copies bytes of any length. */
  writeBytes(bytes: Uint8Array): void {
    let at = 0
    while (at < bytes.length) {
      const chunk = this.reserve(1)
      const size = Math.min(bytes.length - at, chunk.bytes.length - this.used)
      chunk.bytes.set(bytes.subarray(at, at + size), this.used)
      this.used += size
      at += size
    }
  }

  writeFrom(source: Chunk, start: number, end: number): void {
    let at = start
    while (at < end) {
      const chunk = this.reserve(1)
      const size = Math.min(end - at, chunk.bytes.length - this.used)
      copyBytes(source, at, chunk, this.used, size)
      this.used += size
      at += size
    }
  }

  /** Bytes that are never changed any more: a long piece goes to the transport as it is. */
  writeShared(source: Chunk, start: number, end: number): void {
    if (end - start < SHARED_BYTES_MIN) {
      this.writeFrom(source, start, end)
      return
    }
    const { chunk } = this
    if (chunk !== null && this.used > 0) this.#sendCurrent(chunk)
    this.#send(null, source.bytes.subarray(start, end))
  }

  writeByte(value: number): void {
    const chunk = this.reserve(1)
    chunk.view.setUint8(this.used, value)
    this.used++
  }

  /** Hands over what is there. While the transport is behind, a chunk that is not full is filled on. */
  flush(isForced = false): void {
    const { chunk } = this
    if (chunk === null) return
    if (this.used === 0) {
      this.#release(chunk)
      return
    }
    if (isForced || this.#sent.length === 0) this.#sendCurrent(chunk)
  }

  /** Nothing is written any more; the chunks are forgotten. */
  close(): void {
    this.#isClosed = true
    this.chunk = null
    this.used = 0
  }

  #release(chunk: Chunk): void {
    this.chunk = null
    this.#pool.give(chunk)
  }

  #schedule(): void {
    this.#isScheduled = true
    this.#clock.setImmediate(this.#onTurnEnd)
  }

  #sendCurrent(chunk: Chunk): void {
    const { used } = this
    this.chunk = null
    this.used = 0
    this.#send(chunk, chunk.bytes.subarray(0, used))
  }

  #send(chunk: Chunk | null, bytes: Uint8Array): void {
    if (this.#isClosed) return
    const size = bytes.length
    this.totalBytes += size
    const isAlone = this.#sent.length === 0
    this.#inFlightBytes += size
    this.#sent.push(chunk)
    this.#sentUsed.push(size)
    if (!isAlone) {
      this.#transport.write(bytes, this.#onWritten)
      return
    }
    // Nearly always the kernel takes a chunk at once, and then it needs no callback.
    this.#transport.write(bytes)
    if (this.#transport.writableLength > 0) this.#transport.write(NOTHING, this.#onWritten)
    else {
      this.#sent.length = 0
      this.#sentUsed.length = 0
      this.#inFlightBytes = 0
      if (chunk !== null) this.#pool.give(chunk)
    }
  }

  #written(): void {
    const chunk = this.#sent.shift()
    if (chunk === undefined) return
    const hadRoom = this.hasRoom
    this.#inFlightBytes -= this.#sentUsed.shift() ?? 0
    if (this.#isClosed) return
    if (chunk !== null) this.#pool.give(chunk)
    if (this.#sent.length === 0 && this.used > 0) this.flush()
    if (!hadRoom && this.hasRoom) this.#clock.setImmediate(this.#onDrainTurn)
  }
}
