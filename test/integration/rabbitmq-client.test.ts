/** The broker through rabbitmq-client, which recovers by itself from a lost connection. */
import assert from "node:assert/strict"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { test } from "node:test"
import { Connection } from "rabbitmq-client"
import type { AsyncMessage } from "rabbitmq-client"
import { startBroker } from "../../src/server/start-broker.ts"
import { eventually, within } from "../support/eventually.ts"
import { Inbox } from "../support/inbox.ts"

function connectTo(port: number): Connection {
  const connection = new Connection({
    url: `amqp://guest:guest@127.0.0.1:${String(port)}`,
    retryLow: 20,
    retryHigh: 100,
  })
  connection.on("error", () => {}) // Expected while the broker is away.
  return connection
}

test("publisher and consumer work, and a consumer can answer", async () => {
  const broker = await startBroker({ amqp: { host: "127.0.0.1", port: 0 } })
  const connection = connectTo(broker.amqpPort)
  const inbox = new Inbox<AsyncMessage>()
  const consumer = connection.createConsumer(
    {
      queue: "orders",
      queueOptions: { durable: true },
      qos: { prefetchCount: 2 },
      exchanges: [{ exchange: "events", type: "topic" }],
      queueBindings: [{ exchange: "events", routingKey: "order.*" }],
    },
    async (message, reply) => {
      inbox.push(message)
      if (message.replyTo !== undefined) await reply({ echo: message.body })
    },
  )
  await within(once(consumer, "ready"), "the consumer")
  const publisher = connection.createPublisher({ confirm: true })
  for (let i = 0; i < 10; i++)
    await publisher.send({ exchange: "events", routingKey: "order.created", durable: true }, { i })
  const messages = await inbox.take(10)
  assert.deepEqual(
    messages.map((message) => message.body),
    Array.from({ length: 10 }, (_, i) => ({ i })),
  )
  const { queue: replyTo } = await connection.queueDeclare({ exclusive: true })
  await publisher.send({ routingKey: "orders", replyTo }, "ping")
  const answer = await eventually(async () => {
    const message = await connection.basicGet({ queue: replyTo, noAck: true })
    assert.ok(message)
    return message
  })
  assert.deepEqual(answer.body, { echo: "ping" })
  await publisher.close()
  await consumer.close()
  await connection.close()
  await broker.close()
})

test("after a restart the client reconnects and finds its durable messages", async () => {
  const dataDirectory = mkdtempSync(join(tmpdir(), "sluice-test-"))
  const first = await startBroker({ dataDirectory, amqp: { host: "127.0.0.1", port: 0 } })
  const port = first.amqpPort
  const connection = connectTo(port)
  const publisher = connection.createPublisher({
    confirm: true,
    maxAttempts: 20,
    queues: [{ queue: "kept", durable: true }],
  })
  await publisher.send({ routingKey: "kept", durable: true }, "before")
  const lost = once(connection, "error")
  await first.close()
  await within(lost, "notice of the shutdown")
  const second = await startBroker({ dataDirectory, amqp: { host: "127.0.0.1", port } })
  await within(publisher.send({ routingKey: "kept", durable: true }, "after"), "a publish", 20_000)
  const bodies: unknown[] = []
  for (let i = 0; i < 2; i++)
    bodies.push((await connection.basicGet({ queue: "kept", noAck: true }))?.body)
  assert.deepEqual(bodies, ["before", "after"])
  await publisher.close()
  await connection.close()
  await second.close()
  rmSync(dataDirectory, { recursive: true })
})
