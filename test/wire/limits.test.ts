/** Length limits of queues: what is dropped, what is refused, and who still gets a copy. */
import assert from "node:assert/strict"
import type { WireClient } from "../support/wire-client.ts"
import { eventually } from "../support/eventually.ts"
import {
  consume,
  countsOf,
  declare,
  drain,
  get,
  publishAndWait,
  publishTo,
  receiveBodies,
  text,
  wireTest,
} from "./harness.ts"

async function holds(client: WireClient, queue: string, messages: number): Promise<void> {
  await eventually(async () => {
    assert.equal((await countsOf(client, queue)).messages, messages)
  })
}

/** Publishes on a confirm channel; whether the broker took it. */
async function isConfirmed(
  client: WireClient,
  routingKey: string,
  exchange = "",
  body = "m",
): Promise<boolean> {
  client.publish(1, { exchange, routingKey, body: text(body) })
  const { name } = await client.next(1, "a confirm")
  assert.ok(name === "basic.ack" || name === "basic.nack", name)
  return name === "basic.ack"
}

wireTest("the oldest messages leave a queue that is too long", async (wire) => {
  const client = await wire.channel()
  await declare(client, "q", { arguments: { "x-max-length": 3 } })
  publishTo(client, "q", "1", "2", "3", "4", "5")
  assert.equal((await countsOf(client, "q")).messages, 3)
  assert.deepEqual(await drain(client, "q"), ["3", "4", "5"])
})

wireTest("a queue that is too long by what came back is cut before the next get", async (wire) => {
  const client = await wire.channel()
  await declare(client, "dead")
  await declare(client, "q", {
    arguments: {
      "x-max-length": 2,
      "x-dead-letter-exchange": "",
      "x-dead-letter-routing-key": "dead",
    },
  })
  publishTo(client, "q", "1", "2")
  await get(client, "q", { noAck: false })
  await get(client, "q", { noAck: false })
  publishTo(client, "q", "3", "4")
  client.send("basic.nack", 1, { deliveryTag: 2, multiple: true, requeue: true })
  const head = await get(client, "q")
  assert.deepEqual([head?.body.toString(), head?.messageCount], ["3", 1])
  assert.deepEqual(await drain(client, "dead"), ["1", "2"])
})

wireTest("bytes are those of bodies", async (wire) => {
  const client = await wire.channel()
  await declare(client, "q", { arguments: { "x-max-length-bytes": 10 } })
  publishTo(client, "q", "12345", "67890")
  assert.equal((await countsOf(client, "q")).messages, 2)
  publishTo(client, "q", "abc")
  assert.deepEqual(await drain(client, "q"), ["67890", "abc"])
  publishTo(client, "q", "larger than all")
  assert.equal((await countsOf(client, "q")).messages, 0)
})

wireTest("both limits hold together", async (wire) => {
  const client = await wire.channel()
  await declare(client, "q", { arguments: { "x-max-length": 3, "x-max-length-bytes": 6 } })
  publishTo(client, "q", "a", "b", "c", "d")
  assert.equal((await countsOf(client, "q")).messages, 3)
  publishTo(client, "q", "12345")
  assert.deepEqual(await drain(client, "q"), ["d", "12345"])
})

wireTest("what consumers hold does not count", async (wire) => {
  const client = await wire.channel()
  await declare(client, "q", { arguments: { "x-max-length": 2 } })
  publishTo(client, "q", "1", "2")
  for (let i = 0; i < 2; i++) await get(client, "q", { noAck: false })
  publishTo(client, "q", "3", "4")
  assert.equal((await countsOf(client, "q")).messages, 2)
  await client.call("basic.recover", 1, { requeue: true })
  await holds(client, "q", 2)
  assert.deepEqual(await drain(client, "q"), ["3", "4"]) // The head is what came back.
})

wireTest("a queue that may hold nothing passes messages to who waits", async (wire) => {
  const client = await wire.channel(2)
  for (const overflow of ["drop-head", "reject-publish"]) {
    const queue = overflow
    await declare(client, queue, { arguments: { "x-max-length": 0, "x-overflow": overflow } })
    publishTo(client, queue, "lost")
    assert.equal((await countsOf(client, queue)).messages, 0)
    await consume(client, queue, { channel: 2 })
    publishTo(client, queue, "1", "2")
    assert.deepEqual(await receiveBodies(client, 2, 2), ["1", "2"])
  }
})

wireTest("a consumer that is slow does not keep the queue from dropping", async (wire) => {
  const client = await wire.channel(2)
  await client.call("basic.qos", 2, { prefetchCount: 1 })
  await declare(client, "q", { arguments: { "x-max-length": 1 } })
  await consume(client, "q", { channel: 2 })
  publishTo(client, "q", "1", "2", "3", "4")
  const [first] = await receiveBodies(client, 1, 2)
  assert.equal(first, "1")
  await holds(client, "q", 1)
  client.send("basic.ack", 2, { deliveryTag: 1 })
  assert.deepEqual(await receiveBodies(client, 1, 2), ["4"])
})

wireTest("reject-publish refuses with a nack, and takes again when there is room", async (wire) => {
  const client = await wire.channel(2)
  await declare(client, "q", { arguments: { "x-max-length": 2, "x-overflow": "reject-publish" } })
  await client.call("confirm.select", 1)
  assert.equal(await isConfirmed(client, "q"), true)
  assert.equal(await isConfirmed(client, "q"), true)
  assert.equal(await isConfirmed(client, "q"), false)
  await get(client, "q", { channel: 2 })
  assert.equal(await isConfirmed(client, "q"), true)
  assert.equal(await isConfirmed(client, "q"), false)
})

wireTest("without confirms what is refused is dropped in silence", async (wire) => {
  const client = await wire.channel()
  await declare(client, "q", {
    arguments: { "x-max-length-bytes": 4, "x-overflow": "reject-publish" },
  })
  publishTo(client, "q", "abc", "de", "f")
  assert.deepEqual(await drain(client, "q"), ["abc", "f"])
})

wireTest("other queues keep the message that one of them refused", async (wire) => {
  const client = await wire.channel(2)
  await client.call("exchange.declare", 1, { exchange: "both", type: "fanout" })
  await declare(client, "full", {
    arguments: { "x-max-length": 0, "x-overflow": "reject-publish" },
  })
  await declare(client, "free")
  for (const queue of ["full", "free"])
    await client.call("queue.bind", 1, { queue, exchange: "both" })
  await client.call("confirm.select", 1)
  assert.equal(await isConfirmed(client, "", "both"), false)
  assert.equal((await countsOf(client, "free", 2)).messages, 1)
})

wireTest("dropped and refused messages are dead-lettered where that is asked for", async (wire) => {
  const client = await wire.channel(2)
  const dead = { "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead" }
  await declare(client, "dead")
  await declare(client, "drops", { arguments: { ...dead, "x-max-length": 1 } })
  publishTo(client, "drops", "1", "2")
  await holds(client, "dead", 1)
  await declare(client, "refuses", {
    arguments: { ...dead, "x-max-length": 1, "x-overflow": "reject-publish" },
  })
  publishTo(client, "refuses", "3", "4")
  await declare(client, "passes", {
    arguments: { ...dead, "x-max-length": 1, "x-overflow": "reject-publish-dlx" },
  })
  await client.call("confirm.select", 1)
  assert.equal(await isConfirmed(client, "passes", "", "5"), true)
  assert.equal(await isConfirmed(client, "passes", "", "6"), false)
  await holds(client, "dead", 2)
  client.send("basic.get", 2, { queue: "dead", noAck: true })
  assert.equal((await client.expect("basic.get-ok", 2)).body.toString(), "1")
  client.send("basic.get", 2, { queue: "dead", noAck: true })
  const { body, properties } = await client.expect("basic.get-ok", 2)
  assert.equal(body.toString(), "6")
  assert.equal(properties.headers?.get("x-first-death-reason"), "maxlen")
})

wireTest("a policy shortens a full queue, and lets it grow again", async (wire) => {
  const client = await wire.channel()
  await declare(client, "q")
  const bodies = Array.from({ length: 3000 }, (_, i) => String(i))
  publishTo(client, "q", ...bodies)
  await holds(client, "q", 3000)
  await wire.vhost.policies.set("short", { pattern: "q", definition: { "max-length": 10 } })
  await holds(client, "q", 10)
  await wire.vhost.policies.set("short", { pattern: "q", definition: { "max-length-bytes": 20 } })
  await holds(client, "q", 5)
  await wire.vhost.policies.delete("short")
  publishTo(client, "q", ...bodies.slice(0, 100))
  await holds(client, "q", 105)
})

wireTest("a queue with priorities drops its head first", async (wire) => {
  const client = await wire.channel()
  await declare(client, "q", { arguments: { "x-max-priority": 3, "x-max-length": 2 } })
  for (const [body, priority] of [
    ["low", 0],
    ["high", 3],
    ["middle", 1],
  ] as const)
    await publishAndWait(client, { routingKey: "q", properties: { priority }, body: text(body) })
  assert.deepEqual(await drain(client, "q"), ["middle", "low"])
})
