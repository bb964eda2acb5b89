/** Single active consumer, exclusive consumers and their refusals, consumer priorities. */
import assert from "node:assert/strict"
import type { PlainRecord } from "../../src/amqp/table.ts"
import type { WireClient } from "../support/wire-client.ts"
import {
  consume,
  countsOf,
  declare,
  deliveries,
  publishTo,
  receiveBodies,
  table,
  wireTest,
} from "./harness.ts"

const SINGLE: { arguments: PlainRecord } = { arguments: { "x-single-active-consumer": true } }

async function refuseConsume(
  client: WireClient,
  queue: string,
  exclusive: boolean,
  channel: number,
): Promise<void> {
  client.send("basic.consume", channel, { queue, exclusive })
  await client.expectChannelClose(channel, {
    code: 403,
    text: `ACCESS_REFUSED - queue '${queue}' in vhost '/' in exclusive use`,
    method: "basic.consume",
  })
}

wireTest(
  "only the first consumer gets messages; the next one takes over when it leaves",
  async (wire) => {
    const client = await wire.channel(4)
    await declare(client, "q", SINGLE)
    const first = await consume(client, "q", { channel: 2 })
    await consume(client, "q", { channel: 3, arguments: { "x-priority": 10 } })
    await consume(client, "q", { channel: 4 })
    const active = (): string[] => {
      const queue = wire.vhost.queues.get("q")!
      return [...queue.subscribers].filter((one) => queue.isActive?.(one)).map(({ tag }) => tag)
    }
    assert.deepEqual(active(), [first])
    assert.equal((await countsOf(client, "q")).consumers, 3)
    publishTo(client, "q", "1", "2", "3")
    assert.deepEqual(await receiveBodies(client, 3, 2), ["1", "2", "3"])
    await client.call("basic.cancel", 2, { consumerTag: first })
    publishTo(client, "q", "4")
    assert.deepEqual(await receiveBodies(client, 1, 3), ["4"]) // In flight of the first: no matter.
    await client.call("channel.close", 3)
    const again = await deliveries(client, 1, 4)
    assert.equal(again[0]!.body.toString(), "4")
    assert.equal(again[0]!.redelivered, true)
  },
)

wireTest("a waiting consumer may leave without being noticed", async (wire) => {
  const client = await wire.channel(4)
  await declare(client, "q", SINGLE)
  const first = await consume(client, "q", { channel: 2 })
  const second = await consume(client, "q", { channel: 3 })
  await consume(client, "q", { channel: 4, noAck: true })
  await client.call("basic.cancel", 3, { consumerTag: second })
  publishTo(client, "q", "1")
  assert.deepEqual(await receiveBodies(client, 1, 2), ["1"])
  await client.call("basic.cancel", 2, { consumerTag: first })
  publishTo(client, "q", "2")
  assert.deepEqual(await receiveBodies(client, 1, 4), ["2"])
})

wireTest("the active consumer keeps its place when it has no room", async (wire) => {
  const client = await wire.channel(3)
  await client.call("basic.qos", 2, { prefetchCount: 1 })
  await declare(client, "q", SINGLE)
  await consume(client, "q", { channel: 2 })
  await consume(client, "q", { channel: 3 })
  publishTo(client, "q", "1", "2")
  assert.deepEqual(await receiveBodies(client, 1, 2), ["1"])
  assert.equal((await countsOf(client, "q")).messages, 1)
  client.send("basic.ack", 2, { deliveryTag: 1 })
  assert.deepEqual(await receiveBodies(client, 1, 2), ["2"])
})

wireTest("exclusive consumers are refused where there is a single active one", async (wire) => {
  const client = await wire.channel(2)
  await declare(client, "q", SINGLE)
  await refuseConsume(client, "q", true, 2)
})

wireTest("a classic queue has one exclusive consumer or several others", async (wire) => {
  const client = await wire.channel(4)
  await declare(client, "q")
  const tag = await consume(client, "q", { exclusive: true })
  await refuseConsume(client, "q", false, 2)
  await refuseConsume(client, "q", true, 3)
  await client.call("basic.cancel", 1, { consumerTag: tag })
  await consume(client, "q")
  await refuseConsume(client, "q", true, 4)
})

wireTest("a quorum queue does not enforce the exclusive flag", async (wire) => {
  const client = await wire.channel(2)
  await declare(client, "q", { durable: true, arguments: { "x-queue-type": "quorum" } })
  await consume(client, "q", { exclusive: true })
  await consume(client, "q", { exclusive: true, channel: 2 })
})

wireTest("basic.get is refused on a quorum queue with a single active consumer", async (wire) => {
  const client = await wire.channel()
  await client.call("queue.declare", 1, {
    queue: "q",
    durable: true,
    arguments: table({ "x-queue-type": "quorum", "x-single-active-consumer": true }),
  })
  client.send("basic.get", 1, { queue: "q" })
  await client.expectChannelClose(1, {
    code: 405,
    text:
      "RESOURCE_LOCKED - cannot obtain access to locked queue 'q' in vhost '/'. basic.get operations " +
      "are not supported by quorum queues with single active consumer",
    method: "basic.get",
  })
})

wireTest("a consumer of higher priority gets everything that it has room for", async (wire) => {
  const client = await wire.channel(3)
  await declare(client, "q")
  await client.call("basic.qos", 3, { prefetchCount: 2 })
  await consume(client, "q", { channel: 2 })
  await consume(client, "q", { channel: 3, arguments: { "x-priority": 5 } })
  publishTo(client, "q", "1", "2", "3")
  assert.deepEqual(await receiveBodies(client, 2, 3), ["1", "2"])
  assert.deepEqual(await receiveBodies(client, 1, 2), ["3"])
})
