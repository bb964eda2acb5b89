/** The consumer timeout as clients see it: they are told of the cancel, and their other consumers go on. */
import assert from "node:assert/strict"
import { test } from "node:test"
import { connect } from "amqplib"
import type { ConsumeMessage } from "amqplib"
import { startBroker } from "../../src/server/start-broker.ts"
import { Inbox } from "../support/inbox.ts"

test("amqplib: a consumer that keeps a message is cancelled, the one beside it is not", async () => {
  const broker = await startBroker({ amqp: { host: "127.0.0.1", port: 0 } })
  const connection = await connect(`amqp://127.0.0.1:${String(broker.amqpPort)}`)
  const channel = await connection.createChannel()
  const args = { "x-consumer-timeout": 100 }
  await channel.assertQueue("slow", { durable: false, arguments: args })
  await channel.assertQueue("quick", { durable: false })
  const slow = new Inbox<ConsumeMessage | null>()
  const quick = new Inbox<ConsumeMessage | null>()
  await channel.consume("slow", slow.push)
  await channel.consume("quick", quick.push)
  channel.sendToQueue("slow", Buffer.from("kept"))
  const kept = await slow.next()
  assert.ok(kept)
  assert.equal(await slow.next(), null)
  channel.ack(kept) // Too late, and no error.
  channel.sendToQueue("quick", Buffer.from("beside"))
  const beside = await quick.next()
  channel.ack(beside!)
  const again = await channel.get("slow", { noAck: true })
  assert.ok(again !== false)
  assert.equal(again.content.toString(), "kept")
  assert.equal(again.fields.redelivered, true)
  await connection.close()
  await broker.close()
})
