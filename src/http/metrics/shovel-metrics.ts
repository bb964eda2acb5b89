import type { LinkCounters, LinkState } from "../../links/link-status.ts"
import type { Shovel } from "../../links/shovel/shovel.ts"
import type { NodeMetric } from "./node-metrics.ts"
import type { Snapshot } from "./snapshot.ts"

/** The metrics of shovels: how many there are by status, as RabbitMQ has it, and what they have moved. */
const FAMILY = "shovel_metrics"
const STATES: readonly LinkState[] = ["starting", "running", "error", "paused", "terminated"]

type Counter = "forwarded" | "confirmed" | "returned" | "rejected" | "bytes"

function* shovelsOf({ facts, view }: Snapshot): Generator<Shovel> {
  const shovels = facts.links()?.shovels
  if (shovels !== undefined) for (const vhost of view.vhosts) yield* shovels.list(vhost)
}

function counter(name: string, help: string, field: Counter): NodeMetric {
  return {
    type: "counter",
    family: FAMILY,
    name: `shovel_dynamic_${name}_total`,
    help,
    labels: [],
    isOfNode: false,
    isSum: false,
    samples(snapshot) {
      const ended: LinkCounters | undefined = snapshot.facts.links()?.shovels.ended
      let value = snapshot.view.isWhole ? (ended?.[field] ?? 0) : 0
      for (const { status } of shovelsOf(snapshot)) value += status.counters[field]
      return [{ labels: {}, value }]
    },
  }
}

const SHOVELS: NodeMetric = {
  type: "gauge",
  family: FAMILY,
  name: "shovel_dynamic",
  help: "Shovels, by their status",
  labels: ["status"],
  isOfNode: false,
  isSum: false,
  samples(snapshot) {
    const counts = new Map<LinkState, number>(STATES.map((state) => [state, 0]))
    for (const { status } of shovelsOf(snapshot))
      counts.set(status.state, (counts.get(status.state) ?? 0) + 1)
    return [...counts].map(([status, value]) => ({ labels: { status }, value }))
  },
}

const PENDING: NodeMetric = {
  type: "gauge",
  family: FAMILY,
  name: "shovel_dynamic_pending_messages",
  help: "Messages that shovels have sent and that are not settled",
  labels: [],
  isOfNode: false,
  isSum: false,
  samples(snapshot) {
    let value = 0
    for (const { pendingCount } of shovelsOf(snapshot)) value += pendingCount
    return [{ labels: {}, value }]
  },
}

export const SHOVEL_METRICS: readonly NodeMetric[] = [
  SHOVELS,
  PENDING,
  counter("messages_forwarded", "Messages that shovels have published", "forwarded"),
  counter("messages_confirmed", "Of them those that the destination has taken over", "confirmed"),
  counter("messages_returned", "Those that are to be sent again", "returned"),
  counter("messages_rejected", "Messages that shovels have given up", "rejected"),
  counter("octets", "Bytes of the bodies that shovels have published", "bytes"),
]
