import type { LinkCounters, LinkState } from "../../links/link-status.ts"
import type { NodeMetric } from "./node-metrics.ts"
import type { Snapshot } from "./snapshot.ts"

/** The metrics of links of federation: how many there are by status, as RabbitMQ has it, and what they have moved. */
const FAMILY = "federation_metrics"
const STATES: readonly LinkState[] = ["starting", "running", "error", "terminated", "stopped"]

type Counter = "forwarded" | "confirmed" | "returned" | "rejected" | "bytes"

function counter(name: string, help: string, field: Counter): NodeMetric {
  return {
    type: "counter",
    family: FAMILY,
    name: `federation_${name}_total`,
    help,
    labels: [],
    isOfNode: false,
    isSum: false,
    samples: (snapshot) => [{ labels: {}, value: sumOf(snapshot, field) }],
  }
}

function sumOf({ facts, view }: Snapshot, field: Counter): number {
  const federation = facts.links()?.federation
  if (federation === undefined) return 0
  let sum = view.isWhole ? federation.ended[field] : 0
  for (const { name } of view.vhosts)
    for (const { status } of federation.links(name)) sum += valueOf(status.counters, field)
  return sum
}

function valueOf(counters: LinkCounters, field: Counter): number {
  return counters[field]
}

const LINKS: NodeMetric = {
  type: "gauge",
  family: FAMILY,
  name: "federation_links",
  help: "Federation links, by their status",
  labels: ["status"],
  isOfNode: false,
  isSum: false,
  samples({ facts, view }) {
    const counts = new Map<LinkState, number>(STATES.map((state) => [state, 0]))
    const federation = facts.links()?.federation
    if (federation !== undefined)
      for (const { name } of view.vhosts)
        for (const { status } of federation.links(name))
          counts.set(status.state, (counts.get(status.state) ?? 0) + 1)
    return [...counts].map(([status, value]) => ({ labels: { status }, value }))
  },
}

export const LINK_METRICS: readonly NodeMetric[] = [
  LINKS,
  counter("messages_forwarded", "Messages that federation links have published here", "forwarded"),
  counter("messages_confirmed", "Of them those that are safe here", "confirmed"),
  counter("messages_returned", "Of them those that were refused here and went back", "returned"),
  counter("messages_rejected", "Messages that federation links could not publish", "rejected"),
  counter("octets", "Bytes of the bodies that federation links have published here", "bytes"),
]
