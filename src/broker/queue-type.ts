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

/**
 * The arguments of a declaration in a vhost whose queues have a type by default. As in RabbitMQ the
 * default does not reach queues that its type cannot have; those stay classic. `existing` is the queue of
 * this name: one that has another type, from before there was a default, is still met by a declaration without.
 */
export function withDefaultType(
  request: {
    readonly name: string
    readonly durable: boolean
    readonly exclusive: boolean
    readonly autoDelete: boolean
    readonly arguments: Table
  },
  type: QueueType,
  existing: { readonly arguments: Table } | null,
): Table {
  const { arguments: args } = request
  if (type === "classic" || args.has("x-queue-type")) return args
  if (existing !== null && queueTypeOf(existing.arguments) !== type) return args
  const isPossible =
    request.durable && !request.exclusive && !request.autoDelete && request.name !== ""
  return isPossible ? new Map([...args, ["x-queue-type", type]]) : args
}
