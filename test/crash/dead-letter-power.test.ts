/**
 * The power fails while messages are dead-lettered: at any moment every confirmed message is in the
 * source or in the dead letter queue, whatever of the unsynced bytes the disk has kept.
 */
import assert from "node:assert/strict"
import { test } from "node:test"
import { decodeProperties } from "../../src/amqp/properties.ts"
import { tableFromPlain } from "../../src/amqp/table.ts"
import { Queue } from "../../src/broker/queue/queue.ts"
import { startBroker, type RunningBroker } from "../../src/server/start-broker.ts"
import { ManualClock } from "../../src/util/clock.ts"
import { eventually } from "../support/eventually.ts"
import { FaultyDisk } from "../support/faulty-disk.ts"
import { chooseSeed } from "../support/seed.ts"
import { WireClient } from "../support/wire-client.ts"

const COUNT = 30
const TTL_MS = 1000
const SEEDS = 12
const START = { amqp: { port: 0 }, freeDiskMinBytes: 1, segmentSizeBytes: 4096 } as const

const seed = chooseSeed("dead-letter-power")

test("a power failure loses no dead letter", async () => {
  const clock = new ManualClock()
  const disk = new FaultyDisk()
  disk.writeFile("/memory/there", "") // The data directory itself is on disk.
  const broker = await startBroker({ ...START, disk, clock })
  const client = await WireClient.open(broker.amqpPort)
  await client.openChannel(1)
  await client.call("queue.declare", 1, { queue: "dead", durable: true })
  await client.call("queue.declare", 1, {
    queue: "source",
    durable: true,
    arguments: tableFromPlain({
      "x-message-ttl": TTL_MS,
      "x-dead-letter-exchange": "",
      "x-dead-letter-routing-key": "dead",
    }),
  })
  await client.call("confirm.select", 1)
  for (let i = 1; i <= COUNT; i++)
    client.publish(1, {
      routingKey: "source",
      properties: { deliveryMode: 2, messageId: String(i) },
      body: Buffer.alloc(300, i),
    })
  for (let confirmed = 0; confirmed < COUNT;)
    confirmed = (await client.expect("basic.ack", 1)).deliveryTag
  await check(disk, "before they expire")
  disk.holdSyncs = true
  clock.advance(TTL_MS + 16)
  await eventually(() => assert.equal(queueOf(broker, "dead").readyCount, COUNT))
  await eventually(() => assert.ok(disk.heldSyncCount > 0))
  assert.equal(queueOf(broker, "source").unackedCount, COUNT)
  await check(disk, "copied, not synced")
  disk.releaseSyncs()
  await check(disk, "just synced")
  await eventually(() => {
    disk.releaseSyncs()
    assert.equal(queueOf(broker, "source").unackedCount, 0)
  })
  await check(disk, "settled")
  disk.holdSyncs = false
  disk.releaseSyncs()
  clock.advance(20_000) // The empty source gives its files back.
  await check(disk, "at rest")
  client.destroy()
  const closing = broker.close()
  await closing
  await check(disk, "closed")
})

function queueOf(broker: RunningBroker, name: string): Queue {
  const queue = broker.broker.vhosts.get("/")!.queues.get(name)
  assert.ok(queue instanceof Queue)
  return queue
}

/** Starts a broker on what may be left after a power failure at this moment. */
async function check(disk: FaultyDisk, moment: string): Promise<void> {
  for (let i = 0; i < SEEDS; i++) {
    const survivor = disk.crash("power", seed + i)
    const broker = await startBroker({ ...START, disk: survivor, clock: new ManualClock() })
    const found = new Set<string>()
    for (const name of ["source", "dead"])
      queueOf(broker, name).store?.browse(0, ({ chunk, propertiesStart, propertiesEnd }) => {
        const { messageId } = decodeProperties(chunk.bytes, propertiesStart, propertiesEnd)
        found.add(messageId ?? "")
        return true
      })
    await broker.close()
    assert.equal(found.size, COUNT, `${moment}, seed ${String(seed + i)}`)
  }
}
