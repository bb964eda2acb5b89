import assert from "node:assert/strict"
import { MemoryDisk } from "../../src/storage/memory-disk.ts"
import type { WireClient } from "../support/wire-client.ts"
import {
  countsOf,
  declare,
  drain,
  get,
  publishAndWait,
  table,
  text,
  wireTest,
  type WireTest,
} from "./harness.ts"

/** A wire test whose broker keeps its files over a restart. */
function restartTest(name: string, body: (wire: WireTest) => Promise<void>): void {
  wireTest(name, body, { disk: new MemoryDisk() })
}

/** Publishes persistent messages and waits until they are confirmed, hence on disk. */
async function publishConfirmed(
  client: WireClient,
  queue: string,
  bodies: readonly string[],
): Promise<void> {
  await client.openChannel(9)
  await client.call("confirm.select", 9)
  for (const body of bodies)
    client.publish(9, { routingKey: queue, properties: { deliveryMode: 2 }, body: text(body) })
  for (let confirmed = 0; confirmed < bodies.length;)
    confirmed = (await client.expect("basic.ack", 9)).deliveryTag
  await client.call("channel.close", 9, { replyCode: 200 })
}

async function expectMissing(
  client: WireClient,
  name: "queue" | "exchange",
  what: string,
): Promise<void> {
  if (name === "queue") client.send("queue.declare", 1, { queue: what, passive: true })
  else client.send("exchange.declare", 1, { exchange: what, passive: true })
  await client.expectChannelClose(1, { code: 404 })
  await client.openChannel(1)
}

restartTest("durable queues keep their persistent messages, properties included", async (wire) => {
  const before = await wire.channel()
  await declare(before, "q", { durable: true, arguments: { "x-max-length": 100 } })
  await publishConfirmed(before, "q", ["1", "2", "3"])
  const properties = {
    contentType: "text/plain",
    headers: table({ a: 1n, b: [null, "x"] }),
    deliveryMode: 2,
    messageId: "id",
  }
  await publishAndWait(before, { routingKey: "q", properties, body: Buffer.alloc(300_000, "L") })
  await wire.restart()
  const after = await wire.channel()
  await declare(after, "q", { durable: true, arguments: { "x-max-length": 100 } })
  for (const body of ["1", "2", "3"]) {
    const message = await get(after, "q")
    assert.equal(message?.body.toString(), body)
    assert.deepEqual([message?.exchange, message?.routingKey], ["", "q"])
  }
  const large = await get(after, "q")
  assert.deepEqual(large?.properties, properties)
  assert.ok(large?.body.equals(Buffer.alloc(300_000, "L")))
})

restartTest(
  "a durable queue is still the same queue: other attributes are refused",
  async (wire) => {
    const before = await wire.channel()
    await declare(before, "q", { durable: true, arguments: { "x-expires": 60_000 } })
    await wire.restart()
    const after = await wire.channel()
    after.send("queue.declare", 1, { queue: "q", durable: true })
    await after.expectChannelClose(1, {
      code: 406,
      text: "PRECONDITION_FAILED - inequivalent arg 'x-expires' for queue 'q' in vhost '/': received none but current is the value '60000' of type 'signedint'",
      method: "queue.declare",
    })
  },
)

restartTest("what was acknowledged stays away, what was not comes back in order", async (wire) => {
  const before = await wire.channel()
  await declare(before, "q", { durable: true })
  await publishConfirmed(before, "q", ["1", "2", "3", "4", "5"])
  for (let i = 0; i < 4; i++) await get(before, "q", { noAck: false })
  before.send("basic.ack", 1, { deliveryTag: 3 })
  before.send("basic.reject", 1, { deliveryTag: 1 })
  await before.expectQuiet(1)
  await wire.restart()
  const after = await wire.channel()
  assert.deepEqual(await drain(after, "q"), ["2", "4", "5"])
  await wire.restart()
  assert.deepEqual(await drain(await wire.channel(), "q"), [])
})

restartTest("transient and exclusive queues, and transient exchanges, are gone", async (wire) => {
  const before = await wire.channel()
  await declare(before, "transient")
  await declare(before, "exclusive", { durable: true, exclusive: true })
  await before.call("exchange.declare", 1, { exchange: "x", type: "fanout" })
  await wire.restart()
  const after = await wire.channel()
  await expectMissing(after, "queue", "transient")
  await expectMissing(after, "queue", "exclusive")
  await expectMissing(after, "exchange", "x")
})

restartTest("durable exchanges and the bindings between durable ends come back", async (wire) => {
  const before = await wire.channel()
  await declare(before, "durable", { durable: true })
  await declare(before, "transient")
  for (const exchange of ["front", "back"])
    await before.call("exchange.declare", 1, { exchange, type: "topic", durable: true })
  await before.call("exchange.bind", 1, { source: "front", destination: "back", routingKey: "#" })
  for (const queue of ["durable", "transient"])
    await before.call("queue.bind", 1, { queue, exchange: "back", routingKey: "a.*" })
  const headers = { queue: "durable", exchange: "amq.headers", arguments: table({ kind: 5 }) }
  await before.call("queue.bind", 1, headers)
  await before.call("queue.bind", 1, { queue: "durable", exchange: "back", routingKey: "gone" })
  await before.call("queue.unbind", 1, { queue: "durable", exchange: "back", routingKey: "gone" })
  await wire.restart()
  const after = await wire.channel()
  await declare(after, "transient")
  await publishAndWait(after, { exchange: "front", routingKey: "a.b", body: text("topic") })
  await publishAndWait(after, { exchange: "back", routingKey: "gone", body: text("unbound") })
  await publishAndWait(after, {
    exchange: "amq.headers",
    properties: { headers: table({ kind: 5n }) },
    body: text("headers"),
  })
  assert.deepEqual(await drain(after, "durable"), ["topic", "headers"])
  assert.deepEqual(await drain(after, "transient"), [])
})

restartTest("what was deleted stays deleted", async (wire) => {
  const before = await wire.channel()
  await declare(before, "q", { durable: true })
  await declare(before, "auto", { durable: true, autoDelete: true })
  await before.call("exchange.declare", 1, { exchange: "x", type: "fanout", durable: true })
  await publishConfirmed(before, "q", ["1"])
  await before.call("queue.delete", 1, { queue: "q" })
  await before.call("exchange.delete", 1, { exchange: "x" })
  const { consumerTag } = await before.call("basic.consume", 1, { queue: "auto" })
  await before.call("basic.cancel", 1, { consumerTag })
  await wire.restart()
  const after = await wire.channel()
  await expectMissing(after, "queue", "q")
  await expectMissing(after, "queue", "auto")
  await expectMissing(after, "exchange", "x")
  await declare(after, "q", { durable: true })
  assert.equal((await countsOf(after, "q")).messages, 0)
})

restartTest("a purge and a committed transaction survive", async (wire) => {
  const before = await wire.channel()
  await declare(before, "q", { durable: true })
  await publishConfirmed(before, "q", ["purged", "purged too"])
  await before.call("queue.purge", 1, { queue: "q" })
  await before.call("tx.select", 1)
  const properties = { deliveryMode: 2 }
  before.publish(1, { routingKey: "q", properties, body: text("committed") })
  await before.call("tx.commit", 1)
  before.publish(1, { routingKey: "q", properties, body: text("not committed") })
  await before.expectQuiet(1)
  await wire.restart()
  assert.deepEqual(await drain(await wire.channel(), "q"), ["committed"])
})

restartTest("an orderly stop tells clients with 320", async (wire) => {
  const client = await wire.channel()
  const stopped = wire.shutDown()
  await client.expectConnectionClose({ code: 320, text: /^CONNECTION_FORCED - /, method: null })
  await stopped
  await wire.restart()
})
