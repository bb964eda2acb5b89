/** The client makes no object per message, neither published, confirmed, forwarded nor received. */
import assert from "node:assert/strict"
import { test } from "node:test"
import * as m from "../../src/amqp/generated/methods.ts"
import type { ClientChannel } from "../../src/client/channel.ts"
import { MessageCycle } from "../../src/client/message-cycle.ts"
import { PublishTarget, SAME_TARGET } from "../../src/client/publish-target.ts"
import { LatencyRecorder, Reservoir, reservoirBytes } from "../../src/perf/latency.ts"
import { Chunk } from "../../src/util/bytes.ts"
import { deliver, openChannel, openConnection } from "../unit/client/support.ts"
import type { Scripted } from "../unit/client/support.ts"
import { BYTES_PER_MESSAGE_MAX, heapBytesPerOperation } from "./heap.ts"

/** As many as fit into some chunks: what a chunk costs is spread over them. */
const COUNT = 8000
/** Of messages that are handled many at a time: what a call costs is spread over them. */
const RUN_BYTES_PER_MESSAGE_MAX = 1
/** The compiler may leave the latency a number on the heap, of 16 bytes, where it does not inline a call. */
const LATENCY_BYTES_PER_MESSAGE_MAX = 17
const TARGET = new PublishTarget({ exchange: "x", routingKey: "key" })

async function open(): Promise<Scripted & { readonly channel: ClientChannel }> {
  const scripted = await openConnection()
  const channel = await openChannel(scripted)
  scripted.transport.keepsBytes = false
  return { ...scripted, channel }
}

test("publishing and its confirms allocate nothing per message", async () => {
  const { connection, channel, transport } = await open()
  const selected = channel.confirmSelect()
  transport.feed(m.writeConfirmSelectOk(1))
  await selected
  const body = Buffer.alloc(16, 65)
  const properties = Buffer.from([0x10, 0, 2])
  const ack = new Chunk(Buffer.from(m.writeBasicAck(1, { deliveryTag: 0, multiple: true })))
  const perMessage = heapBytesPerOperation(COUNT, () => {
    for (let i = 0; i < COUNT; i++) channel.publish(TARGET, body, properties)
    transport.callbacks.onChunk(ack, ack.bytes.length)
  })
  assert.equal(channel.unconfirmedCount, 0)
  connection.destroy()
  assert.ok(perMessage < BYTES_PER_MESSAGE_MAX, `${perMessage.toFixed(2)} bytes per message`)
})

for (const [name, isForwarded] of [
  ["received and acknowledged", false],
  ["received and forwarded", true],
] as const)
  test(`a message is ${name} without an allocation`, async () => {
    const { connection, channel, transport } = await open()
    let count = 0
    const consuming = channel.consume("q", {
      onDelivery: (delivery) => {
        count++
        if (isForwarded) channel.forward(delivery, SAME_TARGET)
        channel.ack(delivery.deliveryTag)
      },
    })
    transport.feed(m.writeBasicConsumeOk(1, { consumerTag: "c" }))
    await consuming
    const one = deliver("0123456789abcdef")
    const chunk = new Chunk(Buffer.from(Buffer.concat(Array<Buffer>(COUNT).fill(one))))
    const perMessage = heapBytesPerOperation(COUNT, () => {
      transport.callbacks.onChunk(chunk, chunk.bytes.length)
    })
    assert.ok(count >= COUNT)
    connection.destroy()
    assert.ok(perMessage < BYTES_PER_MESSAGE_MAX, `${perMessage.toFixed(2)} bytes per message`)
  })

for (const isStamped of [false, true])
  test(`a cycle ${isStamped ? "with times in it " : ""}and its confirms allocate nothing per message`, async () => {
    const { connection, channel, transport } = await open()
    const selected = channel.confirmSelect()
    transport.feed(m.writeConfirmSelectOk(1))
    await selected
    const cycle = new MessageCycle([{ target: TARGET, body: Buffer.alloc(16, 65) }], { isStamped })
    const ack = new Chunk(Buffer.from(m.writeBasicAck(1, { deliveryTag: 0, multiple: true })))
    const perMessage = heapBytesPerOperation(COUNT, () => {
      for (let done = 0; done < COUNT;) done += channel.publishCycle(cycle, 0, COUNT - done, 1.5)
      transport.callbacks.onChunk(ack, ack.bytes.length)
    })
    assert.equal(channel.unconfirmedCount, 0)
    connection.destroy()
    assert.ok(perMessage < RUN_BYTES_PER_MESSAGE_MAX, `${perMessage.toFixed(2)} bytes per message`)
  })

test("messages counted in runs, with latencies and acknowledgements, allocate a number at most", async () => {
  const { connection, channel, transport } = await open()
  const recorder = new LatencyRecorder(
    new Reservoir(new SharedArrayBuffer(reservoirBytes(1000)), 1),
    new Reservoir(new SharedArrayBuffer(reservoirBytes(100)), 2),
    new Int32Array(new SharedArrayBuffer(4)),
  )
  let count = 0
  const consuming = channel.consume("q", {
    onDelivery: () => count++,
    onRun: (run) => {
      count += run.count
      recorder.beginRun()
      for (let i = 0; i < run.count; i++) {
        recorder.add(run.chunk.view.getFloat64(run.bodyStartAt(i), true))
        if (i % 10 === 0) channel.ack(run.deliveryTagAt(i), true)
      }
      recorder.endRun()
    },
  })
  transport.feed(m.writeBasicConsumeOk(1, { consumerTag: "c" }))
  await consuming
  const one = deliver("0123456789abcdef")
  const chunk = new Chunk(Buffer.from(Buffer.concat(Array<Buffer>(COUNT).fill(one))))
  const perMessage = heapBytesPerOperation(COUNT, () => {
    transport.callbacks.onChunk(chunk, chunk.bytes.length)
  })
  assert.ok(count >= COUNT)
  connection.destroy()
  assert.ok(
    perMessage < LATENCY_BYTES_PER_MESSAGE_MAX,
    `${perMessage.toFixed(2)} bytes per message`,
  )
})
