/** Streams through the clients that Node programs use. */
import assert from "node:assert/strict"
import { after, before, test } from "node:test"
import { AMQPClient } from "@cloudamqp/amqp-client"
import type { AMQPMessage } from "@cloudamqp/amqp-client"
import { connect } from "amqplib"
import type { ConsumeMessage } from "amqplib"
import { startBroker } from "../../src/server/start-broker.ts"
import type { RunningBroker } from "../../src/server/start-broker.ts"
import { Inbox } from "../support/inbox.ts"

let broker: RunningBroker

before(async () => {
  broker = await startBroker({ amqp: { host: "127.0.0.1", port: 0 } })
})
after(() => broker.close())

function url(): string {
  return `amqp://guest:guest@127.0.0.1:${String(broker.amqpPort)}`
}

function offsetOf(message: ConsumeMessage | null): unknown {
  return message?.properties.headers?.["x-stream-offset"]
}

test("amqplib reads a stream from any place, filtered, and goes on where it was", async () => {
  const connection = await connect(url())
  const channel = await connection.createConfirmChannel()
  await channel.assertQueue("log", {
    durable: true,
    arguments: { "x-queue-type": "stream", "x-max-length-bytes": 1_000_000_000, "x-max-age": "7D" },
  })
  for (let i = 0; i < 100; i++)
    channel.sendToQueue("log", Buffer.from(String(i)), {
      persistent: true,
      headers: { "x-stream-filter-value": i % 2 === 0 ? "even" : "odd" },
    })
  await channel.waitForConfirms()
  await channel.prefetch(20)

  const all = new Inbox<ConsumeMessage | null>()
  const { consumerTag } = await channel.consume("log", all.push, {
    arguments: { "x-stream-offset": "first" },
  })
  for (let seen = 0; seen < 100; seen += 20) {
    const batch = await all.take(20)
    assert.deepEqual(
      batch.map(offsetOf),
      batch.map((_, i) => seen + i),
    )
    channel.ack(batch.at(-1)!, true)
  }
  await channel.cancel(consumerTag)

  const odd = new Inbox<ConsumeMessage | null>()
  const filtered = await channel.consume("log", odd.push, {
    arguments: { "x-stream-offset": 50, "x-stream-filter": "odd" },
  })
  assert.deepEqual((await odd.take(3)).map(offsetOf), [51, 53, 55])
  await channel.cancel(filtered.consumerTag)
  channel.ackAll()

  const first = new Inbox<ConsumeMessage | null>()
  await channel.consume("log", first.push, { consumerTag: "worker" })
  for (let i = 100; i < 110; i++) channel.sendToQueue("log", Buffer.from(String(i)))
  const got = await first.take(10)
  channel.ack(got[3]!, true)
  await channel.checkQueue("log") // So that the acknowledgement has arrived.
  await connection.close()

  const second = await connect(url())
  const again = await second.createChannel()
  await again.prefetch(20)
  const rest = new Inbox<ConsumeMessage | null>()
  await again.consume("log", rest.push, { consumerTag: "worker" })
  assert.deepEqual((await rest.take(6)).map(offsetOf), [104, 105, 106, 107, 108, 109])
  assert.deepEqual((await again.deleteQueue("log")).messageCount, 110)
  await second.close()
})

test("amqp-client reads a stream from a time and from the last batch", async () => {
  const client = await new AMQPClient(url()).connect()
  const channel = await client.channel()
  await channel.queueDeclare("ticks", { durable: true }, { "x-queue-type": "stream" })
  await channel.confirmSelect()
  for (let i = 0; i < 10; i++) await channel.basicPublish("", "ticks", String(i))
  await channel.prefetch(100)
  const inbox = new Inbox<AMQPMessage>()
  const args = { "x-stream-offset": new Date(0) }
  const consumer = await channel.basicConsume("ticks", { noAck: false, args }, inbox.push)
  const messages = await inbox.take(10)
  assert.deepEqual(messages.map((message) => message.bodyToString()).join(""), "0123456789")
  assert.equal(messages[9]!.properties.headers?.["x-stream-offset"], 9)
  await messages[9]!.ack(true)
  await consumer.cancel()
  const last = new Inbox<AMQPMessage>()
  await channel.basicConsume(
    "ticks",
    { noAck: false, args: { "x-stream-offset": "last" } },
    last.push,
  )
  assert.equal((await last.take(1))[0]!.bodyToString(), "9")
  await client.close()
})
