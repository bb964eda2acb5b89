import type { MessageQueue } from "../broker/queue/message-queue.ts"
import { QUEUE_METRICS } from "./statistics.ts"
import type { Statistics } from "./statistics.ts"
import type { InVhost } from "./vhost-items.ts"

/** Queues of a kind that a person looks for, picked out before they are sorted and cut into pages. */
export const QUEUE_PRESETS = ["non-empty", "no-consumers", "growing", "unacked"] as const

type Entry = InVhost<MessageQueue>

const metric = (wanted: string): number => QUEUE_METRICS.findIndex(([name]) => name === wanted)
const PUBLISH = metric("publish")
const ACK = metric("ack")
const DELIVER = metric("deliver_get")

/** Null for a word that is none. */
export function queuePreset(
  statistics: Statistics,
  preset: string | undefined,
): ((entry: Entry) => boolean) | null {
  switch (preset) {
    case "non-empty":
      return ({ item }) => item.readyCount + item.unackedCount > 0
    case "no-consumers":
      return ({ item }) => item.consumerCount === 0
    case "unacked":
      return ({ item }) => item.unackedCount > 0
    case "growing":
      // Messages that nobody acknowledges leave with their delivery.
      return ({ item }) =>
        item.readyCount > 0 &&
        statistics.rate(item, PUBLISH) >
          Math.max(statistics.rate(item, ACK), statistics.rate(item, DELIVER))
    case undefined:
    default:
      return null
  }
}

export function* filtered(
  entries: Iterable<Entry>,
  accepts: (entry: Entry) => boolean,
): Generator<Entry> {
  for (const entry of entries) if (accepts(entry)) yield entry
}
