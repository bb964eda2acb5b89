import assert from "node:assert/strict"
import {
  FRAME_BODY,
  FRAME_HEADER,
  FRAME_HEARTBEAT,
  FRAME_METHOD,
  HEARTBEAT_FRAME,
  writeContentHeaderFrame,
  writeFrame,
} from "../../src/amqp/frames.ts"
import { encodePublish } from "../../src/amqp/content.ts"
import { NO_PROPERTIES } from "../../src/amqp/properties.ts"
import { methodFrame } from "../support/wire-frames.ts"
import { consume, declare, drain, get, publishTo, text, wireTest } from "./harness.ts"

const PUBLISH = methodFrame("basic.publish", 1, { routingKey: "q" })

function header(bodySize: number): Buffer {
  return writeContentHeaderFrame(1, bodySize, NO_PROPERTIES)
}

wireTest("a frame of exactly frame-max is accepted", async (wire) => {
  const client = await wire.open({ frameMax: 4096 })
  await client.openChannel(1)
  await declare(client, "q")
  const body = Buffer.alloc(4088, "x")
  client.sendBytes(Buffer.concat([PUBLISH, header(4088), writeFrame(FRAME_BODY, 1, body)]))
  assert.deepEqual((await get(client, "q"))?.body, body)
})

wireTest("a client may take frame-max for the size of the payload", async (wire) => {
  const client = await wire.open({ frameMax: 4096 })
  await client.openChannel(1)
  await declare(client, "q")
  const body = Buffer.alloc(4096, "x")
  const bytes = Buffer.concat([PUBLISH, header(4096), writeFrame(FRAME_BODY, 1, body)])
  client.sendBytes(bytes)
  assert.deepEqual((await get(client, "q"))?.body, body)
  const cut = bytes.length - 4140 // Before the content header, hence before the frame of the body.
  await client.sendByteWise(bytes.subarray(0, cut + 60))
  client.sendBytes(bytes.subarray(cut + 60, bytes.length - 20))
  await client.sendByteWise(bytes.subarray(bytes.length - 20))
  assert.deepEqual((await get(client, "q"))?.body, body)
})

wireTest("a payload one byte larger than frame-max is refused with 501", async (wire) => {
  const client = await wire.open({ frameMax: 4096 })
  await client.openChannel(1)
  client.sendBytes(
    Buffer.concat([PUBLISH, header(4097), writeFrame(FRAME_BODY, 1, Buffer.alloc(4097))]),
  )
  await client.expectConnectionClose({ code: 501, text: /^FRAME_ERROR - / })
})

wireTest(
  "an oversized frame is refused at its header, without waiting for its end",
  async (wire) => {
    const client = await wire.channel()
    client.sendBytes(Buffer.from("030001ffffffff", "hex"))
    await client.expectConnectionClose({ code: 501, text: /^FRAME_ERROR - / })
  },
)

wireTest("a wrong frame end is refused with 501", async (wire) => {
  const client = await wire.channel()
  const frame = methodFrame("queue.declare", 1, { queue: "q" })
  frame[frame.length - 1] = 0xcd
  client.sendBytes(frame)
  await client.expectConnectionClose({ code: 501, text: /^FRAME_ERROR - / })
})

wireTest("an unknown frame type is refused with 501", async (wire) => {
  for (const type of [0, 4, 5, 6, 7, 9, 255]) {
    const client = await wire.channel()
    client.sendBytes(writeFrame(type, 1, text("x")))
    await client.expectConnectionClose({ code: 501, text: /^FRAME_ERROR - / })
  }
})

wireTest("an unknown class or method is refused with 540", async (wire) => {
  for (const payload of ["003c0029", "00630001", "ffffffff", "000a0063"]) {
    const client = await wire.channel()
    const channel = payload.startsWith("000a") ? 0 : 1
    client.sendBytes(writeFrame(FRAME_METHOD, channel, Buffer.from(payload, "hex")))
    await client.expectConnectionClose({ code: 540, text: /^NOT_IMPLEMENTED - / })
  }
})

wireTest("a method frame too short for its ids is refused", async (wire) => {
  for (const payload of ["", "003c", "003c00"]) {
    const client = await wire.channel()
    client.sendBytes(writeFrame(FRAME_METHOD, 1, Buffer.from(payload, "hex")))
    await client.expectConnectionClose({ code: 501, text: /^FRAME_ERROR - / })
  }
})

wireTest("a heartbeat on another channel than 0 is refused with 505", async (wire) => {
  const client = await wire.channel()
  client.sendBytes(writeFrame(FRAME_HEARTBEAT, 1, Buffer.alloc(0)))
  await client.expectConnectionClose({ code: 505, text: /^UNEXPECTED_FRAME - /, method: null })
})

wireTest("heartbeats of the client are taken at any time", async (wire) => {
  const client = await wire.channel()
  await declare(client, "q")
  client.sendBytes(
    Buffer.concat([
      HEARTBEAT_FRAME,
      PUBLISH,
      HEARTBEAT_FRAME,
      header(2),
      HEARTBEAT_FRAME,
      writeFrame(FRAME_BODY, 1, text("a")),
      HEARTBEAT_FRAME,
      writeFrame(FRAME_BODY, 1, text("b")),
    ]),
  )
  assert.equal((await get(client, "q"))?.body.toString(), "ab")
})

wireTest("connection methods on a channel are refused with 503", async (wire) => {
  const client = await wire.channel()
  client.send("connection.open", 1, { vhost: "/" })
  await client.expectConnectionClose({
    code: 503,
    text: "COMMAND_INVALID - unimplemented method",
    method: "connection.open",
  })
})

wireTest("channel methods on channel 0 are refused with 504", async (wire) => {
  for (const name of ["channel.open", "queue.declare", "basic.ack", "tx.select"] as const) {
    const client = await wire.open()
    client.send(name, 0)
    await client.expectConnectionClose({
      code: 504,
      text: "CHANNEL_ERROR - unexpected method in connection state running",
      method: name,
    })
  }
})

wireTest("content on channel 0 is refused", async (wire) => {
  const client = await wire.open()
  client.sendBytes(writeContentHeaderFrame(0, 1, NO_PROPERTIES))
  const close = await client.expect("connection.close")
  assert.ok([503, 504, 505].includes(close.replyCode), close.replyText)
})

wireTest("methods that only a server sends are refused", async (wire) => {
  for (const name of [
    "queue.declare-ok",
    "basic.deliver",
    "basic.get-empty",
    "tx.commit-ok",
  ] as const) {
    const client = await wire.channel()
    client.send(name, 1)
    const close = await client.expect("connection.close")
    assert.ok([503, 505, 540].includes(close.replyCode), `${name}: ${close.replyText}`)
  }
})

wireTest("a content header without a publish is refused with 505", async (wire) => {
  const client = await wire.channel()
  client.sendBytes(header(1))
  await client.expectConnectionClose({
    code: 505,
    text: "UNEXPECTED_FRAME - expected method frame, got non method frame instead",
    method: null,
  })
})

wireTest("a body without a publish is refused with 505", async (wire) => {
  const client = await wire.channel()
  client.sendBytes(writeFrame(FRAME_BODY, 1, text("x")))
  await client.expectConnectionClose({
    code: 505,
    text: "UNEXPECTED_FRAME - expected method frame, got non method frame instead",
    method: null,
  })
})

wireTest("a body frame after the whole body is refused with 505", async (wire) => {
  const client = await wire.channel()
  await declare(client, "q")
  client.sendBytes(
    Buffer.concat([
      PUBLISH,
      header(1),
      writeFrame(FRAME_BODY, 1, text("x")),
      writeFrame(FRAME_BODY, 1, text("y")),
    ]),
  )
  await client.expectConnectionClose({ code: 505, text: /^UNEXPECTED_FRAME - / })
})

const NO_HEADER =
  "UNEXPECTED_FRAME - expected content header for class 60, got non content header frame instead"

wireTest("a body instead of the header is refused with 505", async (wire) => {
  const client = await wire.channel()
  client.sendBytes(Buffer.concat([PUBLISH, writeFrame(FRAME_BODY, 1, text("x"))]))
  await client.expectConnectionClose({ code: 505, text: NO_HEADER, method: "basic.publish" })
})

wireTest("a method instead of the header is refused with 505", async (wire) => {
  for (const next of [PUBLISH, methodFrame("queue.declare", 1, { queue: "q" })]) {
    const client = await wire.channel()
    client.sendBytes(Buffer.concat([PUBLISH, next]))
    await client.expectConnectionClose({ code: 505, text: NO_HEADER, method: "basic.publish" })
  }
})

wireTest("a method or a header within the body is refused with 505", async (wire) => {
  for (const next of [PUBLISH, header(5), methodFrame("basic.ack", 1)]) {
    const client = await wire.channel()
    client.sendBytes(
      Buffer.concat([PUBLISH, header(2), writeFrame(FRAME_BODY, 1, text("x")), next]),
    )
    await client.expectConnectionClose({
      code: 505,
      text: "UNEXPECTED_FRAME - expected content body, got non content body frame instead",
      method: "basic.publish",
    })
  }
})

wireTest("a header of another class is refused with 505", async (wire) => {
  const client = await wire.channel()
  const frame = header(1)
  frame.writeUInt16BE(50, 7)
  client.sendBytes(Buffer.concat([PUBLISH, frame]))
  await client.expectConnectionClose({
    code: 505,
    text: "UNEXPECTED_FRAME - expected content header for class 60, got one for class 50 instead",
    method: "basic.publish",
  })
})

wireTest("a header with a weight is refused with 505", async (wire) => {
  const client = await wire.channel()
  const frame = header(1)
  frame.writeUInt16BE(1, 9)
  client.sendBytes(Buffer.concat([PUBLISH, frame]))
  await client.expectConnectionClose({ code: 505, method: "basic.publish" })
})

wireTest(
  "more body than announced is refused with 501, in one frame or in several",
  async (wire) => {
    for (const pieces of [["xxxx"], ["xx", "xx"], ["xxx", "x"].toReversed()]) {
      const client = await wire.channel()
      await declare(client, "q")
      client.sendBytes(
        Buffer.concat([
          PUBLISH,
          header(3),
          ...pieces.map((piece) => writeFrame(FRAME_BODY, 1, text(piece))),
        ]),
      )
      await client.expectConnectionClose({
        code: 501,
        text: "FRAME_ERROR - content body frame exceeds remaining content size",
      })
    }
  },
)

wireTest("malformed content headers are refused", async (wire) => {
  for (const [properties, code] of [
    ["", 501], // No flags.
    ["8000", 501], // Content-type missing.
    ["800005", 501], // Content-type longer than the frame.
    ["000000", 501], // Bytes after the last property.
    ["0001", 502], // Continuation bit.
    ["2000000000030161", 502], // Headers longer than the frame.
    ["20000000000301617a", 502], // Unknown field type.
  ] as const) {
    const client = await wire.channel()
    await declare(client, "q")
    client.sendBytes(
      Buffer.concat([PUBLISH, writeContentHeaderFrame(1, 0, Buffer.from(properties, "hex"))]),
    )
    const close = await client.expect("connection.close")
    assert.ok(close.replyCode === 501 || close.replyCode === 502, `${properties} ${code}`)
  }
})

wireTest("malformed methods are refused with 501 or 502", async (wire) => {
  const cases: readonly (readonly [string, string])[] = [
    ["queue.declare cut off", "0032000a0000"],
    ["queue name longer than the frame", "0032000a0000ff71"],
    ["queue name that is no UTF-8", "0032000a000001ff0000000000"],
    ["trailing byte", "0032000a00000171000000000000"],
    ["table longer than the frame", "0032000a000001710000000005"],
    ["table with an unknown type", "0032000a00000171000000000301617a"],
    ["routing key longer than the frame", "003c00280000000a71"],
    ["publish cut off before its bits", "003c0028000000017100".slice(0, -2)],
    ["publish with a trailing byte", "003c002800000001710000"],
    ["ack cut off", "003c005000000000000000"],
    ["ack without its bits", "003c00500000000000000001"],
    ["nack with a trailing byte", "003c007800000000000000010000"],
    ["reject cut off", "003c005a00000000"],
  ]
  for (const [what, payload] of cases) {
    const client = await wire.channel()
    client.sendBytes(writeFrame(FRAME_METHOD, 1, Buffer.from(payload, "hex")))
    const close = await client.expect("connection.close")
    assert.ok(close.replyCode === 501 || close.replyCode === 502, `${what}: ${close.replyText}`)
  }
})

wireTest("a body of size 0 completes the message at its header", async (wire) => {
  const client = await wire.channel()
  await declare(client, "q")
  client.sendBytes(Buffer.concat([PUBLISH, header(0), PUBLISH, header(0)]))
  assert.equal((await get(client, "q"))?.body.length, 0)
  assert.equal((await get(client, "q"))?.messageCount, 0)
})

wireTest("empty and one-byte body frames make up a body", async (wire) => {
  const client = await wire.channel()
  await declare(client, "q")
  const pieces = ["", "a", "", "b", "c"].map((piece) => writeFrame(FRAME_BODY, 1, text(piece)))
  client.sendBytes(Buffer.concat([PUBLISH, header(3), ...pieces]))
  assert.deepEqual(await drain(client, "q"), ["abc"])
})

wireTest("frames may be cut anywhere on their way", async (wire) => {
  const client = await wire.channel()
  await declare(client, "q")
  const message = encodePublish(1, {
    routingKey: "q",
    properties: { deliveryMode: 2, contentType: "text/plain" },
    body: text("hello"),
  })
  await client.sendByteWise(message)
  for (let cut = 1; cut < message.length; cut++) {
    client.sendBytes(Buffer.concat([message, message.subarray(0, cut)]))
    await client.sendByteWise(message.subarray(cut, cut + 1))
    client.sendBytes(message.subarray(cut + 1))
  }
  const received = await drain(client, "q")
  assert.equal(received.length, 1 + 2 * (message.length - 1))
  assert.ok(received.every((body) => body === "hello"))
})

wireTest("frames of several channels may interleave, content included", async (wire) => {
  const client = await wire.channel(2)
  await declare(client, "q")
  client.sendBytes(
    Buffer.concat([
      PUBLISH,
      methodFrame("basic.publish", 2, { routingKey: "q" }),
      writeContentHeaderFrame(2, 4, NO_PROPERTIES),
      header(4),
      writeFrame(FRAME_BODY, 1, text("on")),
      writeFrame(FRAME_BODY, 2, text("tw")),
      writeFrame(FRAME_BODY, 1, text("e1")),
      writeFrame(FRAME_BODY, 2, text("o2")),
    ]),
  )
  await client.expectQuiet(2)
  assert.deepEqual(await drain(client, "q"), ["one1", "two2"])
})

wireTest("deliveries are split to the consumer's frame-max, not the publisher's", async (wire) => {
  const publisher = await wire.channel()
  await declare(publisher, "q")
  const body = Buffer.alloc(20_000, "abcdefgh")
  publisher.publish(1, { routingKey: "q", body })
  const consumer = await wire.open({ frameMax: 4096 })
  await consumer.openChannel(1)
  await consume(consumer, "q", { noAck: true })
  const delivery = await consumer.expect("basic.deliver", 1)
  assert.deepEqual(delivery.body, body)
  assert.deepEqual(delivery.bodyFrames, [4088, 4088, 4088, 4088, 3648])
})

wireTest("bodies of several megabytes arrive byte for byte", async (wire) => {
  const client = await wire.channel()
  await declare(client, "q")
  const body = Buffer.alloc(3_000_001)
  for (let i = 0; i < body.length; i++) body[i] = (i * 31 + (i >>> 8)) & 0xff
  client.publish(1, { routingKey: "q", body })
  const message = await get(client, "q")
  assert.ok(message?.body.equals(body))
})

wireTest("a header frame may be as large as frame-max", async (wire) => {
  const client = await wire.open({ frameMax: 4096 })
  await client.openChannel(1)
  await declare(client, "q")
  // Flags and a headers table with one long string that fills the frame.
  const size = 4096 - 8 - 12 - 2 - 4 - 2 - 5
  const properties = Buffer.alloc(2 + 4 + 2 + 5 + size, "v")
  properties.writeUInt16BE(0x2000, 0)
  properties.writeUInt32BE(2 + 5 + size, 2)
  properties.write("\x01kS", 6, "latin1")
  properties.writeUInt32BE(size, 9)
  client.sendBytes(Buffer.concat([PUBLISH, writeContentHeaderFrame(1, 0, properties)]))
  const message = await get(client, "q")
  assert.deepEqual(message?.propertyBytes, properties)
})

wireTest(
  "an announced body beyond the limit is refused with 406 before it is sent",
  async (wire) => {
    for (const size of [128 * 1024 * 1024 + 1, 2 ** 32 + 5, 2 ** 53]) {
      const client = await wire.channel()
      await declare(client, "q")
      client.sendBytes(Buffer.concat([PUBLISH, header(size), writeFrame(FRAME_BODY, 1, text("x"))]))
      await client.expectChannelClose(1, {
        code: 406,
        text: `PRECONDITION_FAILED - message size ${size} is larger than configured max size ${128 * 1024 * 1024}`,
        method: "basic.publish",
      })
      await client.openChannel(1)
      publishTo(client, "q", "next")
      assert.deepEqual(await drain(client, "q"), ["next"])
    }
  },
)

wireTest("content frames in the handshake are refused", async (wire) => {
  const client = await wire.connect()
  client.sendHeader()
  await client.expect("connection.start")
  client.sendBytes(writeFrame(FRAME_HEADER, 0, Buffer.alloc(14)))
  const close = await client.expect("connection.close")
  assert.ok(close.replyCode >= 501 && close.replyCode <= 505, close.replyText)
})
