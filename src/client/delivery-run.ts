import { FRAME_END } from "../amqp/frames.ts"
import { Chunk, equalBytes } from "../util/bytes.ts"

/**
 * Deliveries side by side that differ in delivery tag and body only, as those of a load test do: told in one
 * call instead of one by one. The finder remembers the bytes of the latest delivery and compares; who wants
 * nothing of the messages but their number and their tags saves taking each of them apart.
 *
 * A run is valid during the callback only.
 */
export class DeliveryRun {
  chunk: Chunk = NO_BYTES
  count = 0
  bodySize = 0
  /** From one message to the next. */
  stride = 0
  /** Of the first message. */
  bodyStart = 0
  tagStart = 0

  /** Where a body begins in the chunk. */
  bodyStartAt(index: number): number {
    return this.bodyStart + index * this.stride
  }

  deliveryTagAt(index: number): number {
    const { view } = this.chunk
    const at = this.tagStart + index * this.stride
    return view.getUint32(at) * 0x1_0000_0000 + view.getUint32(at + 4)
  }
}

/** Longer ones, those with large headers, are taken one by one. */
const HEAD_SIZE_MAX = 1024
const TAG_SIZE = 8

export class RunFinder {
  readonly run = new DeliveryRun()
  /** All bytes of the latest delivery before its body. */
  readonly #head = Chunk.allocate(HEAD_SIZE_MAX)
  #headSize = 0
  /** Of the delivery tag in the head. */
  #tagStart = 0
  /** Of the whole message; 0: nothing is known. */
  #stride = 0

  /** A delivery between `start` and `end`; `bodyStart` is where its end lies if it has no body. */
  learn(chunk: Chunk, start: number, end: number, tagStart: number, bodySize: number): void {
    const headSize = bodySize === 0 ? end - start : end - 1 - bodySize - start
    if (headSize > HEAD_SIZE_MAX) {
      this.forget()
      return
    }
    chunk.bytes.copy(this.#head.bytes, 0, start, start + headSize)
    this.#headSize = headSize
    this.#tagStart = tagStart - start
    this.#stride = end - start
    this.run.bodySize = bodySize
  }

  forget(): void {
    this.#stride = 0
  }

  /** Fills `run` with what lies whole between `start` and `end` and is like the latest delivery. Returns its end. */
  find(chunk: Chunk, start: number, end: number): number {
    const stride = this.#stride
    if (stride === 0) return start
    const { view } = chunk
    const head = this.#head
    const tagStart = this.#tagStart
    const tagEnd = tagStart + TAG_SIZE
    const restSize = this.#headSize - tagEnd
    let at = start
    while (
      end - at >= stride &&
      equalBytes(head, tagEnd, chunk, at + tagEnd, restSize) &&
      equalBytes(head, 0, chunk, at, tagStart) &&
      view.getUint8(at + stride - 1) === FRAME_END
    )
      at += stride
    if (at === start) return start
    const { run } = this
    run.chunk = chunk
    run.count = (at - start) / stride
    run.stride = stride
    run.tagStart = start + tagStart
    run.bodyStart = start + (run.bodySize === 0 ? stride : this.#headSize)
    return at
  }
}

const NO_BYTES = new Chunk(Buffer.alloc(0))
