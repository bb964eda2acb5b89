/** Users, permissions and vhosts as applications meet them, with clients that applications use. */
import assert from "node:assert/strict"
import { once } from "node:events"
import { test } from "node:test"
import { AMQPClient } from "@cloudamqp/amqp-client"
import { connect } from "amqplib"
import { Connection } from "rabbitmq-client"
import { startBroker, type RunningBroker } from "../../src/server/start-broker.ts"
import { eventually, within } from "../support/eventually.ts"

const ALL = { configure: ".*", write: ".*", read: ".*" }

async function withBroker(body: (broker: RunningBroker) => Promise<void>): Promise<void> {
  const broker = await startBroker({ amqp: { host: "127.0.0.1", port: 0 } })
  const { administration } = broker
  await administration.putUser("app", { password: "p@ss/w:rd %" })
  await administration.putVhost("shop/orders")
  await administration.setPermissions("app", "shop/orders", ALL)
  try {
    await body(broker)
  } finally {
    await broker.close()
  }
}

function urlOf(broker: RunningBroker, vhost = "shop/orders"): string {
  const password = encodeURIComponent("p@ss/w:rd %")
  return `amqp://app:${password}@127.0.0.1:${broker.amqpPort}/${encodeURIComponent(vhost)}`
}

test("amqplib: a user works in its vhost, is refused elsewhere, and hears of its end", async () => {
  await withBroker(async (broker) => {
    await assert.rejects(connect(urlOf(broker, "/")))
    const connection = await connect(urlOf(broker))
    const channel = await connection.createConfirmChannel()
    channel.on("error", () => {})
    await channel.assertQueue("q")
    channel.sendToQueue("q", Buffer.from("1"))
    await channel.waitForConfirms()
    await broker.administration.setPermissions("app", "shop/orders", { ...ALL, read: "^other$" })
    await assert.rejects(
      channel.consume("q", () => {}),
      /ACCESS_REFUSED - read access to queue 'q' in vhost 'shop\/orders' refused for user 'app'/,
    )
    const closed = once(connection, "close")
    await broker.administration.deleteUser("app")
    const [error]: unknown[] = await within(closed, "the end of the connection")
    assert.match(String(error), /320 .*CONNECTION_FORCED - user 'app' was deleted/i)
    await assert.rejects(connect(urlOf(broker)))
  })
})

test("cloudamqp-client: deleting the vhost ends the connection", async () => {
  await withBroker(async (broker) => {
    const client = new AMQPClient(urlOf(broker))
    const connection = await client.connect()
    const channel = await connection.channel()
    await channel.queueDeclare("q", { durable: true })
    await channel.confirmSelect()
    await channel.basicPublish("", "q", "1", { deliveryMode: 2 })
    await broker.administration.deleteVhost("shop/orders")
    await eventually(() => assert.equal(client.closed, true))
    await assert.rejects(new AMQPClient(urlOf(broker)).connect(), /vhost shop\/orders not found/)
  })
})

test("rabbitmq-client: topic permissions refuse a key and leave the others", async () => {
  await withBroker(async (broker) => {
    await broker.administration.setTopicPermissions("app", "shop/orders", "amq.topic", {
      write: "^{username}\\.",
      read: ".*",
    })
    const connection = new Connection(urlOf(broker))
    connection.on("error", () => {})
    const publisher = connection.createPublisher({ confirm: true })
    await publisher.send({ exchange: "amq.topic", routingKey: "app.1" }, "x")
    await assert.rejects(
      publisher.send({ exchange: "amq.topic", routingKey: "other.1" }, "x"),
      /write access to topic 'other\.1' in exchange 'amq\.topic'/,
    )
    await publisher.send({ exchange: "amq.topic", routingKey: "app.2" }, "x")
    await publisher.close()
    await connection.close()
  })
})
