import assert from "node:assert/strict"
import type { PlainRecord } from "../../src/amqp/table.ts"
import { Queue } from "../../src/broker/queue/queue.ts"
import { ManualClock } from "../../src/util/clock.ts"
import type { WireClient } from "../support/wire-client.ts"
import {
  bindQueue,
  declareExchange,
  expectReturned,
  reached,
  refused,
  refusedExchange,
} from "./exchange-support.ts"
import { declare, drain, publishAndWait, table, text, wireTest } from "./harness.ts"

const ON = { "x-message-deduplication": true } as const
const KEY = "x-deduplication-header"

/** Publishes to a queue by its name. */
async function send(
  client: WireClient,
  queue: string,
  body: string,
  headers: PlainRecord,
): Promise<void> {
  const properties = { headers: table(headers) }
  await publishAndWait(client, { routingKey: queue, properties, body: text(body) })
}

wireTest("an exchange drops the second message with a key", async (wire) => {
  const client = await wire.channel()
  await declareExchange(client, "e", "fanout", ON)
  await bindQueue(client, "e", "q")
  const to = (headers: PlainRecord): Promise<string[]> =>
    reached(client, "e", "k", ["q"], { headers: table(headers) })
  assert.deepEqual(await to({ [KEY]: "a" }), ["q"])
  assert.deepEqual(await to({ [KEY]: "a" }), [])
  assert.deepEqual(await to({ [KEY]: 1 }), ["q"])
  assert.deepEqual(await to({ [KEY]: 1 }), [])
  assert.deepEqual(await to({ [KEY]: "1" }), ["q"])
  for (let i = 0; i < 2; i++) {
    assert.deepEqual(await to({ other: "a" }), ["q"])
    assert.deepEqual(await reached(client, "e", "k", ["q"]), ["q"])
  }
})

wireTest("a duplicate at an exchange is confirmed, and returned if mandatory", async (wire) => {
  const client = await wire.channel()
  await declareExchange(client, "rest", "fanout")
  await declareExchange(client, "e", "fanout", { ...ON, "alternate-exchange": "rest" })
  await bindQueue(client, "e", "q")
  await bindQueue(client, "rest", "unmatched")
  await client.call("confirm.select", 1)
  const properties = { headers: table({ [KEY]: true }), deliveryMode: 2 }
  const publish = (mandatory: boolean): void =>
    client.publish(1, { exchange: "e", mandatory, properties, body: text("m") })
  publish(true)
  await client.expect("basic.ack", 1)
  publish(false)
  await client.expect("basic.ack", 1)
  publish(true)
  await expectReturned(client)
  assert.deepEqual(await drain(client, "q"), ["m"])
  assert.deepEqual(await drain(client, "unmatched"), [])
})

wireTest("the header has the name that the exchange says, the cache its size", async (wire) => {
  const client = await wire.channel()
  const args = { ...ON, "x-deduplication-header": "id", "x-cache-size": 2 }
  await declareExchange(client, "e", "direct", args)
  await bindQueue(client, "e", "q", "k")
  const to = (id: number): Promise<string[]> =>
    reached(client, "e", "k", ["q"], { headers: table({ id, [KEY]: "same" }) })
  for (const id of [1, 2, 3]) assert.deepEqual(await to(id), ["q"])
  assert.deepEqual(await to(3), [])
  assert.deepEqual(await to(2), [])
  assert.deepEqual(await to(1), ["q"], "it was pushed out")
})

const clock = new ManualClock()
wireTest(
  "an entry is forgotten after the time that the exchange or the message says",
  async (wire) => {
    const client = await wire.channel()
    await declareExchange(client, "e", "fanout", { ...ON, "x-cache-ttl": 1000 })
    await bindQueue(client, "e", "q")
    const to = (headers: PlainRecord): Promise<string[]> =>
      reached(client, "e", "k", ["q"], { headers: table(headers) })
    await to({ [KEY]: "default" })
    await to({ [KEY]: "own", "x-cache-ttl": 5000 })
    clock.advance(999)
    assert.deepEqual(await to({ [KEY]: "default" }), [])
    clock.advance(1)
    assert.deepEqual(await to({ [KEY]: "default" }), ["q"])
    assert.deepEqual(await to({ [KEY]: "own" }), [])
    clock.advance(4000)
    assert.deepEqual(await to({ [KEY]: "own" }), ["q"])
  },
  { clock },
)

wireTest("a queue drops the second message with a key, whatever way it came", async (wire) => {
  const client = await wire.channel()
  await declare(client, "q", { arguments: ON })
  await declare(client, "plain")
  for (const queue of ["q", "plain"])
    await client.call("queue.bind", 1, { queue, exchange: "amq.fanout" })
  await send(client, "q", "first", { [KEY]: "a" })
  await send(client, "q", "second", { [KEY]: "a" })
  await send(client, "q", "other", { [KEY]: "b" })
  await send(client, "q", "without", {})
  await send(client, "q", "without", {})
  const properties = { headers: table({ [KEY]: "a" }) }
  await publishAndWait(client, { exchange: "amq.fanout", properties, body: text("third") })
  assert.deepEqual(await drain(client, "q"), ["first", "other", "without", "without"])
  assert.deepEqual(await drain(client, "plain"), ["third"])
  await send(client, "q", "again", { [KEY]: "a" })
  assert.deepEqual(await drain(client, "q"), [], "it is remembered, although it is consumed")
  const queue = wire.vhost.queues.get("q")
  assert.ok(queue instanceof Queue)
  assert.equal(queue.duplicateCount, 3)
})

wireTest("a duplicate at a queue is confirmed and not returned", async (wire) => {
  const client = await wire.channel()
  await declare(client, "q", { durable: true, arguments: { ...ON, "x-cache-size": 10 } })
  await client.call("confirm.select", 1)
  const properties = { headers: table({ [KEY]: 5 }), deliveryMode: 2 }
  for (let i = 0; i < 2; i++) {
    client.publish(1, { routingKey: "q", mandatory: true, properties, body: text("m") })
    await client.expect("basic.ack", 1)
  }
  assert.deepEqual(await drain(client, "q"), ["m"])
})

wireTest("the arguments have types", async (wire) => {
  const client = await wire.channel()
  for (const [name, value, reason] of [
    ["x-message-deduplication", "yes", "{unacceptable_type,longstr}"],
    ["x-cache-size", "many", '"expected integer, got longstr"'],
    ["x-cache-size", -1, "{value_negative,-1}"],
    ["x-cache-ttl", 1.5, '"expected integer, got double"'],
    ["x-deduplication-header", 5, "{unacceptable_type,signedint}"],
  ] as const) {
    const args = { ...ON, [name]: value }
    await refusedExchange(
      client,
      "e",
      "fanout",
      args,
      `invalid arg '${name}' for exchange 'e' in vhost '/': ${reason}`,
    )
    client.send("queue.declare", 1, { queue: "q", arguments: table(args) })
    await refused(
      client,
      `invalid arg '${name}' for queue 'q' in vhost '/': ${reason}`,
      "queue.declare",
    )
  }
})
