/**
 * The frame: constants and the few frames that never change. No parsing here: the session walks
 * frames in place.
 *
 *   | type u8 | channel u16 | size u32 | payload (size bytes) | end 0xCE |      Integers big-endian.
 *
 *   method  payload = | class u16 | method u16 | arguments |
 *   header  payload = | class u16 | weight u16 = 0 | body size u64 | property flags u16 | properties |
 *   body    payload = bytes of the body
 *   heartbeat payload = nothing, on channel 0
 */
export const FRAME_METHOD = 1
export const FRAME_HEADER = 2
export const FRAME_BODY = 3
export const FRAME_HEARTBEAT = 8
export const FRAME_END = 0xce

/** Bytes before the payload. */
export const FRAME_HEADER_SIZE = 7
/** Bytes of a frame that are not payload. frame-max counts them. */
export const FRAME_OVERHEAD = 8
/** Smallest frame-max a peer may ask for, and the limit before tune (AMQP 0-9-1 §4.2.3). */
export const FRAME_MIN_SIZE = 4096
/** Fixed part of a content header's payload: class, weight, body size. The property flags follow. */
export const CONTENT_HEADER_FIXED_SIZE = 12

export const CLASS_BASIC = 60

export const HEARTBEAT_FRAME = Buffer.from([FRAME_HEARTBEAT, 0, 0, 0, 0, 0, 0, FRAME_END])
/** What a client sends first, and what the server answers to any other beginning. */
export const PROTOCOL_HEADER = Buffer.from([0x41, 0x4d, 0x51, 0x50, 0, 0, 9, 1])
/** The older form of the same version, sent by some 0-9 clients. */
export const PROTOCOL_HEADER_OLD = Buffer.from([0x41, 0x4d, 0x51, 0x50, 1, 1, 0, 9])

/** One whole frame. For everything that is not worth a writer of its own. */
export function writeFrame(type: number, channel: number, payload: Buffer): Buffer {
  const frame = Buffer.allocUnsafe(payload.length + FRAME_OVERHEAD)
  frame.writeUInt8(type, 0)
  frame.writeUInt16BE(channel, 1)
  frame.writeUInt32BE(payload.length, 3)
  payload.copy(frame, FRAME_HEADER_SIZE)
  frame.writeUInt8(FRAME_END, FRAME_HEADER_SIZE + payload.length)
  return frame
}

/** A content header frame. `properties` are wire bytes: flags and fields, at least two bytes. */
export function writeContentHeaderFrame(
  channel: number,
  bodySize: number,
  properties: Buffer,
): Buffer {
  const payload = Buffer.allocUnsafe(CONTENT_HEADER_FIXED_SIZE + properties.length)
  payload.writeUInt16BE(CLASS_BASIC, 0)
  payload.writeUInt16BE(0, 2)
  payload.writeUInt32BE(Math.floor(bodySize / 0x1_0000_0000), 4)
  payload.writeUInt32BE(bodySize % 0x1_0000_0000, 8)
  properties.copy(payload, CONTENT_HEADER_FIXED_SIZE)
  return writeFrame(FRAME_HEADER, channel, payload)
}
