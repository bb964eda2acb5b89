import { createHash } from "node:crypto"
import type { Table } from "../../amqp/table.ts"
import type { Vhost } from "../../broker/vhost.ts"
import type { ClientChannel } from "../../client/channel.ts"
import type { ClientConnection } from "../../client/connection.ts"
import { ClientError } from "../../client/errors.ts"
import type { TimerHandle } from "../../util/clock.ts"
import { LinkConnection } from "../link-connection.ts"
import type { LinkEnvironment, LinkSession } from "../link-connection.ts"
import { LinkStatus } from "../link-status.ts"
import type { LinkCounters } from "../link-status.ts"
import { pickUri, redactedUri } from "../link-uri.ts"
import { SourceTags } from "../source-tags.ts"
import type { Attempts } from "./attempts.ts"
import type { Upstream } from "./upstream.ts"

/**
 * A link of federation: takes messages from an upstream and publishes them in a vhost of this broker.
 * What is common to links of exchanges and of queues: two connections that end together, and when a
 * message is settled at the upstream. Each message is acknowledged there when it is safe here.
 */
export interface FederationContext {
  readonly environment: LinkEnvironment
  readonly attempts: Attempts
  /** What links have moved that are gone. */
  readonly ended: LinkCounters
  /** As other brokers know this one: part of names at the upstream, and by which cycles are found. */
  clusterName(): string
}

/** A message that was refused here (reject-publish) goes back to the upstream after so long. */
const RETURN_MS = 500
/** What a link may need to clear away what it has made at the upstream. */
const CLEAN_UP_MS = 5000

const COUNTED = ["forwarded", "confirmed", "returned", "rejected", "bytes"] as const

/** The two ends of a link that is up, or about to be. */
export interface LinkEnds {
  readonly session: LinkSession
  readonly uri: string
  readonly upstream: ClientConnection
  /** Messages come through this one. */
  readonly source: ClientChannel
  readonly local: ClientConnection
  readonly target: ClientChannel
  /** As the upstream calls its cluster and vhost; null if it does not say. */
  readonly upstreamCluster: string | null
  readonly upstreamVhost: string
}

export abstract class FederationLink {
  readonly id: string
  abstract readonly type: "exchange" | "queue"
  readonly vhost: Vhost
  /** Name of the exchange or queue here, and at the upstream. */
  readonly resource: string
  readonly upstreamResource: string
  readonly upstream: Upstream
  readonly policy: string | null
  /** As both ends show it. */
  readonly connectionName: string
  readonly status: LinkStatus
  /** Of the URI in use, or the first one; without credentials. */
  uri: string
  protected readonly context: FederationContext
  protected ends: LinkEnds | null = null
  readonly #connection: LinkConnection
  #tags = new SourceTags()
  #isEnding = false
  /** Deliveries that were refused here, until they go back. */
  #returned: number[] = []
  #returning: TimerHandle | null = null

  constructor(
    context: FederationContext,
    vhost: Vhost,
    names: { readonly type: string; readonly local: string; readonly upstream: string },
    upstream: Upstream,
    policy: string | null,
  ) {
    this.context = context
    this.vhost = vhost
    this.resource = names.local
    this.upstreamResource = names.upstream
    this.upstream = upstream
    this.policy = policy
    this.uri = redactedUri(upstream.uris[0] ?? "")
    this.id = idOf([names.type, vhost.name, names.local, upstream.name, names.upstream])
    const { environment } = context
    this.status = new LinkStatus(environment.clock.nowMs)
    const by = policy === null ? "" : `, policy: ${policy}`
    this.connectionName = `Federation link (upstream: ${upstream.name}${by})`
    this.#connection = new LinkConnection({
      environment,
      status: this.status,
      name: this.connectionName,
      reconnectDelayMs: upstream.reconnectDelayMs,
      setUp: (session) => this.#setUp(session),
    })
  }

  start(): void {
    this.#isEnding = false
    this.#connection.start()
  }

  /** `cleansUp`: the link does not come back, so what it has made at the upstream goes. */
  async stop(cleansUp: boolean): Promise<void> {
    const { ends } = this
    this.#isEnding = true
    if (cleansUp && !this.upstream.keepsResources && ends !== null && !ends.session.hasEnded)
      await this.#withinTime(this.cleanUp(ends))
    await this.#connection.stop()
    this.status.enter("stopped", this.context.environment.clock.nowMs)
    const { ended } = this.context
    const { counters } = this.status
    for (const field of COUNTED) ended[field] += counters[field]
  }

  /** By an operator: begins anew at once, whatever it does at present. */
  async restart(): Promise<void> {
    await this.#connection.stop()
    if (!this.#isEnding) this.#connection.start()
  }

  /** Once per second. */
  tick(nowMs: number): void {
    this.status.counters.sample(nowMs)
  }

  /** Declares what the link needs and begins to consume. */
  protected abstract open(ends: LinkEnds): Promise<void>

  /** Deletes at the upstream what open() has made there. May fail. */
  protected abstract cleanUp(ends: LinkEnds): Promise<void>

  /** The vhost at the upstream, if the URI names none: the one of the same name. */
  protected connectOptions(uri: string): { readonly vhost?: string } {
    return URL.parse(uri)?.pathname === "" ? { vhost: this.vhost.name } : {}
  }

  async #setUp(session: LinkSession): Promise<void> {
    const { attempts } = this.context
    const lane = `${this.vhost.name}\0${this.upstream.name}`
    await attempts.begin(lane)
    try {
      session.throwIfEnded()
      attempts.enter()
      session.onEnd(() => attempts.leave())
      const ends = await this.#connect(session)
      this.ends = ends
      session.onEnd(() => this.#ended(ends))
      await this.open(ends)
    } finally {
      attempts.release(lane)
    }
  }

  async #connect(session: LinkSession): Promise<LinkEnds> {
    const { environment } = this.context
    const { upstream: options, vhost } = this
    const uri = pickUri(options.uris, environment.random)
    this.uri = redactedUri(uri)
    const upstream = await session.connect(uri, this.connectOptions(uri))
    const source = await this.openChannel(session, upstream)
    const local = await session.connect("amqp://", { vhost: vhost.name })
    const target = await this.openChannel(session, local)
    if (options.ackMode === "on-confirm") await target.confirmSelect()
    if (options.ackMode !== "no-ack") await source.qos(options.prefetch)
    const tags = new SourceTags()
    this.#tags = tags
    const name = upstream.serverProperties.get("cluster_name")
    const ends: LinkEnds = {
      session,
      uri,
      upstream,
      source,
      local,
      target,
      upstreamCluster: typeof name === "string" ? name : null,
      upstreamVhost: this.connectOptions(uri).vhost ?? vhostIn(uri),
    }
    target.onConfirm = (tag, multiple, isAck) => this.#confirmed(ends, tags, tag, multiple, isAck)
    target.onDrain = () => upstream.resume()
    return ends
  }

  protected async openChannel(
    session: LinkSession,
    connection: ClientConnection,
  ): Promise<ClientChannel> {
    const channel = await connection.openChannel()
    channel.onClosed = (error) =>
      session.fail(error ?? new ClientError("closed", "the channel is closed"))
    return channel
  }

  /** What is done on it may fail without consequences. */
  protected async aside<T>(
    connection: ClientConnection,
    run: (channel: ClientChannel) => Promise<T>,
  ): Promise<T> {
    const channel = await connection.openChannel()
    try {
      return await run(channel)
    } finally {
      await channel.close()
    }
  }

  /** For each message that was given to `target`: when it is settled depends on the ack mode. */
  protected published({ source, upstream, target }: LinkEnds, tag: number, more: boolean): void {
    const { ackMode } = this.upstream
    this.status.counters.forwarded++
    if (ackMode === "on-confirm") this.#tags.add(tag)
    else if (ackMode === "on-publish") source.ack(tag)
    if (!more && target.isOpen) upstream.pause()
  }

  #confirmed(
    { source, session }: LinkEnds,
    tags: SourceTags,
    confirmTag: number,
    multiple: boolean,
    isAck: boolean,
  ): void {
    if (session.hasEnded) return
    // Those that wait to go back would be acknowledged with what came after them.
    const asOne = isAck && this.#returned.length === 0
    tags.confirm(confirmTag, multiple, asOne, (delivery, isMultiple, count) => {
      if (!isAck) this.#refused(delivery)
      else {
        source.ack(delivery, isMultiple)
        this.status.counters.confirmed += count
      }
    })
  }

  /** Not at once: it would come back at once, and be refused again. */
  #refused(delivery: number): void {
    this.status.counters.returned++
    this.#returned.push(delivery)
    this.#returning ??= this.context.environment.clock.setTimer(RETURN_MS, () => {
      this.#returning = null
      const returned = this.#returned
      this.#returned = []
      for (const tag of returned) this.ends?.source.nack(tag, false, true)
    })
  }

  #ended(ends: LinkEnds): void {
    if (this.ends === ends) this.ends = null
    this.#returned = []
    this.#returning?.cancel()
    this.#returning = null
    this.sessionEnded()
  }

  protected sessionEnded(): void {}

  /** The upstream has cancelled the consumer, unless this link has deleted the queue itself. */
  protected cancelled({ session }: LinkEnds, queue: string): void {
    if (this.#isEnding) return
    session.fail(new ClientError("closed", `queue '${queue}' is gone from the upstream`))
  }

  async #withinTime(work: Promise<void>): Promise<void> {
    const { clock, log } = this.context.environment
    const late = Promise.withResolvers<void>()
    const timer = clock.setTimer(CLEAN_UP_MS, late.resolve)
    await Promise.race([
      late.promise,
      work.catch((error: unknown) => {
        log.warn(
          { upstream: this.upstream.name, [this.type]: this.resource, error: String(error) },
          "a link could not clear away what it had made at its upstream",
        )
      }),
    ])
    timer.cancel()
  }
}

/** Of a federated item and one of its upstreams: the same after a restart. */
function idOf(parts: readonly string[]): string {
  return createHash("sha1").update(parts.join("\0"), "utf8").digest("hex").slice(0, 12)
}

function vhostIn(uri: string): string {
  const path = URL.parse(uri)?.pathname ?? ""
  return path.length < 2 ? "/" : decodeURIComponent(path.slice(1))
}

/** Does the server say that it can do that? Null if it says nothing of the kind. */
export function capabilityOf(properties: Table, name: string): boolean | null {
  const capabilities = properties.get("capabilities")
  if (!(capabilities instanceof Map)) return null
  const value: unknown = capabilities.get(name)
  return typeof value === "boolean" ? value : null
}
