/** The broker through @cloudamqp/amqp-client, which also offers transactions and flow. */
import assert from "node:assert/strict"
import { after, afterEach, before, beforeEach, test } from "node:test"
import { AMQPClient } from "@cloudamqp/amqp-client"
import type { AMQPBaseClient, AMQPChannel, AMQPMessage } from "@cloudamqp/amqp-client"
import { startBroker } from "../../src/server/start-broker.ts"
import type { RunningBroker } from "../../src/server/start-broker.ts"
import { Inbox } from "../support/inbox.ts"

let broker: RunningBroker
let client: AMQPBaseClient
let channel: AMQPChannel

before(async () => {
  broker = await startBroker({ amqp: { host: "127.0.0.1", port: 0 } })
})
after(() => broker.close())
beforeEach(async () => {
  client = await connectClient()
  channel = await client.channel()
})
afterEach(async () => {
  if (!client.closed) await client.close()
})

function connectClient(): Promise<AMQPBaseClient> {
  return new AMQPClient(`amqp://guest:guest@127.0.0.1:${String(broker.amqpPort)}`).connect()
}

async function exclusiveQueue(): Promise<string> {
  return (await channel.queueDeclare("", { exclusive: true })).name
}

test("messages go round with a small frame size", async () => {
  const queue = await exclusiveQueue()
  const inbox = new Inbox<AMQPMessage>()
  await channel.basicConsume(queue, { noAck: false }, inbox.push)
  await channel.confirmSelect()
  const large = "x".repeat(100_000)
  await channel.basicPublish("", queue, "small", { contentType: "text/plain", headers: { a: 1 } })
  await channel.basicPublish("", queue, large, { deliveryMode: 2 })
  const [first, second] = await inbox.take(2)
  assert.equal(first!.bodyToString(), "small")
  assert.equal(first!.properties.contentType, "text/plain")
  assert.deepEqual(first!.properties.headers, { a: 1 })
  assert.equal(second!.bodyToString(), large)
  await second!.ack(true)
})

test("confirms resolve with the number of the message", async () => {
  const queue = await exclusiveQueue()
  await channel.confirmSelect()
  const tags = await Promise.all(
    Array.from({ length: 50 }, (_, i) => channel.basicPublish("", queue, String(i))),
  )
  assert.deepEqual(
    tags,
    Array.from({ length: 50 }, (_, i) => i + 1),
  )
})

test("a committed transaction publishes, a rolled back one does not", async () => {
  const queue = await exclusiveQueue()
  await channel.txSelect()
  await channel.basicPublish("", queue, "dropped")
  await channel.txRollback()
  await channel.basicPublish("", queue, "kept")
  const other = await client.channel()
  assert.ok((await other.basicGet(queue)) === null, "visible before the commit")
  await channel.txCommit()
  const message = await other.basicGet(queue)
  assert.equal(message!.bodyToString(), "kept")
  assert.equal(message!.messageCount, 0)
  await message!.ack()
})

test("acknowledgements of a transaction take effect at the commit", async () => {
  const queue = await exclusiveQueue()
  await channel.basicPublish("", queue, "x")
  await channel.txSelect()
  const message = await channel.basicGet(queue, { noAck: false })
  await channel.basicAck(message!.deliveryTag)
  await channel.txRollback()
  await channel.basicAck(message!.deliveryTag)
  await channel.txCommit()
  await channel.close()
  const other = await client.channel()
  assert.ok((await other.basicGet(queue)) === null, "the message came back")
})

test("flow stops and resumes or is refused as RabbitMQ does, without harm", async () => {
  assert.equal(await channel.basicFlow(true), true)
})

test("an exclusive consumer keeps others away", async () => {
  const queue = await exclusiveQueue()
  await channel.basicConsume(queue, { exclusive: true }, () => {})
  const other = await client.channel()
  await assert.rejects(
    other.basicConsume(queue, {}, () => {}),
    /ACCESS_REFUSED|exclusive use/,
  )
})

test("a returned message says why", async () => {
  const returned = new Inbox<AMQPMessage>()
  channel.onReturn = returned.push
  await channel.confirmSelect()
  await channel.basicPublish("amq.topic", "nobody.listens", "x", {}, true)
  const message = await returned.next()
  assert.equal(message.replyCode, 312)
  assert.equal(message.replyText, "NO_ROUTE")
  assert.equal(message.routingKey, "nobody.listens")
})

test("the shared prefetch of a channel holds for all its consumers", async () => {
  const queue = await exclusiveQueue()
  for (let i = 0; i < 20; i++) await channel.basicPublish("", queue, String(i))
  await channel.basicQos(5, 0, true)
  const inbox = new Inbox<AMQPMessage>()
  await channel.basicConsume(queue, { noAck: false }, inbox.push)
  await channel.basicConsume(queue, { noAck: false }, inbox.push)
  const [first] = await inbox.take(5)
  await channel.queueDeclare(queue, { passive: true, exclusive: true })
  assert.equal(inbox.items.length, 5)
  await first!.ack()
  await inbox.take(1)
  await channel.queueDeclare(queue, { passive: true, exclusive: true })
  assert.equal(inbox.items.length, 6)
})

test("passive declarations, purge and conditional deletes answer with counts", async () => {
  const queue = "counted"
  await channel.queueDeclare(queue, { durable: true })
  await channel.confirmSelect()
  for (let i = 0; i < 3; i++) await channel.basicPublish("", queue, String(i))
  const declared = await channel.queueDeclare(queue, { passive: true })
  assert.equal(declared.messageCount, 3)
  const failing = await client.channel()
  await assert.rejects(failing.queueDelete(queue, { ifEmpty: true }), /PRECONDITION_FAILED/)
  assert.equal((await channel.queuePurge(queue)).messageCount, 3)
  assert.equal((await channel.queueDelete(queue, { ifEmpty: true })).messageCount, 0)
})
