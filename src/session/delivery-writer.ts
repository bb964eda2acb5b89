import { HeaderAddition, HeaderName, writeLongLong } from "../amqp/added-header.ts"
import { BASIC_DELIVER, BASIC_GET_OK, BASIC_RETURN } from "../amqp/generated/methods.ts"
import {
  CLASS_BASIC,
  CONTENT_HEADER_FIXED_SIZE,
  FRAME_BODY,
  FRAME_END,
  FRAME_HEADER,
  FRAME_HEADER_SIZE,
  FRAME_METHOD,
  FRAME_OVERHEAD,
} from "../amqp/frames.ts"
import { ADDED_NONE, ADDED_STREAM_OFFSET, StoredMessage } from "../broker/message.ts"
import type { IncomingMessage } from "../broker/message.ts"
import { Chunk, copyBytes, equalBytes } from "../util/bytes.ts"
import type { Outbox } from "./outbox.ts"
import { OUTBOX_CHUNK_BYTES } from "./outbox.ts"

/**
 * Encodes messages into the outbox: basic.deliver, basic.get-ok and basic.return with their content.
 * Small deliveries are written in one go into one chunk; everything else piece by piece.
 */

/** A delivery up to this size goes into one chunk as a whole. */
const IN_ONE_CHUNK_MAX = OUTBOX_CHUNK_BYTES / 4

const CONTENT_HEADER_WORD = CLASS_BASIC * 0x1_0000

/** Flags alone, or flags and delivery mode: what differs from message to message is longer. */
const TEMPLATE_PROPERTIES_MAX = 3
/** A table with the longest header that is added on delivery. */
const ADDED_SIZE_MAX = 4 + 1 + 16 + 1 + 8
/** Method frame with three short strings, header frame, head of the body frame. */
const TEMPLATE_SIZE_MAX =
  8 + 4 + 256 + 9 + 512 + 8 + 12 + TEMPLATE_PROPERTIES_MAX + ADDED_SIZE_MAX + 7
/** A queue of many routing keys pays for a new template once in so many deliveries. */
const TEMPLATE_INTERVAL = 16

/** From so many deliveries on, with bodies that small, the frames of all are laid out before they are filled in. */
const SPREAD_MIN = 16
const SPREAD_BODY_MAX = 128

/**
 * Writes the deliveries of one consumer. The messages of a queue often differ in their bodies only,
 * so the frames around the body are kept as they were and copied in one go.
 */
export class DeliveryWriter {
  readonly #channelId: number
  readonly #frameMax: number
  /** Method id and consumer tag. */
  readonly #prefix: Chunk
  #template: Chunk | null = null
  #templateSize = 0
  /** Route and properties of the message that the template was made for. */
  #key: Chunk | null = null
  #keySize = 0
  #routeSize = 0
  #bodySize = -1
  /** The header that was added, and where its value lies in the template. */
  #added = ADDED_NONE
  #valueOffset = 0
  /** The route of a passed message that the template is for, by identity. */
  #passedRoute: Chunk | null = null
  #age = 0

  constructor(channelId: number, frameMax: number, consumerTag: string) {
    this.#channelId = channelId
    this.#frameMax = frameMax
    const size = Buffer.byteLength(consumerTag)
    const bytes = Buffer.alloc(4 + 1 + size)
    bytes.writeUInt32BE(BASIC_DELIVER)
    bytes.writeUInt8(size, 4)
    bytes.write(consumerTag, 5)
    this.#prefix = new Chunk(bytes)
  }

  /**
   * Writes the message and those behind it, `count` in all, which are alike but for their bodies and
   * lie `message.size` bytes apart. Moves the view from one to the next. Their stream offsets rise by one.
   */
  write(outbox: Outbox, firstTag: number, message: StoredMessage, count = 1): void {
    const bodySize = message.bodyEnd - message.bodyStart
    const keySize = message.propertiesEnd - message.routeStart
    for (let i = 0; i < count; i++) {
      if (
        bodySize === this.#bodySize &&
        keySize === this.#keySize &&
        message.added === this.#added &&
        message.routeEnd - message.routeStart === this.#routeSize &&
        equalBytes(message.chunk, message.routeStart, this.#key!, 0, keySize)
      ) {
        const { redelivered, chunk, bodyStart, size, addedValue } = message
        const left = count - i
        this.#writeTemplate(
          outbox,
          firstTag + i,
          redelivered,
          chunk,
          bodyStart,
          bodySize,
          left,
          size,
          addedValue,
        )
        return
      }
      this.#writeAnew(outbox, firstTag + i, message)
      if (i + 1 < count) moveView(message, message.size)
    }
  }

  /**
   * A message as it came from its publisher. The route's chunk is the publisher's and stays the same.
   * Never for a consumer of a stream, whose templates have a header.
   */
  writePassed(outbox: Outbox, deliveryTag: number, message: IncomingMessage): void {
    const bodySize = message.bodyEnd - message.bodyStart
    const propertiesSize = message.propertiesEnd - message.propertiesStart
    if (
      bodySize === this.#bodySize &&
      message.route === this.#passedRoute &&
      message.routeEnd - message.routeStart === this.#routeSize &&
      this.#routeSize + propertiesSize === this.#keySize &&
      equalBytes(
        message.properties,
        message.propertiesStart,
        this.#key!,
        this.#routeSize,
        propertiesSize,
      )
    ) {
      const { body, bodyStart } = message
      this.#writeTemplate(outbox, deliveryTag, false, body, bodyStart, bodySize, 1, 0, 0)
      return
    }
    const stored = gather(message)
    this.write(outbox, deliveryTag, stored)
    // The template may be of another message: then the key differs.
    const isKept =
      this.#key !== null &&
      this.#keySize === stored.propertiesEnd &&
      equalBytes(stored.chunk, 0, this.#key, 0, this.#keySize)
    this.#passedRoute = isKept ? message.route : null
  }

  /** `count` deliveries whose bodies lie `stride` bytes apart. */
  #writeTemplate(
    outbox: Outbox,
    firstTag: number,
    redelivered: boolean,
    source: Chunk,
    firstBody: number,
    bodySize: number,
    count: number,
    stride: number,
    addedValue: number,
  ): void {
    const valueOffset = this.#valueOffset
    let value = addedValue
    const size = this.#templateSize
    const total = size + bodySize + 1
    const tagOffset = FRAME_HEADER_SIZE + this.#prefix.bytes.length
    let tag = firstTag
    let body = firstBody
    let left = count
    while (left > 0) {
      const chunk = outbox.reserve(total)
      const { view } = chunk
      const start = outbox.used
      const fitting = Math.min(left, Math.floor((chunk.bytes.length - start) / total))
      copyBytes(this.#template!, 0, chunk, start, size)
      view.setUint8(start + tagOffset + 8, redelivered ? 1 : 0)
      view.setUint8(start + total - 1, FRAME_END)
      const end = start + fitting * total
      const isSpread = fitting >= SPREAD_MIN && bodySize <= SPREAD_BODY_MAX
      if (isSpread) spread(chunk, start, total, end)
      for (let at = start; at < end; at += total) {
        if (!isSpread && at > start) {
          copyBytes(chunk, start, chunk, at, size)
          view.setUint8(at + total - 1, FRAME_END)
        }
        view.setUint32(at + tagOffset, (tag / 0x1_0000_0000) >>> 0)
        view.setUint32(at + tagOffset + 4, tag >>> 0)
        if (valueOffset !== 0) writeLongLong(chunk, at + valueOffset, value++)
        copyBytes(source, body, chunk, at + size, bodySize)
        tag++
        body += stride
      }
      outbox.used = end
      left -= fitting
    }
  }

  #writeAnew(outbox: Outbox, deliveryTag: number, message: StoredMessage): void {
    const prefix = this.#prefix
    const routeSize = message.routeEnd - message.routeStart
    const keptSize = message.propertiesEnd - message.propertiesStart
    const isAdded = message.added !== ADDED_NONE && planAddition(message, this.#frameMax)
    const propertiesSize = isAdded ? addition.size : keptSize
    const bodySize = message.bodyEnd - message.bodyStart
    const methodSize = prefix.bytes.length + 9 + routeSize
    const total =
      methodSize + propertiesSize + bodySize + 3 * FRAME_OVERHEAD + CONTENT_HEADER_FIXED_SIZE
    if (total > IN_ONE_CHUNK_MAX || bodySize > this.#frameMax - FRAME_OVERHEAD) {
      writeLargeDeliver(outbox, this.#channelId, this.#frameMax, prefix, deliveryTag, message)
      return
    }
    const chunk = outbox.reserve(total)
    const start = outbox.used
    const bodyAt = this.#writeHead(chunk, start, deliveryTag, message, methodSize, isAdded)
    if (bodySize === 0) {
      outbox.used = bodyAt
      return
    }
    copyBytes(message.chunk, message.bodyStart, chunk, bodyAt, bodySize)
    chunk.view.setUint8(bodyAt + bodySize, FRAME_END)
    outbox.used = bodyAt + bodySize + 1
    if (keptSize > TEMPLATE_PROPERTIES_MAX || isAdded !== (message.added === ADDED_STREAM_OFFSET))
      return
    if (++this.#age % TEMPLATE_INTERVAL !== 0) return
    this.#keepTemplate(chunk, start, bodyAt - start, message)
    // Between the properties and the body lie the end of one frame and the head of the next.
    const propertiesAt = bodyAt - start - FRAME_HEADER_SIZE - 1 - propertiesSize
    this.#valueOffset = isAdded ? propertiesAt + addition.valueOffset : 0
  }

  /** Writes all up to the body, returns the offset where the body goes. */
  #writeHead(
    chunk: Chunk,
    start: number,
    deliveryTag: number,
    message: StoredMessage,
    methodSize: number,
    isAdded: boolean,
  ): number {
    const { view } = chunk
    const source = message.chunk
    const channelId = this.#channelId
    const prefixSize = this.#prefix.bytes.length
    const routeSize = message.routeEnd - message.routeStart
    const keptSize = message.propertiesEnd - message.propertiesStart
    const propertiesSize = isAdded ? addition.size : keptSize
    const bodySize = message.bodyEnd - message.bodyStart
    let at = start
    view.setUint8(at, FRAME_METHOD)
    view.setUint16(at + 1, channelId)
    view.setUint32(at + 3, methodSize)
    at += FRAME_HEADER_SIZE
    copyBytes(this.#prefix, 0, chunk, at, prefixSize)
    at += prefixSize
    view.setUint32(at, (deliveryTag / 0x1_0000_0000) >>> 0)
    view.setUint32(at + 4, deliveryTag >>> 0)
    view.setUint8(at + 8, message.redelivered ? 1 : 0)
    at += 9
    copyBytes(source, message.routeStart, chunk, at, routeSize)
    at += routeSize
    view.setUint8(at, FRAME_END)
    view.setUint8(at + 1, FRAME_HEADER)
    view.setUint16(at + 2, channelId)
    view.setUint32(at + 4, CONTENT_HEADER_FIXED_SIZE + propertiesSize)
    view.setUint32(at + 8, CONTENT_HEADER_WORD)
    view.setUint32(at + 12, 0)
    view.setUint32(at + 16, bodySize)
    at += 20
    if (isAdded) addition.write(chunk, at, message.addedValue)
    else copyBytes(source, message.propertiesStart, chunk, at, propertiesSize)
    at += propertiesSize
    view.setUint8(at, FRAME_END)
    at++
    if (bodySize === 0) return at
    view.setUint8(at, FRAME_BODY)
    view.setUint16(at + 1, channelId)
    view.setUint32(at + 3, bodySize)
    return at + FRAME_HEADER_SIZE
  }

  #keepTemplate(chunk: Chunk, start: number, size: number, message: StoredMessage): void {
    this.#template ??= Chunk.allocate(TEMPLATE_SIZE_MAX)
    this.#key ??= Chunk.allocate(512 + TEMPLATE_PROPERTIES_MAX)
    copyBytes(chunk, start, this.#template, 0, size)
    this.#passedRoute = null
    this.#templateSize = size
    this.#keySize = message.propertiesEnd - message.routeStart
    copyBytes(message.chunk, message.routeStart, this.#key, 0, this.#keySize)
    this.#routeSize = message.routeEnd - message.routeStart
    this.#bodySize = message.bodyEnd - message.bodyStart
    this.#added = message.added
  }
}

/** Repeats the first `size` bytes from `start` up to `end`, in ever larger pieces. */
function spread(chunk: Chunk, start: number, size: number, end: number): void {
  let written = start + size
  while (written < end) {
    const piece = Math.min(written - start, end - written)
    chunk.bytes.copyWithin(written, start, start + piece)
    written += piece
  }
}

const DELIVERY_COUNT = new HeaderName("x-delivery-count")
const STREAM_OFFSET = new HeaderName("x-stream-offset")
const addition = new HeaderAddition()

/** False if the header frame would be larger than the client takes: then the header is left out. */
function planAddition(message: StoredMessage, frameMax: number): boolean {
  const name = message.added === ADDED_STREAM_OFFSET ? STREAM_OFFSET : DELIVERY_COUNT
  const { chunk, propertiesStart, propertiesEnd } = message
  const sizeMax = frameMax - FRAME_OVERHEAD - CONTENT_HEADER_FIXED_SIZE
  return addition.plan(chunk, propertiesStart, propertiesEnd, name, sizeMax)
}

/** To the next message of a run. */
function moveView(message: StoredMessage, distance: number): void {
  message.routeStart += distance
  message.routeEnd += distance
  message.propertiesStart += distance
  message.propertiesEnd += distance
  message.bodyStart += distance
  message.bodyEnd += distance
  message.addedValue++
}

const gathered = new StoredMessage()
gathered.chunk = Chunk.allocate(4096)

/** The parts of a message in one chunk, as a store would give them. Valid until the next call. */
function gather(message: IncomingMessage): StoredMessage {
  const routeSize = message.routeEnd - message.routeStart
  const propertiesSize = message.propertiesEnd - message.propertiesStart
  const bodySize = message.bodyEnd - message.bodyStart
  const size = routeSize + propertiesSize + bodySize
  if (gathered.chunk.bytes.length < size) gathered.chunk = Chunk.allocate(2 * size)
  const { chunk } = gathered
  copyBytes(message.route, message.routeStart, chunk, 0, routeSize)
  copyBytes(message.properties, message.propertiesStart, chunk, routeSize, propertiesSize)
  copyBytes(message.body, message.bodyStart, chunk, routeSize + propertiesSize, bodySize)
  gathered.routeStart = 0
  gathered.routeEnd = routeSize
  gathered.propertiesStart = routeSize
  gathered.propertiesEnd = routeSize + propertiesSize
  gathered.bodyStart = gathered.propertiesEnd
  gathered.bodyEnd = size
  gathered.redelivered = false
  return gathered
}

function writeLargeDeliver(
  outbox: Outbox,
  channelId: number,
  frameMax: number,
  prefix: Chunk,
  deliveryTag: number,
  message: StoredMessage,
): void {
  const fields = Buffer.allocUnsafe(9)
  fields.writeBigUInt64BE(BigInt(deliveryTag))
  fields.writeUInt8(message.redelivered ? 1 : 0, 8)
  const routeSize = message.routeEnd - message.routeStart
  beginMethod(outbox, channelId, prefix.bytes.length + 9 + routeSize)
  outbox.write(prefix.bytes)
  outbox.write(fields)
  outbox.writeFrom(message.chunk, message.routeStart, routeSize)
  outbox.writeByte(FRAME_END)
  writeStoredContent(outbox, channelId, frameMax, message)
}

/** basic.get-ok: `messageCount` is what is still ready behind this one. */
export function writeGetOk(
  outbox: Outbox,
  channelId: number,
  frameMax: number,
  deliveryTag: number,
  messageCount: number,
  message: StoredMessage,
): void {
  const routeSize = message.routeEnd - message.routeStart
  const head = Buffer.allocUnsafe(13)
  head.writeUInt32BE(BASIC_GET_OK)
  head.writeBigUInt64BE(BigInt(deliveryTag), 4)
  head.writeUInt8(message.redelivered ? 1 : 0, 12)
  const count = Buffer.allocUnsafe(4)
  count.writeUInt32BE(messageCount)
  beginMethod(outbox, channelId, head.length + routeSize + 4)
  outbox.write(head)
  outbox.writeFrom(message.chunk, message.routeStart, routeSize)
  outbox.write(count)
  outbox.writeByte(FRAME_END)
  writeStoredContent(outbox, channelId, frameMax, message)
}

/** basic.return with the content as it was published. */
export function writeReturn(
  outbox: Outbox,
  channelId: number,
  frameMax: number,
  replyCode: number,
  replyText: string,
  message: IncomingMessage,
): void {
  const text = Buffer.from(replyText)
  const head = Buffer.allocUnsafe(7)
  head.writeUInt32BE(BASIC_RETURN)
  head.writeUInt16BE(replyCode, 4)
  head.writeUInt8(text.length, 6)
  const routeSize = message.routeEnd - message.routeStart
  beginMethod(outbox, channelId, head.length + text.length + routeSize)
  outbox.write(head)
  outbox.write(text)
  outbox.writeFrom(message.route, message.routeStart, routeSize)
  outbox.writeByte(FRAME_END)
  writeContent(outbox, channelId, frameMax, message.properties, message, message.body, message)
}

function writeStoredContent(
  outbox: Outbox,
  channelId: number,
  frameMax: number,
  message: StoredMessage,
): void {
  const { chunk } = message
  if (message.added === ADDED_NONE || !planAddition(message, frameMax)) {
    writeContent(outbox, channelId, frameMax, chunk, message, chunk, message)
    return
  }
  const properties = Chunk.allocate(addition.size)
  addition.write(properties, 0, message.addedValue)
  const range = { propertiesStart: 0, propertiesEnd: addition.size }
  writeContent(outbox, channelId, frameMax, properties, range, chunk, message)
}

function beginMethod(outbox: Outbox, channelId: number, size: number): void {
  const chunk = outbox.reserve(FRAME_HEADER_SIZE)
  chunk.view.setUint8(outbox.used, FRAME_METHOD)
  chunk.view.setUint16(outbox.used + 1, channelId)
  chunk.view.setUint32(outbox.used + 3, size)
  outbox.used += FRAME_HEADER_SIZE
}

function writeContent(
  outbox: Outbox,
  channelId: number,
  frameMax: number,
  properties: Chunk,
  propertiesRange: { readonly propertiesStart: number; readonly propertiesEnd: number },
  body: Chunk,
  bodyRange: { readonly bodyStart: number; readonly bodyEnd: number },
): void {
  const propertiesSize = propertiesRange.propertiesEnd - propertiesRange.propertiesStart
  const bodySize = bodyRange.bodyEnd - bodyRange.bodyStart
  const chunk = outbox.reserve(FRAME_HEADER_SIZE + CONTENT_HEADER_FIXED_SIZE)
  const at = outbox.used
  chunk.view.setUint8(at, FRAME_HEADER)
  chunk.view.setUint16(at + 1, channelId)
  chunk.view.setUint32(at + 3, CONTENT_HEADER_FIXED_SIZE + propertiesSize)
  chunk.view.setUint32(at + 7, CONTENT_HEADER_WORD)
  chunk.view.setUint32(at + 11, 0)
  chunk.view.setUint32(at + 15, bodySize)
  outbox.used += FRAME_HEADER_SIZE + CONTENT_HEADER_FIXED_SIZE
  outbox.writeFrom(properties, propertiesRange.propertiesStart, propertiesSize)
  outbox.writeByte(FRAME_END)
  const partMax = frameMax - FRAME_OVERHEAD
  for (let from = bodyRange.bodyStart; from < bodyRange.bodyEnd; from += partMax) {
    const size = Math.min(partMax, bodyRange.bodyEnd - from)
    const head = outbox.reserve(FRAME_HEADER_SIZE)
    head.view.setUint8(outbox.used, FRAME_BODY)
    head.view.setUint16(outbox.used + 1, channelId)
    head.view.setUint32(outbox.used + 3, size)
    outbox.used += FRAME_HEADER_SIZE
    outbox.writeFrom(body, from, size)
    outbox.writeByte(FRAME_END)
  }
}
