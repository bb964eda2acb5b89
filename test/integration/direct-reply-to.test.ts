/** RPC over amq.rabbitmq.reply-to with the clients that people use. */
import assert from "node:assert/strict"
import { after, before, test } from "node:test"
import { AMQPSession } from "@cloudamqp/amqp-client"
import { connect } from "amqplib"
import { Connection } from "rabbitmq-client"
import { startBroker } from "../../src/server/start-broker.ts"
import type { RunningBroker } from "../../src/server/start-broker.ts"
import { Inbox } from "../support/inbox.ts"

let broker: RunningBroker
let url: string

before(async () => {
  broker = await startBroker({ amqp: { host: "127.0.0.1", port: 0 } })
  url = `amqp://guest:guest@127.0.0.1:${String(broker.amqpPort)}`
})
after(() => broker.close())

test("amqplib: many requests are answered, each with its own reply", async () => {
  const server = await connect(url)
  const client = await connect(url)
  const responder = await server.createChannel()
  await responder.assertQueue("square", { durable: false })
  await responder.consume("square", (request) => {
    const { replyTo, correlationId } = request!.properties
    const value = Number(request!.content.toString())
    responder.sendToQueue(replyTo, Buffer.from(String(value * value)), { correlationId })
    responder.ack(request!)
  })
  const requester = await client.createChannel()
  const replies = new Inbox<{ id: string; body: string }>()
  await requester.consume(
    "amq.rabbitmq.reply-to",
    (reply) =>
      replies.push({ id: reply!.properties.correlationId, body: reply!.content.toString() }),
    { noAck: true },
  )
  for (let i = 0; i < 500; i++)
    requester.sendToQueue("square", Buffer.from(String(i)), {
      replyTo: "amq.rabbitmq.reply-to",
      correlationId: String(i),
    })
  for (const { id, body } of await replies.take(500)) assert.equal(Number(body), Number(id) ** 2)
  await client.close()
  await server.close()
})

test("amqplib: checkQueue tells whether a requester is still there", async () => {
  const connection = await connect(url)
  const channel = await connection.createChannel()
  const { queue } = await channel.assertQueue("", { exclusive: true })
  await channel.consume("amq.rabbitmq.reply-to", () => {}, { noAck: true })
  channel.sendToQueue(queue, Buffer.from("x"), { replyTo: "amq.rabbitmq.reply-to" })
  await channel.checkQueue("amq.rabbitmq.reply-to")
  const message = await channel.get(queue, { noAck: true })
  assert.ok(message !== false)
  const asked = await channel.checkQueue(message.properties.replyTo)
  assert.equal(asked.consumerCount, 1)
  await connection.close()
})

test("rabbitmq-client: its RPC client", async () => {
  const connection = new Connection(url)
  const server = connection.createConsumer(
    { queue: "greet", queueOptions: { exclusive: true } },
    async (request, reply) => {
      await reply(`hello ${String(request.body)}`)
    },
  )
  const client = connection.createRPCClient({ confirm: true })
  const names = Array.from({ length: 50 }, (_, i) => `client ${String(i)}`)
  const replies = await Promise.all(names.map((name) => client.send("greet", name)))
  assert.deepEqual(
    replies.map(({ body }) => body as unknown),
    names.map((name) => `hello ${name}`),
  )
  await client.close()
  await server.close()
  await connection.close()
})

test("@cloudamqp/amqp-client: its RPC client and server", async () => {
  const session = await AMQPSession.connect(url)
  const server = await session.rpcServer("upper", (request) =>
    (request.bodyString() ?? "").toUpperCase(),
  )
  const client = await session.rpcClient()
  for (const word of ["one", "two", "three"]) {
    const reply = await client.call("upper", word)
    assert.equal(reply.bodyString(), word.toUpperCase())
  }
  assert.equal((await session.rpcCall("upper", "four")).bodyString(), "FOUR")
  await client.close()
  await server.close()
  await session.stop()
})
