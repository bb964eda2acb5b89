import { Type } from "typebox"
import type { TSchema } from "typebox"

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
})

/** `x` and `x_details` for every name. */
export function counters(names: readonly string[]): TSchema {
  const properties: Record<string, TSchema> = {}
  for (const name of names) {
    properties[name] = Type.Integer()
    properties[`${name}_details`] = RATE
  }
  return Type.Object(properties)
}
