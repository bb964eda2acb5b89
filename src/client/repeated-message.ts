import { FRAME_OVERHEAD } from "../amqp/frames.ts"
import { NO_PROPERTIES } from "../amqp/properties.ts"
import { Chunk } from "../util/bytes.ts"
import type { Output } from "./output.ts"
import type { PublishTarget } from "./publish-target.ts"
import { encodeWhole, wholeSize, writePublish } from "./publish-writer.ts"

/**
 * The same message again and again, for load generators: encoded once, then many copies side by side go to the
 * output in one piece. Belongs to one channel at a time.
 */
const BLOCK_BYTES = 32 << 10

export class RepeatedMessage {
  readonly #frame: Chunk
  readonly #properties: Buffer
  readonly #body: Uint8Array
  #channelId = 0
  /** Of one copy; 0: too large to be repeated in a block. */
  #size = 0
  #block: Chunk | null = null

  constructor(target: PublishTarget, body: Uint8Array, properties: Buffer = NO_PROPERTIES) {
    this.#frame = target.ownFrame
    this.#properties = properties
    this.#body = body
  }

  /** Writes at most `count` copies, fewer if the output has enough for now. Returns how many. */
  write(output: Output, channelId: number, frameMax: number, count: number): number {
    if (channelId !== this.#channelId) this.#prepare(channelId, frameMax)
    const block = this.#block
    if (block === null) {
      writePublish(output, channelId, this.#frame, this.#properties, this.#body, frameMax)
      return 1
    }
    const size = this.#size
    const chunk = output.reserve(size)
    const free = chunk.bytes.length - output.used
    const bytes = Math.min(count * size, block.bytes.length, free - (free % size))
    block.bytes.copy(chunk.bytes, output.used, 0, bytes)
    output.used += bytes
    return bytes / size
  }

  #prepare(channelId: number, frameMax: number): void {
    const body = this.#body
    const size = wholeSize(this.#frame, this.#properties, body)
    this.#channelId = channelId
    this.#size = size
    this.#block = null
    if (size > BLOCK_BYTES || body.length > frameMax - FRAME_OVERHEAD) return
    const block = Chunk.allocate(BLOCK_BYTES - (BLOCK_BYTES % size))
    for (let at = 0; at < block.bytes.length; at += size)
      encodeWhole(block, at, channelId, this.#frame, this.#properties, body)
    this.#block = block
  }
}
