/** Deliveries that are never settled go back to their queue, and their consumer is cancelled. */
import assert from "node:assert/strict"
import { ManualClock } from "../../src/util/clock.ts"
import { numberOf, type PlainRecord } from "../../src/amqp/table.ts"
import type { HandshakeOptions, WireClient } from "../support/wire-client.ts"
import {
  consume,
  countsOf,
  declare,
  deliveries,
  get,
  publishTo,
  receiveBodies,
  wireTest,
  type WireTest,
} from "./harness.ts"

const TIMEOUT_MS = 10_000

function timedTest(
  name: string,
  body: (wire: WireTest, clock: ManualClock) => Promise<void>,
  options: { consumerTimeoutMs?: number } = {},
): void {
  const clock = new ManualClock()
  wireTest(name, (wire) => body(wire, clock), { clock, ...options })
}

/** An open connection without heartbeats, with the channels 1 and 2. */
async function open(wire: WireTest, options: HandshakeOptions = {}): Promise<WireClient> {
  const client = await wire.open({ heartbeat: 0, ...options })
  await client.openChannel(1)
  await client.openChannel(2)
  return client
}

async function declareTimed(
  client: WireClient,
  queue: string,
  more: PlainRecord = {},
): Promise<void> {
  await declare(client, queue, { arguments: { "x-consumer-timeout": TIMEOUT_MS, ...more } })
}

const settle = (client: WireClient, channel = 1): Promise<unknown> =>
  client.call("channel.flow", channel, { active: true })

timedTest("an overdue delivery goes back and its consumer is cancelled", async (wire, clock) => {
  const client = await open(wire)
  await declareTimed(client, "q")
  publishTo(client, "q", "a", "b")
  const tag = await consume(client, "q")
  await receiveBodies(client, 2)
  client.send("basic.ack", 1, { deliveryTag: 1 })
  await settle(client)
  clock.advance(TIMEOUT_MS - 500)
  await client.expectQuiet(1)
  clock.advance(1500)
  const cancel = await client.expect("basic.cancel", 1)
  assert.deepEqual([cancel.consumerTag, cancel.nowait], [tag, true])
  assert.deepEqual(await countsOf(client, "q"), { messages: 1, consumers: 0 })
  const message = await get(client, "q")
  assert.equal(message?.body.toString(), "b")
  assert.equal(message?.redelivered, true)
})

timedTest("it takes at most a tenth longer", async (wire, clock) => {
  const client = await open(wire)
  await declare(client, "slow", { arguments: { "x-consumer-timeout": 100_000 } })
  await consume(client, "slow")
  for (let i = 0; i < 10; i++) {
    publishTo(client, "slow", String(i))
    await receiveBodies(client, 1)
    clock.advance(2_700)
    await settle(client)
  }
  clock.advance(100_000 - 27_000 - 500)
  await client.expectQuiet(1)
  clock.advance(10_500)
  await client.expect("basic.cancel", 1)
})

timedTest("the other consumers of channel and connection go on", async (wire, clock) => {
  const client = await open(wire)
  await declareTimed(client, "late")
  await declare(client, "other")
  await consume(client, "late", { consumerTag: "late" })
  await consume(client, "other", { consumerTag: "beside" })
  await consume(client, "other", { channel: 2, consumerTag: "elsewhere" })
  publishTo(client, "late", "1")
  await receiveBodies(client, 1)
  publishTo(client, "other", "2", "3")
  const [beside] = await deliveries(client, 1)
  const [elsewhere] = await deliveries(client, 1, 2)
  assert.deepEqual([beside?.consumerTag, elsewhere?.consumerTag], ["beside", "elsewhere"])
  await settle(client)
  clock.advance(TIMEOUT_MS + 1000)
  assert.equal((await client.expect("basic.cancel", 1)).consumerTag, "late")
  client.send("basic.ack", 1, { deliveryTag: beside!.deliveryTag })
  client.send("basic.ack", 2, { deliveryTag: elsewhere!.deliveryTag })
  publishTo(client, "other", "4")
  assert.deepEqual(await receiveBodies(client, 1), ["4"])
  assert.deepEqual(await countsOf(client, "other"), { messages: 0, consumers: 2 })
})

timedTest("settling a returned delivery later has no effect", async (wire, clock) => {
  const client = await open(wire)
  await declareTimed(client, "q")
  publishTo(client, "q", "1", "2", "3", "4")
  await consume(client, "q")
  await receiveBodies(client, 4)
  await settle(client)
  clock.advance(TIMEOUT_MS + 1000)
  await client.expect("basic.cancel", 1)
  client.send("basic.ack", 1, { deliveryTag: 1 })
  client.send("basic.nack", 1, { deliveryTag: 2, requeue: true })
  client.send("basic.reject", 1, { deliveryTag: 3, requeue: false })
  client.send("basic.ack", 1, { deliveryTag: 0, multiple: true })
  await settle(client)
  assert.equal((await countsOf(client, "q")).messages, 4)
  // Settled once is settled: it is unknown from then on.
  client.send("basic.ack", 1, { deliveryTag: 1 })
  await client.expectChannelClose(1, {
    code: 406,
    text: "PRECONDITION_FAILED - unknown delivery tag 1",
  })
  await client.openChannel(1)
  assert.equal((await countsOf(client, "q")).messages, 4)
})

timedTest(
  "what a closing channel still had returned is not returned again",
  async (wire, clock) => {
    const client = await open(wire)
    await declareTimed(client, "q")
    publishTo(client, "q", "1")
    await consume(client, "q")
    await receiveBodies(client, 1)
    await settle(client)
    clock.advance(TIMEOUT_MS + 1000)
    await client.expect("basic.cancel", 1)
    assert.equal((await get(client, "q", { channel: 2 }))?.body.toString(), "1")
    await client.call("channel.close", 1, { replyCode: 200 })
    await client.openChannel(1)
    assert.equal((await countsOf(client, "q")).messages, 0)
  },
)

timedTest("a great many return in portions", async (wire, clock) => {
  const client = await open(wire)
  await declareTimed(client, "q")
  await consume(client, "q")
  for (let i = 0; i < 12_000; i++) publishTo(client, "q", "x")
  await deliveries(client, 12_000)
  clock.advance(TIMEOUT_MS + 500)
  await client.expect("basic.cancel", 1)
  assert.equal((await countsOf(client, "q")).messages, 10_000)
  clock.advance(1000)
  assert.equal((await countsOf(client, "q")).messages, 12_000)
  client.send("basic.ack", 1, { deliveryTag: 12_000, multiple: true })
  await settle(client)
  assert.equal((await countsOf(client, "q")).messages, 12_000)
})

timedTest("it counts as a failed delivery", async (wire, clock) => {
  const client = await open(wire)
  await declareTimed(client, "q", { "x-delivery-limit": 1 })
  publishTo(client, "q", "1")
  for (const count of [undefined, 1]) {
    await client.call("basic.consume", 2, { queue: "q" })
    const [delivery] = await deliveries(client, 1, 2)
    const header = delivery?.properties.headers?.get("x-delivery-count")
    assert.equal(numberOf(header), count ?? null)
    await settle(client, 2)
    clock.advance(TIMEOUT_MS + 1000)
    await client.expect("basic.cancel", 2)
  }
  assert.deepEqual(await countsOf(client, "q"), { messages: 0, consumers: 0 })
})

timedTest("a policy sets it, at once", async (wire, clock) => {
  const client = await open(wire)
  await declare(client, "q")
  publishTo(client, "q", "1")
  await consume(client, "q")
  await receiveBodies(client, 1)
  clock.advance(60_000)
  await wire.vhost.policies.set("p", { pattern: "^q", definition: { "consumer-timeout": 5000 } })
  await settle(client)
  clock.advance(6500)
  await client.expect("basic.cancel", 1)
  assert.equal((await countsOf(client, "q")).messages, 1)
})

timedTest("without consumer_cancel_notify the channel is closed with 406", async (wire, clock) => {
  const client = await open(wire, { capabilities: { "basic.nack": true } })
  await declareTimed(client, "q")
  publishTo(client, "q", "1")
  await consume(client, "q")
  await receiveBodies(client, 1)
  await settle(client)
  clock.advance(TIMEOUT_MS + 1000)
  await client.expectChannelClose(1, {
    code: 406,
    text:
      "PRECONDITION_FAILED - delivery acknowledgement on channel 1 timed out. Timeout value used: " +
      "10000 ms. This timeout value can be configured, see consumers doc guide to learn more",
    method: null,
  })
  assert.equal((await countsOf(client, "q", 2)).messages, 1)
})

timedTest("a delivery of basic.get goes back in silence", async (wire, clock) => {
  for (const capabilities of [{ consumer_cancel_notify: true }, {}]) {
    const client = await open(wire, { capabilities })
    await declareTimed(client, "q")
    publishTo(client, "q", "1")
    const message = await get(client, "q", { noAck: false })
    clock.advance(TIMEOUT_MS + 1000)
    await client.expectQuiet(1)
    assert.equal((await countsOf(client, "q")).messages, 1)
    client.send("basic.ack", 1, { deliveryTag: message!.deliveryTag })
    await settle(client)
    assert.equal((await get(client, "q"))?.redelivered, true)
  }
})

timedTest(
  "the default counts for queues without a timeout of their own",
  async (wire, clock) => {
    const client = await open(wire)
    await declare(client, "q")
    await declare(client, "never", { arguments: { "x-consumer-timeout": 1_000_000 } })
    await consume(client, "q", { consumerTag: "q" })
    await consume(client, "never", { consumerTag: "never" })
    publishTo(client, "q", "1")
    publishTo(client, "never", "2")
    await receiveBodies(client, 2)
    await settle(client)
    clock.advance(4000)
    assert.equal((await client.expect("basic.cancel", 1)).consumerTag, "q")
    clock.advance(900_000)
    await client.expectQuiet(1)
  },
  { consumerTimeoutMs: 3000 },
)

timedTest(
  "a default of 0 is none",
  async (wire, clock) => {
    const client = await open(wire)
    await declare(client, "q")
    publishTo(client, "q", "1")
    await consume(client, "q")
    await receiveBodies(client, 1)
    await settle(client)
    clock.advance(10_000_000)
    await client.expectQuiet(1)
  },
  { consumerTimeoutMs: 0 },
)

timedTest("a rolled back transaction does not prolong the time", async (wire, clock) => {
  const client = await open(wire)
  await declareTimed(client, "q")
  publishTo(client, "q", "1")
  await client.call("tx.select", 2)
  await consume(client, "q", { channel: 2 })
  await receiveBodies(client, 1, 2)
  clock.advance(2000)
  client.send("basic.ack", 2, { deliveryTag: 1 })
  await settle(client, 2)
  clock.advance(1000)
  await client.call("tx.rollback", 2)
  clock.advance(TIMEOUT_MS + 1000)
  await client.expect("basic.cancel", 2)
  assert.equal((await countsOf(client, "q")).messages, 1)
})

timedTest("a busy consumer that acknowledges is left alone", async (wire, clock) => {
  const client = await open(wire)
  await declareTimed(client, "q")
  await consume(client, "q")
  for (let i = 0; i < 60; i++) {
    publishTo(client, "q", "x")
    const [delivery] = await deliveries(client, 1)
    clock.advance(700)
    client.send("basic.ack", 1, { deliveryTag: delivery!.deliveryTag })
    await settle(client)
  }
  assert.deepEqual(await countsOf(client, "q"), { messages: 0, consumers: 1 })
})
