import type { Broker } from "../../broker/broker.ts"
import { CHANNEL_COUNTERS, CounterSum } from "../../broker/inspection.ts"
import { totalsOf, VhostTotals } from "../../broker/vhost-totals.ts"
import type { Vhost } from "../../broker/vhost.ts"
import type { Slices } from "../slices.ts"
import type { MetricsFacts, ProcessFigures, StoreFigures } from "./figures.ts"

/** The sums that a scrape shows, counted for it in slices: what is divided by vhost, and what is of the node. */

/** Which part of the broker a scrape shows. */
export interface View {
  readonly vhosts: readonly Vhost[]
  /** All vhosts, those that are gone included: the counters never fall. */
  readonly isWhole: boolean
  /** What cannot be divided by vhost is shown, too. */
  readonly seesNode: boolean
}

export interface Snapshot {
  readonly broker: Broker
  readonly facts: MetricsFacts
  readonly view: View
  readonly process: ProcessFigures
  readonly store: StoreFigures
  readonly nowMs: number
  readonly messages: CounterSum
  readonly totals: VhostTotals
  readonly sums: Sums
}

class Sums {
  connections = 0
  channels = 0
  publishers = 0
  consumers = 0
  queues = 0
  exchanges = 0
  bindings = 0
  ready = 0
  unacked = 0
  readyBytes = 0
  /** Of all vhosts, closed connections included. */
  receivedBytes = 0
  sentBytes = 0
}

export async function takeSnapshot(
  broker: Broker,
  facts: MetricsFacts,
  view: View,
  floor: CounterSum,
  slices: Slices,
): Promise<Snapshot> {
  const sums = new Sums()
  const messages = new CounterSum()
  const totals = new VhostTotals()
  for (const vhost of view.vhosts) {
    totals.add(totalsOf(vhost))
    const closed = view.isWhole ? null : broker.closedChannels.of(vhost.name)
    if (closed !== null) messages.add(closed)
    await addVhost(sums, vhost, slices)
  }
  if (view.isWhole) {
    totals.add(broker.deletedVhosts)
    broker.closedChannels.addAll(messages)
  }
  await addConnections(broker, view, sums, messages, slices)
  if (view.isWhole) raiseTo(messages, floor)
  const process = await facts.readProcess()
  broker.clock.refresh()
  const { nowMs } = broker.clock
  return { broker, facts, view, process, store: facts.readStore(), nowMs, messages, totals, sums }
}

/** A channel that closed while the others were counted is in neither sum; until the next time. */
function raiseTo(sum: CounterSum, floor: CounterSum): void {
  for (const name of CHANNEL_COUNTERS) {
    floor[name] = Math.max(floor[name], sum[name])
    sum[name] = floor[name]
  }
}

async function addVhost(sums: Sums, vhost: Vhost, slices: Slices): Promise<void> {
  sums.queues += vhost.queues.size
  sums.exchanges += vhost.exchanges.size
  for (const exchange of vhost.exchanges.values()) {
    if (slices.isOver()) await slices.next()
    sums.bindings += exchange.bindings.size
  }
  for (const queue of vhost.queues.values()) {
    if (slices.isOver()) await slices.next()
    sums.ready += queue.readyCount
    sums.unacked += queue.unackedCount
    sums.readyBytes += queue.readyBytes
    sums.consumers += queue.consumerCount
  }
}

async function addConnections(
  broker: Broker,
  view: View,
  sums: Sums,
  messages: CounterSum,
  slices: Slices,
): Promise<void> {
  const names = new Set(view.vhosts.map(({ name }) => name))
  sums.receivedBytes = broker.closedOctets.receivedBytes
  sums.sentBytes = broker.closedOctets.sentBytes
  for (const { inspected } of broker.connections) {
    if (slices.isTimeOver()) await slices.next()
    sums.receivedBytes += inspected.receivedBytes
    sums.sentBytes += inspected.sentBytes
    const { vhostName } = inspected
    if (vhostName === "" || (!view.isWhole && !names.has(vhostName))) continue
    inspected.addCounters(messages)
    sums.connections++
    sums.channels += inspected.channelCount
    sums.publishers += inspected.publisherCount
  }
}
