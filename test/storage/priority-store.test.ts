import assert from "node:assert/strict"
import { test } from "node:test"
import { checkStore } from "../../src/storage/check.ts"
import { MemoryDisk } from "../../src/storage/memory-disk.ts"
import { StoredMessage } from "../../src/storage/message.ts"
import { PriorityStore } from "../../src/storage/priority-store.ts"
import { LEVELS } from "../../src/storage/queue-store.ts"
import { FaultyDisk } from "../support/faulty-disk.ts"
import { chooseSeed, createRandom } from "../support/seed.ts"
import { ack, requeue, STORE_DIRECTORY, StoreBed } from "../support/store-bed.ts"
import type { Taken } from "../support/store-bed.ts"

function priorityStore(bed: StoreBed, maxPriority = 9): PriorityStore {
  return new PriorityStore(bed.context, STORE_DIRECTORY, {
    durable: true,
    name: "queue",
    maxPriority,
  })
}

function browse(store: PriorityStore, skip = 0, limit = Infinity): string[] {
  const bodies: string[] = []
  store.browse(skip, (message) => {
    const { bytes } = message.chunk
    bodies.push(bytes.toString("latin1", message.bodyStart, message.bodyEnd))
    return bodies.length < limit
  })
  return bodies
}

test("the highest priority comes first, within one the oldest", () => {
  const bed = new StoreBed(new MemoryDisk())
  const store = priorityStore(bed)
  const messages: [string, number][] = [
    ["a0", 0],
    ["b5", 5],
    ["c9", 9],
    ["d5", 5],
    ["e200", 200],
    ["f0", 0],
  ]
  for (const [body, priority] of messages) bed.append(store, body, { priority })
  assert.equal(store.readyCount, 6)
  assert.equal(store.readyBytes, 14)
  assert.equal(bed.peek(store)!.body, "c9")
  assert.deepEqual(browse(store), ["c9", "e200", "b5", "d5", "a0", "f0"])
  assert.deepEqual(browse(store, 3, 2), ["d5", "a0"])
  assert.deepEqual(bed.drain(store), ["c9", "e200", "b5", "d5", "a0", "f0"])
  assert.equal(store.readyCount + store.unackedCount + store.readyBytes + store.unackedBytes, 0)
})

test("only priorities in use have files, and idle ones give them back", () => {
  const disk = new MemoryDisk()
  const bed = new StoreBed(disk)
  const store = priorityStore(bed, 255)
  bed.append(store, "a", { priority: 3 })
  bed.append(store, "b", { priority: 255 })
  bed.turn()
  assert.deepEqual(disk.list(STORE_DIRECTORY).toSorted(), [".queue", "prio.003", "prio.255"])
  assert.equal(store.resetIfIdle(), false)
  bed.drain(store)
  bed.turns()
  assert.equal(store.resetIfIdle(), true)
  assert.deepEqual(disk.list(STORE_DIRECTORY), [])
  bed.append(store, "c", { priority: 3 })
  bed.turn()
  assert.deepEqual(bed.drain(store), ["c"])
})

test("what comes back goes to its place among its priority", () => {
  const bed = new StoreBed(new MemoryDisk())
  const store = priorityStore(bed)
  for (const [index, body] of ["a", "b", "c"].entries())
    bed.append(store, body, { priority: index })
  for (const body of ["A", "B", "C"]) bed.append(store, body, { priority: 9 })
  const a = bed.take(store)!
  const b = bed.take(store)!
  requeue(store, b)
  requeue(store, a)
  assert.equal(store.requeuedCount, 2)
  const into = new StoredMessage()
  const first = bed.take(store)!
  assert.deepEqual([first.body, first.redelivered], ["A", true])
  assert.equal(store.read(first.segment, first.position, first.size, into), true)
  assert.equal(into.segment, first.segment)
  assert.deepEqual(bed.drain(store), ["B", "C", "c", "b", "a"])
  ack(store, first)
  assert.equal(store.unackedCount, 0)
})

test("levels can be asked one by one", () => {
  const bed = new StoreBed(new MemoryDisk())
  const store = priorityStore(bed, 255)
  for (const priority of [0, 31, 32, 63, 255, 31])
    bed.append(store, `p${String(priority)}`, { priority })
  const levels: number[] = []
  for (let level = store.nextLevel(LEVELS); level >= 0; level = store.nextLevel(level))
    levels.push(level)
  assert.deepEqual(levels, [255, 63, 32, 31, 0])
  const into = new StoredMessage()
  assert.equal(store.peekLevel(31, into), true)
  assert.equal(store.shiftLevel(31, into), true)
  assert.equal(store.shiftLevel(31, into), true)
  assert.equal(store.shiftLevel(31, into), false)
  assert.equal(store.nextLevel(32), 0)
  assert.equal(store.readyCount, 4)
  assert.equal(store.unackedCount, 2)
})

test("a plain store is its own and only level", () => {
  const bed = new StoreBed(new MemoryDisk())
  const store = bed.store()
  assert.equal(store.nextLevel(LEVELS), -1)
  bed.append(store, "a")
  assert.equal(store.nextLevel(LEVELS), 0)
  assert.equal(store.nextLevel(0), -1)
})

test("all priorities survive a restart, also more than are declared now", () => {
  const disk = new MemoryDisk()
  const bed = new StoreBed(disk)
  const store = priorityStore(bed)
  for (let i = 0; i < 50; i++) bed.append(store, `m${String(i)}`, { priority: i % 7 })
  bed.turn()
  const taken = Array.from({ length: 10 }, () => bed.take(store)!)
  for (const one of taken.slice(0, 5)) ack(store, one)
  bed.turn()
  store.close()
  assert.deepEqual(checkStore(disk, STORE_DIRECTORY).problems, [])
  assert.equal(checkStore(disk, STORE_DIRECTORY).readyCount, 45)
  const again = new StoreBed(disk)
  const reopened = priorityStore(again, 4)
  reopened.open()
  assert.equal(reopened.readyCount, 45)
  assert.deepEqual(again.drain(reopened).slice(0, 3), ["m41", "m48", "m5"])
})

test("what a plain store left counts as the lowest priority", () => {
  const disk = new MemoryDisk()
  const bed = new StoreBed(disk)
  const plain = bed.store()
  for (const body of ["a", "b", "c"]) bed.append(plain, body)
  bed.turn()
  ack(plain, bed.take(plain)!)
  plain.close()
  const again = new StoreBed(disk)
  const store = priorityStore(again)
  store.open()
  again.append(store, "high", { priority: 7 })
  again.turn()
  assert.deepEqual(again.drain(store), ["high", "b", "c"])
  assert.deepEqual(checkStore(disk, STORE_DIRECTORY).problems, [])
})

test("purge takes the ready ones of every priority and leaves the others", () => {
  const bed = new StoreBed(new MemoryDisk())
  const store = priorityStore(bed)
  for (let i = 0; i < 10; i++) bed.append(store, `m${String(i)}`, { priority: i })
  const first = bed.take(store)!
  assert.equal(store.purge(), 9)
  assert.equal(store.readyCount, 0)
  assert.equal(store.unackedCount, 1)
  requeue(store, first)
  assert.deepEqual(bed.drain(store), ["m9"])
})

test("deletion removes everything, a long backlog little by little", async () => {
  const disk = new MemoryDisk()
  const bed = new StoreBed(disk, { segmentSizeBytes: 300 })
  const store = priorityStore(bed)
  for (let i = 0; i < 200; i++) bed.append(store, `message ${String(i)}`, { priority: i % 3 })
  bed.turn()
  store.delete()
  assert.equal(store.readyCount, 0)
  assert.deepEqual(disk.list(STORE_DIRECTORY), [])
  const next = priorityStore(bed)
  bed.append(next, "new", { priority: 1 })
  bed.turn()
  while (disk.list("/data/vhost").length > 1)
    await new Promise<void>((resolve) => void setImmediate(resolve))
  assert.deepEqual(bed.drain(next), ["new"])
})

test("an acknowledgement after the deletion does nothing", () => {
  const bed = new StoreBed(new MemoryDisk())
  const store = priorityStore(bed)
  bed.append(store, "a", { priority: 1 })
  const a = bed.take(store)!
  store.delete()
  ack(store, a)
  requeue(store, a)
  assert.equal(bed.append(store, "b"), false)
})

test("while one priority cannot be written, the others can", () => {
  const disk = new FaultyDisk()
  const bed = new StoreBed(disk)
  const store = priorityStore(bed)
  bed.append(store, "a", { priority: 1 })
  bed.turn()
  bed.append(store, "b", { priority: 1 })
  disk.failCall("write", 1, "ENOSPC")
  bed.turn()
  assert.equal(store.failed, true)
  assert.equal(store.lastError?.code, "ENOSPC")
  assert.equal(bed.append(store, "c", { priority: 1 }), false)
  assert.equal(bed.append(store, "d", { priority: 2 }), true)
  bed.turn()
  assert.equal(store.failed, false)
  assert.deepEqual(bed.drain(store), ["d", "a", "b"])
})

test("power failure keeps what was confirmed, in directories of every priority", async () => {
  const disk = new FaultyDisk()
  const bed = new StoreBed(disk)
  disk.makeDirectory("/data/vhost")
  bed.commit.touchDirectory("/data")
  bed.commit.touchDirectory("/")
  const store = priorityStore(bed)
  bed.append(store, "a", { priority: 1 })
  bed.append(store, "b", { priority: 8 })
  bed.turn()
  await bed.commit.drain()
  for (let seed = 1; seed < 20; seed++) {
    const again = new StoreBed(disk.crash("power", seed))
    const reopened = priorityStore(again)
    reopened.open()
    assert.deepEqual(again.drain(reopened), ["b", "a"])
  }
})

test("random use of all priorities against a simple model", () => {
  const random = createRandom(chooseSeed("priority store"))
  const disk = new MemoryDisk()
  let bed = new StoreBed(disk, { segmentSizeBytes: 2000 })
  let store = priorityStore(bed, 40)
  let next = 0
  /** Ready ones by their number, and priority. */
  let ready: { number: number; priority: number }[] = []
  let taken: { one: Taken; entry: { number: number; priority: number } }[] = []
  const order = (): void => {
    ready = ready.toSorted((a, b) => b.priority - a.priority || a.number - b.number)
  }
  for (let step = 0; step < 4000; step++) {
    const what = random.below(100)
    if (what < 40) {
      const priority = random.below(50)
      bed.append(store, String(next), { priority })
      ready.push({ number: next++, priority: Math.min(priority, 40) })
      order()
    } else if (what < 70) {
      const one = bed.take(store)
      const entry = ready.shift()
      assert.equal(one?.body, entry === undefined ? undefined : String(entry.number))
      if (one !== null) taken.push({ one, entry: entry! })
    } else if (what < 90 && taken.length > 0) {
      const { one, entry } = taken.splice(random.below(taken.length), 1)[0]!
      if (random.chance(0.6)) ack(store, one)
      else {
        requeue(store, one)
        ready.push(entry)
        order()
      }
    } else if (what === 99 && random.chance(0.2)) {
      bed.turns()
      store.close()
      bed = new StoreBed(disk, { segmentSizeBytes: 2000 })
      store = priorityStore(bed, 40)
      store.open()
      ready.push(...taken.map(({ entry }) => entry))
      taken = []
      order()
    } else if (what === 98 && random.chance(0.2)) {
      assert.equal(store.purge(), ready.length)
      ready = []
    } else bed.turn()
    assert.equal(store.readyCount, ready.length)
    assert.equal(store.unackedCount, taken.length)
    if (step % 20 === 0)
      assert.deepEqual(
        browse(store),
        ready.map(({ number }) => String(number)),
      )
  }
})
