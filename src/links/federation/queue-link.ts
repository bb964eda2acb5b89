import { encodeProperties } from "../../amqp/properties.ts"
import { isArray, isTable, numberOf, TypedNumber } from "../../amqp/table.ts"
import type { FieldValue, Table } from "../../amqp/table.ts"
import { RECEIVED_FROM_HEADER } from "../../broker/exchange/federation-exchange.ts"
import type { Queue } from "../../broker/queue/queue.ts"
import type { Vhost } from "../../broker/vhost.ts"
import { ClientError } from "../../client/errors.ts"
import type { Delivery } from "../../client/delivery.ts"
import { PublishTarget } from "../../client/publish-target.ts"
import { redactedUri } from "../link-uri.ts"
import { capabilityOf, FederationLink } from "./federation-link.ts"
import type { FederationContext, LinkEnds } from "./federation-link.ts"
import type { Upstream } from "./upstream.ts"

/**
 * Moves messages from a queue of an upstream into a queue here while somebody here waits for them: it
 * consumes as long as the local queue is empty and has a consumer of its own with capacity. At the
 * upstream it is a consumer of low priority, so that the consumers there come first, and two queues that
 * federate each other do not draw messages to and fro.
 */
const NOT_FOUND = 404
const CONTENT_HEADER_SIZE = 8 + 12
const PRIORITY: Table = new Map([["x-priority", new TypedNumber("l", -1n)]])

export class QueueLink extends FederationLink {
  readonly type = "queue"
  readonly #queue: Queue
  /** Made with the first message. */
  #target: PublishTarget | null = null
  /** The consumer at the upstream, or what becomes of it. */
  #consumer: "none" | "starting" | "running" | "ending" = "none"
  #isOpen = false

  constructor(
    context: FederationContext,
    vhost: Vhost,
    queue: Queue,
    upstream: Upstream,
    policy: string | null,
  ) {
    const names = { type: "queue", local: queue.name, upstream: upstream.queue ?? queue.name }
    super(context, vhost, names, upstream, policy)
    this.#queue = queue
  }

  /** It draws messages at present. */
  get isConsuming(): boolean {
    return this.#consumer === "running"
  }

  /** Whether the local queue wants messages may have changed. Cheap: called once per turn of a busy queue. */
  demandChanged(): void {
    if (!this.#isOpen) return
    if (this.#consumer !== (this.#queue.wantsMessages ? "none" : "running")) return
    const { ends } = this
    if (ends === null) return
    this.#change(ends).catch((error: unknown) => ends.session.fail(error))
  }

  protected async open(ends: LinkEnds): Promise<void> {
    const { upstream, session, target } = ends
    if (capabilityOf(upstream.serverProperties, "consumer_priorities") === false)
      throw new ClientError("usage", "the upstream has no consumer priorities")
    await this.#declareUpstreamQueue(ends)
    // The local queue is gone, but nobody has told the link yet: the message stays at the upstream.
    target.onReturn = () => session.fail(new ClientError("closed", "the local queue is gone"))
    this.#consumer = "none"
    this.#isOpen = true
    this.demandChanged()
  }

  protected override sessionEnded(): void {
    this.#isOpen = false
    this.#consumer = "none"
  }

  /** The queue of an upstream is nobody's but its own. */
  protected cleanUp(): Promise<void> {
    return Promise.resolve()
  }

  /** As the one here, if the upstream has none of that name. */
  async #declareUpstreamQueue({ upstream, source }: LinkEnds): Promise<void> {
    const name = this.upstreamResource
    try {
      await this.aside(upstream, (channel) => channel.checkQueue(name))
    } catch (error) {
      if (!(error instanceof ClientError) || error.code !== NOT_FOUND) throw error
      const { durable, autoDelete, arguments: args } = this.#queue
      await source.declareQueue(name, { durable, autoDelete, arguments: args })
    }
  }

  async #change(ends: LinkEnds): Promise<void> {
    const tag = this.upstream.consumerTag
    if (this.#consumer === "none") {
      this.#consumer = "starting"
      await ends.source.consume(this.upstreamResource, {
        consumerTag: tag,
        noAck: this.upstream.ackMode === "no-ack",
        arguments: PRIORITY,
        onDelivery: (delivery) => this.#deliver(ends, delivery),
        onCancelled: () => this.cancelled(ends, this.upstreamResource),
      })
      if (this.ends !== ends) return
      this.#consumer = "running"
    } else {
      this.#consumer = "ending"
      await ends.source.cancel(tag)
      if (this.ends !== ends) return
      this.#consumer = "none"
    }
    this.demandChanged()
  }

  #deliver(ends: LinkEnds, delivery: Delivery): void {
    const { source, target, local, session } = ends
    if (session.hasEnded || !target.isOpen) return
    const { counters } = this.status
    const properties = encodeProperties(this.#propertiesOf(ends, delivery))
    if (properties.length > local.frameMax - CONTENT_HEADER_SIZE) {
      counters.rejected++
      if (this.upstream.ackMode !== "no-ack") source.reject(delivery.deliveryTag, false)
      return
    }
    counters.bytes += delivery.bodySize
    this.#target ??= new PublishTarget({ routingKey: this.resource, mandatory: true })
    const more = target.forward(delivery, this.#target, properties)
    this.published(ends, delivery.deliveryTag, more)
  }

  #propertiesOf({ uri }: LinkEnds, delivery: Delivery): ReturnType<Delivery["properties"]> {
    const { userId, headers, ...properties } = delivery.properties()
    const received = movedFrom(
      { uri: redactedUri(uri), queue: this.upstreamResource },
      delivery,
      headers ?? new Map(),
    )
    const keepsUserId = this.upstream.trustUserId && userId !== undefined
    return { ...properties, headers: received, ...(keepsUserId ? { userId } : {}) }
  }
}

/** Where it was published first, over which links it has come, and how often over this one. */
export function movedFrom(
  from: { readonly uri: string; readonly queue: string },
  delivery: Pick<Delivery, "exchange" | "routingKey" | "redelivered">,
  headers: Table,
): Table {
  const moved = new Map<string, FieldValue>()
  // The copies for its other keys are in other queues already.
  for (const [name, value] of headers) moved.set(name === "CC" ? "x-original-cc" : name, value)
  const received = headers.get(RECEIVED_FROM_HEADER)
  let entries: readonly FieldValue[] = []
  let visitCount = 0
  if (received !== undefined && isArray(received)) {
    for (const entry of received)
      if (isVisit(entry, from) && isTable(entry)) visitCount = countOf(entry.get("visit-count"))
    entries = received.filter((entry) => !isVisit(entry, from))
  } else {
    moved.set("x-original-exchange", delivery.exchange)
    moved.set("x-original-routing-key", delivery.routingKey)
  }
  const entry = new Map<string, FieldValue>([
    ["uri", from.uri],
    ["queue", from.queue],
    ["redelivered", delivery.redelivered],
    ["visit-count", new TypedNumber("l", BigInt(visitCount) + 1n)],
  ])
  moved.set(RECEIVED_FROM_HEADER, [entry, ...entries])
  return moved
}

/** Anything may stand there. */
function countOf(value: FieldValue | undefined): number {
  const count = numberOf(value)
  return typeof count === "number" && Number.isSafeInteger(count) && count > 0 ? count : 0
}

function isVisit(
  entry: FieldValue,
  { uri, queue }: { readonly uri: string; readonly queue: string },
): boolean {
  return isTable(entry) && entry.get("uri") === uri && entry.get("queue") === queue
}
