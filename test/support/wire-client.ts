/**
 * A client that speaks frames and hides nothing: each step of the handshake can be left out or bent,
 * each byte can be sent as one likes. It checks what it receives (frame ends, frame-max, order of
 * content frames) and every wait is bounded, with a message that says what came instead.
 *
 * Received methods wait per connection in order of arrival; a wait on one channel leaves those of the others alone.
 */
import assert from "node:assert/strict"
import { connect as connectSocket, type Socket } from "node:net"
import { decodeProperties, type BasicProperties } from "../../src/amqp/properties.ts"
import { encodePublish, type PublishOptions } from "../../src/amqp/content.ts"
import * as frames from "../../src/amqp/frames.ts"
import type { MethodArguments } from "../../src/amqp/generated/methods.ts"
import { tableFromPlain, type PlainRecord } from "../../src/amqp/table.ts"
import { within } from "./eventually.ts"
import {
  hasContent,
  methodFrame,
  methodId,
  parseMethod,
  type Frame,
  type MethodName,
} from "./wire-frames.ts"

const WAIT_MS = 10_000

export interface HandshakeOptions {
  readonly user?: string
  readonly password?: string
  readonly vhost?: string
  readonly channelMax?: number
  readonly frameMax?: number
  readonly heartbeat?: number
  /** Client capabilities; by default those that well-known clients announce. */
  readonly capabilities?: PlainRecord
  /** What the client says it is. */
  readonly product?: string
}

export interface CloseExpectation {
  readonly code: number
  readonly text?: string | RegExp
  /** The method the close must blame; null for class 0, method 0. */
  readonly method?: MethodName | null
}

interface Received {
  readonly channel: number
  readonly name: MethodName
  readonly args: Record<string, unknown>
  properties: BasicProperties
  /** Property flags and fields as they came. */
  propertyBytes: Buffer
  body: Buffer
  /** Payload sizes of the body frames. */
  readonly bodyFrames: number[]
}

export type ReceivedMethod<N extends MethodName> = MethodArguments[N] &
  Pick<Received, "properties" | "propertyBytes" | "body" | "bodyFrames">

const CAPABILITIES: PlainRecord = {
  publisher_confirms: true,
  exchange_exchange_bindings: true,
  "basic.nack": true,
  consumer_cancel_notify: true,
  "connection.blocked": true,
  authentication_failure_close: true,
}

export class WireClient {
  /** Counts received heartbeats; they are never queued. */
  heartbeatCount = 0
  /** Negotiated; received frames may not be larger. 0 = unlimited. */
  frameMax = 0
  readonly #socket: Socket
  readonly #received: Received[] = []
  /** Bytes of a server that answers with a protocol header instead of frames. */
  #rawBytes = Buffer.alloc(0)
  readonly #incomplete = new Map<number, { message: Received; size: number }>()
  #tail: Buffer = Buffer.alloc(0)
  #isClosed = false
  #failure: Error | null = null
  #wake: () => void = () => {}

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.setNoDelay(true)
    socket.on("data", (bytes: Buffer) => this.#onData(bytes))
    socket.on("error", () => {}) // A reset shows as a close.
    socket.on("close", () => {
      this.#isClosed = true
      this.#wake()
    })
  }

  /** A TCP connection on which nothing was sent yet. */
  static async connect(port: number, host = "127.0.0.1"): Promise<WireClient> {
    const socket = connectSocket({ port, host })
    await within(
      new Promise<void>((resolve, reject) => {
        socket.once("connect", resolve)
        socket.once("error", reject)
      }),
      "connect",
      WAIT_MS,
    )
    return new WireClient(socket)
  }

  /** On a connected socket of any kind. */
  static over(socket: Socket): WireClient {
    return new WireClient(socket)
  }

  /** Connects and shakes hands up to connection.open-ok. */
  static async open(port: number, options: HandshakeOptions = {}): Promise<WireClient> {
    return (await WireClient.connect(port)).shakeHands(options)
  }

  /** Up to connection.open-ok. */
  async shakeHands(options: HandshakeOptions = {}): Promise<WireClient> {
    this.sendHeader()
    await this.expect("connection.start")
    this.startOk(options)
    const tune = await this.expect("connection.tune")
    this.tuneOk({
      channelMax: options.channelMax ?? tune.channelMax,
      frameMax: options.frameMax ?? tune.frameMax,
      heartbeat: options.heartbeat ?? 0,
    })
    this.send("connection.open", 0, { vhost: options.vhost ?? "/" })
    await this.expect("connection.open-ok")
    return this
  }

  sendHeader(bytes = frames.PROTOCOL_HEADER): void {
    this.sendBytes(bytes)
  }

  startOk(options: HandshakeOptions = {}): void {
    const { user = "guest", password = "guest", capabilities = CAPABILITIES } = options
    const { product = "wire-client" } = options
    this.send("connection.start-ok", 0, {
      clientProperties: tableFromPlain({ product, capabilities }),
      mechanism: "PLAIN",
      response: Buffer.from(`\0${user}\0${password}`),
      locale: "en_US",
    })
  }

  tuneOk(args: MethodArguments["connection.tune-ok"]): void {
    this.frameMax = args.frameMax
    this.send("connection.tune-ok", 0, args)
  }

  async openChannel(channel: number): Promise<void> {
    await this.call("channel.open", channel)
  }

  sendBytes(bytes: Buffer): void {
    this.#socket.write(bytes)
  }

  /** Sends every byte in a segment of its own, as far as the system lets it. */
  async sendByteWise(bytes: Buffer): Promise<void> {
    for (const octet of bytes)
      await new Promise<void>((resolve) => {
        this.#socket.write(Buffer.from([octet]), () => setImmediate(resolve))
      })
  }

  send<N extends MethodName>(name: N, channel = 0, args: Partial<MethodArguments[N]> = {}): void {
    this.sendBytes(methodFrame(name, channel, args))
  }

  publish(channel: number, options: PublishOptions): void {
    this.sendBytes(encodePublish(channel, options, this.frameMax))
  }

  /** Sends a method and waits for its `-ok`. */
  async call<N extends MethodName, R extends MethodName = `${N}-ok` & MethodName>(
    name: N,
    channel = 0,
    args: Partial<MethodArguments[N]> = {},
  ): Promise<ReceivedMethod<R>> {
    this.send(name, channel, args)
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    return this.expect(`${name}-ok` as R, channel)
  }

  /** The next method on the channel, which must be this one. */
  async expect<N extends MethodName>(name: N, channel = 0): Promise<ReceivedMethod<N>> {
    const message = await this.next(channel, name)
    if (message.name !== name)
      assert.fail(`expected ${name} on channel ${channel}, got ${describe(message)}`)
    const { args, properties, propertyBytes, body, bodyFrames } = message
    // parseMethod and MethodArguments come from the same table.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    return { ...args, properties, propertyBytes, body, bodyFrames } as ReceivedMethod<N>
  }

  /** The next method on the channel, whichever it is. */
  async next(channel: number, awaited = "a method"): Promise<Received> {
    return this.#wait(`${awaited} on channel ${channel}`, () => {
      const index = this.#received.findIndex((message) => message.channel === channel)
      if (index >= 0) return this.#received.splice(index, 1)[0]
      const close = this.#received.find(({ name }) => name === "connection.close")
      if (close !== undefined) assert.fail(`expected ${awaited}, got ${describe(close)}`)
      return undefined
    })
  }

  /** The channel closes for this reason; answers with close-ok. */
  async expectChannelClose(channel: number, wanted: CloseExpectation): Promise<void> {
    checkClose(await this.expect("channel.close", channel), wanted)
    this.send("channel.close-ok", channel)
  }

  /** The connection closes for this reason; answers with close-ok and waits for the end of the socket. */
  async expectConnectionClose(wanted: CloseExpectation): Promise<void> {
    checkClose(await this.expect("connection.close"), wanted)
    this.send("connection.close-ok")
    await this.expectClosed()
  }

  /** The server closes the socket without another method. */
  async expectClosed(): Promise<void> {
    const closed = await this.#wait(
      "the end of the connection",
      () => this.#received[0] ?? (this.#isClosed ? null : undefined),
    )
    if (closed !== null) assert.fail(`expected the end of the connection, got ${describe(closed)}`)
  }

  /** The server answers with these bytes instead of a frame, then closes. */
  async expectBytesAndClose(bytes: Buffer): Promise<void> {
    await this.#wait("the end of the connection", () => (this.#isClosed ? true : undefined))
    assert.deepEqual(Buffer.concat([this.#rawBytes, this.#tail]), bytes)
  }

  /**
   * Nothing more arrives on the channel. Two round trips: what was sent before the first was handled
   * in an earlier turn of the broker than the second, and all it causes was sent before that reply.
   */
  async expectQuiet(channel: number): Promise<void> {
    for (let i = 0; i < 2; i++) await this.call("channel.flow", channel, { active: true })
  }

  /** Orderly end. */
  async close(): Promise<void> {
    await this.call("connection.close", 0, { replyCode: 200, replyText: "bye" })
    await this.expectClosed()
  }

  /** TCP reset, as if the client had crashed. */
  async reset(): Promise<void> {
    this.#socket.resetAndDestroy()
    await this.#wait("the reset", () => (this.#isClosed ? true : undefined))
  }

  /** For the end of a test: closes whatever state the connection is in. */
  destroy(): void {
    this.#socket.destroy()
  }

  /** Stops reading the socket, as a slow client does. */
  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  async #wait<T>(what: string, take: () => T | undefined): Promise<T> {
    const endMs = performance.now() + WAIT_MS
    for (;;) {
      if (this.#failure !== null) throw this.#failure
      const found = take()
      if (found !== undefined) return found
      if (this.#isClosed) assert.fail(`the connection ended while waiting for ${what}`)
      const changed = new Promise<void>((resolve) => (this.#wake = resolve))
      await within(changed, what, endMs - performance.now())
    }
  }

  #onData(bytes: Buffer): void {
    try {
      this.#parse(Buffer.concat([this.#tail, bytes]))
    } catch (error) {
      this.#failure = error instanceof Error ? error : new Error(String(error))
    }
    this.#wake()
  }

  #parse(bytes: Buffer): void {
    let at = 0
    if (bytes.subarray(0, 4).toString("latin1") === "AMQP") {
      this.#rawBytes = Buffer.concat([this.#rawBytes, bytes.subarray(0, 8)])
      at = 8
    }
    while (bytes.length - at >= frames.FRAME_OVERHEAD) {
      const size = bytes.readUInt32BE(at + 3)
      if (this.frameMax > 0)
        assert.ok(size + frames.FRAME_OVERHEAD <= this.frameMax, "received frame above frame-max")
      const end = at + frames.FRAME_HEADER_SIZE + size
      if (end >= bytes.length) break
      assert.equal(bytes[end], frames.FRAME_END, "end octet of a received frame")
      this.#onFrame({
        type: bytes.readUInt8(at),
        channel: bytes.readUInt16BE(at + 1),
        payload: bytes.subarray(at + frames.FRAME_HEADER_SIZE, end),
      })
      at = end + 1
    }
    this.#tail = bytes.subarray(at)
  }

  #onFrame({ type, channel, payload }: Frame): void {
    const incomplete = this.#incomplete.get(channel)
    if (type === frames.FRAME_HEARTBEAT) {
      assert.equal(channel, 0, "channel of a heartbeat")
      assert.equal(payload.length, 0, "payload of a heartbeat")
      this.heartbeatCount++
    } else if (type === frames.FRAME_METHOD) {
      assert.equal(incomplete, undefined, "a method frame within the content of another")
      this.#onMethod(channel, payload)
    } else {
      assert.ok(incomplete !== undefined, `content frame ${type} without a method`)
      this.#onContent(type, payload, incomplete)
    }
  }

  #onMethod(channel: number, payload: Buffer): void {
    const method = parseMethod(payload)
    assert.ok(method !== null, `unknown method ${payload.subarray(0, 4).toString("hex")}`)
    const message: Received = {
      channel,
      ...method,
      properties: {},
      propertyBytes: Buffer.alloc(0),
      body: Buffer.alloc(0),
      bodyFrames: [],
    }
    if (hasContent(method.name)) this.#incomplete.set(channel, { message, size: -1 })
    else this.#received.push(message)
  }

  #onContent(type: number, payload: Buffer, incomplete: { message: Received; size: number }): void {
    const { message } = incomplete
    if (incomplete.size < 0) {
      assert.equal(type, frames.FRAME_HEADER, "frame type after a method with content")
      assert.equal(payload.readUInt16BE(0), frames.CLASS_BASIC, "class of a content header")
      assert.equal(payload.readUInt16BE(2), 0, "weight of a content header")
      incomplete.size = Number(payload.readBigUInt64BE(4))
      message.propertyBytes = Buffer.from(payload.subarray(frames.CONTENT_HEADER_FIXED_SIZE))
      message.properties = decodeProperties(message.propertyBytes)
    } else {
      assert.equal(type, frames.FRAME_BODY, "frame type within a body")
      message.body = Buffer.concat([message.body, payload])
      message.bodyFrames.push(payload.length)
      assert.ok(message.body.length <= incomplete.size, "more body than announced")
    }
    if (message.body.length < incomplete.size) return
    this.#incomplete.delete(message.channel)
    this.#received.push(message)
  }
}

function checkClose(
  close: MethodArguments["connection.close"],
  { code, text, method }: CloseExpectation,
): void {
  const shown = `${close.replyCode} "${close.replyText}"`
  assert.equal(close.replyCode, code, `reply code: ${shown}`)
  if (typeof text === "string") assert.equal(close.replyText, text)
  else if (text !== undefined) assert.match(close.replyText, text)
  if (method === undefined) return
  const id = method === null ? 0 : methodId(method)
  assert.deepEqual(
    [close.classId, close.methodId],
    [id >>> 16, id & 0xffff],
    `class and method of ${shown}`,
  )
}

function describe({ name, channel, args }: Received): string {
  return `${name} on channel ${channel} ${JSON.stringify(args, (_, value: unknown) =>
    typeof value === "bigint" ? String(value) : value,
  )}`
}
