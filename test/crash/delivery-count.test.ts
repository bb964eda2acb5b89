/** The count of failed deliveries outlives a broker that is killed: it was written in the turn of the failure. */
import assert from "node:assert/strict"
import { join } from "node:path"
import { test } from "node:test"
import { connect } from "amqplib"
import type { GetMessage } from "amqplib"
import { BrokerProcess } from "../support/broker-process.ts"
import { temporaryDirectory } from "../support/temporary-directory.ts"

const QUEUE = "limited"

test("a killed broker still knows how often a message has failed", async (context) => {
  const dataDirectory = join(temporaryDirectory(context), "data")
  let broker: BrokerProcess | null = null
  context.after(() => broker?.stop("SIGKILL"))
  const counts: unknown[] = []
  for (let life = 0; life < 3; life++) {
    broker = await BrokerProcess.start({ dataDirectory })
    const connection = await connect(broker.url)
    connection.on("error", () => {}) // The kill.
    const channel = await connection.createConfirmChannel()
    channel.on("error", () => {})
    await channel.assertQueue("dead", { durable: true })
    await channel.assertQueue(QUEUE, {
      durable: true,
      arguments: {
        "x-delivery-limit": 5,
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": "dead",
      },
    })
    if (life === 0) {
      channel.sendToQueue(QUEUE, Buffer.from("m"), { persistent: true })
      await channel.waitForConfirms()
    }
    for (let i = 0; i < 2; i++) {
      const message: GetMessage | false = await channel.get(QUEUE)
      assert.ok(message !== false)
      counts.push(message.properties.headers?.["x-delivery-count"] ?? 0)
      channel.nack(message, false, true)
    }
    await channel.checkQueue(QUEUE) // What came before it is written.
    if (life === 2) {
      assert.equal((await channel.checkQueue(QUEUE)).messageCount, 0)
      assert.equal((await channel.checkQueue("dead")).messageCount, 1)
    }
    await broker.stop("SIGKILL")
  }
  assert.deepEqual(counts, [0, 1, 2, 3, 4, 5])
})
