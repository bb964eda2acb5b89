/**
 * The least that a load generator needs to believe in a broker: it answers the handshake and the
 * methods that want a reply, counts publishes, and does nothing else. What remains is the cost of
 * node:net and of walking the frames, which no broker on the same machine can beat. No session, no
 * routing, no limits; bench/ceiling.ts and bench/echo.ts choose what happens after the handshake.
 */
import { createServer } from "node:net"
import type { Socket } from "node:net"
import { FRAME_HEADER_SIZE, FRAME_METHOD, FRAME_OVERHEAD } from "../src/amqp/frames.ts"
import {
  BASIC_CONSUME,
  BASIC_PUBLISH,
  BASIC_QOS,
  CHANNEL_OPEN,
  CONFIRM_SELECT,
  CONNECTION_OPEN,
  CONNECTION_START_OK,
  QUEUE_DECLARE,
  writeBasicConsumeOk,
  writeBasicQosOk,
  writeChannelOpenOk,
  writeConfirmSelectOk,
  writeConnectionOpenOk,
  writeConnectionStart,
  writeConnectionTune,
  writeQueueDeclareOk,
} from "../src/amqp/generated/methods.ts"

const PROTOCOL_HEADER_SIZE = 8
const FRAME_MAX = 131_072

/** What happens once the generator has all it needs. */
export type StubKind = "count" | "echo"

/** Listens on a free port and prints it, as the benchmark's runner expects. */
export function serveStub(kind: StubKind): void {
  const server = createServer({ noDelay: true }, (socket) => {
    const connection = new StubConnection(socket, kind)
    socket.on("data", (chunk: Buffer) => connection.receive(chunk))
    socket.on("error", () => socket.destroy())
  })
  server.listen(0, "127.0.0.1", () => {
    const address = server.address()
    if (typeof address === "object" && address !== null)
      console.log(`stub listens on 127.0.0.1:${String(address.port)}`)
  })
  process.on("SIGTERM", () => process.exit(0))
}

class StubConnection {
  readonly #socket: Socket
  readonly #kind: StubKind
  /** An incomplete frame; grown until it is whole. */
  readonly #carry = Buffer.allocUnsafeSlow(FRAME_MAX + FRAME_OVERHEAD)
  #carrySize = 0
  #hasStarted = false
  #isEchoing = false
  publishedCount = 0

  constructor(socket: Socket, kind: StubKind) {
    this.#socket = socket
    this.#kind = kind
  }

  receive(chunk: Buffer): void {
    if (this.#isEchoing) {
      this.#socket.write(chunk)
      return
    }
    let start = 0
    if (!this.#hasStarted) {
      this.#hasStarted = true
      start = PROTOCOL_HEADER_SIZE
      this.#socket.write(
        writeConnectionStart(0, {
          versionMajor: 0,
          versionMinor: 9,
          serverProperties: new Map(),
          mechanisms: Buffer.from("PLAIN"),
          locales: Buffer.from("en_US"),
        }),
      )
    }
    while (this.#carrySize > 0 && start < chunk.length) start = this.#fillCarry(chunk, start)
    const end = this.#walk(chunk, start)
    if (end < chunk.length) {
      chunk.copy(this.#carry, 0, end)
      this.#carrySize = chunk.length - end
    }
  }

  /** Moves what the cut frame lacks from the chunk, first its header, then the rest. */
  #fillCarry(chunk: Buffer, start: number): number {
    const need =
      this.#carrySize < FRAME_HEADER_SIZE
        ? FRAME_HEADER_SIZE
        : this.#carry.readUInt32BE(3) + FRAME_OVERHEAD
    const size = Math.min(need - this.#carrySize, chunk.length - start)
    chunk.copy(this.#carry, this.#carrySize, start, start + size)
    this.#carrySize += size
    if (this.#carrySize < need || need === FRAME_HEADER_SIZE) return start + size
    const whole = this.#carry.subarray(0, this.#carrySize)
    this.#carrySize = 0
    this.#walk(whole, 0)
    return start + size
  }

  /** Walks the whole frames; returns where the first cut one starts. */
  #walk(chunk: Buffer, start: number): number {
    const view = new DataView(chunk.buffer, chunk.byteOffset, chunk.length)
    let cursor = start
    while (cursor + FRAME_OVERHEAD <= chunk.length) {
      const end = cursor + view.getUint32(cursor + 3) + FRAME_OVERHEAD
      if (end > chunk.length) break
      if (view.getUint8(cursor) === FRAME_METHOD) {
        const method = view.getUint32(cursor + FRAME_HEADER_SIZE)
        if (method === BASIC_PUBLISH) this.publishedCount++
        else this.#answer(method, view.getUint16(cursor + 1))
      }
      cursor = end
    }
    return cursor
  }

  #answer(method: number, channel: number): void {
    const socket = this.#socket
    switch (method) {
      case CONNECTION_START_OK:
        socket.write(
          writeConnectionTune(0, { channelMax: 2047, frameMax: FRAME_MAX, heartbeat: 0 }),
        )
        return
      case CONNECTION_OPEN:
        socket.write(writeConnectionOpenOk(0))
        return
      case CHANNEL_OPEN:
        socket.write(writeChannelOpenOk(channel))
        return
      case QUEUE_DECLARE:
        socket.write(
          writeQueueDeclareOk(channel, { queue: "load", messageCount: 0, consumerCount: 0 }),
        )
        return
      case BASIC_QOS:
        socket.write(writeBasicQosOk(channel))
        return
      case BASIC_CONSUME:
        socket.write(writeBasicConsumeOk(channel, { consumerTag: "c" }))
        return
      case CONFIRM_SELECT:
        socket.write(writeConfirmSelectOk(channel))
        this.#isEchoing = this.#kind === "echo"
        return
      default: // tune-ok and whatever wants no reply.
    }
  }
}
