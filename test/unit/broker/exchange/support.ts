/** Destinations and shorthands for the tests of exchanges. */
import {
  EMPTY_TABLE,
  tableFromPlain,
  type PlainRecord,
  type Table,
} from "../../../../src/amqp/table.ts"
import type { BindingTable } from "../../../../src/broker/exchange/binding-table.ts"
import {
  DESTINATION_QUEUE,
  RouteTargets,
  type Destination,
} from "../../../../src/broker/exchange/destination.ts"
import { Exchange } from "../../../../src/broker/exchange/exchange.ts"
import { createBindingTable } from "../../../../src/broker/exchange/exchange-type.ts"

export interface TestQueue extends Destination {
  readonly kind: typeof DESTINATION_QUEUE
}

export function createQueue(name: string): TestQueue {
  return { kind: DESTINATION_QUEUE, name, routeMark: 0 }
}

export function createExchange(name: string, type: string): Exchange {
  return new Exchange({
    name,
    type,
    durable: true,
    autoDelete: false,
    internal: false,
    arguments: EMPTY_TABLE,
  })
}

export function bindingsOf(type: string): BindingTable {
  return createBindingTable(type)
}

export function table(record: PlainRecord): Table {
  return tableFromPlain(record)
}

/** Sorted names of the queues that a message reaches through these bindings alone. */
export function matchedNames(
  bindings: BindingTable,
  routingKey: string,
  headers: Table | null = null,
): string[] {
  const targets = new RouteTargets()
  // Passes of different collections share the marks on the destinations: step over old ones.
  bindings.forEach((destination) => (destination.routeMark = 0))
  targets.begin()
  bindings.match(routingKey, headers === null ? null : { headers }, targets)
  return targets.queues
    .slice(0, targets.queueCount)
    .map(({ name }) => name)
    .toSorted()
}

/** Every binding as text, sorted. */
export function listed(bindings: BindingTable): string[] {
  const lines: string[] = []
  bindings.forEach((destination, routingKey, args) => {
    lines.push(`${destination.name} ${routingKey} ${[...args.keys()].join(",")}`.trim())
  })
  return lines.toSorted()
}
