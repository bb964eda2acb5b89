import type { Table } from "../../amqp/table.ts"
import type { MessageStore } from "../../storage/message-store.ts"
import { StoredMessage } from "../../storage/message.ts"
import type { IncomingMessage } from "../../storage/message.ts"
import type { ConnectionHandle } from "../connection-handle.ts"
import type { Subscriber } from "../consumer.ts"
import { Refusal } from "../errors.ts"
import type { Turn } from "../turn.ts"
import { Dispatcher } from "./dispatcher.ts"

/**
 * A queue: messages in a store on one side, subscribers on the other. Owns the rules of delivery;
 * knows neither frames nor files. An idle queue is this object and its name and nothing else:
 * store and dispatcher are made with the first message and the first consumer.
 */

/** What a queue needs from its surroundings; one per vhost, shared by its queues. */
export interface QueueContext {
  readonly vhostName: string
  readonly turn: Turn
  openStore(queue: Queue): MessageStore
  /** The last consumer of an auto-delete queue has left. */
  deleteQueue(queue: Queue): void
  /** The store cannot read at present: delivery is to be tried again in a while. */
  stalled(queue: Queue): void
  /** The store went empty: it may give its files back when it stays so. */
  wentEmpty(queue: Queue): void
}

export interface QueueProperties {
  readonly name: string
  readonly durable: boolean
  readonly exclusive: boolean
  readonly autoDelete: boolean
  readonly arguments: Table
}

/** A sole consumer is asked for its capacity once in so many bytes. */
const SOLE_BYTES = 32 << 10

/** Larger bodies are stored: how much a consumer takes at once is limited behind the store. */
const PASS_ON_BODY_MAX = 16 << 10

/** The view through which all deliveries go; a delivery never outlives the call. */
const delivered = new StoredMessage()

export class Queue {
  readonly kind = 0
  readonly name: string
  readonly durable: boolean
  readonly autoDelete: boolean
  readonly arguments: Table
  /** The only connection that may use an exclusive queue, and with which it ends. */
  readonly owner: ConnectionHandle | null
  /** On the turn's list of queues to deliver from. */
  inTurn = false
  deleted = false
  /** Mark of the last routing pass that found this queue, so that it gets one copy (route.ts). */
  routeMark = 0
  store: MessageStore | null = null
  publishedCount = 0
  deliveredCount = 0
  acknowledgedCount = 0
  redeliveredCount = 0
  #dispatcher: Dispatcher | null = null
  readonly #context: QueueContext

  constructor(context: QueueContext, properties: QueueProperties, owner: ConnectionHandle | null) {
    this.#context = context
    this.name = properties.name
    this.durable = properties.durable
    this.autoDelete = properties.autoDelete
    this.arguments = properties.arguments
    this.owner = owner
  }

  get exclusive(): boolean {
    return this.owner !== null
  }

  get readyCount(): number {
    return this.store === null ? 0 : this.store.readyCount
  }

  get unackedCount(): number {
    return this.store === null ? 0 : this.store.unackedCount
  }

  get consumerCount(): number {
    return this.#dispatcher === null ? 0 : this.#dispatcher.size
  }

  get subscribers(): Iterable<Subscriber> {
    return this.#dispatcher === null ? [] : this.#dispatcher.subscribers
  }

  /** False if the store refuses (disk full, damaged): the publisher gets a nack. */
  publish(message: IncomingMessage): boolean {
    if (this.deleted) return true // It raced with the deletion, as if it had come before it.
    let { store } = this
    if (this.#dispatcher !== null && !this.inTurn && this.#passOn(this.#dispatcher, message))
      return true
    if (store === null) {
      store = this.#context.openStore(this)
      this.store = store
    }
    if (!store.append(message)) return false
    this.publishedCount++
    if (!this.inTurn && this.#dispatcher !== null) this.#context.turn.markQueue(this)
    return true
  }

  /**
   * As publish(), for `count` messages whose bodies lie `stride` bytes apart and which are alike
   * otherwise. Returns how many were accepted.
   */
  publishRun(message: IncomingMessage, count: number, stride: number): number {
    let done = 0
    // One by one as long as they can be passed on. What has to be stored marks the queue.
    while (done < count && (this.store === null || (this.#dispatcher !== null && !this.inTurn))) {
      if (!this.publish(message)) return done
      done++
      message.bodyStart += stride
      message.bodyEnd += stride
      if (this.deleted) return count
    }
    if (done === count || this.store === null) return done
    const stored = this.store.appendRun(message, count - done, stride)
    this.publishedCount += stored
    return done + stored
  }

  /**
   * Gives the message to a subscriber that does not acknowledge, without storing it: delivered is
   * settled. Only if nothing waits before it and all subscribers are such. A third of the CPU of a
   * message that is consumed at once (bench: publish and consume, auto-ack).
   */
  #passOn(dispatcher: Dispatcher, message: IncomingMessage): boolean {
    if (dispatcher.ackingCount > 0 || this.readyCount > 0) return false
    if (message.bodyEnd - message.bodyStart > PASS_ON_BODY_MAX) return false
    const subscriber = dispatcher.next()
    if (subscriber === null) return false
    subscriber.passOn(message)
    this.publishedCount++
    this.deliveredCount++
    return true
  }

  /** Hands out up to `limit` ready messages. True if there may be more to do next turn. */
  deliver(limit: number): boolean {
    const { store } = this
    const dispatcher = this.#dispatcher
    if (store === null || dispatcher === null || this.deleted) return false
    let count = 0
    let subscriber: Subscriber | null = null
    /** Messages and bytes that the subscriber takes before the dispatcher is asked again. */
    let left = 0
    let bytesLeft = 0
    while (count < limit && store.readyCount > 0) {
      if (left <= 0 || bytesLeft <= 0 || subscriber === null) {
        subscriber = dispatcher.next()
        if (subscriber === null) {
          this.#context.turn.noteBacklog()
          break
        }
        left = dispatcher.size === 1 ? subscriber.credit : 1
        bytesLeft = SOLE_BYTES
      }
      const taken = store.shiftRun(delivered, Math.min(left, limit - count), bytesLeft)
      if (taken === 0) {
        if (store.readyCount > 0) this.#context.stalled(this)
        break
      }
      count += taken
      left -= taken
      const { segment, position, size } = delivered
      const bodySize = delivered.bodyEnd - delivered.bodyStart
      bytesLeft -= taken * size
      if (delivered.redelivered) this.redeliveredCount += taken
      subscriber.deliver(delivered, taken)
      if (subscriber.noAck) store.ack(segment, position, size, bodySize, taken)
    }
    this.deliveredCount += count
    if (count > 0 && store.readyCount === 0) this.#context.wentEmpty(this)
    return count === limit
  }

  /** basic.get: the next message in `into`, or false. With noAck it is settled at once. */
  get(into: StoredMessage, noAck: boolean): boolean {
    const { store } = this
    if (store === null || this.deleted || !store.shift(into)) return false
    this.deliveredCount++
    if (into.redelivered) this.redeliveredCount++
    if (noAck) store.ack(into.segment, into.position, into.size, into.bodyEnd - into.bodyStart)
    if (store.readyCount === 0) this.#context.wentEmpty(this)
    return true
  }

  /** `count` messages of the same size, one directly behind the other. */
  ack(segment: number, position: number, size: number, bodySize: number, count = 1): void {
    if (this.deleted || this.store === null) return
    this.acknowledgedCount += count
    this.store.ack(segment, position, size, bodySize, count)
  }

  /** Settles without having been consumed (reject or nack without requeue). */
  drop(segment: number, position: number, size: number, bodySize: number): void {
    if (this.deleted || this.store === null) return
    this.store.ack(segment, position, size, bodySize)
  }

  requeue(segment: number, position: number, size: number, bodySize: number): void {
    if (this.deleted || this.store === null) return
    this.store.requeue(segment, position, size, bodySize)
    this.#wake()
  }

  /** Throws access-refused if the consumer or those that are there demand exclusive use. */
  checkConsumable(exclusive: boolean): void {
    const dispatcher = this.#dispatcher
    if (dispatcher === null || dispatcher.size === 0) return
    if (exclusive || dispatcher.exclusive !== null)
      throw new Refusal(
        "access-refused",
        `queue '${this.name}' in vhost '${this.#context.vhostName}' in exclusive use`,
      )
  }

  addSubscriber(subscriber: Subscriber): void {
    this.#dispatcher ??= new Dispatcher()
    this.#dispatcher.add(subscriber)
    this.#wake()
  }

  /** May delete the queue (auto-delete). */
  removeSubscriber(subscriber: Subscriber): void {
    const dispatcher = this.#dispatcher
    if (dispatcher === null || this.deleted) return
    dispatcher.remove(subscriber)
    if (dispatcher.size > 0) {
      this.#wake()
      return
    }
    this.#dispatcher = null
    if (this.autoDelete) this.#context.deleteQueue(this)
  }

  /** The subscriber has capacity again. */
  unpark(subscriber: Subscriber): void {
    if (this.#dispatcher === null) return
    this.#dispatcher.unpark(subscriber)
    this.#wake()
  }

  /** Drops all ready messages and returns how many there were. */
  purge(): number {
    if (this.store === null) return 0
    const count = this.store.purge()
    this.#context.wentEmpty(this)
    return count
  }

  /** Called by the vhost once the queue is out of its tables. Returns the number of ready messages lost. */
  dispose(): number {
    const count = this.readyCount
    this.deleted = true
    const dispatcher = this.#dispatcher
    this.#dispatcher = null
    if (dispatcher !== null)
      for (const subscriber of dispatcher.subscribers) subscriber.queueDeleted()
    this.store?.delete()
    this.store = null
    return count
  }

  #wake(): void {
    if (!this.inTurn && this.#dispatcher !== null && this.readyCount > 0)
      this.#context.turn.markQueue(this)
  }
}
