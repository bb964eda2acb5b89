import { formatReplyText, ProtocolError } from "../amqp/errors.ts"
import { FrameCarry } from "../amqp/frame-carry.ts"
import {
  FRAME_BODY,
  FRAME_END,
  FRAME_HEADER,
  FRAME_HEADER_SIZE,
  FRAME_HEARTBEAT,
  FRAME_METHOD,
  FRAME_OVERHEAD,
  HEARTBEAT_FRAME,
} from "../amqp/frames.ts"
import {
  BASIC_DELIVER,
  CONNECTION_BLOCKED,
  CONNECTION_CLOSE,
  CONNECTION_CLOSE_OK,
  CONNECTION_UNBLOCKED,
  CONNECTION_UPDATE_SECRET_OK,
  METHOD_NAMES,
  readConnectionBlocked,
  readConnectionClose,
  writeConnectionClose,
  writeConnectionCloseOk,
  writeConnectionUpdateSecret,
} from "../amqp/generated/methods.ts"
import { Heartbeat } from "../amqp/heartbeat.ts"
import { AmqpReader } from "../amqp/reader.ts"
import { EMPTY_TABLE } from "../amqp/table.ts"
import type { Table } from "../amqp/table.ts"
import type { Chunk } from "../util/bytes.ts"
import type { Clock, TimerHandle } from "../util/clock.ts"
import { Calls } from "./calls.ts"
import { ClientChannel } from "./channel.ts"
import type { ChannelOwner } from "./channel.ts"
import { ClientError, messageOf } from "./errors.ts"
import { Handshake } from "./handshake.ts"
import {
  CALL_TIMEOUT_MS,
  CLOSE_TIMEOUT_MS,
  CONNECT_TIMEOUT_MS,
  FRAME_MAX,
  MESSAGE_SIZE_MAX,
} from "./options.ts"
import type { ConnectOptions } from "./options.ts"
import { Output, OUTPUT_HARD_BYTES } from "./output.ts"
import type { OutputPool } from "./output.ts"
import type { ClientTransport, Dialer } from "./transport.ts"

/**
 * One connection to a server: cuts received bytes into frames, hands them to the handshake and the
 * channels, watches heartbeats and replies that do not come, and tells everybody when it ends. Whatever
 * the server sends, it ends in one ClientError at most; nothing is thrown at the transport.
 */
const STARTING = 0
const OPEN = 1
/** connection.close was sent: only its reply counts. */
const CLOSING = 2
const CLOSED = 3

const TICK_MS = 1000

export class ClientConnection implements ChannelOwner {
  /** Once, when the connection has ended; null if this side closed it. */
  onClosed: ((error: ClientError | null) => void) | null = null
  /** The server takes no publishes for now (an alarm), and takes them again. */
  onBlocked: ((reason: string) => void) | null = null
  onUnblocked: (() => void) | null = null
  readonly output: Output
  readonly clock: Clock
  isBlocked = false
  blockedReason = ""
  frameMax = FRAME_MAX
  channelMax = 0
  heartbeatSeconds = 0
  serverProperties: Table = EMPTY_TABLE
  readonly #options: ConnectOptions
  readonly #transport: ClientTransport
  readonly #carry = new FrameCarry()
  readonly #heartbeat: Heartbeat
  readonly #channels: (ClientChannel | undefined)[] = []
  #freeIds: number[] = []
  #draining: ClientChannel[] = []
  readonly #calls: Calls
  readonly #opened: PromiseWithResolvers<void> = Promise.withResolvers()
  readonly #ended: PromiseWithResolvers<void> = Promise.withResolvers()
  #handshake: Handshake | null
  #state = STARTING
  #error: ClientError | null = null
  #timer: TimerHandle | null = null
  #isPaused = false
  /** Replies are waited for since then at the earliest. */
  #waitsFromMs = 0
  #sentBytes = 0

  #hasReceived = false

  /** Dials at once; `opened` says how that went. */
  constructor(options: ConnectOptions, dialer: Dialer, clock: Clock, pool: OutputPool) {
    this.#options = options
    this.clock = clock
    this.#calls = new Calls(clock)
    this.#heartbeat = new Heartbeat(clock.nowMs)
    this.#handshake = new Handshake(options, (bytes) => this.output.writeBytes(bytes))
    this.#opened.promise.catch(() => {}) // Whoever is interested asks for it.
    const timeoutMs = options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS
    this.#timer = clock.setTimer(timeoutMs, () => {
      const seconds = String(timeoutMs / 1000)
      this.#fail(new ClientError("timeout", `${place(options)}: not connected after ${seconds} s`))
    })
    const tls = options.tls ?? null
    this.#transport = dialer.dial(
      {
        host: options.host ?? "",
        port: options.port ?? (tls === null ? 5672 : 5671),
        tls,
        ...(options.socketPath === undefined ? {} : { socketPath: options.socketPath }),
        ...(options.localAddress === undefined ? {} : { localAddress: options.localAddress }),
        ...(options.keepAliveMs === undefined ? {} : { keepAliveMs: options.keepAliveMs }),
      },
      {
        onOpen: () => this.#handshake?.start(),
        onChunk: (chunk, size) => this.#onChunk(chunk, size),
        onClosed: (error) => this.#lost(error),
      },
    )
    this.output = new Output(this.#transport, pool, clock, () => this.#drainAll())
  }

  get opened(): Promise<void> {
    return this.#opened.promise
  }

  get isOpen(): boolean {
    return this.#state === OPEN
  }

  /** Why it ended; null if it is open or this side closed it. */
  get error(): ClientError | null {
    return this.#error
  }

  async openChannel(): Promise<ClientChannel> {
    if (this.#state !== OPEN) throw this.#closedError()
    const id = this.#freeIds.pop() ?? Math.max(1, this.#channels.length)
    if (id > this.channelMax) {
      throw new ClientError("usage", `all ${String(this.channelMax)} channels are in use`)
    }
    const channel = new ClientChannel(id, this, this.#options.messageSizeMax ?? MESSAGE_SIZE_MAX)
    this.#channels[id] = channel
    await channel.open()
    return channel
  }

  /** Stops reading. What was received already is still delivered: up to 128 KiB. Replies wait as well. */
  pause(): void {
    if (this.#isPaused || this.#state !== OPEN) return
    this.#isPaused = true
    this.#transport.pause()
  }

  resume(): void {
    if (!this.#isPaused) return
    this.#isPaused = false
    this.clock.refresh()
    this.#waitsFromMs = this.clock.nowMs
    if (this.#state === OPEN) this.#transport.resume()
  }

  get isPaused(): boolean {
    return this.#isPaused
  }

  /** New credentials for servers whose tokens expire. */
  updateSecret(secret: string, reason = ""): Promise<void> {
    if (this.#state !== OPEN) return Promise.reject(this.#closedError())
    return this.#calls.add([CONNECTION_UPDATE_SECRET_OK], () =>
      this.output.writeBytes(
        writeConnectionUpdateSecret(0, { newSecret: Buffer.from(secret, "utf8"), reason }),
      ),
    )
  }

  /** Sends what was written, says goodbye and waits for the answer, at most ten seconds. Never rejects. */
  close(replyText = "", replyCode = 200): Promise<void> {
    if (this.#state === OPEN) {
      this.resume()
      this.#sendClose(replyCode, replyText)
      this.output.flush(true)
      this.#state = CLOSING
      this.#timer?.cancel()
      this.#timer = this.clock.setTimer(CLOSE_TIMEOUT_MS, () => this.#end(null, false))
    } else if (this.#state === STARTING) this.destroy()
    return this.#ended.promise
  }

  /** Closes at once, without a word to the server. */
  destroy(): void {
    this.#end(null, false)
  }

  // ---- for the channels

  noteDrain(channel: ClientChannel): void {
    if (!this.#draining.includes(channel)) this.#draining.push(channel)
  }

  release(channel: ClientChannel): void {
    this.#channels[channel.id] = undefined
    this.#freeIds.push(channel.id)
  }

  // ---- receiving

  #onChunk(chunk: Chunk, size: number): void {
    if (this.#state === CLOSED) return
    this.clock.refresh()
    this.#heartbeat.received(this.clock.nowMs)
    this.output.isReceiving = true
    try {
      this.#receive(chunk, size)
      if (this.#draining.length > 0) this.#drainNoted()
      // Publishers are refused before; acknowledgements and replies may go on and on.
      if (this.output.pendingBytes > 2 * OUTPUT_HARD_BYTES + this.output.largestSize)
        this.#fail(new ClientError("timeout", "the server does not read what is sent to it"))
    } catch (error) {
      this.#fault(error)
    }
    this.output.isReceiving = false
    // Not at the end of the turn: the server may be waiting for what these bytes have set off.
    this.output.flush()
  }

  #receive(chunk: Chunk, end: number): void {
    let offset = 0
    const carry = this.#carry
    if (!this.#hasReceived) {
      this.#hasReceived = true
      checkFirstByte(chunk.view.getUint8(0))
    }
    if (carry.used > 0) {
      offset = carry.complete(chunk, 0, end, this.frameMax)
      if (carry.isWhole(this.frameMax)) {
        const { used } = carry
        carry.used = 0
        this.#parseFrames(carry.chunk, 0, used)
        carry.clear()
      }
    }
    if (offset < end) offset = this.#parseFrames(chunk, offset, end)
    if (offset < end && this.#state !== CLOSED) carry.add(chunk, offset, end)
  }

  /** Parses whole frames; returns where the first one begins that is not whole. */
  #parseFrames(chunk: Chunk, start: number, end: number): number {
    const { view } = chunk
    let offset = start
    while (end - offset >= FRAME_HEADER_SIZE) {
      const size = view.getUint32(offset + 3)
      if (size > this.frameMax - FRAME_OVERHEAD)
        throw new ProtocolError(
          501,
          `frame of ${String(size + FRAME_OVERHEAD)} bytes, ${String(this.frameMax)} are allowed`,
        )
      const frameEnd = offset + FRAME_HEADER_SIZE + size
      if (frameEnd >= end) break
      if (view.getUint8(frameEnd) !== FRAME_END) throw new ProtocolError(501, "frame end missing")
      const type = view.getUint8(offset)
      const payload = offset + FRAME_HEADER_SIZE
      if (type === FRAME_METHOD && size >= 4 && this.#state === OPEN) {
        const channel = this.#channels[view.getUint16(offset + 1)]
        if (channel !== undefined && channel.isOpen && view.getUint32(payload) === BASIC_DELIVER) {
          const next = this.#parseDeliveries(channel, chunk, offset, frameEnd, end)
          if (next > 0) {
            offset = next
            continue
          }
        }
      }
      this.#onFrame(type, view.getUint16(offset + 1), chunk, payload, frameEnd)
      if (this.#state === CLOSED) return end
      offset = frameEnd + 1
    }
    return offset
  }

  /**
   * One delivery or many. Returns where they end, or `end` if a callback has ended the connection; 0 if the
   * frames must be taken one by one.
   */
  #parseDeliveries(
    channel: ClientChannel,
    chunk: Chunk,
    start: number,
    frameEnd: number,
    end: number,
  ): number {
    let next = channel.onRun(chunk, start, end)
    if (next === start) {
      next = channel.reader.readWhole(chunk, start + FRAME_HEADER_SIZE, frameEnd, end)
      if (next > 0) channel.onWholeDelivery(chunk, start, next)
    }
    return this.#state === CLOSED ? end : next
  }

  #onFrame(type: number, channelId: number, chunk: Chunk, start: number, end: number): void {
    if (type === FRAME_HEARTBEAT) return
    if (type !== FRAME_METHOD && type !== FRAME_HEADER && type !== FRAME_BODY)
      throw new ProtocolError(501, `unknown frame type ${String(type)}`)
    if (type === FRAME_METHOD && end - start < 4)
      throw new ProtocolError(501, "method frame without method id")
    if (channelId === 0) {
      if (type !== FRAME_METHOD) throw new ProtocolError(501, "content on channel 0")
      this.#onMethod(chunk.view.getUint32(start), chunk, start, end)
      return
    }
    if (this.#state === CLOSING) return
    const channel = this.#channels[channelId]
    if (this.#state !== OPEN || channel === undefined)
      throw new ProtocolError(504, `a frame for channel ${String(channelId)}, which is not open`)
    if (type === FRAME_METHOD) channel.onMethod(chunk.view.getUint32(start), chunk, start, end)
    else channel.onContent(type === FRAME_HEADER, chunk, start, end)
  }

  #onMethod(method: number, chunk: Chunk, start: number, end: number): void {
    const reader = new AmqpReader(chunk.bytes, start + 4, end)
    if (this.#handshake !== null) {
      this.#handshake.onMethod(method, reader)
      if (this.#handshake.isDone) this.#onOpen(this.#handshake)
      else if (this.#handshake.frameMax !== this.frameMax) this.frameMax = this.#handshake.frameMax
      return
    }
    if (method === CONNECTION_CLOSE_OK) {
      if (this.#state !== CLOSING) throw unexpected(method)
      this.#end(null)
    } else if (method === CONNECTION_CLOSE) this.#closedByServer(reader)
    else if (this.#state === CLOSING) return
    else if (method === CONNECTION_BLOCKED) this.#block(readConnectionBlocked(reader).reason)
    else if (method === CONNECTION_UNBLOCKED) this.#unblock()
    else if (this.#calls.expects(method)) this.#calls.resolve(undefined)
    else throw unexpected(method)
  }

  #onOpen(handshake: Handshake): void {
    this.#handshake = null
    this.#state = OPEN
    this.frameMax = handshake.frameMax
    this.channelMax = handshake.channelMax
    this.heartbeatSeconds = handshake.heartbeatSeconds
    this.#heartbeat.seconds = handshake.heartbeatSeconds
    this.#heartbeat.sent(this.clock.nowMs)
    this.serverProperties = handshake.serverProperties
    this.#timer?.cancel()
    this.#startTicking()
    this.#opened.resolve()
  }

  #block(reason: string): void {
    this.isBlocked = true
    this.blockedReason = reason
    this.onBlocked?.(reason)
  }

  #unblock(): void {
    this.isBlocked = false
    this.blockedReason = ""
    this.#waitsFromMs = this.clock.nowMs
    this.onUnblocked?.()
    for (const channel of this.#channels) if (channel?.needsDrain === true) this.noteDrain(channel)
  }

  #drainNoted(): void {
    const channels = this.#draining
    this.#draining = []
    for (const channel of channels) channel.drain()
  }

  /** The output has room again. Called by the transport: what a callback throws ends the connection. */
  #drainAll(): void {
    try {
      for (const channel of this.#channels) channel?.drain()
    } catch (error) {
      this.#fault(error)
    }
  }

  // ---- time

  #startTicking(): void {
    const heartbeatMs = this.heartbeatSeconds * 1000
    const delayMs = heartbeatMs === 0 ? TICK_MS : Math.min(TICK_MS, heartbeatMs / 4)
    this.#timer = this.clock.setTimer(delayMs, () => {
      this.clock.refresh()
      if (this.#state === OPEN) this.#tick(this.clock.nowMs)
      if (this.#state === OPEN) this.#startTicking()
    })
  }

  #tick(nowMs: number): void {
    const heartbeat = this.#heartbeat
    if (this.output.totalBytes !== this.#sentBytes) {
      this.#sentBytes = this.output.totalBytes
      heartbeat.sent(nowMs)
    }
    if (this.#isPaused) heartbeat.received(nowMs) // Nothing is heard because nobody listens.
    if (heartbeat.isDue(nowMs)) {
      this.output.writeBytes(HEARTBEAT_FRAME)
      heartbeat.sent(nowMs)
    }
    const seconds = String(this.heartbeatSeconds)
    if (heartbeat.isPeerDead(nowMs)) {
      this.#fail(
        new ClientError("heartbeat", `nothing heard for two heartbeats of ${seconds} s each`),
      )
      // A server that blocks a connection may not read from it at all (RabbitMQ), as long as the alarm lasts.
    } else if (!this.#isPaused && !this.isBlocked) this.#checkCalls(nowMs)
  }

  #checkCalls(nowMs: number): void {
    const limitMs = this.#options.callTimeoutMs ?? CALL_TIMEOUT_MS
    if (limitMs === 0) return
    let oldestMs = this.#calls.oldestSinceMs ?? nowMs
    for (const channel of this.#channels) {
      const sinceMs = channel?.waitsSinceMs ?? null
      if (sinceMs !== null && sinceMs < oldestMs) oldestMs = sinceMs
    }
    if (nowMs - Math.max(oldestMs, this.#waitsFromMs) <= limitMs) return
    this.#fail(new ClientError("timeout", `no reply after ${String(limitMs / 1000)} s`))
  }

  // ---- the end

  #closedByServer(reader: AmqpReader): void {
    const close = readConnectionClose(reader)
    const method = METHOD_NAMES.get((close.classId << 16) | close.methodId) ?? ""
    const reply = { code: close.replyCode, text: close.replyText, method }
    const text = `${String(close.replyCode)} ${close.replyText}`
    this.output.writeBytes(writeConnectionCloseOk(0))
    this.output.flush(true)
    this.#end(
      this.#state === CLOSING ? null : new ClientError("connection-closed", text, { reply }),
    )
  }

  /** The transport is closed. */
  #lost(cause: Error | null): void {
    if (this.#state === CLOSED) {
      this.#timer?.cancel()
      return
    }
    if (this.#state === CLOSING) {
      this.#end(null)
      return
    }
    const text = cause === null ? "closed by the server without a word" : cause.message
    const options = { cause }
    if (this.#handshake === null)
      this.#end(new ClientError("connection-lost", `connection lost: ${text}`, options))
    else if (cause !== null)
      this.#end(new ClientError("connect", `${place(this.#options)}: ${text}`, options))
    else
      this.#end(new ClientError("connect", `${place(this.#options)}: ${this.#handshake.lossHint}`))
  }

  /** Something threw while received bytes were worked through. */
  #fault(error: unknown): void {
    if (this.#state === CLOSED) return
    if (error instanceof ProtocolError) {
      const wasOpen = this.#state === OPEN
      if (wasOpen) this.#sendClose(error.code, error.message)
      const where = wasOpen ? "" : `${place(this.#options)}: `
      this.#fail(
        new ClientError("protocol", `${where}${error.replyText}`, { cause: error }),
        wasOpen,
      )
    } else if (error instanceof ClientError && this.#state !== OPEN) {
      this.#end(error)
    } else {
      if (this.#state === OPEN) this.#sendClose(541, "a callback of the client failed")
      const text = `a callback failed: ${messageOf(error)}`
      this.#fail(new ClientError("callback", text, { cause: error }), true)
    }
  }

  #sendClose(code: number, text: string): void {
    const replyText = code === 200 ? text.slice(0, 60) : formatReplyText(code, text)
    this.output.writeBytes(
      writeConnectionClose(0, { replyCode: code, replyText, classId: 0, methodId: 0 }),
    )
  }

  #fail(error: ClientError, sayGoodbye = false): void {
    if (sayGoodbye) this.output.flush(true)
    this.#end(error, sayGoodbye)
  }

  /** The one place where a connection ends. */
  #end(error: ClientError | null, isGraceful = true): void {
    if (this.#state === CLOSED) return
    const wasStarting = this.#state === STARTING
    this.#state = CLOSED
    this.#error = error
    this.#timer?.cancel()
    if (!wasStarting && isGraceful && error?.kind !== "connection-lost") this.#endTransport()
    else this.#transport.destroy()
    this.output.close()
    const reason = this.#closedError()
    if (wasStarting) this.#opened.reject(reason)
    this.#calls.reject(reason)
    for (const channel of this.#channels)
      this.#tell(() => channel?.fail(error === null ? null : reason))
    this.#tell(() => this.onClosed?.(error))
    this.#ended.resolve()
  }

  /** Lets the goodbye out, and does not wait for ever for the other side to close. */
  #endTransport(): void {
    this.#transport.end()
    this.#timer = this.clock.setTimer(CLOSE_TIMEOUT_MS, () => this.#transport.destroy())
  }

  /** A callback that throws must not keep the others from being told. */
  #tell(callback: () => void): void {
    try {
      callback()
    } catch (error) {
      this.clock.setImmediate(() => {
        throw error
      })
    }
  }

  #closedError(): ClientError {
    return this.#error ?? new ClientError("closed", "the connection is closed")
  }
}

/** Whatever listens there may not speak AMQP at all. */
function checkFirstByte(byte: number): void {
  if (byte === FRAME_METHOD) return
  if (byte === 0x41) throw new ProtocolError(501, "the server speaks another version of AMQP")
  throw new ProtocolError(501, "the server does not speak AMQP 0-9-1")
}

function unexpected(method: number): ProtocolError {
  return new ProtocolError(503, `unexpected ${METHOD_NAMES.get(method) ?? "method"}`)
}

function place(options: ConnectOptions): string {
  if (options.socketPath !== undefined) return options.socketPath
  const host = options.host === undefined || options.host === "" ? "localhost" : options.host
  const port = options.port ?? ((options.tls ?? null) === null ? 5672 : 5671)
  return host.includes(":") ? `[${host}]:${String(port)}` : `${host}:${String(port)}`
}
