/** The disk in memory: its space, and the memory it takes. */
import assert from "node:assert/strict"
import { test } from "node:test"
import { StorageError } from "../../src/storage/disk.ts"
import { MemoryDisk } from "../../src/storage/memory-disk.ts"
import { createRandom } from "../support/seed.ts"

const KB = Buffer.alloc(1024, 1)

test("refuses what goes beyond its space and gives space back", () => {
  const disk = new MemoryDisk({ capacityBytes: 3 * 1024 })
  disk.makeDirectory("/d")
  const a = disk.open("/d/a", true)
  const b = disk.open("/d/b", true)
  disk.write(a, KB, 0, 1024, 0)
  disk.write(b, KB, 0, 1024, 1024)
  assert.equal(disk.freeBytes("/d"), 0)
  assert.throws(
    () => disk.write(a, KB, 0, 1, 1024),
    (error) => error instanceof StorageError && error.code === "ENOSPC",
  )
  disk.write(a, KB, 0, 1024, 0) // Overwriting takes no space.
  disk.truncate(b, 1024)
  assert.equal(disk.freeBytes("/d"), 1024)
  disk.remove("/d/b")
  assert.equal(disk.freeBytes("/d"), 2048)
  disk.removeTree("/d")
  assert.equal(disk.usedBytes, 0)
  disk.close(a)
  disk.close(b)
  assert.equal(disk.openCount, 0)
})

test("replacing a file by a rename gives its space back", () => {
  const disk = new MemoryDisk()
  disk.makeDirectory("/d")
  for (const path of ["/d/a", "/d/b"]) {
    const fd = disk.open(path, true)
    disk.write(fd, KB, 0, 1024, 0)
    disk.close(fd)
  }
  disk.rename("/d/a", "/d/b")
  assert.equal(disk.usedBytes, 1024)
})

test("numbers of closed files are used again, and closed files cannot be used", () => {
  const disk = new MemoryDisk()
  disk.makeDirectory("/d")
  const fd = disk.open("/d/a", true)
  disk.close(fd)
  assert.throws(() => disk.size(fd), StorageError)
  assert.throws(() => disk.close(fd), StorageError)
  assert.equal(disk.open("/d/b", true), fd)
})

test("10,000 files of 20 bytes take about a block of memory each of that size, not 64 KiB", () => {
  const disk = new MemoryDisk()
  disk.makeDirectory("/d")
  const before = process.memoryUsage().arrayBuffers
  for (let i = 0; i < 10_000; i++) {
    const fd = disk.open(`/d/${String(i)}`, true)
    disk.write(fd, KB, 0, 20, 0)
    disk.close(fd)
  }
  assert.ok(process.memoryUsage().arrayBuffers - before < 10_000 * 200)
})

test("random writes and truncations read like those on a plain buffer", () => {
  const random = createRandom(7)
  const disk = new MemoryDisk()
  disk.makeDirectory("/d")
  const fd = disk.open("/d/a", true)
  let model = Buffer.alloc(0)
  const source = random.bytes(100_000)
  for (let step = 0; step < 200; step++) {
    if (random.chance(0.2)) {
      const size = random.below(300_000)
      const next = Buffer.alloc(size)
      model.copy(next, 0, 0, Math.min(size, model.length))
      model = next
      disk.truncate(fd, size)
    } else {
      const length = random.below(random.chance(0.5) ? 100 : source.length)
      const position = random.below(200_000)
      const grown = Buffer.alloc(
        length === 0 ? model.length : Math.max(model.length, position + length),
      )
      model.copy(grown)
      source.copy(grown, position, 0, length)
      model = grown
      disk.write(fd, source, 0, length, position)
    }
    assert.equal(disk.size(fd), model.length)
    assert.ok(disk.readFile("/d/a")!.equals(model), `step ${String(step)}`)
    assert.equal(disk.usedBytes, model.length)
  }
})
