import assert from "node:assert/strict"
import { eventually } from "../support/eventually.ts"
import {
  receiveBodies,
  consume,
  countsOf,
  declare,
  deliveries,
  drain,
  get,
  publishTo,
  table,
  text,
  wireTest,
} from "./harness.ts"

wireTest("consume-ok comes before the first delivery", async (wire) => {
  const client = await wire.channel()
  await declare(client, "q")
  publishTo(client, "q", "a")
  client.send("basic.consume", 1, { queue: "q", consumerTag: "t", noAck: true })
  assert.equal((await client.expect("basic.consume-ok", 1)).consumerTag, "t")
  const delivery = await client.expect("basic.deliver", 1)
  assert.equal(delivery.consumerTag, "t")
  assert.equal(delivery.deliveryTag, 1)
  assert.equal(delivery.redelivered, false)
  assert.deepEqual([delivery.exchange, delivery.routingKey], ["", "q"])
})

wireTest("messages present and future arrive in order", async (wire) => {
  const client = await wire.channel()
  await declare(client, "q")
  publishTo(client, "q", "1", "2")
  await consume(client, "q")
  publishTo(client, "q", "3")
  assert.deepEqual(await receiveBodies(client, 3), ["1", "2", "3"])
  publishTo(client, "q", "4")
  assert.deepEqual(await receiveBodies(client, 1), ["4"])
})

wireTest("an empty tag is replaced by a fresh one", async (wire) => {
  const client = await wire.channel()
  await declare(client, "q")
  const tags = new Set<string>()
  for (let i = 0; i < 20; i++) tags.add(await consume(client, "q"))
  assert.equal(tags.size, 20)
  for (const tag of tags) assert.match(tag, /^amq\.ctag-.{22}$/)
})

wireTest(
  "a tag in use closes the connection with 530, before the queue is looked at",
  async (wire) => {
    const client = await wire.channel()
    await declare(client, "q")
    await consume(client, "q", { consumerTag: "t" })
    client.send("basic.consume", 1, { queue: "missing", consumerTag: "t" })
    await client.expectConnectionClose({
      code: 530,
      text: "NOT_ALLOWED - attempt to reuse consumer tag 't'",
      method: "basic.consume",
    })
  },
)

wireTest("one tag may be used on two channels", async (wire) => {
  const client = await wire.channel(2)
  await declare(client, "q")
  await consume(client, "q", { consumerTag: "t" })
  await consume(client, "q", { consumerTag: "t", channel: 2 })
})

wireTest("a missing queue is refused with 404", async (wire) => {
  const client = await wire.channel()
  client.send("basic.consume", 1, { queue: "missing" })
  await client.expectChannelClose(1, {
    code: 404,
    text: "NOT_FOUND - no queue 'missing' in vhost '/'",
    method: "basic.consume",
  })
})

wireTest("after cancel-ok nothing more arrives, and the tag is free", async (wire) => {
  const client = await wire.channel()
  await declare(client, "q")
  await consume(client, "q", { consumerTag: "t", noAck: true })
  await client.call("basic.cancel", 1, { consumerTag: "t" })
  publishTo(client, "q", "a")
  await client.expectQuiet(1)
  await consume(client, "q", { consumerTag: "t", noAck: true })
  assert.deepEqual(await receiveBodies(client, 1), ["a"])
})

wireTest("cancelling an unknown tag is answered; nowait is not", async (wire) => {
  const client = await wire.channel()
  const reply = await client.call("basic.cancel", 1, { consumerTag: "unknown" })
  assert.equal(reply.consumerTag, "unknown")
  client.send("basic.cancel", 1, { consumerTag: "unknown", nowait: true })
  await client.expectQuiet(1)
})

wireTest("a cancel leaves deliveries outstanding, and they can be settled after", async (wire) => {
  const client = await wire.channel()
  await declare(client, "q")
  publishTo(client, "q", "a", "b", "c")
  const consumerTag = await consume(client, "q")
  await deliveries(client, 3)
  await client.call("basic.cancel", 1, { consumerTag })
  assert.equal((await countsOf(client, "q")).messages, 0)
  client.send("basic.ack", 1, { deliveryTag: 1 })
  client.send("basic.nack", 1, { deliveryTag: 3, multiple: true, requeue: true })
  assert.deepEqual(await drain(client, "q"), ["b", "c"])
})

wireTest("no-ack deliveries are gone when sent, and no prefetch holds them", async (wire) => {
  const client = await wire.channel()
  await declare(client, "q")
  publishTo(client, "q", "1", "2", "3", "4", "5")
  await client.call("basic.qos", 1, { prefetchCount: 1 })
  await consume(client, "q", { noAck: true })
  await deliveries(client, 5)
  await client.call("channel.close", 1, { replyCode: 200 })
  await client.openChannel(1)
  assert.equal((await countsOf(client, "q")).messages, 0)
})

wireTest(
  "an exclusive consumer keeps others out, and must be alone to begin with",
  async (wire) => {
    const client = await wire.channel(2)
    const wanted = {
      code: 403,
      text: "ACCESS_REFUSED - queue 'q' in vhost '/' in exclusive use",
      method: "basic.consume",
    } as const
    await declare(client, "q")
    await consume(client, "q", { exclusive: true, consumerTag: "t" })
    for (const exclusive of [false, true]) {
      client.send("basic.consume", 2, { queue: "q", exclusive })
      await client.expectChannelClose(2, wanted)
      await client.openChannel(2)
    }
    await client.call("basic.cancel", 1, { consumerTag: "t" })
    await consume(client, "q", { channel: 2 })
    client.send("basic.consume", 1, { queue: "q", exclusive: true })
    await client.expectChannelClose(1, wanted)
  },
)

wireTest("an exclusive consumer does not keep others from basic.get", async (wire) => {
  const client = await wire.channel(2)
  await declare(client, "q")
  await client.call("basic.qos", 1, { prefetchCount: 1 })
  await consume(client, "q", { exclusive: true })
  publishTo(client, "q", "a", "b")
  await deliveries(client, 1)
  assert.equal((await get(client, "q", { channel: 2 }))?.body.toString(), "b")
})

wireTest("equal consumers take turns", async (wire) => {
  const client = await wire.channel(4)
  await declare(client, "q")
  for (const channel of [2, 3, 4]) await consume(client, "q", { channel, noAck: true })
  for (let i = 0; i < 30; i++) publishTo(client, "q", String(i))
  for (const channel of [2, 3, 4]) {
    const received = (await receiveBodies(client, 10, channel)).map(Number)
    assert.ok(
      received.every(
        (n, i) => n % 3 === (received[0] ?? 0) % 3 && n === (received[0] ?? 0) + 3 * i,
      ),
      String(received),
    )
  }
})

wireTest("a higher priority goes first and a lower one helps when it is busy", async (wire) => {
  const client = await wire.channel(3)
  await declare(client, "q")
  await client.call("basic.qos", 2, { prefetchCount: 2 })
  await consume(client, "q", { channel: 3, arguments: { "x-priority": -5 } })
  await consume(client, "q", { channel: 2, arguments: { "x-priority": 10 } })
  publishTo(client, "q", "1", "2", "3")
  assert.deepEqual(await receiveBodies(client, 2, 2), ["1", "2"])
  assert.deepEqual(await receiveBodies(client, 1, 3), ["3"])
  client.send("basic.ack", 2, { deliveryTag: 1 })
  await client.expectQuiet(2)
  publishTo(client, "q", "4", "5")
  assert.deepEqual(await receiveBodies(client, 1, 2), ["4"])
  assert.deepEqual(await receiveBodies(client, 1, 3), ["5"])
})

wireTest("consumers of the top priority take turns", async (wire) => {
  const client = await wire.channel(4)
  await declare(client, "q")
  await consume(client, "q", { channel: 2, noAck: true })
  for (const channel of [3, 4])
    await consume(client, "q", { channel, noAck: true, arguments: { "x-priority": 1 } })
  for (let i = 0; i < 10; i++) publishTo(client, "q", String(i))
  await deliveries(client, 5, 3)
  await deliveries(client, 5, 4)
  await client.expectQuiet(2)
})

wireTest("x-priority of another type is refused with 406", async (wire) => {
  const client = await wire.channel()
  await declare(client, "q")
  await consume(client, "q", { arguments: { "x-priority": 2n } })
  for (const value of ["high", 1.5, true]) {
    client.send("basic.consume", 1, { queue: "q", arguments: table({ "x-priority": value }) })
    await client.expectChannelClose(1, {
      code: 406,
      text: /^PRECONDITION_FAILED - /,
      method: "basic.consume",
    })
    await client.openChannel(1)
  }
})

wireTest(
  "a consumer of an empty queue gets the first publish, and a requeued message, at once",
  async (wire) => {
    const client = await wire.channel(2)
    await declare(client, "q")
    await consume(client, "q", { channel: 2 })
    publishTo(client, "q", "a")
    const [first] = await deliveries(client, 1, 2)
    client.send("basic.nack", 2, { deliveryTag: first?.deliveryTag ?? 0, requeue: true })
    const [second] = await deliveries(client, 1, 2)
    assert.deepEqual([second?.body.toString(), second?.redelivered], ["a", true])
  },
)

wireTest("consume with nowait sends no consume-ok, but delivers", async (wire) => {
  const client = await wire.channel()
  await declare(client, "q")
  client.send("basic.consume", 1, { queue: "q", consumerTag: "t", noAck: true, nowait: true })
  publishTo(client, "q", "a")
  assert.equal((await deliveries(client, 1))[0]?.consumerTag, "t")
  client.send("basic.consume", 1, { queue: "missing", nowait: true })
  await client.expectChannelClose(1, { code: 404, method: "basic.consume" })
})

wireTest("what could not be written to a lost connection is delivered to another", async (wire) => {
  const lost = await wire.channel()
  const other = await wire.channel()
  await declare(other, "q")
  await consume(lost, "q")
  lost.pause()
  const count = 200
  for (let i = 0; i < count; i++)
    other.publish(1, { routingKey: "q", body: Buffer.alloc(10_000, String(i % 10)) })
  await other.expectQuiet(1)
  await lost.reset()
  await eventually(async () => {
    assert.deepEqual(await countsOf(other, "q"), { messages: count, consumers: 0 })
  })
  await consume(other, "q", { noAck: true })
  const received = await deliveries(other, count)
  received.forEach(({ body }, i) => assert.equal(body[0], 48 + (i % 10)))
})

wireTest("a consumer that does not read holds up nobody else", async (wire) => {
  const slow = await wire.channel()
  const fast = await wire.channel()
  await declare(fast, "q")
  await consume(slow, "q", { noAck: true })
  await consume(fast, "q", { noAck: true })
  slow.pause()
  // 50 MB: half of it is far more than the socket and one output buffer take from the slow one.
  const body = Buffer.alloc(50_000)
  const count = 1_000
  for (let i = 0; i < count; i++) fast.publish(1, { routingKey: "q", body })
  for (let i = 0; i <= count / 2; i++) await fast.expect("basic.deliver", 1)
})

wireTest("delivery tags are shared by consumers and gets of a channel", async (wire) => {
  const client = await wire.channel()
  await declare(client, "q")
  publishTo(client, "q", "a")
  assert.equal((await get(client, "q", { noAck: false }))?.deliveryTag, 1)
  await consume(client, "q")
  await consume(client, "q")
  publishTo(client, "q", "b", "c")
  const tags = (await deliveries(client, 2)).map(({ deliveryTag }) => deliveryTag)
  assert.deepEqual(tags, [2, 3])
})

wireTest(
  "a consumer sees messages that were published with text keys and empty bodies",
  async (wire) => {
    const client = await wire.channel()
    await declare(client, "q")
    await client.call("queue.bind", 1, { queue: "q", exchange: "amq.topic", routingKey: "#" })
    await consume(client, "q", { noAck: true })
    client.publish(1, { exchange: "amq.topic", routingKey: "k".repeat(255) })
    client.publish(1, { exchange: "amq.topic", routingKey: "é", body: text("") })
    const received = await deliveries(client, 2)
    assert.deepEqual(
      received.map(({ exchange, routingKey, body }) => [exchange, routingKey, body.length]),
      [
        ["amq.topic", "k".repeat(255), 0],
        ["amq.topic", "é", 0],
      ],
    )
  },
)
