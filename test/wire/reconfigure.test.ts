/** Options that change while the broker runs. How they are read from a file is test/integration/command-line. */
import assert from "node:assert/strict"
import { test } from "node:test"
import { startBroker, type RunningBroker } from "../../src/server/start-broker.ts"
import { MemoryDisk } from "../../src/storage/memory-disk.ts"
import { WireClient } from "../support/wire-client.ts"
import { consume, declare, publishAndWait, text } from "./harness.ts"

async function withBroker(body: (broker: RunningBroker) => Promise<void>): Promise<void> {
  const disk = new MemoryDisk({ capacityBytes: 2 ** 40 })
  const broker = await startBroker({ disk, amqp: { host: "127.0.0.1", port: 0 } })
  try {
    await body(broker)
  } finally {
    await broker.close()
  }
}

async function connect(broker: RunningBroker): Promise<WireClient> {
  const client = await WireClient.open(broker.amqpPort)
  await client.openChannel(1)
  return client
}

test("limits of consumers and connections hold at once", async () => {
  await withBroker(async (broker) => {
    const client = await connect(broker)
    await declare(client, "q")
    await consume(client, "q")
    broker.reconfigure({ maxConsumersPerChannel: 1, maxConnections: 1 })
    const refused = await WireClient.connect(broker.amqpPort)
    refused.sendHeader()
    await refused.expect("connection.start")
    refused.startOk()
    refused.tuneOk({ ...(await refused.expect("connection.tune")), heartbeat: 0 })
    refused.send("connection.open", 0, { vhost: "/" })
    await refused.expectConnectionClose({ code: 530, text: /node connection limit \(1\)/ })
    client.send("basic.consume", 1, { queue: "q" })
    await client.expectConnectionClose({ code: 530, text: /maximum \(1\) of consumers/ })
    broker.reconfigure({ maxConsumersPerChannel: 0, maxConnections: 0 })
    const clients = [await connect(broker), await connect(broker)]
    for (let i = 0; i < 3; i++) await consume(clients[0]!, "q")
    for (const open of clients) await open.close()
  })
})

test("what is negotiated, and the size of messages, is that of new connections", async () => {
  await withBroker(async (broker) => {
    const before = await connect(broker)
    broker.reconfigure({
      maxMessageSizeBytes: 10,
      heartbeatSeconds: 7,
      frameMaxBytes: 5000,
      channelMax: 3,
    })
    const after = await WireClient.connect(broker.amqpPort)
    after.sendHeader()
    await after.expect("connection.start")
    after.startOk()
    const { heartbeat, frameMax, channelMax } = await after.expect("connection.tune")
    assert.deepEqual([heartbeat, frameMax, channelMax], [7, 5000, 3])
    after.tuneOk({ heartbeat, frameMax, channelMax })
    await after.call("connection.open", 0, { vhost: "/" })
    await after.openChannel(1)
    await publishAndWait(before, { routingKey: "q", body: text("x".repeat(11)) })
    await publishAndWait(after, { routingKey: "q", body: text("x".repeat(10)) })
    after.publish(1, { routingKey: "q", body: text("x".repeat(11)) })
    await after.expectChannelClose(1, { code: 406, text: /larger than configured max size 10/ })
    await before.close()
    await after.close()
  })
})

test("the room that must stay free on the disk is checked at once", async () => {
  await withBroker(async (broker) => {
    assert.equal(broker.broker.alarmReason, null)
    broker.reconfigure({ freeDiskMinBytes: 2 ** 41 })
    assert.equal(broker.broker.alarmReason, "low on disk")
    broker.reconfigure({})
    assert.equal(broker.broker.alarmReason, "low on disk", "what is not given stays")
    broker.reconfigure({ freeDiskMinBytes: 0 })
    assert.equal(broker.broker.alarmReason, null)
  })
})

test("the default user may be let in from elsewhere, and kept out again", async () => {
  await withBroker(async (broker) => {
    const login = async (): Promise<string | undefined> =>
      (await broker.administration.authenticate("guest", "guest", "192.0.2.1"))?.name
    assert.equal(await login(), undefined)
    broker.reconfigure({ defaultUserLoopbackOnly: false })
    assert.equal(await login(), "guest")
    broker.reconfigure({ defaultUserLoopbackOnly: true })
    assert.equal(await login(), undefined)
  })
})
