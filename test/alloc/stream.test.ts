/** The path of a message through a stream makes no object: written, read at the end and from files. */
import assert from "node:assert/strict"
import { test } from "node:test"
import { MemoryDisk } from "../../src/storage/memory-disk.ts"
import { StoredMessage } from "../../src/storage/message.ts"
import { READ_MESSAGE } from "../../src/storage/stream/stream-reader.ts"
import { incoming } from "../support/store-bed.ts"
import { StreamBed } from "../support/stream-bed.ts"
import { heapBytesPerOperation } from "./heap.ts"

const COUNT = 5000
const message = incoming(Buffer.alloc(16, "x"), { exchange: "amq.topic", key: "load" })
const into = new StoredMessage()

function assertBelow(bytes: number, limit: number): void {
  assert.ok(bytes < limit, `${bytes.toFixed(2)} bytes per message`)
}

test("a message that is appended and read at the end costs nothing", () => {
  const bed = new StreamBed(new MemoryDisk(), { sync: false })
  const stream = bed.stream()
  stream.configure({ maxLength: 100_000, maxBytes: null, maxAgeMs: null }, 1 << 20)
  const reader = stream.newReader()
  const bytes = heapBytesPerOperation(COUNT, () => {
    for (let i = 0; i < COUNT; i++) assert(stream.append(message))
    reader.begin()
    for (let i = 0; i < COUNT; i++) assert(reader.read(into) === READ_MESSAGE)
    bed.turn()
  })
  assertBelow(bytes, 1)
})

test("a message that is read from files costs next to nothing", () => {
  const bed = new StreamBed(new MemoryDisk(), { sync: false, cacheBytes: 1 << 20 })
  const stream = bed.stream()
  for (let i = 0; i < 100 * COUNT; i++) assert(stream.append(message))
  bed.turn()
  const reader = stream.newReader()
  stream.seekOffset(reader, 0)
  const bytes = heapBytesPerOperation(COUNT, () => {
    if (stream.nextOffset - reader.offset < COUNT) stream.seekOffset(reader, 0)
    reader.begin()
    for (let i = 0; i < COUNT; i++) assert(reader.read(into) === READ_MESSAGE)
  })
  assertBelow(bytes, 1)
})
