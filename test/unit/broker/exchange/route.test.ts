import assert from "node:assert/strict"
import { test } from "node:test"
import * as fc from "fast-check"
import { EMPTY_TABLE, type Table } from "../../../../src/amqp/table.ts"
import type { Destination } from "../../../../src/broker/exchange/destination.ts"
import type { Exchange } from "../../../../src/broker/exchange/exchange.ts"
import { Router } from "../../../../src/broker/exchange/route.ts"
import { chooseSeed } from "../../../support/seed.ts"
import { createExchange, createQueue, table, type TestQueue } from "./support.ts"

const seed = chooseSeed("route")

/** Exchanges and queues by name, as in a vhost. */
class Topology {
  readonly exchanges = new Map<string, Exchange>()
  readonly queues = new Map<string, TestQueue>()
  readonly router = new Router<TestQueue>((name) => this.exchanges.get(name) ?? null)

  exchange(name: string, type: string): Exchange {
    const exchange = createExchange(name, type)
    this.exchanges.set(name, exchange)
    this.router.invalidate()
    return exchange
  }

  queue(name: string): TestQueue {
    let queue = this.queues.get(name)
    if (queue === undefined) this.queues.set(name, (queue = createQueue(name)))
    return queue
  }

  bind(source: Exchange, destination: Destination, routingKey: string, args = EMPTY_TABLE): void {
    source.bindings.add(destination, routingKey, args)
    this.router.invalidate()
  }

  route(exchange: Exchange, routingKey: string, headers: Table | null = null): string[] {
    const { queues, count } = this.router.resolve(
      exchange,
      routingKey,
      headers === null ? null : { headers },
    )
    return queues.slice(0, count).map(({ name }) => name)
  }
}

test("a key that nobody bound leads nowhere", () => {
  const topology = new Topology()
  assert.deepEqual(topology.route(topology.exchange("e", "direct"), "k"), [])
})

test("a message follows bindings between exchanges with its original key", () => {
  const topology = new Topology()
  const first = topology.exchange("first", "fanout")
  const second = topology.exchange("second", "topic")
  const third = topology.exchange("third", "direct")
  topology.bind(first, second, "ignored")
  topology.bind(second, third, "a.#")
  topology.bind(third, topology.queue("q"), "a.b")
  assert.deepEqual(topology.route(first, "a.b"), ["q"])
  assert.deepEqual(topology.route(first, "a.c"), [])
})

test("a cycle of exchanges ends", () => {
  const topology = new Topology()
  const a = topology.exchange("a", "fanout")
  const b = topology.exchange("b", "fanout")
  topology.bind(a, b, "")
  topology.bind(b, a, "")
  topology.bind(a, a, "")
  topology.bind(b, topology.queue("q"), "")
  assert.deepEqual(topology.route(a, ""), ["q"])
  assert.deepEqual(topology.route(b, ""), ["q"])
})

test("a diamond gives every queue one copy", () => {
  const topology = new Topology()
  const [top, left, right, bottom] = ["top", "left", "right", "bottom"].map((name) =>
    topology.exchange(name, "fanout"),
  )
  topology.bind(top!, left!, "")
  topology.bind(top!, right!, "")
  topology.bind(left!, bottom!, "")
  topology.bind(right!, bottom!, "")
  topology.bind(bottom!, topology.queue("q"), "")
  topology.bind(left!, topology.queue("q"), "")
  topology.bind(right!, topology.queue("p"), "")
  assert.deepEqual(topology.route(top!, "").toSorted(), ["p", "q"])
})

test("a route is remembered until the topology changes", () => {
  const topology = new Topology()
  const exchange = topology.exchange("e", "topic")
  topology.bind(exchange, topology.queue("q"), "a.*")
  const route = topology.router.resolve(exchange, "a.b", null)
  assert.equal(route.isStable, true)
  assert.equal(topology.router.resolve(exchange, "a.b", null), route)
  topology.bind(exchange, topology.queue("p"), "#")
  assert.notEqual(topology.router.resolve(exchange, "a.b", null), route)
  assert.deepEqual(topology.route(exchange, "a.b").toSorted(), ["p", "q"])
  assert.deepEqual(
    route.queues.map(({ name }) => name),
    ["q"],
  )
})

test("a change behind a binding between exchanges is seen", () => {
  const topology = new Topology()
  const front = topology.exchange("front", "fanout")
  const back = topology.exchange("back", "direct")
  topology.bind(front, back, "")
  assert.deepEqual(topology.route(front, "k"), [])
  topology.bind(back, topology.queue("q"), "k")
  assert.deepEqual(topology.route(front, "k"), ["q"])
  back.bindings.removeDestination(topology.queue("q"), () => {})
  topology.router.invalidate()
  assert.deepEqual(topology.route(front, "k"), [])
})

test("routes that depend on headers are found anew for each message, also through other exchanges", () => {
  const topology = new Topology()
  const front = topology.exchange("front", "fanout")
  const headers = topology.exchange("headers", "headers")
  topology.bind(headers, topology.queue("one"), "", table({ n: 1 }))
  assert.equal(topology.router.needsProperties(front), false)
  topology.bind(front, headers, "")
  assert.equal(topology.router.needsProperties(front), true)
  assert.equal(topology.router.resolve(front, "k", { headers: table({ n: 1 }) }).isStable, false)
  assert.deepEqual(topology.route(front, "k", table({ n: 1 })), ["one"])
  assert.deepEqual(topology.route(front, "k", table({ n: 2 })), [])
  assert.deepEqual(topology.route(front, "k", null), [])
  headers.bindings.remove(topology.queue("one"), "", table({ n: 1 }))
  topology.router.invalidate()
  assert.equal(topology.router.needsProperties(front), false)
})

test("keys that were never bound do not grow memory without bound", () => {
  const topology = new Topology()
  const exchange = topology.exchange("e", "topic")
  topology.bind(exchange, topology.queue("q"), "bound")
  let sizeMax = 0
  for (let i = 0; i < 60_000; i++) {
    topology.router.resolve(exchange, `never.${i}`, null)
    sizeMax = Math.max(sizeMax, exchange.routes?.size ?? 0)
  }
  assert.ok(sizeMax > 0 && sizeMax <= 16_384, `${sizeMax} routes`)
  assert.deepEqual(topology.route(exchange, "bound"), ["q"])
})

test("a fanout to very many queues is complete and is not remembered", () => {
  const topology = new Topology()
  const exchange = topology.exchange("e", "fanout")
  const count = 100_000
  for (let i = 0; i < count; i++) exchange.bindings.add(createQueue(`q${i}`), "", EMPTY_TABLE)
  topology.router.invalidate()
  for (let i = 0; i < 3; i++) {
    const route = topology.router.resolve(exchange, `k${i}`, null)
    assert.equal(route.count, count)
    assert.equal(route.isStable, false)
    assert.equal(new Set(route.queues.slice(0, count)).size, count)
  }
})

test("an exchange that matched nothing hands over to its alternate", () => {
  const topology = new Topology()
  const main = topology.exchange("main", "direct")
  const alternate = topology.exchange("alternate", "fanout")
  topology.bind(main, topology.queue("bound"), "k")
  topology.bind(alternate, topology.queue("rest"), "")
  main.alternateExchange = "alternate"
  topology.router.invalidate()
  assert.deepEqual(topology.route(main, "k"), ["bound"])
  assert.deepEqual(topology.route(main, "other"), ["rest"])
  alternate.alternateExchange = "main"
  main.alternateExchange = "missing"
  topology.router.invalidate()
  assert.deepEqual(topology.route(main, "other"), [])
})

test("alternates form chains, end in cycles, and a match of any kind stops them", () => {
  const topology = new Topology()
  const [a, b, c] = ["a", "b", "c"].map((name) => topology.exchange(name, "direct"))
  a!.alternateExchange = "b"
  b!.alternateExchange = "c"
  c!.alternateExchange = "a"
  topology.bind(c!, topology.queue("q"), "k")
  assert.deepEqual(topology.route(a!, "k"), ["q"])
  assert.deepEqual(topology.route(a!, "other"), [])
  // RabbitMQ: a bound exchange counts as a match even if it leads nowhere.
  topology.bind(a!, topology.exchange("dead-end", "direct"), "k")
  assert.deepEqual(topology.route(a!, "k"), [])
})

test("several keys in one pass give every queue one copy, and the alternate only if none matched", () => {
  const topology = new Topology()
  const exchange = topology.exchange("e", "direct")
  topology.exchange("alternate", "fanout")
  exchange.alternateExchange = "alternate"
  topology.bind(exchange, topology.queue("p"), "a")
  topology.bind(exchange, topology.queue("p"), "b")
  topology.bind(exchange, topology.queue("q"), "b")
  topology.bind(topology.exchanges.get("alternate")!, topology.queue("rest"), "")
  const names = (keys: readonly string[]): string[] => {
    const { queues, count } = topology.router.resolveAll(exchange, keys, null)
    return queues.slice(0, count).map(({ name }) => name)
  }
  assert.deepEqual(names(["x", "a", "b"]).toSorted(), ["p", "q"])
  assert.deepEqual(names(["x", "y"]), ["rest"])
})

test("any graph of exchanges routes to exactly the queues that can be reached, once each", () => {
  const nodeCount = 6
  const edge = fc.record({
    from: fc.nat(nodeCount - 1),
    to: fc.nat(nodeCount - 1),
    isQueue: fc.boolean(),
    key: fc.constantFrom("a", "b"),
  })
  const property = fc.property(
    fc.array(fc.constantFrom("direct", "fanout"), { minLength: nodeCount, maxLength: nodeCount }),
    fc.array(edge, { maxLength: 25 }),
    (types, edges) => {
      const topology = new Topology()
      const exchanges = types.map((type, i) => topology.exchange(`e${i}`, type))
      for (const { from, to, isQueue, key } of edges)
        topology.bind(exchanges[from]!, isQueue ? topology.queue(`q${to}`) : exchanges[to]!, key)
      for (const [start, exchange] of exchanges.entries())
        for (const routingKey of ["a", "b"]) {
          const reached = new Set([start])
          const expected = new Set<string>()
          for (const at of reached)
            for (const { from, to, isQueue, key } of edges) {
              if (from !== at || (types[at] === "direct" && key !== routingKey)) continue
              if (isQueue) expected.add(`q${to}`)
              else reached.add(to)
            }
          assert.deepEqual(
            topology.route(exchange, routingKey).toSorted(),
            [...expected].toSorted(),
          )
        }
    },
  )
  fc.assert(property, { seed, numRuns: 200 })
})
