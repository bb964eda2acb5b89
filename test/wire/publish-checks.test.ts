/** What is looked at when a message comes, in which order, and what its sender sees of it. */
import assert from "node:assert/strict"
import type { PublishOptions } from "../../src/amqp/content.ts"
import { tableFromPlain } from "../../src/amqp/table.ts"
import type { WireClient } from "../support/wire-client.ts"
import { countsOf, declare, drain, publishAndWait, text, wireTest } from "./harness.ts"

async function expectRefusal(
  client: WireClient,
  options: PublishOptions,
  wanted: string | RegExp,
): Promise<void> {
  client.publish(1, options)
  await client.expectChannelClose(1, { code: 406, text: wanted, method: "basic.publish" })
  await client.openChannel(1)
}

wireTest(
  "the size is looked at before the expiration, that before CC, and that before the user",
  async (wire) => {
    const client = await wire.channel()
    const headers = tableFromPlain({ CC: "no array" })
    const wrong = { expiration: "soon", headers, userId: "somebody" }
    const body = text("123456789012345678901")
    const size = /message size 21 is larger than configured max size 20/
    await expectRefusal(client, { properties: wrong, body }, size)
    const short = text("1")
    const { expiration, ...more } = wrong
    await expectRefusal(client, { properties: wrong, body: short }, /invalid expiration 'soon'/)
    await expectRefusal(client, { properties: more, body: short }, /unacceptable_type_in_header/)
    const { headers: _, ...user } = more
    await expectRefusal(client, { properties: user, body: short }, /user_id property set to/)
    assert.equal(expiration, "soon")
  },
  { maxMessageSizeBytes: 20 },
)

wireTest("a returned message has lost its BCC, and nothing else", async (wire) => {
  const client = await wire.channel()
  const headers = tableFromPlain({ CC: ["nobody"], BCC: ["nobody either"], kept: 1 })
  const properties = { contentType: "text/plain", headers, appId: "app" }
  client.publish(1, { routingKey: "none", mandatory: true, properties, body: text("back") })
  const returned = await client.expect("basic.return", 1)
  assert.equal(returned.replyCode, 312)
  assert.deepEqual(returned.properties, {
    contentType: "text/plain",
    headers: tableFromPlain({ CC: ["nobody"], kept: 1 }),
    appId: "app",
  })
  assert.equal(returned.body.toString(), "back")
})

wireTest("CC and BCC work within a transaction, and a wrong one fails at once", async (wire) => {
  const client = await wire.channel()
  for (const queue of ["a", "b", "c"]) await declare(client, queue)
  await client.call("tx.select", 1)
  const headers = tableFromPlain({ CC: ["b"], BCC: ["c"] })
  await publishAndWait(client, { routingKey: "a", properties: { headers }, body: text("m") })
  assert.equal((await countsOf(client, "b")).messages, 0)
  await client.call("tx.commit", 1)
  for (const queue of ["a", "b", "c"]) assert.deepEqual(await drain(client, queue), ["m"])
  await expectRefusal(
    client,
    { routingKey: "a", properties: { headers: tableFromPlain({ BCC: 1 }) } },
    /unacceptable_type_in_header/,
  )
})

const FULL = { "x-max-length": 1, "x-overflow": "reject-publish" }

wireTest("a queue that is full refuses with a nack, and returns nothing", async (wire) => {
  const client = await wire.channel()
  await declare(client, "full", { arguments: FULL })
  await declare(client, "free")
  for (const queue of ["full", "free"])
    await client.call("queue.bind", 1, { queue, exchange: "amq.fanout" })
  await client.call("confirm.select", 1)
  client.publish(1, { routingKey: "full", body: text("1") })
  assert.equal((await client.expect("basic.ack", 1)).deliveryTag, 1)
  client.publish(1, { routingKey: "full", mandatory: true, body: text("2") })
  assert.equal((await client.expect("basic.nack", 1)).deliveryTag, 2)
  client.publish(1, { exchange: "amq.fanout", mandatory: true, body: text("3") })
  assert.equal((await client.expect("basic.nack", 1)).deliveryTag, 3)
  client.publish(1, { routingKey: "free", body: text("4") })
  assert.equal((await client.expect("basic.ack", 1)).deliveryTag, 4)
  assert.deepEqual(await drain(client, "full"), ["1"])
  assert.deepEqual(await drain(client, "free"), ["3", "4"])
})

wireTest("runs of publishes to a full queue are refused one by one", async (wire) => {
  const client = await wire.channel()
  await declare(client, "full", { arguments: { ...FULL, "x-max-length": 50 } })
  await client.call("confirm.select", 1)
  for (let i = 0; i < 100; i++) client.publish(1, { routingKey: "full", body: text("x") })
  let acked = 0
  let answered = 0
  while (answered < 100) {
    const { name, args } = await client.next(1)
    if (name === "basic.ack") acked = Number(args["deliveryTag"])
    answered = Number(args["deliveryTag"])
  }
  assert.equal(acked, 50)
  assert.equal((await countsOf(client, "full")).messages, 50)
})

wireTest("without confirms a full queue is silent, in a transaction too", async (wire) => {
  const client = await wire.channel()
  await declare(client, "full", { arguments: FULL })
  for (const body of ["1", "2"])
    await publishAndWait(client, { routingKey: "full", mandatory: true, body: text(body) })
  await client.call("tx.select", 1)
  client.publish(1, { routingKey: "full", mandatory: true, body: text("3") })
  await client.call("tx.commit", 1)
  assert.deepEqual(await drain(client, "full"), ["1"])
})
