import assert from "node:assert/strict"
import type { WireClient } from "../support/wire-client.ts"
import {
  receiveBodies,
  consume,
  countsOf,
  declare,
  deliveries,
  drain,
  get,
  publishTo,
  wireTest,
  type WireTest,
} from "./harness.ts"

/** A channel with the messages "1" to `count` delivered by basic.get under the same tags. */
async function holding(wire: WireTest, count: number): Promise<WireClient> {
  const client = await wire.channel(2)
  await declare(client, "q")
  publishTo(client, "q", ...Array.from({ length: count }, (_, i) => String(i + 1)))
  for (let i = 0; i < count; i++) await get(client, "q", { noAck: false })
  return client
}

/** What is left unacknowledged, seen by requeueing it. */
async function remaining(client: WireClient): Promise<string[]> {
  await client.call("basic.recover", 1, { requeue: true })
  return drain(client, "q")
}

wireTest("get tells what is left, and get-empty when nothing is", async (wire) => {
  const client = await wire.channel()
  await declare(client, "q")
  publishTo(client, "q", "a", "b")
  const first = await get(client, "q")
  assert.deepEqual(
    [first?.body.toString(), first?.messageCount, first?.redelivered, first?.routingKey],
    ["a", 1, false, "q"],
  )
  assert.equal((await get(client, "q"))?.messageCount, 0)
  assert.equal(await get(client, "q"), null)
})

wireTest("get of a missing queue is refused with 404", async (wire) => {
  const client = await wire.channel()
  client.send("basic.get", 1, { queue: "missing" })
  await client.expectChannelClose(1, {
    code: 404,
    text: "NOT_FOUND - no queue 'missing' in vhost '/'",
    method: "basic.get",
  })
})

wireTest(
  "get without ack removes; with ack the message returns when the channel closes",
  async (wire) => {
    const client = await wire.channel()
    await declare(client, "q")
    publishTo(client, "q", "a", "b")
    await get(client, "q")
    await get(client, "q", { noAck: false })
    await client.call("channel.close", 1, { replyCode: 200 })
    await client.openChannel(1)
    const again = await get(client, "q")
    assert.deepEqual([again?.body.toString(), again?.redelivered], ["b", true])
  },
)

const UNKNOWN: readonly (readonly [
  string,
  "basic.ack" | "basic.nack" | "basic.reject",
  object,
  number,
])[] = [
  ["an unknown tag", "basic.ack", { deliveryTag: 99 }, 99],
  ["an unknown tag of nack", "basic.nack", { deliveryTag: 99 }, 99],
  ["an unknown tag of reject", "basic.reject", { deliveryTag: 99 }, 99],
  ["an unknown tag with multiple", "basic.ack", { deliveryTag: 99, multiple: true }, 99],
  ["an unknown tag of a multiple nack", "basic.nack", { deliveryTag: 99, multiple: true }, 99],
  ["tag 0 without multiple", "basic.ack", { deliveryTag: 0 }, 0],
  ["tag 0 of reject", "basic.reject", { deliveryTag: 0 }, 0],
  ["a tag beyond 2^32", "basic.ack", { deliveryTag: 2 ** 32 + 1 }, 2 ** 32 + 1],
  ["the largest exact tag", "basic.ack", { deliveryTag: 2 ** 53 - 1 }, 2 ** 53 - 1],
]

for (const [what, method, args, tag] of UNKNOWN)
  wireTest(`${what} is refused with 406 and settles nothing`, async (wire) => {
    const client = await holding(wire, 3)
    client.send(method, 1, args)
    await client.expectChannelClose(1, {
      code: 406,
      text: `PRECONDITION_FAILED - unknown delivery tag ${tag}`,
      method,
    })
    await client.openChannel(1)
    assert.deepEqual(await drain(client, "q"), ["1", "2", "3"])
  })

wireTest("settling twice is refused with 406, also after and by a multiple ack", async (wire) => {
  for (const [first, second] of [
    [{ deliveryTag: 1 }, { deliveryTag: 1 }],
    [{ deliveryTag: 2, multiple: true }, { deliveryTag: 1 }],
    [{ deliveryTag: 2 }, { deliveryTag: 2, multiple: true }],
  ] as const) {
    const client = await holding(wire, 3)
    client.send("basic.ack", 1, first)
    client.send("basic.ack", 1, second)
    await client.expectChannelClose(1, {
      code: 406,
      text: `PRECONDITION_FAILED - unknown delivery tag ${second.deliveryTag}`,
      method: "basic.ack",
    })
    await client.openChannel(1)
    await client.call("queue.delete", 1, { queue: "q" })
  }
})

wireTest("an ack of a delivery without acknowledgement is refused with 406", async (wire) => {
  const client = await wire.channel()
  await declare(client, "q")
  publishTo(client, "q", "a")
  const message = await get(client, "q")
  client.send("basic.ack", 1, { deliveryTag: message?.deliveryTag ?? 0 })
  await client.expectChannelClose(1, { code: 406, method: "basic.ack" })
})

wireTest("tags belong to their channel", async (wire) => {
  const client = await holding(wire, 1)
  client.send("basic.ack", 2, { deliveryTag: 1 })
  await client.expectChannelClose(2, {
    code: 406,
    text: "PRECONDITION_FAILED - unknown delivery tag 1",
    method: "basic.ack",
  })
  client.send("basic.ack", 1, { deliveryTag: 1 })
  await client.expectQuiet(1)
})

wireTest(
  "ack settles one, multiple all up to it, and 0 with multiple all there are",
  async (wire) => {
    const client = await holding(wire, 6)
    client.send("basic.ack", 1, { deliveryTag: 5 })
    client.send("basic.ack", 1, { deliveryTag: 2, multiple: true })
    client.send("basic.ack", 1, { deliveryTag: 3 })
    assert.deepEqual(await remaining(client), ["4", "6"])
    client.send("basic.ack", 1, { deliveryTag: 0, multiple: true })
    client.send("basic.nack", 1, { deliveryTag: 0, multiple: true })
    await client.expectQuiet(1)
  },
)

wireTest("ack 0 with multiple settles everything", async (wire) => {
  const client = await holding(wire, 4)
  client.send("basic.ack", 1, { deliveryTag: 0, multiple: true })
  assert.deepEqual(await remaining(client), [])
})

wireTest("reject and nack without requeue drop the message", async (wire) => {
  const client = await holding(wire, 4)
  client.send("basic.reject", 1, { deliveryTag: 1 })
  client.send("basic.nack", 1, { deliveryTag: 2 })
  client.send("basic.nack", 1, { deliveryTag: 3, multiple: true })
  assert.deepEqual(await remaining(client), ["4"])
})

wireTest("a requeued message comes back first, marked as redelivered", async (wire) => {
  const client = await holding(wire, 3)
  publishTo(client, "q", "4")
  client.send("basic.nack", 1, { deliveryTag: 2, requeue: true })
  client.send("basic.reject", 1, { deliveryTag: 1, requeue: true })
  const received: [string, boolean][] = []
  for (let i = 0; i < 3; i++) {
    const message = await get(client, "q")
    received.push([message?.body.toString() ?? "", message?.redelivered ?? false])
  }
  assert.deepEqual(received, [
    ["1", true],
    ["2", true],
    ["4", false],
  ])
})

wireTest("a multiple nack requeues in the old order", async (wire) => {
  const client = await holding(wire, 5)
  publishTo(client, "q", "6")
  client.send("basic.nack", 1, { deliveryTag: 4, multiple: true, requeue: true })
  assert.deepEqual(await drain(client, "q"), ["1", "2", "3", "4", "6"])
  assert.deepEqual(await remaining(client), ["5"])
})

wireTest("requeues of two channels are put back in the old order", async (wire) => {
  const client = await wire.channel(3)
  await declare(client, "q")
  publishTo(client, "q", "1", "2", "3", "4", "5")
  for (const channel of [2, 3, 2, 3]) await get(client, "q", { channel, noAck: false })
  client.send("basic.nack", 3, { deliveryTag: 0, multiple: true, requeue: true })
  await client.expectQuiet(3)
  client.send("basic.nack", 2, { deliveryTag: 0, multiple: true, requeue: true })
  await client.expectQuiet(2)
  assert.deepEqual(await drain(client, "q"), ["1", "2", "3", "4", "5"])
})

wireTest("a lone consumer gets back what it rejects, again and again", async (wire) => {
  const client = await wire.channel()
  await declare(client, "q")
  publishTo(client, "q", "a")
  await consume(client, "q")
  for (let i = 0; i < 20; i++) {
    const [delivery] = await deliveries(client, 1)
    assert.deepEqual([delivery?.deliveryTag, delivery?.redelivered], [i + 1, i > 0])
    client.send("basic.reject", 1, { deliveryTag: i + 1, requeue: true })
  }
})

wireTest("recover requeues everything of the channel and answers", async (wire) => {
  const client = await holding(wire, 3)
  client.send("basic.ack", 1, { deliveryTag: 2 })
  await client.call("basic.recover", 1, { requeue: true })
  assert.equal((await countsOf(client, "q")).messages, 2)
  client.send("basic.ack", 1, { deliveryTag: 1 })
  await client.expectChannelClose(1, {
    code: 406,
    text: "PRECONDITION_FAILED - unknown delivery tag 1",
    method: "basic.ack",
  })
})

wireTest("recover-async does the same without an answer", async (wire) => {
  const client = await holding(wire, 2)
  client.send("basic.recover-async", 1, { requeue: true })
  await client.expectQuiet(1)
  assert.deepEqual(await drain(client, "q"), ["1", "2"])
})

wireTest("recover covers consumers, cancelled consumers and gets alike", async (wire) => {
  const client = await wire.channel()
  await declare(client, "q")
  publishTo(client, "q", "1")
  await get(client, "q", { noAck: false })
  const consumerTag = await consume(client, "q")
  publishTo(client, "q", "2")
  await deliveries(client, 1)
  await client.call("basic.cancel", 1, { consumerTag })
  await client.call("basic.recover", 1, { requeue: true })
  assert.deepEqual(await drain(client, "q"), ["1", "2"])
})

wireTest("recover without requeue is refused with 540", async (wire) => {
  const client = await wire.channel()
  client.send("basic.recover", 1, { requeue: false })
  await client.expectConnectionClose({
    code: 540,
    text: "NOT_IMPLEMENTED - requeue=false",
    method: "basic.recover",
  })
})

wireTest("a lost connection requeues what was not acknowledged, and only that", async (wire) => {
  const lost = await wire.channel()
  const other = await wire.channel()
  await declare(other, "q")
  publishTo(other, "q", "1", "2", "3", "4")
  await other.expectQuiet(1)
  await consume(lost, "q")
  await deliveries(lost, 4)
  lost.send("basic.ack", 1, { deliveryTag: 2 })
  await lost.expectQuiet(1)
  await consume(other, "q", { noAck: true })
  await lost.reset()
  assert.deepEqual(await receiveBodies(other, 3), ["1", "3", "4"])
})

wireTest("thousands of deliveries are settled out of order", async (wire) => {
  const client = await wire.channel()
  await declare(client, "q")
  const count = 5_000
  for (let i = 1; i <= count; i++) publishTo(client, "q", String(i))
  await consume(client, "q", { consumerTag: "t" })
  await deliveries(client, count)
  await client.call("basic.cancel", 1, { consumerTag: "t" })
  for (let tag = count; tag > 0; tag -= 2) client.send("basic.ack", 1, { deliveryTag: tag })
  await client.call("basic.recover", 1, { requeue: true })
  const left = await drain(client, "q")
  assert.deepEqual(
    left,
    Array.from({ length: count / 2 }, (_, i) => String(2 * i + 1)),
  )
})
