import {
  isArray,
  isTable,
  numberOf,
  Timestamp,
  TypedNumber,
  type FieldValue,
  type Table,
} from "../../amqp/table.ts"

/**
 * The record of a message's deaths in its headers (x-death and its companions) and the rule that ends
 * cycles. Pure: tables in, tables out. RabbitMQ's fields and meaning; but the record lives in the
 * message's headers only, so one that a client made up counts like our own (as LavinMQ has it).
 *
 *   x-death = [ newest, …, oldest ], one table for each pair of queue and reason:
 *     { count, reason, queue, time of the first, exchange, routing-keys, [original-expiration] }
 */
export type DeathReason = "rejected" | "expired" | "maxlen" | "delivery_limit"

/** One message's end in one queue. */
export interface Death {
  readonly reason: DeathReason
  readonly queue: string
  /** Exchange and keys with which the message came to the queue; BCC is not among them. */
  readonly exchange: string
  readonly routingKeys: readonly string[]
  readonly timeSeconds: number
  /** The message's own time to live, which ends here. */
  readonly expiration: string | null
}

/** A frame of 128 KiB holds about twice as many. The oldest are given up, or a message could not be delivered any more. */
const DEATHS_MAX = 512

/** The headers of the dead-lettered message. The entries of `headers` keep their place. */
export function recordDeath(headers: Table, death: Death): Map<string, FieldValue> {
  const recorded = new Map(headers)
  const earlier = deathsOf(headers)
  const known = earlier.find((entry) => isOfPair(entry, death))
  const newest = known === undefined ? newDeath(death) : repeated(known)
  const others = earlier.filter((entry) => entry !== known)
  recorded.set("x-death", [newest, ...others.slice(0, DEATHS_MAX - 1)])
  if (!headers.has("x-first-death-reason")) {
    recorded.set("x-first-death-reason", death.reason)
    recorded.set("x-first-death-queue", death.queue)
    recorded.set("x-first-death-exchange", death.exchange)
  }
  recorded.set("x-last-death-reason", death.reason)
  recorded.set("x-last-death-queue", death.queue)
  recorded.set("x-last-death-exchange", death.exchange)
  return recorded
}

/** The deaths recorded so far, newest first. What is no table of ours is left out. */
export function deathsOf(headers: Table): Table[] {
  const recorded = headers.get("x-death")
  if (!isArray(recorded)) return []
  return recorded.filter((entry): entry is Table => isTable(entry))
}

/**
 * RabbitMQ's rule: a message that comes to a queue in which it has died before goes round in a circle
 * if nobody has rejected it since. A consumer that rejects decides itself when it is enough. `deaths`
 * has the newest, present one in front.
 */
export function isCycle(deaths: readonly Table[], targetQueue: string): boolean {
  for (const death of deaths) {
    if (death.get("reason") === "rejected") return false
    if (death.get("queue") === targetQueue) return true
  }
  return false
}

/** The routing keys of a message: its own and those of its CC header. */
export function routingKeysOf(routingKey: string, headers: Table): string[] {
  const keys = [routingKey]
  const carbonCopy = headers.get("CC")
  if (isArray(carbonCopy))
    for (const key of carbonCopy) if (typeof key === "string" && !keys.includes(key)) keys.push(key)
  return keys
}

function isOfPair(entry: Table, { queue, reason }: Death): boolean {
  return entry.get("queue") === queue && entry.get("reason") === reason
}

function newDeath(death: Death): Table {
  const entry = new Map<string, FieldValue>()
  if (death.expiration !== null) entry.set("original-expiration", death.expiration)
  entry.set("count", new TypedNumber("l", 1n))
  entry.set("reason", death.reason)
  entry.set("queue", death.queue)
  entry.set("time", new Timestamp(BigInt(death.timeSeconds)))
  entry.set("exchange", death.exchange)
  entry.set("routing-keys", death.routingKeys)
  return entry
}

function repeated(known: Table): Table {
  const entry = new Map(known)
  const count = numberOf(known.get("count"))
  const isCount = typeof count === "number" && Number.isInteger(count) && count > 0
  entry.set("count", new TypedNumber("l", BigInt(isCount ? count : 0) + 1n))
  return entry
}
