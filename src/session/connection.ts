import { formatReplyText, frameTooLarge, ProtocolError } from "../amqp/errors.ts"
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
  BASIC_ACK,
  BASIC_NACK,
  BASIC_PUBLISH,
  BASIC_REJECT,
  CHANNEL_CLOSE,
  CHANNEL_CLOSE_OK,
  CHANNEL_OPEN,
  CONNECTION_CLOSE,
  CONNECTION_CLOSE_OK,
  isKnownMethod,
  readConnectionClose,
  writeChannelClose,
  writeConnectionBlocked,
  writeConnectionClose,
  writeConnectionCloseOk,
  writeConnectionUnblocked,
} from "../amqp/generated/methods.ts"
import type { ConnectionClose } from "../amqp/generated/methods.ts"
import { Heartbeat } from "../amqp/heartbeat.ts"
import { AmqpReader } from "../amqp/reader.ts"
import type { User } from "../auth/users.ts"
import type { Access } from "../broker/access.ts"
import type { Broker, BrokerSession, UnackedVisit } from "../broker/broker.ts"
import type { CommitFailure } from "../broker/commit-scope.ts"
import type { ConnectionState, InspectedConnection } from "../broker/inspection.ts"
import type { MessageQueue } from "../broker/queue/message-queue.ts"
import { Refusal } from "../broker/errors.ts"
import type { Vhost } from "../broker/vhost.ts"
import { IncomingMessage } from "../broker/message.ts"
import { Chunk } from "../util/bytes.ts"
import type { Clock } from "../util/clock.ts"
import { SETTLE_ACK, SETTLE_DROP, SETTLE_REQUEUE } from "./channel.ts"
import type { Channel } from "./channel.ts"
import {
  logChannelError,
  logClosedByBroker,
  logClosedByClient,
  logDropped,
  logLost,
} from "./connection-log.ts"
import { FRAME_SIZE_TOLERANCE, Handshake, HANDSHAKE_FRAME_MAX } from "./handshake.ts"
import { ConnectionInspection } from "./inspection.ts"
import { handleChannelMethod, openChannel } from "./methods/dispatch.ts"
import { handleConnection } from "./methods/connection.ts"
import { Outbox } from "./outbox.ts"
import type { OutboxPool } from "./outbox.ts"
import { PublishRouteCache } from "./publish-route.ts"
import type { PublishRoute } from "./publish-route.ts"
import { Reading } from "./reading.ts"
import { REPLY_CODE } from "./reply-codes.ts"
import type { SessionOptions } from "./session-options.ts"
import type { Transport } from "./transport.ts"

/**
 * One client connection from the first byte to the last: cuts the received bytes into frames, hands
 * them to the handshake or to a channel, turns errors into channel.close and connection.close, and
 * watches heartbeats. What the methods do is in methods/.
 */

const HANDSHAKE = 0
const RUNNING = 1
/** connection.close was sent: only close and close-ok count. */
const CLOSING = 2
const CLOSED = 3

const HANDSHAKE_TIMEOUT_MS = 10_000
/** How long a client may take to answer connection.close, at most. */
const CLOSE_TIMEOUT_MAX_MS = 30_000

export class Connection implements BrokerSession {
  readonly id: number
  readonly name: string
  readonly broker: Broker
  readonly clock: Clock
  readonly transport: Transport
  readonly outbox: Outbox
  readonly options: SessionOptions
  readonly connectedAtMs: number
  readonly message = new IncomingMessage()
  user: User | null = null
  access!: Access
  vhost: Vhost | null = null
  /** As the client named itself (client property connection_name). */
  clientName = ""
  /** The client properties as they came: decoded when somebody asks. */
  clientPropertyBytes: Buffer = Buffer.alloc(0)
  mechanism = ""
  /** Frame size limit in force, with the 8 bytes around the payload. */
  frameMax = HANDSHAKE_FRAME_MAX
  channelMax = 0
  maxMessageSize: number
  wantsConsumerCancel = false
  /** Kombu's (Celery's) qos with global=false is meant for the consumers that there are, too. */
  changesPresentConsumers = false
  wantsBlocked = false
  inTurn = false
  /** Nothing more is parsed until an alarm has ended, or the client has read what it asked for. */
  isHeldUp = false
  /** Where parsing goes on after an error in the frame at hand. */
  resumeOffset = 0
  /** Channels by number; null for one that was open once. */
  readonly channels: (Channel | null | undefined)[] = []
  openChannelCount = 0
  #state = HANDSHAKE
  #handshake: Handshake | null
  readonly #heartbeat: Heartbeat
  #closeDeadlineMs = 0
  readonly #carry = new FrameCarry()
  readonly #reading: Reading
  #isBlocked = false
  #isReleased = false
  /** The channel whose consumers are woken first when the outbox has drained. */
  #firstToWake = 0
  #turnChannels: Channel[] = []
  readonly #waitingChannels = new Set<Channel>()
  #routes: PublishRouteCache | null = null
  #inspected: InspectedConnection | null = null
  #faultClassId = 0
  #faultMethodId = 0
  #faultChannel: Channel | null = null

  constructor(
    id: number,
    broker: Broker,
    transport: Transport,
    pool: OutboxPool,
    options: SessionOptions,
  ) {
    this.id = id
    this.broker = broker
    this.clock = broker.clock
    this.transport = transport
    this.options = options
    this.maxMessageSize = options.maxMessageSize
    this.name =
      `${transport.remoteAddress}:${transport.remotePort} -> ` +
      `${transport.localAddress}:${transport.localPort}`
    this.outbox = new Outbox(transport, pool, () => this.#onDrained())
    this.#reading = new Reading(transport, broker.turn)
    this.connectedAtMs = broker.clock.nowMs
    this.#heartbeat = new Heartbeat(this.connectedAtMs)
    this.#handshake = new Handshake(this)
    broker.connections.add(this)
  }

  /** A link of this broker, which is not counted as a client. */
  get isInternal(): boolean {
    return this.user !== null && this.user === this.transport.internalUser
  }

  /** Neither open yet nor closed. */
  get isStarting(): boolean {
    return this.#state === HANDSHAKE
  }

  get isRunning(): boolean {
    return this.#state === RUNNING
  }

  /** As negotiated; 0 is off. */
  get heartbeatSeconds(): number {
    return this.#heartbeat.seconds
  }

  set heartbeatSeconds(seconds: number) {
    this.#heartbeat.seconds = seconds
  }

  get isBlocked(): boolean {
    return this.#isBlocked
  }

  // ---- receiving

  onData(bytes: Buffer): void {
    this.onChunk(new Chunk(bytes), bytes.length)
  }

  /** Received bytes lie at the beginning of the chunk, which is the caller's again afterwards. */
  onChunk(chunk: Chunk, size: number): void {
    if (this.#state === CLOSED) return
    this.broker.turn.beginInput()
    this.#heartbeat.received(this.clock.nowMs)
    if (this.isHeldUp) {
      this.#reading.keep(chunk.bytes.subarray(0, size))
      return
    }
    this.#receive(chunk, size)
    if (this.outbox.isOverfull) this.#reading.pause()
    this.broker.turn.noteInput(size)
    if (this.#state !== CLOSED) this.#reading.count(size, this)
  }

  continueReading(): void {
    this.#reading.endRest()
    if (this.isHeldUp) this.#parseHeld()
    this.#resumeReading()
  }

  #receive(chunk: Chunk, end: number): void {
    let offset = 0
    if (this.#handshake !== null && !this.#handshake.isHeaderDone) {
      offset = this.#handshake.readHeader(chunk, end)
      if (this.#state === CLOSED) return
    }
    if (this.#carry.used > 0) offset = this.#completeCarry(chunk, offset, end)
    if (!this.isHeldUp) offset = this.#parse(chunk, offset, end)
    if (offset < end && this.#state !== CLOSED) this.#keepRest(chunk, offset, end)
  }

  /** Adds bytes to the kept beginning of a frame; once that frame is whole, parses it. */
  #completeCarry(chunk: Chunk, start: number, end: number): number {
    const carry = this.#carry
    const sizeMax = this.frameMax + FRAME_SIZE_TOLERANCE
    const offset = start + carry.complete(chunk, start, end, sizeMax)
    if (!carry.isWhole(sizeMax)) return offset
    const { used } = carry
    carry.used = 0
    const parsed = this.#parse(carry.chunk, 0, used)
    if (this.isHeldUp) this.#reading.keepFirst(carry.chunk.bytes.subarray(parsed, used))
    carry.clear()
    return offset
  }

  #keepRest(chunk: Chunk, start: number, end: number): void {
    if (this.isHeldUp) this.#reading.keep(chunk.bytes.subarray(start, end))
    else this.#carry.add(chunk, start, end)
  }

  /** Parses whole frames; returns the offset of the first byte that was not consumed. */
  #parse(chunk: Chunk, start: number, end: number): number {
    let offset = start
    for (;;) {
      try {
        return this.#parseFrames(chunk, offset, end)
      } catch (error) {
        this.#fault(error)
        if (this.#state === CLOSED) return end
        // A broken framing cannot be followed any further: the rest of the stream means nothing.
        if (this.resumeOffset < 0) return end
        offset = this.resumeOffset
      }
    }
  }

  #parseFrames(chunk: Chunk, start: number, end: number): number {
    const { view } = chunk
    let offset = start
    while (end - offset >= FRAME_HEADER_SIZE) {
      const size = view.getUint32(offset + 3)
      this.resumeOffset = -1
      if (size > this.frameMax + FRAME_SIZE_TOLERANCE - FRAME_OVERHEAD)
        throw frameTooLarge(view.getUint8(offset), size + FRAME_OVERHEAD, this.frameMax)
      const frameEnd = offset + FRAME_HEADER_SIZE + size
      if (frameEnd >= end) break
      if (view.getUint8(frameEnd) !== FRAME_END)
        throw new ProtocolError(501, `frame end was ${view.getUint8(frameEnd)}, expected 206`)
      const type = view.getUint8(offset)
      const channelId = view.getUint16(offset + 1)
      this.resumeOffset = frameEnd + 1
      this.#faultChannel = null
      this.#faultClassId = 0
      this.#faultMethodId = 0
      if (type === FRAME_METHOD && this.#state === RUNNING && size >= 4) {
        const channel = this.channels[channelId]
        if (
          channel !== undefined &&
          channel !== null &&
          !channel.isClosing &&
          channel.publisher.isIdle &&
          view.getUint32(offset + FRAME_HEADER_SIZE) === BASIC_PUBLISH
        ) {
          this.#faultChannel = channel
          this.#faultClassId = BASIC_PUBLISH >>> 16
          this.#faultMethodId = BASIC_PUBLISH & 0xffff
          offset = channel.publisher.run(chunk, offset, end)
          if (this.isHeldUp) return offset
          continue
        }
      }
      this.#frame(type, channelId, chunk, offset + FRAME_HEADER_SIZE, frameEnd)
      if (this.#state === CLOSED) return end
      offset = frameEnd + 1
      if (this.isHeldUp) return offset
    }
    return offset
  }

  #frame(type: number, channelId: number, chunk: Chunk, start: number, end: number): void {
    if (this.#state === CLOSING) {
      if (type === FRAME_METHOD && channelId === 0 && end - start >= 4)
        this.#closingMethod(chunk.view.getUint32(start))
      return
    }
    switch (type) {
      case FRAME_METHOD:
        if (end - start < 4) throw new ProtocolError(501, "method frame without method id")
        if (channelId === 0) this.#connectionMethod(chunk, start, end)
        else this.#channelMethod(channelId, chunk, start, end)
        return
      case FRAME_HEADER:
      case FRAME_BODY:
        this.#content(type, channelId, chunk, start, end)
        return
      case FRAME_HEARTBEAT:
        if (channelId !== 0) throw new ProtocolError(505, "heartbeat frame must be on channel 0")
        return
      default:
        throw new ProtocolError(501, `unknown frame type ${type}`)
    }
  }

  #content(type: number, channelId: number, chunk: Chunk, start: number, end: number): void {
    if (this.#state !== RUNNING)
      throw new ProtocolError(505, "expected method frame, got non method frame instead")
    const channel = this.channels[channelId]
    if (channel === undefined || channel === null)
      throw new ProtocolError(504, "expected 'channel.open'")
    if (channel.isClosing) return // It was under way when the channel was closed.
    this.#faultChannel = channel
    if (!channel.publisher.isIdle) this.#noteMethod(BASIC_PUBLISH)
    if (type === FRAME_HEADER) channel.publisher.onHeader(chunk, start, end)
    else channel.publisher.onBody(chunk, start, end)
  }

  #connectionMethod(chunk: Chunk, start: number, end: number): void {
    const method = chunk.view.getUint32(start)
    this.#noteMethod(method)
    const handshake = this.#handshake
    if (handshake !== null) {
      handshake.onMethod(method, new AmqpReader(chunk.bytes, start + 4, end))
      if (handshake.isDone) this.#handshake = null
      return
    }
    const reader = new AmqpReader(chunk.bytes, start + 4, end)
    if (method === CONNECTION_CLOSE) this.#clientClosed(readConnectionClose(reader))
    else if (method === CONNECTION_CLOSE_OK) return
    else if (method >>> 16 === 10) handleConnection(this, method, reader)
    else if (!isKnownMethod(method)) throw unknownMethod(method)
    else throw new ProtocolError(504, "unexpected method in connection state running")
  }

  #channelMethod(channelId: number, chunk: Chunk, start: number, end: number): void {
    const { view } = chunk
    const method = view.getUint32(start)
    this.#noteMethod(method)
    if (this.#state !== RUNNING)
      throw new ProtocolError(
        504,
        `unexpected method in connection state ${this.#handshake?.state ?? "closed"}`,
      )
    const channel = this.channels[channelId]
    if (channel === undefined || channel === null) {
      this.#methodWithoutChannel(channelId, channel, method)
      return
    }
    if (channel.isClosing) {
      if (method === CHANNEL_CLOSE_OK || method === CHANNEL_CLOSE)
        handleChannelMethod(channel, method, new AmqpReader(chunk.bytes, start + 4, end))
      return
    }
    this.#faultChannel = channel
    if (!channel.publisher.isIdle && method !== CHANNEL_CLOSE) {
      this.#noteMethod(BASIC_PUBLISH)
      throw channel.publisher.unexpectedFrame()
    }
    const size = end - start
    if (method === BASIC_ACK && size === 13)
      channel.settle(readTag(view, start + 4), (view.getUint8(start + 12) & 1) !== 0, SETTLE_ACK)
    else if (method === BASIC_NACK && size === 13) {
      const bits = view.getUint8(start + 12)
      const how = (bits & 2) !== 0 ? SETTLE_REQUEUE : SETTLE_DROP
      channel.settle(readTag(view, start + 4), (bits & 1) !== 0, how)
    } else if (method === BASIC_REJECT && size === 13) {
      const how = (view.getUint8(start + 12) & 1) !== 0 ? SETTLE_REQUEUE : SETTLE_DROP
      channel.settle(readTag(view, start + 4), false, how)
    } else {
      handleChannelMethod(channel, method, new AmqpReader(chunk.bytes, start + 4, end))
      // Thousands of basic.get fit into one chunk, and each may be answered by a large message.
      if (this.outbox.isOverfull) this.holdForOutput()
    }
  }

  #methodWithoutChannel(channelId: number, before: null | undefined, method: number): void {
    if (method === CHANNEL_OPEN) {
      if (channelId > this.channelMax)
        throw new ProtocolError(
          530,
          `number of channels opened (${this.openChannelCount}) has reached the negotiated channel_max (${this.channelMax})`,
        )
      openChannel(this, channelId)
      return
    }
    if (before === null) {
      // Both sides closed the channel at the same time.
      if (method === CHANNEL_CLOSE_OK) return
    }
    if (!isKnownMethod(method)) throw unknownMethod(method)
    throw new ProtocolError(504, "expected 'channel.open'")
  }

  #noteMethod(method: number): void {
    this.#faultClassId = method >>> 16
    this.#faultMethodId = method & 0xffff
  }

  // ---- errors

  #fault(error: unknown): void {
    if (error instanceof Refusal) this.refuse(error)
    else if (error instanceof ProtocolError) {
      if (error.classId !== 0) this.#noteMethod((error.classId << 16) | error.methodId)
      this.close(error.code, error.message, this.#faultClassId, this.#faultMethodId)
    } else {
      this.broker.log.error(
        {
          connection: this.name,
          err: error,
          class: this.#faultClassId,
          method: this.#faultMethodId,
        },
        "internal error in a session",
      )
      this.internalError("internal error")
    }
  }

  /** Answers a refusal with channel.close, or connection.close where no channel is concerned or the code is hard. */
  refuse(error: Refusal): void {
    const code = REPLY_CODE[error.kind]
    const channel = this.#faultChannel
    if (channel === null || channel.isClosing || code === 320 || (code >= 500 && code !== 506)) {
      this.close(code, error.message, this.#faultClassId, this.#faultMethodId)
      return
    }
    const { id } = channel
    this.outbox.write(
      writeChannelClose(id, {
        replyCode: code,
        replyText: formatReplyText(code, error.message),
        classId: this.#faultClassId,
        methodId: this.#faultMethodId,
      }),
    )
    const method = (this.#faultClassId << 16) | this.#faultMethodId
    logChannelError(this, id, { code, reason: error.message, method })
    channel.release()
    this.markTurn()
  }

  /** For what happens in the handshake when no bytes are being parsed. */
  failHandshake(error: unknown): void {
    this.#noteMethod(0)
    this.#fault(error)
  }

  internalError(reason: string): void {
    this.close(541, reason, this.#faultClassId, this.#faultMethodId)
  }

  // ---- closing

  forceClose(reason: string): void {
    this.close(320, reason, 0, 0)
  }

  /** Sends connection.close; the client has some time to answer. */
  close(code: number, reason: string, classId: number, methodId: number): void {
    if (this.#state >= CLOSING) return
    const mayTellClient = this.#handshake === null || this.#handshake.isHeaderDone
    logClosedByBroker(this, code, reason)
    this.#state = CLOSING
    this.#handshake = null
    const waitMs = this.heartbeatSeconds > 0 ? this.heartbeatSeconds * 1000 : CLOSE_TIMEOUT_MAX_MS
    this.#closeDeadlineMs = this.clock.nowMs + Math.min(waitMs, CLOSE_TIMEOUT_MAX_MS)
    this.#release()
    this.#resumeReading()
    if (!mayTellClient) {
      this.closeTransport()
      return
    }
    this.outbox.write(
      writeConnectionClose(0, {
        replyCode: code,
        replyText: formatReplyText(code, reason),
        classId,
        methodId,
      }),
    )
    this.markTurn()
  }

  #closingMethod(method: number): void {
    if (method === CONNECTION_CLOSE) this.outbox.write(writeConnectionCloseOk(0))
    else if (method !== CONNECTION_CLOSE_OK) return
    this.closeTransport()
  }

  #clientClosed(close: ConnectionClose): void {
    logClosedByClient(this, close)
    // Exclusive queues are gone before the client sees close-ok: it may declare them again at once.
    this.#release()
    this.outbox.write(writeConnectionCloseOk(0))
    this.closeTransport()
  }

  /** Sends what is buffered and ends the stream. */
  closeTransport(): void {
    if (this.#state === CLOSED) return
    this.#state = CLOSED
    this.#closeDeadlineMs = this.clock.nowMs + 1000
    this.#release()
    this.outbox.flush(true)
    this.transport.end()
    this.#resumeReading()
  }

  /** The stream is gone, whoever ended it. */
  onClosed(): void {
    if (this.#state < CLOSING) logLost(this, this.#state === RUNNING)
    this.#state = CLOSED
    this.#release()
    this.broker.connectionGone(this)
  }

  destroy(): void {
    this.#state = CLOSED
    this.#release()
    this.transport.destroy()
  }

  /** Gives back all that the connection holds in the broker. */
  #release(): void {
    if (this.#isReleased) return
    this.#isReleased = true
    for (const channel of this.channels) channel?.release()
    this.channels.length = 0
    this.#turnChannels = []
    this.#waitingChannels.clear()
    this.broker.sessionsWaiting.delete(this)
    this.#leaveVhost()
    this.#carry.clear()
    this.#reading.release()
    this.isHeldUp = false
  }

  #leaveVhost(): void {
    const { vhost, user, broker } = this
    if (vhost === null || user === null) return
    vhost.releaseConnection(this)
    if (!this.isInternal) broker.admission.connectionClosed(vhost.name, user.name)
    broker.admission.channelsClosed(user.name, this.openChannelCount)
    this.openChannelCount = 0
  }

  // ---- handshake results

  /** The client is logged in and has a vhost: channels may be opened. */
  start(vhost: Vhost, access: Access): void {
    this.vhost = vhost
    this.access = access
    if (!this.isInternal) this.broker.admission.connectionOpened(vhost.name, access.user.name)
    this.#state = RUNNING
  }

  // ---- channels

  removeChannel(channel: Channel): void {
    if (this.channels[channel.id] !== channel) return
    this.channels[channel.id] = null
    this.openChannelCount--
    this.broker.admission.channelsClosed(this.access.user.name, 1)
    this.#waitingChannels.delete(channel)
  }

  findRoute(chunk: Chunk, start: number, size: number): PublishRoute | null {
    return this.#routes === null
      ? null
      : this.#routes.find(chunk, start, size, this.vhost!.generation)
  }

  keepRoute(route: PublishRoute): void {
    this.#routes ??= new PublishRouteCache()
    this.#routes.put(route)
  }

  // ---- output and turns

  markTurn(): void {
    this.broker.turn.markSession(this)
  }

  markChannel(channel: Channel): void {
    channel.inTurn = true
    this.#turnChannels.push(channel)
    if (!this.inTurn) this.markTurn()
  }

  settle(round: number, completedRound: number, writeFailed: boolean): void {
    const channels = this.#turnChannels
    if (channels.length === 0) return
    this.#turnChannels = []
    for (let i = 0; i < channels.length; i++) {
      const channel = channels[i]!
      channel.inTurn = false
      try {
        channel.endTurn(round, completedRound, writeFailed)
      } catch (error) {
        this.failChannel(channel, error)
      }
      if (channel.isWaiting) this.#waitingChannels.add(channel)
    }
    if (this.#waitingChannels.size > 0) this.broker.sessionsWaiting.add(this)
  }

  /** For what no method at hand has caused, such as a reply that was held back and could not be made. */
  failChannel(channel: Channel, error: unknown): void {
    this.#faultChannel = channel
    this.#noteMethod(0)
    this.#fault(error)
  }

  /** A commit round has ended. False if nothing waits any more. */
  roundCompleted(round: number, failure: CommitFailure | null): boolean {
    for (const channel of this.#waitingChannels) {
      try {
        channel.roundCompleted(round, failure)
      } catch (error) {
        this.failChannel(channel, error)
      }
      if (!channel.isWaiting) this.#waitingChannels.delete(channel)
    }
    this.markTurn()
    return this.#waitingChannels.size > 0
  }

  flush(): void {
    if (this.outbox.isEmpty) return
    this.#heartbeat.sent(this.clock.nowMs)
    this.outbox.flush()
  }

  /** The one that is woken first may fill the outbox again at once, so each gets its turn to be it. */
  #onDrained(): void {
    if (this.#state === CLOSED) return
    const { channels } = this
    const count = channels.length
    const first = this.#firstToWake < count ? this.#firstToWake : 0
    for (let i = 0; i < count; i++) channels[(first + i) % count]?.wakeConsumers()
    this.#firstToWake = first + 1
    this.outputAdvanced()
  }

  /** Room in the outbox, or replies that were held have gone: what was held back for that goes on. */
  outputAdvanced(): void {
    if (this.#state === CLOSED) return
    if (this.#reading.isHeldByOutput) {
      if (this.outbox.isOverfull) return
      this.#reading.isHeldByOutput = false
      this.#parseHeld()
    }
    this.#resumeReading()
  }

  #resumeReading(): void {
    if (!this.outbox.isOverfull) this.#reading.resume()
  }

  // ---- alarms

  /**
   * A publish meets an alarm. True: the client was told (connection.blocked) and is not read from
   * until the alarm ends. False: it would not understand, the publish must be refused.
   */
  holdUp(reason: string): boolean {
    if (!this.wantsBlocked) return false
    this.notifyBlocked(reason)
    this.#reading.isHeldByAlarm = true
    this.isHeldUp = true
    this.#reading.pause()
    return true
  }

  /** Too much waits to be sent: nothing more is read or parsed before outputAdvanced(). */
  holdForOutput(): void {
    this.#reading.isHeldByOutput = true
    this.isHeldUp = true
    this.#reading.pause()
  }

  /** The loop has made so many copies of messages that others come first. */
  holdForOthers(): void {
    this.isHeldUp = true
    this.#reading.holdForOthers(this)
  }

  notifyBlocked(reason: string): void {
    if (!this.wantsBlocked || this.#isBlocked || this.#state !== RUNNING) return
    this.#isBlocked = true
    this.outbox.write(writeConnectionBlocked(0, { reason }))
    this.markTurn()
  }

  /** The last alarm has ended. */
  alarmEnded(): void {
    if (this.#isBlocked && this.#state === RUNNING) {
      this.#isBlocked = false
      this.outbox.write(writeConnectionUnblocked(0))
      this.markTurn()
    }
    if (!this.#reading.isHeldByAlarm) return
    this.#reading.isHeldByAlarm = false
    this.#parseHeld()
    this.#resumeReading()
  }

  /** Goes on with what was received while the connection was held up, if nothing holds it up any more. */
  #parseHeld(): void {
    if (this.#reading.isHeld) return
    this.isHeldUp = false
    this.#heartbeat.received(this.clock.nowMs)
    const bytes = this.#reading.takeKept()
    if (bytes.length > 0) this.#receive(new Chunk(bytes), bytes.length)
  }

  // ---- time

  /** About twice a second. */
  tick(nowMs: number): void {
    if (this.#state >= CLOSING) {
      if (nowMs >= this.#closeDeadlineMs) this.destroy()
      return
    }
    if (this.#state === HANDSHAKE) {
      if (nowMs - this.connectedAtMs >= HANDSHAKE_TIMEOUT_MS) {
        logDropped(this, "the handshake took too long")
        this.destroy()
      }
      return
    }
    const heartbeat = this.#heartbeat
    if (heartbeat.isDue(nowMs)) {
      this.outbox.write(HEARTBEAT_FRAME)
      this.flush()
    }
    if (this.#reading.isHeldByAlarm) heartbeat.received(nowMs)
    else if (this.#reading.isPaused) heartbeat.notReading(nowMs, this.outbox.pendingBytes)
    if (heartbeat.isPeerDead(nowMs)) {
      logDropped(this, "no heartbeat", { heartbeatSeconds: this.heartbeatSeconds })
      this.destroy()
      return
    }
    for (let i = 1; i < this.channels.length; i++) this.channels[i]?.tick(nowMs)
  }

  // ---- for the management

  get inspected(): InspectedConnection {
    return (this.#inspected ??= new ConnectionInspection(this))
  }

  get shownState(): ConnectionState {
    if (this.#state >= CLOSING) return this.#state === CLOSED ? "closed" : "closing"
    if (this.#state === HANDSHAKE) return "starting"
    if (this.#isBlocked) return "blocked"
    return this.isHeldUp || this.outbox.isOverfull ? "flow" : "running"
  }

  returnDeliveries(queue: MessageQueue): void {
    for (const channel of this.channels) channel?.returnDeliveries(queue)
  }

  forEachUnacked(queue: MessageQueue, visit: UnackedVisit): boolean {
    return this.channels.every((channel) => channel?.forEachUnackedOf(queue, visit) ?? true)
  }
}

function readTag(view: DataView, at: number): number {
  return view.getUint32(at) * 0x1_0000_0000 + view.getUint32(at + 4)
}

function unknownMethod(method: number): ProtocolError {
  return new ProtocolError(540, `unknown method ${method >>> 16}.${method & 0xffff}`)
}
