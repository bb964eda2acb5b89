/** What a broker still holds once its clients have gone and their queues are deleted. */
import assert from "node:assert/strict"
import { readdirSync } from "node:fs"
import { join } from "node:path"
import { test } from "node:test"
import { connect } from "amqplib"
import { BrokerProcess } from "../support/broker-process.ts"
import { eventually } from "../support/eventually.ts"
import { temporaryDirectory } from "../support/temporary-directory.ts"

const QUEUES = 20

test("deleted queues leave no open file and no directory behind", async (context) => {
  const dataDirectory = join(temporaryDirectory(context), "data")
  const broker = await BrokerProcess.start({ dataDirectory })
  context.after(() => broker.stop("SIGKILL"))
  const filesBefore = broker.openFileCount()
  const entriesBefore = readdirSync(dataDirectory, { recursive: true }).length
  // Twice: the second time the same names, so the same paths, come back.
  for (let round = 0; round < 2; round++) {
    const connection = await connect(broker.url)
    const channel = await connection.createConfirmChannel()
    for (let i = 0; i < QUEUES; i++) {
      const queue = `q.${String(i)}`
      await channel.assertQueue(queue, { durable: true })
      for (let k = 0; k < 5; k++)
        channel.sendToQueue(queue, Buffer.alloc(100), { persistent: true })
      await channel.waitForConfirms()
      const message = await channel.get(queue)
      assert.ok(message)
      channel.ack(message)
    }
    for (let i = 0; i < QUEUES; i++) await channel.deleteQueue(`q.${String(i)}`)
    await connection.close()
  }
  await eventually(() => {
    const deleted = broker.openFiles().filter((target) => target.includes("(deleted)"))
    assert.deepEqual(deleted, [])
    // The definitions log and its neighbours may stay open.
    assert.ok(broker.openFileCount() <= filesBefore + 4, broker.openFiles().join("\n"))
  })
  await eventually(() => {
    const entries = readdirSync(dataDirectory, { recursive: true })
    assert.ok(entries.length <= entriesBefore + 2, entries.join("\n"))
  })
})
