/**
 * Routing a message allocates nothing once its route is known, nor when it must be found anew.
 * Run with --expose-gc --min-semi-space-size=64, so that no collection falls into the window.
 */
import assert from "node:assert/strict"
import { test } from "node:test"
import { EMPTY_TABLE, tableFromPlain } from "../../src/amqp/table.ts"
import { encodeTableEntries } from "../../src/amqp/table-codec.ts"
import {
  DESTINATION_QUEUE,
  RouteTargets,
  type Destination,
} from "../../src/broker/exchange/destination.ts"
import { Exchange } from "../../src/broker/exchange/exchange.ts"
import { Router } from "../../src/broker/exchange/route.ts"
import { hasRoutingHeaders } from "../../src/broker/exchange/routing-headers.ts"
import { Chunk } from "../../src/util/bytes.ts"

function bytesPerOperation(operationCount: number, run: () => void): number {
  assert.ok(globalThis.gc !== undefined, "run with --expose-gc")
  for (let i = 0; i < 20_000; i++) run() // The optimising compiler finishes first.
  globalThis.gc()
  const before = process.memoryUsage().heapUsed
  for (let i = 0; i < operationCount; i++) run()
  return (process.memoryUsage().heapUsed - before) / operationCount
}

function createExchange(type: string): Exchange {
  const flags = { durable: true, autoDelete: false, internal: false }
  return new Exchange({ name: type, type, arguments: EMPTY_TABLE, ...flags })
}

function createQueue(name: string): Destination {
  return { kind: DESTINATION_QUEUE, name, routeMark: 0 }
}

for (const type of ["direct", "fanout", "topic"])
  test(`a remembered ${type} route allocates nothing`, () => {
    const exchange = createExchange(type)
    const router = new Router<Destination>(() => null)
    exchange.bindings.add(createQueue("q"), "a.b", EMPTY_TABLE)
    router.invalidate()
    let count = 0
    const bytes = bytesPerOperation(200_000, () => {
      count += router.resolve(exchange, "a.b", null).count
    })
    assert.equal(count, 220_000)
    assert.ok(bytes < 1, `${bytes.toFixed(2)} bytes per message`)
  })

for (const type of ["direct", "fanout"])
  test(`matching ${type} bindings allocates nothing`, () => {
    const exchange = createExchange(type)
    for (let i = 0; i < 20; i++) exchange.bindings.add(createQueue(`q${i}`), "k", EMPTY_TABLE)
    const targets = new RouteTargets()
    let count = 0
    const bytes = bytesPerOperation(50_000, () => {
      targets.begin()
      exchange.bindings.match("k", null, targets)
      count += targets.queueCount
    })
    assert.equal(count, 20 * 70_000)
    assert.ok(bytes < 1, `${bytes.toFixed(2)} bytes per message`)
  })

test("choosing a destination by a consistent hash allocates nothing", () => {
  for (const queueCount of [5, 50]) {
    const exchange = createExchange("x-consistent-hash")
    for (let i = 0; i < queueCount; i++)
      exchange.bindings.add(createQueue(`q${i}`), String(1 + (i % 2)), EMPTY_TABLE)
    const targets = new RouteTargets()
    let count = 0
    const bytes = bytesPerOperation(100_000, () => {
      targets.begin()
      exchange.bindings.match("order.4711", null, targets)
      count += targets.queueCount
    })
    assert.equal(count, 120_000)
    assert.ok(bytes < 1, `${bytes.toFixed(2)} bytes per message with ${queueCount} queues`)
  }
})

test("looking for CC and BCC allocates nothing", () => {
  const headers = encodeTableEntries(tableFromPlain({ one: 1, two: "2", CCC: [1], list: ["CC"] }))
  const chunk = new Chunk(headers)
  let found = 0
  const bytes = bytesPerOperation(200_000, () => {
    if (hasRoutingHeaders(chunk, 0, headers.length)) found++
  })
  assert.equal(found, 0)
  assert.ok(bytes < 1, `${bytes.toFixed(2)} bytes per message`)
})
