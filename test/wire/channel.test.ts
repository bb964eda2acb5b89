import assert from "node:assert/strict"
import { FRAME_BODY, writeContentHeaderFrame, writeFrame } from "../../src/amqp/frames.ts"
import { encodePublish } from "../../src/amqp/content.ts"
import { NO_PROPERTIES } from "../../src/amqp/properties.ts"
import { methodFrame, type MethodName } from "../support/wire-frames.ts"
import {
  receiveBodies,
  consume,
  countsOf,
  declare,
  deliveries,
  drain,
  get,
  publishTo,
  text,
  wireTest,
} from "./harness.ts"

wireTest("opening an open channel closes the connection with 504", async (wire) => {
  const client = await wire.channel()
  client.send("channel.open", 1)
  await client.expectConnectionClose({
    code: 504,
    text: "CHANNEL_ERROR - second 'channel.open' seen",
    method: "channel.open",
  })
})

wireTest(
  "a method on a channel that was never opened closes the connection with 504",
  async (wire) => {
    const names: MethodName[] = [
      "queue.declare",
      "basic.publish",
      "basic.consume",
      "confirm.select",
    ]
    for (const name of names) {
      const client = await wire.open()
      client.send(name, 5)
      await client.expectConnectionClose({
        code: 504,
        text: "CHANNEL_ERROR - expected 'channel.open'",
        method: name,
      })
    }
  },
)

wireTest("a channel number is free again after close-ok, with a fresh state", async (wire) => {
  const client = await wire.channel()
  await declare(client, "q")
  publishTo(client, "q", "a")
  assert.equal((await get(client, "q", { noAck: false }))?.deliveryTag, 1)
  await client.call("confirm.select", 1)
  await client.call("channel.close", 1, { replyCode: 200 })
  await client.openChannel(1)
  const again = await get(client, "q", { noAck: false })
  assert.deepEqual([again?.deliveryTag, again?.redelivered], [1, true])
  await client.call("tx.select", 1) // Would be refused on a channel in confirm mode.
})

wireTest("a soft error closes its channel only", async (wire) => {
  const client = await wire.channel(2)
  client.send("queue.declare", 1, { queue: "missing", passive: true })
  await client.expectChannelClose(1, {
    code: 404,
    text: "NOT_FOUND - no queue 'missing' in vhost '/'",
    method: "queue.declare",
  })
  await client.call("queue.declare", 2, { queue: "q" })
})

wireTest(
  "whatever follows on a channel the server closed is swallowed until close-ok",
  async (wire) => {
    const client = await wire.channel()
    await declare(client, "q")
    client.sendBytes(
      Buffer.concat([
        methodFrame("queue.declare", 1, { queue: "missing", passive: true }),
        encodePublish(1, { routingKey: "q", body: text("lost") }),
        methodFrame("basic.ack", 1, { deliveryTag: 77 }),
        methodFrame("queue.declare", 1, { queue: "other" }),
        writeFrame(FRAME_BODY, 1, text("stray")),
        methodFrame("channel.open", 1),
      ]),
    )
    await client.expectChannelClose(1, { code: 404, method: "queue.declare" })
    await client.openChannel(1)
    assert.deepEqual(await drain(client, "q"), [])
    client.send("queue.declare", 1, { queue: "other", passive: true })
    await client.expectChannelClose(1, { code: 404 })
  },
)

wireTest("a publish cut in two by the server's channel close does no harm", async (wire) => {
  const client = await wire.channel()
  await declare(client, "q")
  client.send("exchange.declare", 1, { exchange: "x", type: "no-such-type" })
  client.sendBytes(methodFrame("basic.publish", 1, { routingKey: "q" }))
  await client.expect("channel.close", 1)
  client.sendBytes(writeContentHeaderFrame(1, 3, NO_PROPERTIES))
  client.sendBytes(writeFrame(FRAME_BODY, 1, text("abc")))
  client.send("channel.close-ok", 1)
  await client.openChannel(1)
  assert.deepEqual(await drain(client, "q"), [])
})

wireTest("closes of both sides that cross are both answered", async (wire) => {
  const client = await wire.channel()
  client.sendBytes(
    Buffer.concat([
      methodFrame("queue.declare", 1, { queue: "missing", passive: true }),
      methodFrame("channel.close", 1, { replyCode: 200 }),
    ]),
  )
  await client.expect("channel.close", 1)
  await client.expect("channel.close-ok", 1)
  client.send("channel.close-ok", 1)
  await client.openChannel(1)
})

wireTest("a publish whose content never ends leaves nothing behind", async (wire) => {
  const client = await wire.channel(2)
  await declare(client, "q")
  client.sendBytes(
    Buffer.concat([
      methodFrame("basic.publish", 1, { routingKey: "q" }),
      writeContentHeaderFrame(1, 100_000, NO_PROPERTIES),
      writeFrame(FRAME_BODY, 1, Buffer.alloc(50_000)),
    ]),
  )
  await client.expectQuiet(2)
  await client.reset()
  const other = await wire.channel()
  assert.equal((await countsOf(other, "q")).messages, 0)
})

wireTest("flow(true) is confirmed", async (wire) => {
  const client = await wire.channel()
  assert.equal((await client.call("channel.flow", 1, { active: true })).active, true)
})

wireTest("flow(false) stops the channel's deliveries until flow(true)", async (wire) => {
  const client = await wire.channel(2)
  await declare(client, "q")
  await consume(client, "q", { noAck: true })
  assert.equal((await client.call("channel.flow", 1, { active: false })).active, false)
  client.publish(2, { routingKey: "q", body: text("held") })
  await client.expectQuiet(2)
  client.send("channel.flow", 1, { active: false })
  assert.equal((await client.expect("channel.flow-ok", 1)).active, false)
  await client.call("channel.flow", 1, { active: true })
  assert.deepEqual(await receiveBodies(client, 1), ["held"])
})

wireTest("access.request is answered with a ticket", async (wire) => {
  const client = await wire.channel()
  const { ticket } = await client.call("access.request", 1, { realm: "/data", active: true })
  assert.equal(ticket, 1)
})

wireTest("closing a channel requeues its deliveries in their old order", async (wire) => {
  const client = await wire.channel(2)
  await declare(client, "q")
  publishTo(client, "q", "1", "2", "3", "4", "5")
  await consume(client, "q")
  await deliveries(client, 5)
  client.send("basic.ack", 1, { deliveryTag: 2 })
  await client.call("channel.close", 1, { replyCode: 200 })
  await consume(client, "q", { channel: 2 })
  const again = await deliveries(client, 4, 2)
  assert.deepEqual(
    again.map(({ body, redelivered }) => [body.toString(), redelivered]),
    [
      ["1", true],
      ["3", true],
      ["4", true],
      ["5", true],
    ],
  )
})

wireTest("what a closed channel held goes to idle consumers elsewhere", async (wire) => {
  const first = await wire.channel()
  const second = await wire.channel()
  await declare(first, "q")
  await consume(first, "q")
  publishTo(first, "q", "a")
  await first.expect("basic.deliver", 1)
  await consume(second, "q")
  await first.call("channel.close", 1, { replyCode: 200 })
  const delivery = await second.expect("basic.deliver", 1)
  assert.deepEqual([delivery.body.toString(), delivery.redelivered], ["a", true])
})

wireTest("a reset connection requeues what it held", async (wire) => {
  const first = await wire.channel()
  const second = await wire.channel()
  await declare(first, "q")
  publishTo(first, "q", "a", "b")
  await consume(first, "q")
  await deliveries(first, 2)
  await consume(second, "q")
  await first.reset()
  assert.deepEqual(await receiveBodies(second, 2), ["a", "b"])
})
