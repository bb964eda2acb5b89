import { DEATH_REASONS } from "../../broker/vhost-totals.ts"
import { LINK_METRICS } from "./link-metrics.ts"
import { SHOVEL_METRICS } from "./shovel-metrics.ts"
import { histogramSamples } from "./metric.ts"
import type { MetricInfo, Sample } from "./metric.ts"
import type { Snapshot } from "./snapshot.ts"

/**
 * The metrics of the broker as a whole, with RabbitMQ's and LavinMQ's names: one table that the scrapes
 * and docs/metrics.md are made from. Those of single queues, channels and so on are object-metrics.ts.
 */
export interface NodeMetric extends MetricInfo {
  /** Cannot be divided by vhost, and is not for people who see some of them only. */
  readonly isOfNode: boolean
  /** The same sum is there per object (object-metrics.ts), which takes its place in /metrics/per-object. */
  readonly isSum: boolean
  samples(this: void, snapshot: Snapshot): readonly Sample[]
}

type Options = Partial<Pick<NodeMetric, "isOfNode" | "isSum" | "labels">>

function metric(
  type: "counter" | "gauge",
  family: string,
  name: string,
  help: string,
  read: (snapshot: Snapshot) => number | readonly Sample[],
  options: Options = {},
): NodeMetric {
  return {
    type,
    family,
    name,
    help,
    labels: [],
    isOfNode: false,
    isSum: false,
    ...options,
    samples(snapshot) {
      const value = read(snapshot)
      return typeof value === "number" ? [{ labels: {}, value }] : value
    },
  }
}

const OF_NODE: Options = { isOfNode: true }
const SUM: Options = { isSum: true }
const PROTOCOL: Options = { labels: ["protocol"] }
const AMQP = { protocol: "amqp091" }

function global(
  name: string,
  help: string,
  read: (snapshot: Snapshot) => number,
  type: "counter" | "gauge" = "counter",
): NodeMetric {
  const samples = (snapshot: Snapshot): readonly Sample[] => [
    { labels: AMQP, value: read(snapshot) },
  ]
  return metric(type, "global_counters", `global_${name}`, help, samples, PROTOCOL)
}

const INFO: readonly NodeMetric[] = [
  metric("gauge", "totals", "connections", "Open connections", ({ sums }) => sums.connections),
  metric("gauge", "totals", "channels", "Open channels", ({ sums }) => sums.channels),
  metric("gauge", "totals", "consumers", "Consumers of all queues", ({ sums }) => sums.consumers),
  metric("gauge", "totals", "queues", "Queues", ({ sums }) => sums.queues),
  metric("gauge", "totals", "exchanges", "Exchanges", ({ sums }) => sums.exchanges),
  metric("gauge", "totals", "bindings", "Bindings", ({ sums }) => sums.bindings),
  metric("gauge", "totals", "vhosts", "Virtual hosts", ({ broker }) => broker.vhosts.size, OF_NODE),
]

const CHURN: readonly NodeMetric[] = [
  metric(
    "counter",
    "connection_churn_metrics",
    "connections_opened_total",
    "Connections that were opened",
    ({ broker }) => broker.admission.connectionsOpenedCount,
    OF_NODE,
  ),
  metric(
    "counter",
    "connection_churn_metrics",
    "connections_closed_total",
    "Connections that were closed",
    ({ broker }) => broker.admission.connectionsClosedCount,
    OF_NODE,
  ),
  metric(
    "counter",
    "connection_churn_metrics",
    "channels_opened_total",
    "Channels that were opened",
    ({ broker }) => broker.admission.channelsOpenedCount,
    OF_NODE,
  ),
  metric(
    "counter",
    "connection_churn_metrics",
    "channels_closed_total",
    "Channels that were closed",
    ({ broker }) => broker.admission.channelsClosedCount,
    OF_NODE,
  ),
  metric(
    "counter",
    "connection_churn_metrics",
    "queues_declared_total",
    "Declarations of queues, of those that were there, too",
    ({ totals }) => totals.queuesDeclaredCount,
  ),
  metric(
    "counter",
    "connection_churn_metrics",
    "queues_created_total",
    "Queues that were made",
    ({ totals }) => totals.queuesCreatedCount,
  ),
  metric(
    "counter",
    "connection_churn_metrics",
    "queues_deleted_total",
    "Queues that were deleted or have expired",
    ({ totals }) => totals.queuesDeletedCount,
  ),
]

const PROCESS: readonly NodeMetric[] = [
  metric(
    "gauge",
    "node_coarse_metrics",
    "process_open_fds",
    "File descriptors of the process",
    ({ process }) => process.openFileCount,
    OF_NODE,
  ),
  metric(
    "gauge",
    "node_coarse_metrics",
    "process_open_tcp_sockets",
    "Sockets of AMQP clients",
    ({ broker }) => broker.connections.size,
    OF_NODE,
  ),
  metric(
    "gauge",
    "node_coarse_metrics",
    "process_resident_memory_bytes",
    "Memory of the process that is in RAM",
    ({ process }) => process.residentBytes,
    OF_NODE,
  ),
  metric(
    "gauge",
    "node_coarse_metrics",
    "disk_space_available_bytes",
    "Free bytes where the data directory is; absent if it cannot be read",
    ({ facts }) => sampleIf(facts.node.freeDiskBytes(), (bytes) => bytes >= 0),
    OF_NODE,
  ),
  metric(
    "gauge",
    "node_metrics",
    "process_max_fds",
    "File descriptors that the process may have",
    ({ process }) => process.openFileMax,
    OF_NODE,
  ),
  metric(
    "gauge",
    "node_metrics",
    "resident_memory_limit_bytes",
    "Memory above which publishing stops; without such a limit all memory of the machine or container",
    ({ facts: { node } }) => node.memory.limitBytes || node.memory.totalBytes,
    OF_NODE,
  ),
  metric(
    "gauge",
    "node_metrics",
    "disk_space_available_limit_bytes",
    "Free bytes below which publishing stops",
    ({ facts }) => facts.node.freeDiskMinBytes,
    OF_NODE,
  ),
  metric(
    "gauge",
    "node_metrics",
    "erlang_uptime_seconds",
    "Time since the start; the name is RabbitMQ's",
    uptimeSeconds,
    OF_NODE,
  ),
  metric("gauge", "node_metrics", "uptime", "Seconds since the start", uptimeSeconds, OF_NODE),
  metric(
    "counter",
    "node_metrics",
    "cpu_user_time_total",
    "Milliseconds of CPU in the broker's own code",
    ({ process }) => process.cpuUserMs,
    OF_NODE,
  ),
  metric(
    "counter",
    "node_metrics",
    "cpu_system_time_total",
    "Milliseconds of CPU in the system, on behalf of the broker",
    ({ process }) => process.cpuSystemMs,
    OF_NODE,
  ),
  metric(
    "counter",
    "node_metrics",
    "event_loop_active_seconds_total",
    "Time in which the event loop was not idle: its rate is how busy the broker's thread is",
    ({ process }) => process.loopActiveSeconds,
    OF_NODE,
  ),
  {
    type: "histogram",
    family: "node_metrics",
    name: "event_loop_delay_seconds",
    help: "How much too late a timer fires, sampled ten times a second, to the millisecond",
    labels: ["le"],
    isOfNode: true,
    isSum: false,
    samples: ({ process }) => histogramSamples(process.loopDelayMs, 0.001),
  },
]

function uptimeSeconds({ nowMs, facts }: Snapshot): number {
  return Math.max(0, nowMs - facts.node.startedAtMs) / 1000
}

function sampleIf(value: number, isKnown: (value: number) => boolean): readonly Sample[] {
  return isKnown(value) ? [{ labels: {}, value }] : []
}

const RUNTIME: readonly NodeMetric[] = [
  metric(
    "gauge",
    "node_metrics",
    "gc_heap_size_bytes",
    "Size of the runtime's heap",
    ({ process }) => process.heapTotalBytes,
    OF_NODE,
  ),
  metric(
    "gauge",
    "node_metrics",
    "gc_free_bytes",
    "Of the heap, what is not in use",
    ({ process }) => Math.max(0, process.heapTotalBytes - process.heapUsedBytes),
    OF_NODE,
  ),
  metric(
    "counter",
    "node_metrics",
    "gc_cycles_total",
    "Garbage collections, of all kinds",
    ({ process }) => process.collections.reduce((total, { count }) => total + count, 0),
    OF_NODE,
  ),
  metric(
    "counter",
    "node_metrics",
    "gc_collections_total",
    "Garbage collections",
    ({ process }) =>
      process.collections.map(({ kind, count }) => ({ labels: { kind }, value: count })),
    { ...OF_NODE, labels: ["kind"] },
  ),
  metric(
    "counter",
    "node_metrics",
    "gc_duration_seconds_total",
    "Time in garbage collections, in which nothing else runs",
    ({ process }) =>
      process.collections.map(({ kind, seconds }) => ({ labels: { kind }, value: seconds })),
    { ...OF_NODE, labels: ["kind"] },
  ),
]

function io(
  name: string,
  help: string,
  read: (snapshot: Snapshot) => number,
  type: "counter" | "gauge" = "counter",
): NodeMetric {
  return metric(type, "node_persister_metrics", name, help, read, OF_NODE)
}

const STORE: readonly NodeMetric[] = [
  io("io_read_ops_total", "Reads of data files", ({ store }) => store.readCount),
  io("io_read_bytes_total", "Bytes read from data files", ({ store }) => store.readBytes),
  io("io_write_ops_total", "Writes to data files", ({ store }) => store.writeCount),
  io("io_write_bytes_total", "Bytes written to data files", ({ store }) => store.writtenBytes),
  io("io_sync_ops_total", "fdatasync calls", ({ store }) => store.syncCount),
  io("io_sync_errors_total", "fdatasync calls that failed", ({ store }) => store.syncErrorCount),
  io(
    "io_sync_time_seconds_total",
    "Time of fdatasync calls; several run at a time",
    ({ store }) => store.syncMs / 1000,
  ),
  io(
    "io_directory_sync_ops_total",
    "fsync calls of directories",
    ({ store }) => store.directorySyncCount,
  ),
  io(
    "commit_rounds_total",
    "Group commits, each of which made durable all that waited for it",
    ({ store }) => store.commitRounds,
  ),
  io("mfile_count", "Data files that are open", ({ store }) => store.openDataFiles, "gauge"),
  io(
    "store_buffers_in_use_bytes",
    "Buffers of queues with something to write or to read",
    ({ store }) => store.bufferInUseBytes,
    "gauge",
  ),
  io(
    "store_buffers_kept_bytes",
    "Buffers kept for the next use",
    ({ store }) => store.bufferKeptBytes,
    "gauge",
  ),
]

type Attempts = Snapshot["broker"]["logins"]["attempts"]

function attempts(
  name: string,
  help: string,
  read: (counts: Attempts["amqp"]) => number,
): NodeMetric {
  return metric(
    "counter",
    "auth_attempt_metrics",
    name,
    help,
    ({ broker }) => {
      const { amqp, http } = broker.logins.attempts
      return [
        { labels: AMQP, value: read(amqp) },
        { labels: { protocol: "http" }, value: read(http) },
      ]
    },
    { ...OF_NODE, ...PROTOCOL },
  )
}

const LOGINS: readonly NodeMetric[] = [
  attempts(
    "auth_attempts_total",
    "Logins, successful or not",
    ({ succeeded, failed }) => succeeded + failed,
  ),
  attempts("auth_attempts_succeeded_total", "Successful logins", ({ succeeded }) => succeeded),
  attempts("auth_attempts_failed_total", "Refused logins", ({ failed }) => failed),
  attempts(
    "auth_attempts_throttled_total",
    "Logins refused because there were too many before",
    ({ throttled }) => throttled,
  ),
]

const ALARMS: readonly NodeMetric[] = [
  metric(
    "gauge",
    "alarms",
    "alarms_free_disk_space_watermark",
    "1 while publishing stops because the disk is nearly full",
    ({ broker }) => Number(broker.alarms.has("disk")),
    OF_NODE,
  ),
  metric(
    "gauge",
    "alarms",
    "alarms_memory_used_watermark",
    "1 while publishing stops because of the memory in use",
    ({ broker }) => Number(broker.alarms.has("memory")),
    OF_NODE,
  ),
  metric(
    "gauge",
    "alarms",
    "alarms_failed_stores",
    "Queues and logs of definitions that the disk refuses to write at present",
    ({ broker }) => broker.failedWriteCount,
    OF_NODE,
  ),
]

const MESSAGES: readonly NodeMetric[] = [
  global("messages_received_total", "Messages from publishers", (s) => s.messages.publishedCount),
  global(
    "messages_received_confirm_total",
    "Of them, those on channels with confirms",
    (s) => s.messages.publishedConfirmCount,
  ),
  global(
    "messages_routed_total",
    "Copies that went to queues, those of dead letters included",
    (s) => s.totals.publishOutCount,
  ),
  global(
    "messages_unroutable_dropped_total",
    "Messages that nobody wanted, dropped",
    (s) => s.messages.droppedCount,
  ),
  global(
    "messages_unroutable_returned_total",
    "Messages that nobody wanted, returned to the publisher (mandatory)",
    (s) => s.messages.returnedCount,
  ),
  global(
    "messages_confirmed_total",
    "Messages whose publisher got its confirm",
    (s) => s.messages.confirmedCount,
  ),
  global("messages_delivered_total", "Messages that went to clients, in whatever way", (s) => {
    const { deliveredCount, deliveredNoAckCount, gotCount, gotNoAckCount } = s.messages
    return deliveredCount + deliveredNoAckCount + gotCount + gotNoAckCount
  }),
  global(
    "messages_delivered_consume_auto_ack_total",
    "Deliveries to consumers that do not acknowledge",
    (s) => s.messages.deliveredNoAckCount,
  ),
  global(
    "messages_delivered_consume_manual_ack_total",
    "Deliveries to consumers that acknowledge",
    (s) => s.messages.deliveredCount,
  ),
  global(
    "messages_delivered_get_auto_ack_total",
    "Messages that basic.get fetched without acknowledgement",
    (s) => s.messages.gotNoAckCount,
  ),
  global(
    "messages_delivered_get_manual_ack_total",
    "Messages that basic.get fetched, to be acknowledged",
    (s) => s.messages.gotCount,
  ),
  global(
    "messages_get_empty_total",
    "basic.get that found nothing",
    (s) => s.messages.getEmptyCount,
  ),
  global(
    "messages_redelivered_total",
    "Deliveries of messages that had been delivered before",
    (s) => s.messages.redeliveredCount,
  ),
  global(
    "messages_acknowledged_total",
    "Acknowledged deliveries",
    (s) => s.messages.acknowledgedCount,
  ),
  global("publishers", "Open channels that have published", (s) => s.sums.publishers, "gauge"),
  global("consumers", "Consumers", (s) => s.sums.consumers, "gauge"),
  ...DEATH_REASONS.map((reason) =>
    metric(
      "counter",
      "global_counters",
      `global_messages_dead_lettered_${reason}_total`,
      `Messages that left their queue for a dead letter exchange: ${reason}`,
      ({ totals }) => [
        {
          labels: { dead_letter_strategy: "at_least_once" },
          value: totals.deadLetteredCounts[reason],
        },
      ],
      { labels: ["dead_letter_strategy"] },
    ),
  ),
  {
    type: "histogram",
    family: "global_counters",
    name: "message_size_bytes",
    help: "Sizes of the bodies of published messages",
    labels: ["protocol", "le"],
    isOfNode: true,
    isSum: false,
    samples: ({ broker }) => histogramSamples(broker.messageCounters.sizes, 1, AMQP),
  },
  {
    type: "histogram",
    family: "global_counters",
    name: "confirm_latency_seconds",
    help: "From the arrival of a message to its confirm, to the millisecond",
    labels: ["protocol", "le"],
    isOfNode: true,
    isSum: false,
    samples: ({ broker }) =>
      histogramSamples(broker.messageCounters.confirmLatency.histogramMs, 0.001, AMQP),
  },
]

function sum(
  type: "counter" | "gauge",
  family: string,
  name: string,
  help: string,
  read: (snapshot: Snapshot) => number,
): NodeMetric {
  return metric(type, family, name, help, read, SUM)
}

function ofChannels(
  family: string,
  name: string,
  help: string,
  read: (snapshot: Snapshot) => number,
): NodeMetric {
  return sum("counter", family, name, `${help}; of closed channels, too`, read)
}

const SUMS: readonly NodeMetric[] = [
  sum(
    "gauge",
    "queue_coarse_metrics",
    "queue_messages_ready",
    "Messages ready to be delivered",
    ({ sums }) => sums.ready,
  ),
  sum(
    "gauge",
    "queue_coarse_metrics",
    "queue_messages_unacked",
    "Messages delivered and not yet acknowledged",
    ({ sums }) => sums.unacked,
  ),
  sum(
    "gauge",
    "queue_coarse_metrics",
    "queue_messages",
    "Messages ready and unacknowledged",
    ({ sums }) => sums.ready + sums.unacked,
  ),
  sum(
    "gauge",
    "queue_consumer_count",
    "queue_consumers",
    "Consumers of queues",
    ({ sums }) => sums.consumers,
  ),
  sum(
    "gauge",
    "queue_metrics",
    "queue_messages_ready_bytes",
    "Bodies of the messages that are ready",
    ({ sums }) => sums.readyBytes,
  ),
  sum(
    "counter",
    "exchange_metrics",
    "exchange_messages_published_total",
    "Messages that came to exchanges, dead letters included",
    ({ totals }) => totals.publishInCount,
  ),
  ofChannels(
    "channel_exchange_metrics",
    "channel_messages_published_total",
    "Messages from publishers",
    ({ messages }) => messages.publishedCount,
  ),
  ofChannels(
    "channel_exchange_metrics",
    "channel_messages_confirmed_total",
    "Confirmed messages",
    ({ messages }) => messages.confirmedCount,
  ),
  ofChannels(
    "channel_exchange_metrics",
    "channel_messages_unroutable_returned_total",
    "Messages returned because nobody wanted them",
    ({ messages }) => messages.returnedCount,
  ),
  ofChannels(
    "channel_exchange_metrics",
    "channel_messages_unroutable_dropped_total",
    "Messages dropped because nobody wanted them",
    ({ messages }) => messages.droppedCount,
  ),
  ofChannels(
    "channel_queue_metrics",
    "channel_get_ack_total",
    "Messages fetched by basic.get, to be acknowledged",
    ({ messages }) => messages.gotCount,
  ),
  ofChannels(
    "channel_queue_metrics",
    "channel_get_total",
    "Messages fetched by basic.get without acknowledgement",
    ({ messages }) => messages.gotNoAckCount,
  ),
  ofChannels(
    "channel_queue_metrics",
    "channel_get_empty_total",
    "basic.get that found nothing",
    ({ messages }) => messages.getEmptyCount,
  ),
  ofChannels(
    "channel_queue_metrics",
    "channel_messages_delivered_ack_total",
    "Deliveries to consumers that acknowledge",
    ({ messages }) => messages.deliveredCount,
  ),
  ofChannels(
    "channel_queue_metrics",
    "channel_messages_delivered_total",
    "Deliveries to consumers that do not acknowledge",
    ({ messages }) => messages.deliveredNoAckCount,
  ),
  ofChannels(
    "channel_queue_metrics",
    "channel_messages_redelivered_total",
    "Deliveries of messages that had been delivered before",
    ({ messages }) => messages.redeliveredCount,
  ),
  ofChannels(
    "channel_queue_metrics",
    "channel_messages_acked_total",
    "Acknowledged deliveries",
    ({ messages }) => messages.acknowledgedCount,
  ),
]

const OCTETS: readonly NodeMetric[] = [
  metric(
    "counter",
    "connection_coarse_metrics",
    "connection_incoming_bytes_total",
    "Bytes received from clients; of closed connections, too",
    ({ sums }) => sums.receivedBytes,
    { ...OF_NODE, ...SUM },
  ),
  metric(
    "counter",
    "connection_coarse_metrics",
    "connection_outgoing_bytes_total",
    "Bytes sent to clients; of closed connections, too",
    ({ sums }) => sums.sentBytes,
    { ...OF_NODE, ...SUM },
  ),
]

const LAVINMQ: readonly NodeMetric[] = [
  metric(
    "gauge",
    "lavinmq",
    "total_connected_followers",
    "Followers of this node; there is no replication, so none",
    () => 0,
    OF_NODE,
  ),
]

export const NODE_METRICS: readonly NodeMetric[] = [
  ...INFO,
  ...CHURN,
  ...PROCESS,
  ...RUNTIME,
  ...STORE,
  ...LOGINS,
  ...ALARMS,
  ...MESSAGES,
  ...SUMS,
  ...OCTETS,
  ...LAVINMQ,
  ...LINK_METRICS,
  ...SHOVEL_METRICS,
]

export const MEMORY_METRICS: readonly NodeMetric[] = [
  metric(
    "gauge",
    "memory",
    "memory_resident_bytes",
    "Memory of the process that is in RAM",
    ({ process }) => process.residentBytes,
    OF_NODE,
  ),
  metric(
    "gauge",
    "memory",
    "memory_heap_total_bytes",
    "Heap of the runtime",
    ({ process }) => process.heapTotalBytes,
    OF_NODE,
  ),
  metric(
    "gauge",
    "memory",
    "memory_heap_used_bytes",
    "Of the heap, what is in use",
    ({ process }) => process.heapUsedBytes,
    OF_NODE,
  ),
  metric(
    "gauge",
    "memory",
    "memory_heap_limit_bytes",
    "What the heap may grow to",
    ({ process }) => process.heapLimitBytes,
    OF_NODE,
  ),
  metric(
    "gauge",
    "memory",
    "memory_heap_space_used_bytes",
    "Of the heap, by the runtime's name of its part",
    ({ process }) =>
      process.heapSpaces.map(({ name, usedBytes }) => ({
        labels: { space: name },
        value: usedBytes,
      })),
    { ...OF_NODE, labels: ["space"] },
  ),
  metric(
    "gauge",
    "memory",
    "memory_external_bytes",
    "Outside the heap: buffers of messages, sockets and files",
    ({ process }) => process.externalBytes,
    OF_NODE,
  ),
  metric(
    "gauge",
    "memory",
    "memory_array_buffers_bytes",
    "Of the external memory, array buffers",
    ({ process }) => process.arrayBufferBytes,
    OF_NODE,
  ),
  metric(
    "gauge",
    "memory",
    "memory_store_buffers_bytes",
    "Of the array buffers, those of queues, in use or kept",
    ({ store }) => store.bufferInUseBytes + store.bufferKeptBytes,
    OF_NODE,
  ),
]
