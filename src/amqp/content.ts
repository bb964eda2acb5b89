/**
 * Whole messages as frames: method, content header, body cut into pieces that fit frame-max. For
 * clients and tests; the broker's own deliveries are written straight into the output chunk.
 */
import { FRAME_BODY, FRAME_OVERHEAD, writeContentHeaderFrame, writeFrame } from "./frames.ts"
import { writeBasicPublish } from "./generated/methods.ts"
import { encodeProperties, type BasicProperties } from "./properties.ts"

export interface PublishOptions {
  readonly exchange?: string
  readonly routingKey?: string
  readonly mandatory?: boolean
  readonly immediate?: boolean
  readonly properties?: BasicProperties
  readonly body?: Buffer
}

/** All frames of one basic.publish. frameMax 0 means no limit. */
export function encodePublish(
  channel: number,
  options: PublishOptions,
  frameMax = 131_072,
): Buffer {
  const method = writeBasicPublish(channel, {
    exchange: options.exchange ?? "",
    routingKey: options.routingKey ?? "",
    mandatory: options.mandatory ?? false,
    immediate: options.immediate ?? false,
  })
  return encodeContent(
    channel,
    method,
    encodeProperties(options.properties ?? {}),
    options.body ?? Buffer.alloc(0),
    frameMax,
  )
}

/** A method frame that carries content, followed by its header and body frames. */
export function encodeContent(
  channel: number,
  methodFrame: Buffer,
  properties: Buffer,
  body: Buffer,
  frameMax: number,
): Buffer {
  const frames = [methodFrame, writeContentHeaderFrame(channel, body.length, properties)]
  const pieceSize = frameMax === 0 ? Math.max(body.length, 1) : frameMax - FRAME_OVERHEAD
  for (let at = 0; at < body.length; at += pieceSize)
    frames.push(writeFrame(FRAME_BODY, channel, body.subarray(at, at + pieceSize)))
  return Buffer.concat(frames)
}
