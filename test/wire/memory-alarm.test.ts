/** The memory alarm: publishers wait as they do for the disk, everybody else goes on, and it can be seen. */
import assert from "node:assert/strict"
import { test } from "node:test"
import type { MemorySource } from "../../src/server/memory-monitor.ts"
import { startBroker } from "../../src/server/start-broker.ts"
import { MemoryDisk } from "../../src/storage/memory-disk.ts"
import { ManualClock } from "../../src/util/clock.ts"
import { eventually } from "../support/eventually.ts"
import { consume, countsOf, declare, deliveries, publishTo, text, wireTest } from "./harness.ts"
import type { WireTest } from "./harness.ts"

const GIB = 2 ** 30

class Memory implements MemorySource {
  totalBytes = 4 * GIB
  usedBytes = GIB
  heapUsedBytes = GIB / 8
  heapLimitBytes = 4 * GIB

  collect(): void {}
}

interface Bed {
  readonly memory: Memory
  readonly disk: MemoryDisk
  /** The broker has looked again. */
  look(): void
}

function memoryTest(name: string, body: (wire: WireTest, bed: Bed) => Promise<void>): void {
  const clock = new ManualClock()
  const memory = new Memory()
  const disk = new MemoryDisk({ capacityBytes: 2 ** 40 })
  const options = { clock, memory, disk, memoryHighWatermark: 0.5, segmentSizeBytes: 1 << 20 }
  const look = (): void => clock.advance(6000)
  wireTest(
    name,
    async (wire) => {
      await body(wire, { memory, disk, look })
      memory.usedBytes = GIB
      disk.capacityBytes = 2 ** 40
      look()
    },
    options,
  )
}

memoryTest("a publisher is told low on memory, waits, and goes on", async (wire, bed) => {
  const publisher = await wire.channel()
  const consumer = await wire.channel()
  await declare(consumer, "q", { durable: true })
  publishTo(consumer, "q", "before")
  await consumer.expectQuiet(1)
  bed.memory.usedBytes = 3 * GIB
  bed.look()
  publishTo(publisher, "q", "held")
  assert.equal((await publisher.expect("connection.blocked")).reason, "low on memory")
  await consume(consumer, "q")
  const [first] = await deliveries(consumer, 1)
  assert.equal(first?.body.toString(), "before")
  await consumer.expectQuiet(1)
  bed.memory.usedBytes = 2 * GIB * 0.96
  bed.look()
  await consumer.expectQuiet(1)
  bed.memory.usedBytes = 2 * GIB * 0.9
  bed.look()
  await publisher.expect("connection.unblocked")
  assert.equal((await deliveries(consumer, 1))[0]?.body.toString(), "held")
})

memoryTest("confirms are refused while the alarm is on", async (wire, bed) => {
  const client = await wire.channel()
  await declare(client, "q", { durable: true })
  await client.call("confirm.select", 1)
  bed.memory.usedBytes = 3 * GIB
  bed.look()
  client.publish(1, { routingKey: "q", body: text("x") })
  assert.equal((await client.expect("basic.nack", 1)).deliveryTag, 1)
  bed.memory.usedBytes = GIB
  bed.look()
  client.publish(1, { routingKey: "q", body: text("x") })
  assert.equal((await client.expect("basic.ack", 1)).deliveryTag, 2)
})

memoryTest("of two alarms the last that ends lets publishers go on", async (wire, bed) => {
  const publisher = await wire.channel()
  const witness = await wire.channel()
  await declare(witness, "q", { durable: true })
  bed.memory.usedBytes = 3 * GIB
  bed.disk.capacityBytes = bed.disk.usedBytes + 1000
  bed.look()
  assert.equal(wire.broker().alarmReason, "low on memory & disk")
  publishTo(publisher, "q", "held")
  assert.equal((await publisher.expect("connection.blocked")).reason, "low on memory & disk")
  bed.memory.usedBytes = GIB
  bed.look()
  assert.equal(wire.broker().alarmReason, "low on disk")
  assert.equal((await countsOf(witness, "q")).messages, 0)
  bed.disk.capacityBytes = 2 ** 40
  bed.look()
  await publisher.expect("connection.unblocked")
  await eventually(async () => assert.equal((await countsOf(witness, "q")).messages, 1))
})

test("the API shows the alarm, and a new limit holds at once", async () => {
  const memory = new Memory()
  const broker = await startBroker({
    memory,
    memoryHighWatermark: 2 * GIB,
    amqp: { port: 0 },
    http: { host: "127.0.0.1", port: 0 },
  })
  const ask = async (path: string): Promise<{ status: number; body: string }> => {
    const headers = { authorization: `Basic ${btoa("guest:guest")}` }
    const response = await fetch(`http://127.0.0.1:${broker.http?.port ?? 0}/api/${path}`, {
      headers,
    })
    return { status: response.status, body: await response.text() }
  }
  try {
    const [node] = JSON.parse((await ask("nodes")).body)
    assert.deepEqual(
      [node.mem_limit, node.mem_alarm, node.disk_free_alarm],
      [2 * GIB, false, false],
    )
    broker.reconfigure({ memoryHighWatermark: 0.1 })
    const [low] = JSON.parse((await ask("nodes")).body)
    assert.deepEqual(
      [low.mem_limit, low.mem_alarm, low.disk_free_alarm],
      [Math.floor(0.4 * GIB), true, false],
    )
    for (const check of ["alarms", "local-alarms"]) {
      const { status, body } = await ask(`health/checks/${check}`)
      assert.equal(status, 503)
      const { alarms } = JSON.parse(body)
      assert.deepEqual(
        [alarms.length, alarms[0].resource, alarms[0].reason],
        [1, "memory", "low on memory"],
      )
    }
    broker.reconfigure({ memoryHighWatermark: 0 })
    assert.equal((await ask("health/checks/alarms")).status, 200)
  } finally {
    await broker.close()
  }
})
