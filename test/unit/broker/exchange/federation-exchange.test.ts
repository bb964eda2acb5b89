import assert from "node:assert/strict"
import { test } from "node:test"
import { EMPTY_TABLE, tableFromPlain } from "../../../../src/amqp/table.ts"
import type { PlainValue } from "../../../../src/amqp/table.ts"
import { RouteTargets } from "../../../../src/broker/exchange/destination.ts"
import { checkTypeArguments } from "../../../../src/broker/exchange/exchange-type.ts"
import { Exchange } from "../../../../src/broker/exchange/exchange.ts"
import { Refusal } from "../../../../src/broker/errors.ts"

const TYPE = "x-federation-upstream"

function exchangeOf(args: Record<string, PlainValue>): Exchange {
  const exchange = new Exchange({
    name: "federation: x -> b A",
    type: TYPE,
    durable: true,
    autoDelete: true,
    internal: true,
    arguments: tableFromPlain(args),
  })
  exchange.bindings.add({ kind: 0, name: "q", routeMark: 0 }, "", EMPTY_TABLE)
  return exchange
}

const targets = new RouteTargets()

/** How many queues get a message with that header; -1 if it counts as unroutable. */
function routed(exchange: Exchange, received: PlainValue | undefined): number {
  targets.begin()
  const headers = received === undefined ? null : tableFromPlain({ "x-received-from": received })
  exchange.bindings.match("any", headers === null ? null : { headers }, targets)
  return targets.matched ? targets.queueCount : -1
}

function from(name: string, vhost = "/"): PlainValue {
  return { "cluster-name": name, vhost }
}

function check(args: Record<string, PlainValue>): void {
  checkTypeArguments("/", "x", TYPE, tableFromPlain(args))
}

test("it holds back what has come too far or was at the other broker already", () => {
  const exchange = exchangeOf({
    "x-max-hops": 2,
    "x-downstream-name": "b",
    "x-downstream-vhost": "/",
    "x-internal-purpose": "federation",
  })
  const cases: [PlainValue | undefined, number][] = [
    [undefined, 1],
    [[], 1],
    [[from("a")], 1],
    [[from("a"), from("c")], 0],
    [[from("b")], 0],
    [[from("b", "other")], 1],
    [["no table", 5], 0],
    [["no table"], 1],
    ["no list", 1],
  ]
  for (const [received, count] of cases)
    assert.equal(routed(exchange, received), count, JSON.stringify(received))
})

test("brokers that name neither themselves nor their vhost are told by hops alone", () => {
  const exchange = exchangeOf({ "x-max-hops": 2, "x-downstream-name": "b" })
  assert.equal(routed(exchange, [{ "cluster-name": "b", vhost: "/" }]), 1)
  assert.equal(routed(exchange, [{}, {}]), 0)
})

test("the limit of hops must be there", () => {
  check({ "x-max-hops": 1 })
  assert.throws(() => check({}), new Refusal("precondition-failed", "Argument x-max-hops missing"))
  assert.throws(
    () => check({ "x-max-hops": "1" }),
    new Refusal("precondition-failed", "Argument x-max-hops must be of type long"),
  )
})
