import assert from "node:assert/strict"
import { MemoryDisk } from "../../src/storage/memory-disk.ts"
import { ManualClock } from "../../src/util/clock.ts"
import { eventually } from "../support/eventually.ts"
import {
  consume,
  countsOf,
  declare,
  deliveries,
  get,
  publishTo,
  text,
  wireTest,
  type WireTest,
} from "./harness.ts"

interface Space {
  /** The disk falls below the limit, and the broker has looked. */
  runLow(): void
  recover(): void
}

function spaceTest(name: string, body: (wire: WireTest, space: Space) => Promise<void>): void {
  const clock = new ManualClock()
  const disk = new MemoryDisk({ capacityBytes: 2 ** 40 })
  const look = (): void => clock.advance(6_000)
  const space: Space = {
    runLow: () => {
      disk.capacityBytes = disk.usedBytes + 1_000_000
      look()
    },
    recover: () => {
      disk.capacityBytes = 2 ** 40
      look()
    },
  }
  const options = { clock, disk, segmentSizeBytes: 1 << 20, freeDiskMinBytes: 10 << 20 }
  wireTest(
    name,
    async (wire) => {
      await body(wire, space)
      space.recover()
    },
    options,
  )
}

spaceTest(
  "a publisher is told that it is blocked and why, and goes on when space is back",
  async (wire, space) => {
    const publisher = await wire.channel()
    const witness = await wire.channel()
    await declare(witness, "q", { durable: true })
    space.runLow()
    publishTo(publisher, "q", "held")
    const { reason } = await publisher.expect("connection.blocked")
    assert.equal(reason, "low on disk")
    await witness.expectQuiet(1)
    assert.equal((await countsOf(witness, "q")).messages, 0)
    space.recover()
    await publisher.expect("connection.unblocked")
    await eventually(async () => assert.equal((await countsOf(witness, "q")).messages, 1))
    publishTo(publisher, "q", "after")
    await publisher.expectQuiet(1)
    assert.equal((await countsOf(witness, "q")).messages, 2)
  },
)

spaceTest(
  "connections that only consume are never blocked, and acks go on",
  async (wire, space) => {
    const publisher = await wire.channel()
    const consumer = await wire.channel()
    await declare(publisher, "q", { durable: true })
    publishTo(publisher, "q", "1", "2", "3")
    await publisher.expectQuiet(1)
    space.runLow()
    await consume(consumer, "q")
    await deliveries(consumer, 3)
    consumer.send("basic.ack", 1, { deliveryTag: 3, multiple: true })
    await consumer.expectQuiet(1)
    assert.deepEqual(await countsOf(consumer, "q"), { messages: 0, consumers: 1 })
  },
)

spaceTest(
  "confirm channels get a nack while the disk is low, and acks afterwards",
  async (wire, space) => {
    const client = await wire.channel()
    await declare(client, "q", { durable: true })
    await client.call("confirm.select", 1)
    const publish = (): void =>
      client.publish(1, { routingKey: "q", properties: { deliveryMode: 2 }, body: text("x") })
    publish()
    assert.equal((await client.expect("basic.ack", 1)).deliveryTag, 1)
    space.runLow()
    publish()
    assert.equal((await client.expect("basic.nack", 1)).deliveryTag, 2)
    space.recover()
    publish()
    const ack = await client.expect("basic.ack", 1)
    assert.equal(ack.deliveryTag, 3)
    assert.equal((await countsOf(client, "q")).messages, 2)
  },
)

spaceTest(
  "a publisher that cannot be told has its channel closed with the reason",
  async (wire, space) => {
    const client = await wire.open({ capabilities: {} })
    await client.openChannel(1)
    await declare(client, "q", { durable: true })
    space.runLow()
    publishTo(client, "q", "x")
    await client.expectChannelClose(1, {
      code: 406,
      text: /^PRECONDITION_FAILED - .*low on disk/,
      method: "basic.publish",
    })
    await client.openChannel(1)
    assert.equal(await get(client, "q"), null)
  },
)

spaceTest("a blocked publisher that goes away frees what it held", async (wire, space) => {
  const publisher = await wire.channel()
  const witness = await wire.channel()
  await declare(witness, "q", { durable: true })
  space.runLow()
  for (let i = 0; i < 100; i++) publishTo(publisher, "q", "x".repeat(1_000))
  await publisher.expect("connection.blocked")
  await publisher.reset()
  space.recover()
  await witness.expectQuiet(1)
  publishTo(witness, "q", "y")
  await witness.expectQuiet(1)
  const { messages } = await countsOf(witness, "q")
  assert.ok(messages >= 1 && messages <= 101, String(messages))
})
