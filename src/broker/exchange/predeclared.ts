import { EMPTY_TABLE } from "../../amqp/table.ts"
import { Exchange } from "./exchange.ts"

/** The exchanges that every vhost has from its creation and that nobody can delete. */

/** Reserved for the broker: clients cannot declare or delete names that begin so. */
export const RESERVED_PREFIX = "amq."

export { DEFAULT_EXCHANGE_ALIAS } from "../../auth/permissions.ts"

const PREDECLARED: readonly (readonly [name: string, type: string])[] = [
  ["", "direct"],
  ["amq.direct", "direct"],
  ["amq.fanout", "fanout"],
  ["amq.topic", "topic"],
  ["amq.headers", "headers"],
  ["amq.match", "headers"],
]

/** A fresh set, durable and without bindings. The first is the default exchange. */
export function createPredeclaredExchanges(): Exchange[] {
  return PREDECLARED.map(
    ([name, type]) =>
      new Exchange({
        name,
        type,
        durable: true,
        autoDelete: false,
        internal: false,
        arguments: EMPTY_TABLE,
      }),
  )
}

export function isPredeclaredExchange(name: string): boolean {
  return PREDECLARED.some(([predeclared]) => predeclared === name)
}
