/** The client against the broker: over TCP and within the process. */
import assert from "node:assert/strict"
import { connect, createServer } from "node:net"
import type { Socket } from "node:net"
import { test } from "node:test"
import type { TestContext } from "node:test"
import type { ClientChannel } from "../../src/client/channel.ts"
import { AmqpClient } from "../../src/client/client.ts"
import type { ClientConnection } from "../../src/client/connection.ts"
import type { ReceivedMessage } from "../../src/client/delivery.ts"
import { ClientError } from "../../src/client/errors.ts"
import { PublishTarget, SAME_TARGET } from "../../src/client/publish-target.ts"
import { startBroker } from "../../src/server/start-broker.ts"
import { eventually } from "../support/eventually.ts"

interface Bed {
  readonly client: AmqpClient
  readonly uri: string
  readonly connection: ClientConnection
  readonly channel: ClientChannel
}

async function open(context: TestContext): Promise<Bed> {
  const broker = await startBroker({ amqp: { port: 0 } })
  context.after(() => broker.close())
  const client = new AmqpClient()
  const uri = `amqp://guest:guest@127.0.0.1:${String(broker.amqpPort)}`
  const connection = await client.connect(uri, { name: "test" })
  context.after(() => connection.close())
  return { client, uri, connection, channel: await connection.openChannel() }
}

test("every method that has a reply gets it", async (context) => {
  const { channel } = await open(context)
  await channel.declareExchange("e", "topic", { durable: true, arguments: { "x-odd": 1 } })
  await channel.declareExchange("f", "fanout", { autoDelete: false })
  await channel.checkExchange("e")
  assert.equal((await channel.declareQueue("q", { durable: true })).messageCount, 0)
  await channel.bindExchange("f", "e", "a.#")
  await channel.bindQueue("q", "f", "")
  channel.publish(new PublishTarget({ exchange: "e", routingKey: "a.b" }), Buffer.from("1"))
  assert.equal((await channel.get("q", { noAck: true }))?.body.toString(), "1")
  assert.equal(await channel.get("q"), null)
  await channel.unbindExchange("f", "e", "a.#")
  await channel.unbindQueue("q", "f", "")
  const target = new PublishTarget({ routingKey: "q" })
  await channel.txSelect()
  channel.publish(target, Buffer.from("kept"))
  await channel.txCommit()
  channel.publish(target, Buffer.from("dropped"))
  await channel.txRollback()
  assert.equal((await channel.checkQueue("q")).messageCount, 1)
  await channel.qos(5)
  await channel.recover()
  assert.equal(await channel.purgeQueue("q"), 1)
  assert.equal(await channel.deleteQueue("q", { ifUnused: true, ifEmpty: true }), 0)
  await channel.deleteExchange("f")
  await channel.deleteExchange("e")
  await channel.close()
  await channel.close()
})

test("messages of all sizes arrive as they were sent, with confirms and acknowledgements", async (context) => {
  const { connection, channel } = await open(context)
  const consumerChannel = await connection.openChannel()
  await channel.declareQueue("q")
  const sizes = [0, 1, 100, 5000, 65_536, 131_064, 131_065, 1_000_000, 3_000_000]
  const received: ReceivedMessage[] = []
  await consumerChannel.qos(2)
  const consumer = await consumerChannel.consume("q", {
    onDelivery: (delivery) => {
      received.push(delivery.copy())
      consumerChannel.ack(delivery.deliveryTag)
    },
  })
  await channel.confirmSelect({ window: 100 })
  const headers = new Map([["k", "v"]])
  for (const size of sizes)
    channel.publish(new PublishTarget({ routingKey: "q" }), Buffer.alloc(size, "abcdefg"), {
      headers,
      messageId: String(size),
    })
  await eventually(() => {
    assert.equal(received.length, sizes.length)
    assert.equal(channel.unconfirmedCount, 0)
  })
  for (const [index, size] of sizes.entries()) {
    assert.ok(received[index]!.body.equals(Buffer.alloc(size, "abcdefg")), String(size))
    assert.equal(received[index]!.properties.messageId, String(size))
    assert.deepEqual(received[index]!.properties.headers, headers)
  }
  await consumerChannel.cancel(consumer.tag)
  assert.ok(consumer.isCancelled)
  await consumerChannel.close()
  assert.equal((await channel.checkQueue("q")).messageCount, 0)
})

test("100,000 messages pass from one connection to another through both ends' limits", async (context) => {
  const { client, uri, connection, channel } = await open(context)
  const other = await client.connect(uri)
  context.after(() => other.close())
  const out = await other.openChannel()
  await channel.declareQueue("from")
  await channel.declareQueue("to")
  const count = 100_000
  const publisher = await other.openChannel()
  await publisher.confirmSelect({ window: 500 })
  const target = new PublishTarget({ routingKey: "from" })
  let sent = 0
  const pump = (): void => {
    while (sent < count) {
      const body = Buffer.alloc(8)
      body.writeUInt32BE(sent++)
      if (!publisher.publish(target, body)) return
    }
  }
  publisher.onDrain = pump
  pump()
  await out.confirmSelect({ window: 300 })
  out.onConfirm = (tag, multiple, isAck) => {
    assert.ok(isAck)
    channel.ack(tag, multiple) // Tags of both sides begin at 1 and go up by 1.
  }
  out.onDrain = () => connection.resume()
  await channel.qos(1000)
  const toKey = new PublishTarget({ exchange: null, routingKey: "to" })
  await channel.consume("from", {
    onDelivery: (delivery) => {
      if (!out.forward(delivery, toKey)) connection.pause()
    },
  })
  await eventually(() => assert.equal(out.publishedCount, count), { timeoutMs: 30_000 })
  const check = await other.openChannel()
  await eventually(async () => {
    assert.equal((await check.checkQueue("to")).messageCount, count)
    assert.equal((await check.checkQueue("from")).messageCount, 0)
  })
  let next = 0
  await check.consume("to", {
    noAck: true,
    onDelivery: (delivery) => assert.equal(delivery.body.readUInt32BE(0), next++),
  })
  await eventually(() => assert.equal(next, count), { timeoutMs: 30_000 })
})

test("what nobody takes comes back, and a deleted queue tells its consumer", async (context) => {
  const { channel } = await open(context)
  const returned = Promise.withResolvers<string>()
  channel.onReturn = ({ replyCode, routingKey }) =>
    returned.resolve(`${String(replyCode)} ${routingKey}`)
  channel.publish(new PublishTarget({ routingKey: "nowhere", mandatory: true }), Buffer.from("x"))
  assert.equal(await returned.promise, "312 nowhere")
  await channel.declareQueue("q")
  const cancelled = Promise.withResolvers<void>()
  await channel.consume("q", { onDelivery: () => {}, onCancelled: () => cancelled.resolve() })
  await channel.deleteQueue("q")
  await cancelled.promise
})

test("errors say what the broker said", async (context) => {
  const { client, uri, connection, channel } = await open(context)
  await assert.rejects(channel.checkQueue("nope"), (error: unknown) => {
    assert.ok(error instanceof ClientError)
    assert.equal(error.kind, "channel-closed")
    assert.equal(error.code, 404)
    assert.equal(error.method, "queue.declare")
    assert.match(error.replyText, /no queue 'nope' in vhost '\/'/)
    return true
  })
  assert.ok(connection.isOpen)
  for (const [bad, kind] of [
    [uri.replace("guest:guest", "guest:wrong"), "authentication"],
    [`${uri}/nowhere`, "connection-closed"],
    ["amqp://127.0.0.1:1", "connect"],
    ["amqp://no-such-host.invalid", "connect"],
  ] as const)
    await assert.rejects(
      client.connect(bad),
      (error: unknown) => error instanceof ClientError && error.kind === kind,
      bad,
    )
})

test("a stream that breaks is told to everybody who waits", async (context) => {
  const { client, uri } = await open(context)
  const sockets: Socket[] = []
  const port = Number(new URL(uri).port)
  const proxy = createServer((socket) => {
    const onward = connect(port, "127.0.0.1")
    sockets.push(socket, onward)
    for (const end of [socket, onward]) end.on("error", () => {})
    socket.pipe(onward).pipe(socket)
  })
  await new Promise<void>((resolve) => void proxy.listen(0, "127.0.0.1", resolve))
  context.after(() => proxy.close())
  const address = proxy.address()
  assert.ok(typeof address === "object" && address !== null)
  const connection = await client.connect(`amqp://127.0.0.1:${String(address.port)}`)
  const channel = await connection.openChannel()
  const closed = Promise.withResolvers<ClientError | null>()
  connection.onClosed = closed.resolve
  const waiting = channel.declareQueue("q")
  for (const socket of sockets) socket.destroy()
  await assert.rejects(waiting, ClientError)
  assert.equal((await closed.promise)?.kind, "connection-lost")
  assert.throws(() => channel.publish(SAME_TARGET, Buffer.alloc(0)), ClientError)
})
