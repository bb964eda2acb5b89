import assert from "node:assert/strict"
import { test } from "node:test"
import { MemoryDisk } from "../../src/storage/memory-disk.ts"
import { StoredMessage } from "../../src/storage/message.ts"
import type { QueueStore } from "../../src/storage/queue-store.ts"
import { FaultyDisk } from "../support/faulty-disk.ts"
import { ack, requeue, StoreBed } from "../support/store-bed.ts"

/** Bodies of the ready messages from `skip` on, with an R before those that came back. */
function browse(store: QueueStore, skip = 0, limit = Infinity): string[] {
  const bodies: string[] = []
  if (limit > 0)
    store.browse(skip, (message) => {
      const { bytes } = message.chunk
      const body = bytes.toString("latin1", message.bodyStart, message.bodyEnd)
      bodies.push(message.redelivered ? `R${body}` : body)
      return bodies.length < limit
    })
  return bodies
}

function bodyOf(message: StoredMessage): string {
  return message.chunk.bytes.toString("latin1", message.bodyStart, message.bodyEnd)
}

test("browsing shows what is ready, in order, and changes nothing", () => {
  const bed = new StoreBed(new MemoryDisk())
  const store = bed.store()
  assert.deepEqual(browse(store), [])
  for (const body of ["a", "b", "c"]) bed.append(store, body)
  assert.deepEqual(browse(store), ["a", "b", "c"])
  bed.turn()
  for (const body of ["d", "e"]) bed.append(store, body)
  const a = bed.take(store)!
  const b = bed.take(store)!
  assert.deepEqual(browse(store), ["c", "d", "e"])
  requeue(store, b)
  assert.deepEqual(browse(store), ["Rb", "c", "d", "e"])
  assert.deepEqual(browse(store, 1), ["c", "d", "e"])
  assert.deepEqual(browse(store, 2, 1), ["d"])
  assert.deepEqual(browse(store, 4), [])
  assert.equal(store.readyCount, 4)
  assert.equal(store.unackedCount, 1)
  ack(store, a)
  bed.turn()
  assert.deepEqual(bed.drain(store), ["b", "c", "d", "e"])
})

test("browsing goes through segments, batches and the unwritten tail, and skips from anywhere", () => {
  const bed = new StoreBed(new MemoryDisk(), { segmentSizeBytes: 600 })
  const store = bed.store()
  const expected: string[] = []
  for (let i = 0; i < 100; i++) {
    const body = `message ${String(i).padStart(3, "0")}`
    bed.append(store, body)
    expected.push(body)
    if (i % 3 === 0) bed.turn()
  }
  for (let taken = 0; taken < 100; taken++) {
    for (const skip of [0, 1, 7, 50, 98 - taken, 99 - taken])
      if (skip >= 0)
        assert.deepEqual(browse(store, skip, 5), expected.slice(taken + skip).slice(0, 5))
    ack(store, bed.take(store)!)
    if (taken % 10 === 0) bed.turn()
  }
})

test("after a restart, what was settled is not shown, and nothing is verified by looking", () => {
  const disk = new MemoryDisk()
  const bed = new StoreBed(disk, { segmentSizeBytes: 400 })
  const store = bed.store()
  const expected: string[] = []
  for (let i = 0; i < 60; i++) {
    bed.append(store, `message ${String(i)}`)
    if (i % 4 === 0) bed.turn()
  }
  bed.turn()
  for (let i = 0; i < 60; i++) {
    const taken = bed.take(store)!
    if (i % 3 === 0) ack(store, taken)
    else expected.push(taken.body)
  }
  bed.turn()
  store.close()
  const again = new StoreBed(disk, { segmentSizeBytes: 400 })
  const { store: reopened } = again.open()
  assert.deepEqual(browse(reopened), expected)
  assert.deepEqual(browse(reopened, 17, 3), expected.slice(17, 20))
  assert.deepEqual(again.drain(reopened), expected)
})

test("a purged store has nothing to show, and new messages are shown again", () => {
  const bed = new StoreBed(new MemoryDisk())
  const store = bed.store()
  for (const body of ["a", "b"]) bed.append(store, body)
  bed.turn()
  bed.append(store, "c")
  const a = bed.take(store)!
  store.purge()
  assert.deepEqual(browse(store), [])
  bed.append(store, "d")
  assert.deepEqual(browse(store), ["d"])
  requeue(store, a)
  assert.deepEqual(browse(store), ["Ra", "d"])
})

test("a handed-out message can be read again: from the tail, a window, or its file", () => {
  const bed = new StoreBed(new MemoryDisk(), { segmentSizeBytes: 100_000 })
  const store = bed.store()
  const into = new StoredMessage()
  for (let i = 0; i < 1000; i++) {
    bed.append(store, `${"x".repeat(200)} ${String(i)}`)
    if (i % 50 === 0) bed.turn()
  }
  const taken = Array.from({ length: 1000 }, () => bed.take(store)!)
  for (const index of [999, 0, 500, 3, 998, 501]) {
    const one = taken[index]!
    assert.equal(store.read(one.segment, one.position, one.size, into), true)
    assert.equal(bodyOf(into), one.body)
    assert.equal(into.segment, one.segment)
    assert.equal(into.position, one.position)
    assert.equal(into.size, one.size)
    assert.equal(into.persistent, true)
    bed.turn()
  }
  store.close()
  assert.equal(bed.buffers.inUseBytes, 0)
  const first = taken[0]!
  assert.equal(store.read(first.segment, first.position, first.size, into), false)
})

test("a disk that cannot read a handed-out message is asked three times, a second apart", () => {
  const disk = new FaultyDisk()
  const bed = new StoreBed(disk)
  const store = bed.store()
  const into = new StoredMessage()
  bed.append(store, "a")
  bed.turn()
  const a = bed.take(store)!
  bed.turn()
  bed.clock.advance(60_000)
  bed.buffers.sweep()
  bed.buffers.sweep()
  disk.failCall("read", 1, "EIO", { repeat: true })
  const read = (): boolean => store.read(a.segment, a.position, a.size, into)
  assert.equal(read(), false)
  assert.equal(store.isReadFinal, false)
  assert.equal(read(), false, "the disk is left alone for a second")
  bed.clock.advance(1000)
  assert.equal(read(), false)
  assert.equal(store.isReadFinal, false)
  bed.clock.advance(1000)
  assert.equal(read(), false)
  assert.equal(store.isReadFinal, true)
  assert.equal(store.lostCount, 1)
  disk.heal()
  assert.equal(read(), true)
})

test("the flag of an expiration survives the disk", () => {
  const disk = new MemoryDisk()
  const bed = new StoreBed(disk)
  const store = bed.store()
  for (const expires of [false, true]) bed.append(store, "x", { expires, persistent: !expires })
  bed.turn()
  store.close()
  const { store: reopened } = new StoreBed(disk).open()
  const into = new StoredMessage()
  assert.equal(reopened.shift(into), true)
  assert.deepEqual([into.expires, into.persistent], [false, true])
  assert.equal(reopened.shift(into), true)
  assert.deepEqual([into.expires, into.persistent], [true, false])
})
