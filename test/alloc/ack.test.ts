/** Nor do acknowledgements: one by one, with multiple, and in any order. */
import assert from "node:assert/strict"
import { test } from "node:test"
import { methodFrame } from "../support/wire-frames.ts"
import { BYTES_PER_MESSAGE_MAX, heapBytesPerOperation, openMeasured, publishes } from "./heap.ts"

/** Messages of one turn: what a turn costs by itself is spread over them. */
const COUNT = 8000
const ACK = methodFrame("basic.ack", 2, { deliveryTag: 0 })
const TAG_OFFSET = 11
const BITS_OFFSET = 19

/** Acks of the `count` deliveries from `first` on, in the order that `at` says. */
class Acks {
  readonly bytes: Buffer
  readonly #at: (index: number) => number

  constructor(count: number, at: (index: number) => number, multiple = false) {
    this.bytes = Buffer.concat(Array<Buffer>(count).fill(ACK))
    this.#at = at
    if (!multiple) return
    for (let i = 0; i < count; i++) this.bytes[i * ACK.length + BITS_OFFSET] = 1
  }

  /** Tags stay below 2^32 here. */
  from(first: number): Buffer {
    const count = this.bytes.length / ACK.length
    for (let i = 0; i < count; i++)
      this.bytes.writeUInt32BE(first + this.#at(i), i * ACK.length + TAG_OFFSET + 4)
    return this.bytes
  }
}

for (const [name, acks] of [
  ["one by one", new Acks(COUNT, (index) => index)],
  ["with multiple", new Acks(COUNT / 10, (index) => index * 10 + 9, true)],
  ["in pairs the wrong way round", new Acks(COUNT, (index) => index ^ 1)],
  ["backwards", new Acks(COUNT, (index) => COUNT - 1 - index)],
] as const)
  test(`deliveries acknowledged ${name} cost nothing`, async () => {
    const { harness, queue, endTurn, deliverAll } = await openMeasured(true)
    harness.receive(methodFrame("basic.consume", 2, { queue: "q", consumerTag: "c" }))
    endTurn()
    const channel = harness.connection.channels[2]!
    const bytes = publishes(COUNT, "x".repeat(16), true)
    let next = 1
    const perMessage = heapBytesPerOperation(COUNT, () => {
      harness.connection.onData(bytes)
      deliverAll()
      harness.connection.onData(acks.from(next))
      next += COUNT
      endTurn()
    })
    assert.equal(queue.acknowledgedCount, queue.publishedCount)
    assert.equal(channel.unackedCount, 0)
    assert.equal(queue.unackedCount, 0)
    assert.ok(perMessage < BYTES_PER_MESSAGE_MAX, `${perMessage.toFixed(2)} bytes per message`)
  })
