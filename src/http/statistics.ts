import type { Broker } from "../broker/broker.ts"
import { CHANNEL_COUNTERS, CounterSum } from "../broker/inspection.ts"
import type { ChannelCounters } from "../broker/inspection.ts"
import type { Exchange } from "../broker/exchange/exchange.ts"
import type { MessageQueue } from "../broker/queue/message-queue.ts"
import type { Vhost } from "../broker/vhost.ts"
import type { Clock, TimerHandle } from "../util/clock.ts"
import { Slices } from "./slices.ts"

/**
 * Rates. The data plane only counts; every SAMPLE_MS this walks over what is alive, in slices, and notes
 * how much each counter has grown. What has never counted anything has no series here, what is gone
 * loses it with the next walk, and only SERIES_WITH_LOG_MAX of the busy ones keep a log of samples.
 */
export const SAMPLE_MS = 5000
export const LOG_LENGTH = 120
const SERIES_WITH_LOG_MAX = 500

/** The names of counters as the API shows them, and how they are read. */
type Metric<T> = readonly [name: string, read: (subject: T) => number]

const CHANNEL_NAMES = {
  publishedCount: "publish",
  confirmedCount: "confirm",
  returnedCount: "return_unroutable",
  deliveredCount: "deliver",
  deliveredNoAckCount: "deliver_no_ack",
  gotCount: "get",
  gotNoAckCount: "get_no_ack",
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
  ["deliver_get", (queue) => queue.deliveredCount],
  ["ack", (queue) => queue.acknowledgedCount],
  ["redeliver", (queue) => queue.redeliveredCount],
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
}

export const CHURN_METRICS: readonly Metric<Churn>[] = [
  ["connection_created", ({ broker }) => broker.admission.connectionsOpenedCount],
  ["connection_closed", ({ broker }) => broker.admission.connectionsClosedCount],
  ["channel_created", ({ broker }) => broker.admission.channelsOpenedCount],
  ["channel_closed", ({ broker }) => broker.admission.channelsClosedCount],
  ["queue_declared", ({ broker }) => sumOf(broker, (vhost) => vhost.queuesDeclaredCount)],
  ["queue_created", ({ broker }) => sumOf(broker, (vhost) => vhost.queuesDeclaredCount)],
  ["queue_deleted", ({ broker }) => sumOf(broker, (vhost) => vhost.queuesDeletedCount)],
]

/** Messages in the queues of a vhost, as of the last walk, or counted anew on request. */
export interface MessageTotals {
  readonly ready: number
  readonly unacked: number
  readonly consumers: number
}

class Series {
  /** Of the walk that has seen it last. */
  walk = 0
  readonly last: number[]
  readonly rates: number[]
  log: SampleLog | null = null

  constructor(count: number) {
    this.last = Array.from<number>({ length: count }).fill(0)
    this.rates = Array.from<number>({ length: count }).fill(0)
  }
}

/** The last LOG_LENGTH samples of some values. */
class SampleLog {
  readonly #samples: Float32Array
  readonly #width: number
  #count = 0

  constructor(width: number) {
    this.#width = width
    this.#samples = new Float32Array(width * LOG_LENGTH)
  }

  push(values: readonly number[]): void {
    this.#samples.set(values, (this.#count % LOG_LENGTH) * this.#width)
    this.#count++
  }

  /** Oldest first. */
  of(index: number): number[] {
    const length = Math.min(this.#count, LOG_LENGTH)
    return Array.from({ length }, (_, i) =>
      round(this.#samples[((this.#count - length + i) % LOG_LENGTH) * this.#width + index] ?? 0),
    )
  }
}

export class Statistics {
  readonly #broker: Broker
  readonly #clock: Clock
  readonly #series = new Map<object, Series>()
  /** Messages in the queues of all vhosts. */
  readonly #totalsLog = new SampleLog(2)
  #logCount = 0
  #walk = 0
  #isWalking = false
  #lastMs: number
  #timer: TimerHandle | null = null
  #isStopped = false
  /** Stands for all vhosts and channels together. */
  readonly #all = new CounterSum()
  readonly #churn: Churn
  readonly #octets = { receivedBytes: 0, sentBytes: 0 }
  readonly #octetsOfClosed = { receivedBytes: 0, sentBytes: 0 }
  readonly #octetsSeen = new Map<object, readonly [received: number, sent: number]>()

  constructor(broker: Broker, clock: Clock) {
    this.#broker = broker
    this.#clock = clock
    this.#churn = { broker }
    this.#lastMs = clock.nowMs
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
    this.#walk++
    this.#clock.refresh()
    const { nowMs } = this.#clock
    const seconds = Math.max(nowMs - this.#lastMs, 1) / 1000
    this.#lastMs = nowMs
    const slices = new Slices(this.#clock)
    await this.#walkConnections(seconds, slices)
    let ready = 0
    let unacked = 0
    for (const vhost of this.#broker.vhosts.values()) {
      for (const exchange of vhost.exchanges.values()) {
        if (slices.isOver()) await slices.next()
        this.#note(exchange, exchange, EXCHANGE_METRICS, seconds)
      }
      for (const queue of vhost.queues.values()) {
        if (slices.isOver()) await slices.next()
        ready += queue.readyCount
        unacked += queue.unackedCount
        this.#note(queue, queue, QUEUE_METRICS, seconds)
      }
    }
    this.#totalsLog.push([ready, unacked])
    for (const [subject, series] of this.#series) {
      if (slices.isOver()) await slices.next()
      if (series.walk === this.#walk) continue
      if (series.log !== null) this.#logCount--
      this.#series.delete(subject)
    }
    this.#isWalking = false
  }

  async #walkConnections(seconds: number, slices: Slices): Promise<void> {
    const sum = new CounterSum()
    this.#octets.receivedBytes = this.#octetsOfClosed.receivedBytes
    this.#octets.sentBytes = this.#octetsOfClosed.sentBytes
    for (const { inspected } of this.#broker.connections) {
      if (slices.isTimeOver()) await slices.next()
      this.#note(inspected, inspected, CONNECTION_METRICS, seconds)
      this.#octetsSeen.set(inspected, [inspected.receivedBytes, inspected.sentBytes])
      for (const { counters } of inspected.describeChannels()) {
        this.#note(counters, counters, CHANNEL_METRICS, seconds)
        sum.add(counters)
      }
    }
    const open = new Set<object>()
    for (const { inspected } of this.#broker.connections) open.add(inspected)
    for (const [connection, [received, sent]] of this.#octetsSeen) {
      this.#octets.receivedBytes += received
      this.#octets.sentBytes += sent
      if (open.has(connection)) continue
      this.#octetsOfClosed.receivedBytes += received
      this.#octetsOfClosed.sentBytes += sent
      this.#octetsSeen.delete(connection)
    }
    for (const name of this.#broker.vhosts.keys()) {
      const closed = this.#broker.closedChannels.of(name)
      if (closed !== null) sum.add(closed)
    }
    Object.assign(this.#all, sum)
    this.#note(this.#all, this.#all, CHANNEL_METRICS, seconds)
    this.#note(this.#octets, this.#octets, CONNECTION_METRICS, seconds)
    this.#note(this.#churn, this.#churn, CHURN_METRICS, seconds)
  }

  #note<T>(subject: object, source: T, metrics: readonly Metric<T>[], seconds: number): void {
    let series = this.#series.get(subject)
    if (series === undefined) {
      if (metrics.every(([, read]) => read(source) === 0)) return
      series = new Series(metrics.length)
      this.#series.set(subject, series)
      if (this.#logCount < SERIES_WITH_LOG_MAX) {
        series.log = new SampleLog(metrics.length)
        this.#logCount++
      }
    }
    series.walk = this.#walk
    for (const [index, [, read]] of metrics.entries()) {
      const value = read(source)
      // A sum may fall when something leaves it; a rate is never negative.
      series.rates[index] = Math.max(0, (value - (series.last[index] ?? 0)) / seconds)
      series.last[index] = value
    }
    series.log?.push(series.rates)
  }

  // ---- for the API

  rate(subject: object, index: number): number {
    return round(this.#series.get(subject)?.rates[index] ?? 0)
  }

  /** `x` and `x_details` for each metric. With `log` also the samples. */
  describe<T>(
    subject: object,
    source: T,
    metrics: readonly Metric<T>[],
    withLog = false,
  ): Record<string, unknown> {
    const series = this.#series.get(subject)
    const record: Record<string, unknown> = {}
    for (const [index, [name, read]] of metrics.entries()) {
      record[name] = read(source)
      const rate = round(series?.rates[index] ?? 0)
      record[`${name}_details`] = withLog ? { rate, log: series?.log?.of(index) ?? [] } : { rate }
    }
    return record
  }

  /** Of all channels, open and closed, counted now; rates of the last walk only of all vhosts together. */
  async overview(vhostNames: readonly string[] | null): Promise<Record<string, unknown>> {
    const sum = await this.countersOf(vhostNames)
    return this.describe(vhostNames === null ? this.#all : sum, sum, CHANNEL_METRICS, true)
  }

  /** Counted now: of some vhosts, or of all. */
  async countersOf(vhostNames: readonly string[] | null): Promise<CounterSum> {
    const slices = new Slices(this.#clock)
    const sum = new CounterSum()
    for (const name of this.#broker.vhosts.keys()) {
      if (vhostNames !== null && !vhostNames.includes(name)) continue
      const closed = this.#broker.closedChannels.of(name)
      if (closed !== null) sum.add(closed)
    }
    for (const { inspected } of this.#broker.connections) {
      if (slices.isOver()) await slices.next()
      if (vhostNames === null || vhostNames.includes(inspected.vhostName))
        inspected.addCounters(sum)
    }
    return sum
  }

  octets(): Record<string, unknown> {
    return this.describe(this.#octets, this.#octets, CONNECTION_METRICS, true)
  }

  churn(): Record<string, unknown> {
    return this.describe(this.#churn, this.#churn, CHURN_METRICS)
  }

  messageLogs(): { ready: number[]; unacked: number[] } {
    return { ready: this.#totalsLog.of(0), unacked: this.#totalsLog.of(1) }
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

function sumOf(broker: Broker, read: (vhost: Vhost) => number): number {
  let sum = 0
  for (const vhost of broker.vhosts.values()) sum += read(vhost)
  return sum
}

function round(rate: number): number {
  return Math.round(rate * 10) / 10
}
