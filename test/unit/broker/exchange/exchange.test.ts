import assert from "node:assert/strict"
import { test } from "node:test"
import { Refusal } from "../../../../src/broker/errors.ts"
import { checkExchangeType, EXCHANGE_TYPES } from "../../../../src/broker/exchange/exchange-type.ts"
import {
  createPredeclaredExchanges,
  isPredeclaredExchange,
} from "../../../../src/broker/exchange/predeclared.ts"
import { createExchange } from "./support.ts"

test("there is a class of bindings for every type, and no other type", () => {
  for (const type of EXCHANGE_TYPES) assert.equal(createExchange("e", type).bindings.size, 0)
  for (const type of ["", "Direct", "x-unknown", "__proto__", "constructor"])
    assert.throws(
      () => checkExchangeType(type),
      (error) =>
        error instanceof Refusal &&
        error.kind === "precondition-failed" &&
        error.message === `unknown exchange type '${type}'`,
    )
})

test("the name is ready as a short string, measured in bytes", () => {
  assert.deepEqual([...createExchange("aé", "direct").nameBytes], [3, 0x61, 0xc3, 0xa9])
  assert.deepEqual([...createExchange("", "direct").nameBytes], [0])
  assert.equal(createExchange("x".repeat(255), "direct").nameBytes.length, 256)
})

test("every vhost begins with the default exchange and the five that RabbitMQ has, all durable", () => {
  const exchanges = createPredeclaredExchanges()
  assert.deepEqual(
    exchanges.map(({ name, type }) => `${name}:${type}`),
    [
      ":direct",
      "amq.direct:direct",
      "amq.fanout:fanout",
      "amq.topic:topic",
      "amq.headers:headers",
      "amq.match:headers",
    ],
  )
  for (const { durable, autoDelete, internal } of exchanges)
    assert.deepEqual([durable, autoDelete, internal], [true, false, false])
  assert.notEqual(createPredeclaredExchanges()[0], exchanges[0])
  for (const { name } of exchanges) assert.ok(isPredeclaredExchange(name))
  assert.ok(!isPredeclaredExchange("amq.other"))
})
