import type { BasicProperties } from "../../amqp/properties.ts"
import { DESTINATION_EXCHANGE, RouteTargets, type Destination } from "./destination.ts"
import type { Exchange } from "./exchange.ts"

/**
 * From an exchange and a routing key to the queues that get the message: follows exchange-to-exchange
 * bindings, visits every exchange once (cycles end, a diamond gives one copy), gives every queue once.
 *
 * Not here: the default exchange (the vhost looks the queue up by name), permissions, mandatory, and
 * what keeps a message at an exchange (an Interceptor: publishing.ts).
 *
 * Routes that depend on the routing key alone are cached, because a hit costs two map lookups and no
 * allocation. Any change of bindings or exchanges invalidates all of them: the vhost calls invalidate().
 */
export class ResolvedRoute<Q extends Destination> {
  /** Valid up to `count`. The caller must not change it. */
  readonly queues: Q[]
  count: number
  /**
   * True: stays as it is and is right for this exchange and key until Router.generation changes.
   * False: valid until the next call on the same router.
   */
  readonly isStable: boolean

  constructor(queues: Q[], count: number, isStable: boolean) {
    this.queues = queues
    this.count = count
    this.isStable = isStable
  }
}

/** Asked at each exchange that deduplicates or delays. */
export interface Interceptor {
  /** True if the message ends here: neither the bindings nor the alternate exchange are followed. */
  intercepts(exchange: Exchange): boolean
}

/** Limits of the cache, over all exchanges of a vhost. When one is hit the cache starts anew. */
const CACHED_ROUTE_COUNT_MAX = 16_384
const CACHED_QUEUE_COUNT_MAX = 262_144
/** Above so many references in the pass arrays they are released after the pass. */
const KEPT_TARGET_COUNT_MAX = 65_536

export class Router<Q extends Destination> {
  /** Raised by every change of the topology. Compare it to keep what was derived from routes. */
  generation = 0
  /** For alternate exchanges; null if there is no such exchange. */
  readonly #findExchange: (name: string) => Exchange | null
  readonly #targets = new RouteTargets()
  readonly #passing: ResolvedRoute<Destination>
  readonly #keys: string[] = [""]
  readonly #cachedIn: Exchange[] = []
  #cachedRouteCount = 0
  #cachedQueueCount = 0

  constructor(findExchange: (name: string) => Exchange | null) {
    this.#findExchange = findExchange
    this.#passing = new ResolvedRoute(this.#targets.queues, 0, false)
  }

  /** To be called after every change to bindings, exchanges or alternate exchanges. */
  invalidate(): void {
    this.generation++
    this.#clearCache()
  }

  /**
   * Whether it takes each message's properties to find its queues: resolve() will not do then (but for
   * exchanges that neither delay nor deduplicate), and what it gives is right for one message only.
   */
  needsProperties(exchange: Exchange): boolean {
    if (exchange.needGeneration !== this.generation) {
      exchange.needsProperties = this.#findNeedOfProperties(exchange)
      exchange.needGeneration = this.generation
    }
    return exchange.needsProperties
  }

  resolve(
    exchange: Exchange,
    routingKey: string,
    properties: BasicProperties | null,
  ): ResolvedRoute<Q> {
    const cached = exchange.routes?.get(routingKey)
    if (cached !== undefined) return ofQueues(cached)
    this.#keys[0] = routingKey
    const isCacheable = !this.needsProperties(exchange)
    this.#traverse(exchange, this.#keys, properties, null)
    if (isCacheable && this.#targets.queueCount <= CACHED_QUEUE_COUNT_MAX / 4)
      return this.#remember(exchange, routingKey)
    this.#passing.count = this.#targets.queueCount
    return ofQueues(this.#passing)
  }

  /** For messages with more than one routing key (CC, BCC): one pass, so one copy per queue. */
  resolveAll(
    exchange: Exchange,
    routingKeys: readonly string[],
    properties: BasicProperties | null,
    interceptor: Interceptor | null = null,
  ): ResolvedRoute<Q> {
    this.#traverse(exchange, routingKeys, properties, interceptor)
    this.#passing.count = this.#targets.queueCount
    return ofQueues(this.#passing)
  }

  /**
   * The destinations of one routing key at one exchange, without going on to what is behind them: for those
   * who explain a route. Asks no interceptor; a random exchange draws.
   */
  matchAt(
    exchange: Exchange,
    routingKey: string,
    properties: BasicProperties | null,
  ): Destination[] {
    const targets = this.#targets
    targets.begin()
    exchange.bindings.match(routingKey, properties, targets)
    return [
      ...targets.queues.slice(0, targets.queueCount),
      ...targets.exchanges.slice(0, targets.exchangeCount),
    ]
  }

  #traverse(
    start: Exchange,
    routingKeys: readonly string[],
    properties: BasicProperties | null,
    interceptor: Interceptor | null,
  ): void {
    const targets = this.#targets
    if (targets.queues.length + targets.exchanges.length > KEPT_TARGET_COUNT_MAX) targets.release()
    targets.begin()
    targets.add(start)
    for (let i = 0; i < targets.exchangeCount; i++) {
      const exchange = targets.exchanges[i]
      if (!isExchange(exchange)) continue
      if (interceptor !== null && exchange.isIntercepting && interceptor.intercepts(exchange))
        continue
      targets.matched = false
      const { bindings } = exchange
      const keyCount = bindings.usesOneKey ? 1 : routingKeys.length
      for (let k = 0; k < keyCount; k++) bindings.match(routingKeys[k]!, properties, targets) // In range.
      // RabbitMQ: a match of any kind counts, also an exchange that leads nowhere.
      if (!targets.matched && exchange.alternateExchange !== "") {
        const alternate = this.#findExchange(exchange.alternateExchange)
        if (alternate !== null) targets.add(alternate)
      }
    }
  }

  #remember(exchange: Exchange, routingKey: string): ResolvedRoute<Q> {
    const count = this.#targets.queueCount
    if (
      this.#cachedRouteCount >= CACHED_ROUTE_COUNT_MAX ||
      this.#cachedQueueCount + count > CACHED_QUEUE_COUNT_MAX
    )
      this.#clearCache()
    const route = new ResolvedRoute(this.#targets.queues.slice(0, count), count, true)
    if (exchange.routes === null) {
      exchange.routes = new Map()
      this.#cachedIn.push(exchange)
    }
    exchange.routes.set(routingKey, route)
    this.#cachedRouteCount++
    this.#cachedQueueCount += count
    return ofQueues(route)
  }

  #clearCache(): void {
    for (let i = 0; i < this.#cachedIn.length; i++) this.#cachedIn[i]!.routes = null // In range.
    this.#cachedIn.length = 0
    this.#cachedRouteCount = 0
    this.#cachedQueueCount = 0
  }

  /** Walks everything that can be reached, whatever the routing key: bindings and alternates. */
  #findNeedOfProperties(start: Exchange): boolean {
    const seen = new Set<Exchange>([start])
    for (const exchange of seen) {
      if (exchange.isIntercepting || exchange.bindings.usesProperties) return true
      for (const next of exchange.bindings.exchanges) if (isExchange(next)) seen.add(next)
      if (exchange.alternateExchange === "") continue
      const alternate = this.#findExchange(exchange.alternateExchange)
      if (alternate !== null) seen.add(alternate)
    }
    return false
  }
}

/** Exchange is the only class of its kind. */
function isExchange(destination: Destination | undefined): destination is Exchange {
  return destination !== undefined && destination.kind === DESTINATION_EXCHANGE
}

/** RouteTargets sorts by kind, and Q is the one class of kind queue in the router's vhost. */
function ofQueues<Q extends Destination>(route: ResolvedRoute<Destination>): ResolvedRoute<Q> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- see above
  return route as ResolvedRoute<Q>
}
