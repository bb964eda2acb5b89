import { Type } from "./schema.ts"
import type { Static } from "./schema.ts"
import type { BasicProperties } from "../amqp/properties.ts"
import { EMPTY_TABLE } from "../amqp/table.ts"
import type { Table } from "../amqp/table.ts"
import { DESTINATION_EXCHANGE, RouteTargets } from "../broker/exchange/destination.ts"
import type { Destination } from "../broker/exchange/destination.ts"
import { delayOf } from "../broker/exchange/delay.ts"
import type { Exchange } from "../broker/exchange/exchange.ts"
import { createBindingTable } from "../broker/exchange/exchange-type.ts"
import { collectRoutingKeys } from "../broker/publishing.ts"
import type { Vhost } from "../broker/vhost.ts"
import { describeBinding } from "./describe.ts"
import { badRequest } from "./errors.ts"
import { exchangeNamed } from "./exchanges.ts"
import { propertiesFromJson } from "./json-tables.ts"
import { COUNT, FLAG, TABLE, TEXT } from "./rates-schema.ts"
import { ok, route } from "./route.ts"
import type { Route } from "./route.ts"
import { Slices } from "./slices.ts"
import { implicitBinding } from "./vhost-items.ts"
import { findVhost } from "./visibility.ts"

/**
 * Where would a message go? Asks the router of the vhost exchange by exchange, and tells which bindings the
 * message would follow. Nothing is published, counted, remembered as a duplicate, or drawn by chance.
 */

/** Steps in one reply. A message that follows more is told with `truncated`. */
const STEPS_MAX = 1000
/** Routing keys of one message: its own, CC and BCC. */
const KEYS_MAX = 1000

const QUESTION = Type.Object({
  routing_key: Type.Optional(Type.String({ default: "" })),
  headers: Type.Optional(TABLE),
  properties: Type.Optional(
    Type.Record(Type.String(), Type.Unknown(), {
      description: "As for publish, for exchanges that hash a property; headers may be in it, too",
    }),
  ),
})

const STEP = Type.Object({
  via: Type.String({
    enum: ["binding", "alternate-exchange", "chance"],
    description: "chance: a random exchange takes one of these destinations",
  }),
  routing_keys: Type.Array(TEXT, { description: "The keys of the message that matched" }),
  source: TEXT,
  vhost: TEXT,
  destination: TEXT,
  destination_type: TEXT,
  routing_key: TEXT,
  arguments: TABLE,
  properties_key: TEXT,
})

const ANSWER = Type.Object({
  routed: FLAG,
  queues: Type.Array(TEXT, { description: "Each gets one copy; by chance only one of several" }),
  routing_keys: Type.Array(TEXT, { description: "With those of CC and BCC" }),
  exchanges: Type.Array(
    Type.Object({
      name: TEXT,
      type: TEXT,
      matched: Type.Boolean({ description: "A binding or a queue's name matched" }),
      delay_ms: Type.Integer({ description: "How long the message waits here first" }),
      deduplicates: Type.Boolean({ description: "A duplicate would end here" }),
    }),
    { description: "In the order in which the message comes to them" },
  ),
  path: Type.Array(STEP),
  steps: COUNT,
  truncated: Type.Boolean({ description: `The path has more than ${String(STEPS_MAX)} steps` }),
})

interface Step {
  readonly via: "binding" | "alternate-exchange" | "chance"
  readonly routingKeys: readonly string[]
  readonly source: string
  readonly destination: Destination
  /** Of the binding; that of an alternate exchange has none. */
  readonly routingKey: string
  readonly arguments: Table
}

interface Visit {
  readonly exchange: Exchange
  readonly hasMatched: boolean
}

class RouteTest {
  readonly #vhost: Vhost
  readonly #keys: readonly string[]
  readonly #properties: BasicProperties
  readonly #slices: Slices
  readonly queues = new Set<string>()
  readonly visits: Visit[] = []
  readonly steps: Step[] = []
  stepCount = 0

  constructor(vhost: Vhost, keys: readonly string[], properties: BasicProperties, slices: Slices) {
    this.#vhost = vhost
    this.#keys = keys
    this.#properties = properties
    this.#slices = slices
  }

  async run(start: Exchange): Promise<void> {
    const reached = new Set([start])
    for (const exchange of reached) {
      if (this.#slices.isTimeOver()) await this.#slices.next()
      if (exchange.name === "") {
        this.#visitDefault(exchange)
        continue
      }
      const found = await this.#visit(exchange)
      for (const destination of found) {
        if (destination.kind !== DESTINATION_EXCHANGE) this.queues.add(destination.name)
        else {
          const next = this.#vhost.exchanges.get(destination.name)
          if (next !== undefined) reached.add(next)
        }
      }
    }
  }

  /** The default exchange takes routing keys as names of queues. */
  #visitDefault(exchange: Exchange): void {
    let hasMatched = false
    for (const key of new Set(this.#keys)) {
      const queue = this.#vhost.queues.get(key)
      if (queue === undefined) continue
      hasMatched = true
      this.queues.add(queue.name)
      this.#add({ via: "binding", routingKeys: [key], ...implicitBinding(queue) })
    }
    this.visits.push({ exchange, hasMatched })
  }

  async #visit(exchange: Exchange): Promise<ReadonlySet<Destination>> {
    const { bindings } = exchange
    const found = new Set<Destination>()
    // What a random exchange would choose is not asked for: asking would change what comes next.
    const isChance = isRandom(exchange)
    if (isChance) bindings.forEach((destination) => found.add(destination))
    else
      for (const key of bindings.usesOneKey ? this.#keys.slice(0, 1) : this.#keys)
        for (const one of this.#vhost.router.matchAt(exchange, key, this.#properties))
          found.add(one)
    for (const destination of found) await this.#explain(exchange, destination, isChance)
    this.visits.push({ exchange, hasMatched: found.size > 0 })
    if (found.size > 0 || exchange.alternateExchange === "") return found
    const alternate = this.#vhost.exchanges.get(exchange.alternateExchange)
    if (alternate === undefined) return found
    this.#add({
      via: "alternate-exchange",
      routingKeys: this.#keys,
      source: exchange.name,
      destination: alternate,
      routingKey: "",
      arguments: EMPTY_TABLE,
    })
    return new Set([alternate])
  }

  /** Which bindings of the destination it was: each is asked alone, in a table of the exchange's type. */
  async #explain(exchange: Exchange, destination: Destination, isChance: boolean): Promise<void> {
    const { usesOneKey } = exchange.bindings
    const via = isChance ? "chance" : "binding"
    for (const binding of bindingsOfDestination(exchange, destination)) {
      if (this.#slices.isOver()) await this.#slices.next()
      const keys = usesOneKey
        ? this.#keys.slice(0, 1)
        : this.#keys.filter((key) => this.#matchesAlone(exchange, binding, key))
      if (keys.length > 0)
        this.#add({ via, routingKeys: keys, source: exchange.name, destination, ...binding })
    }
  }

  #matchesAlone(exchange: Exchange, binding: OneBinding, key: string): boolean {
    const table = createBindingTable(exchange.type, exchange.arguments)
    const targets = new RouteTargets()
    targets.begin()
    // A stand-in: the marks of real destinations belong to the router.
    const standIn: Destination = { kind: DESTINATION_EXCHANGE, name: "", routeMark: 0 }
    table.add(standIn, binding.routingKey, binding.arguments)
    table.match(key, this.#properties, targets)
    return targets.matched
  }

  #add(step: Step): void {
    if (++this.stepCount <= STEPS_MAX) this.steps.push(step)
  }
}

interface OneBinding {
  readonly routingKey: string
  readonly arguments: Table
}

function bindingsOfDestination(exchange: Exchange, destination: Destination): OneBinding[] {
  const found: OneBinding[] = []
  exchange.bindings.forEachOf(destination, (routingKey, args) => {
    found.push({ routingKey, arguments: args })
  })
  return found
}

function isRandom({ type, arguments: args }: Exchange): boolean {
  return type === "x-random" || args.get("x-delayed-type") === "x-random"
}

function propertiesOf(body: Static<typeof QUESTION>): BasicProperties {
  const properties: Record<string, unknown> = { ...body.properties }
  if (body.headers !== undefined) properties["headers"] = body.headers
  return propertiesFromJson(properties)
}

function describeStep(vhostName: string, step: Step): Record<string, unknown> {
  return {
    via: step.via,
    routing_keys: step.routingKeys,
    ...describeBinding(vhostName, {
      source: step.source,
      destination: step.destination,
      routingKey: step.routingKey,
      arguments: step.arguments,
    }),
  }
}

export const ROUTE_TEST_ROUTES: readonly Route[] = [
  route({
    method: "POST",
    path: "/api/exchanges/:vhost/:name/route",
    group: "Exchanges",
    summary: "Which queues would get a message, and through which bindings; publishes nothing",
    body: QUESTION,
    responses: { 200: { doc: "Where it would go", schema: ANSWER } },
    async handle(api, { user, params, body }) {
      const vhost = findVhost(api.broker, user, params.vhost)
      const exchange = exchangeNamed(vhost, params.name)
      const routingKey = body.routing_key ?? ""
      if (Buffer.byteLength(routingKey) > 255)
        throw badRequest("routing_key is longer than 255 bytes")
      const properties = propertiesOf(body)
      const keys = [...new Set(collectRoutingKeys(routingKey, properties))]
      if (keys.length > KEYS_MAX)
        throw badRequest(`the message has more than ${String(KEYS_MAX)} routing keys`)
      const test = new RouteTest(vhost, keys, properties, new Slices(api.broker.clock))
      await test.run(exchange)
      return ok({
        routed: test.queues.size > 0,
        queues: [...test.queues],
        routing_keys: keys,
        exchanges: test.visits.map(({ exchange: one, hasMatched }) => ({
          name: one.name,
          type: one.type,
          matched: hasMatched,
          delay_ms: one.settings.delayed ? delayOf(properties) : 0,
          deduplicates: one.deduplication !== null,
        })),
        path: test.steps.map((step) => describeStep(vhost.name, step)),
        steps: test.stepCount,
        truncated: test.stepCount > test.steps.length,
      })
    },
  }),
]
