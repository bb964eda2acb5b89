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
import { BASIC_PUBLISH } from "../amqp/generated/methods.ts"
import { copyBytes } from "../util/bytes.ts"
import type { Chunk } from "../util/bytes.ts"
import type { Delivery } from "./delivery.ts"
import type { Output } from "./output.ts"
import { PUBLISH_FRAME_FIXED_SIZE } from "./publish-target.ts"
import type { PublishTarget } from "./publish-target.ts"

/**
 * Writes basic.publish with its content into the output chunk, field by field and without an object per
 * message. Does not count, wait or check: that is the channel's business.
 */

/** Messages up to this size are written in one piece. */
const WHOLE_SIZE_MAX = 16 << 10

/** `properties`: flags and fields as on the wire. */
export function writePublish(
  output: Output,
  channelId: number,
  method: Chunk,
  properties: Uint8Array,
  body: Uint8Array,
  frameMax: number,
): void {
  const bodySize = body.length
  const size = wholeSize(method, properties, body)
  if (size <= WHOLE_SIZE_MAX && bodySize <= frameMax - FRAME_OVERHEAD) {
    const chunk = output.reserve(size)
    encodeWhole(chunk, output.used, channelId, method, properties, body)
    output.used += size
    return
  }
  output.noteSize(bodySize)
  const methodSize = method.bytes.length
  output.used = writeMethod(output.reserve(methodSize), output.used, method, channelId)
  startHeader(output, channelId, bodySize, properties.length)
  output.writeBytes(properties)
  output.writeByte(FRAME_END)
  const pieceMax = frameMax - FRAME_OVERHEAD
  for (let at = 0; at < bodySize; at += pieceMax) {
    const pieceSize = Math.min(pieceMax, bodySize - at)
    startFrame(output, FRAME_BODY, channelId, pieceSize)
    output.writeBytes(body.subarray(at, at + pieceSize))
    output.writeByte(FRAME_END)
  }
}

/** Bytes of all frames of a message whose body fits in one. */
export function wholeSize(method: Chunk, properties: Uint8Array, body: Uint8Array): number {
  const headSize =
    method.bytes.length + FRAME_OVERHEAD + CONTENT_HEADER_FIXED_SIZE + properties.length
  return headSize + (body.length === 0 ? 0 : body.length + FRAME_OVERHEAD)
}

/** Such a message in one piece. */
export function encodeWhole(
  chunk: Chunk,
  start: number,
  channelId: number,
  method: Chunk,
  properties: Uint8Array,
  body: Uint8Array,
): void {
  const bodySize = body.length
  let at = writeMethod(chunk, start, method, channelId)
  at = writeHeader(chunk, at, channelId, bodySize, properties.length)
  at = writeSmall(chunk, at, properties)
  chunk.view.setUint8(at, FRAME_END)
  if (bodySize === 0) return
  at = writeFrameHeader(chunk, at + 1, FRAME_BODY, channelId, bodySize)
  chunk.view.setUint8(writeSmall(chunk, at, body), FRAME_END)
}

/** The same for a message that comes from another connection, with other properties if given. */
export function writeForward(
  output: Output,
  channelId: number,
  target: PublishTarget,
  delivery: Delivery,
  properties: Uint8Array | null,
  frameMax: number,
): void {
  const method = target.frame
  if (method !== null)
    output.used = writeMethod(output.reserve(method.bytes.length), output.used, method, channelId)
  else writeForwardMethod(output, channelId, target, delivery)
  const { chunk } = delivery
  const bodySize = delivery.bodyEnd - delivery.bodyStart
  output.noteSize(bodySize)
  const propertiesSize =
    properties === null ? delivery.propertiesEnd - delivery.propertiesStart : properties.length
  startHeader(output, channelId, bodySize, propertiesSize)
  if (properties === null) output.writeFrom(chunk, delivery.propertiesStart, delivery.propertiesEnd)
  else output.writeBytes(properties)
  output.writeByte(FRAME_END)
  const pieceMax = frameMax - FRAME_OVERHEAD
  for (let at = delivery.bodyStart; at < delivery.bodyEnd; at += pieceMax) {
    const end = Math.min(at + pieceMax, delivery.bodyEnd)
    startFrame(output, FRAME_BODY, channelId, end - at)
    output.writeFrom(chunk, at, end)
    output.writeByte(FRAME_END)
  }
}

function writeForwardMethod(
  output: Output,
  channelId: number,
  target: PublishTarget,
  delivery: Delivery,
): void {
  const { exchangeBytes, routingKeyBytes } = target
  // The length octet of a short string lies before its text.
  const exchange = exchangeBytes ?? delivery.chunk
  const exchangeStart = exchangeBytes === null ? delivery.exchangeStart - 1 : 0
  const exchangeSize =
    exchangeBytes === null ? delivery.exchangeEnd - exchangeStart : exchangeBytes.bytes.length
  const key = routingKeyBytes ?? delivery.chunk
  const keyStart = routingKeyBytes === null ? delivery.routingKeyStart - 1 : 0
  const keySize =
    routingKeyBytes === null ? delivery.routingKeyEnd - keyStart : routingKeyBytes.bytes.length
  const size = PUBLISH_FRAME_FIXED_SIZE + exchangeSize + keySize
  const chunk = output.reserve(size)
  const { view } = chunk
  let at = writeFrameHeader(chunk, output.used, FRAME_METHOD, channelId, size - FRAME_OVERHEAD)
  view.setUint32(at, BASIC_PUBLISH)
  view.setUint16(at + 4, 0)
  at += 6
  copyBytes(exchange, exchangeStart, chunk, at, exchangeSize)
  at += exchangeSize
  copyBytes(key, keyStart, chunk, at, keySize)
  at += keySize
  view.setUint8(at, target.mandatory ? 1 : 0)
  view.setUint8(at + 1, FRAME_END)
  output.used = at + 2
}

function writeMethod(chunk: Chunk, at: number, method: Chunk, channelId: number): number {
  const size = method.bytes.length
  copyBytes(method, 0, chunk, at, size)
  chunk.view.setUint16(at + 1, channelId)
  return at + size
}

/** Up to 32 bytes one by one: below that a native copy costs more than it saves. */
function writeSmall(chunk: Chunk, at: number, bytes: Uint8Array): number {
  const size = bytes.length
  if (size > 32) chunk.bytes.set(bytes, at)
  else {
    const target = chunk.bytes
    for (let i = 0; i < size; i++) target[at + i] = bytes[i]!
  }
  return at + size
}

function writeFrameHeader(
  chunk: Chunk,
  at: number,
  type: number,
  channelId: number,
  size: number,
): number {
  const { view } = chunk
  view.setUint8(at, type)
  view.setUint16(at + 1, channelId)
  view.setUint32(at + 3, size)
  return at + FRAME_HEADER_SIZE
}

function writeHeader(
  chunk: Chunk,
  start: number,
  channelId: number,
  bodySize: number,
  propertiesSize: number,
): number {
  const { view } = chunk
  const size = CONTENT_HEADER_FIXED_SIZE + propertiesSize
  const at = writeFrameHeader(chunk, start, FRAME_HEADER, channelId, size)
  view.setUint16(at, CLASS_BASIC)
  view.setUint16(at + 2, 0)
  view.setUint32(at + 4, Math.floor(bodySize / 0x1_0000_0000))
  view.setUint32(at + 8, bodySize >>> 0)
  return at + CONTENT_HEADER_FIXED_SIZE
}

function startHeader(
  output: Output,
  channelId: number,
  bodySize: number,
  propertiesSize: number,
): void {
  const chunk = output.reserve(FRAME_HEADER_SIZE + CONTENT_HEADER_FIXED_SIZE)
  output.used = writeHeader(chunk, output.used, channelId, bodySize, propertiesSize)
}

function startFrame(output: Output, type: number, channelId: number, size: number): void {
  const chunk = output.reserve(FRAME_HEADER_SIZE)
  output.used = writeFrameHeader(chunk, output.used, type, channelId, size)
}

/** An acknowledgement: basic.ack, basic.nack or basic.reject with a delivery tag and its bits. */
export function writeSettle(
  output: Output,
  channelId: number,
  method: number,
  deliveryTag: number,
  bits: number,
): void {
  const size = FRAME_OVERHEAD + 13
  const chunk = output.reserve(size)
  const { view } = chunk
  const at = writeFrameHeader(chunk, output.used, FRAME_METHOD, channelId, 13)
  view.setUint32(at, method)
  view.setUint32(at + 4, Math.floor(deliveryTag / 0x1_0000_0000))
  view.setUint32(at + 8, deliveryTag >>> 0)
  view.setUint8(at + 12, bits)
  view.setUint8(at + 13, FRAME_END)
  output.used += size
}
