import { writeBasicCancel } from "../amqp/generated/methods.ts"
import { decodeTableEntries } from "../amqp/table-codec.ts"
import type {
  ChannelInfo,
  ConnectionInfo,
  ConsumerInfo,
  CounterSum,
  InspectedConnection,
  UnackedInfo,
} from "../broker/inspection.ts"
import { channelName } from "../broker/inspection.ts"
import type { Channel, DeliverySource } from "./channel.ts"
import type { Connection } from "./connection.ts"
import type { Subscription } from "./subscription.ts"

/** What a connection, its channels and consumers tell the management. Slow; never on the path of a message. */

export class ConnectionInspection implements InspectedConnection {
  readonly #connection: Connection

  constructor(connection: Connection) {
    this.#connection = connection
  }

  get id(): number {
    return this.#connection.id
  }

  get name(): string {
    return this.#connection.name
  }

  get userName(): string {
    return this.#connection.user?.name ?? ""
  }

  get vhostName(): string {
    return this.#connection.vhost?.name ?? ""
  }

  get channelCount(): number {
    return this.#connection.openChannelCount
  }

  get publisherCount(): number {
    let count = 0
    for (const channel of this.#connection.channels)
      if (channel !== undefined && channel !== null && channel.publishedCount > 0) count++
    return count
  }

  get receivedBytes(): number {
    return this.#connection.transport.bytesRead ?? 0
  }

  get sentBytes(): number {
    return this.#connection.transport.bytesWritten ?? 0
  }

  addCounters(sum: CounterSum): void {
    for (const channel of this.#connection.channels)
      if (channel !== undefined && channel !== null && !channel.isReleased) sum.add(channel)
  }

  describe(): ConnectionInfo {
    return describeConnection(this.#connection)
  }

  describeChannels(): ChannelInfo[] {
    return openChannels(this.#connection).map(describeChannel)
  }

  describeConsumers(): ConsumerInfo[] {
    return openChannels(this.#connection).flatMap((channel) =>
      Array.from(channel.consumers.values(), describeConsumer),
    )
  }

  describeUnacked(): UnackedInfo[] {
    return openChannels(this.#connection).flatMap(describeUnacked)
  }

  heldSinceMs(channelNumber: number, deliveryTag: number): number | null {
    return openChannel(this.#connection, channelNumber)?.heldSinceMs(deliveryTag) ?? null
  }

  cancelConsumer(channelNumber: number, tag: string): boolean {
    const connection = this.#connection
    const channel = openChannel(connection, channelNumber)
    const subscription = channel?.consumers.get(tag)
    if (channel === null || subscription === undefined) return false
    channel.cancelConsumer(subscription)
    if (connection.wantsConsumerCancel)
      channel.reply(writeBasicCancel(channel.id, { consumerTag: tag, nowait: true }))
    return true
  }

  setPrefetch(channelNumber: number, count: number): boolean {
    const channel = openChannel(this.#connection, channelNumber)
    if (channel === null) return false
    channel.consumerPrefetch = count
    return true
  }

  forceClose(reason: string): void {
    this.#connection.forceClose(reason)
  }
}

function describeConnection(connection: Connection): ConnectionInfo {
  const { transport } = connection
  return {
    name: connection.name,
    clientName: connection.clientName,
    user: connection.user?.name ?? "",
    vhost: connection.vhost?.name ?? "",
    state: connection.shownState,
    mechanism: connection.mechanism,
    clientProperties: decodeTableEntries(connection.clientPropertyBytes),
    connectedAtMs: connection.connectedAtMs,
    channelMax: connection.channelMax,
    frameMax: connection.frameMax,
    heartbeatSeconds: connection.heartbeatSeconds,
    protocol: transport.protocol ?? "AMQP 0-9-1",
    isEncrypted: transport.encrypted ?? false,
    encryption: transport.encryption ?? null,
    peerHost: transport.remoteAddress,
    peerPort: transport.remotePort,
    host: transport.localAddress,
    port: transport.localPort,
    channelCount: connection.openChannelCount,
    pendingBytes: connection.outbox.pendingBytes,
  }
}

function describeChannel(channel: Channel): ChannelInfo {
  return {
    name: channelName(channel.connection.name, channel.id),
    number: channel.id,
    connection: channel.connection.inspected,
    state: channel.isClosing ? "closing" : channel.isFlowing ? "running" : "flow",
    isConfirming: channel.confirms !== null,
    isTransactional: channel.transaction !== null,
    prefetchCount: channel.consumerPrefetch,
    globalPrefetchCount: channel.globalPrefetch,
    unackedCount: channel.unackedCount,
    unconfirmedCount: channel.confirms?.unconfirmedCount ?? 0,
    consumerCount: channel.consumers.size,
    counters: channel,
  }
}

export function describeConsumer(subscription: Subscription): ConsumerInfo {
  const { channel, queue } = subscription
  return {
    tag: subscription.tag,
    queue: queue.name,
    vhost: channel.vhost.name,
    connection: channel.connection.inspected,
    channelNumber: channel.id,
    noAck: subscription.noAck,
    exclusive: subscription.exclusive,
    prefetchCount: subscription.prefetchCount,
    priority: subscription.priority,
    arguments: subscription.arguments,
    isActive: queue.isActive?.(subscription) ?? true,
    isSingleActive: queue.settings.singleActiveConsumer,
    unackedCount: subscription.source.unackedCount,
    hasCapacity: subscription.hasCapacity(),
  }
}

/** Tags rise with time, so the first one of each source is its oldest. */
function describeUnacked(channel: Channel): UnackedInfo[] {
  const holding = channel.sources.filter((source) => (source?.unackedCount ?? 0) > 0).length
  const oldest = new Map<DeliverySource, number>()
  if (holding > 0)
    channel.forEachUnacked(1, Infinity, (tag, source) => {
      if (!oldest.has(source)) oldest.set(source, tag)
      return oldest.size < holding
    })
  return Array.from(oldest, ([{ queue, subscription, unackedCount }, tag]) => ({
    connection: channel.connection.inspected,
    channelNumber: channel.id,
    queue: queue.name,
    vhost: channel.vhost.name,
    consumerTag: subscription?.tag ?? "",
    count: unackedCount,
    oldestHeldSinceMs: channel.heldSinceMs(tag),
    prefetchCount: subscription?.prefetchCount ?? 0,
  }))
}

function openChannel(connection: Connection, number: number): Channel | null {
  const channel = connection.channels[number]
  return channel === undefined || channel === null || channel.isReleased ? null : channel
}

function openChannels(connection: Connection): Channel[] {
  return connection.channels.filter(
    (channel): channel is Channel =>
      channel !== undefined && channel !== null && !channel.isReleased,
  )
}
