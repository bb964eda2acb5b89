/** Queues that are paused take messages and deliver none; a restart of one queue gives everything back. */
import assert from "node:assert/strict"
import { restartQueue } from "../../src/broker/restart-queue.ts"
import { MemoryDisk } from "../../src/storage/memory-disk.ts"
import { ManualClock } from "../../src/util/clock.ts"
import { eventually } from "../support/eventually.ts"
import type { WireClient } from "../support/wire-client.ts"
import {
  consume,
  countsOf,
  declare,
  deliveries,
  drain,
  get,
  publishAndWait,
  publishTo,
  receiveBodies,
  text,
  wireTest,
} from "./harness.ts"
import type { WireTest } from "./harness.ts"

function pause(wire: WireTest, name: string): Promise<boolean> {
  return wire.vhost.paused.set(wire.vhost.queue(name, null), true)
}

function resume(wire: WireTest, name: string): Promise<boolean> {
  return wire.vhost.paused.set(wire.vhost.queue(name, null), false)
}

/** Whatever the broker had to say on the channel has come: nothing was delivered before it. */
async function nothingComes(client: WireClient, queue: string, messages: number): Promise<void> {
  assert.equal((await countsOf(client, queue)).messages, messages)
  assert.equal((await countsOf(client, queue)).messages, messages)
}

for (const [kind, args] of [
  ["classic queue", {}],
  ["priority queue", { "x-max-priority": 5 }],
  ["single active consumer", { "x-single-active-consumer": true }],
  ["queue with a length limit", { "x-max-length": 100 }],
] as const)
  for (const noAck of [false, true])
    wireTest(
      `a paused ${kind} delivers nothing until resumed, noAck ${String(noAck)}`,
      async (wire) => {
        const client = await wire.channel()
        await declare(client, "q", { arguments: args })
        await consume(client, "q", { noAck })
        publishTo(client, "q", "1")
        assert.deepEqual(await receiveBodies(client, 1), ["1"])
        assert.equal(await pause(wire, "q"), true)
        assert.equal(await pause(wire, "q"), false)
        publishTo(client, "q", "2", "3")
        await nothingComes(client, "q", 2)
        assert.equal(await get(client, "q"), null)
        // Consumers that come meanwhile wait, too.
        await client.openChannel(2)
        await consume(client, "q", { channel: 2, noAck })
        await nothingComes(client, "q", 2)
        await client.call("basic.cancel", 2, { consumerTag: "none" })
        await client.call("channel.close", 2, { replyCode: 200 })
        assert.equal(await resume(wire, "q"), true)
        assert.equal(await resume(wire, "q"), false)
        assert.deepEqual(await receiveBodies(client, 2), ["2", "3"])
        publishTo(client, "q", "4")
        assert.deepEqual(await receiveBodies(client, 1), ["4"])
      },
    )

wireTest(
  "a paused queue takes back what was rejected, and consumers may come and go",
  async (wire) => {
    const client = await wire.channel()
    await declare(client, "q")
    await consume(client, "q", { consumerTag: "c" })
    publishTo(client, "q", "1", "2")
    const [first, second] = await deliveries(client, 2)
    await pause(wire, "q")
    client.send("basic.nack", 1, { deliveryTag: first!.deliveryTag, requeue: true })
    client.send("basic.ack", 1, { deliveryTag: second!.deliveryTag })
    await nothingComes(client, "q", 1)
    await client.call("basic.cancel", 1, { consumerTag: "c" })
    await consume(client, "q", { consumerTag: "d" })
    await nothingComes(client, "q", 1)
    await resume(wire, "q")
    const [again] = await deliveries(client, 1)
    assert.equal(again!.body.toString(), "1")
    assert.equal(again!.redelivered, true)
  },
)

wireTest("a paused stream goes on where its consumers were", async (wire) => {
  const client = await wire.channel()
  await declare(client, "s", { durable: true, arguments: { "x-queue-type": "stream" } })
  await client.call("basic.qos", 1, { prefetchCount: 10 })
  await consume(client, "s", { arguments: { "x-stream-offset": "first" } })
  publishTo(client, "s", "1")
  assert.deepEqual(await receiveBodies(client, 1), ["1"])
  await pause(wire, "s")
  publishTo(client, "s", "2", "3")
  await nothingComes(client, "s", 3)
  await resume(wire, "s")
  assert.deepEqual(await receiveBodies(client, 2), ["2", "3"])
})

const ttlClock = new ManualClock()
wireTest(
  "messages expire in a paused queue",
  async (wire) => {
    const client = await wire.channel()
    await declare(client, "q", { arguments: { "x-message-ttl": 1000 } })
    await consume(client, "q")
    await pause(wire, "q")
    publishTo(client, "q", "1")
    await nothingComes(client, "q", 1)
    ttlClock.advance(1100)
    await eventually(async () => {
      assert.equal((await countsOf(client, "q")).messages, 0)
    })
  },
  { clock: ttlClock },
)

wireTest(
  "a pause survives a restart of the broker, but not the deletion of its queue",
  async (wire) => {
    const before = await wire.channel()
    for (const name of ["q", "gone"]) await declare(before, name, { durable: true })
    await before.call("queue.delete", 1, { queue: "q" }) // The file of definitions tells it all again.
    await declare(before, "q", { durable: true })
    await declare(before, "transient")
    await publishAndWait(before, {
      routingKey: "q",
      properties: { deliveryMode: 2 },
      body: text("1"),
    })
    for (const name of ["q", "gone", "transient"]) await pause(wire, name)
    await before.call("queue.delete", 1, { queue: "gone" })
    await declare(before, "gone", { durable: true })
    assert.equal(wire.vhost.queue("gone", null).isPaused, false)
    await wire.restart()
    const after = await wire.channel()
    assert.equal(wire.vhost.queue("q", null).isPaused, true)
    assert.equal(wire.vhost.queue("gone", null).isPaused, false)
    assert.equal(wire.vhost.queues.has("transient"), false)
    await consume(after, "q")
    await nothingComes(after, "q", 1)
    await resume(wire, "q")
    assert.deepEqual(await receiveBodies(after, 1), ["1"])
  },
  { disk: new MemoryDisk() },
)

// ---- restart of a queue

function restart(wire: WireTest, name: string): void {
  restartQueue(wire.broker(), wire.vhost, wire.vhost.queue(name, null))
}

for (const durable of [true, false])
  for (const args of [{}, { "x-max-priority": 3 }, { "x-max-length": 50 }])
    wireTest(
      `a restarted queue cancels its consumers and keeps its messages: durable ${String(durable)}, ${JSON.stringify(args)}`,
      async (wire) => {
        const client = await wire.channel()
        await declare(client, "q", { durable, arguments: args })
        await client.call("basic.qos", 1, { prefetchCount: 2 })
        await consume(client, "q", { consumerTag: "c" })
        publishTo(client, "q", "1", "2", "3", "4")
        const [first, second] = await deliveries(client, 2)
        client.send("basic.ack", 1, { deliveryTag: first!.deliveryTag })
        const [third] = await deliveries(client, 1)
        restart(wire, "q")
        assert.equal((await client.expect("basic.cancel", 1)).consumerTag, "c")
        // Late acknowledgements have no effect, and are no error.
        client.send("basic.ack", 1, { deliveryTag: second!.deliveryTag })
        client.send("basic.ack", 1, { deliveryTag: third!.deliveryTag })
        assert.deepEqual(await countsOf(client, "q"), { messages: 3, consumers: 0 })
        const { readyCount, unackedCount } = wire.vhost.queue("q", null)
        assert.deepEqual({ readyCount, unackedCount }, { readyCount: 3, unackedCount: 0 })
        assert.deepEqual(await drain(client, "q"), ["2", "3", "4"])
        publishTo(client, "q", "5")
        await consume(client, "q", { consumerTag: "c" })
        assert.deepEqual(await receiveBodies(client, 1), ["5"])
      },
    )

wireTest("a restarted stream keeps its messages and the places of its consumers", async (wire) => {
  const client = await wire.channel()
  const args = { "x-queue-type": "stream" }
  await declare(client, "s", { durable: true, arguments: args })
  await client.call("basic.qos", 1, { prefetchCount: 10 })
  await consume(client, "s", { consumerTag: "worker", arguments: { "x-stream-offset": "first" } })
  publishTo(client, "s", "1", "2")
  const [first] = await deliveries(client, 2)
  restart(wire, "s")
  await client.expect("basic.cancel", 1)
  client.send("basic.ack", 1, { deliveryTag: first!.deliveryTag })
  publishTo(client, "s", "3")
  await nothingComes(client, "s", 3)
  await consume(client, "s", { consumerTag: "other", arguments: { "x-stream-offset": "first" } })
  assert.deepEqual(await receiveBodies(client, 3), ["1", "2", "3"])
})

wireTest("a queue without messages, and one that is paused, can be restarted", async (wire) => {
  const client = await wire.channel()
  await declare(client, "q")
  await consume(client, "q", { noAck: true })
  restart(wire, "q")
  await client.expect("basic.cancel", 1)
  await pause(wire, "q")
  publishTo(client, "q", "1")
  await nothingComes(client, "q", 1)
  restart(wire, "q")
  await consume(client, "q", { noAck: true })
  await nothingComes(client, "q", 1)
  await resume(wire, "q")
  assert.deepEqual(await receiveBodies(client, 1), ["1"])
})

wireTest("a queue is not restarted under a transaction that settles its messages", async (wire) => {
  const client = await wire.channel()
  await declare(client, "q")
  publishTo(client, "q", "1")
  await client.call("tx.select", 1)
  const got = await get(client, "q", { noAck: false })
  client.send("basic.ack", 1, { deliveryTag: got!.deliveryTag })
  await client.call("channel.flow", 1, { active: true })
  assert.throws(() => restart(wire, "q"), /was not restarted: 1 messages/)
  await client.call("tx.commit", 1)
  restart(wire, "q")
  assert.equal((await countsOf(client, "q")).messages, 0)
})

const fullDisk = new MemoryDisk({ capacityBytes: 2 ** 40 })
wireTest(
  "a queue whose store has failed serves again after a restart; what was confirmed is there",
  async (wire) => {
    const client = await wire.channel()
    await declare(client, "q", { durable: true })
    await client.call("confirm.select", 1)
    const publish = (body: string): void =>
      client.publish(1, { routingKey: "q", properties: { deliveryMode: 2 }, body: text(body) })
    publish("1")
    assert.equal((await client.expect("basic.ack", 1)).deliveryTag, 1)
    fullDisk.capacityBytes = fullDisk.usedBytes
    publish("2")
    assert.equal((await client.expect("basic.nack", 1)).deliveryTag, 2)
    restart(wire, "q")
    fullDisk.capacityBytes = 2 ** 40
    await eventually(() => {
      assert.equal(wire.broker().alarmReason, null)
    })
    publish("3")
    assert.equal((await client.expect("basic.ack", 1)).deliveryTag, 3)
    assert.deepEqual(await drain(client, "q"), ["1", "3"])
  },
  { disk: fullDisk, freeDiskMinBytes: 1, segmentSizeBytes: 1 << 20 },
)
