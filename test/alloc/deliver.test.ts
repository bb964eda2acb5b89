/** A delivery makes no object on its way from the store into the outbox of its consumer. */
import assert from "node:assert/strict"
import { test } from "node:test"
import { methodFrame } from "../support/wire-frames.ts"
import { heapBytesPerOperation, openMeasured, publishes } from "./heap.ts"

const COUNT = 1000

for (const [name, body] of [
  ["16 bytes", "x".repeat(16)],
  ["1 KiB", "x".repeat(1024)],
  ["no bytes", ""],
] as const)
  test(`a message of ${name} is published and delivered without an allocation`, async () => {
    const { harness, queue, endTurn, deliverAll } = await openMeasured()
    harness.receive(methodFrame("basic.consume", 2, { queue: "q", consumerTag: "c", noAck: true }))
    endTurn()
    const bytes = publishes(COUNT, body, true)
    const perMessage = heapBytesPerOperation(COUNT, () => {
      harness.connection.onData(bytes)
      deliverAll()
    })
    endTurn()
    assert.equal(queue.deliveredCount, queue.publishedCount)
    assert.equal(queue.unackedCount, 0)
    assert.ok(perMessage < 1, `${perMessage.toFixed(2)} bytes per message`)
  })

test("draining a filled queue allocates nothing per message", async () => {
  const { harness, queue, endTurn, deliverAll } = await openMeasured()
  const bytes = publishes(COUNT, "x".repeat(16), true)
  const consume = methodFrame("basic.consume", 2, {
    queue: "q",
    consumerTag: "c",
    noAck: true,
    nowait: true,
  })
  const cancel = methodFrame("basic.cancel", 2, { consumerTag: "c", nowait: true })
  const fill = (): void => {
    for (let i = 0; i < 100; i++) {
      harness.connection.onData(bytes)
      endTurn()
    }
  }
  const drain = (): void => {
    harness.connection.onData(consume)
    deliverAll()
    harness.connection.onData(cancel)
    endTurn()
  }
  fill()
  drain()
  fill()
  globalThis.gc!()
  const before = process.memoryUsage().heapUsed
  drain()
  const perMessage = (process.memoryUsage().heapUsed - before) / (100 * COUNT)
  assert.equal(queue.deliveredCount, queue.publishedCount)
  assert.ok(perMessage < 1, `${perMessage.toFixed(2)} bytes per message`)
})
