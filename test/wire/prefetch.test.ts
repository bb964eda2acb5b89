import assert from "node:assert/strict"
import { receiveBodies, consume, declare, deliveries, get, publishTo, wireTest } from "./harness.ts"

wireTest(
  "at most N deliveries are outstanding, and each ack lets one more through",
  async (wire) => {
    const client = await wire.channel()
    await declare(client, "q")
    publishTo(client, "q", "1", "2", "3", "4", "5")
    await client.call("basic.qos", 1, { prefetchCount: 2 })
    await consume(client, "q")
    assert.deepEqual(await receiveBodies(client, 2), ["1", "2"])
    await client.expectQuiet(1)
    client.send("basic.ack", 1, { deliveryTag: 1 })
    assert.deepEqual(await receiveBodies(client, 1), ["3"])
    await client.expectQuiet(1)
    client.send("basic.reject", 1, { deliveryTag: 2 })
    assert.deepEqual(await receiveBodies(client, 1), ["4"])
    await client.expectQuiet(1)
  },
)

wireTest("a multiple ack frees as many places as it settles", async (wire) => {
  const client = await wire.channel()
  await declare(client, "q")
  publishTo(client, "q", "1", "2", "3", "4", "5", "6", "7")
  await client.call("basic.qos", 1, { prefetchCount: 3 })
  await consume(client, "q")
  await deliveries(client, 3)
  client.send("basic.ack", 1, { deliveryTag: 3, multiple: true })
  assert.deepEqual(await receiveBodies(client, 3), ["4", "5", "6"])
  await client.expectQuiet(1)
})

wireTest("without qos, or with 0, there is no limit", async (wire) => {
  const client = await wire.channel(2)
  await declare(client, "q1")
  await declare(client, "q2")
  await consume(client, "q1")
  await client.call("basic.qos", 2, { prefetchCount: 0 })
  await consume(client, "q2", { channel: 2 })
  for (let i = 0; i < 2_000; i++) {
    publishTo(client, "q1", "x")
    publishTo(client, "q2", "x")
  }
  await deliveries(client, 2_000, 1)
  await deliveries(client, 2_000, 2)
})

wireTest(
  "global=false counts for each consumer, and for those that start later only",
  async (wire) => {
    const client = await wire.channel()
    await declare(client, "q1")
    await declare(client, "q2")
    await declare(client, "q3")
    await consume(client, "q3") // Before the limit.
    await client.call("basic.qos", 1, { prefetchCount: 1 })
    await consume(client, "q1")
    await consume(client, "q2")
    for (const queue of ["q1", "q2", "q3"]) publishTo(client, queue, "1", "2", "3")
    const received = await deliveries(client, 5)
    const countOf = (queue: string): number =>
      received.filter(({ routingKey }) => routingKey === queue).length
    assert.deepEqual([countOf("q1"), countOf("q2"), countOf("q3")], [1, 1, 3])
    await client.expectQuiet(1)
  },
)

wireTest("global=true is shared by all consumers of the channel", async (wire) => {
  const client = await wire.channel()
  await declare(client, "q1")
  await declare(client, "q2")
  await client.call("basic.qos", 1, { prefetchCount: 3, global: true })
  await consume(client, "q1")
  await consume(client, "q2")
  for (const queue of ["q1", "q2"]) publishTo(client, queue, "1", "2", "3")
  await deliveries(client, 3)
  await client.expectQuiet(1)
  client.send("basic.ack", 1, { deliveryTag: 0, multiple: true })
  await deliveries(client, 3)
  await client.expectQuiet(1)
})

wireTest("under a common limit, consumers and queues have their turns", async (wire) => {
  const client = await wire.channel(2)
  await declare(client, "q1")
  await declare(client, "q2")
  await client.call("basic.qos", 1, { prefetchCount: 1, global: true })
  for (const consumerTag of ["a", "b"]) await consume(client, "q1", { consumerTag })
  await consume(client, "q2", { consumerTag: "c" })
  for (const queue of ["q1", "q2"]) publishTo(client, queue, "1", "2", "3", "4", "5", "6")
  const turns = new Map<string, number>()
  for (let i = 0; i < 6; i++) {
    const [delivery] = await deliveries(client, 1)
    const tag = delivery!.consumerTag
    turns.set(tag, (turns.get(tag) ?? 0) + 1)
    client.send("basic.ack", 1, { deliveryTag: delivery!.deliveryTag })
  }
  for (const tag of ["a", "b", "c"]) assert.equal(turns.get(tag), 2, tag)
})

wireTest("who does not acknowledge waits while the common limit is reached", async (wire) => {
  const client = await wire.channel(2)
  await declare(client, "q1")
  await declare(client, "q2")
  await client.call("basic.qos", 1, { prefetchCount: 1, global: true })
  await consume(client, "q1")
  await consume(client, "q2", { noAck: true })
  publishTo(client, "q2", "a", "b")
  assert.deepEqual(await receiveBodies(client, 2), ["a", "b"])
  publishTo(client, "q1", "c")
  assert.deepEqual(await receiveBodies(client, 1), ["c"])
  publishTo(client, "q2", "d")
  await client.expectQuiet(1)
  client.send("basic.ack", 1, { deliveryTag: 3 })
  assert.deepEqual(await receiveBodies(client, 1), ["d"])
})

wireTest("Kombu's limit counts for the consumers that there are, too", async (wire) => {
  const client = await wire.open({ product: "py-amqp" })
  await client.openChannel(1)
  await declare(client, "q")
  await client.call("basic.qos", 1, { prefetchCount: 1 })
  await consume(client, "q")
  publishTo(client, "q", "1", "2", "3", "4", "5")
  assert.deepEqual(await receiveBodies(client, 1), ["1"])
  client.send("basic.qos", 1, { prefetchCount: 3 })
  await client.expect("basic.qos-ok", 1)
  assert.deepEqual(await receiveBodies(client, 2), ["2", "3"])
  await client.call("basic.qos", 1, { prefetchCount: 2 })
  client.send("basic.ack", 1, { deliveryTag: 1 })
  await client.expectQuiet(1)
  client.send("basic.ack", 1, { deliveryTag: 2 })
  assert.deepEqual(await receiveBodies(client, 1), ["4"])
})

wireTest("both limits hold together", async (wire) => {
  const client = await wire.channel()
  await declare(client, "q1")
  await declare(client, "q2")
  await client.call("basic.qos", 1, { prefetchCount: 2 })
  await client.call("basic.qos", 1, { prefetchCount: 3, global: true })
  await consume(client, "q1")
  await consume(client, "q2")
  publishTo(client, "q1", "1", "2", "3")
  await deliveries(client, 2)
  await client.expectQuiet(1)
  publishTo(client, "q2", "1", "2", "3")
  await deliveries(client, 1)
  await client.expectQuiet(1)
})

wireTest("a prefetch-size is refused with 540", async (wire) => {
  const client = await wire.channel()
  client.send("basic.qos", 1, { prefetchSize: 100 })
  await client.expectConnectionClose({
    code: 540,
    text: "NOT_IMPLEMENTED - prefetch_size!=0 (100)",
    method: "basic.qos",
  })
})

wireTest("lowering the shared limit holds deliveries until enough is settled", async (wire) => {
  const client = await wire.channel()
  await declare(client, "q")
  await client.call("basic.qos", 1, { prefetchCount: 5, global: true })
  await consume(client, "q")
  publishTo(client, "q", "1", "2", "3", "4", "5", "6", "7", "8")
  await deliveries(client, 5)
  await client.call("basic.qos", 1, { prefetchCount: 2, global: true })
  client.send("basic.ack", 1, { deliveryTag: 3, multiple: true })
  await client.expectQuiet(1)
  client.send("basic.ack", 1, { deliveryTag: 4 })
  assert.deepEqual(await receiveBodies(client, 1), ["6"])
  await client.expectQuiet(1)
  await client.call("basic.qos", 1, { prefetchCount: 3, global: true })
  assert.deepEqual(await receiveBodies(client, 1), ["7"])
})

wireTest("basic.get is not limited and takes no place of a consumer", async (wire) => {
  const client = await wire.channel()
  await declare(client, "q")
  publishTo(client, "q", "1", "2", "3", "4")
  await client.call("basic.qos", 1, { prefetchCount: 1 })
  for (const body of ["1", "2", "3"])
    assert.equal((await get(client, "q", { noAck: false }))?.body.toString(), body)
  await consume(client, "q")
  assert.deepEqual(await receiveBodies(client, 1), ["4"])
})

wireTest("prefetch 1 deals out fairly between a busy and an idle consumer", async (wire) => {
  const client = await wire.channel(3)
  await declare(client, "q")
  for (const channel of [2, 3]) {
    await client.call("basic.qos", channel, { prefetchCount: 1 })
    await consume(client, "q", { channel })
  }
  publishTo(client, "q", "1", "2", "3", "4", "5", "6")
  await deliveries(client, 1, 2)
  for (let i = 0; i < 5; i++) {
    const [delivery] = await deliveries(client, 1, 3)
    client.send("basic.ack", 3, { deliveryTag: delivery?.deliveryTag ?? 0 })
  }
})
