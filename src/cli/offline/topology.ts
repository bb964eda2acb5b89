/**
 * The exchanges, queues and bindings of a vhost from its definitions log, without the rules and stores of a
 * broker: what a broker would know right after its start.
 */
import type { Table } from "../../amqp/table.ts"
import { tableToPlain } from "../../amqp/table.ts"
import type { PlainValue } from "../../amqp/table.ts"
import { DESTINATION_QUEUE } from "../../broker/exchange/destination.ts"
import type { Destination, DestinationKind } from "../../broker/exchange/destination.ts"
import { Exchange } from "../../broker/exchange/exchange.ts"
import {
  createPredeclaredExchanges,
  isPredeclaredExchange,
} from "../../broker/exchange/predeclared.ts"
import type { DefinitionSink } from "../../broker/vhost-definitions.ts"

interface StoredQueue extends Destination {
  readonly autoDelete: boolean
  readonly arguments: Table
}

type Row = Record<string, unknown>

export class Topology implements DefinitionSink {
  readonly #exchanges = new Map<string, Exchange>()
  readonly #queues = new Map<string, StoredQueue>()

  constructor() {
    for (const exchange of createPredeclaredExchanges())
      this.#exchanges.set(exchange.name, exchange)
  }

  // ---- from the log

  exchangeDeclared(
    name: string,
    type: string,
    autoDelete: boolean,
    internal: boolean,
    args: Table,
  ): void {
    const options = { name, type, durable: true, autoDelete, internal, arguments: args }
    this.#exchanges.set(name, new Exchange(options))
  }

  exchangeDeleted(name: string): void {
    const exchange = this.#exchanges.get(name)
    if (exchange === undefined || isPredeclaredExchange(name)) return
    this.#exchanges.delete(name)
    this.#unbindAll(exchange)
  }

  queueDeclared(name: string, autoDelete: boolean, args: Table): void {
    if (this.#queues.has(name)) return
    const queue: StoredQueue = {
      kind: DESTINATION_QUEUE,
      name,
      routeMark: 0,
      autoDelete,
      arguments: args,
    }
    this.#queues.set(name, queue)
  }

  queueDeleted(name: string): void {
    const queue = this.#queues.get(name)
    if (queue === undefined) return
    this.#queues.delete(name)
    this.#unbindAll(queue)
  }

  bound(source: string, kind: DestinationKind, name: string, key: string, args: Table): void {
    const destination = this.#destination(kind, name)
    if (destination !== null) this.#exchanges.get(source)?.bindings.add(destination, key, args)
  }

  unbound(source: string, kind: DestinationKind, name: string, key: string, args: Table): void {
    const destination = this.#destination(kind, name)
    if (destination !== null) this.#exchanges.get(source)?.bindings.remove(destination, key, args)
  }

  #destination(kind: DestinationKind, name: string): Destination | null {
    const found = kind === DESTINATION_QUEUE ? this.#queues.get(name) : this.#exchanges.get(name)
    return found ?? null
  }

  #unbindAll(destination: Destination): void {
    for (const exchange of this.#exchanges.values())
      if (exchange.bindings.hasDestination(destination))
        exchange.bindings.removeDestination(destination, () => {})
  }

  // ---- as the API exports them

  *exchangeRows(vhost: string): Generator<Row> {
    for (const exchange of this.#exchanges.values())
      if (!isPredeclaredExchange(exchange.name))
        yield {
          name: exchange.name,
          vhost,
          type: exchange.type,
          durable: true,
          auto_delete: exchange.autoDelete,
          internal: exchange.internal,
          arguments: tableToJson(exchange.arguments),
        }
  }

  *queueRows(vhost: string): Generator<Row> {
    for (const queue of this.#queues.values())
      yield {
        name: queue.name,
        vhost,
        durable: true,
        auto_delete: queue.autoDelete,
        arguments: tableToJson(queue.arguments),
      }
  }

  *bindingRows(vhost: string): Generator<Row> {
    for (const exchange of this.#exchanges.values()) {
      const rows: Row[] = []
      exchange.bindings.forEach((destination, routingKey, args) => {
        rows.push({
          source: exchange.name,
          vhost,
          destination: destination.name,
          destination_type: destination.kind === DESTINATION_QUEUE ? "queue" : "exchange",
          routing_key: routingKey,
          arguments: tableToJson(args),
        })
      })
      yield* rows
    }
  }
}

/** As the API has it: bytes that are no text as base64, integers beyond 2^53 as strings. */
function tableToJson(table: Table): Row {
  const row: Row = {}
  for (const [key, value] of Object.entries(tableToPlain(table))) row[key] = toJson(value)
  return row
}

function toJson(value: PlainValue): unknown {
  if (typeof value === "bigint") return value.toString()
  if (value === null || typeof value !== "object") return value
  if (Buffer.isBuffer(value)) return value.toString("base64")
  if (Array.isArray(value)) return value.map(toJson)
  return Object.fromEntries(Object.entries(value).map(([key, field]) => [key, toJson(field)]))
}
