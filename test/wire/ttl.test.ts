/** Time to live of messages and leases of queues, by a clock that the test moves. */
import assert from "node:assert/strict"
import type { PlainRecord } from "../../src/amqp/table.ts"
import { MemoryDisk } from "../../src/storage/memory-disk.ts"
import { ManualClock } from "../../src/util/clock.ts"
import { eventually } from "../support/eventually.ts"
import type { WireClient } from "../support/wire-client.ts"
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
  type WireTest,
} from "./harness.ts"

function timedTest(
  name: string,
  body: (wire: WireTest, clock: ManualClock) => Promise<void>,
): void {
  const clock = new ManualClock()
  wireTest(name, (wire) => body(wire, clock), { clock, disk: new MemoryDisk() })
}

/** A timer is up to a tick late. */
const TICK_MS = 16

function publishLiving(client: WireClient, queue: string, body: string, ms: number): void {
  client.publish(1, {
    routingKey: queue,
    properties: { expiration: String(ms), deliveryMode: 2 },
    body: text(body),
  })
}

async function becomes(client: WireClient, queue: string, messages: number): Promise<void> {
  await eventually(async () => {
    assert.equal((await countsOf(client, queue)).messages, messages)
  })
}

async function isGone(wire: WireTest, queue: string): Promise<void> {
  await eventually(() => assert.equal(wire.vhost.queues.has(queue), false))
}

timedTest(
  "messages of a queue with a time to live go when their time has come",
  async (wire, clock) => {
    const client = await wire.channel()
    await declare(client, "q", { arguments: { "x-message-ttl": 1000 } })
    publishTo(client, "q", "1", "2")
    await becomes(client, "q", 2)
    clock.advance(500)
    publishTo(client, "q", "3")
    await becomes(client, "q", 3)
    clock.advance(499)
    await becomes(client, "q", 3)
    clock.advance(1 + TICK_MS)
    await becomes(client, "q", 1)
    clock.advance(500)
    await becomes(client, "q", 0)
  },
)

timedTest(
  "the smaller of the queue's and the message's time to live counts",
  async (wire, clock) => {
    const client = await wire.channel()
    await declare(client, "q", { arguments: { "x-message-ttl": 1000 } })
    publishLiving(client, "q", "short", 100)
    publishLiving(client, "q", "long", 5000)
    await becomes(client, "q", 2)
    clock.advance(100 + TICK_MS)
    await becomes(client, "q", 1)
    clock.advance(900)
    await becomes(client, "q", 0)
  },
)

timedTest("a plain queue lets messages expire that ask for it", async (wire, clock) => {
  const client = await wire.channel()
  await declare(client, "q")
  publishLiving(client, "q", "1", 100)
  await becomes(client, "q", 1)
  clock.advance(100 + TICK_MS)
  await becomes(client, "q", 0)
})

timedTest(
  "a message behind one that lives on expires when it comes to the head, and is never delivered",
  async (wire, clock) => {
    const client = await wire.channel()
    await declare(client, "q")
    publishTo(client, "q", "head")
    publishLiving(client, "q", "behind", 100)
    publishLiving(client, "q", "last", 100_000)
    await becomes(client, "q", 3)
    clock.advance(1000)
    await becomes(client, "q", 3)
    assert.equal((await get(client, "q"))!.body.toString(), "head")
    await becomes(client, "q", 1)
    assert.deepEqual(await drain(client, "q"), ["last"])
  },
)

timedTest("an expired head is not delivered even before its timer", async (wire, clock) => {
  const client = await wire.channel()
  await declare(client, "q", { arguments: { "x-message-ttl": 100 } })
  publishTo(client, "q", "1")
  await becomes(client, "q", 1)
  clock.nowMs += 100 // No timer fires.
  assert.equal(await get(client, "q"), null)
})

timedTest("with 0 a message goes to a consumer that waits, or nowhere", async (wire) => {
  const client = await wire.channel(2)
  await declare(client, "zero", { arguments: { "x-message-ttl": 0 } })
  await declare(client, "plain")
  publishTo(client, "zero", "lost")
  publishLiving(client, "plain", "lost", 0)
  assert.equal((await countsOf(client, "zero")).messages, 0)
  assert.equal((await countsOf(client, "plain")).messages, 0)
  await consume(client, "zero", { channel: 2 })
  await consume(client, "plain", { channel: 2 })
  publishTo(client, "zero", "1")
  publishLiving(client, "plain", "2", 0)
  assert.deepEqual(await receiveBodies(client, 2, 2), ["1", "2"])
})

timedTest("with 0 a consumer without room is none", async (wire) => {
  const client = await wire.channel(2)
  await client.call("basic.qos", 2, { prefetchCount: 1 })
  await declare(client, "q", { arguments: { "x-message-ttl": 0 } })
  await consume(client, "q", { channel: 2 })
  publishTo(client, "q", "1", "2")
  assert.deepEqual(await receiveBodies(client, 1, 2), ["1"])
  assert.equal((await countsOf(client, "q")).messages, 0)
})

timedTest("messages expire although there is a consumer that takes none", async (wire, clock) => {
  const client = await wire.channel(2)
  await client.call("basic.qos", 2, { prefetchCount: 1 })
  await declare(client, "q", { arguments: { "x-message-ttl": 100 } })
  await consume(client, "q", { channel: 2 })
  publishTo(client, "q", "1", "2", "3")
  assert.deepEqual(await receiveBodies(client, 1, 2), ["1"])
  await becomes(client, "q", 2)
  clock.advance(100 + TICK_MS)
  await becomes(client, "q", 0)
})

timedTest("a message that comes back late expires at once", async (wire, clock) => {
  const client = await wire.channel()
  await declare(client, "q", { arguments: { "x-message-ttl": 100 } })
  publishTo(client, "q", "1")
  const { deliveryTag } = (await get(client, "q", { noAck: false }))!
  clock.advance(50)
  client.send("basic.reject", 1, { deliveryTag, requeue: true })
  await becomes(client, "q", 1)
  const again = (await get(client, "q", { noAck: false }))!
  assert.equal(again.redelivered, true)
  clock.advance(60)
  client.send("basic.reject", 1, { deliveryTag: again.deliveryTag, requeue: true })
  await becomes(client, "q", 0)
})

timedTest("levels of priority expire each from its own head", async (wire, clock) => {
  const client = await wire.channel()
  await declare(client, "q", { arguments: { "x-max-priority": 5 } })
  client.publish(1, { routingKey: "q", properties: { priority: 5 }, body: text("high") })
  client.publish(1, {
    routingKey: "q",
    properties: { priority: 1, expiration: "100" },
    body: text("low"),
  })
  await becomes(client, "q", 2)
  clock.advance(100 + TICK_MS)
  await becomes(client, "q", 1)
  assert.deepEqual(await drain(client, "q"), ["high"])
})

timedTest("a policy acts on messages that are there", async (wire, clock) => {
  const client = await wire.channel()
  await declare(client, "q")
  publishTo(client, "q", "1", "2")
  await becomes(client, "q", 2)
  clock.advance(1000)
  await wire.vhost.policies.set("ttl", { pattern: "q", definition: { "message-ttl": 2000 } })
  clock.advance(999)
  await becomes(client, "q", 2)
  clock.advance(1 + TICK_MS)
  await becomes(client, "q", 0)
  publishTo(client, "q", "3")
  await becomes(client, "q", 1)
  await wire.vhost.policies.delete("ttl")
  clock.advance(5000)
  await becomes(client, "q", 1)
})

timedTest("thousands expire, in order, into the dead letter queue", async (wire, clock) => {
  const client = await wire.channel()
  await declare(client, "dead")
  await declare(client, "q", {
    arguments: {
      "x-message-ttl": 100,
      "x-dead-letter-exchange": "",
      "x-dead-letter-routing-key": "dead",
    },
  })
  const bodies = Array.from({ length: 5000 }, (_, i) => String(i))
  publishTo(client, "q", ...bodies)
  await becomes(client, "q", bodies.length)
  clock.advance(100 + TICK_MS)
  await becomes(client, "q", 0)
  await becomes(client, "dead", bodies.length)
  assert.deepEqual(await drain(client, "dead"), bodies)
})

timedTest("what was stored before a restart expires after it", async (wire, clock) => {
  let client = await wire.channel()
  await declare(client, "plain", { durable: true })
  await declare(client, "ttl", { durable: true, arguments: { "x-message-ttl": 60_000 } })
  publishLiving(client, "plain", "1", 1000)
  publishLiving(client, "plain", "2", 100_000)
  publishLiving(client, "ttl", "3", 200_000)
  await becomes(client, "ttl", 1)
  await wire.restart()
  client = await wire.channel()
  assert.equal((await countsOf(client, "plain")).messages, 2)
  clock.advance(2000)
  await becomes(client, "plain", 1)
  clock.advance(60_000)
  await becomes(client, "ttl", 0)
  await becomes(client, "plain", 1)
  clock.advance(60_000)
  await becomes(client, "plain", 0)
})

// ---- leases

const LEASE: { arguments: PlainRecord } = { arguments: { "x-expires": 1000 } }

timedTest("a queue that nobody uses ends with its lease", async (wire, clock) => {
  const client = await wire.channel()
  await declare(client, "dead")
  await declare(client, "q", {
    arguments: {
      "x-expires": 1000,
      "x-dead-letter-exchange": "",
      "x-dead-letter-routing-key": "dead",
    },
  })
  publishTo(client, "q", "publishing is no use of the queue")
  await countsOf(client, "dead")
  clock.advance(999)
  assert.equal(wire.vhost.queues.has("q"), true)
  clock.advance(1 + TICK_MS)
  await isGone(wire, "q")
  assert.equal((await countsOf(client, "dead")).messages, 0)
})

timedTest("declaring and getting renew the lease", async (wire, clock) => {
  const client = await wire.channel()
  await declare(client, "q", LEASE)
  for (const use of [
    async (): Promise<void> => void (await declare(client, "q", LEASE)),
    async (): Promise<void> => void (await countsOf(client, "q")),
    async (): Promise<void> => void (await get(client, "q")),
  ]) {
    clock.advance(900)
    await use()
  }
  clock.advance(900)
  assert.equal(wire.vhost.queues.has("q"), true)
  clock.advance(100 + TICK_MS)
  await isGone(wire, "q")
})

timedTest(
  "a consumer suspends the lease; it starts anew when the last one leaves",
  async (wire, clock) => {
    const client = await wire.channel()
    await declare(client, "q", LEASE)
    const tag = await consume(client, "q")
    clock.advance(5000)
    assert.equal(wire.vhost.queues.has("q"), true)
    await client.call("basic.cancel", 1, { consumerTag: tag })
    clock.advance(999)
    assert.equal(wire.vhost.queues.has("q"), true)
    clock.advance(1 + TICK_MS)
    await isGone(wire, "q")
  },
)

timedTest("a policy gives leases, and takes them", async (wire, clock) => {
  const client = await wire.channel()
  await declare(client, "q")
  await declare(client, "long", { arguments: { "x-expires": 5000 } })
  clock.advance(5000 - 100)
  await countsOf(client, "long")
  await wire.vhost.policies.set("lease", { pattern: "", definition: { expires: 1000 } })
  clock.advance(900)
  assert.equal(wire.vhost.queues.has("long"), true)
  await wire.vhost.policies.delete("lease")
  clock.advance(200)
  assert.equal(wire.vhost.queues.has("q"), true)
  await wire.vhost.policies.set("lease", { pattern: "", definition: { expires: 1000 } })
  clock.advance(1000 + TICK_MS)
  await isGone(wire, "q")
  await isGone(wire, "long")
})

timedTest("a restart starts the lease of a durable queue anew", async (wire, clock) => {
  let client = await wire.channel()
  await declare(client, "q", { ...LEASE, durable: true })
  await publishAndWait(client, { routingKey: "q", body: text("m") })
  clock.advance(900)
  await wire.restart()
  client = await wire.channel()
  assert.equal(wire.vhost.queues.has("q"), true)
  clock.advance(1000 + TICK_MS)
  await isGone(wire, "q")
})

for (const way of ["get", "consume"] as const)
  timedTest(
    `after a restart the first ${way} is given nothing that has expired`,
    async (wire, clock) => {
      const client = await wire.channel()
      await declare(client, "q", { durable: true })
      publishLiving(client, "q", "short", 1000)
      publishLiving(client, "q", "long", 100_000)
      await becomes(client, "q", 2)
      clock.advance(2000)
      await wire.restart()
      const next = await wire.channel()
      if (way === "get") assert.equal((await get(next, "q"))?.body.toString(), "long")
      else {
        await consume(next, "q")
        assert.deepEqual(await receiveBodies(next, 1), ["long"])
      }
    },
  )
