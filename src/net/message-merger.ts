import { Chunk } from "../util/bytes.ts"

/**
 * Makes one piece of the small WebSocket messages that arrive in one read, because each piece costs its receiver
 * about as much as a message in it. One block of memory serves all connections: what was added is handed over once
 * the read has been taken apart, before another connection is read, and at the latest when somebody else adds.
 * Larger messages are handed over as they are. The order of one connection's bytes is kept.
 */
export interface BytesReceiver {
  /** The bytes lie at the beginning of the chunk and are valid only during the call. */
  onChunk(chunk: Chunk, size: number): void
}

/** What a receiver gets at one time, as much as a read from a socket brings. */
const PIECE_BYTES = 128 << 10
const BLOCK_BYTES = 64 << 10
/** From this size on a copy costs more than a piece of its own. */
const MERGED_BYTES_MAX = 4 << 10

export class MessageMerger {
  /** Null until it is needed, and while a receiver reads it. */
  #block: Chunk | null = null
  #used = 0
  #receiver: BytesReceiver | null = null
  #isScheduled = false
  readonly #onEndOfRead = (): void => {
    this.#isScheduled = false
    this.flush()
  }

  add(data: Buffer, receiver: BytesReceiver): void {
    if (this.#receiver !== receiver || this.#used + data.length > BLOCK_BYTES) this.flush()
    if (data.length > MERGED_BYTES_MAX) {
      this.flush()
      passOn(data, receiver)
      return
    }
    this.#block ??= Chunk.allocate(BLOCK_BYTES)
    this.#block.bytes.set(data, this.#used)
    this.#used += data.length
    this.#receiver = receiver
    if (this.#isScheduled) return
    this.#isScheduled = true
    // A read is taken apart at one go, and this runs behind it.
    process.nextTick(this.#onEndOfRead)
  }

  /** Hands over what waits; of whomever it is. */
  flush(): void {
    const block = this.#block
    const receiver = this.#receiver
    if (block === null || receiver === null) return
    const used = this.#used
    this.#block = null
    this.#used = 0
    this.#receiver = null
    try {
      receiver.onChunk(block, used)
    } finally {
      this.#block ??= block
    }
  }
}

function passOn(data: Buffer, receiver: BytesReceiver): void {
  for (let offset = 0; offset < data.length; offset += PIECE_BYTES) {
    const piece = data.subarray(offset, offset + PIECE_BYTES)
    receiver.onChunk(new Chunk(piece), piece.length)
  }
}
