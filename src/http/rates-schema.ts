import { Type } from "./schema.ts"
import type { TSchema } from "./schema.ts"

/** Schemas that several resources share. */

export const TEXT = Type.String()
export const COUNT = Type.Integer()
export const FLAG = Type.Boolean()
export const TABLE = Type.Record(Type.String(), Type.Unknown())
export const OPTIONAL_TEXT = Type.Union([Type.String(), Type.Null()])

export const RATE = Type.Object({
  rate: Type.Number({ description: "Per second, over the last five seconds" }),
  log: Type.Optional(
    Type.Array(Type.Number(), { description: "Rates every five seconds, oldest first" }),
  ),
  avg: Type.Optional(Type.Number({ description: "Of the samples" })),
  avg_rate: Type.Optional(
    Type.Number({ description: "Per second, from the oldest sample to the newest" }),
  ),
  samples: Type.Optional(
    Type.Array(Type.Object({ sample: Type.Number(), timestamp: Type.Integer() }), {
      description: "As many as the parameters ask for, newest first; the time is in milliseconds",
    }),
  ),
})

/** `x` and `x_details` for every metric. */
export function counters(metrics: readonly (readonly [string, ...unknown[]])[]): TSchema {
  const properties: Record<string, TSchema> = {}
  for (const [name] of metrics) {
    properties[name] = Type.Integer()
    properties[`${name}_details`] = RATE
  }
  return Type.Object(properties)
}

/** Messages of a queue, a vhost or all, with their rates. */
export const LENGTHS = {
  messages: COUNT,
  messages_details: RATE,
  messages_ready: COUNT,
  messages_ready_details: RATE,
  messages_unacknowledged: COUNT,
  messages_unacknowledged_details: RATE,
}

export const OCTETS = {
  recv_oct: COUNT,
  recv_oct_details: RATE,
  send_oct: COUNT,
  send_oct_details: RATE,
}
