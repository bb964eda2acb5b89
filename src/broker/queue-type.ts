import type { Table } from "../amqp/table.ts"

/**
 * The types a queue can have (x-queue-type). A queue without the argument is a classic one. What a
 * type refuses is arguments.ts, what it heeds of a policy is policy/merge.ts.
 */
export type QueueType = "classic" | "quorum" | "stream"

/** Of arguments that were checked; what nobody knows (an old definition) is a classic queue. */
export function queueTypeOf(args: Table): QueueType {
  const type = args.get("x-queue-type")
  return type === "quorum" || type === "stream" ? type : "classic"
}
