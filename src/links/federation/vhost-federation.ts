import type { Table } from "../../amqp/table.ts"
import type { Destination } from "../../broker/exchange/destination.ts"
import type { Exchange } from "../../broker/exchange/exchange.ts"
import type { FederationObserver } from "../../broker/federated-items.ts"
import { queueTypeOf } from "../../broker/queue-type.ts"
import type { MessageQueue } from "../../broker/queue/message-queue.ts"
import { Queue } from "../../broker/queue/queue.ts"
import type { FederationSettings } from "../../broker/settings.ts"
import type { Vhost } from "../../broker/vhost.ts"
import { ExchangeLink } from "./exchange-link.ts"
import type { FederationContext, FederationLink } from "./federation-link.ts"
import { QueueLink } from "./queue-link.ts"
import { upstreamsOf } from "./upstream.ts"
import type { Upstream } from "./upstream.ts"

/**
 * The links of one vhost: one for each exchange or queue that a policy federates and each upstream that
 * the policy means. Follows policies, upstreams, exchanges and queues as they come and go. A change of
 * upstreams looks at what is federated in slices, so that it holds nobody up.
 */
const ITEMS_PER_SLICE = 500

interface Linked<T extends FederationLink> {
  readonly link: T
  /** What the link was made from. */
  readonly key: string
}

export class VhostFederation implements FederationObserver {
  readonly #vhost: Vhost
  readonly #context: FederationContext
  readonly #exchanges = new Map<Exchange, Map<string, Linked<ExchangeLink>>>()
  readonly #queues = new Map<MessageQueue, Map<string, Linked<QueueLink>>>()
  /** To be compared with the upstreams of the moment. */
  readonly #outdated = new Set<Exchange | MessageQueue>()
  /** By settings; void with each change of a parameter. */
  readonly #upstreams = new Map<string, readonly Upstream[]>()
  readonly #stopping = new Set<Promise<void>>()
  /** The end of a link whose place is taken by another: the same queue at the upstream must not be used twice. */
  readonly #ending = new Map<string, Promise<void>>()
  #isSlicing = false
  #isClosed = false

  constructor(vhost: Vhost, context: FederationContext) {
    this.#vhost = vhost
    this.#context = context
  }

  start(): void {
    this.#vhost.federated.observer = this
    for (const exchange of this.#vhost.exchanges.values())
      if (exchange.settings.federation !== null) this.exchangeChanged(exchange)
    for (const queue of this.#vhost.queues.values())
      if (queue.settings.federation !== null) this.queueChanged(queue)
  }

  *links(): Generator<FederationLink> {
    for (const links of this.#exchanges.values()) for (const { link } of links.values()) yield link
    for (const links of this.#queues.values()) for (const { link } of links.values()) yield link
  }

  parametersChanged(): void {
    this.#upstreams.clear()
    for (const exchange of this.#vhost.exchanges.values())
      if (exchange.settings.federation !== null) this.#outdated.add(exchange)
    for (const queue of this.#vhost.queues.values())
      if (queue.settings.federation !== null) this.#outdated.add(queue)
    this.#slice()
  }

  /** `cleansUp`: the vhost is deleted; else the broker stops, and its links go on when it starts again. */
  async close(cleansUp: boolean): Promise<void> {
    this.#isClosed = true
    this.#vhost.federated.observer = null
    for (const queue of this.#queues.keys()) if (queue instanceof Queue) queue.onDemand = null
    const links = [...this.links()]
    this.#exchanges.clear()
    this.#queues.clear()
    await Promise.all([...this.#stopping, ...links.map((link) => link.stop(cleansUp))])
  }

  // ---- what the vhost tells

  exchangeChanged(exchange: Exchange): void {
    if (this.#isClosed) return
    const { federation } = exchange.settings
    const isFederated = federation !== null && !exchange.internal && exchange.name !== ""
    const upstreams = isFederated ? this.#upstreamsFor(federation) : []
    const links = this.#exchanges.get(exchange) ?? new Map<string, Linked<ExchangeLink>>()
    this.#exchanges.set(exchange, links)
    this.#adjust(
      "exchange",
      exchange.name,
      links,
      upstreams,
      (upstream, policy) =>
        new ExchangeLink(this.#context, this.#vhost, exchange, upstream, policy),
    )
    if (links.size === 0) this.#exchanges.delete(exchange)
  }

  exchangeDeleted(exchange: Exchange): void {
    const links = this.#exchanges.get(exchange)
    this.#exchanges.delete(exchange)
    this.#outdated.delete(exchange)
    for (const linked of links?.values() ?? []) this.#end(linked, true)
  }

  bound(source: Exchange, destination: Destination, routingKey: string, args: Table): void {
    for (const { link } of this.#exchanges.get(source)?.values() ?? [])
      link.bound(destination, routingKey, args)
  }

  unbound(source: Exchange, destination: Destination, routingKey: string, args: Table): void {
    for (const { link } of this.#exchanges.get(source)?.values() ?? [])
      link.unbound(destination, routingKey, args)
  }

  queueChanged(queue: MessageQueue): void {
    if (this.#isClosed || !(queue instanceof Queue)) return
    const { federation } = queue.settings
    const upstreams =
      federation !== null && isFederable(queue) ? this.#upstreamsFor(federation) : []
    const links = this.#queues.get(queue) ?? new Map<string, Linked<QueueLink>>()
    this.#queues.set(queue, links)
    this.#adjust(
      queueTypeOf(queue.arguments),
      queue.name,
      links,
      upstreams,
      (upstream, policy) => new QueueLink(this.#context, this.#vhost, queue, upstream, policy),
    )
    if (links.size === 0) this.#queues.delete(queue)
    queue.onDemand =
      links.size === 0
        ? null
        : () => {
            for (const { link } of links.values()) link.demandChanged()
          }
  }

  queueDeleted(queue: MessageQueue): void {
    const links = this.#queues.get(queue)
    this.#queues.delete(queue)
    this.#outdated.delete(queue)
    if (queue instanceof Queue) queue.onDemand = null
    for (const linked of links?.values() ?? []) this.#end(linked, true)
  }

  // ---- links

  #adjust<T extends FederationLink>(
    subject: Parameters<Vhost["effectiveSettings"]["effectOf"]>[0],
    name: string,
    links: Map<string, Linked<T>>,
    upstreams: readonly Upstream[],
    make: (upstream: Upstream, policy: string | null) => T,
  ): void {
    const wanted = new Map<string, Upstream>()
    for (const upstream of upstreams) wanted.set(keysOf(upstream).place, upstream)
    for (const [place, linked] of links) {
      const upstream = wanted.get(place)
      if (upstream !== undefined && keysOf(upstream).content === linked.key) continue
      links.delete(place)
      this.#end(linked, upstream === undefined || !usesSameQueue(upstream, linked.link.upstream))
    }
    if (wanted.size === 0) return
    const { policy } = this.#vhost.effectiveSettings.effectOf(subject, name)
    for (const [place, upstream] of wanted) {
      if (links.has(place)) continue
      const link = make(upstream, policy)
      links.set(place, { link, key: keysOf(upstream).content })
      const before = this.#ending.get(link.id)
      if (before === undefined) link.start()
      else void this.#startAfter(before, () => links.get(place)?.link === link, link)
    }
  }

  async #startAfter(
    before: Promise<void>,
    isWanted: () => boolean,
    link: FederationLink,
  ): Promise<void> {
    await before
    if (isWanted() && !this.#isClosed) link.start()
  }

  #end({ link }: Linked<FederationLink>, cleansUp: boolean): void {
    const stopped = this.#stopped(link, cleansUp, this.#ending.get(link.id))
    this.#ending.set(link.id, stopped)
    this.#stopping.add(stopped)
    void this.#forget(link, stopped)
  }

  async #stopped(
    link: FederationLink,
    cleansUp: boolean,
    before: Promise<void> | undefined,
  ): Promise<void> {
    await Promise.all([before, link.stop(cleansUp)])
  }

  async #forget(link: FederationLink, stopped: Promise<void>): Promise<void> {
    await stopped
    this.#stopping.delete(stopped)
    if (this.#ending.get(link.id) === stopped) this.#ending.delete(link.id)
  }

  #upstreamsFor(settings: FederationSettings): readonly Upstream[] {
    const key = `${settings.by} ${settings.name}`
    let upstreams = this.#upstreams.get(key)
    if (upstreams === undefined) {
      upstreams = upstreamsOf(settings, this.#vhost.parameters)
      this.#upstreams.set(key, upstreams)
    }
    return upstreams
  }

  #slice(): void {
    if (this.#isSlicing) return
    this.#isSlicing = true
    const next = (): void => {
      let left = ITEMS_PER_SLICE
      for (const item of this.#outdated) {
        this.#outdated.delete(item)
        if (item.kind === 0) this.queueChanged(item)
        else this.exchangeChanged(item)
        if (--left === 0) break
      }
      this.#isSlicing = this.#outdated.size > 0 && !this.#isClosed
      if (this.#isSlicing) this.#vhost.clock.setImmediate(next)
    }
    next()
  }
}

interface Keys {
  /** There is one link of an item for each. */
  readonly place: string
  readonly content: string
}

/** Many links have the same upstream, and each would have its own strings. */
const keys = new WeakMap<Upstream, Keys>()

function keysOf(upstream: Upstream): Keys {
  let found = keys.get(upstream)
  if (found === undefined) {
    const { name, exchange, queue } = upstream
    found = {
      place: JSON.stringify([name, exchange, queue]),
      content: JSON.stringify(upstream),
    }
    keys.set(upstream, found)
  }
  return found
}

/** An exclusive queue goes with its connection, and the queues of other links have their own way to be filled. */
function isFederable(queue: Queue): boolean {
  return queue.owner === null && !queue.deleted && !queue.arguments.has("x-internal-purpose")
}

/** The queue that a link of an exchange has at its upstream stays usable, with what it holds. */
function usesSameQueue(a: Upstream, b: Upstream): boolean {
  return (
    a.uris.join(" ") === b.uris.join(" ") &&
    a.expiresMs === b.expiresMs &&
    a.messageTtlMs === b.messageTtlMs &&
    a.queueType === b.queueType
  )
}
