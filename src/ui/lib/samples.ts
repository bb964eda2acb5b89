import type { Sample } from "./history.ts"

/**
 * What the broker remembers of some values, asked for with the parameters below: so a chart is not empty when
 * its page is opened. Oldest first.
 */
export const NODE_SAMPLES = { node_stats_age: 600, node_stats_incr: 5 }
export const MESSAGE_SAMPLES = {
  msg_rates_age: 600,
  msg_rates_incr: 5,
  lengths_age: 600,
  lengths_incr: 5,
}

/** `fields` are names of values; their samples stand in `<name>_details`. */
export function samplesOf(
  source: Readonly<Record<string, unknown>>,
  fields: readonly string[],
): readonly Sample[] {
  const byTime = new Map<number, (number | null)[]>()
  for (const [index, field] of fields.entries())
    for (const { sample, timestamp } of listOf(source[`${field}_details`])) {
      const values = byTime.get(timestamp) ?? fields.map(() => null)
      values[index] = sample
      byTime.set(timestamp, values)
    }
  return [...byTime].toSorted(([a], [b]) => a - b).map(([timeMs, values]) => ({ timeMs, values }))
}

interface ApiSample {
  readonly sample: number
  readonly timestamp: number
}

function listOf(details: unknown): readonly ApiSample[] {
  if (typeof details !== "object" || details === null || !("samples" in details)) return []
  const { samples } = details
  return Array.isArray(samples) ? samples.filter(isSample) : []
}

function isSample(value: unknown): value is ApiSample {
  return (
    typeof value === "object" &&
    value !== null &&
    "sample" in value &&
    typeof value.sample === "number" &&
    "timestamp" in value &&
    typeof value.timestamp === "number"
  )
}
