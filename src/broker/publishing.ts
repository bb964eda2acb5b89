import type { BasicProperties } from "../amqp/properties.ts"
import type { IncomingMessage } from "../storage/message.ts"
import type { Destination } from "./exchange/destination.ts"
import { delayDone, delayOf, replaceProperties, type DelayStore } from "./exchange/delay.ts"
import type { Exchange } from "./exchange/exchange.ts"
import type { Interceptor, Router } from "./exchange/route.ts"
import { collectRoutingKeys, stripBcc } from "./exchange/routing-headers.ts"

/**
 * The long way of a message through the exchanges of a vhost: for all that needs more than an exchange
 * and one routing key. Several keys (CC, BCC), deduplication, delays, exchanges that look into the
 * properties, dead letters. The short way is Vhost.publish() with a route that is kept.
 *
 * In this order, at the exchange that was published to and at each that is bound behind it: a
 * duplicate ends there; a message with a delay waits there; anything else follows the bindings, or
 * goes to the alternate exchange. Then every queue gets one copy, without the BCC header.
 */

/** Outcome of a publish. */
export const PUBLISH_ACCEPTED = 0
/** Accepted by a durable queue and persistent: safe only after the next commit round. */
export const PUBLISH_DURABLE = 1
/** A queue could not store its copy. */
export const PUBLISH_REFUSED = 2
export const PUBLISH_UNROUTABLE = 3
/** A queue rejected its copy because of its length limit; the others have theirs. */
export const PUBLISH_OVERFLOWED = 4
/**
 * Deduplication knows it: nobody got a copy. The earlier message may not be on disk yet, so that this
 * one, too, is safe only after the next commit round. If it is mandatory it is returned.
 */
export const PUBLISH_DUPLICATE = 5

/** What publishing needs from its vhost. */
export interface PublishingContext<Q extends Destination> {
  readonly router: Router<Q>
  readonly queues: ReadonlyMap<string, Q>
  /** Gives every queue its copy and counts. */
  publish(exchange: Exchange, queues: readonly Q[], count: number, message: IncomingMessage): number
  /** Where the messages of a delayed exchange wait; null if they cannot. */
  delayStoreOf(exchange: Exchange): DelayStore | null
}

export { collectRoutingKeys, stripBcc } from "./exchange/routing-headers.ts"

export class Publishing<Q extends Destination> implements Interceptor {
  readonly #context: PublishingContext<Q>
  /** The message whose route is being found. */
  #message: IncomingMessage | null = null
  #properties: BasicProperties = {}
  /** It has waited here, so it passes. */
  #releasedFrom: Exchange | null = null
  /** Worst outcome of the delays that it met; PUBLISH_UNROUTABLE if it met none. */
  #delayed = PUBLISH_UNROUTABLE
  /** Exchanges that have remembered the message as one that is known from now on. */
  readonly #remembering: Exchange[] = []
  #isDuplicate = false
  /** The queues of the message being handed out; another array is made if a queue publishes meanwhile. */
  #targets: Q[] | null = []

  constructor(context: PublishingContext<Q>) {
    this.#context = context
  }

  /**
   * Publishes with all these routing keys (collectRoutingKeys). Only queues that `accepts` lets pass
   * get a copy. `properties` are those of the message, decoded. BCC is taken out of the message.
   */
  publishMessage(
    exchange: Exchange,
    routingKeys: readonly string[],
    message: IncomingMessage,
    properties: BasicProperties,
    accepts: ((queue: Q) => boolean) | null,
  ): number {
    return this.#publish(exchange, routingKeys, message, properties, accepts, null)
  }

  /**
   * The delay of a message that DelayStore.add() has taken is over: it goes where it would have gone.
   * After PUBLISH_REFUSED it is still to be kept.
   */
  releaseDelayed(
    exchange: Exchange,
    message: IncomingMessage,
    properties: BasicProperties,
    accepts: ((queue: Q) => boolean) | null = null,
  ): number {
    const routingKeys = collectRoutingKeys(routingKeyOf(message), properties)
    const after = delayDone(properties)
    if (after !== properties) replaceProperties(message, after)
    exchange.publishInCount-- // Counted when it came.
    return this.#publish(exchange, routingKeys, message, after, accepts, exchange)
  }

  #publish(
    exchange: Exchange,
    routingKeys: readonly string[],
    message: IncomingMessage,
    properties: BasicProperties,
    accepts: ((queue: Q) => boolean) | null,
    releasedFrom: Exchange | null,
  ): number {
    this.#delayed = PUBLISH_UNROUTABLE
    this.#isDuplicate = false
    this.#remembering.length = 0
    const own = this.#targets ?? []
    this.#targets = null
    let targets = own
    let count = 0
    if (exchange.name === "") count = this.#addQueuesNamed(routingKeys, accepts, own)
    else {
      this.#message = message
      this.#properties = properties
      this.#releasedFrom = releasedFrom
      const found = this.#context.router.resolveAll(exchange, routingKeys, properties, this)
      this.#message = null
      if (found.count === 1 && accepts === null) {
        targets = found.queues // The first is read before anything can change them.
        count = 1
      } else
        for (let i = 0; i < found.count; i++) {
          const queue = found.queues[i]!
          if (accepts === null || accepts(queue)) own[count++] = queue
        }
    }
    const delayed = this.#delayed
    const isDuplicate = this.#isDuplicate
    if (properties.headers?.has("BCC") === true) stripBcc(message)
    let outcome = PUBLISH_UNROUTABLE
    if (count > 0 || (delayed === PUBLISH_UNROUTABLE && !isDuplicate)) {
      const remembering = this.#remembering.length === 0 ? null : [...this.#remembering]
      outcome = this.#context.publish(exchange, targets, count, message)
      if (remembering !== null && (outcome === PUBLISH_REFUSED || outcome === PUBLISH_OVERFLOWED))
        forget(remembering)
    } else {
      exchange.publishInCount++
      if (delayed === PUBLISH_REFUSED) forget(this.#remembering)
    }
    if (own.length > 0) own.length = 0
    this.#targets = own
    outcome = worse(outcome, delayed)
    if (!isDuplicate) return outcome
    if (outcome === PUBLISH_UNROUTABLE) return PUBLISH_DUPLICATE
    return outcome === PUBLISH_ACCEPTED && message.persistent ? PUBLISH_DURABLE : outcome
  }

  /** The default exchange takes routing keys as names of queues. */
  #addQueuesNamed(
    names: readonly string[],
    accepts: ((queue: Q) => boolean) | null,
    targets: Q[],
  ): number {
    const { queues } = this.#context
    // A client may send many thousand names, so they are not compared with each other.
    for (const name of names.length === 1 ? names : new Set(names)) {
      const queue = queues.get(name)
      if (queue !== undefined && (accepts === null || accepts(queue))) targets.push(queue)
    }
    return targets.length
  }

  /** Called by the router for every exchange that deduplicates or delays. */
  intercepts(exchange: Exchange): boolean {
    const message = this.#message
    if (message === null || exchange === this.#releasedFrom) return false
    const { deduplication } = exchange
    if (deduplication !== null) {
      if (deduplication.isDuplicate(message, message.timestampMs)) {
        this.#isDuplicate = true
        return true
      }
      this.#remembering.push(exchange)
    }
    if (!exchange.settings.delayed) return false
    const delayMs = delayOf(this.#properties)
    if (delayMs === 0) return false
    const store = this.#context.delayStoreOf(exchange)
    if (store === null) return false
    this.#delayed = worse(this.#delayed, store.add(message, this.#properties, delayMs))
    return true
  }
}

function forget(exchanges: readonly Exchange[]): void {
  for (const exchange of exchanges) exchange.deduplication?.forgetLast()
}

/** Of what two places made of a message. It is unroutable only if nobody took it. */
function worse(a: number, b: number): number {
  if (a === PUBLISH_UNROUTABLE) return b
  if (b === PUBLISH_UNROUTABLE) return a
  if (a === PUBLISH_REFUSED || b === PUBLISH_REFUSED) return PUBLISH_REFUSED
  return a > b ? a : b
}

function routingKeyOf(message: IncomingMessage): string {
  const { bytes, view } = message.route
  const start = message.routeStart + 1 + view.getUint8(message.routeStart)
  return bytes.toString("utf8", start + 1, message.routeEnd)
}
