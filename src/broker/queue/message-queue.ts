import type { Table } from "../../amqp/table.ts"
import type { IncomingMessage, StoredMessage } from "../../storage/message.ts"
import type { ConnectionHandle } from "../connection-handle.ts"
import type { ConsumerRequest, Subscriber } from "../consumer.ts"
import type { CommitScope } from "../commit-scope.ts"
import type { Destination } from "../exchange/destination.ts"
import type { QueueSettings } from "../settings.ts"

/**
 * What vhosts and sessions know of a queue, whatever its type: Queue (classic and quorum) and Stream
 * implement it. Rules of declaration are the vhost's, of routing the exchange's.
 */

/** What became of a published message. */
export const QUEUE_TOOK = 0
/** The store cannot write: the publisher gets a nack or an error. */
export const QUEUE_FAILED = 1
/** A length limit with reject-publish: a nack with confirms, silence without. */
export const QUEUE_REJECTED = 2

/** The disk fails the queue at present. What it stored before is safe, and everything is tried again. */
export interface QueueFault {
  /** What fails: publishing is refused, or messages cannot be delivered. */
  readonly kind: "write" | "read"
  /** Of the operating system, such as EIO or ENOSPC. */
  readonly code: string
  /** The file at fault. */
  readonly path: string
}

/** What a store says of itself. Only the first of several files at fault is named. */
export function faultOf(store: FailingStore, cannotRead: boolean): QueueFault | null {
  if (!store.failed && !cannotRead) return null
  const { code = "EIO", path = "" } = store.lastError ?? {}
  return { kind: store.failed ? "write" : "read", code, path }
}

interface FailingStore {
  readonly failed: boolean
  readonly lastError: { readonly code: string; readonly path: string } | null
}

export interface MessageQueue extends Destination, CommitScope {
  readonly kind: 0
  readonly vhostName: string
  readonly durable: boolean
  readonly autoDelete: boolean
  readonly arguments: Table
  /** The only connection that may use an exclusive queue, and with which it ends. */
  readonly owner: ConnectionHandle | null
  readonly exclusive: boolean
  readonly deleted: boolean
  /** It takes messages, and hands none out to consumers or basic.get. */
  readonly isPaused: boolean
  /** Null while all is well. */
  readonly fault: QueueFault | null
  /** On the turn's list of queues to deliver from. */
  inTurn: boolean
  readonly readyCount: number
  readonly readyBytes: number
  readonly unackedCount: number
  readonly consumerCount: number
  readonly subscribers: Iterable<Subscriber>
  publishedCount: number
  /** In whatever way: to consumers and by basic.get. */
  readonly deliveredCount: number
  acknowledgedCount: number
  redeliveredCount: number
  /** Of the deliveries, those to consumers that do not acknowledge, and by basic.get with and without. */
  readonly deliverNoAckCount: number
  readonly getCount: number
  readonly getNoAckCount: number
  /** basic.get that found nothing. */
  readonly getEmptyCount: number

  /** Applies what arguments and policies say. Called once after creation and at each change. */
  configure(settings: QueueSettings): void
  readonly settings: QueueSettings
  publish(message: IncomingMessage): number
  /**
   * As publish(), for `count` messages whose bodies lie `stride` bytes apart and which are alike
   * otherwise. Returns how many were taken; the next one is then to be published the single way, which
   * tells what became of it. A queue with rules for single messages may take none.
   */
  publishRun(message: IncomingMessage, count: number, stride: number): number
  /** Hands out up to `limit` ready messages. True if there may be more to do next turn. */
  deliver(limit: number): boolean
  /** basic.get. Throws for a type that has none. */
  get(into: StoredMessage, noAck: boolean): boolean
  /** `count` (1 if absent) messages of the same size, one directly behind the other. */
  ack(segment: number, position: number, size: number, bodySize: number, count?: number): void
  /** reject or nack without requeue: dead-lettered or dropped. */
  drop(segment: number, position: number, size: number, bodySize: number): void
  /** As ack(). */
  requeue(segment: number, position: number, size: number, bodySize: number, count?: number): void
  /** Throws Refusal or ProtocolError unless such a consumer may be added. */
  checkConsumer(request: ConsumerRequest): void
  /** False for one that waits for another to leave (single active consumer). Absent where there is no such thing. */
  isActive?(subscriber: Subscriber): boolean
  addSubscriber(subscriber: Subscriber): void
  removeSubscriber(subscriber: Subscriber): void
  unpark(subscriber: Subscriber): void
  /** Somebody used it (basic.get, declare): its x-expires lease starts anew. */
  touch(): void
  setPaused(isPaused: boolean): void
  /** Cancels the consumers, then closes the store and reads it from disk again. Nothing may be held unacknowledged. */
  restart(): void
  /**
   * Drops ready messages, the first `countMax` or all, and returns how many. Throws for a type that has no
   * purge.
   */
  purge(countMax?: number): number
  /** Called by the vhost once the queue is out of its tables. Returns the number of ready messages lost. */
  dispose(): number
}
