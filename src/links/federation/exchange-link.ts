import { TypedNumber } from "../../amqp/table.ts"
import type { FieldValue, Table } from "../../amqp/table.ts"
import type { Destination } from "../../broker/exchange/destination.ts"
import type { Exchange } from "../../broker/exchange/exchange.ts"
import {
  DOWNSTREAM_NAME_ARGUMENT,
  DOWNSTREAM_VHOST_ARGUMENT,
  FEDERATION_EXCHANGE_TYPE,
  MAX_HOPS_ARGUMENT,
} from "../../broker/exchange/federation-exchange.ts"
import type { Vhost } from "../../broker/vhost.ts"
import type { ClientChannel } from "../../client/channel.ts"
import { ClientError } from "../../client/errors.ts"
import type { ClientConnection } from "../../client/connection.ts"
import type { Delivery } from "../../client/delivery.ts"
import { PublishTarget } from "../../client/publish-target.ts"
import { parseUri } from "../../client/uri.ts"
import { isLocalUri, redactedUri } from "../link-uri.ts"
import { BindingMirror } from "./binding-mirror.ts"
import { FederationLink } from "./federation-link.ts"
import type { FederationContext, LinkEnds } from "./federation-link.ts"
import { HopHeader } from "./hop-header.ts"
import type { Upstream } from "./upstream.ts"

/**
 * Copies what is published to an exchange of an upstream into an exchange here, as far as the latter has
 * bindings for it. At the upstream it makes, with RabbitMQ's names:
 *
 *   exchange ──bindings──▶ "federation: x -> here A" ──▶ queue "federation: x -> here" ──▶ the link
 *
 * The exchange in the middle holds back what has been here already. Each time the link connects it makes
 * a new one (A, B, A, …) with the bindings of the moment, and then deletes the old one: so bindings
 * vanish that went while the link was down, and no message is missed. The queue stays: it keeps what
 * comes while the link is down.
 */
const SUFFIXES = ["A", "B"] as const
type Suffix = (typeof SUFFIXES)[number]

const PURPOSE: readonly [string, FieldValue] = ["x-internal-purpose", "federation"]
const NOT_FOUND = 404
/** How often the exchange in the middle is looked for: somebody may have deleted it. */
const CHECK_MS = 60_000
/** Frame header and end, class and size of a content header. */
const CONTENT_HEADER_SIZE = 8 + 12

export class ExchangeLink extends FederationLink {
  readonly type = "exchange"
  readonly #exchange: Exchange
  /** Made with the first message. */
  #target: PublishTarget | null = null
  #mirror: BindingMirror | null = null
  /** The exchange in the middle, and the channel on which its bindings are changed. */
  #middle: { readonly name: string; readonly commands: ClientChannel } | null = null
  /** Of the latest one that was complete; null if this process has made none. */
  #suffix: Suffix | null = null
  #checkAtMs = 0

  constructor(
    context: FederationContext,
    vhost: Vhost,
    exchange: Exchange,
    upstream: Upstream,
    policy: string | null,
  ) {
    const names = {
      type: "exchange",
      local: exchange.name,
      upstream: upstream.exchange ?? exchange.name,
    }
    super(context, vhost, names, upstream, policy)
    this.#exchange = exchange
  }

  /** Name of the queue at the upstream. */
  queueName(upstreamVhost: string): string {
    const { vhost, resource, upstreamResource } = this
    let here = this.context.clusterName()
    if (vhost.name !== upstreamVhost) here += `:${vhost.name}:${resource}`
    else if (resource !== upstreamResource) here += `:${resource}`
    return `federation: ${upstreamResource} -> ${here}`
  }

  bound(_destination: Destination, routingKey: string, args: Table): void {
    this.#mirror?.add(routingKey, args)
  }

  unbound(_destination: Destination, routingKey: string, args: Table): void {
    this.#mirror?.remove(routingKey, args)
  }

  override tick(nowMs: number): void {
    super.tick(nowMs)
    if (this.#middle === null || nowMs < this.#checkAtMs) return
    this.#checkAtMs = nowMs + CHECK_MS
    // If it is gone the channel closes, and the link begins anew.
    this.#middle.commands.checkExchange(this.#middle.name).catch(() => {})
  }

  protected async open(ends: LinkEnds): Promise<void> {
    const { session, upstream, source } = ends
    const queue = this.queueName(ends.upstreamVhost)
    const commands = this.upstream.hasCommandChannel
      ? await this.openChannel(session, upstream)
      : source
    await commands.declareQueue(queue, { durable: true, arguments: this.#queueArguments() })
    await this.#declareUpstreamExchange(upstream, commands)
    const { old, suffix } = await this.#chooseSuffix(ends, queue, commands)
    const middle = `${queue} ${suffix}`
    await commands.deleteExchange(middle)
    await this.#declareMiddle(ends, commands, middle)
    await commands.bindQueue(queue, middle, "")
    const mirror = this.#mirrorTo(ends, commands, middle, suffix)
    this.#mirror = mirror
    await mirror.settled()
    session.throwIfEnded()
    if (old !== null) await commands.deleteExchange(`${queue} ${old}`)
    this.#suffix = suffix
    this.#middle = { name: middle, commands }
    this.#checkAtMs = this.context.environment.clock.nowMs + CHECK_MS
    await this.#consume(ends, queue)
  }

  protected override sessionEnded(): void {
    this.#mirror?.stop()
    this.#mirror = null
    this.#middle = null
  }

  protected async cleanUp({ upstream, upstreamVhost }: LinkEnds): Promise<void> {
    const queue = this.queueName(upstreamVhost)
    this.#mirror?.stop()
    await this.aside(upstream, async (channel) => {
      await channel.deleteQueue(queue)
      // With its last binding the exchange goes by itself, unless it was half made.
      for (const suffix of SUFFIXES) await channel.deleteExchange(`${queue} ${suffix}`)
    })
  }

  #queueArguments(): Table {
    const { expiresMs, messageTtlMs, queueType } = this.upstream
    const args = new Map<string, FieldValue>()
    if (expiresMs !== null) args.set("x-expires", new TypedNumber("l", BigInt(expiresMs)))
    if (messageTtlMs !== null) args.set("x-message-ttl", new TypedNumber("l", BigInt(messageTtlMs)))
    args.set(...PURPOSE)
    args.set("x-queue-type", queueType)
    return args
  }

  /** As the one here, if the upstream has none of that name. */
  async #declareUpstreamExchange(
    upstream: ClientConnection,
    commands: ClientChannel,
  ): Promise<void> {
    if (await this.#exists(upstream, this.upstreamResource)) return
    const { type, durable, autoDelete, arguments: args } = this.#exchange
    await commands.declareExchange(this.upstreamResource, type, {
      durable,
      autoDelete,
      arguments: args,
    })
  }

  async #exists(connection: ClientConnection, name: string): Promise<boolean> {
    try {
      await this.aside(connection, (channel) => channel.checkExchange(name))
      return true
    } catch (error) {
      if (error instanceof ClientError && error.code === NOT_FOUND) return false
      throw error
    }
  }

  /** The one that is not in use. `old` is to be deleted when the new one is complete. */
  async #chooseSuffix(
    ends: LinkEnds,
    queue: string,
    commands: ClientChannel,
  ): Promise<{ readonly old: Suffix | null; readonly suffix: Suffix }> {
    if (this.#suffix !== null)
      return { old: this.#suffix, suffix: this.#suffix === "A" ? "B" : "A" }
    const hasA = await this.#exists(ends.upstream, `${queue} A`)
    const hasB = await this.#exists(ends.upstream, `${queue} B`)
    if (hasA && hasB) {
      // A link has ended in the middle of a change. Which one is complete is not known: A is made so.
      const mirror = this.#mirrorTo(ends, commands, `${queue} A`, "A")
      await mirror.settled()
      mirror.stop()
    }
    if (hasA) return { old: "A", suffix: "B" }
    return { old: hasB ? "B" : null, suffix: "A" }
  }

  /** Of the type that holds messages back, or of one that any broker has: then the link does that. */
  async #declareMiddle(ends: LinkEnds, commands: ClientChannel, name: string): Promise<void> {
    const options = { durable: true, internal: true, autoDelete: true }
    const args = new Map<string, FieldValue>([
      [MAX_HOPS_ARGUMENT, new TypedNumber("l", BigInt(this.upstream.hopsMax))],
      [DOWNSTREAM_NAME_ARGUMENT, this.context.clusterName()],
      [DOWNSTREAM_VHOST_ARGUMENT, this.vhost.name],
      PURPOSE,
    ])
    if (ends.upstream.serverProperties.get("product") === "Sluice") {
      await commands.declareExchange(name, FEDERATION_EXCHANGE_TYPE, {
        ...options,
        arguments: args,
      })
      return
    }
    // An unknown type may end the connection: it is tried on one that nobody else needs.
    const trial = this.#trialConnection(ends)
    try {
      await trial.opened
      const channel = await trial.openChannel()
      await channel.declareExchange(name, FEDERATION_EXCHANGE_TYPE, { ...options, arguments: args })
    } catch (error) {
      if (!(error instanceof ClientError) || error.code === 0) throw error
      await commands.declareExchange(name, "fanout", { ...options, arguments: new Map([PURPOSE]) })
    } finally {
      await trial.close()
    }
  }

  #trialConnection({ session, uri }: LinkEnds): ClientConnection {
    const local = isLocalUri(uri) ? ({ mechanisms: ["EXTERNAL"] } as const) : {}
    const { connection } = this.context.environment.client.start({
      ...parseUri(uri),
      ...local,
      ...this.connectOptions(uri),
      name: "Federation link (trial)",
    })
    session.onEnd(() => connection.destroy())
    return connection
  }

  /** With all bindings that the exchange has at this moment, and those that follow. */
  #mirrorTo(
    { session, upstreamCluster, upstreamVhost }: LinkEnds,
    commands: ClientChannel,
    middle: string,
    suffix: Suffix,
  ): BindingMirror {
    const { upstreamResource, vhost, resource } = this
    const mirror = new BindingMirror({
      clusterName: this.context.clusterName(),
      vhost: vhost.name,
      exchange: `${vhost.name}:${resource} ${suffix}`,
      hopsMax: this.upstream.hopsMax,
      upstreamCluster,
      upstreamVhost,
      bind: (key, args) => commands.bindExchange(middle, upstreamResource, key, args),
      unbind: (key, args) => commands.unbindExchange(middle, upstreamResource, key, args),
      onError: (error) => session.fail(error),
    })
    session.onEnd(() => mirror.stop())
    const bindings: [key: string, args: Table][] = []
    this.#exchange.bindings.forEach((_destination, key, args) => bindings.push([key, args]))
    for (const [key, args] of bindings) mirror.add(key, args)
    return mirror
  }

  async #consume(ends: LinkEnds, queue: string): Promise<void> {
    const { upstream: options, vhost, upstreamResource } = this
    const hop = new HopHeader(
      {
        uri: redactedUri(ends.uri),
        exchange: upstreamResource,
        clusterName: ends.upstreamCluster,
        vhost: ends.upstreamVhost,
      },
      options.trustUserId,
    )
    const clusterName = this.context.clusterName()
    await ends.source.consume(queue, {
      consumerTag: options.consumerTag,
      noAck: options.ackMode === "no-ack",
      onDelivery: (delivery) => {
        if (ends.session.hasEnded || !ends.target.isOpen) return
        if (hop.mayPass(delivery, options.hopsMax, clusterName, vhost.name))
          this.#forward(ends, hop, delivery)
        else if (options.ackMode !== "no-ack") ends.source.ack(delivery.deliveryTag)
      },
      onCancelled: () => this.cancelled(ends, queue),
    })
  }

  #forward(ends: LinkEnds, hop: HopHeader, delivery: Delivery): void {
    const { target, source, local } = ends
    const { counters } = this.status
    const properties = hop.applyTo(delivery)
    if (properties === null || properties.length > local.frameMax - CONTENT_HEADER_SIZE) {
      // It could not be published with one more header, however often it came.
      counters.rejected++
      if (this.upstream.ackMode !== "no-ack") source.reject(delivery.deliveryTag, false)
      return
    }
    counters.bytes += delivery.bodySize
    this.#target ??= new PublishTarget({ exchange: this.resource, routingKey: null })
    const more = target.forward(delivery, this.#target, properties)
    this.published(ends, delivery.deliveryTag, more)
  }
}
