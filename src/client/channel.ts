import { ProtocolError } from "../amqp/errors.ts"
import * as m from "../amqp/generated/methods.ts"
import { encodeProperties, NO_PROPERTIES } from "../amqp/properties.ts"
import type { BasicProperties } from "../amqp/properties.ts"
import { AmqpReader } from "../amqp/reader.ts"
import { EMPTY_TABLE, tableFromPlain } from "../amqp/table.ts"
import type { PlainRecord, Table } from "../amqp/table.ts"
import type { Chunk } from "../util/bytes.ts"
import type { Clock } from "../util/clock.ts"
import { Calls } from "./calls.ts"
import { ConfirmWindow } from "./confirm-window.ts"
import { Consumer, ConsumerTable } from "./consumers.ts"
import type { ConsumerCallbacks } from "./consumers.ts"
import { ContentReader } from "./content-reader.ts"
import { RunFinder } from "./delivery-run.ts"
import type { Delivery, ReceivedMessage } from "./delivery.ts"
import { ClientError } from "./errors.ts"
import type { MessageCycle } from "./message-cycle.ts"
import { OUTPUT_HARD_BYTES } from "./output.ts"
import type { Output } from "./output.ts"
import type { PublishTarget } from "./publish-target.ts"
import { writeForward, writePublish, writeSettle } from "./publish-writer.ts"

/**
 * One channel as a program uses it. Methods that have a reply are promises and may be sent one after the
 * other without waiting; what happens per message (publish, deliveries, acknowledgements, confirms) is
 * plain calls and callbacks without an object per message.
 *
 * The callbacks are fields to be set. They run while received bytes are parsed: what throws there closes
 * the connection with an error of kind `callback`.
 */
export interface ChannelOwner {
  readonly output: Output
  readonly clock: Clock
  readonly frameMax: number
  readonly isBlocked: boolean
  /** The channel may publish again: tell it when the received bytes are worked through. */
  noteDrain(channel: ClientChannel): void
  /** The channel is gone; its number is free. */
  release(channel: ClientChannel): void
}

export type Arguments = Table | PlainRecord

export interface DeclareQueueOptions {
  /** Default false, as are all others. */
  readonly durable?: boolean
  readonly exclusive?: boolean
  readonly autoDelete?: boolean
  readonly arguments?: Arguments
}

export interface DeclareExchangeOptions {
  readonly durable?: boolean
  readonly autoDelete?: boolean
  readonly internal?: boolean
  readonly arguments?: Arguments
}

export interface ConsumeOptions extends ConsumerCallbacks {
  /** Default: the server makes one up. */
  readonly consumerTag?: string
  readonly noAck?: boolean
  readonly exclusive?: boolean
  readonly arguments?: Arguments
}

const OPEN = 0
/** channel.close was sent: only replies are of interest, and those to the methods before it still come. */
const CLOSING = 1
const CLOSED = 2

const ALL_TAGS = 0

export class ClientChannel {
  readonly id: number
  /** A mandatory message that reached no queue; replyCode and replyText say why. */
  onReturn: ((returned: Delivery) => void) | null = null
  /** As it came: `multiple` settles all tags up to this one. */
  onConfirm: ((tag: number, multiple: boolean, isAck: boolean) => void) | null = null
  /** After publish() returned false: it may go on. */
  onDrain: (() => void) | null = null
  /** Null: this side closed it. */
  onClosed: ((error: ClientError | null) => void) | null = null
  publishedCount = 0
  needsDrain = false
  readonly reader: ContentReader
  readonly #owner: ChannelOwner
  readonly #calls: Calls
  readonly #consumers = new ConsumerTable()
  /** Consumers whose consume-ok has not come yet, in order. */
  readonly #starting: { readonly queue: string; readonly callbacks: ConsumerCallbacks }[] = []
  /** For consumers that want runs. */
  #runs: RunFinder | null = null
  #runConsumer: Consumer | null = null
  #confirms: ConfirmWindow | null = null
  #window = Number.POSITIVE_INFINITY
  #isFlowing = true
  #state = OPEN
  #error: ClientError | null = null

  constructor(id: number, owner: ChannelOwner, messageSizeMax: number) {
    this.id = id
    this.#owner = owner
    this.#calls = new Calls(owner.clock)
    this.reader = new ContentReader(id, messageSizeMax)
  }

  get isOpen(): boolean {
    return this.#state === OPEN
  }

  /** Why the channel is closed; null if it is open or this side closed it. */
  get error(): ClientError | null {
    return this.#error
  }

  /** Publishes that the server has neither confirmed nor refused. 0 without confirm mode. */
  get unconfirmedCount(): number {
    return this.#confirms?.unconfirmedCount ?? 0
  }

  /** Tag of the latest publish in confirm mode; the server's confirms speak of it. */
  get lastPublishTag(): number {
    return this.#confirms === null ? 0 : this.#confirms.nextTag - 1
  }

  /** False while the window or the output is full, the server blocks publishers or the channel is closed. */
  get canPublish(): boolean {
    return (
      this.#state === OPEN &&
      this.#isFlowing &&
      this.unconfirmedCount < this.#window &&
      this.#owner.output.hasRoom &&
      !this.#owner.isBlocked
    )
  }

  get consumerCount(): number {
    return this.#consumers.count
  }

  /** For the connection: when the oldest method without a reply was sent. */
  get waitsSinceMs(): number | null {
    return this.#calls.oldestSinceMs
  }

  // ---- messages

  /**
   * Publishes. `properties` are wire bytes (encodeProperties(), Delivery.propertyBytes) or an object that is
   * encoded with each call. False: it was accepted, but wait for onDrain before the next one.
   */
  publish(
    target: PublishTarget,
    body: Uint8Array,
    properties: Buffer | BasicProperties = NO_PROPERTIES,
  ): boolean {
    const frame = target.ownFrame
    this.#checkPublish()
    const encoded = Buffer.isBuffer(properties) ? properties : encodeProperties(properties)
    const { output, frameMax } = this.#owner
    writePublish(output, this.id, frame, encoded, body, frameMax)
    return this.#published()
  }

  /**
   * Publishes up to `count` messages of the cycle from number `position` on. Returns how many; if that is less, or
   * canPublish is false afterwards, wait for onDrain.
   */
  publishCycle(cycle: MessageCycle, position: number, count: number, stamp = 0): number {
    this.#checkPublish()
    const { output, frameMax } = this.#owner
    let done = 0
    while (done < count && this.canPublish) {
      const room = Math.min(count - done, this.#window - this.unconfirmedCount)
      const written = cycle.write(output, this.id, frameMax, position + done, room, stamp)
      done += written
      this.#confirms?.addMany(written)
    }
    this.publishedCount += done
    if (!this.canPublish) this.needsDrain = true
    return done
  }

  /** Publishes what came from another channel: its body, and its properties if none are given. */
  forward(delivery: Delivery, target: PublishTarget, properties: Buffer | null = null): boolean {
    this.#checkPublish()
    const { output, frameMax } = this.#owner
    writeForward(output, this.id, target, delivery, properties, frameMax)
    return this.#published()
  }

  ack(deliveryTag: number, multiple = false): void {
    this.#settle(m.BASIC_ACK, deliveryTag, multiple ? 1 : 0)
  }

  nack(deliveryTag: number, multiple: boolean, requeue: boolean): void {
    this.#settle(m.BASIC_NACK, deliveryTag, (multiple ? 1 : 0) | (requeue ? 2 : 0))
  }

  reject(deliveryTag: number, requeue: boolean): void {
    this.#settle(m.BASIC_REJECT, deliveryTag, requeue ? 1 : 0)
  }

  /** Acknowledges all deliveries of the channel so far. */
  ackAll(): void {
    this.#settle(m.BASIC_ACK, ALL_TAGS, 1)
  }

  #checkPublish(): void {
    if (this.#state !== OPEN) throw this.#closedError()
    if (this.#owner.output.pendingBytes > OUTPUT_HARD_BYTES)
      throw new ClientError("usage", "published on although publish() had returned false")
  }

  #published(): boolean {
    this.publishedCount++
    if (this.#confirms !== null) this.#confirms.add()
    if (this.canPublish) return true
    this.needsDrain = true
    return false
  }

  /** On a closed channel an acknowledgement means nothing any more: the server has requeued the message. */
  #settle(method: number, deliveryTag: number, bits: number): void {
    if (this.#state === OPEN) writeSettle(this.#owner.output, this.id, method, deliveryTag, bits)
  }

  // ---- exchanges and queues

  declareExchange(name: string, type: string, options: DeclareExchangeOptions = {}): Promise<void> {
    return this.#declareExchange(name, type, options, false)
  }

  /** Fails with 404 if there is no such exchange. */
  checkExchange(name: string): Promise<void> {
    return this.#declareExchange(name, "", {}, true)
  }

  deleteExchange(name: string, options: { readonly ifUnused?: boolean } = {}): Promise<void> {
    const ifUnused = options.ifUnused ?? false
    return this.#call([m.EXCHANGE_DELETE_OK], [name], () =>
      m.writeExchangeDelete(this.id, { exchange: name, ifUnused, nowait: false }),
    )
  }

  bindExchange(
    destination: string,
    source: string,
    routingKey: string,
    args: Arguments = EMPTY_TABLE,
  ): Promise<void> {
    const binding = { destination, source, routingKey, nowait: false, arguments: tableOf(args) }
    return this.#call([m.EXCHANGE_BIND_OK], [destination, source, routingKey], () =>
      m.writeExchangeBind(this.id, binding),
    )
  }

  unbindExchange(
    destination: string,
    source: string,
    routingKey: string,
    args: Arguments = EMPTY_TABLE,
  ): Promise<void> {
    const binding = { destination, source, routingKey, nowait: false, arguments: tableOf(args) }
    return this.#call([m.EXCHANGE_UNBIND_OK], [destination, source, routingKey], () =>
      m.writeExchangeUnbind(this.id, binding),
    )
  }

  /** An empty name lets the server choose one. */
  declareQueue(name: string, options: DeclareQueueOptions = {}): Promise<m.QueueDeclareOk> {
    return this.#call([m.QUEUE_DECLARE_OK], [name], () => this.#writeDeclare(name, options, false))
  }

  /** Declares without waiting for a reply: an error closes the channel later. */
  declareQueueNoWait(name: string, options: DeclareQueueOptions = {}): void {
    this.#checkNames([name])
    if (this.#state !== OPEN) throw this.#closedError()
    this.#owner.output.writeBytes(this.#writeDeclare(name, options, true))
  }

  /** Fails with 404 if there is no such queue. */
  checkQueue(name: string): Promise<m.QueueDeclareOk> {
    const declare = {
      queue: name,
      passive: true,
      durable: false,
      exclusive: false,
      autoDelete: false,
      nowait: false,
      arguments: EMPTY_TABLE,
    }
    return this.#call([m.QUEUE_DECLARE_OK], [name], () => m.writeQueueDeclare(this.id, declare))
  }

  async deleteQueue(
    name: string,
    options: { readonly ifUnused?: boolean; readonly ifEmpty?: boolean } = {},
  ): Promise<number> {
    const { ifUnused = false, ifEmpty = false } = options
    const { messageCount } = await this.#call<m.QueueDeleteOk>([m.QUEUE_DELETE_OK], [name], () =>
      m.writeQueueDelete(this.id, { queue: name, ifUnused, ifEmpty, nowait: false }),
    )
    return messageCount
  }

  async purgeQueue(name: string): Promise<number> {
    const { messageCount } = await this.#call<m.QueuePurgeOk>([m.QUEUE_PURGE_OK], [name], () =>
      m.writeQueuePurge(this.id, { queue: name, nowait: false }),
    )
    return messageCount
  }

  bindQueue(
    queue: string,
    exchange: string,
    routingKey: string,
    args: Arguments = EMPTY_TABLE,
  ): Promise<void> {
    const binding = { queue, exchange, routingKey, nowait: false, arguments: tableOf(args) }
    return this.#call([m.QUEUE_BIND_OK], [queue, exchange, routingKey], () =>
      m.writeQueueBind(this.id, binding),
    )
  }

  unbindQueue(
    queue: string,
    exchange: string,
    routingKey: string,
    args: Arguments = EMPTY_TABLE,
  ): Promise<void> {
    const binding = { queue, exchange, routingKey, arguments: tableOf(args) }
    return this.#call([m.QUEUE_UNBIND_OK], [queue, exchange, routingKey], () =>
      m.writeQueueUnbind(this.id, binding),
    )
  }

  #declareExchange(
    exchange: string,
    type: string,
    options: DeclareExchangeOptions,
    passive: boolean,
  ): Promise<void> {
    const declare = {
      exchange,
      type,
      passive,
      durable: options.durable ?? false,
      autoDelete: options.autoDelete ?? false,
      internal: options.internal ?? false,
      nowait: false,
      arguments: tableOf(options.arguments),
    }
    return this.#call([m.EXCHANGE_DECLARE_OK], [exchange, type], () =>
      m.writeExchangeDeclare(this.id, declare),
    )
  }

  #writeDeclare(queue: string, options: DeclareQueueOptions, nowait: boolean): Buffer {
    return m.writeQueueDeclare(this.id, {
      queue,
      passive: false,
      durable: options.durable ?? false,
      exclusive: options.exclusive ?? false,
      autoDelete: options.autoDelete ?? false,
      nowait,
      arguments: tableOf(options.arguments),
    })
  }

  // ---- consumers, modes

  /** Of each consumer that starts afterwards, or with `global` of the channel. 0 is no limit. */
  qos(prefetchCount: number, options: { readonly global?: boolean } = {}): Promise<void> {
    const global = options.global ?? false
    return this.#call([m.BASIC_QOS_OK], [], () =>
      m.writeBasicQos(this.id, { prefetchSize: 0, prefetchCount, global }),
    )
  }

  consume(queue: string, options: ConsumeOptions): Promise<Consumer> {
    const consume = {
      queue,
      consumerTag: options.consumerTag ?? "",
      noLocal: false,
      noAck: options.noAck ?? false,
      exclusive: options.exclusive ?? false,
      nowait: false,
      arguments: tableOf(options.arguments),
    }
    return this.#call([m.BASIC_CONSUME_OK], [queue, consume.consumerTag], () => {
      const frame = m.writeBasicConsume(this.id, consume)
      this.#starting.push({ queue, callbacks: options })
      return frame
    })
  }

  /** Deliveries go on until the promise is fulfilled. */
  cancel(consumerTag: string): Promise<void> {
    return this.#call([m.BASIC_CANCEL_OK], [consumerTag], () =>
      m.writeBasicCancel(this.id, { consumerTag, nowait: false }),
    )
  }

  /** The oldest message, or null if the queue is empty. */
  get(queue: string, options: { readonly noAck?: boolean } = {}): Promise<ReceivedMessage | null> {
    const noAck = options.noAck ?? false
    return this.#call([m.BASIC_GET_OK, m.BASIC_GET_EMPTY], [queue], () =>
      m.writeBasicGet(this.id, { queue, noAck }),
    )
  }

  /** Requeues all unacknowledged deliveries of the channel. */
  recover(requeue = true): Promise<void> {
    return this.#call([m.BASIC_RECOVER_OK], [], () => m.writeBasicRecover(this.id, { requeue }))
  }

  /** From now on every publish is confirmed; publish() returns false while `window` of them are not. */
  async confirmSelect(options: { readonly window?: number } = {}): Promise<void> {
    if (options.window !== undefined) this.#window = options.window
    await this.#call<void>([m.CONFIRM_SELECT_OK], [], () => {
      this.#confirms ??= new ConfirmWindow()
      return m.writeConfirmSelect(this.id, { nowait: false })
    })
  }

  txSelect(): Promise<void> {
    return this.#call([m.TX_SELECT_OK], [], () => m.writeTxSelect(this.id))
  }

  txCommit(): Promise<void> {
    return this.#call([m.TX_COMMIT_OK], [], () => m.writeTxCommit(this.id))
  }

  txRollback(): Promise<void> {
    return this.#call([m.TX_ROLLBACK_OK], [], () => m.writeTxRollback(this.id))
  }

  /** The connection does it before anybody has the channel. */
  open(): Promise<void> {
    return this.#call([m.CHANNEL_OPEN_OK], [], () => m.writeChannelOpen(this.id))
  }

  /** No error if it is closed already. */
  async close(): Promise<void> {
    if (this.#state !== OPEN) return
    const closed = this.#call<void>([m.CHANNEL_CLOSE_OK], [], () =>
      m.writeChannelClose(this.id, { replyCode: 200, replyText: "", classId: 0, methodId: 0 }),
    )
    this.#state = CLOSING
    await closed
  }

  #call<T>(
    replies: readonly number[],
    names: readonly string[],
    frame: () => Uint8Array,
  ): Promise<T> {
    if (this.#state !== OPEN) return Promise.reject(this.#closedError())
    try {
      this.#checkNames(names)
      return this.#calls.add<T>(replies, () => this.#owner.output.writeBytes(frame()))
    } catch (error) {
      return Promise.reject(error)
    }
  }

  #checkNames(names: readonly string[]): void {
    for (const name of names)
      if (Buffer.byteLength(name, "utf8") > 255)
        throw new ClientError("usage", `'${name.slice(0, 40)}…' is longer than 255 bytes`)
  }

  #closedError(): ClientError {
    return this.#error ?? new ClientError("closed", "the channel is closed")
  }

  // ---- what the connection received for this channel

  /** Deliveries like the one before, from `start` on, if there are any. Returns where they end. */
  onRun(chunk: Chunk, start: number, end: number): number {
    const runs = this.#runs
    if (runs === null || !this.reader.isIdle) return start
    const next = runs.find(chunk, start, end)
    if (next > start) this.#runConsumer?.callbacks.onRun?.(runs.run)
    return next
  }

  /** The message between `start` and `end` that reader.readWhole() has found. */
  onWholeDelivery(chunk: Chunk, start: number, end: number): void {
    const consumer = this.#findConsumer()
    const runs = this.#runs
    if (runs !== null) {
      this.#runConsumer = consumer
      if (consumer.callbacks.onRun === undefined) runs.forget()
      else {
        const { consumerTagEnd, delivery } = this.reader
        runs.learn(chunk, start, end, consumerTagEnd, delivery.bodySize)
      }
    }
    consumer.callbacks.onDelivery(this.reader.delivery)
  }

  #findConsumer(): Consumer {
    const { delivery, consumerTagStart, consumerTagEnd } = this.reader
    const consumer = this.#consumers.find(delivery.chunk, consumerTagStart, consumerTagEnd)
    if (consumer === null) throw new ProtocolError(503, "a delivery for an unknown consumer tag")
    return consumer
  }

  onMethod(method: number, chunk: Chunk, start: number, end: number): void {
    if (this.#state === CLOSING && !this.#endsClosing(method)) return
    if (!this.reader.isIdle) throw new ProtocolError(505, "a method within a message")
    switch (method) {
      case m.BASIC_ACK:
      case m.BASIC_NACK:
        this.#onConfirmMethod(method, chunk, start, end)
        return
      case m.BASIC_DELIVER:
      case m.BASIC_RETURN:
        this.reader.onMethod(method, chunk, start, end)
        return
      case m.BASIC_GET_OK:
        if (!this.#calls.expects(method)) throw unexpected(method)
        this.reader.onMethod(method, chunk, start, end)
        return
      default:
        this.#onRareMethod(method, new AmqpReader(chunk.bytes, start + 4, end))
    }
  }

  /** While it closes: a reply that somebody waits for, or the end. */
  #endsClosing(method: number): boolean {
    return (
      method === m.CHANNEL_CLOSE_OK || method === m.CHANNEL_CLOSE || this.#calls.expects(method)
    )
  }

  /** A content header or body frame. */
  onContent(isHeader: boolean, chunk: Chunk, start: number, end: number): void {
    const { reader } = this
    // Of a message whose method was dropped.
    if (this.#state === CLOSING && reader.isIdle) return
    const isWhole = isHeader ? reader.onHeader(chunk, start, end) : reader.onBody(chunk, start, end)
    if (!isWhole) return
    if (reader.method === m.BASIC_GET_OK) this.#calls.resolve(reader.delivery.copy())
    else if (this.#state !== OPEN) return
    else if (reader.method === m.BASIC_DELIVER)
      this.#findConsumer().callbacks.onDelivery(reader.delivery)
    else this.onReturn?.(reader.delivery)
    reader.release()
  }

  #onConfirmMethod(method: number, chunk: Chunk, start: number, end: number): void {
    const { view } = chunk
    if (end - start !== 13) throw new ProtocolError(501, "a confirm of a wrong size")
    const tag = view.getUint32(start + 4) * 0x1_0000_0000 + view.getUint32(start + 8)
    const multiple = (view.getUint8(start + 12) & 1) !== 0
    const isAck = method === m.BASIC_ACK
    const confirms = this.#confirms
    if (confirms === null) throw new ProtocolError(503, "a confirm without confirm mode")
    if (!confirms.settle(tag, multiple, isAck))
      throw new ProtocolError(406, `a confirm of publish ${String(tag)}, which was never sent`)
    this.onConfirm?.(tag, multiple, isAck)
    if (this.needsDrain) this.#owner.noteDrain(this)
  }

  #onRareMethod(method: number, reader: AmqpReader): void {
    if (method === m.CHANNEL_CLOSE) this.#closedByServer(m.readChannelClose(reader))
    else if (method === m.BASIC_CANCEL) this.#cancelledByServer(m.readBasicCancel(reader))
    else if (method === m.CHANNEL_FLOW) this.#flow(m.readChannelFlow(reader).active)
    else if (method === m.CHANNEL_CLOSE_OK && this.#state === CLOSING) this.#closed()
    else if (!this.#calls.expects(method)) throw unexpected(method)
    else if (method === m.BASIC_CONSUME_OK)
      this.#consuming(m.readBasicConsumeOk(reader).consumerTag)
    else if (method === m.BASIC_CANCEL_OK) {
      const consumer = this.#consumers.findByName(m.readBasicCancelOk(reader).consumerTag)
      if (consumer !== null) this.#removeConsumer(consumer)
      this.#calls.resolve(undefined)
    } else this.#calls.resolve(readReply(method, reader))
  }

  /** channel.close was the last method that was sent. */
  #closed(): void {
    this.#calls.rejectAllButLast(this.#closedError())
    this.#calls.resolve(undefined)
    this.fail(null)
    this.#owner.release(this)
  }

  #consuming(tag: string): void {
    const starting = this.#starting.shift()
    if (starting === undefined) throw unexpected(m.BASIC_CONSUME_OK)
    const consumer = new Consumer(tag, starting.queue, starting.callbacks)
    this.#consumers.add(consumer)
    if (consumer.callbacks.onRun !== undefined) this.#runs ??= new RunFinder()
    this.#calls.resolve(consumer)
  }

  #cancelledByServer(cancel: m.BasicCancel): void {
    const consumer = this.#consumers.findByName(cancel.consumerTag)
    if (consumer === null) return // This side has cancelled it at the same time.
    this.#removeConsumer(consumer)
    if (!cancel.nowait)
      this.#owner.output.writeBytes(
        m.writeBasicCancelOk(this.id, { consumerTag: cancel.consumerTag }),
      )
    consumer.callbacks.onCancelled?.()
  }

  #removeConsumer(consumer: Consumer): void {
    consumer.isCancelled = true
    this.#consumers.remove(consumer)
    this.#runs?.forget()
  }

  #flow(active: boolean): void {
    this.#isFlowing = active
    this.#owner.output.writeBytes(m.writeChannelFlowOk(this.id, { active }))
    if (active && this.needsDrain) this.#owner.noteDrain(this)
  }

  #closedByServer(close: m.ChannelClose): void {
    this.#owner.output.writeBytes(m.writeChannelCloseOk(this.id))
    const method = m.METHOD_NAMES.get((close.classId << 16) | close.methodId) ?? ""
    const reply = { code: close.replyCode, text: close.replyText, method }
    const error = new ClientError(
      "channel-closed",
      `${String(close.replyCode)} ${close.replyText}`,
      { reply },
    )
    if (this.#state === CLOSING) {
      // Both sides closed at once: the server's close-ok for ours still comes, and frees the number.
      this.#calls.rejectAllButLast(error)
      return
    }
    this.fail(error)
    this.#owner.release(this)
  }

  /** The channel is over, by itself or with its connection. */
  fail(error: ClientError | null): void {
    if (this.#state === CLOSED) return
    this.#state = CLOSED
    this.#error = error
    this.needsDrain = false
    for (const consumer of this.#consumers.all()) consumer.isCancelled = true
    this.#calls.reject(this.#closedError())
    this.onClosed?.(error)
  }

  /** publish() may go on, if it was told to wait. */
  drain(): void {
    if (!this.needsDrain || !this.canPublish) return
    this.needsDrain = false
    this.onDrain?.()
  }
}

function unexpected(method: number): ProtocolError {
  return new ProtocolError(503, `unexpected ${m.METHOD_NAMES.get(method) ?? "method"}`)
}

/** Replies with arguments; the others have none. */
function readReply(method: number, reader: AmqpReader): unknown {
  switch (method) {
    case m.QUEUE_DECLARE_OK:
      return m.readQueueDeclareOk(reader)
    case m.QUEUE_DELETE_OK:
      return m.readQueueDeleteOk(reader)
    case m.QUEUE_PURGE_OK:
      return m.readQueuePurgeOk(reader)
    case m.BASIC_GET_EMPTY:
      return null
    default:
      return undefined
  }
}

function tableOf(args: Arguments | undefined): Table {
  if (args === undefined) return EMPTY_TABLE
  return isWireTable(args) ? args : tableFromPlain(args)
}

function isWireTable(args: Arguments): args is Table {
  return args instanceof Map
}
