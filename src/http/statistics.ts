import type { Broker } from "../broker/broker.ts"
import { CHANNEL_COUNTERS, CounterSum } from "../broker/inspection.ts"
import type { ChannelCounters, InspectedConnection } from "../broker/inspection.ts"
import type { Exchange } from "../broker/exchange/exchange.ts"
import type { MessageQueue } from "../broker/queue/message-queue.ts"
import type { Vhost } from "../broker/vhost.ts"
import type { Clock, TimerHandle } from "../util/clock.ts"
import { levelsOf, RATES_ONLY } from "./samples.ts"
import type { Shown } from "./samples.ts"
import { SampleRounds, SeriesTable } from "./series.ts"
import type { Metric, Metrics } from "./series.ts"
import { Slices } from "./slices.ts"

/**
 * Rates and samples. The data plane only counts; every SAMPLE_MS this walks over what is alive, in slices,
 * and notes how much each counter has grown (series.ts). Totals never fall: what vhosts, connections and
 * channels have counted stays in them when they are gone.
 */
export const SAMPLE_MS = 5000

const CHANNEL_NAMES = {
  publishedCount: "publish",
  confirmedCount: "confirm",
  returnedCount: "return_unroutable",
  droppedCount: "drop_unroutable",
  publishedConfirmCount: "publish_confirm",
  deliveredCount: "deliver",
  deliveredNoAckCount: "deliver_no_ack",
  gotCount: "get",
  gotNoAckCount: "get_no_ack",
  getEmptyCount: "get_empty",
  redeliveredCount: "redeliver",
  acknowledgedCount: "ack",
  rejectedCount: "reject",
} as const satisfies Record<keyof ChannelCounters, string>

export const CHANNEL_METRICS: readonly Metric<ChannelCounters>[] = [
  ...CHANNEL_COUNTERS.map((name): Metric<ChannelCounters> => [
    CHANNEL_NAMES[name],
    (counters) => counters[name],
  ]),
  [
    "deliver_get",
    (counters) =>
      counters.deliveredCount +
      counters.deliveredNoAckCount +
      counters.gotCount +
      counters.gotNoAckCount,
  ],
]

export const QUEUE_METRICS: readonly Metric<MessageQueue>[] = [
  ["publish", (queue) => queue.publishedCount],
  [
    "deliver",
    (queue) =>
      queue.deliveredCount - queue.deliverNoAckCount - queue.getCount - queue.getNoAckCount,
  ],
  ["deliver_no_ack", (queue) => queue.deliverNoAckCount],
  ["deliver_get", (queue) => queue.deliveredCount],
  ["get", (queue) => queue.getCount],
  ["get_no_ack", (queue) => queue.getNoAckCount],
  ["get_empty", (queue) => queue.getEmptyCount],
  ["ack", (queue) => queue.acknowledgedCount],
  ["redeliver", (queue) => queue.redeliveredCount],
]

interface Lengths {
  readonly readyCount: number
  readonly unackedCount: number
}

export const LENGTH_METRICS: readonly Metric<Lengths>[] = [
  ["messages", ({ readyCount, unackedCount }) => readyCount + unackedCount],
  ["messages_ready", ({ readyCount }) => readyCount],
  ["messages_unacknowledged", ({ unackedCount }) => unackedCount],
]

export const EXCHANGE_METRICS: readonly Metric<Exchange>[] = [
  ["publish_in", (exchange) => exchange.publishInCount],
  ["publish_out", (exchange) => exchange.publishOutCount],
  ["unroutable", (exchange) => exchange.unroutableCount],
]

interface OctetCounters {
  readonly receivedBytes: number
  readonly sentBytes: number
}

export const CONNECTION_METRICS: readonly Metric<OctetCounters>[] = [
  ["recv_oct", (connection) => connection.receivedBytes],
  ["send_oct", (connection) => connection.sentBytes],
]

interface Churn {
  readonly broker: Broker
  /** Of vhosts that are gone. */
  readonly declaredCount: number
  readonly createdCount: number
  readonly deletedCount: number
}

export const CHURN_METRICS: readonly Metric<Churn>[] = [
  ["connection_created", ({ broker }) => broker.admission.connectionsOpenedCount],
  ["connection_closed", ({ broker }) => broker.admission.connectionsClosedCount],
  ["channel_created", ({ broker }) => broker.admission.channelsOpenedCount],
  ["channel_closed", ({ broker }) => broker.admission.channelsClosedCount],
  [
    "queue_declared",
    ({ broker, declaredCount }) =>
      declaredCount + sumOf(broker, (vhost) => vhost.queuesDeclaredCount),
  ],
  [
    "queue_created",
    ({ broker, createdCount }) => createdCount + sumOf(broker, (vhost) => vhost.queuesCreatedCount),
  ],
  [
    "queue_deleted",
    ({ broker, deletedCount }) => deletedCount + sumOf(broker, (vhost) => vhost.queuesDeletedCount),
  ],
]

/** What the process has used, and what it has left. */
export interface NodeGauges {
  freeDiskBytes(): number
}

export const NODE_COUNTERS: readonly Metric<NodeGauges>[] = [
  ["cpu_user_time", () => Math.round(process.cpuUsage().user / 1000)],
  ["cpu_sys_time", () => Math.round(process.cpuUsage().system / 1000)],
]

export const NODE_LEVELS: readonly Metric<NodeGauges>[] = [
  ["mem_used", () => process.memoryUsage.rss()],
  ["disk_free", (node) => node.freeDiskBytes()],
]

const NO_METRICS: readonly Metric<unknown>[] = []

const QUEUE_SERIES: Metrics<MessageQueue> = { counters: QUEUE_METRICS, levels: LENGTH_METRICS }
const EXCHANGE_SERIES: Metrics<Exchange> = { counters: EXCHANGE_METRICS, levels: NO_METRICS }
const CHANNEL_SERIES: Metrics<ChannelCounters> = { counters: CHANNEL_METRICS, levels: NO_METRICS }
const CONNECTION_SERIES: Metrics<OctetCounters> = {
  counters: CONNECTION_METRICS,
  levels: NO_METRICS,
}
const LENGTHS_SERIES: Metrics<Lengths> = { counters: NO_METRICS, levels: LENGTH_METRICS }
const CHURN_SERIES: Metrics<Churn> = { counters: CHURN_METRICS, levels: NO_METRICS }
const NODE_SERIES: Metrics<NodeGauges> = { counters: NODE_COUNTERS, levels: NODE_LEVELS }

/** Everything that a vhost, or all of them, has counted and holds. */
class Sums {
  readonly counters = new CounterSum()
  readonly octets = { receivedBytes: 0, sentBytes: 0 }
  readonly lengths = { readyCount: 0, unackedCount: 0 }

  clear(): void {
    Object.assign(this.counters, new CounterSum())
    Object.assign(this.octets, { receivedBytes: 0, sentBytes: 0 })
    Object.assign(this.lengths, { readyCount: 0, unackedCount: 0 })
  }

  add({ counters, octets, lengths }: Sums): void {
    this.counters.add(counters)
    this.addOctets(octets)
    this.lengths.readyCount += lengths.readyCount
    this.lengths.unackedCount += lengths.unackedCount
  }

  addOctets({ receivedBytes, sentBytes }: OctetCounters): void {
    this.octets.receivedBytes += receivedBytes
    this.octets.sentBytes += sentBytes
  }
}

/** Messages in queues, counted now. */
export interface MessageTotals {
  readonly ready: number
  readonly unacked: number
  readonly consumers: number
}

export class Statistics {
  readonly #broker: Broker
  readonly #clock: Clock
  readonly #rounds: SampleRounds
  readonly #queues: SeriesTable<MessageQueue>
  readonly #exchanges: SeriesTable<Exchange>
  readonly #counters: SeriesTable<ChannelCounters>
  readonly #octets: SeriesTable<OctetCounters>
  readonly #lengths: SeriesTable<Lengths>
  readonly #churns: SeriesTable<Churn>
  readonly #nodes: SeriesTable<NodeGauges>
  readonly #node: NodeGauges
  #isWalking = false
  #timer: TimerHandle | null = null
  #isStopped = false
  readonly #all = new Sums()
  readonly #byVhost = new Map<string, Sums>()
  readonly #churn: { -readonly [K in keyof Churn]: Churn[K] }
  /** By vhost, of connections that have been seen and are closed. */
  readonly #octetsOfClosed = new Map<string, Sums>()
  readonly #octetsOfGone = { receivedBytes: 0, sentBytes: 0 }
  readonly #octetsSeen = new Map<object, { name: string } & OctetCounters>()

  constructor(broker: Broker, clock: Clock, node: NodeGauges) {
    this.#broker = broker
    this.#clock = clock
    this.#node = node
    this.#rounds = new SampleRounds(clock)
    this.#queues = new SeriesTable(this.#rounds, QUEUE_SERIES)
    this.#exchanges = new SeriesTable(this.#rounds, EXCHANGE_SERIES)
    this.#counters = new SeriesTable(this.#rounds, CHANNEL_SERIES)
    this.#octets = new SeriesTable(this.#rounds, CONNECTION_SERIES)
    this.#lengths = new SeriesTable(this.#rounds, LENGTHS_SERIES)
    this.#churns = new SeriesTable(this.#rounds, CHURN_SERIES)
    this.#nodes = new SeriesTable(this.#rounds, NODE_SERIES)
    this.#churn = { broker, declaredCount: 0, createdCount: 0, deletedCount: 0 }
  }

  start(): void {
    this.#timer = this.#clock.setTimer(SAMPLE_MS, () => {
      if (this.#isStopped) return
      this.start()
      void this.sample()
    })
  }

  stop(): void {
    this.#isStopped = true
    this.#timer?.cancel()
  }

  /** One walk over everything. Does nothing while another one runs. Never rejects: it only reads. */
  async sample(): Promise<void> {
    if (this.#isWalking) return
    this.#isWalking = true
    this.#clock.refresh()
    this.#rounds.begin()
    const slices = new Slices(this.#clock)
    const byVhost = new Map<string, Sums>()
    await this.#walkConnections(byVhost, slices)
    const openChannels = new CounterSum()
    for (const { counters } of byVhost.values()) openChannels.add(counters)
    for (const vhost of this.#broker.vhosts.values())
      await this.#walkVhost(vhost, sumsOf(byVhost, vhost.name), slices)
    this.#noteTotals(byVhost, openChannels)
    for (const table of this.#tables())
      await table.end(() => (slices.isOver() ? slices.next() : null))
    this.#isWalking = false
  }

  #tables(): readonly Pick<SeriesTable<object>, "end" | "clear">[] {
    return [
      this.#queues,
      this.#exchanges,
      this.#counters,
      this.#octets,
      this.#lengths,
      this.#churns,
      this.#nodes,
    ]
  }

  async #walkConnections(byVhost: Map<string, Sums>, slices: Slices): Promise<void> {
    const open = new Set<object>()
    for (const { inspected } of this.#broker.connections) {
      if (slices.isTimeOver()) await slices.next()
      const { vhostName: name, receivedBytes, sentBytes } = inspected
      open.add(inspected)
      this.#octets.note(inspected)
      this.#octetsSeen.set(inspected, { name, receivedBytes, sentBytes })
      const sums = sumsOf(byVhost, name)
      for (const { counters } of inspected.describeChannels()) {
        this.#counters.note(counters)
        sums.counters.add(counters)
      }
    }
    for (const [connection, octets] of this.#octetsSeen) {
      if (open.has(connection)) sumsOf(byVhost, octets.name).addOctets(octets)
      else {
        sumsOf(this.#octetsOfClosed, octets.name).addOctets(octets)
        this.#octetsSeen.delete(connection)
      }
    }
    for (const [name, { octets }] of this.#octetsOfClosed) sumsOf(byVhost, name).addOctets(octets)
  }

  async #walkVhost(vhost: Vhost, sums: Sums, slices: Slices): Promise<void> {
    const closed = this.#broker.closedChannels.of(vhost.name)
    if (closed !== null) sums.counters.add(closed)
    for (const exchange of vhost.exchanges.values()) {
      if (slices.isOver()) await slices.next()
      this.#exchanges.note(exchange)
    }
    for (const queue of vhost.queues.values()) {
      if (slices.isOver()) await slices.next()
      sums.lengths.readyCount += queue.readyCount
      sums.lengths.unackedCount += queue.unackedCount
      this.#queues.note(queue)
    }
  }

  /** The objects of sums stay the same: series know them by identity. */
  #noteTotals(byVhost: ReadonlyMap<string, Sums>, openChannels: CounterSum): void {
    this.#all.clear()
    this.#all.addOctets(this.#octetsOfGone)
    for (const [name, sums] of byVhost) {
      this.#all.add(sums)
      if (!this.#broker.vhosts.has(name)) continue
      const kept = sumsOf(this.#byVhost, name)
      kept.clear()
      kept.add(sums)
      this.#noteSums(kept, false)
    }
    Object.assign(this.#all.counters, openChannels)
    this.#broker.closedChannels.addAll(this.#all.counters)
    for (const name of this.#byVhost.keys())
      if (!this.#broker.vhosts.has(name)) this.#byVhost.delete(name)
    this.#noteSums(this.#all, true)
    this.#churns.note(this.#churn, true)
    this.#nodes.note(this.#node, true)
  }

  #noteSums({ counters, lengths, octets }: Sums, isOne: boolean): void {
    this.#counters.note(counters, isOne)
    this.#lengths.note(lengths, isOne)
    this.#octets.note(octets, isOne)
  }

  /** It is about to be deleted: what was counted there stays in the totals. */
  vhostLeaves(vhost: Vhost): void {
    const { name, queues } = vhost
    this.#churn.declaredCount += vhost.queuesDeclaredCount
    this.#churn.createdCount += vhost.queuesCreatedCount
    this.#churn.deletedCount += vhost.queuesDeletedCount + queues.size
    const { octets } = sumsOf(this.#octetsOfClosed, name)
    this.#octetsOfGone.receivedBytes += octets.receivedBytes
    this.#octetsOfGone.sentBytes += octets.sentBytes
    this.#octetsOfClosed.delete(name)
  }

  /** Forgets rates and samples. Totals are the broker's, and stay. */
  reset(): void {
    for (const table of this.#tables()) table.clear()
  }

  // ---- for the API

  /** Of one of the QUEUE_METRICS, or of the LENGTH_METRICS behind them. */
  rate(queue: MessageQueue, index: number): number {
    return this.#queues.rate(queue, index)
  }

  queue(queue: MessageQueue, shown?: Shown): Record<string, unknown> {
    return this.#queues.describe(queue, queue, QUEUE_METRICS, 0, "msg_rates", shown)
  }

  /** Messages ready and unacknowledged, and how fast they become more. */
  queueLengths(queue: MessageQueue, shown: Shown = RATES_ONLY): Record<string, unknown> {
    const first = QUEUE_METRICS.length
    const withoutLog = { log: false, windows: shown.windows }
    return this.#queues.describe(queue, queue, LENGTH_METRICS, first, "lengths", withoutLog)
  }

  exchange(exchange: Exchange, shown?: Shown): Record<string, unknown> {
    return this.#exchanges.describe(exchange, exchange, EXCHANGE_METRICS, 0, "msg_rates", shown)
  }

  channel(counters: ChannelCounters, shown?: Shown): Record<string, unknown> {
    return this.#counters.describe(counters, counters, CHANNEL_METRICS, 0, "msg_rates", shown)
  }

  connection(connection: InspectedConnection, shown?: Shown): Record<string, unknown> {
    return this.#octets.describe(connection, connection, CONNECTION_METRICS, 0, "data_rates", shown)
  }

  /** Counted now: of some vhosts, or of all. Only all, or a single one, have rates and samples. */
  async messageStats(
    vhostNames: readonly string[] | null,
    shown?: Shown,
  ): Promise<Record<string, unknown>> {
    const sum = await this.countersOf(vhostNames)
    const { counters } = this.#known(vhostNames)
    return this.#counters.describe(counters, sum, CHANNEL_METRICS, 0, "msg_rates", shown)
  }

  /** What has been `counted` now, with rates and samples. */
  lengths(
    vhostNames: readonly string[] | null,
    counted: MessageTotals,
    { windows }: Shown = RATES_ONLY,
  ): Record<string, unknown> {
    const { lengths } = this.#known(vhostNames)
    const now = { readyCount: counted.ready, unackedCount: counted.unacked }
    const shown = { log: false, windows }
    return this.#lengths.describe(lengths, now, LENGTH_METRICS, 0, "lengths", shown)
  }

  /** As of the last walk. */
  octets(vhostNames: readonly string[] | null, shown?: Shown): Record<string, unknown> {
    const { octets } = this.#known(vhostNames)
    return this.#octets.describe(octets, octets, CONNECTION_METRICS, 0, "data_rates", shown)
  }

  churn(shown?: Shown): Record<string, unknown> {
    return this.#churns.describe(this.#churn, this.#churn, CHURN_METRICS, 0, "msg_rates", shown)
  }

  node(shown?: Shown): Record<string, unknown> {
    const node = this.#node
    const first = NODE_COUNTERS.length
    return {
      ...this.#nodes.describe(node, node, NODE_COUNTERS, 0, "node_stats", shown),
      ...this.#nodes.describe(node, node, NODE_LEVELS, first, "node_stats", shown),
    }
  }

  #known(vhostNames: readonly string[] | null): Sums {
    if (vhostNames === null) return this.#all
    const [name] = vhostNames
    const sums = vhostNames.length === 1 && name !== undefined ? this.#byVhost.get(name) : undefined
    return sums ?? new Sums()
  }

  /** Counted now: of some vhosts, or of all that are and were. */
  async countersOf(vhostNames: readonly string[] | null): Promise<CounterSum> {
    const slices = new Slices(this.#clock)
    const sum = new CounterSum()
    const { closedChannels } = this.#broker
    if (vhostNames === null) closedChannels.addAll(sum)
    for (const name of vhostNames ?? []) {
      const closed = closedChannels.of(name)
      if (closed !== null) sum.add(closed)
    }
    for (const { inspected } of this.#broker.connections) {
      if (slices.isOver()) await slices.next()
      if (vhostNames === null || vhostNames.includes(inspected.vhostName))
        inspected.addCounters(sum)
    }
    return sum
  }

  /** Messages of all vhosts in the last ten minutes, oldest first. */
  messageLogs(): Readonly<Record<"messages" | "ready" | "unacked", number[]>> {
    const [ring] = this.#lengths.ringsOf(this.#all.lengths)
    const log = (index: number): number[] => (ring === undefined ? [] : levelsOf(ring, index))
    return { messages: log(0), ready: log(1), unacked: log(2) }
  }

  /** Counted now, in slices. */
  async messageTotals(queues: Iterable<MessageQueue>): Promise<MessageTotals> {
    const slices = new Slices(this.#clock)
    let ready = 0
    let unacked = 0
    let consumers = 0
    for (const queue of queues) {
      if (slices.isOver()) await slices.next()
      ready += queue.readyCount
      unacked += queue.unackedCount
      consumers += queue.consumerCount
    }
    return { ready, unacked, consumers }
  }
}

function sumsOf(byVhost: Map<string, Sums>, name: string): Sums {
  let sums = byVhost.get(name)
  if (sums === undefined) byVhost.set(name, (sums = new Sums()))
  return sums
}

function sumOf(broker: Broker, read: (vhost: Vhost) => number): number {
  let sum = 0
  for (const vhost of broker.vhosts.values()) sum += read(vhost)
  return sum
}
