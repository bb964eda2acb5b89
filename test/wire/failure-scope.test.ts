/** A failure of the disk reaches those who wait for what it hits, and nobody else. */
import assert from "node:assert/strict"
import { createHash } from "node:crypto"
import { encodePublish } from "../../src/amqp/content.ts"
import { startBroker } from "../../src/server/start-broker.ts"
import { ManualClock } from "../../src/util/clock.ts"
import { eventually } from "../support/eventually.ts"
import { FaultyDisk } from "../support/faulty-disk.ts"
import { methodFrame } from "../support/wire-frames.ts"
import { declare, wireTest, type WireTest } from "./harness.ts"

const PERSISTENT = { deliveryMode: 2 } as const

/** The directory of a queue. */
function directoryOf(queue: string): string {
  return `/${createHash("sha1").update(queue).digest("hex")}/`
}

function message(channel: number, routingKey: string): Buffer {
  const body = Buffer.from("m")
  return encodePublish(channel, { routingKey, properties: PERSISTENT, body }, 131_072)
}

/** The queues `bad` and `good`, each with a message on disk. */
async function prepare(wire: WireTest): Promise<void> {
  const client = await wire.channel()
  await client.call("confirm.select", 1)
  for (const queue of ["bad", "good"]) {
    await declare(client, queue, { durable: true })
    client.sendBytes(message(1, queue))
    await client.expect("basic.ack", 1)
  }
}

const syncing = new FaultyDisk()

wireTest(
  "a sync that fails: nacks for its queue, and for nobody else in the round",
  async (wire) => {
    await prepare(wire)
    const publisher = await wire.channel(3)
    for (const channel of [1, 2]) await publisher.call("confirm.select", channel)
    await publisher.call("tx.select", 3)
    const declarer = await wire.channel()
    // A round is in flight: all that comes now goes with the next one.
    syncing.holdSyncs = true
    publisher.sendBytes(message(2, "good"))
    await eventually(() => assert.ok(syncing.heldSyncCount > 0))
    syncing.failCall("sync", 1, "EIO", { path: directoryOf("bad"), repeat: true })
    publisher.sendBytes(Buffer.concat([message(1, "bad"), message(2, "good"), message(3, "good")]))
    publisher.send("tx.commit", 3)
    declarer.send("queue.declare", 1, { queue: "new", durable: true })
    const { queues } = wire.vhost
    await eventually(() => assert.ok(queues.has("new") && queues.get("good")?.readyCount === 4))
    assert.equal(queues.get("bad")?.readyCount, 2)
    syncing.holdSyncs = false
    syncing.releaseSyncs()
    assert.equal((await publisher.expect("basic.nack", 1)).deliveryTag, 1)
    assert.equal((await publisher.expect("basic.ack", 2)).deliveryTag, 1)
    assert.equal((await publisher.expect("basic.ack", 2)).deliveryTag, 2)
    await publisher.expect("tx.commit-ok", 3)
    await declarer.expect("queue.declare-ok", 1)
    syncing.heal()
    publisher.sendBytes(message(1, "bad"))
    assert.equal((await publisher.expect("basic.ack", 1)).deliveryTag, 2)
  },
  { disk: syncing },
)

const logging = new FaultyDisk()

wireTest(
  "definitions that cannot be synced end the connection that declares, and refuse no message",
  async (wire) => {
    await prepare(wire)
    const publisher = await wire.channel()
    await publisher.call("confirm.select", 1)
    const declarer = await wire.channel()
    logging.holdSyncs = true
    publisher.sendBytes(message(1, "good"))
    await eventually(() => assert.ok(logging.heldSyncCount > 0))
    logging.failCall("sync", 1, "EIO", { path: "definitions.amqp", repeat: true })
    publisher.sendBytes(message(1, "good"))
    declarer.send("queue.declare", 1, { queue: "new", durable: true })
    await eventually(() => assert.ok(wire.vhost.queues.has("new")))
    await eventually(() => assert.equal(wire.vhost.queues.get("good")?.readyCount, 3))
    logging.holdSyncs = false
    logging.releaseSyncs()
    await publisher.expect("basic.ack", 1)
    await publisher.expect("basic.ack", 1)
    await declarer.expectConnectionClose({
      code: 541,
      text: /could not be written to disk/,
      method: "queue.declare",
    })
    logging.heal()
  },
  { disk: logging },
)

const losing = new FaultyDisk()
const clock = new ManualClock()

wireTest(
  "a queue whose definition may be lost takes nothing for sure until the definition is on disk",
  async (wire) => {
    await prepare(wire)
    const publisher = await wire.channel(2)
    for (const channel of [1, 2]) await publisher.call("confirm.select", channel)
    const declarer = await wire.channel()
    // Neither the file nor the one that is to replace it.
    losing.failCall("sync", 1, "EIO", { path: "definitions.amqp", repeat: true })
    declarer.send("queue.declare", 1, { queue: "new", durable: true })
    await declarer.expectConnectionClose({
      code: 541,
      text: /could not be written to disk/,
      method: "queue.declare",
    })
    for (let tag = 1; tag < 4; tag++) {
      publisher.sendBytes(Buffer.concat([message(1, "new"), message(2, "good")]))
      assert.equal((await publisher.expect("basic.nack", 1)).deliveryTag, tag)
      assert.equal((await publisher.expect("basic.ack", 2)).deliveryTag, tag)
      clock.advance(500)
    }
    losing.heal()
    clock.advance(5000)
    await eventually(async () => {
      publisher.sendBytes(message(1, "new"))
      const { name } = await publisher.next(1)
      assert.equal(name, "basic.ack")
    })
    const disk = losing.crash("power", 1)
    const later = await startBroker({ disk, amqp: { host: "127.0.0.1", port: 0 } })
    const queue = later.broker.vhosts.get("/")?.queues.get("new")
    await later.close()
    assert.ok(queue !== undefined && queue.readyCount > 0)
  },
  { disk: losing, clock },
)

const writing = new FaultyDisk()

wireTest(
  "a write that fails: nacks for its queue, and for nobody else in the turn",
  async (wire) => {
    await prepare(wire)
    const publisher = await wire.channel(4)
    for (const channel of [1, 2]) await publisher.call("confirm.select", channel)
    await publisher.call("tx.select", 3)
    writing.failCall("write", 1, "EIO", { path: directoryOf("bad"), repeat: true })
    // In one piece, so that it is one turn.
    publisher.sendBytes(
      Buffer.concat([
        message(1, "bad"),
        message(2, "good"),
        message(3, "good"),
        methodFrame("tx.commit", 3, {}),
        methodFrame("queue.declare", 4, { queue: "new", durable: true }),
      ]),
    )
    await publisher.expect("basic.nack", 1)
    await publisher.expect("basic.ack", 2)
    await publisher.expect("tx.commit-ok", 3)
    await publisher.expect("queue.declare-ok", 4)
    assert.equal(wire.vhost.queues.get("bad")?.fault?.kind, "write")
    assert.equal(wire.vhost.queues.get("good")?.fault, null)
    writing.heal()
    await eventually(() => assert.equal(wire.vhost.queues.get("bad")?.fault, null))
  },
  { disk: writing },
)

const dying = new FaultyDisk()

wireTest(
  "dead letters to a queue that takes them do not wait for another one's disk",
  async (wire) => {
    await prepare(wire)
    const client = await wire.channel()
    await client.call("confirm.select", 1)
    for (const [source, target] of [
      ["to-bad", "bad"],
      ["to-good", "good"],
    ] as const)
      await declare(client, source, {
        durable: true,
        arguments: {
          "x-dead-letter-exchange": "",
          "x-dead-letter-routing-key": target,
          "x-max-length": 0,
        },
      })
    dying.failCall("write", 1, "EIO", { path: directoryOf("bad"), repeat: true })
    for (const queue of ["to-bad", "to-good"]) client.sendBytes(message(1, queue))
    const { queues } = wire.vhost
    await eventually(() => {
      assert.equal(queues.get("good")?.readyCount, 2)
      assert.equal(queues.get("to-good")?.unackedCount, 0)
    })
    const left = queues.get("to-bad")
    assert.ok(left !== undefined && left.unackedCount + left.readyCount === 1)
    dying.heal()
    await eventually(() => {
      assert.equal(left.unackedCount + left.readyCount, 0)
      assert.equal(queues.get("bad")?.readyCount, 2)
    })
  },
  { disk: dying },
)
