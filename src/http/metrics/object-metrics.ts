import type { Broker } from "../../broker/broker.ts"
import type { Exchange } from "../../broker/exchange/exchange.ts"
import { CounterSum } from "../../broker/inspection.ts"
import type { ChannelInfo, InspectedConnection } from "../../broker/inspection.ts"
import { queueTypeOf } from "../../broker/queue-type.ts"
import type { MessageQueue } from "../../broker/queue/message-queue.ts"
import type { Vhost } from "../../broker/vhost.ts"
import { escapeLabel } from "./metric.ts"
import type { MetricInfo, MetricType } from "./metric.ts"
import type { View } from "./snapshot.ts"

/**
 * The metrics of single queues, exchanges, channels, connections and vhosts: one table, and for each kind
 * of object how its labels are written. The format wants all samples of a metric in one piece, so the
 * objects are walked once per metric; with 100,000 of them a read is a few fields and a line.
 */
interface ObjectMetric<T> extends MetricInfo {
  /** Behind the prefix of /metrics/detailed: RabbitMQ has two. */
  readonly detailedPrefix: "detailed" | "cluster"
  /** Under these names of families, too. */
  readonly alsoIn: readonly string[]
  /** Null: the object has no such sample, for instance because it has never counted anything. */
  read(this: void, subject: T): number | null
}

/** One kind of object with its metrics. */
export interface ObjectKind {
  readonly metrics: readonly MetricInfo[]
  /**
   * The samples of the metric, a line for each; for an object without one an empty text, so that whoever
   * reads can stop anywhere.
   */
  lines(this: void, metric: MetricInfo, source: Source): Iterable<string>
}

export interface Source {
  readonly broker: Broker
  readonly view: View
  readonly fullName: string
}

type Extra = Partial<Pick<ObjectMetric<never>, "detailedPrefix" | "alsoIn">>

function define<T>(
  labels: readonly string[],
): (
  type: MetricType,
  family: string,
  name: string,
  help: string,
  read: (subject: T) => number | null,
  extra?: Extra,
) => ObjectMetric<T> {
  return (type, family, name, help, read, extra = {}) => ({
    detailedPrefix: "detailed",
    alsoIn: [],
    ...extra,
    type,
    family,
    name,
    help,
    labels,
    read,
  })
}

const queue = define<MessageQueue>(["vhost", "queue"])
const COARSE = "queue_coarse_metrics"
const DELIVERY = "queue_delivery_metrics"

/** Nothing for a queue that has never counted: most of 100,000 queues are idle. */
function unlessZero(count: number): number | null {
  return count === 0 ? null : count
}

const QUEUE_METRICS: readonly ObjectMetric<MessageQueue>[] = [
  queue(
    "gauge",
    COARSE,
    "queue_messages_ready",
    "Messages ready to be delivered",
    (q) => q.readyCount,
  ),
  queue(
    "gauge",
    COARSE,
    "queue_messages_unacked",
    "Messages delivered and not yet acknowledged",
    (q) => q.unackedCount,
  ),
  queue(
    "gauge",
    COARSE,
    "queue_messages",
    "Messages ready and unacknowledged",
    (q) => q.readyCount + q.unackedCount,
  ),
  queue(
    "counter",
    COARSE,
    "queue_deduplication",
    "Duplicates that were dropped; absent before the first",
    (q) => ("duplicateCount" in q ? unlessZero(Number(q.duplicateCount)) : null),
  ),
  queue(
    "gauge",
    "queue_consumer_count",
    "queue_consumers",
    "Consumers of the queue",
    (q) => q.consumerCount,
    { alsoIn: ["queue_metrics"] },
  ),
  queue(
    "gauge",
    "queue_metrics",
    "queue_messages_ready_bytes",
    "Bodies of the messages that are ready; absent if there are none",
    (q) => unlessZero(q.readyBytes),
  ),
  queue(
    "counter",
    "queue_metrics",
    "queue_messages_published_total",
    "Messages that the queue took; absent before the first",
    (q) => unlessZero(q.publishedCount),
    { alsoIn: ["channel_queue_exchange_metrics", "queue_exchange_metrics"] },
  ),
  queue(
    "counter",
    DELIVERY,
    "queue_get_ack_total",
    "Messages fetched by basic.get, to be acknowledged; absent before the first",
    (q) => unlessZero(q.getCount),
  ),
  queue(
    "counter",
    DELIVERY,
    "queue_get_total",
    "Messages fetched by basic.get without acknowledgement; absent before the first",
    (q) => unlessZero(q.getNoAckCount),
  ),
  queue(
    "counter",
    DELIVERY,
    "queue_get_empty_total",
    "basic.get that found nothing; absent before the first",
    (q) => unlessZero(q.getEmptyCount),
  ),
  queue(
    "counter",
    DELIVERY,
    "queue_messages_delivered_ack_total",
    "Deliveries to consumers that acknowledge; absent before the first",
    (q) => unlessZero(q.deliveredCount - q.deliverNoAckCount - q.getCount - q.getNoAckCount),
  ),
  queue(
    "counter",
    DELIVERY,
    "queue_messages_delivered_total",
    "Deliveries to consumers that do not acknowledge; absent before the first",
    (q) => unlessZero(q.deliverNoAckCount),
  ),
  queue(
    "counter",
    DELIVERY,
    "queue_messages_redelivered_total",
    "Deliveries of messages that had been delivered before; absent before the first",
    (q) => unlessZero(q.redeliveredCount),
  ),
  queue(
    "counter",
    DELIVERY,
    "queue_messages_acked_total",
    "Acknowledged deliveries; absent before the first",
    (q) => unlessZero(q.acknowledgedCount),
  ),
]

const exchange = define<Exchange>(["vhost", "exchange"])

const EXCHANGE_METRICS: readonly ObjectMetric<Exchange>[] = [
  exchange(
    "counter",
    "exchange_metrics",
    "exchange_messages_published_total",
    "Messages that came to the exchange; absent before the first",
    (e) => unlessZero(e.publishInCount),
  ),
  exchange(
    "counter",
    "exchange_metrics",
    "exchange_messages_routed_total",
    "Copies of them that went to queues; absent before the first",
    (e) => unlessZero(e.publishOutCount),
  ),
  exchange(
    "counter",
    "exchange_metrics",
    "exchange_messages_unroutable_total",
    "Messages that reached no queue, dropped or returned; absent before the first",
    (e) => unlessZero(e.unroutableCount),
  ),
  exchange(
    "counter",
    "exchange_metrics",
    "exchange_deduplication",
    "Duplicates that were dropped; absent where none are looked for",
    (e) => (e.deduplication === null ? null : e.deduplication.droppedCount),
  ),
  exchange(
    "gauge",
    "exchange_bindings",
    "exchange_bindings",
    "Bindings with the exchange as source",
    (e) => e.bindings.size,
    { detailedPrefix: "cluster" },
  ),
]

const channel = define<ChannelInfo>(["channel", "connection", "vhost"])

const CHANNEL_METRICS: readonly ObjectMetric<ChannelInfo>[] = [
  channel(
    "gauge",
    "channel_metrics",
    "channel_consumers",
    "Consumers of the channel",
    (c) => c.consumerCount,
  ),
  channel(
    "gauge",
    "channel_metrics",
    "channel_messages_unacked",
    "Deliveries not yet acknowledged",
    (c) => c.unackedCount,
  ),
  channel(
    "gauge",
    "channel_metrics",
    "channel_messages_unconfirmed",
    "Messages not yet confirmed",
    (c) => c.unconfirmedCount,
  ),
  channel(
    "gauge",
    "channel_metrics",
    "consumer_prefetch",
    "Prefetch of a consumer; 0 is no limit",
    (c) => c.prefetchCount,
  ),
  channel(
    "gauge",
    "channel_metrics",
    "channel_prefetch",
    "Prefetch of all consumers together; 0 is no limit",
    (c) => c.globalPrefetchCount,
  ),
  ...(
    [
      ["channel_messages_published_total", "Messages from the publisher", "publishedCount"],
      ["channel_messages_confirmed_total", "Confirmed messages", "confirmedCount"],
      [
        "channel_messages_unroutable_returned_total",
        "Messages returned because nobody wanted them",
        "returnedCount",
      ],
      [
        "channel_messages_unroutable_dropped_total",
        "Messages dropped because nobody wanted them",
        "droppedCount",
      ],
    ] as const
  ).map(([name, help, counter]) =>
    channel("counter", "channel_exchange_metrics", name, help, (c) => c.counters[counter]),
  ),
  ...(
    [
      ["channel_get_ack_total", "Messages fetched by basic.get, to be acknowledged", "gotCount"],
      [
        "channel_get_total",
        "Messages fetched by basic.get without acknowledgement",
        "gotNoAckCount",
      ],
      ["channel_get_empty_total", "basic.get that found nothing", "getEmptyCount"],
      [
        "channel_messages_delivered_ack_total",
        "Deliveries to consumers that acknowledge",
        "deliveredCount",
      ],
      [
        "channel_messages_delivered_total",
        "Deliveries to consumers that do not acknowledge",
        "deliveredNoAckCount",
      ],
      [
        "channel_messages_redelivered_total",
        "Deliveries of messages that had been delivered before",
        "redeliveredCount",
      ],
      ["channel_messages_acked_total", "Acknowledged deliveries", "acknowledgedCount"],
    ] as const
  ).map(([name, help, counter]) =>
    channel("counter", "channel_queue_metrics", name, help, (c) => c.counters[counter]),
  ),
]

const connection = define<InspectedConnection>(["connection", "vhost"])

const CONNECTION_METRICS: readonly ObjectMetric<InspectedConnection>[] = [
  connection(
    "counter",
    "connection_coarse_metrics",
    "connection_incoming_bytes_total",
    "Bytes received from the client",
    (c) => c.receivedBytes,
  ),
  connection(
    "counter",
    "connection_coarse_metrics",
    "connection_outgoing_bytes_total",
    "Bytes sent to the client",
    (c) => c.sentBytes,
  ),
  connection(
    "gauge",
    "connection_metrics",
    "connection_channels",
    "Open channels of the connection",
    (c) => c.channelCount,
    { alsoIn: ["connection_coarse_metrics"] },
  ),
]

const vhost = define<Vhost>(["vhost"])

const VHOST_METRICS: readonly ObjectMetric<Vhost>[] = [
  vhost(
    "gauge",
    "vhost_status",
    "vhost_status",
    "1 if the vhost can be written to disk",
    (v) => Number(!v.isLogFailed),
    { detailedPrefix: "cluster" },
  ),
  vhost(
    "gauge",
    "vhost_message_stats",
    "vhost_queues",
    "Queues of the vhost",
    (v) => v.queues.size,
  ),
]

// ---- how the objects are walked

function isObjectMetric(metric: MetricInfo): metric is ObjectMetric<never> {
  return "read" in metric
}

export function detailedPrefixOf(metric: MetricInfo): string {
  return isObjectMetric(metric) ? metric.detailedPrefix : "detailed"
}

export function isInFamily(metric: MetricInfo, family: string): boolean {
  return metric.family === family || (isObjectMetric(metric) && metric.alsoIn.includes(family))
}

type Walk<T> = (source: Source, line: (labels: string, subject: T) => string) => Iterable<string>

function kind<T>(metrics: readonly ObjectMetric<T>[], walk: Walk<T>): ObjectKind {
  return {
    metrics,
    lines(wanted, source) {
      const metric = metrics.find((one) => one === wanted)
      if (metric === undefined) return []
      const { read } = metric
      const start = `${source.fullName}{`
      return walk(source, (labels, subject) => {
        const value = read(subject)
        return value === null ? "" : `${start}${labels}} ${String(value)}\n`
      })
    },
  }
}

const QUEUES = kind(QUEUE_METRICS, function* ({ view }, line) {
  for (const { name, queues } of view.vhosts) {
    const start = `vhost="${escapeLabel(name)}",queue="`
    for (const subject of queues.values())
      yield line(`${start}${escapeLabel(subject.name)}"`, subject)
  }
})

const QUEUE_INFO: MetricInfo = {
  type: "gauge",
  family: "queue_info",
  name: "queue_info",
  help: "1, with the type of the queue",
  labels: ["vhost", "queue", "queue_type"],
}

const QUEUE_INFOS: ObjectKind = {
  metrics: [QUEUE_INFO],
  *lines(_metric, { view, fullName }) {
    for (const { name, queues } of view.vhosts)
      for (const subject of queues.values()) {
        const type = queueTypeOf(subject.arguments)
        const labels = `vhost="${escapeLabel(name)}",queue="${escapeLabel(subject.name)}"`
        yield `${fullName}{${labels},queue_type="${type}"} 1\n`
      }
  },
}

const EXCHANGES = kind(EXCHANGE_METRICS, function* ({ view }, line) {
  for (const { name, exchanges } of view.vhosts) {
    const start = `vhost="${escapeLabel(name)}",exchange="`
    for (const subject of exchanges.values())
      yield line(`${start}${escapeLabel(subject.name)}"`, subject)
  }
})

function* connectionsOf({ broker, view }: Source): Iterable<InspectedConnection> {
  const names = new Set(view.vhosts.map(({ name }) => name))
  for (const { inspected } of broker.connections)
    if (names.has(inspected.vhostName)) yield inspected
}

const CONNECTIONS = kind(CONNECTION_METRICS, function* (source, line) {
  for (const subject of connectionsOf(source)) {
    const { name, vhostName } = subject
    yield line(`connection="${escapeLabel(name)}",vhost="${escapeLabel(vhostName)}"`, subject)
  }
})

const CHANNELS = kind(CHANNEL_METRICS, function* (source, line) {
  for (const inspected of connectionsOf(source)) {
    const { name, vhostName } = inspected
    const end = `",connection="${escapeLabel(name)}",vhost="${escapeLabel(vhostName)}"`
    for (const subject of inspected.describeChannels())
      yield line(`channel="${escapeLabel(subject.name)}${end}`, subject)
  }
})

const VHOSTS = kind(VHOST_METRICS, function* ({ view }, line) {
  for (const subject of view.vhosts) yield line(`vhost="${escapeLabel(subject.name)}"`, subject)
})

function vhostStat(name: string, help: string): MetricInfo {
  return { type: "counter", family: "vhost_message_stats", name, help, labels: ["vhost"] }
}

const VHOST_PUBLISHED = vhostStat("vhost_messages_published_total", "Messages from publishers")
const VHOST_DELIVERED = vhostStat("vhost_messages_delivered_total", "Messages that went to clients")

/** Summed over the channels, open and closed. */
const VHOST_STATS: ObjectKind = {
  metrics: [VHOST_PUBLISHED, VHOST_DELIVERED],
  *lines(metric, source) {
    const { broker, view, fullName } = source
    const sums = new Map(view.vhosts.map(({ name }) => [name, new CounterSum()]))
    for (const [name, sum] of sums) {
      const closed = broker.closedChannels.of(name)
      if (closed !== null) sum.add(closed)
    }
    for (const inspected of connectionsOf(source)) {
      const sum = sums.get(inspected.vhostName)
      if (sum !== undefined) inspected.addCounters(sum)
      yield ""
    }
    for (const [name, sum] of sums) {
      const value = metric === VHOST_PUBLISHED ? sum.publishedCount : deliveredBy(sum)
      yield `${fullName}{vhost="${escapeLabel(name)}"} ${String(value)}\n`
    }
  },
}

function deliveredBy(sum: CounterSum): number {
  return sum.deliveredCount + sum.deliveredNoAckCount + sum.gotCount + sum.gotNoAckCount
}

export const OBJECT_KINDS: readonly ObjectKind[] = [
  QUEUES,
  QUEUE_INFOS,
  EXCHANGES,
  CHANNELS,
  CONNECTIONS,
  VHOSTS,
  VHOST_STATS,
]

/** Families of RabbitMQ that say nothing here: asking for them is no error. */
export const EMPTY_FAMILIES: ReadonlySet<string> = new Set([
  "exchange_names",
  "ra_metrics",
  "raft_metrics",
  "mnesia_metrics",
  "node_exchange_metrics",
  "stream_consumer_metrics",
])
