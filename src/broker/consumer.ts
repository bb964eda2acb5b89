import type { Table } from "../amqp/table.ts"
import type { IncomingMessage, StoredMessage } from "../storage/message.ts"
import type { ConsumerInfo } from "./inspection.ts"

/** What a consumer asks for, before there is one (basic.consume). */
export interface ConsumerRequest {
  readonly tag: string
  readonly noAck: boolean
  readonly exclusive: boolean
  readonly arguments: Table
  /** Deliveries that may be unacknowledged; 0 is unlimited. */
  readonly prefetchCount: number
  /** Of the channel (qos with global=true); 0 if there is none. */
  readonly globalPrefetch: number
}

/**
 * A consumer as the queue sees it. The session implements it: the queue decides who gets the next
 * message, the session knows prefetch, flow and how full the socket is.
 */
export interface Subscriber {
  readonly tag: string
  readonly noAck: boolean
  readonly exclusive: boolean
  /** Higher goes first among subscribers with capacity (x-priority). */
  readonly priority: number
  /** Of basic.consume: streams have arguments of their own. */
  readonly arguments: Table
  /** Cancelled subscribers stay in the ready ring until they come up, and are dropped then. */
  cancelled: boolean
  /** True while it waits outside the ready ring for capacity; its session calls Queue.unpark. */
  parked: boolean
  /** May it take one more message now? */
  hasCapacity(): boolean
  /** How many messages it may take before it acknowledges one. Counts after hasCapacity() said yes. */
  readonly credit: number
  /**
   * Copies out the message and those behind it: `count` in all, which are alike but for their bodies
   * and lie `message.size` bytes apart. The view is valid only during the call, which may move it.
   */
  deliver(message: StoredMessage, count: number): void
  /** As deliver(), for a message that was not stored; only without acknowledgement and after hasCapacity(). */
  passOn(message: IncomingMessage): void
  /** For the management. */
  describe?(): ConsumerInfo
  /** The queue is gone: the client is told (basic.cancel) if it can be. */
  queueDeleted(): void
}
