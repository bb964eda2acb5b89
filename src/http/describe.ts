import type { Table } from "../amqp/table.ts"
import { tableKey } from "../broker/exchange/table-key.ts"
import { DESTINATION_QUEUE } from "../broker/exchange/destination.ts"
import type { Destination } from "../broker/exchange/destination.ts"
import type { Exchange } from "../broker/exchange/exchange.ts"
import type {
  ChannelInfo,
  ConsumerInfo,
  EncryptionInfo,
  InspectedConnection,
} from "../broker/inspection.ts"
import type { MessageQueue, QueueFault } from "../broker/queue/message-queue.ts"
import { queueTypeOf } from "../broker/queue-type.ts"
import { Stream } from "../broker/stream/stream.ts"
import type { Vhost } from "../broker/vhost.ts"
import { createHash } from "node:crypto"
import type { Api } from "./api.ts"
import { tableToJson } from "./json-tables.ts"
import type { Shown } from "./samples.ts"

/**
 * Objects of the broker as the API shows them: the fields of RabbitMQ, and those that LavinMQ has beside
 * them. Called per returned row only.
 */

/** What was declared, and nothing that had to be counted. */
function declaredQueue(api: Api, vhost: Vhost, queue: MessageQueue): Record<string, unknown> {
  return {
    name: queue.name,
    vhost: vhost.name,
    type: queueTypeOf(queue.arguments),
    durable: queue.durable,
    auto_delete: queue.autoDelete,
    exclusive: queue.exclusive,
    arguments: tableToJson(queue.arguments),
    node: api.node.name,
    state: stateOf(queue),
  }
}

/** For those who watch many queues: with RabbitMQ's disable_stats. */
export function describeQueueBarely(
  api: Api,
  vhost: Vhost,
  queue: MessageQueue,
  withTotals: boolean,
): Record<string, unknown> {
  const row = declaredQueue(api, vhost, queue)
  if (!withTotals) return row
  const { readyCount, unackedCount } = queue
  row["messages"] = readyCount + unackedCount
  row["messages_ready"] = readyCount
  row["messages_unacknowledged"] = unackedCount
  return row
}

export function describeQueue(
  api: Api,
  vhost: Vhost,
  queue: MessageQueue,
  shown?: Shown,
): Record<string, unknown> {
  const { readyCount, unackedCount, readyBytes } = queue
  const unackedBytes = unackedBytesOf(queue)
  const effect = vhost.effectiveSettings.effectOf(queueTypeOf(queue.arguments), queue.name)
  const messages = readyCount + unackedCount
  const row: Record<string, unknown> = {
    ...declaredQueue(api, vhost, queue),
    consumers: queue.consumerCount,
    ...api.statistics.queueLengths(queue, shown),
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
    ...replicasOf(api, queue),
    message_stats: api.statistics.queue(queue, shown),
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

/** For those who ask where a replicated queue is: this node is the only one. */
function replicasOf({ node }: Api, queue: MessageQueue): Record<string, unknown> {
  if (queueTypeOf(queue.arguments) === "classic") return {}
  return { leader: node.name, members: [node.name], online: [node.name] }
}

export function unackedBytesOf(queue: MessageQueue): number {
  const store: unknown = Reflect.get(queue, "store")
  if (typeof store !== "object" || store === null || !("unackedBytes" in store)) return 0
  return typeof store.unackedBytes === "number" ? store.unackedBytes : 0
}

export function average(bytes: number, count: number): number {
  return count === 0 ? 0 : Math.round(bytes / count)
}

/** As RabbitMQ's: `crashed` is a queue that the disk fails, and that needs somebody to look after it. */
export function stateOf(queue: MessageQueue): "running" | "paused" | "crashed" {
  if (queue.fault !== null) return "crashed"
  return queue.isPaused ? "paused" : "running"
}

export interface DeliveryExplanation {
  readonly state: (typeof DELIVERY_STATES)[number]
  /** The reason for programs. */
  readonly code: (typeof DELIVERY_CODES)[number]
  readonly reason: string
}

export const DELIVERY_STATES = ["idle", "waiting", "delivering", "paused", "crashed"] as const

export const DELIVERY_CODES = [
  "store-cannot-write",
  "store-cannot-read",
  "paused",
  "empty",
  "at-end",
  "no-consumer",
  "delivering",
  "not-reading",
  "prefetch",
  "prefetch-single-active",
] as const

/** What keeps the queue's messages from being delivered, for a person who wonders. */
export function explainDelivery(queue: MessageQueue): DeliveryExplanation {
  if (queue.fault !== null) return explainFault(queue.fault)
  if (queue.isPaused)
    return {
      state: "paused",
      code: "paused",
      reason: "the queue was paused: PUT its path with /resume behind it to go on",
    }
  if (queue.readyCount === 0)
    return { state: "idle", code: "empty", reason: "there is no message to deliver" }
  if (queue.consumerCount === 0)
    return { state: "waiting", code: "no-consumer", reason: "there is no consumer" }
  if (queue instanceof Stream && isReadToEnd(queue))
    return { state: "idle", code: "at-end", reason: "all readers are at the end of the stream" }
  const consumers: ConsumerInfo[] = []
  for (const subscriber of queue.subscribers) {
    const info = subscriber.describe?.()
    if (info?.isActive === true) consumers.push(info)
  }
  if (consumers.some(({ hasCapacity }) => hasCapacity))
    return { state: "delivering", code: "delivering", reason: "a consumer takes messages" }
  const isFull = consumers.some(
    ({ noAck, prefetchCount, unackedCount }) =>
      !noAck && prefetchCount > 0 && unackedCount >= prefetchCount,
  )
  if (!isFull)
    return {
      state: "waiting",
      code: "not-reading",
      reason: "no consumer takes messages: its client does not read",
    }
  return queue.settings.singleActiveConsumer
    ? {
        state: "waiting",
        code: "prefetch-single-active",
        reason: "the single active consumer has as many as its prefetch allows",
      }
    : {
        state: "waiting",
        code: "prefetch",
        reason: "the consumers have as many messages as their prefetch allows",
      }
}

/** The path is not told: who may see the queue need not know the directories of the broker. The log has it. */
function explainFault({ kind, code }: QueueFault): DeliveryExplanation {
  const remedy =
    "mend the disk or make room on it (the log names the file); if the state stays, PUT the queue's path with /restart behind it"
  return kind === "write"
    ? {
        state: "crashed",
        code: "store-cannot-write",
        reason:
          `the disk refuses what is published to the queue (${code}): publishers get a nack or an error, ` +
          `messages stored before are delivered, and writing is tried again twice a second: ${remedy}`,
      }
    : {
        state: "crashed",
        code: "store-cannot-read",
        reason:
          `the disk does not give the queue's messages (${code}): reading is tried again every second, ` +
          `and what cannot be read in the end is set aside: ${remedy}`,
      }
}

function isReadToEnd(stream: Stream): boolean {
  for (const { lag } of stream.readers()) if (lag > 0) return false
  return true
}

const KEPT_PLACES_MAX = 1000

/** Where a stream begins and ends, who reads it, and where those go on that named themselves. */
export function describeStream(stream: Stream): Record<string, unknown> {
  const readers: Record<string, unknown>[] = []
  const tags = new Set<string>()
  for (const { tag, subscriber, offset, lag } of stream.readers()) {
    const info = subscriber.describe?.()
    const channel =
      info === undefined ? null : `${info.connection.name} (${String(info.channelNumber)})`
    readers.push({ consumer_tag: tag, channel_name: channel, offset, lag })
    tags.add(tag)
  }
  const places: Record<string, unknown>[] = []
  for (const { tag, offset, lag } of stream.keptPlaces()) {
    if (places.length >= KEPT_PLACES_MAX) break
    places.push({ consumer_tag: tag, offset, lag, connected: tags.has(tag) })
  }
  const { firstOffset, nextOffset, segmentCount } = stream
  return {
    first_offset: firstOffset,
    next_offset: nextOffset,
    segments: segmentCount,
    readers,
    kept_offsets: places,
  }
}

export function describeExchange(
  api: Api,
  vhost: Vhost,
  exchange: Exchange,
  shown?: Shown,
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
    message_stats: api.statistics.exchange(exchange, shown),
  }
}

export interface Binding {
  readonly source: string
  readonly destination: Destination
  readonly routingKey: string
  readonly arguments: Table
}

export function destinationTypeOf({ destination }: Binding): "queue" | "exchange" {
  return destination.kind === DESTINATION_QUEUE ? "queue" : "exchange"
}

export function describeBinding(vhostName: string, binding: Binding): Record<string, unknown> {
  const { source, destination, routingKey } = binding
  return {
    source,
    vhost: vhostName,
    destination: destination.name,
    destination_type: destinationTypeOf(binding),
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
  shown?: Shown,
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
    protocol: info.protocol,
    auth_mechanism: info.mechanism,
    state: info.state,
    ssl: info.isEncrypted || info.encryption !== null,
    ...describeEncryption(info.encryption),
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
    ...api.statistics.connection(connection, shown),
  }
}

/** The names of LavinMQ (tls_version, cipher) and those of RabbitMQ. */
function describeEncryption(encryption: EncryptionInfo | null): Record<string, unknown> {
  if (encryption === null) return { tls_version: null, cipher: null }
  const { protocol, cipher, certificate } = encryption
  const suite = cipherParts(cipher)
  return {
    tls_version: protocol,
    cipher,
    ssl_protocol: protocol.toLowerCase(),
    ssl_key_exchange: suite.keyExchange,
    ssl_cipher: suite.cipher,
    ssl_hash: suite.hash,
    ...(certificate !== null && {
      peer_cert_subject: certificate.distinguishedName,
      peer_cert_issuer: certificate.issuer,
      peer_cert_validity: certificate.validity,
      peer_cert_verified: certificate.isVerified,
    }),
  }
}

/** Of a suite's standard name, TLS_AES_256_GCM_SHA384 or TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256. */
function cipherParts(suite: string): { keyExchange: string; cipher: string; hash: string } {
  const [, keyExchange = "any", cipher = suite, hash = ""] =
    /^TLS_(?:(.+)_WITH_)?(.+)_(SHA\d*|MD5)$/.exec(suite) ?? []
  return {
    keyExchange: keyExchange.toLowerCase(),
    cipher: cipher.toLowerCase(),
    hash: hash.toLowerCase(),
  }
}

export function describeChannel(
  api: Api,
  channel: ChannelInfo,
  shown?: Shown,
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
    message_stats: api.statistics.channel(counters, shown),
  }
}

function connectionDetails(connection: InspectedConnection): Record<string, unknown> {
  const { name, peerHost, peerPort } = connection.describe()
  return { name, peer_host: peerHost, peer_port: peerPort }
}

function activityOf({ isActive, isSingleActive }: ConsumerInfo): string {
  if (!isActive) return "waiting"
  return isSingleActive ? "single_active" : "up"
}

export function describeConsumer(api: Api, consumer: ConsumerInfo): Record<string, unknown> {
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
    activity_status: activityOf(consumer),
    unacked: consumer.unackedCount,
    channel_details: {
      name: `${connection.name} (${channelNumber})`,
      number: channelNumber,
      node: api.node.name,
      connection_name: connection.name,
      user: connection.userName,
      peer_host: peerHost,
      peer_port: peerPort,
    },
  }
}
