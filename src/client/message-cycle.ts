import { encodeContent } from "../amqp/content.ts"
import { FRAME_OVERHEAD } from "../amqp/frames.ts"
import { NO_PROPERTIES } from "../amqp/properties.ts"
import { Chunk } from "../util/bytes.ts"
import { ClientError } from "./errors.ts"
import { OUTPUT_CHUNK_BYTES } from "./output.ts"
import type { Output } from "./output.ts"
import type { PublishTarget } from "./publish-target.ts"

/**
 * Messages that come again and again in the same order, for load generators: encoded once, side by side, and
 * written many at a time. The block of them never changes, so a long piece goes to the socket as it is, and
 * channels of the same number share it.
 *
 * With `isStamped` the first eight bytes of each body are a number that is given with each write (a double,
 * little-endian): such messages are copied, and the number is written into the copy.
 */
export interface CycleMessage {
  readonly target: PublishTarget
  readonly body: Buffer
}

export interface CycleOptions {
  /** Wire bytes, of all messages. */
  readonly properties?: Buffer
  readonly isStamped?: boolean
}

/** A short cycle is repeated until it has about this size; longer pieces are not written at once. */
const BLOCK_BYTES = OUTPUT_CHUNK_BYTES
const STAMP_SIZE = 8

/** The messages as one channel writes them. */
interface Block {
  readonly channelId: number
  readonly frameMax: number
  readonly chunk: Chunk
  /** Where each message begins; one more for the end. */
  readonly starts: Uint32Array
  /** Where each body begins. */
  readonly bodyStarts: Uint32Array
  readonly largestSize: number
  /** Messages of a piece, at least one. */
  readonly pieceCount: number
}

export class MessageCycle {
  /** Messages until it begins anew. */
  readonly length: number
  readonly #messages: readonly CycleMessage[]
  readonly #properties: Buffer
  readonly #isStamped: boolean
  #block: Block | null = null

  constructor(messages: readonly CycleMessage[], options: CycleOptions = {}) {
    const { properties = NO_PROPERTIES, isStamped = false } = options
    if (messages.length === 0) throw new ClientError("usage", "a cycle without messages")
    for (const { target, body } of messages)
      if (target.frame === null || (isStamped && body.length < STAMP_SIZE))
        throw new ClientError("usage", "a message without a target, or without room for a stamp")
    this.length = messages.length
    this.#messages = messages
    this.#properties = properties
    this.#isStamped = isStamped
  }

  /**
   * Writes up to `count` messages, the first of them number `position` modulo `length`; fewer if the output has
   * enough for now. Returns how many, at least one.
   */
  write(
    output: Output,
    channelId: number,
    frameMax: number,
    position: number,
    count: number,
    stamp: number,
  ): number {
    let block = this.#block
    if (block === null || block.channelId !== channelId || block.frameMax !== frameMax)
      block = this.#encode(channelId, frameMax)
    const first = position % this.length
    const { starts } = block
    output.noteSize(block.largestSize)
    const last = Math.min(first + count, first + block.pieceCount, starts.length - 1)
    if (this.#isStamped) return writeStamped(output, block, first, last, stamp)
    output.writeShared(block.chunk, starts[first]!, starts[last]!)
    return last - first
  }

  #encode(channelId: number, frameMax: number): Block {
    const frames = this.#messages.map(({ target, body }) => {
      const method = Buffer.from(target.ownFrame.bytes)
      method.writeUInt16BE(channelId, 1)
      return encodeContent(channelId, method, this.#properties, body, frameMax)
    })
    const cycleSize = frames.reduce((sum, { length }) => sum + length, 0)
    const rounds = Math.max(1, Math.floor(BLOCK_BYTES / cycleSize))
    const chunk = Chunk.allocate(rounds * cycleSize)
    const starts = new Uint32Array(rounds * frames.length + 1)
    const bodyStarts = new Uint32Array(rounds * frames.length)
    let at = 0
    for (let i = 0; i < bodyStarts.length; i++) {
      const frame = frames[i % frames.length]!
      const { body } = this.#messages[i % frames.length]!
      chunk.bytes.set(frame, at)
      bodyStarts[i] = at + frame.length - framedSize(body.length, frameMax)
      at += frame.length
      starts[i + 1] = at
    }
    const largestSize = frames.reduce((most, { length }) => Math.max(most, length), 0)
    const pieceCount = Math.max(1, Math.floor(BLOCK_BYTES / largestSize))
    this.#block = { channelId, frameMax, chunk, starts, bodyStarts, largestSize, pieceCount }
    return this.#block
  }
}

/** From the first byte of a body to the end of its last frame. */
function framedSize(bodySize: number, frameMax: number): number {
  if (bodySize === 0) return 0
  const pieces = Math.ceil(bodySize / (frameMax - FRAME_OVERHEAD))
  return bodySize + pieces * FRAME_OVERHEAD - (FRAME_OVERHEAD - 1)
}

function writeStamped(
  output: Output,
  { chunk: source, starts, bodyStarts, largestSize }: Block,
  first: number,
  last: number,
  stamp: number,
): number {
  if (largestSize > OUTPUT_CHUNK_BYTES) {
    writeLargeStamped(output, source, starts[first]!, starts[first + 1]!, bodyStarts[first]!, stamp)
    return 1
  }
  const target = output.reserve(largestSize)
  const start = starts[first]!
  const free = target.bytes.length - output.used
  let end = last
  if (starts[end]! - start > free) end = Math.min(end, first + Math.floor(free / largestSize))
  source.bytes.copy(target.bytes, output.used, start, starts[end])
  const { view } = target
  const shift = output.used - start
  for (let i = first; i < end; i++) view.setFloat64(bodyStarts[i]! + shift, stamp, true)
  output.used += starts[end]! - start
  return end - first
}

/** Longer than a chunk of the output. */
function writeLargeStamped(
  output: Output,
  source: Chunk,
  start: number,
  end: number,
  bodyStart: number,
  stamp: number,
): void {
  output.writeFrom(source, start, bodyStart)
  output.reserve(STAMP_SIZE).view.setFloat64(output.used, stamp, true)
  output.used += STAMP_SIZE
  output.writeFrom(source, bodyStart + STAMP_SIZE, end)
}
