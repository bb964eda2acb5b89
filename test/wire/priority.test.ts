/** Queues with priorities: order, limits of the range, returns and restarts. */
import assert from "node:assert/strict"
import { TypedNumber } from "../../src/amqp/table.ts"
import { MemoryDisk } from "../../src/storage/memory-disk.ts"
import type { WireClient } from "../support/wire-client.ts"
import { eventually } from "../support/eventually.ts"
import { consume, countsOf, declare, drain, get, receiveBodies, text, wireTest } from "./harness.ts"

const PRIORITIES = { arguments: { "x-max-priority": 10 } }

function publish(client: WireClient, body: string, priority?: number): void {
  client.publish(1, {
    routingKey: "q",
    properties: { deliveryMode: 2, ...(priority === undefined ? {} : { priority }) },
    body: text(body),
  })
}

wireTest("higher priorities go first, equal ones in their order", async (wire) => {
  const client = await wire.channel()
  await declare(client, "q", PRIORITIES)
  publish(client, "0a")
  publish(client, "5a", 5)
  publish(client, "10a", 10)
  publish(client, "5b", 5)
  publish(client, "0b", 0)
  publish(client, "200", 200) // As 10.
  assert.deepEqual(await drain(client, "q"), ["10a", "200", "5a", "5b", "0a", "0b"])
})

wireTest("a message that comes back keeps its place", async (wire) => {
  const client = await wire.channel()
  await declare(client, "q", PRIORITIES)
  for (const [body, priority] of [
    ["a", 1],
    ["b", 1],
    ["c", 9],
  ] as const)
    publish(client, body, priority)
  await get(client, "q", { noAck: false })
  const { deliveryTag } = (await get(client, "q", { noAck: false }))!
  publish(client, "d", 5)
  client.send("basic.nack", 1, { deliveryTag, multiple: true, requeue: true })
  assert.deepEqual(await drain(client, "q"), ["c", "d", "a", "b"])
})

wireTest("what a consumer has got already is not overtaken", async (wire) => {
  const client = await wire.channel(2)
  await client.call("basic.qos", 2, { prefetchCount: 1 })
  await declare(client, "q", PRIORITIES)
  await consume(client, "q", { channel: 2 })
  publish(client, "low", 0)
  assert.deepEqual(await receiveBodies(client, 1, 2), ["low"])
  publish(client, "middle", 5)
  publish(client, "high", 9)
  await eventually(async () => assert.equal((await countsOf(client, "q")).messages, 2))
  client.send("basic.ack", 2, { deliveryTag: 1 })
  assert.deepEqual(await receiveBodies(client, 1, 2), ["high"])
})

wireTest("counting and purging goes over all levels", async (wire) => {
  const client = await wire.channel()
  await declare(client, "q", PRIORITIES)
  for (let priority = 0; priority < 10; priority++) publish(client, "m", priority)
  assert.equal((await countsOf(client, "q")).messages, 10)
  assert.equal((await client.call("queue.purge", 1, { queue: "q" })).messageCount, 10)
  assert.equal((await countsOf(client, "q")).messages, 0)
  publish(client, "again", 3)
  assert.deepEqual(await drain(client, "q"), ["again"])
})

wireTest(
  "priorities last over a restart",
  async (wire) => {
    let client = await wire.channel()
    await declare(client, "q", { ...PRIORITIES, durable: true })
    for (const priority of [3, 7, 1]) publish(client, `before ${priority}`, priority)
    await countsOf(client, "q")
    await wire.restart()
    client = await wire.channel()
    publish(client, "after 5", 5)
    publish(client, "after 7", 7)
    assert.deepEqual(await drain(client, "q"), [
      "before 7",
      "after 7",
      "after 5",
      "before 3",
      "before 1",
    ])
  },
  { disk: new MemoryDisk() },
)

wireTest("a negative or too high number of priorities is refused", async (wire) => {
  for (const [value, problem] of [
    [-1, "{value_negative,-1}"],
    [256, "{max_value_exceeded,256}"],
  ] as const) {
    const client = await wire.channel()
    client.send("queue.declare", 1, { queue: "q", arguments: tableOf(value) })
    await client.expectChannelClose(1, {
      code: 406,
      text: `PRECONDITION_FAILED - invalid arg 'x-max-priority' for queue 'q' in vhost '/': ${problem}`,
      method: "queue.declare",
    })
  }
})

function tableOf(value: number): Map<string, TypedNumber> {
  return new Map([["x-max-priority", new TypedNumber("I", value)]])
}
