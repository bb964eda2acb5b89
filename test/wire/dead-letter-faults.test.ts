/** Dead letters on a disk that is full for a while, over restarts, and into queues of other types. */
import assert from "node:assert/strict"
import { MemoryDisk } from "../../src/storage/memory-disk.ts"
import { ManualClock } from "../../src/util/clock.ts"
import { eventually } from "../support/eventually.ts"
import type { WireClient } from "../support/wire-client.ts"
import { countsOf, declare, drain, get, publishAndWait, table, text, wireTest } from "./harness.ts"

const TICK_MS = 16

function publishPersistent(client: WireClient, queue: string, ...bodies: string[]): void {
  for (const body of bodies)
    client.publish(1, { routingKey: queue, properties: { deliveryMode: 2 }, body: text(body) })
}

async function holds(client: WireClient, queue: string, messages: number): Promise<void> {
  await eventually(async () => {
    assert.equal((await countsOf(client, queue)).messages, messages, queue)
  })
}

async function declareBoth(client: WireClient, ttlMs: number): Promise<void> {
  await declare(client, "dead", { durable: true })
  await declare(client, "source", {
    durable: true,
    arguments: {
      "x-message-ttl": ttlMs,
      "x-dead-letter-exchange": "",
      "x-dead-letter-routing-key": "dead",
    },
  })
}

function faultTest(
  name: string,
  body: Parameters<typeof wireTest>[1] extends (wire: infer W) => Promise<void>
    ? (wire: W, clock: ManualClock, disk: MemoryDisk) => Promise<void>
    : never,
): void {
  const clock = new ManualClock()
  const disk = new MemoryDisk({ capacityBytes: 2 ** 40 })
  wireTest(name, (wire) => body(wire, clock, disk), {
    clock,
    disk,
    freeDiskMinBytes: 1,
    segmentSizeBytes: 1 << 20,
  })
}

faultTest(
  "on a full disk they stay where they are, and go once when it has room",
  async (wire, clock, disk) => {
    const client = await wire.channel()
    await declareBoth(client, 1000)
    publishPersistent(client, "source", "1", "2")
    await holds(client, "source", 2)
    clock.advance(500)
    publishPersistent(client, "source", "3")
    await holds(client, "source", 3)
    disk.capacityBytes = disk.usedBytes
    clock.advance(500 + TICK_MS) // The copies are in memory, and cannot be written.
    await holds(client, "source", 1)
    clock.advance(500) // Now the dead letter queue refuses.
    await holds(client, "source", 1)
    clock.advance(3000)
    await holds(client, "source", 1)
    assert.equal(wire.vhost.queues.get("source")!.unackedCount, 2)
    disk.capacityBytes = 2 ** 40
    await eventually(async () => {
      clock.advance(600)
      assert.equal((await countsOf(client, "dead")).messages, 3)
    })
    await eventually(() => {
      clock.advance(600)
      assert.equal(wire.vhost.queues.get("source")!.unackedCount, 0)
    })
    assert.deepEqual(await drain(client, "dead"), ["1", "2", "3"])
    assert.equal((await countsOf(client, "source")).messages, 0)
  },
)

faultTest("a restart in order leaves every message in one queue", async (wire, clock) => {
  let client = await wire.channel()
  await declareBoth(client, 1000)
  publishPersistent(client, "source", "1", "2", "3")
  await holds(client, "source", 3)
  clock.advance(1000 + TICK_MS)
  await wire.restart()
  client = await wire.channel()
  clock.advance(1000)
  await holds(client, "source", 0)
  assert.deepEqual(await drain(client, "dead"), ["1", "2", "3"])
})

wireTest("dead letters go into quorum queues and streams", async (wire) => {
  const client = await wire.channel()
  await client.call("exchange.declare", 1, { exchange: "dlx", type: "fanout" })
  for (const type of ["quorum", "stream"]) {
    await declare(client, type, { durable: true, arguments: { "x-queue-type": type } })
    await client.call("queue.bind", 1, { queue: type, exchange: "dlx" })
  }
  await declare(client, "source", { arguments: { "x-dead-letter-exchange": "dlx" } })
  await publishAndWait(client, { routingKey: "source", body: text("m") })
  const { deliveryTag } = (await get(client, "source", { noAck: false }))!
  client.send("basic.reject", 1, { deliveryTag, requeue: false })
  await holds(client, "quorum", 1)
  await holds(client, "stream", 1)
  await client.call("basic.qos", 1, { prefetchCount: 1 })
  await client.call("basic.consume", 1, {
    queue: "stream",
    arguments: table({ "x-stream-offset": "first" }),
  })
  const { properties, body } = await client.expect("basic.deliver", 1)
  assert.equal(body.toString(), "m")
  assert.equal(properties.headers?.get("x-first-death-queue"), "source")
})
