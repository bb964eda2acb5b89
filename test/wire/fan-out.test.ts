/** A message for many queues is much work for few bytes: others have their turn all the same. */
import assert from "node:assert/strict"
import { encodePublish } from "../../src/amqp/content.ts"
import { eventually } from "../support/eventually.ts"
import { declare, wireTest } from "./harness.ts"

const QUEUES = 200
const PUBLISHES = 20_000
const FLOODS = 10
/** Publishes of all between two answers for somebody else; in bytes, a round of the event loop takes 6,000 of one connection. */
const BETWEEN_MAX = 3000

wireTest(
  "a flood of messages for many queues holds nobody else up, and loses nothing",
  async (wire) => {
    const client = await wire.channel()
    for (let i = 0; i < QUEUES; i++) {
      const queue = `q${String(i)}`
      await declare(client, queue, { arguments: { "x-max-length": 1 } })
      await client.call("queue.bind", 1, { queue, exchange: "amq.fanout" })
    }
    const exchange = wire.vhost.exchange("amq.fanout")
    const publish = encodePublish(1, { exchange: "amq.fanout", body: Buffer.from("x") }, 131_072)
    const flood = Buffer.concat(Array.from({ length: PUBLISHES / FLOODS }, () => publish))
    const publishers = await Promise.all(Array.from({ length: FLOODS }, () => wire.channel()))
    for (const publisher of publishers) publisher.sendBytes(flood)
    let before = exchange.publishInCount
    let most = 0
    while (exchange.publishInCount < PUBLISHES / 2) {
      await client.call("queue.declare", 1, { queue: "q0", passive: true })
      most = Math.max(most, exchange.publishInCount - before)
      before = exchange.publishInCount
    }
    assert.ok(most < BETWEEN_MAX, `${String(most)} publishes between two answers`)
    await eventually(() => assert.equal(exchange.publishInCount, PUBLISHES))
  },
)
