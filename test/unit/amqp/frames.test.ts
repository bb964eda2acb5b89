import assert from "node:assert/strict"
import { test } from "node:test"
import { encodePublish } from "../../../src/amqp/content.ts"
import { formatReplyText, ProtocolError } from "../../../src/amqp/errors.ts"
import {
  FRAME_BODY,
  FRAME_END,
  FRAME_HEADER,
  HEARTBEAT_FRAME,
  PROTOCOL_HEADER,
  writeContentHeaderFrame,
  writeFrame,
} from "../../../src/amqp/frames.ts"
import { PROPERTIES, REPLY_CODES } from "../../../src/amqp/spec.ts"
import * as flags from "../../../src/amqp/property-flags.ts"

/** Type, channel and payload of every frame in the bytes. */
function framesOf(bytes: Buffer): [number, number, Buffer][] {
  const frames: [number, number, Buffer][] = []
  for (let at = 0; at < bytes.length;) {
    const end = at + 7 + bytes.readUInt32BE(at + 3)
    assert.equal(bytes[end], FRAME_END)
    frames.push([bytes.readUInt8(at), bytes.readUInt16BE(at + 1), bytes.subarray(at + 7, end)])
    at = end + 1
  }
  return frames
}

test("the constant frames have their golden bytes", () => {
  assert.equal(HEARTBEAT_FRAME.toString("hex"), "08000000000000ce")
  assert.equal(PROTOCOL_HEADER.toString("latin1"), "AMQP\0\0\x09\x01")
})

test("a content header announces bodies beyond 2^32 exactly", () => {
  const frame = writeContentHeaderFrame(7, 2 ** 32 + 5, Buffer.from([0, 0]))
  assert.equal(frame.toString("hex"), "0200070000000e003c000000000001000000050000ce")
})

test("a body is cut into frames of at most frame-max", () => {
  const body = Buffer.alloc(10_000, "x")
  const frames = framesOf(encodePublish(2, { routingKey: "q", body }, 4096))
  assert.deepEqual(
    frames.map(([type, channel, payload]) => [type, channel, payload.length]),
    [
      [1, 2, 10],
      [FRAME_HEADER, 2, 14],
      [FRAME_BODY, 2, 4088],
      [FRAME_BODY, 2, 4088],
      [FRAME_BODY, 2, 1824],
    ],
  )
  assert.deepEqual(Buffer.concat(frames.slice(2).map(([, , payload]) => payload)), body)
})

test("a body of exactly one frame's payload takes one frame, an empty one none", () => {
  const exact = framesOf(encodePublish(1, { body: Buffer.alloc(4088) }, 4096))
  assert.equal(exact.length, 3)
  assert.equal(framesOf(encodePublish(1, {}, 4096)).length, 2)
  assert.equal(framesOf(encodePublish(1, { body: Buffer.alloc(500_000) }, 0)).length, 3)
})

test("writeFrame frames any payload", () => {
  assert.equal(writeFrame(3, 0x102, Buffer.from("ab")).toString("hex"), "030102000000026162ce")
})

test("reply texts carry the code's name and fit a short string", () => {
  assert.equal(
    formatReplyText(404, "no queue 'q' in vhost '/'"),
    "NOT_FOUND - no queue 'q' in vhost '/'",
  )
  const long = formatReplyText(501, "é".repeat(200))
  assert.equal(Buffer.byteLength(long), 254) // 255 would split the last character.
  assert.ok(!long.includes("\ufffd"))
  const error = new ProtocolError(503, "unimplemented method", 10, 40)
  assert.equal(error.replyText, "COMMAND_INVALID - unimplemented method")
  assert.deepEqual([error.code, error.classId, error.methodId], [503, 10, 40])
})

test("tables of codes and flags hold what the specification says", () => {
  assert.equal(new Set(REPLY_CODES.map(({ code }) => code)).size, REPLY_CODES.length)
  const named = new Map(Object.entries(flags))
  for (const { name, bit } of PROPERTIES) {
    const constant = `FLAG_${name.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`
    assert.equal(named.get(constant), 1 << bit, constant)
  }
})
