/** How often a message may fail, and the header that tells how often it has. */
import assert from "node:assert/strict"
import { toPlain, TypedNumber, type PlainRecord } from "../../src/amqp/table.ts"
import { MemoryDisk } from "../../src/storage/memory-disk.ts"
import type { ReceivedMethod, WireClient } from "../support/wire-client.ts"
import { eventually } from "../support/eventually.ts"
import {
  consume,
  countsOf,
  declare,
  get,
  publishAndWait,
  publishTo,
  text,
  wireTest,
} from "./harness.ts"

const QUORUM: PlainRecord = { "x-queue-type": "quorum" }

/** Of a delivery: null if it does not say. */
function countOf({ properties }: Pick<ReceivedMethod<"basic.get-ok">, "properties">): unknown {
  const value = properties.headers?.get("x-delivery-count")
  if (value === undefined) return null
  assert.ok(value instanceof TypedNumber && value.tag === "l")
  return toPlain(value)
}

/** Gets the message and gives it back; what it said of earlier failures. */
async function fail(client: WireClient, queue: string): Promise<unknown> {
  const message = await get(client, queue, { noAck: false })
  assert.ok(message !== null, "the message is gone")
  client.send("basic.nack", 1, { deliveryTag: message.deliveryTag, requeue: true })
  return countOf(message)
}

wireTest("a message that fails more often than its limit is dead", async (wire) => {
  const client = await wire.channel()
  await declare(client, "dead")
  await declare(client, "q", {
    arguments: {
      "x-delivery-limit": 2,
      "x-dead-letter-exchange": "",
      "x-dead-letter-routing-key": "dead",
    },
  })
  publishTo(client, "q", "m", "other")
  assert.deepEqual(
    [await fail(client, "q"), await fail(client, "q"), await fail(client, "q")],
    [null, 1, 2],
  )
  const dead = await eventually(async () => {
    const message = await get(client, "dead")
    assert.ok(message !== null)
    return message
  })
  assert.equal(dead.body.toString(), "m")
  assert.equal(dead.properties.headers?.get("x-first-death-reason"), "delivery_limit")
  assert.equal(countOf(dead), null)
  const next = await get(client, "q")
  assert.equal(next!.body.toString(), "other")
  assert.equal(countOf(next!), null)
})

wireTest("without a dead letter exchange it is dropped", async (wire) => {
  const client = await wire.channel()
  await declare(client, "q", { durable: true, arguments: { ...QUORUM, "x-delivery-limit": 0 } })
  publishTo(client, "q", "m")
  assert.equal(await fail(client, "q"), null)
  assert.equal((await countsOf(client, "q")).messages, 0)
})

wireTest("a quorum queue counts with its own limit of 20, and without limit too", async (wire) => {
  const client = await wire.channel()
  await declare(client, "q", { durable: true, arguments: QUORUM })
  await declare(client, "endless", {
    durable: true,
    arguments: { ...QUORUM, "x-delivery-limit": -1 },
  })
  publishTo(client, "q", "m")
  publishTo(client, "endless", "m")
  for (let i = 0; i <= 20; i++) assert.equal(await fail(client, "q"), i === 0 ? null : i)
  assert.equal((await countsOf(client, "q")).messages, 0)
  for (let i = 0; i <= 30; i++) assert.equal(await fail(client, "endless"), i === 0 ? null : i)
})

wireTest("a classic queue without limit counts nothing", async (wire) => {
  const client = await wire.channel()
  await declare(client, "q")
  publishTo(client, "q", "m")
  for (let i = 0; i < 3; i++) assert.equal(await fail(client, "q"), null)
})

wireTest("a channel that ends is a failure, for consumers too", async (wire) => {
  const client = await wire.channel(2)
  await declare(client, "q", { arguments: { "x-delivery-limit": 10 } })
  await publishAndWait(client, {
    routingKey: "q",
    properties: { headers: new Map([["mine", "kept"]]), contentType: "a/b" },
    body: text("m"),
  })
  for (let round = 0; round < 3; round++) {
    await consume(client, "q", { channel: 2 })
    const delivery = await client.expect("basic.deliver", 2)
    assert.equal(countOf(delivery), round === 0 ? null : round)
    assert.equal(delivery.properties.headers?.get("mine"), "kept")
    assert.equal(delivery.properties.contentType, "a/b")
    assert.equal(delivery.redelivered, round > 0)
    await client.call("channel.close", 2)
    await client.openChannel(2)
  }
})

wireTest(
  "the count lasts over a restart",
  async (wire) => {
    let client = await wire.channel()
    await declare(client, "q", { durable: true, arguments: { "x-delivery-limit": 3 } })
    await publishAndWait(client, {
      routingKey: "q",
      properties: { deliveryMode: 2 },
      body: text("m"),
    })
    assert.equal(await fail(client, "q"), null)
    assert.equal(await fail(client, "q"), 1)
    await countsOf(client, "q")
    await wire.restart()
    client = await wire.channel()
    assert.equal(await fail(client, "q"), 2)
    assert.equal(await fail(client, "q"), 3)
    await eventually(async () => assert.equal((await countsOf(client, "q")).messages, 0))
  },
  { disk: new MemoryDisk() },
)

wireTest(
  "a purged or emptied queue gives its places to others, without their counts",
  async (wire) => {
    const client = await wire.channel()
    await declare(client, "q", { arguments: { "x-delivery-limit": 3 } })
    publishTo(client, "q", "1")
    await fail(client, "q")
    await fail(client, "q")
    await client.call("queue.purge", 1, { queue: "q" })
    publishTo(client, "q", "2")
    assert.equal(await fail(client, "q"), null)
  },
)

wireTest("a policy sets the limit", async (wire) => {
  const client = await wire.channel()
  await declare(client, "q")
  await wire.vhost.policies.set("limit", { pattern: "q", definition: { "delivery-limit": 1 } })
  publishTo(client, "q", "m")
  assert.deepEqual([await fail(client, "q"), await fail(client, "q")], [null, 1])
  await eventually(async () => assert.equal((await countsOf(client, "q")).messages, 0))
})
