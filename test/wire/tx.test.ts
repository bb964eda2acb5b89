import assert from "node:assert/strict"
import { encodeContent } from "../../src/amqp/content.ts"
import { encodeProperties } from "../../src/amqp/properties.ts"
import { methodFrame } from "../support/wire-frames.ts"
import { countsOf, declare, drain, get, publishTo, table, text, wireTest } from "./harness.ts"

wireTest("publishes are visible after commit and not before", async (wire) => {
  const client = await wire.channel(2)
  await declare(client, "q1")
  await declare(client, "q2")
  await client.call("tx.select", 1)
  publishTo(client, "q1", "a")
  publishTo(client, "q2", "b")
  await client.expectQuiet(1)
  for (const queue of ["q1", "q2"]) assert.equal((await countsOf(client, queue, 2)).messages, 0)
  await client.call("tx.commit", 1)
  for (const queue of ["q1", "q2"]) assert.equal((await countsOf(client, queue, 2)).messages, 1)
})

wireTest("what a queue would have got that is gone at commit is returned", async (wire) => {
  const client = await wire.channel()
  await declare(client, "q")
  await declare(client, "other")
  await client.call("tx.select", 1)
  client.publish(1, { exchange: "", routingKey: "q", mandatory: true, body: text("late") })
  await client.call("queue.delete", 1, { queue: "q" })
  client.send("tx.commit", 1)
  const returned = await client.expect("basic.return", 1)
  assert.equal(returned.replyCode, 312)
  await client.expect("tx.commit-ok", 1)
  publishTo(client, "other", "new")
  await client.call("queue.delete", 1, { queue: "other" })
  await declare(client, "other")
  await client.call("tx.commit", 1)
  assert.deepEqual(await drain(client, "other"), ["new"])
})

wireTest("rollback discards publishes, and the channel stays transactional", async (wire) => {
  const client = await wire.channel()
  await declare(client, "q")
  await client.call("tx.select", 1)
  publishTo(client, "q", "lost")
  await client.call("tx.rollback", 1)
  publishTo(client, "q", "kept")
  await client.call("tx.commit", 1)
  assert.deepEqual(await drain(client, "q"), ["kept"])
})

wireTest("tx.select may be repeated; an empty commit and rollback are fine", async (wire) => {
  const client = await wire.channel()
  for (const name of ["tx.select", "tx.select", "tx.commit", "tx.rollback"] as const)
    await client.call(name, 1)
})

wireTest("commit and rollback without select are refused with 406", async (wire) => {
  const client = await wire.channel()
  for (const name of ["tx.commit", "tx.rollback"] as const) {
    client.send(name, 1)
    await client.expectChannelClose(1, {
      code: 406,
      text: "PRECONDITION_FAILED - channel is not transactional",
      method: name,
    })
    await client.openChannel(1)
  }
})

wireTest("acks count at commit; after a rollback they can be done again", async (wire) => {
  const client = await wire.channel()
  await declare(client, "q")
  publishTo(client, "q", "a", "b")
  await client.call("tx.select", 1)
  const first = await get(client, "q", { noAck: false })
  client.send("basic.ack", 1, { deliveryTag: first?.deliveryTag ?? 0 })
  await client.call("tx.rollback", 1)
  client.send("basic.ack", 1, { deliveryTag: first?.deliveryTag ?? 0 })
  await client.call("tx.commit", 1)
  await client.call("basic.recover", 1, { requeue: true })
  assert.deepEqual(await drain(client, "q"), ["b"])
})

wireTest("acks that were not committed return with the channel's end", async (wire) => {
  const client = await wire.channel(2)
  await declare(client, "q")
  publishTo(client, "q", "a")
  await client.call("tx.select", 1)
  await get(client, "q", { noAck: false })
  client.send("basic.ack", 1, { deliveryTag: 1 })
  publishTo(client, "q", "unpublished")
  await client.call("channel.close", 1, { replyCode: 200 })
  await client.openChannel(1)
  assert.deepEqual(await drain(client, "q"), ["a"])
})

wireTest("nack and reject with requeue act at commit", async (wire) => {
  const client = await wire.channel(2)
  await declare(client, "q")
  publishTo(client, "q", "a", "b", "c")
  await client.call("tx.select", 1)
  for (let i = 0; i < 3; i++) await get(client, "q", { noAck: false })
  client.send("basic.reject", 1, { deliveryTag: 1, requeue: true })
  client.send("basic.nack", 1, { deliveryTag: 2, requeue: true })
  client.send("basic.reject", 1, { deliveryTag: 3, requeue: false })
  await client.expectQuiet(1)
  assert.equal((await countsOf(client, "q", 2)).messages, 0)
  await client.call("tx.commit", 1)
  assert.deepEqual(await drain(client, "q"), ["a", "b"])
})

wireTest("an unroutable mandatory message returns at commit, before commit-ok", async (wire) => {
  const client = await wire.channel()
  await client.call("tx.select", 1)
  client.publish(1, { routingKey: "none", mandatory: true, body: text("x") })
  await client.expectQuiet(1)
  client.send("tx.commit", 1)
  assert.equal((await client.expect("basic.return", 1)).replyCode, 312)
  await client.expect("tx.commit-ok", 1)
})

wireTest("a mandatory message that is rolled back does not return", async (wire) => {
  const client = await wire.channel()
  await client.call("tx.select", 1)
  client.publish(1, { routingKey: "none", mandatory: true, body: text("x") })
  await client.call("tx.rollback", 1)
  await client.call("tx.commit", 1)
  await client.expectQuiet(1)
})

wireTest("acknowledging twice within a transaction is refused with 406", async (wire) => {
  const client = await wire.channel()
  await declare(client, "q")
  publishTo(client, "q", "a")
  await client.call("tx.select", 1)
  await get(client, "q", { noAck: false })
  client.send("basic.ack", 1, { deliveryTag: 1 })
  client.send("basic.ack", 1, { deliveryTag: 1 })
  await client.expectChannelClose(1, {
    code: 406,
    text: "PRECONDITION_FAILED - unknown delivery tag 1",
    method: "basic.ack",
  })
})

wireTest("a publish to a missing exchange fails at once, not at commit", async (wire) => {
  const client = await wire.channel()
  await client.call("tx.select", 1)
  client.publish(1, { exchange: "nope", body: text("x") })
  await client.expectChannelClose(1, { code: 404, method: "basic.publish" })
})

wireTest(
  "a message that cannot be routed fails at once, and no delivery is lost by it",
  async (wire) => {
    const client = await wire.channel()
    const observer = await wire.channel()
    await declare(client, "q")
    publishTo(client, "q", "a")
    await client.call("tx.select", 1)
    const { deliveryTag } = (await get(client, "q", { noAck: false })) ?? assert.fail()
    client.send("basic.ack", 1, { deliveryTag })
    const properties = encodeProperties({ headers: table({ CC: ["q"] }), correlationId: "id" })
    properties.fill(0xff, properties.length - 2) // No UTF-8.
    const method = methodFrame("basic.publish", 1, { routingKey: "q" })
    client.sendBytes(encodeContent(1, method, properties, text("b"), 0))
    client.send("tx.commit", 1)
    await client.expectConnectionClose({ code: 501, method: "basic.publish" })
    assert.deepEqual(await drain(observer, "q"), ["a"])
  },
)

wireTest("large bodies and many messages in one transaction keep their order", async (wire) => {
  const client = await wire.channel()
  await declare(client, "q", { durable: true })
  await client.call("tx.select", 1)
  const large = Buffer.alloc(500_000, "large")
  client.publish(1, { routingKey: "q", properties: { deliveryMode: 2 }, body: large })
  for (let i = 0; i < 100; i++) publishTo(client, "q", String(i))
  await client.call("tx.commit", 1)
  assert.ok((await get(client, "q"))?.body.equals(large))
  assert.deepEqual(
    await drain(client, "q"),
    Array.from({ length: 100 }, (_, i) => String(i)),
  )
})

wireTest("a transaction leaves other channels alone", async (wire) => {
  const client = await wire.channel(2)
  await declare(client, "q")
  await client.call("tx.select", 1)
  client.publish(2, { routingKey: "q", body: text("direct") })
  await client.expectQuiet(2)
  assert.equal((await countsOf(client, "q", 2)).messages, 1)
})
