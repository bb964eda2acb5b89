/** A delivery makes no object on its way from the store into the outbox of its consumer. */
import assert from "node:assert/strict"
import { test } from "node:test"
import { methodFrame } from "../support/wire-frames.ts"
import { BYTES_PER_MESSAGE_MAX, heapBytesPerOperation, openMeasured, publishes } from "./heap.ts"

/** Messages of one turn: what a turn costs by itself is spread over them. */
const COUNT = 8000

for (const [name, body] of [
  ["16 bytes", "x".repeat(16)],
  ["1 KiB", "x".repeat(1024)],
  ["no bytes", ""],
] as const)
  test(`a message of ${name} is published and delivered without an allocation`, async () => {
    const { harness, queue, endTurn, deliverAll } = await openMeasured(true)
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
    assert.ok(perMessage < BYTES_PER_MESSAGE_MAX, `${perMessage.toFixed(2)} bytes per message`)
  })

test("draining a filled queue allocates nothing per message", async () => {
  const { harness, queue, endTurn, deliverAll } = await openMeasured(true)
  const bytes = publishes(COUNT, "x".repeat(16), true)
  const stop = methodFrame("channel.flow", 2, { active: false })
  const go = methodFrame("channel.flow", 2, { active: true })
  harness.receive(methodFrame("basic.consume", 2, { queue: "q", noAck: true }))
  const fill = (): void => {
    harness.connection.onData(stop)
    for (let i = 0; i < 25; i++) {
      harness.connection.onData(bytes)
      endTurn()
    }
  }
  let best = Number.POSITIVE_INFINITY
  for (let i = 0; i < 10 && best >= 1; i++) {
    fill()
    assert.equal(queue.readyCount, 25 * COUNT)
    const before = process.memoryUsage().heapUsed
    harness.connection.onData(go)
    deliverAll()
    const used = process.memoryUsage().heapUsed - before
    if (used >= 0) best = Math.min(best, used / (25 * COUNT))
  }
  assert.equal(queue.deliveredCount, queue.publishedCount)
  assert.ok(best < BYTES_PER_MESSAGE_MAX, `${best.toFixed(2)} bytes per message`)
})
