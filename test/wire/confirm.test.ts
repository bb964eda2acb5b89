import assert from "node:assert/strict"
import type { WireClient } from "../support/wire-client.ts"
import { consume, countsOf, declare, deliveries, publishTo, text, wireTest } from "./harness.ts"

/** Collects acks until all numbers 1…count are confirmed; fails on a nack, a repetition or a gap. */
async function confirmed(client: WireClient, count: number, first = 1): Promise<number> {
  let frameCount = 0
  const open = new Set(Array.from({ length: count }, (_, i) => first + i))
  while (open.size > 0) {
    const { deliveryTag, multiple } = await client.expect("basic.ack", 1)
    frameCount++
    assert.ok(open.has(deliveryTag), `number ${deliveryTag} is not outstanding`)
    for (const number of open) {
      if (number === deliveryTag || (multiple && number < deliveryTag)) open.delete(number)
    }
  }
  return frameCount
}

wireTest("confirm.select may be repeated, and nowait sends no reply", async (wire) => {
  const client = await wire.channel()
  await client.call("confirm.select", 1)
  await client.call("confirm.select", 1)
  client.send("confirm.select", 1, { nowait: true })
  await client.expectQuiet(1)
})

wireTest("every publish is confirmed once, numbered from 1 after select", async (wire) => {
  const client = await wire.channel()
  await declare(client, "q")
  publishTo(client, "q", "before")
  await client.call("confirm.select", 1)
  publishTo(client, "q", "a", "b", "c")
  await confirmed(client, 3)
  publishTo(client, "q", "d")
  await confirmed(client, 1, 4)
  await client.expectQuiet(1)
})

wireTest(
  "persistent messages in a durable queue and transient ones are confirmed alike",
  async (wire) => {
    const client = await wire.channel()
    await declare(client, "durable", { durable: true })
    await declare(client, "transient")
    await client.call("confirm.select", 1)
    let number = 1
    for (const routingKey of ["durable", "transient"])
      for (const deliveryMode of [1, 2]) {
        client.publish(1, { routingKey, properties: { deliveryMode }, body: text("x") })
        await confirmed(client, 1, number++)
      }
  },
)

wireTest("many publishes in flight are confirmed with few frames", async (wire) => {
  const client = await wire.channel()
  await declare(client, "q", { durable: true })
  await client.call("confirm.select", 1)
  const count = 2_000
  for (let i = 0; i < count; i++)
    client.publish(1, { routingKey: "q", properties: { deliveryMode: 2 }, body: text("x") })
  const frameCount = await confirmed(client, count)
  assert.ok(frameCount < count / 4, `${frameCount} frames for ${count} confirms`)
})

wireTest(
  "an unroutable message is confirmed, and returned first if it is mandatory",
  async (wire) => {
    const client = await wire.channel()
    await client.call("confirm.select", 1)
    client.publish(1, { routingKey: "none", body: text("x") })
    await confirmed(client, 1)
    client.publish(1, { routingKey: "none", mandatory: true, body: text("x") })
    await client.expect("basic.return", 1)
    await confirmed(client, 1, 2)
  },
)

wireTest(
  "returns stand before the confirms of their own messages, also in a mixed run",
  async (wire) => {
    const client = await wire.channel()
    await declare(client, "q", { durable: true })
    await client.call("confirm.select", 1)
    const count = 100
    for (let i = 0; i < count; i++)
      client.publish(1, {
        routingKey: i % 2 === 0 ? "q" : "none",
        mandatory: true,
        properties: { deliveryMode: 2 },
        body: text(String(i + 1)),
      })
    const open = new Set(Array.from({ length: count }, (_, i) => i + 1))
    const returned = new Set<number>()
    while (open.size > 0) {
      const message = await client.next(1, "basic.return or basic.ack")
      if (message.name === "basic.return") {
        returned.add(Number(message.body.toString()))
        continue
      }
      assert.equal(message.name, "basic.ack")
      const tag = Number(message.args["deliveryTag"])
      for (const number of open) {
        if (number !== tag && !(message.args["multiple"] === true && number < tag)) continue
        open.delete(number)
        if (number % 2 === 0)
          assert.ok(returned.has(number), `${number} confirmed before its return`)
      }
    }
    assert.equal(returned.size, count / 2)
  },
)

wireTest("a publish to a queue deleted just before is confirmed", async (wire) => {
  const client = await wire.channel()
  await declare(client, "q")
  await client.call("confirm.select", 1)
  client.send("queue.delete", 1, { queue: "q", nowait: true })
  publishTo(client, "q", "x")
  await confirmed(client, 1)
})

wireTest(
  "publishes before a soft error are confirmed or not, but the close comes",
  async (wire) => {
    const client = await wire.channel()
    await client.call("confirm.select", 1)
    client.publish(1, { exchange: "nope", body: text("x") })
    const close = await client.expect("channel.close", 1)
    assert.equal(close.replyCode, 404)
  },
)

wireTest("tx.select on a confirming channel is refused with 406, and the reverse", async (wire) => {
  const client = await wire.channel(2)
  await client.call("confirm.select", 1)
  client.send("tx.select", 1)
  await client.expectChannelClose(1, {
    code: 406,
    text: "PRECONDITION_FAILED - cannot switch from confirm to tx mode",
    method: "tx.select",
  })
  await client.call("tx.select", 2)
  client.send("confirm.select", 2)
  await client.expectChannelClose(2, {
    code: 406,
    text: "PRECONDITION_FAILED - cannot switch from tx to confirm mode",
    method: "confirm.select",
  })
})

wireTest("confirms and deliveries on one channel count separately", async (wire) => {
  const client = await wire.channel(2)
  await declare(client, "q")
  await client.call("confirm.select", 1)
  await consume(client, "q", { channel: 2 })
  publishTo(client, "q", "a", "b")
  await confirmed(client, 2)
  const received = await deliveries(client, 2, 2)
  assert.deepEqual(
    received.map(({ deliveryTag }) => deliveryTag),
    [1, 2],
  )
  client.send("basic.ack", 2, { deliveryTag: 2, multiple: true })
  await client.expectQuiet(2)
  assert.equal((await countsOf(client, "q")).messages, 0)
})
