import type { Table } from "../amqp/table.ts"
import type { IncomingMessage } from "../storage/message.ts"
import type { MessageStore } from "../storage/message-store.ts"
import { randomName } from "../util/random.ts"
import type { Random } from "../util/random.ts"
import {
  checkExchangeArguments,
  checkExchangeEquivalence,
  checkName,
  checkQueueArguments,
  checkQueueEquivalence,
} from "./arguments.ts"
import type { ConnectionHandle } from "./connection-handle.ts"
import { Refusal } from "./errors.ts"
import { DESTINATION_EXCHANGE, DESTINATION_QUEUE } from "./exchange/destination.ts"
import type { Destination, DestinationKind } from "./exchange/destination.ts"
import { checkExchangeType, Exchange } from "./exchange/exchange.ts"
import {
  createPredeclaredExchanges,
  isPredeclaredExchange,
  RESERVED_PREFIX,
} from "./exchange/predeclared.ts"
import { Router } from "./exchange/route.ts"
import { Queue } from "./queue/queue.ts"
import type { QueueContext } from "./queue/queue.ts"
import type { Turn } from "./turn.ts"
import {
  bindFrame,
  exchangeDeclareFrame,
  exchangeDeleteFrame,
  queueDeclareFrame,
  queueDeleteFrame,
  unbindFrame,
} from "./vhost-definitions.ts"
import type { DefinitionSink } from "./vhost-definitions.ts"

/**
 * A virtual host: its exchanges, queues and bindings, and the rules by which they are declared, bound
 * and deleted. Permissions are checked by the caller (access.ts), frames are read by the session.
 *
 * Every change of the topology raises `generation`; what sessions derived from an older one (routes,
 * permission verdicts) is void then.
 */

/** What the vhost needs from its surroundings. */
export interface VhostContext {
  readonly turn: Turn
  readonly random: Random
  openStore(queue: Queue): MessageStore
  /**
   * Appends a frame to definitions.amqp; on disk before the next commit round ends. While the log
   * cannot be written, a deletion waits (false) and anything else is refused with a Refusal.
   */
  logDefinition(frame: Buffer, isDeletion: boolean): boolean
  /** definitions.amqp cannot be written at present. */
  readonly failed: boolean
  stalled(queue: Queue): void
  wentEmpty(queue: Queue): void
}

export interface ExchangeDeclaration {
  readonly name: string
  readonly type: string
  readonly passive: boolean
  readonly durable: boolean
  readonly autoDelete: boolean
  readonly internal: boolean
  readonly arguments: Table
}

export interface QueueDeclaration {
  readonly name: string
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

/** Outcome of publish(). */
export const PUBLISH_ACCEPTED = 0
/** Accepted by a durable queue and persistent: safe only after the next commit round. */
export const PUBLISH_DURABLE = 1
/** A queue refused its copy. */
export const PUBLISH_REFUSED = 2
export const PUBLISH_UNROUTABLE = 3

export class Vhost implements QueueContext, DefinitionSink {
  readonly name: string
  readonly exchanges = new Map<string, Exchange>()
  readonly queues = new Map<string, Queue>()
  readonly defaultExchange: Exchange
  /** Raised by every change of topology, permissions or alarms. */
  generation = 1
  /** Changes written to definitions.amqp so far: a reply to a change that raised it waits for the disk. */
  loggedCount = 0
  readonly router: Router<Queue>
  readonly turn: Turn
  /** Exchanges that have bindings to a destination, so that its deletion need not ask all of them. */
  readonly #sourcesOf = new Map<Destination, Set<Exchange>>()
  readonly #exclusiveQueues = new Map<ConnectionHandle, Set<Queue>>()
  readonly #context: VhostContext
  #isLoading = false

  constructor(name: string, context: VhostContext) {
    this.name = name
    this.#context = context
    this.turn = context.turn
    this.router = new Router((exchange) => this.exchanges.get(exchange) ?? null)
    for (const exchange of createPredeclaredExchanges()) this.exchanges.set(exchange.name, exchange)
    this.defaultExchange = this.exchanges.get("")!
  }

  /** Changes of the durable topology cannot be written at present. */
  get isLogFailed(): boolean {
    return this.#context.failed
  }

  get vhostName(): string {
    return this.name
  }

  // ---- looking up

  exchange(name: string): Exchange {
    const exchange = this.exchanges.get(name)
    if (exchange === undefined)
      throw new Refusal("not-found", `no exchange '${name}' in vhost '${this.name}'`)
    return exchange
  }

  /** Throws not-found, or resource-locked if it is exclusive to another connection. */
  queue(name: string, connection: ConnectionHandle | null): Queue {
    const queue = this.queues.get(name)
    if (queue === undefined)
      throw new Refusal("not-found", `no queue '${name}' in vhost '${this.name}'`)
    this.#checkOwner(queue, connection)
    return queue
  }

  #checkOwner(queue: Queue, connection: ConnectionHandle | null): void {
    if (queue.owner !== null && queue.owner !== connection) throw this.#locked(queue)
  }

  #locked(queue: Queue): Refusal {
    return new Refusal(
      "resource-locked",
      `cannot obtain exclusive access to locked queue '${queue.name}' in vhost '${this.name}'. ` +
        "It could be originally declared on another connection or the exclusive property value " +
        "does not match that of the original declaration.",
    )
  }

  // ---- exchanges

  /** Returns the exchange, new or as it is. Throws Refusal if it differs or may not be made. */
  declareExchange(request: ExchangeDeclaration): Exchange {
    const { name } = request
    if (request.passive) return this.exchange(name)
    checkExchangeType(request.type)
    if (name === "") throw defaultExchangeRefused()
    const existing = this.exchanges.get(name)
    if (existing !== undefined) {
      checkExchangeEquivalence(this.name, existing, request)
      return existing
    }
    checkName("exchange", name)
    checkExchangeArguments(this.name, name, request.arguments)
    if (name.startsWith(RESERVED_PREFIX))
      throw new Refusal(
        "access-refused",
        `exchange name '${name}' contains reserved prefix '${RESERVED_PREFIX}*'`,
      )
    const exchange = new Exchange(request)
    this.#log(exchange.durable, () => exchangeDeclareFrame(exchange), false)
    this.exchanges.set(name, exchange)
    this.#topologyChanged()
    return exchange
  }

  /** No error if it is absent. */
  deleteExchange(name: string, ifUnused: boolean): void {
    if (name === "") throw defaultExchangeRefused()
    const exchange = this.exchanges.get(name)
    if (isPredeclaredExchange(name))
      throw new Refusal(
        "access-refused",
        `deletion of system exchange '${name}' in vhost '${this.name}' not allowed`,
      )
    if (exchange === undefined) return
    if (ifUnused && exchange.bindings.size > 0)
      throw new Refusal("precondition-failed", `exchange '${name}' in vhost '${this.name}' in use`)
    this.#removeExchange(exchange)
  }

  /** And the auto-delete exchanges that lose their last binding by it. No recursion: a chain of them may be long. */
  #removeExchange(first: Exchange): void {
    const doomed = [first]
    for (let exchange = doomed.pop(); exchange !== undefined; exchange = doomed.pop()) {
      const { name, durable } = exchange
      if (this.exchanges.get(name) !== exchange) continue
      this.#log(durable, () => exchangeDeleteFrame(name), true)
      this.exchanges.delete(name)
      const source = exchange
      exchange.bindings.forEach((destination) => {
        this.#sourcesOf.get(destination)?.delete(source)
      })
      this.#unbindDestination(exchange, doomed)
    }
    this.#topologyChanged()
  }

  // ---- queues

  /** The queue, new or as it is. `passive` is the session's business (it only looks up). */
  declareQueue(request: QueueDeclaration, connection: ConnectionHandle | null): Queue {
    let { name } = request
    if (name === "") name = this.#unusedQueueName()
    else if (name.startsWith(RESERVED_PREFIX))
      throw new Refusal(
        "access-refused",
        `queue name '${name}' contains reserved prefix '${RESERVED_PREFIX}*'`,
      )
    const existing = this.queues.get(name)
    if (existing !== undefined) {
      this.#checkOwner(existing, connection)
      if (request.exclusive !== existing.exclusive) throw this.#locked(existing)
      checkQueueEquivalence(this.name, existing, request)
      return existing
    }
    checkName("queue", name)
    checkQueueArguments(this.name, { ...request, name, isServerNamed: request.name === "" })
    const owner = request.exclusive ? connection : null
    const queue = new Queue(this, { ...request, name }, owner)
    this.#log(isPersistent(queue), () => queueDeclareFrame(queue), false)
    this.#addQueue(queue)
    return queue
  }

  #addQueue(queue: Queue): void {
    this.queues.set(queue.name, queue)
    if (queue.owner !== null) {
      const owned = this.#exclusiveQueues.get(queue.owner)
      if (owned === undefined) this.#exclusiveQueues.set(queue.owner, new Set([queue]))
      else owned.add(queue)
    }
    this.generation++ // The default exchange routes to it from now on.
  }

  #unusedQueueName(): string {
    for (;;) {
      const name = randomName(this.#context.random, "amq.gen-")
      if (!this.queues.has(name)) return name
    }
  }

  /** Returns the number of ready messages that went with it. */
  deleteQueueIf(queue: Queue, ifUnused: boolean, ifEmpty: boolean): number {
    if (ifUnused && queue.consumerCount > 0)
      throw new Refusal(
        "precondition-failed",
        `queue '${queue.name}' in vhost '${this.name}' in use`,
      )
    if (ifEmpty && queue.readyCount > 0)
      throw new Refusal(
        "precondition-failed",
        `queue '${queue.name}' in vhost '${this.name}' not empty`,
      )
    return this.deleteQueue(queue)
  }

  deleteQueue(queue: Queue): number {
    if (queue.deleted) return 0
    this.#log(isPersistent(queue), () => queueDeleteFrame(queue.name), true)
    this.queues.delete(queue.name)
    if (queue.owner !== null) this.#exclusiveQueues.get(queue.owner)?.delete(queue)
    const unused: Exchange[] = []
    this.#unbindDestination(queue, unused)
    for (const exchange of unused) this.#removeExchange(exchange)
    this.#topologyChanged()
    return queue.dispose()
  }

  /** The connection has ended: its exclusive queues go. */
  releaseConnection(connection: ConnectionHandle): void {
    const owned = this.#exclusiveQueues.get(connection)
    if (owned === undefined) return
    this.#exclusiveQueues.delete(connection)
    for (const queue of owned) this.deleteQueue(queue)
  }

  openStore(queue: Queue): MessageStore {
    return this.#context.openStore(queue)
  }

  stalled(queue: Queue): void {
    this.#context.stalled(queue)
  }

  wentEmpty(queue: Queue): void {
    this.#context.wentEmpty(queue)
  }

  // ---- bindings

  bind(request: BindingRequest, connection: ConnectionHandle | null): void {
    if (
      request.source === "" ||
      (request.kind === DESTINATION_EXCHANGE && request.destination === "")
    )
      throw defaultExchangeRefused()
    const destination =
      request.kind === DESTINATION_QUEUE
        ? this.queue(request.destination, connection)
        : this.exchange(request.destination)
    const source = this.exchange(request.source)
    const { routingKey, arguments: args } = request
    if (!source.bindings.add(destination, routingKey, args)) return
    try {
      this.#log(
        isBindingPersistent(source, destination),
        () => bindFrame(source.name, request.kind, destination.name, routingKey, args),
        false,
      )
    } catch (error) {
      source.bindings.remove(destination, routingKey, args)
      throw error
    }
    const sources = this.#sourcesOf.get(destination)
    if (sources === undefined) this.#sourcesOf.set(destination, new Set([source]))
    else sources.add(source)
    this.#topologyChanged()
  }

  /** No error if anything named is absent. May delete the source (auto-delete). */
  unbind(request: BindingRequest, connection: ConnectionHandle | null): void {
    if (
      request.source === "" ||
      (request.kind === DESTINATION_EXCHANGE && request.destination === "")
    )
      throw defaultExchangeRefused()
    const source = this.exchanges.get(request.source)
    const destination =
      request.kind === DESTINATION_QUEUE
        ? this.queues.get(request.destination)
        : this.exchanges.get(request.destination)
    if (destination === undefined) return
    if (destination.kind === DESTINATION_QUEUE) this.#checkOwner(destination, connection)
    if (source === undefined) return
    const { routingKey, arguments: args } = request
    if (!source.bindings.remove(destination, routingKey, args)) return
    try {
      this.#log(
        isBindingPersistent(source, destination),
        () => unbindFrame(source.name, request.kind, destination.name, routingKey, args),
        true,
      )
    } catch (error) {
      source.bindings.add(destination, routingKey, args)
      throw error
    }
    if (!source.bindings.hasDestination(destination))
      this.#sourcesOf.get(destination)?.delete(source)
    this.#topologyChanged()
    this.#deleteIfUnused(source)
  }

  /**
   * Not logged: the deletion of the destination implies it, also when the log is read. Adds the
   * auto-delete exchanges that have no binding left to `unused`.
   */
  #unbindDestination(destination: Exchange | Queue, unused: Exchange[]): void {
    const sources = this.#sourcesOf.get(destination)
    if (sources === undefined) return
    this.#sourcesOf.delete(destination)
    for (const source of sources) {
      source.bindings.removeDestination(destination, () => {})
      if (source.autoDelete && source.bindings.size === 0) unused.push(source)
    }
  }

  /** An auto-delete exchange goes with its last binding as a source. */
  #deleteIfUnused(source: Exchange): void {
    if (source.autoDelete && source.bindings.size === 0) this.#removeExchange(source)
  }

  // ---- messages

  /** Gives every queue its copy. */
  publish(
    exchange: Exchange,
    queues: readonly Queue[],
    count: number,
    message: IncomingMessage,
  ): number {
    exchange.publishInCount++
    if (count === 1) {
      const queue = queues[0]!
      if (!queue.publish(message)) return PUBLISH_REFUSED
      exchange.publishOutCount++
      return message.persistent && queue.durable ? PUBLISH_DURABLE : PUBLISH_ACCEPTED
    }
    if (count === 0) {
      exchange.unroutableCount++
      return PUBLISH_UNROUTABLE
    }
    let result = PUBLISH_ACCEPTED
    for (let i = 0; i < count; i++) {
      const queue = queues[i]!
      if (!queue.publish(message)) result = PUBLISH_REFUSED
      else {
        exchange.publishOutCount++
        if (result === PUBLISH_ACCEPTED && message.persistent && queue.durable)
          result = PUBLISH_DURABLE
      }
    }
    return result
  }

  /**
   * Publishes up to `count` messages to one queue. They differ in their bodies only, which lie `stride`
   * bytes apart. Returns how many the queue has accepted; the one behind them it has refused.
   */
  publishRun(
    exchange: Exchange,
    queue: Queue,
    message: IncomingMessage,
    count: number,
    stride: number,
  ): number {
    const accepted = queue.publishRun(message, count, stride)
    exchange.publishInCount += accepted
    exchange.publishOutCount += accepted
    return accepted
  }

  // ---- definitions.amqp

  /** While this runs, changes are not logged: they come from the log. */
  load(read: () => void): void {
    this.#isLoading = true
    try {
      read()
    } finally {
      this.#isLoading = false
    }
  }

  exchangeDeclared(
    name: string,
    type: string,
    autoDelete: boolean,
    internal: boolean,
    args: Table,
  ): void {
    const exchange = new Exchange({
      name,
      type,
      durable: true,
      autoDelete,
      internal,
      arguments: args,
    })
    this.exchanges.set(name, exchange)
  }

  exchangeDeleted(name: string): void {
    const exchange = this.exchanges.get(name)
    if (exchange !== undefined && !isPredeclaredExchange(name)) this.#removeExchange(exchange)
  }

  queueDeclared(name: string, autoDelete: boolean, args: Table): void {
    if (this.queues.has(name)) return
    this.#addQueue(
      new Queue(this, { name, durable: true, exclusive: false, autoDelete, arguments: args }, null),
    )
  }

  queueDeleted(name: string): void {
    const queue = this.queues.get(name)
    if (queue !== undefined) this.deleteQueue(queue)
  }

  bound(
    source: string,
    kind: DestinationKind,
    destination: string,
    key: string,
    args: Table,
  ): void {
    if (!this.exchanges.has(source) || !this.#has(kind, destination)) return
    this.bind({ source, kind, destination, routingKey: key, arguments: args }, null)
  }

  unbound(
    source: string,
    kind: DestinationKind,
    destination: string,
    key: string,
    args: Table,
  ): void {
    this.unbind({ source, kind, destination, routingKey: key, arguments: args }, null)
  }

  #has(kind: DestinationKind, name: string): boolean {
    return kind === DESTINATION_QUEUE ? this.queues.has(name) : this.exchanges.has(name)
  }

  /** Every durable definition as frames, for compaction. Exchanges and queues before bindings. */
  forEachDefinition(emit: (frame: Buffer) => void): void {
    for (const exchange of this.exchanges.values())
      if (exchange.durable && !isPredeclaredExchange(exchange.name))
        emit(exchangeDeclareFrame(exchange))
    for (const queue of this.queues.values())
      if (isPersistent(queue)) emit(queueDeclareFrame(queue))
    for (const source of this.exchanges.values())
      source.bindings.forEach((destination, routingKey, args) => {
        const { kind, name } = destination
        const target = kind === DESTINATION_QUEUE ? this.queues.get(name) : this.exchanges.get(name)
        if (target !== undefined && isBindingPersistent(source, target))
          emit(bindFrame(source.name, target.kind, target.name, routingKey, args))
      })
  }

  #log(isDurable: boolean, frame: () => Buffer, isDeletion: boolean): void {
    if (!isDurable || this.#isLoading) return
    if (this.#context.logDefinition(frame(), isDeletion)) this.loggedCount++
  }

  #topologyChanged(): void {
    this.generation++
    this.router.invalidate()
  }
}

/** Survives a restart. An exclusive queue never does: its connection is gone by then. */
export function isPersistent(queue: Queue): boolean {
  return queue.durable && queue.owner === null
}

function isBindingPersistent(source: Exchange, destination: Exchange | Queue): boolean {
  if (!source.durable || !destination.durable) return false
  return destination.kind === DESTINATION_EXCHANGE || destination.owner === null
}

function defaultExchangeRefused(): Refusal {
  return new Refusal("access-refused", "operation not permitted on the default exchange")
}
