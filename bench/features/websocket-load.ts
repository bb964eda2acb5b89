/**
 * The load of websocket.ts, a program: `node bench/features/websocket-load.ts http-port frames seconds`. Publishes messages
 * of 16 bytes over a WebSocket, one WebSocket message for each of the three frames (`frame`) or for the three
 * together (`publish`), as clients in browsers do. The bytes are made once, masked as clients must, so the load costs little. Prints one
 * line, `12345 messages/s`, once the broker has answered what was sent behind them.
 */
import { once } from "node:events"
import { connect, type Socket } from "node:net"
import { encodePublish } from "../../src/amqp/content.ts"
import * as frames from "../../src/amqp/frames.ts"
import * as methods from "../../src/amqp/generated/methods.ts"
import { EMPTY_TABLE } from "../../src/amqp/table.ts"

const BODY = Buffer.alloc(16, "x")
const MASK = Buffer.from([0x37, 0xfa, 0x21, 0x3d])
const PUBLISHES_PER_WRITE = 500

function webSocketMessage(payload: Buffer): Buffer {
  if (payload.length > 125) throw new Error("too long for a header of two bytes")
  const masked = payload.map((byte, index) => byte ^ MASK[index % 4]!)
  return Buffer.concat([Buffer.from([0x82, 0x80 | payload.length]), MASK, masked])
}

function framesOf(bytes: Buffer): Buffer[] {
  const found: Buffer[] = []
  for (let at = 0; at < bytes.length;) {
    const end = at + frames.FRAME_OVERHEAD + bytes.readUInt32BE(at + 3)
    found.push(bytes.subarray(at, end))
    at = end
  }
  return found
}

async function open(port: number): Promise<Socket> {
  const socket = connect({ port, host: "127.0.0.1" })
  socket.write(
    `GET /ws/amqp HTTP/1.1\r\nHost: 127.0.0.1:${String(port)}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
  )
  await once(socket, "data")
  const call = async (bytes: Buffer): Promise<void> => {
    socket.write(webSocketMessage(bytes))
    await once(socket, "data")
  }
  await call(frames.PROTOCOL_HEADER)
  await call(
    methods.writeConnectionStartOk(0, {
      clientProperties: EMPTY_TABLE,
      mechanism: "PLAIN",
      response: Buffer.from("\0guest\0guest"),
      locale: "en_US",
    }),
  )
  socket.write(
    webSocketMessage(
      methods.writeConnectionTuneOk(0, { channelMax: 2047, frameMax: 131_072, heartbeat: 0 }),
    ),
  )
  await call(methods.writeConnectionOpen(0, { vhost: "/" }))
  await call(methods.writeChannelOpen(1))
  return socket
}

async function main(): Promise<void> {
  const [portText, kind, secondsText] = process.argv.slice(2)
  const socket = await open(Number(portText))
  // Nobody has bound a queue there: what is measured is the way in.
  const publish = encodePublish(1, { exchange: "amq.fanout", routingKey: "bench", body: BODY })
  const parts = kind === "frame" ? framesOf(publish) : [publish]
  const one = Buffer.concat(parts.map(webSocketMessage))
  const many = Buffer.concat(Array.from({ length: PUBLISHES_PER_WRITE }, () => one))
  const startMs = performance.now()
  let count = 0
  while (performance.now() - startMs < Number(secondsText) * 1000) {
    count += PUBLISHES_PER_WRITE
    if (!socket.write(many)) await once(socket, "drain")
  }
  const reply = once(socket, "data")
  socket.write(
    webSocketMessage(
      methods.writeBasicQos(1, { prefetchSize: 0, prefetchCount: 1, global: false }),
    ),
  )
  await reply
  console.log(`${(count / ((performance.now() - startMs) / 1000)).toFixed(0)} messages/s`)
  process.exit(0)
}

await main()
