import type { MessageQueue } from "../broker/queue/message-queue.ts"
import { queueTypeOf } from "../broker/queue-type.ts"
import { QUEUE_METRICS } from "./statistics.ts"
import type { Statistics } from "./statistics.ts"

/** Queues of a kind that a person looks for, picked out before they are sorted and cut into pages. */
export const QUEUE_PRESETS = ["non-empty", "no-consumers", "growing", "unacked", "streams"] as const

const metric = (wanted: string): number => QUEUE_METRICS.findIndex(([name]) => name === wanted)
const PUBLISH = metric("publish")
const ACK = metric("ack")
const DELIVER = metric("deliver_get")

/** Null for a word that is none. */
export function queuePreset(
  statistics: Statistics,
  preset: string | undefined,
): ((queue: MessageQueue) => boolean) | null {
  switch (preset) {
    case "non-empty":
      return (queue) => queue.readyCount + queue.unackedCount > 0
    case "no-consumers":
      return (queue) => queue.consumerCount === 0
    case "unacked":
      return (queue) => queue.unackedCount > 0
    case "streams":
      return (queue) => queueTypeOf(queue.arguments) === "stream"
    case "growing":
      // Messages that nobody acknowledges leave with their delivery.
      return (queue) =>
        queue.readyCount > 0 &&
        statistics.rate(queue, PUBLISH) >
          Math.max(statistics.rate(queue, ACK), statistics.rate(queue, DELIVER))
    case undefined:
    default:
      return null
  }
}
