import type { Table } from "../amqp/table.ts"
import { tableKey } from "../broker/exchange/table-key.ts"
import { DESTINATION_QUEUE } from "../broker/exchange/destination.ts"
import type { Destination } from "../broker/exchange/destination.ts"
import type { Exchange } from "../broker/exchange/exchange.ts"
import type { ChannelInfo, ConsumerInfo, InspectedConnection } from "../broker/inspection.ts"
import type { MessageQueue } from "../broker/queue/message-queue.ts"
import { queueTypeOf } from "../broker/queue-type.ts"
import type { Vhost } from "../broker/vhost.ts"
import { createHash } from "node:crypto"
import type { Api } from "./api.ts"
import { tableToJson } from "./json-tables.ts"
import {
  CHANNEL_METRICS,
  CONNECTION_METRICS,
  EXCHANGE_METRICS,
  QUEUE_METRICS,
} from "./statistics.ts"

/**
 * Objects of the broker as the API shows them: the fields of RabbitMQ, and those that LavinMQ has beside
 * them. Called per returned row only.
 */

export function describeQueue(
  api: Api,
  vhost: Vhost,
  queue: MessageQueue,
  withLog = false,
): Record<string, unknown> {
  const { readyCount, unackedCount, readyBytes } = queue
  const unackedBytes = unackedBytesOf(queue)
  const type = queueTypeOf(queue.arguments)
  const effect = vhost.effectiveSettings.effectOf(type, queue.name)
  const messages = readyCount + unackedCount
  const row: Record<string, unknown> = {
    name: queue.name,
    vhost: vhost.name,
    type,
    durable: queue.durable,
    auto_delete: queue.autoDelete,
    exclusive: queue.exclusive,
    arguments: tableToJson(queue.arguments),
    node: api.node.name,
    state: "running",
    consumers: queue.consumerCount,
    messages,
    messages_ready: readyCount,
    messages_unacknowledged: unackedCount,
    messages_persistent: queue.durable ? messages : 0,
    message_bytes: readyBytes + unackedBytes,
    message_bytes_ready: readyBytes,
    message_bytes_unacknowledged: unackedBytes,
    ready: readyCount,
    ready_bytes: readyBytes,
    ready_avg_bytes: average(readyBytes, readyCount),
    unacked: unackedCount,
    unacked_bytes: unackedBytes,
    unacked_avg_bytes: average(unackedBytes, unackedCount),
    policy: effect.policy,
    operator_policy: effect.operatorPolicy,
    effective_policy_definition: Object.fromEntries(effect.definition),
    exclusive_consumer_tag: null,
    single_active_consumer_tag: null,
    message_stats: api.statistics.describe(queue, queue, QUEUE_METRICS, withLog),
  }
  const { settings, owner } = queue
  for (const subscriber of queue.consumerCount === 0 ? [] : queue.subscribers) {
    if (subscriber.exclusive) row["exclusive_consumer_tag"] = subscriber.tag
    if (settings.singleActiveConsumer && queue.isActive?.(subscriber) === true)
      row["single_active_consumer_tag"] = subscriber.tag
    if (!settings.singleActiveConsumer) break
  }
  if (owner !== null) row["owner_pid_details"] = { name: owner.name, user: owner.user?.name ?? "" }
  return row
}

function unackedBytesOf(queue: MessageQueue): number {
  const store: unknown = Reflect.get(queue, "store")
  if (typeof store !== "object" || store === null || !("unackedBytes" in store)) return 0
  return typeof store.unackedBytes === "number" ? store.unackedBytes : 0
}

function average(bytes: number, count: number): number {
  return count === 0 ? 0 : Math.round(bytes / count)
}

/** What keeps the queue's messages from being delivered, for a person who wonders. */
export function explainDelivery(queue: MessageQueue): { state: string; reason: string } {
  if (queue.readyCount === 0) return { state: "idle", reason: "there is no message to deliver" }
  if (queue.consumerCount === 0) return { state: "waiting", reason: "there is no consumer" }
  const consumers: ConsumerInfo[] = []
  for (const subscriber of queue.subscribers) {
    const info = subscriber.describe?.()
    if (info?.isActive === true) consumers.push(info)
  }
  if (consumers.some(({ hasCapacity }) => hasCapacity))
    return { state: "delivering", reason: "a consumer takes messages" }
  const isFull = consumers.some(
    ({ noAck, prefetchCount, unackedCount }) =>
      !noAck && prefetchCount > 0 && unackedCount >= prefetchCount,
  )
  if (!isFull)
    return { state: "waiting", reason: "no consumer takes messages: its client does not read" }
  return queue.settings.singleActiveConsumer
    ? { state: "waiting", reason: "the single active consumer has as many as its prefetch allows" }
    : { state: "waiting", reason: "the consumers have as many messages as their prefetch allows" }
}

export function describeExchange(
  api: Api,
  vhost: Vhost,
  exchange: Exchange,
  withLog = false,
): Record<string, unknown> {
  const effect = vhost.effectiveSettings.effectOf("exchange", exchange.name)
  return {
    name: exchange.name,
    vhost: vhost.name,
    type: exchange.type,
    durable: exchange.durable,
    auto_delete: exchange.autoDelete,
    internal: exchange.internal,
    arguments: tableToJson(exchange.arguments),
    policy: effect.policy,
    operator_policy: effect.operatorPolicy,
    effective_policy_definition: Object.fromEntries(effect.definition),
    message_stats: api.statistics.describe(exchange, exchange, EXCHANGE_METRICS, withLog),
  }
}

export interface Binding {
  readonly source: string
  readonly destination: Destination
  readonly routingKey: string
  readonly arguments: Table
}

export function describeBinding(vhostName: string, binding: Binding): Record<string, unknown> {
  const { source, destination, routingKey } = binding
  return {
    source,
    vhost: vhostName,
    destination: destination.name,
    destination_type: destination.kind === DESTINATION_QUEUE ? "queue" : "exchange",
    routing_key: routingKey,
    arguments: tableToJson(binding.arguments),
    properties_key: propertiesKey(routingKey, binding.arguments),
  }
}

/**
 * Names a binding between two ends: the routing key, quoted, `~` if it is empty, and behind another `~`
 * a hash of the arguments if it has any.
 */
export function propertiesKey(routingKey: string, args: Table): string {
  const key = quoted(routingKey)
  if (args.size === 0) return key === "" ? "~" : key
  const hash = createHash("sha256").update(tableKey(args)).digest("base64url").slice(0, 22)
  return `${key}~${hash}`
}

function quoted(routingKey: string): string {
  return encodeURIComponent(routingKey).replaceAll("~", "%7E")
}

export function describeConnection(
  api: Api,
  connection: InspectedConnection,
  withLog = false,
): Record<string, unknown> {
  const info = connection.describe()
  return {
    name: info.name,
    pid: info.name,
    node: api.node.name,
    user: info.user,
    user_who_performed_action: info.user,
    vhost: info.vhost,
    type: "network",
    protocol: "AMQP 0-9-1",
    auth_mechanism: info.mechanism,
    state: info.state,
    ssl: false,
    user_provided_name: info.clientName === "" ? null : info.clientName,
    client_properties: tableToJson(info.clientProperties),
    connected_at: info.connectedAtMs,
    channels: info.channelCount,
    channel_max: info.channelMax,
    frame_max: info.frameMax,
    timeout: info.heartbeatSeconds,
    host: info.host,
    port: info.port,
    peer_host: info.peerHost,
    peer_port: info.peerPort,
    send_pend: info.pendingBytes,
    ...api.statistics.describe(connection, connection, CONNECTION_METRICS, withLog),
  }
}

export function describeChannel(
  api: Api,
  channel: ChannelInfo,
  withLog = false,
): Record<string, unknown> {
  const { connection, counters } = channel
  return {
    name: channel.name,
    number: channel.number,
    node: api.node.name,
    user: connection.userName,
    user_who_performed_action: connection.userName,
    vhost: connection.vhostName,
    state: channel.state,
    confirm: channel.isConfirming,
    transactional: channel.isTransactional,
    prefetch_count: channel.prefetchCount,
    global_prefetch_count: channel.globalPrefetchCount,
    consumer_count: channel.consumerCount,
    messages_unacknowledged: channel.unackedCount,
    messages_unconfirmed: channel.unconfirmedCount,
    connection_details: connectionDetails(connection),
    message_stats: api.statistics.describe(counters, counters, CHANNEL_METRICS, withLog),
  }
}

function connectionDetails(connection: InspectedConnection): Record<string, unknown> {
  const { name, peerHost, peerPort } = connection.describe()
  return { name, peer_host: peerHost, peer_port: peerPort }
}

export function describeConsumer(consumer: ConsumerInfo): Record<string, unknown> {
  const { connection, channelNumber } = consumer
  const { peerHost, peerPort } = connection.describe()
  return {
    consumer_tag: consumer.tag,
    queue: { name: consumer.queue, vhost: consumer.vhost },
    exclusive: consumer.exclusive,
    ack_required: !consumer.noAck,
    prefetch_count: consumer.prefetchCount,
    priority: consumer.priority,
    arguments: tableToJson(consumer.arguments),
    active: consumer.isActive,
    activity_status: consumer.isActive ? "up" : "waiting",
    unacked: consumer.unackedCount,
    channel_details: {
      name: `${connection.name} (${channelNumber})`,
      number: channelNumber,
      connection_name: connection.name,
      user: connection.userName,
      peer_host: peerHost,
      peer_port: peerPort,
    },
  }
}
