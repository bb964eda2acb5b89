/** The long way of a message: several keys, duplicates, delays, alternates, filters. Queues are names. */
import assert from "node:assert/strict"
import { test } from "node:test"
import {
  decodeProperties,
  encodeProperties,
  type BasicProperties,
} from "../../../src/amqp/properties.ts"
import {
  EMPTY_TABLE,
  tableFromPlain,
  TypedNumber,
  type PlainRecord,
} from "../../../src/amqp/table.ts"
import type { DelayStore } from "../../../src/broker/exchange/delay.ts"
import { DESTINATION_QUEUE, type Destination } from "../../../src/broker/exchange/destination.ts"
import { Exchange } from "../../../src/broker/exchange/exchange.ts"
import { Router } from "../../../src/broker/exchange/route.ts"
import {
  collectRoutingKeys,
  PUBLISH_ACCEPTED,
  PUBLISH_DUPLICATE,
  PUBLISH_DURABLE,
  PUBLISH_OVERFLOWED,
  PUBLISH_REFUSED,
  PUBLISH_UNROUTABLE,
  Publishing,
  type PublishingContext,
} from "../../../src/broker/publishing.ts"
import { IncomingMessage } from "../../../src/storage/message.ts"
import { Chunk } from "../../../src/util/bytes.ts"
import { cpuMs } from "../../support/cpu-time.ts"

const NOW_MS = 1_000_000

interface Delayed {
  readonly properties: BasicProperties
  readonly delayMs: number
}

class TestDelays implements DelayStore {
  readonly waiting: Delayed[] = []
  outcome = PUBLISH_ACCEPTED

  add(message: IncomingMessage, _properties: BasicProperties, delayMs: number): number {
    this.waiting.push({ properties: propertiesOf(message), delayMs })
    return this.outcome
  }
}

class World implements PublishingContext<Destination> {
  readonly exchanges = new Map<string, Exchange>()
  readonly queues = new Map<string, Destination>()
  readonly router = new Router<Destination>((name) => this.exchanges.get(name) ?? null)
  readonly publishing = new Publishing<Destination>(this)
  /** What queues got since the last look, as "queue" or "queue:headers". */
  got: string[] = []
  properties: BasicProperties = {}
  outcome = PUBLISH_ACCEPTED
  /** Called in the middle of handing a message to its queues. */
  onPublish: () => void = () => {}

  exchange(name: string, type: string, args: PlainRecord = {}): Exchange {
    const exchange = new Exchange({
      name,
      type,
      durable: true,
      autoDelete: false,
      internal: false,
      arguments: tableFromPlain(args),
    })
    if (exchange.settings.delayed) exchange.delayedMessages = new TestDelays()
    this.exchanges.set(name, exchange)
    this.router.invalidate()
    return exchange
  }

  queue(name: string): Destination {
    let queue = this.queues.get(name)
    if (queue === undefined)
      this.queues.set(name, (queue = { kind: DESTINATION_QUEUE, name, routeMark: 0 }))
    return queue
  }

  bind(source: Exchange, destination: string | Exchange, routingKey = ""): void {
    const target = typeof destination === "string" ? this.queue(destination) : destination
    source.bindings.add(target, routingKey, EMPTY_TABLE)
    this.router.invalidate()
  }

  delayStoreOf(exchange: Exchange): DelayStore | null {
    return exchange.delayedMessages
  }

  publish(
    exchange: Exchange,
    queues: readonly Destination[],
    count: number,
    message: IncomingMessage,
  ): number {
    exchange.publishInCount++
    this.onPublish()
    this.properties = propertiesOf(message)
    for (let i = 0; i < count; i++) this.got.push(queues[i]!.name)
    if (count === 0) exchange.unroutableCount++
    return count === 0 ? PUBLISH_UNROUTABLE : this.outcome
  }

  send(
    exchange: Exchange,
    routingKey: string,
    headers: PlainRecord = {},
    accepts: ((queue: Destination) => boolean) | null = null,
    persistent = false,
  ): number {
    const properties: BasicProperties = {
      headers: tableFromPlain(headers),
    }
    const message = messageWith(properties, routingKey)
    message.persistent = persistent
    const keys = collectRoutingKeys(routingKey, properties)
    return this.publishing.publishMessage(exchange, keys, message, properties, accepts)
  }

  /** Sorted, and forgotten. */
  taken(): string[] {
    const got = this.got.toSorted()
    this.got = []
    return got
  }
}

function messageWith(properties: BasicProperties, routingKey = ""): IncomingMessage {
  const message = new IncomingMessage()
  const bytes = encodeProperties(properties)
  message.properties = new Chunk(bytes)
  message.propertiesEnd = bytes.length
  const key = Buffer.from(routingKey, "utf8")
  message.route = new Chunk(Buffer.concat([Buffer.of(1, 0x65, key.length), key]))
  message.routeEnd = message.route.bytes.length
  message.timestampMs = NOW_MS
  return message
}

function propertiesOf(message: IncomingMessage): BasicProperties {
  return decodeProperties(message.properties.bytes, message.propertiesStart, message.propertiesEnd)
}

function delaysOf(exchange: Exchange): TestDelays {
  assert.ok(exchange.delayedMessages instanceof TestDelays)
  return exchange.delayedMessages
}

test("a message with several keys gives every queue one copy", () => {
  const world = new World()
  const exchange = world.exchange("e", "direct")
  for (const [queue, key] of [
    ["p", "a"],
    ["p", "b"],
    ["q", "b"],
    ["r", "c"],
    ["s", "none"],
  ] as const)
    world.bind(exchange, queue, key)
  assert.equal(world.send(exchange, "a", { CC: ["b"], BCC: ["c", "b"] }), PUBLISH_ACCEPTED)
  assert.deepEqual(world.taken(), ["p", "q", "r"])
  assert.deepEqual([...(world.properties.headers?.keys() ?? [])], ["CC"], "BCC is taken out")
})

test("at the default exchange keys are names of queues", () => {
  const world = new World()
  const exchange = world.exchange("", "direct")
  for (const name of ["a", "b", "c"]) world.queue(name)
  world.send(exchange, "a", { CC: ["b", "a", "missing"], BCC: ["c"] })
  assert.deepEqual(world.taken(), ["a", "b", "c"])
  assert.equal(world.send(exchange, "missing"), PUBLISH_UNROUTABLE)
  assert.equal(
    world.send(exchange, "a", {}, () => false),
    PUBLISH_UNROUTABLE,
  )
})

test("only accepted queues get a copy", () => {
  const world = new World()
  const exchange = world.exchange("e", "fanout")
  for (const queue of ["a", "b", "c"]) world.bind(exchange, queue)
  world.send(exchange, "", {}, ({ name }) => name !== "b")
  assert.deepEqual(world.taken(), ["a", "c"])
})

test("an exchange that chooses one destination does so by the first key", () => {
  const world = new World()
  for (const type of ["x-consistent-hash", "x-modulus-hash", "x-random"]) {
    const exchange = world.exchange(type, type)
    for (const queue of ["a", "b", "c", "d"]) world.bind(exchange, queue, "1")
    world.send(exchange, "k", { CC: ["l", "m", "n", "o", "p", "q"] })
    assert.equal(world.taken().length, 1, type)
  }
})

test("a duplicate is routed nowhere, not even to the alternate exchange", () => {
  const world = new World()
  const exchange = world.exchange("e", "direct", {
    "x-message-deduplication": true,
    "alternate-exchange": "rest",
  })
  world.bind(world.exchange("rest", "fanout"), "rest")
  world.bind(exchange, "q", "k")
  assert.equal(world.router.needsProperties(exchange), true)
  const headers = { "x-deduplication-header": "once" }
  assert.equal(world.send(exchange, "k", headers), PUBLISH_ACCEPTED)
  assert.deepEqual(world.taken(), ["q"])
  assert.equal(world.send(exchange, "k", headers), PUBLISH_DUPLICATE)
  assert.equal(world.send(exchange, "other", headers), PUBLISH_DUPLICATE)
  assert.deepEqual(world.taken(), [])
  assert.equal(exchange.deduplication?.droppedCount, 2)
  assert.equal(exchange.publishInCount, 3)
  assert.equal(exchange.unroutableCount, 0)
  world.send(exchange, "other", { "x-deduplication-header": "second" })
  assert.deepEqual(world.taken(), ["rest"])
})

test("a message that a queue has not taken is no duplicate when it comes again", () => {
  const world = new World()
  const exchange = world.exchange("e", "fanout", { "x-message-deduplication": true })
  world.bind(exchange, "q")
  const headers = { "x-deduplication-header": 7 }
  for (const outcome of [PUBLISH_REFUSED, PUBLISH_OVERFLOWED, PUBLISH_DURABLE]) {
    world.outcome = outcome
    assert.equal(world.send(exchange, "", headers), outcome)
  }
  assert.equal(world.send(exchange, "", headers), PUBLISH_DUPLICATE)
  assert.equal(world.taken().length, 3)
})

test("duplicates end at the exchange that knows them; other ways stay open", () => {
  const world = new World()
  const front = world.exchange("front", "fanout")
  const strict = world.exchange("strict", "fanout", { "x-message-deduplication": true })
  world.bind(front, strict)
  world.bind(front, "all")
  world.bind(strict, "once")
  assert.equal(world.router.needsProperties(front), true)
  const headers = { "x-deduplication-header": "a" }
  world.send(front, "", headers)
  assert.deepEqual(world.taken(), ["all", "once"])
  assert.equal(world.send(front, "", headers), PUBLISH_ACCEPTED)
  assert.deepEqual(world.taken(), ["all"])
  // The earlier copy behind `strict` may not be on disk yet.
  assert.equal(world.send(front, "", headers, null, true), PUBLISH_DURABLE)
})

test("a message with a delay waits with all it has, and goes on when it is released", () => {
  const world = new World()
  const exchange = world.exchange("e", "x-delayed-message", { "x-delayed-type": "direct" })
  world.bind(exchange, "q", "k")
  world.bind(exchange, "copy", "b")
  assert.equal(world.send(exchange, "k", { "x-delay": 500, BCC: ["b"] }), PUBLISH_ACCEPTED)
  assert.deepEqual(world.taken(), [])
  const [delayed] = delaysOf(exchange).waiting
  assert.equal(delayed?.delayMs, 500)
  assert.ok(delayed.properties.headers?.has("BCC"), "it is needed when the message is released")
  assert.deepEqual([exchange.publishInCount, exchange.unroutableCount], [1, 0])
  const message = messageWith(delayed.properties, "k")
  assert.equal(
    world.publishing.releaseDelayed(exchange, message, delayed.properties),
    PUBLISH_ACCEPTED,
  )
  assert.deepEqual(world.taken(), ["copy", "q"])
  assert.deepEqual(world.properties.headers, new Map([["x-delay", new TypedNumber("l", -500n)]]))
  assert.equal(exchange.publishInCount, 1)
})

test("what is no delay is routed at once", () => {
  const world = new World()
  const exchange = world.exchange("e", "x-delayed-message", { "x-delayed-type": "fanout" })
  world.bind(exchange, "q")
  for (const value of [0, -5, "soon", "", "1.5", 0.5, true, null, 2 ** 32, ["5"]] as const) {
    world.send(exchange, "", { "x-delay": value })
    assert.deepEqual(world.taken(), ["q"], String(value))
  }
  world.send(exchange, "")
  assert.deepEqual(world.taken(), ["q"])
  for (const [value, delayMs] of [
    [1, 1],
    [1.9, 1],
    ["25", 25],
    [2 ** 32 - 1, 2 ** 32 - 1],
  ] as const) {
    world.send(exchange, "", { "x-delay": value })
    assert.equal(delaysOf(exchange).waiting.pop()?.delayMs, delayMs)
  }
  assert.deepEqual(world.taken(), [])
})

test("a delay behind another exchange holds up that way only, and its outcome counts", () => {
  const world = new World()
  const front = world.exchange("front", "fanout")
  const later = world.exchange("later", "x-delayed-message", { "x-delayed-type": "fanout" })
  world.bind(front, later)
  world.bind(front, "now")
  world.bind(later, "later")
  delaysOf(later).outcome = PUBLISH_DURABLE
  assert.equal(world.send(front, "", { "x-delay": 5, BCC: [] }), PUBLISH_DURABLE)
  assert.deepEqual(world.taken(), ["now"])
  assert.equal(world.properties.headers?.has("BCC"), false)
  delaysOf(later).outcome = PUBLISH_REFUSED
  assert.equal(world.send(front, "", { "x-delay": 5 }), PUBLISH_REFUSED)
  assert.equal(later.alternateExchange, "")
})

test("a duplicate does not wait, and one that could not be kept is none", () => {
  const world = new World()
  const exchange = world.exchange("e", "x-delayed-message", {
    "x-delayed-type": "fanout",
    "x-message-deduplication": true,
    "x-cache-ttl": 1000,
  })
  const headers = { "x-delay": 5, "x-deduplication-header": "a" }
  delaysOf(exchange).outcome = PUBLISH_REFUSED
  assert.equal(world.send(exchange, "", headers), PUBLISH_REFUSED)
  delaysOf(exchange).outcome = PUBLISH_ACCEPTED
  assert.equal(world.send(exchange, "", headers), PUBLISH_ACCEPTED)
  assert.equal(world.send(exchange, "", headers), PUBLISH_DUPLICATE)
  assert.equal(delaysOf(exchange).waiting.length, 2)
})

test("a policy turns delays and duplicates on and off", () => {
  const world = new World()
  const exchange = world.exchange("e", "fanout")
  world.bind(exchange, "q")
  assert.equal(world.router.needsProperties(exchange), false)
  exchange.delayedMessages = new TestDelays()
  exchange.configure({ ...exchange.settings, delayed: true, alternateExchange: "rest" })
  world.router.invalidate()
  assert.equal(exchange.alternateExchange, "rest")
  assert.equal(world.router.needsProperties(exchange), true)
  world.send(exchange, "", { "x-delay": 5 })
  assert.deepEqual(world.taken(), [])
  exchange.configure({ ...exchange.settings, delayed: false })
  world.router.invalidate()
  assert.equal(world.router.needsProperties(exchange), false)
  world.send(exchange, "", { "x-delay": 5 })
  assert.deepEqual(world.taken(), ["q"])
})

test("a queue that publishes while it takes a message disturbs nothing", () => {
  const world = new World()
  const exchange = world.exchange("e", "fanout")
  const other = world.exchange("other", "fanout")
  for (const queue of ["a", "b", "c"]) world.bind(exchange, queue)
  world.bind(other, "dead")
  world.onPublish = () => {
    world.onPublish = () => {}
    world.send(other, "")
  }
  world.send(exchange, "")
  assert.deepEqual(world.taken(), ["a", "b", "c", "dead"])
})

test("as many keys as fit into a message cost no more than each of them", () => {
  const world = new World()
  const exchange = world.exchange("", "direct")
  world.queue("a")
  const names = Array.from({ length: 30_000 }, (_, i) => `missing.${i}`)
  const startMs = cpuMs()
  world.send(exchange, "a", { CC: names, BCC: ["a"] })
  for (const type of ["fanout", "headers", "direct", "topic"]) {
    const other = world.exchange(type, type)
    world.bind(other, "a", "a")
    world.send(other, "a", { CC: names })
  }
  assert.deepEqual(world.taken(), ["a", "a", "a", "a", "a"])
  const tookMs = cpuMs() - startMs
  assert.ok(tookMs < 1000, `${tookMs} ms`)
})
