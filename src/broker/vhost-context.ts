import type { Table } from "../amqp/table.ts"
import type { JsonDocument } from "../auth/users.ts"
import type { DeliveryCounts } from "../storage/delivery-counts.ts"
import type { QueueStore } from "../storage/queue-store.ts"
import type { StreamStore } from "../storage/stream/stream-store.ts"
import type { Clock } from "../util/clock.ts"
import type { Logger } from "../util/logger.ts"
import type { Random } from "../util/random.ts"
import type { TimerWheel } from "../util/timer-wheel.ts"
import type { DefinitionScope } from "./commit-scope.ts"
import type { SettledMoves } from "./settled-moves.ts"
import type { DestinationKind } from "./exchange/destination.ts"
import type { Exchange } from "./exchange/exchange.ts"
import type { MessageQueue } from "./queue/message-queue.ts"
import type { Queue } from "./queue/queue.ts"
import type { Stream } from "./stream/stream.ts"
import type { Turn } from "./turn.ts"

/** What a vhost is asked for (declarations, bindings), and what it needs from its surroundings. Types only. */

/** What a JSON file must hold at least, to be no damaged one. */
export type DocumentShape = "list" | "object"

/** What becomes of a redeclaration with other arguments: 406, or success with what there is. */
export type DeclareMismatch = "strict" | "adopt"

/** What the vhost needs from its surroundings. As a scope it is definitions.amqp. */
export interface VhostContext extends DefinitionScope {
  readonly turn: Turn
  readonly clock: Clock
  readonly timers: TimerWheel
  readonly random: Random
  readonly log: Logger
  /** Default strict. */
  readonly declareMismatch?: DeclareMismatch
  readonly settledMoves: SettledMoves
  openStore(queue: Queue): QueueStore
  openStreamStore(stream: Stream): StreamStore
  openDeliveryCounts(queue: Queue): DeliveryCounts
  /** Reads what the queue has on disk, and hands it over. */
  reopenStore(queue: MessageQueue): void
  /** For the messages that wait at a delayed exchange. */
  openDelayStore(exchange: Exchange): QueueStore
  /** A JSON file in the vhost's directory. load() gives null also for a damaged one, which is set aside. */
  openDocument(fileName: string, shape: DocumentShape): JsonDocument
  /**
   * Appends a frame to definitions.amqp; on disk before the next commit round ends. While the log
   * cannot be written, a deletion waits (false) and anything else is refused with a Refusal.
   */
  logDefinition(frame: Buffer, isDeletion: boolean): boolean
  stalled(queue: MessageQueue): void
  wentEmpty(queue: Queue): void
}

export interface ExchangeDeclaration {
  readonly name: string
  readonly type: string
  readonly passive: boolean
  readonly durable: boolean
  readonly autoDelete: boolean
  readonly internal: boolean
  /** It is the broker's own: its name may begin with amq. */
  readonly isReserved?: boolean
  readonly arguments: Table
}

export interface QueueDeclaration {
  readonly name: string
  /** Instead of an empty name, from Vhost.unusedQueueName(). */
  readonly generatedName?: string
  readonly durable: boolean
  readonly exclusive: boolean
  readonly autoDelete: boolean
  readonly arguments: Table
}

export interface BindingRequest {
  readonly source: string
  readonly kind: DestinationKind
  readonly destination: string
  readonly routingKey: string
  readonly arguments: Table
}
