import { ProtocolError } from "../amqp/errors.ts"
import {
  CLASS_BASIC,
  CONTENT_HEADER_FIXED_SIZE,
  FRAME_BODY,
  FRAME_END,
  FRAME_HEADER,
  FRAME_HEADER_SIZE,
} from "../amqp/frames.ts"
import { BASIC_DELIVER, BASIC_GET_OK } from "../amqp/generated/methods.ts"
import { Chunk, copyBytes } from "../util/bytes.ts"
import { Delivery } from "./delivery.ts"

/**
 * Puts method, content header and body frames of one channel together to a message. A message that lies
 * whole in the received chunk, with its body in one frame, is seen there; any other is copied into a
 * buffer of the channel first, and that one is given back if it has become large.
 *
 * Only reads: what becomes of the message is the channel's business.
 */
const IDLE = 0
const HEADER = 1
const BODY = 2

const BUFFER_SIZE_MIN = 1024
const BUFFER_KEPT_MAX = 256 << 10
/** Class, method; the arguments follow. */
const METHOD_ID_SIZE = 4
/** As one integer; the weight is 0. */
const CLASS_AND_WEIGHT = CLASS_BASIC << 16
/** Frame header, fixed part, an empty flags word, frame end. */
const HEADER_FRAME_SIZE_MIN = FRAME_HEADER_SIZE + CONTENT_HEADER_FIXED_SIZE + 2 + 1

export class ContentReader {
  readonly delivery = new Delivery()
  /** Where the consumer tag of a basic.deliver lies in the chunk of the delivery. */
  consumerTagStart = 0
  consumerTagEnd = 0
  /** The method that the message came with. */
  method = 0
  #state = IDLE
  #buffer: Chunk | null = null
  #used = 0
  #bodySize = 0
  #bodyLeft = 0
  /** The first four bytes of a header and a body frame of this channel below 16 MiB. */
  readonly #headerStart: number
  readonly #bodyFrameStart: number
  readonly #messageSizeMax: number

  constructor(channelId: number, messageSizeMax: number) {
    this.#headerStart = (FRAME_HEADER << 24) | (channelId << 8)
    this.#bodyFrameStart = (FRAME_BODY << 24) | (channelId << 8)
    this.#messageSizeMax = messageSizeMax
  }

  get isIdle(): boolean {
    return this.#state === IDLE
  }

  /**
   * A basic.deliver whose payload lies between `start` and `frameEnd`. Returns where the message ends
   * if it is whole before `end`, and fills the delivery; 0 if the frames must be given one by one.
   */
  readWhole(chunk: Chunk, start: number, frameEnd: number, end: number): number {
    const { view } = chunk
    const header = frameEnd + 1
    if (this.#state !== IDLE || end - header < HEADER_FRAME_SIZE_MIN) return 0
    // Type, channel and the high byte of the size in one read; another channel or a huge frame goes the long way.
    if (view.getUint32(header) !== this.#headerStart) return 0
    const headerSize = view.getUint32(header + 3)
    const headerEnd = header + FRAME_HEADER_SIZE + headerSize
    if (
      headerEnd >= end ||
      headerSize < CONTENT_HEADER_FIXED_SIZE + 2 ||
      view.getUint8(headerEnd) !== FRAME_END
    )
      return 0
    const payload = header + FRAME_HEADER_SIZE
    if (view.getUint32(payload) !== CLASS_AND_WEIGHT || view.getUint32(payload + 4) !== 0) return 0
    const bodySize = view.getUint32(payload + 8)
    if (bodySize > this.#messageSizeMax) return 0
    let bodyStart = headerEnd
    let next = headerEnd + 1
    if (bodySize > 0) {
      bodyStart = next + FRAME_HEADER_SIZE
      const bodyEnd = bodyStart + bodySize
      if (
        bodyEnd >= end ||
        view.getUint32(next) !== this.#bodyFrameStart ||
        view.getUint32(next + 3) !== bodySize ||
        view.getUint8(bodyEnd) !== FRAME_END
      )
        return 0
      next = bodyEnd + 1
    }
    this.#readDeliver(chunk, start + METHOD_ID_SIZE, frameEnd)
    const { delivery } = this
    delivery.chunk = chunk
    delivery.propertiesStart = payload + CONTENT_HEADER_FIXED_SIZE
    delivery.propertiesEnd = headerEnd
    delivery.bodyStart = bodyStart
    delivery.bodyEnd = bodyStart + bodySize
    return next
  }

  /** The payload of a method that carries content. */
  onMethod(method: number, chunk: Chunk, start: number, end: number): void {
    this.method = method
    this.#used = 0
    this.#append(chunk, start, end)
    this.#state = HEADER
  }

  /** True if the message is whole with this: an empty body. */
  onHeader(chunk: Chunk, start: number, end: number): boolean {
    const { view } = chunk
    if (this.#state !== HEADER) throw new ProtocolError(505, "content header without a method")
    if (end - start < CONTENT_HEADER_FIXED_SIZE + 2)
      throw new ProtocolError(501, "content header is too short")
    if (view.getUint16(start) !== CLASS_BASIC)
      throw new ProtocolError(501, "content header of another class")
    const size = view.getUint32(start + 4) * 0x1_0000_0000 + view.getUint32(start + 8)
    if (size > this.#messageSizeMax)
      throw new ProtocolError(
        501,
        `message of ${String(size)} bytes, more than the ${String(this.#messageSizeMax)} allowed here`,
      )
    const methodEnd = this.#used
    this.#append(chunk, start + CONTENT_HEADER_FIXED_SIZE, end)
    const { delivery } = this
    delivery.propertiesStart = methodEnd
    delivery.propertiesEnd = this.#used
    this.#bodySize = size
    this.#bodyLeft = size
    this.#state = BODY
    return size === 0 && this.#finish()
  }

  /** True if the message is whole with this. */
  onBody(chunk: Chunk, start: number, end: number): boolean {
    if (this.#state !== BODY) throw new ProtocolError(505, "body without a content header")
    const size = end - start
    if (size > this.#bodyLeft) throw new ProtocolError(501, "body is longer than announced")
    this.#append(chunk, start, end)
    this.#bodyLeft -= size
    return this.#bodyLeft === 0 && this.#finish()
  }

  /** The message was dealt with. */
  release(): void {
    if (this.#buffer !== null && this.#buffer.bytes.length > BUFFER_KEPT_MAX) this.#buffer = null
  }

  #finish(): boolean {
    const chunk = this.#buffer!
    const { delivery } = this
    this.#state = IDLE
    delivery.chunk = chunk
    delivery.bodyStart = delivery.propertiesEnd
    delivery.bodyEnd = delivery.propertiesEnd + this.#bodySize
    const end = delivery.propertiesStart
    if (this.method === BASIC_DELIVER) this.#readDeliver(chunk, METHOD_ID_SIZE, end)
    else if (this.method === BASIC_GET_OK) this.#readGetOk(chunk, METHOD_ID_SIZE, end)
    else this.#readReturn(chunk, METHOD_ID_SIZE, end)
    return true
  }

  /** | consumer tag | delivery tag u64 | redelivered u8 | exchange | routing key | */
  #readDeliver(chunk: Chunk, start: number, end: number): void {
    const tagEnd = skipShortString(chunk, start, end)
    this.consumerTagStart = start + 1
    this.consumerTagEnd = tagEnd
    this.method = BASIC_DELIVER
    this.#readPlace(chunk, this.#readTag(chunk, tagEnd, end), end)
  }

  /** | delivery tag u64 | redelivered u8 | exchange | routing key | message count u32 | */
  #readGetOk(chunk: Chunk, start: number, end: number): void {
    const at = this.#readPlace(chunk, this.#readTag(chunk, start, end), end)
    if (end - at < 4) throw truncated()
    this.delivery.messageCount = chunk.view.getUint32(at)
  }

  /** | reply code u16 | reply text | exchange | routing key | */
  #readReturn(chunk: Chunk, start: number, end: number): void {
    if (end - start < 2) throw truncated()
    const { delivery } = this
    delivery.replyCode = chunk.view.getUint16(start)
    const textEnd = skipShortString(chunk, start + 2, end)
    delivery.replyText = chunk.bytes.toString("utf8", start + 3, textEnd)
    this.#readPlace(chunk, textEnd, end)
  }

  #readTag(chunk: Chunk, start: number, end: number): number {
    if (end - start < 9) throw truncated()
    const { view } = chunk
    const { delivery } = this
    delivery.deliveryTag = view.getUint32(start) * 0x1_0000_0000 + view.getUint32(start + 4)
    delivery.redelivered = (view.getUint8(start + 8) & 1) !== 0
    return start + 9
  }

  #readPlace(chunk: Chunk, start: number, end: number): number {
    const { delivery } = this
    const exchangeEnd = skipShortString(chunk, start, end)
    const keyEnd = skipShortString(chunk, exchangeEnd, end)
    delivery.exchangeStart = start + 1
    delivery.exchangeEnd = exchangeEnd
    delivery.routingKeyStart = exchangeEnd + 1
    delivery.routingKeyEnd = keyEnd
    return keyEnd
  }

  #append(chunk: Chunk, start: number, end: number): void {
    const size = end - start
    const needed = this.#used + size
    let buffer = this.#buffer
    if (buffer === null || buffer.bytes.length < needed) {
      const larger = Chunk.allocate(Math.max(BUFFER_SIZE_MIN, 2 ** Math.ceil(Math.log2(needed))))
      if (buffer !== null) copyBytes(buffer, 0, larger, 0, this.#used)
      buffer = larger
      this.#buffer = larger
    }
    copyBytes(chunk, start, buffer, this.#used, size)
    this.#used = needed
  }
}

/** Returns the offset behind the short string at `start`. */
function skipShortString(chunk: Chunk, start: number, end: number): number {
  if (start >= end) throw truncated()
  const next = start + 1 + chunk.view.getUint8(start)
  if (next > end) throw truncated()
  return next
}

function truncated(): ProtocolError {
  return new ProtocolError(501, "payload ends within a field")
}
