/**
 * The load of rpc.ts, a program: `node bench/features/rpc-load.ts port requesters seconds`. Prints
 * one line, `12345 round trips/s`.
 */
import { connect, type Socket } from "node:net"
import { encodePublish } from "../../src/amqp/content.ts"
import * as frames from "../../src/amqp/frames.ts"
import * as methods from "../../src/amqp/generated/methods.ts"
import { decodeProperties } from "../../src/amqp/properties.ts"
import { EMPTY_TABLE } from "../../src/amqp/table.ts"

const QUEUE = "rpc"
const BODY = Buffer.alloc(16, "x")

type OnFrame = (type: number, payload: Buffer) => void

/** Frames in, bytes out: written once per received chunk. */
class Client {
  onFrame: OnFrame = () => {}
  readonly #socket: Socket
  #tail = Buffer.alloc(0)
  #out: Buffer[] = []
  #isReceiving = false

  constructor(socket: Socket) {
    this.#socket = socket
    socket.setNoDelay(true)
    socket.on("data", (bytes: Buffer) => this.#receive(bytes))
  }

  send(bytes: Buffer): void {
    this.#out.push(bytes)
    if (!this.#isReceiving) this.#flush()
  }

  /** The payload of the next method frame. */
  next(): Promise<Buffer> {
    return new Promise((resolve) => {
      this.onFrame = (type, payload) => {
        if (type === frames.FRAME_METHOD) resolve(Buffer.from(payload))
      }
    })
  }

  call(bytes: Buffer): Promise<Buffer> {
    const reply = this.next()
    this.send(bytes)
    return reply
  }

  #receive(bytes: Buffer): void {
    const all = this.#tail.length === 0 ? bytes : Buffer.concat([this.#tail, bytes])
    this.#isReceiving = true
    let at = 0
    while (all.length - at >= frames.FRAME_OVERHEAD) {
      const end = at + frames.FRAME_HEADER_SIZE + all.readUInt32BE(at + 3)
      if (end >= all.length) break
      this.onFrame(all.readUInt8(at), all.subarray(at + frames.FRAME_HEADER_SIZE, end))
      at = end + 1
    }
    this.#tail = Buffer.from(all.subarray(at))
    this.#isReceiving = false
    this.#flush()
  }

  #flush(): void {
    if (this.#out.length === 0) return
    this.#socket.write(this.#out.length === 1 ? this.#out[0]! : Buffer.concat(this.#out))
    this.#out = []
  }
}

async function open(port: number): Promise<Client> {
  const socket = connect({ port, host: "127.0.0.1" })
  const client = new Client(socket)
  await client.call(frames.PROTOCOL_HEADER)
  await client.call(
    methods.writeConnectionStartOk(0, {
      clientProperties: EMPTY_TABLE,
      mechanism: "PLAIN",
      response: Buffer.from("\0guest\0guest"),
      locale: "en_US",
    }),
  )
  client.send(
    methods.writeConnectionTuneOk(0, { channelMax: 2047, frameMax: 131_072, heartbeat: 0 }),
  )
  await client.call(methods.writeConnectionOpen(0, { vhost: "/" }))
  await client.call(methods.writeChannelOpen(1))
  return client
}

function consume(client: Client, queue: string): Promise<Buffer> {
  return client.call(
    methods.writeBasicConsume(1, {
      queue,
      consumerTag: "",
      noLocal: false,
      noAck: true,
      exclusive: false,
      nowait: false,
      arguments: EMPTY_TABLE,
    }),
  )
}

async function startResponder(port: number): Promise<void> {
  const client = await open(port)
  await client.call(
    methods.writeQueueDeclare(1, {
      queue: QUEUE,
      passive: false,
      durable: false,
      exclusive: false,
      autoDelete: false,
      nowait: false,
      arguments: EMPTY_TABLE,
    }),
  )
  await consume(client, QUEUE)
  client.onFrame = (type, payload) => {
    if (type !== frames.FRAME_HEADER) return
    const properties = payload.subarray(frames.CONTENT_HEADER_FIXED_SIZE)
    const { replyTo = "", correlationId = "" } = decodeProperties(properties)
    client.send(
      encodePublish(1, { routingKey: replyTo, properties: { correlationId }, body: BODY }),
    )
  }
}

async function main(): Promise<void> {
  const [port = 0, requesters = 1, seconds = 1] = process.argv.slice(2).map(Number)
  await startResponder(port)
  const request = encodePublish(1, {
    routingKey: QUEUE,
    properties: { replyTo: "amq.rabbitmq.reply-to", correlationId: "1" },
    body: BODY,
  })
  let count = 0
  for (let i = 0; i < requesters; i++) {
    const client = await open(port)
    await consume(client, "amq.rabbitmq.reply-to")
    client.onFrame = (type) => {
      if (type !== frames.FRAME_BODY) return
      count++
      client.send(request)
    }
    client.send(request)
  }
  const startMs = performance.now()
  count = 0
  setTimeout(() => {
    const perSecond = count / ((performance.now() - startMs) / 1000)
    console.log(`${perSecond.toFixed(0)} round trips/s`)
    process.exit(0)
  }, seconds * 1000)
}

await main()
