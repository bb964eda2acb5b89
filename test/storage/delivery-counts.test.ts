import assert from "node:assert/strict"
import { test } from "node:test"
import { checkStore } from "../../src/storage/check.ts"
import { DeliveryCounts } from "../../src/storage/delivery-counts.ts"
import type { Disk } from "../../src/storage/disk.ts"
import { MemoryDisk } from "../../src/storage/memory-disk.ts"
import { FaultyDisk } from "../support/faulty-disk.ts"
import { chooseSeed, createRandom } from "../support/seed.ts"
import { ack, requeue, STORE_DIRECTORY, StoreBed } from "../support/store-bed.ts"

const FILE = `${STORE_DIRECTORY}/deliveries`

function open(
  bed: StoreBed,
  mayHold: (segment: number, position: number) => boolean = () => true,
): DeliveryCounts {
  const counts = new DeliveryCounts(bed.context, STORE_DIRECTORY, "queue")
  counts.open(mayHold)
  return counts
}

/** What another process finds. */
function reopened(disk: Disk): DeliveryCounts {
  return open(new StoreBed(disk))
}

test("counts go up by one per return and end with the message", () => {
  const bed = new StoreBed(new MemoryDisk())
  const counts = open(bed)
  assert.equal(counts.get(1, 8), 0)
  assert.equal(counts.increment(1, 8), 1)
  assert.equal(counts.increment(1, 8), 2)
  assert.equal(counts.increment(2, 8), 1)
  assert.equal(counts.get(1, 8), 2)
  assert.equal(counts.size, 2)
  counts.forget(1, 8)
  counts.forget(1, 8)
  counts.forget(7, 7)
  assert.equal(counts.get(1, 8), 0)
  assert.equal(counts.size, 1)
})

test("counts survive a restart", () => {
  const disk = new MemoryDisk()
  const bed = new StoreBed(disk)
  const counts = open(bed)
  counts.increment(1, 8)
  bed.turn()
  counts.increment(1, 8)
  counts.increment(3, 500)
  counts.increment(4, 1)
  bed.turn()
  counts.forget(4, 1)
  bed.turn()
  const again = reopened(disk)
  assert.equal(again.get(1, 8), 2)
  assert.equal(again.get(3, 500), 1)
  assert.equal(again.get(4, 1), 0)
  assert.equal(again.size, 2)
})

test("a queue without returned messages has no file, and none any more after the last", () => {
  const disk = new MemoryDisk()
  const bed = new StoreBed(disk)
  const counts = open(bed)
  bed.turn()
  assert.deepEqual(disk.list(STORE_DIRECTORY), [])
  counts.increment(1, 8)
  counts.increment(1, 9)
  bed.turn()
  assert.deepEqual(disk.list(STORE_DIRECTORY), ["deliveries"])
  counts.forget(1, 8)
  counts.forget(1, 9)
  bed.turn()
  assert.deepEqual(disk.list(STORE_DIRECTORY), [])
  counts.increment(1, 8)
  bed.turn()
  counts.clear()
  bed.turn()
  assert.deepEqual(disk.list(STORE_DIRECTORY), [])
  assert.equal(counts.get(1, 8), 0)
})

test("the file does not grow with returns, only with messages that were returned", () => {
  const disk = new MemoryDisk()
  const bed = new StoreBed(disk)
  const counts = open(bed)
  for (let i = 0; i < 20_000; i++) {
    counts.increment(1, i % 10)
    if (i % 100 === 0) bed.turn()
  }
  bed.turn()
  assert.ok(disk.usedBytes < 20_000, `${String(disk.usedBytes)} bytes`)
  const again = reopened(disk)
  for (let i = 0; i < 10; i++) assert.equal(again.get(1, i), 2000)
})

test("any torn end costs at most the counts that were in it", () => {
  const disk = new FaultyDisk()
  const bed = new StoreBed(disk)
  const counts = open(bed)
  for (let i = 1; i <= 10; i++) {
    counts.increment(1, i)
    bed.turn()
  }
  const whole = disk.readFile(FILE)!
  for (let size = 0; size < whole.length; size++) {
    const torn = new MemoryDisk()
    torn.makeDirectory(STORE_DIRECTORY)
    const fd = torn.open(FILE, true)
    torn.write(fd, whole, 0, size, 0)
    torn.close(fd)
    const isSound = size === 0 || (size >= 8 && (size - 8) % 16 === 0)
    assert.equal(checkStore(torn, STORE_DIRECTORY).problems.length, isSound ? 0 : 1)
    const bedOfTorn = new StoreBed(torn)
    const found = open(bedOfTorn)
    const expected = Math.max(0, Math.floor((size - 8) / 16))
    assert.equal(found.size, expected)
    found.increment(2, 2)
    bedOfTorn.turn()
    const again = reopened(torn)
    assert.equal(again.size, expected + 1)
    assert.equal(again.get(2, 2), 1)
  }
})

test("a damaged entry is left out and the others count", () => {
  const disk = new MemoryDisk()
  const bed = new StoreBed(disk)
  const counts = open(bed)
  for (let i = 1; i <= 10; i++) counts.increment(1, i)
  bed.turn()
  const whole = disk.readFile(FILE)!
  for (let at = 0; at < whole.length; at++) {
    const damaged = Buffer.from(whole)
    damaged[at]! ^= 0x10
    const other = new MemoryDisk()
    other.makeDirectory(STORE_DIRECTORY)
    const fd = other.open(FILE, true)
    other.write(fd, damaged, 0, damaged.length, 0)
    other.close(fd)
    assert.equal(reopened(other).size, at < 8 ? 0 : 9)
  }
})

test("what a power failure took of the messages has no count", () => {
  const disk = new MemoryDisk()
  const bed = new StoreBed(disk)
  const counts = open(bed)
  counts.increment(1, 8)
  counts.increment(1, 5000)
  counts.increment(2, 8)
  bed.turn()
  const again = open(new StoreBed(disk), (segment, position) => segment === 1 && position < 100)
  assert.equal(again.size, 1)
  assert.equal(again.get(1, 8), 1)
})

test("a store knows which places may hold a message", () => {
  const bed = new StoreBed(new MemoryDisk())
  const store = bed.store()
  bed.append(store, "a")
  const a = bed.take(store)!
  assert.equal(store.mayHold(a.segment, a.position), true)
  assert.equal(store.mayHold(a.segment, a.position + a.size), false)
  assert.equal(store.mayHold(a.segment + 1, a.position), false)
  requeue(store, a)
  bed.turn()
  assert.equal(store.mayHold(a.segment, a.position), true)
  ack(store, bed.take(store)!)
})

test("on a full disk counting goes on, and the counts are written when there is room", () => {
  const disk = new FaultyDisk()
  const bed = new StoreBed(disk)
  const counts = open(bed)
  counts.increment(1, 1)
  bed.turn()
  disk.failCall("write", 1, "ENOSPC", { repeat: true, partialBytes: 7 })
  for (let i = 0; i < 100; i++) {
    counts.increment(1, 1)
    counts.increment(1, i)
    bed.turn()
  }
  assert.equal(counts.failed, false, "publishing goes on")
  assert.equal(counts.lastError?.code, "ENOSPC")
  assert.equal(counts.get(1, 1), 102)
  assert.equal(bed.log.filter(({ level }) => level === "warn").length, 1)
  assert.equal(reopened(disk.crash("kill", 1)).get(1, 1), 1)
  disk.heal()
  bed.clock.advance(1000)
  bed.turn()
  assert.equal(counts.lastError, null)
  const again = reopened(disk.crash("kill", 1))
  assert.equal(again.get(1, 1), 102)
  assert.equal(again.size, 100)
})

test("whichever call to the disk fails, nothing is thrown and nothing is wrong in memory", () => {
  for (const kind of ["open", "write", "rename", "remove", "makeDirectory", "readFile"] as const)
    for (let nth = 1; nth <= 4; nth++) {
      const disk = new FaultyDisk()
      const bed = new StoreBed(disk)
      disk.failCall(kind, nth, "EIO")
      const counts = open(bed)
      for (let i = 1; i <= 5; i++) {
        counts.increment(1, i)
        bed.turn()
      }
      for (let i = 1; i <= 4; i++) {
        counts.forget(1, i)
        bed.turn()
      }
      assert.equal(counts.size, 1)
      assert.equal(counts.get(1, 5), 1)
      bed.clock.advance(1000)
      bed.turn()
      const again = reopened(disk.crash("kill", 1))
      assert.equal(again.size, 1)
      assert.equal(again.get(1, 5), 1)
    }
})

test("after close() nothing is written or left open", () => {
  const disk = new MemoryDisk()
  const bed = new StoreBed(disk)
  const counts = open(bed)
  counts.increment(1, 1)
  counts.close()
  bed.turn()
  assert.equal(disk.openCount, 0)
  assert.equal(reopened(disk).get(1, 1), 1)
})

test("random use and restarts against a simple model", () => {
  const random = createRandom(chooseSeed("delivery counts"))
  const disk = new MemoryDisk()
  let bed = new StoreBed(disk)
  let counts = open(bed)
  const model = new Map<string, number>()
  for (let step = 0; step < 20_000; step++) {
    const segment = 1 + random.below(4)
    const position = random.below(50)
    const key = `${String(segment)}:${String(position)}`
    const what = random.below(100)
    if (what < 50) {
      const count = (model.get(key) ?? 0) + 1
      model.set(key, count)
      assert.equal(counts.increment(segment, position), count)
    } else if (what < 90) {
      model.delete(key)
      counts.forget(segment, position)
    } else if (what < 99) bed.turn()
    else {
      bed.turn()
      bed = new StoreBed(disk)
      counts = open(bed)
    }
    assert.equal(counts.size, model.size)
    assert.equal(counts.get(segment, position), model.get(key) ?? 0)
  }
})
