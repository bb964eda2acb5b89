/** Alternate exchanges, CC and BCC, consistent hash, deduplication and delays through amqplib. */
import assert from "node:assert/strict"
import { once } from "node:events"
import { after, afterEach, before, beforeEach, test } from "node:test"
import { connect } from "amqplib"
import type { ChannelModel, ConfirmChannel } from "amqplib"
import { startBroker } from "../../src/server/start-broker.ts"
import type { RunningBroker } from "../../src/server/start-broker.ts"
import { ManualClock } from "../../src/util/clock.ts"
import { eventually, within } from "../support/eventually.ts"

let broker: RunningBroker
let url: string
let connection: ChannelModel
let channel: ConfirmChannel

before(async () => {
  broker = await startBroker({ amqp: { host: "127.0.0.1", port: 0 } })
  url = `amqp://guest:guest@127.0.0.1:${String(broker.amqpPort)}`
})
after(() => broker.close())
beforeEach(async () => {
  connection = await connect(url)
  connection.on("error", () => {})
  channel = await connection.createConfirmChannel()
  channel.on("error", () => {})
})
afterEach(async () => {
  await connection.close().catch(() => {}) // Some tests have closed it already.
})

/** A fresh queue bound to the exchange. */
async function bound(exchange: string, pattern = ""): Promise<string> {
  const { queue } = await channel.assertQueue("", { exclusive: true })
  await channel.bindQueue(queue, exchange, pattern)
  return queue
}

async function bodies(queue: string): Promise<string[]> {
  await channel.waitForConfirms()
  const found: string[] = []
  for (;;) {
    const message = await channel.get(queue, { noAck: true })
    if (message === false) return found
    found.push(message.content.toString())
  }
}

test("what an exchange cannot route goes to its alternate, and is not returned", async () => {
  await channel.assertExchange("rest", "fanout", { autoDelete: true })
  await channel.assertExchange("main", "topic", { autoDelete: true, alternateExchange: "rest" })
  const [matched, unmatched] = [await bound("main", "a.*"), await bound("rest")]
  let returnedCount = 0
  channel.on("return", () => returnedCount++)
  channel.publish("main", "a.b", Buffer.from("known"), { mandatory: true })
  channel.publish("main", "b", Buffer.from("unknown"), { mandatory: true })
  assert.deepEqual(await bodies(matched), ["known"])
  assert.deepEqual(await bodies(unmatched), ["unknown"])
  assert.equal(returnedCount, 0)
})

test("CC and BCC as amqplib sends them", async () => {
  await channel.assertExchange("copies", "direct", { autoDelete: true })
  const queues = [
    await bound("copies", "to"),
    await bound("copies", "cc"),
    await bound("copies", "bcc"),
  ]
  channel.publish("copies", "to", Buffer.from("m"), { CC: ["cc", "to"], BCC: ["bcc"] })
  await channel.waitForConfirms()
  for (const queue of queues) {
    const message = await channel.get(queue, { noAck: true })
    assert.ok(message !== false)
    assert.deepEqual(message.properties.headers, { CC: ["cc", "to"] })
    assert.equal(message.fields.routingKey, "to")
    assert.equal(await channel.get(queue), false)
  }
})

test("a CC that is no list closes the channel with a reason", async () => {
  const closed: Promise<{ message: string; code: number }[]> = once(channel, "error")
  channel.publish("amq.direct", "to", Buffer.from("m"), { headers: { CC: "cc" } })
  const [error] = await within(closed, "the error")
  assert.equal(error?.code, 406)
  assert.match(
    error.message,
    /PRECONDITION_FAILED - invalid message: \{unacceptable_type_in_header,"CC",longstr\}/,
  )
})

test("a consistent hash sends equal keys to one queue and all keys to all queues", async () => {
  await channel.assertExchange("work", "x-consistent-hash", {
    autoDelete: true,
    arguments: { "hash-header": "customer" },
  })
  const queues = [await bound("work", "1"), await bound("work", "1"), await bound("work", "2")]
  for (let round = 0; round < 2; round++)
    for (let customer = 0; customer < 200; customer++)
      channel.publish("work", "", Buffer.from(String(customer)), { headers: { customer } })
  let total = 0
  for (const queue of queues) {
    const found = await bodies(queue)
    assert.equal(found.length, 2 * new Set(found).size)
    assert.ok(found.length > 40, String(found.length))
    total += found.length
  }
  assert.equal(total, 400)
})

test("deduplication by an exchange and by a queue", async () => {
  const on = { "x-message-deduplication": true, "x-deduplication-header": "id" }
  await channel.assertExchange("once", "fanout", { autoDelete: true, arguments: on })
  const behind = await bound("once")
  const { queue } = await channel.assertQueue("", { exclusive: true, arguments: on })
  for (const id of [1, "1", 1, "1", 2]) {
    channel.publish("once", "", Buffer.from(String(id)), { headers: { id } })
    channel.sendToQueue(queue, Buffer.from(String(id)), { headers: { id } })
  }
  assert.deepEqual(await bodies(behind), ["1", "1", "2"])
  assert.deepEqual(await bodies(queue), ["1", "1", "2"])
})

test("a delayed message comes when it is due, with its delay turned", async () => {
  const clock = new ManualClock()
  const timed = await startBroker({ amqp: { host: "127.0.0.1", port: 0 }, clock })
  const other = await connect(`amqp://guest:guest@127.0.0.1:${String(timed.amqpPort)}`)
  try {
    const one = await other.createConfirmChannel()
    const type = { arguments: { "x-delayed-type": "direct" } }
    await one.assertExchange("later", "x-delayed-message", type)
    const { queue } = await one.assertQueue("q")
    await one.bindQueue(queue, "later", "k")
    one.publish("later", "k", Buffer.from("late"), { headers: { "x-delay": 5000 } })
    one.publish("later", "k", Buffer.from("now"))
    await one.waitForConfirms()
    clock.advance(4000)
    assert.equal((await one.checkQueue(queue)).messageCount, 1)
    clock.advance(1100)
    await eventually(async () => assert.equal((await one.checkQueue(queue)).messageCount, 2))
    await one.get(queue, { noAck: true })
    const message = await one.get(queue, { noAck: true })
    assert.ok(message !== false)
    assert.equal(message.content.toString(), "late")
    assert.deepEqual(message.properties.headers, { "x-delay": -5000 })
  } finally {
    const closing = other.close().then(() => timed.close())
    const state = { isDone: false }
    const done = closing.finally(() => (state.isDone = true))
    while (!state.isDone) {
      clock.advance(10)
      await new Promise((resolve) => setImmediate(resolve))
    }
    await done
  }
})
