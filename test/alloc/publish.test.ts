/** A publish makes no object on its way from the socket into the store of its queue. */
import assert from "node:assert/strict"
import { test } from "node:test"
import { writeContentHeaderFrame, writeFrame } from "../../src/amqp/frames.ts"
import { methodFrame } from "../support/wire-frames.ts"
import { BYTES_PER_MESSAGE_MAX, heapBytesPerOperation, openMeasured, publishes } from "./heap.ts"

/** Messages of one turn: what a turn costs by itself is spread over them. */
const COUNT = 8000

for (const [name, body, persistent] of [
  ["a transient message of 16 bytes", "x".repeat(16), false],
  ["a persistent message of 16 bytes", "x".repeat(16), true],
  ["a message of 1 KiB", "x".repeat(1024), true],
  ["an empty message", "", true],
] as const)
  test(`parsing, routing and appending ${name} allocates nothing`, async () => {
    const { harness, queue, endTurn } = await openMeasured()
    const bytes = publishes(COUNT, body, persistent)
    let published = 0
    const perMessage = heapBytesPerOperation(COUNT, () => {
      harness.connection.onData(bytes)
      endTurn()
      published += queue.readyCount
      queue.purge()
      endTurn()
    })
    assert.equal(published, queue.publishedCount)
    assert.ok(published >= 200_000)
    assert.ok(
      perMessage < (body.length > 1000 ? BYTES_PER_MESSAGE_MAX : 1),
      `${perMessage.toFixed(2)} bytes per message`,
    )
  })

test("a publisher that alternates between keys and sizes allocates nothing either", async () => {
  const { harness, queue, endTurn } = await openMeasured()
  const other = harness.declare("r")
  const frames: Buffer[] = []
  for (let i = 0; i < COUNT; i++) {
    const body = Buffer.alloc(i % 50, 1)
    frames.push(methodFrame("basic.publish", 1, { routingKey: i % 2 === 0 ? "q" : "r" }))
    frames.push(writeContentHeaderFrame(1, body.length, Buffer.from([0x10, 0, 2])))
    if (body.length > 0) frames.push(writeFrame(3, 1, body))
  }
  const bytes = Buffer.concat(frames)
  const perMessage = heapBytesPerOperation(COUNT, () => {
    harness.connection.onData(bytes)
    endTurn()
    queue.purge()
    other.purge()
    endTurn()
  })
  assert.equal(queue.publishedCount, other.publishedCount)
  assert.ok(perMessage < 1, `${perMessage.toFixed(2)} bytes per message`)
})

test("publisher confirms cost nothing per message", async () => {
  const { harness, queue, endTurn } = await openMeasured()
  harness.receive(methodFrame("confirm.select", 1))
  endTurn()
  const bytes = publishes(COUNT, "x".repeat(16), true)
  const channel = harness.connection.channels[1]
  const perMessage = heapBytesPerOperation(COUNT, () => {
    harness.connection.onData(bytes)
    endTurn()
    queue.purge()
    endTurn()
  })
  assert.equal(channel?.confirms?.unconfirmedCount, 0)
  assert.ok(perMessage < 1, `${perMessage.toFixed(2)} bytes per message`)
})
