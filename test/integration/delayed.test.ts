/** Delayed messages through the clients that people use, with the real clock. */
import assert from "node:assert/strict"
import { test } from "node:test"
import { connect } from "amqplib"
import type { ConsumeMessage } from "amqplib"
import { Connection } from "rabbitmq-client"
import { browseReady } from "../../src/broker/browse.ts"
import { Queue } from "../../src/broker/queue/queue.ts"
import { startBroker } from "../../src/server/start-broker.ts"
import { Inbox } from "../support/inbox.ts"

const AMQP = { host: "127.0.0.1", port: 0 }

test("amqplib: messages come when they are due, and are confirmed before", async () => {
  const broker = await startBroker({ amqp: AMQP })
  const connection = await connect(`amqp://127.0.0.1:${String(broker.amqpPort)}`)
  const channel = await connection.createConfirmChannel()
  await channel.assertExchange("later", "x-delayed-message", {
    arguments: { "x-delayed-type": "topic" },
  })
  const { queue } = await channel.assertQueue("", { exclusive: true })
  await channel.bindQueue(queue, "later", "job.#")
  const inbox = new Inbox<ConsumeMessage | null>()
  await channel.consume(queue, inbox.push, { noAck: true })
  const startMs = Date.now()
  for (const [body, delay] of [
    ["third", 300],
    ["first", 50],
    ["second", 150],
  ] as const)
    channel.publish("later", "job.x", Buffer.from(body), { headers: { "x-delay": delay } })
  await channel.waitForConfirms()
  assert.equal(inbox.items.length, 0)
  const messages = await inbox.take(3)
  assert.ok(Date.now() - startMs >= 300)
  assert.deepEqual(
    messages.map((message) => [
      message!.content.toString(),
      message!.properties.headers?.["x-delay"],
    ]),
    [
      ["first", -50],
      ["second", -150],
      ["third", -300],
    ],
  )
  await connection.close()
  await broker.close()
})

test("rabbitmq-client: a delayed message can be looked at before and after it is due", async () => {
  const broker = await startBroker({ amqp: AMQP })
  const connection = new Connection(`amqp://guest:guest@127.0.0.1:${String(broker.amqpPort)}`)
  await connection.exchangeDeclare({
    exchange: "later",
    type: "x-delayed-message",
    arguments: { "x-delayed-type": "direct" },
  })
  await connection.queueDeclare({ queue: "q" })
  await connection.queueBind({ queue: "q", exchange: "later", routingKey: "k" })
  const publisher = connection.createPublisher({ confirm: true })
  await publisher.send(
    { exchange: "later", routingKey: "k", headers: { "x-delay": 3_600_000 } },
    { job: 1 },
  )
  const vhost = broker.broker.vhosts.get("/")!
  const waiting = vhost.delayed.of(vhost.exchange("later"))
  const [one] = waiting.browse({ skip: 0, limit: 10 })
  assert.deepEqual(JSON.parse(one!.body.toString()), { job: 1 })
  assert.ok(one!.timestampMs > Date.now() + 3_500_000)
  assert.equal(waiting.cancel(one!.segment, one!.position), true)
  await publisher.send({ exchange: "later", routingKey: "k" }, { job: 2 })
  const queue = vhost.queues.get("q")
  assert.ok(queue instanceof Queue)
  const [ready] = browseReady(queue, { skip: 0, limit: 10 })
  assert.deepEqual(JSON.parse(ready!.body.toString()), { job: 2 })
  await publisher.close()
  await connection.close()
  await broker.close()
})
