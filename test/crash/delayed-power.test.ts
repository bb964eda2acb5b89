/**
 * The power fails while delayed messages wait, fall due and move on: what was confirmed comes at least
 * once. The broker runs in this process, on a disk that forgets any part of what was not synced.
 */
import assert from "node:assert/strict"
import { test } from "node:test"
import { TypedNumber } from "../../src/amqp/table.ts"
import { startBroker } from "../../src/server/start-broker.ts"
import { tableFromPlain } from "../../src/amqp/table.ts"
import { ManualClock } from "../../src/util/clock.ts"
import { eventually } from "../support/eventually.ts"
import { FaultyDisk } from "../support/faulty-disk.ts"
import { chooseSeed, createRandom } from "../support/seed.ts"
import { WireClient } from "../support/wire-client.ts"

const COUNT = 30
const AMQP = { host: "127.0.0.1", port: 0 }

type RunningBroker = Awaited<ReturnType<typeof startBroker>>

test("after a power failure every confirmed message that waited still comes", async () => {
  const random = createRandom(chooseSeed("power failure of delayed messages"))
  for (let round = 0; round < 20; round++) {
    const disk = await emptyDisk()
    const clock = new ManualClock()
    const broker = await startBroker({ disk, clock, amqp: AMQP })
    const client = await WireClient.open(broker.amqpPort)
    await declare(client)
    const delays = Array.from({ length: COUNT }, () => 1 + random.below(2000))
    await publish(client, delays)
    // Some move on. The syncs of the copies may be over, or not.
    disk.holdSyncs = random.chance(0.5)
    clock.advance(random.below(2000))
    for (let turns = random.below(6); turns > 0; turns--) await turn()
    const after = disk.crash("power", random.below(2 ** 31))
    after.holdSyncs = false
    client.destroy()
    disk.holdSyncs = false
    disk.releaseSyncs()
    await stop(broker, clock)
    const nextClock = new ManualClock(clock.nowMs + 5000)
    const next = await startBroker({ disk: after, clock: nextClock, amqp: AMQP })
    const again = await WireClient.open(next.amqpPort)
    await again.openChannel(1)
    const found = new Set<string>()
    await eventually(async () => {
      for (const body of await drain(again)) found.add(body)
      assert.equal(found.size, COUNT, `round ${String(round)}: ${String(found.size)} came`)
    })
    again.destroy()
    await stop(next, nextClock)
  }
})

/** With a data directory whose name is safe: whoever installs a broker makes it before. */
async function emptyDisk(): Promise<FaultyDisk> {
  const disk = new FaultyDisk()
  disk.makeDirectory("/memory")
  await new Promise<void>((resolve) => {
    disk.syncDirectory("/", () => resolve())
  })
  return disk
}

async function declare(client: WireClient): Promise<void> {
  await client.openChannel(1)
  await client.call("exchange.declare", 1, {
    exchange: "late",
    type: "x-delayed-message",
    durable: true,
    arguments: tableFromPlain({ "x-delayed-type": "fanout" }),
  })
  await client.call("queue.declare", 1, { queue: "q", durable: true })
  await client.call("queue.bind", 1, { queue: "q", exchange: "late" })
}

async function publish(client: WireClient, delays: readonly number[]): Promise<void> {
  await client.call("confirm.select", 1)
  for (const [index, delay] of delays.entries()) {
    const headers = new Map([["x-delay", new TypedNumber("I", delay)]])
    const body = Buffer.from(`message ${String(index)}`)
    client.publish(1, { exchange: "late", properties: { headers, deliveryMode: 2 }, body })
  }
  for (let confirmed = 0; confirmed < delays.length;)
    confirmed = (await client.expect("basic.ack", 1)).deliveryTag
}

async function drain(client: WireClient): Promise<string[]> {
  const bodies: string[] = []
  for (;;) {
    client.send("basic.get", 1, { queue: "q", noAck: true })
    const reply = await client.next(1)
    if (reply.name === "basic.get-empty") return bodies
    assert.equal(reply.name, "basic.get-ok")
    bodies.push(reply.body.toString())
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve))
}

/** The clock must move for the shutdown, which looks after its clients by it. */
async function stop(broker: RunningBroker, clock: ManualClock): Promise<void> {
  const state = { isClosed: false }
  const closed = broker.close().finally(() => (state.isClosed = true))
  while (!state.isClosed) {
    clock.advance(10)
    await turn()
  }
  await closed
}
