/** Looking at the messages of a queue through the broker's interface, while clients use it. */
import assert from "node:assert/strict"
import { browseReady, browseUnacked } from "../../src/broker/browse.ts"
import type { StoredQueue } from "../../src/broker/browse.ts"
import { Queue } from "../../src/broker/queue/queue.ts"
import { eventually } from "../support/eventually.ts"
import {
  consume,
  countsOf,
  declare,
  deliveries,
  drain,
  get,
  publishAndWait,
  publishTo,
  table,
  text,
  wireTest,
  type WireTest,
} from "./harness.ts"

function queueOf(wire: WireTest, name: string): StoredQueue {
  const queue = wire.vhost.queues.get(name)
  assert.ok(queue instanceof Queue)
  return queue
}

function ready(wire: WireTest, name: string, skip = 0, limit = 100): string[] {
  return browseReady(queueOf(wire, name), { skip, limit }).map(({ body }) => body.toString())
}

wireTest("ready messages are shown by position, and nothing changes by it", async (wire) => {
  const client = await wire.channel()
  await declare(client, "q")
  assert.deepEqual(ready(wire, "q"), [])
  publishTo(client, "q", "a", "b", "c", "d")
  const properties = { headers: table({ n: 1 }), contentType: "text/plain" }
  await publishAndWait(client, { routingKey: "q", properties, body: text("e") })
  assert.deepEqual(ready(wire, "q"), ["a", "b", "c", "d", "e"])
  assert.deepEqual(ready(wire, "q", 1, 2), ["b", "c"])
  assert.deepEqual(ready(wire, "q", 5), [])
  assert.deepEqual(ready(wire, "q", 0, 0), [])
  const [last] = browseReady(queueOf(wire, "q"), { skip: 4, limit: 1 })
  assert.deepEqual(
    [last!.index, last!.state, last!.exchange, last!.routingKey, last!.redelivered],
    [4, "ready", "", "q", false],
  )
  assert.deepEqual(last!.properties, properties)
  assert.equal((await countsOf(client, "q")).messages, 5)
  assert.equal((await get(client, "q"))?.redelivered, false)
  assert.deepEqual(ready(wire, "q"), ["b", "c", "d", "e"])
})

wireTest("what came back is shown at its place, as redelivered", async (wire) => {
  const client = await wire.channel()
  await declare(client, "q")
  publishTo(client, "q", "a", "b")
  const message = await get(client, "q", { noAck: false })
  client.send("basic.nack", 1, { deliveryTag: message!.deliveryTag, requeue: true })
  await countsOf(client, "q")
  const shown = browseReady(queueOf(wire, "q"), { skip: 0, limit: 10 })
  assert.deepEqual(
    shown.map(({ body, redelivered }) => [body.toString(), redelivered]),
    [
      ["a", true],
      ["b", false],
    ],
  )
})

wireTest("bodies are cut, and a call ends when it has read enough", async (wire) => {
  const client = await wire.channel()
  await declare(client, "q")
  for (let i = 0; i < 5; i++)
    await publishAndWait(client, { routingKey: "q", body: Buffer.alloc(10_000, String(i)) })
  const queue = queueOf(wire, "q")
  const cut = browseReady(queue, { skip: 0, limit: 10, bodyBytesMax: 3 })
  assert.deepEqual(
    cut.map(({ body, bodySize }) => [body.toString(), bodySize]),
    [0, 1, 2, 3, 4].map((i) => [String(i).repeat(3), 10_000]),
  )
  assert.equal(browseReady(queue, { skip: 0, limit: 10, bytesMax: 15_000 }).length, 2)
})

wireTest("unacknowledged messages are shown with who has them", async (wire) => {
  const client = await wire.channel(2)
  const other = await wire.channel()
  await declare(client, "q")
  await declare(client, "else")
  publishTo(client, "q", "a", "b", "c", "d", "e")
  publishTo(client, "else", "x")
  await countsOf(client, "q")
  await get(client, "q", { noAck: false })
  await get(client, "else", { noAck: false })
  await client.call("basic.qos", 2, { prefetchCount: 2 })
  await consume(client, "q", { channel: 2, consumerTag: "two" })
  await deliveries(client, 2, 2)
  await get(other, "q", { noAck: false })
  const queue = queueOf(wire, "q")
  const show = (skip: number, limit: number): unknown[] =>
    browseUnacked(wire.broker().connections, queue, { skip, limit }).map((one) => [
      one.index,
      one.body.toString(),
      one.channel,
      one.deliveryTag,
      one.consumerTag,
      one.state,
    ])
  const all = [
    [0, "a", 1, 1, "", "unacked"],
    [1, "b", 2, 1, "two", "unacked"],
    [2, "c", 2, 2, "two", "unacked"],
    [3, "d", 1, 1, "", "unacked"],
  ]
  assert.deepEqual(show(0, 10), all)
  assert.deepEqual(show(1, 2), all.slice(1, 3))
  assert.deepEqual(show(4, 2), [])
  assert.deepEqual(ready(wire, "q"), ["e"])
  client.send("basic.ack", 2, { deliveryTag: 1 })
  await eventually(() => assert.equal(show(0, 10).length, 4)) // c, d and the next one, e.
  client.destroy()
  await eventually(() => assert.deepEqual(ready(wire, "q"), ["a", "c", "e"]))
  assert.deepEqual(await drain(other, "q"), ["a", "c", "e"])
})

wireTest("a queue with priorities is shown in the order of delivery", async (wire) => {
  const client = await wire.channel()
  await declare(client, "q", { arguments: { "x-max-priority": 5 } })
  for (const [body, priority] of [
    ["low", 0],
    ["high", 5],
    ["middle", 3],
  ] as const)
    await publishAndWait(client, { routingKey: "q", properties: { priority }, body: text(body) })
  assert.deepEqual(ready(wire, "q"), ["high", "middle", "low"])
  assert.deepEqual(ready(wire, "q", 1, 1), ["middle"])
})
