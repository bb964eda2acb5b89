/** The message path of a store makes no object: neither from the tail, nor from files, nor out of order. */
import assert from "node:assert/strict"
import { test } from "node:test"
import { MemoryDisk } from "../../src/storage/memory-disk.ts"
import { StoredMessage } from "../../src/storage/message.ts"
import type { MessageStore } from "../../src/storage/message-store.ts"
import { incoming, StoreBed } from "../support/store-bed.ts"
import { heapBytesPerOperation } from "./heap.ts"

/** Per turn: what a turn costs, whatever its size, must not count as what a message costs. */
const COUNT = 5000
const message = incoming(Buffer.alloc(16, "x"), { exchange: "amq.topic", key: "load" })
const into = new StoredMessage()
const segments = new Uint32Array(COUNT)
const positions = new Uint32Array(COUNT)

function appendAll(store: MessageStore): void {
  for (let i = 0; i < COUNT; i++) assert(store.append(message))
}

function shiftAll(store: MessageStore): void {
  for (let i = 0; i < COUNT; i++) {
    assert(store.shift(into))
    segments[i] = into.segment
    positions[i] = into.position
  }
}

/** `spread` changes the order: neighbours are not settled one after the other. */
function ackAll(store: MessageStore, spread = 1): void {
  for (let i = 0; i < COUNT; i++) {
    const at = (i * spread) % COUNT
    store.ack(segments[at]!, positions[at]!, into.size, 16)
  }
}

function open(): { bed: StoreBed; store: MessageStore } {
  const bed = new StoreBed(new MemoryDisk(), { sync: false })
  return { bed, store: bed.store() }
}

function assertBelow(bytes: number, limit: number): void {
  assert.ok(bytes < limit, `${bytes.toFixed(2)} bytes per message`)
}

test("a message that is consumed in its turn costs nothing", () => {
  const { bed, store } = open()
  const bytes = heapBytesPerOperation(COUNT, () => {
    appendAll(store)
    shiftAll(store)
    ackAll(store)
    bed.turn()
  })
  assert.equal(store.readyCount, 0)
  assertBelow(bytes, 1)
})

test("a message that is written, read back and settled costs nothing", () => {
  const { bed, store } = open()
  // A backlog of more than a segment keeps the reader in the files.
  for (let i = 0; i < 48; i++) {
    appendAll(store)
    bed.turn()
  }
  const bytes = heapBytesPerOperation(COUNT, () => {
    appendAll(store)
    bed.turn()
    shiftAll(store)
    ackAll(store)
    bed.turn()
  })
  assert.ok(store.readyCount === 48 * COUNT)
  assertBelow(bytes, 1)
})

test("settling and requeueing out of order costs nothing", () => {
  const { bed, store } = open()
  const bytes = heapBytesPerOperation(COUNT, () => {
    appendAll(store)
    shiftAll(store)
    for (let i = 0; i < COUNT; i++) {
      const at = (i * 7) % COUNT
      store.requeue(segments[at]!, positions[at]!, into.size, 16)
    }
    bed.turn()
    shiftAll(store)
    assert.ok(into.redelivered)
    ackAll(store, 7)
    bed.turn()
  })
  assert.equal(store.readyCount, 0)
  // The columns of ack ranges and requeued messages grow anew every turn, by doubling.
  assertBelow(bytes, 4)
})

test("a store without messages is small", () => {
  const { bed } = open()
  const stores: MessageStore[] = []
  const bytes = heapBytesPerOperation(1000, () => {
    stores.length = 0
    for (let i = 0; i < 1000; i++) stores.push(bed.store())
  })
  assert.ok(bytes < 2000, `${bytes.toFixed(0)} bytes per store`)
})
