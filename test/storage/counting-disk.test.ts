import assert from "node:assert/strict"
import { test } from "node:test"
import { CountingDisk } from "../../src/storage/counting-disk.ts"
import { MemoryDisk } from "../../src/storage/memory-disk.ts"
import { ManualClock } from "../../src/util/clock.ts"

test("operations, bytes and the time of syncs are counted, and reach the disk behind it", () => {
  const memory = new MemoryDisk()
  const clock = new ManualClock()
  const pending: (() => void)[] = []
  memory.sync = (_fd, done) =>
    void pending.push(() => done(pending.length > 1 ? new Error() : null))
  const disk = new CountingDisk(memory, clock)
  disk.makeDirectory("/d")
  const fd = disk.open("/d/file", true)
  disk.write(fd, Buffer.from("12345"), 0, 5, 0)
  disk.write(fd, Buffer.from("67"), 0, 2, 5)
  const read = Buffer.alloc(10)
  assert.equal(disk.read(fd, read, 0, 10, 0), 7)
  assert.deepEqual([disk.writeCount, disk.writtenBytes], [2, 7])
  assert.deepEqual([disk.readCount, disk.readBytes], [1, 7])
  const results: (Error | null)[] = []
  disk.sync(fd, (error) => results.push(error))
  clock.advance(5)
  pending[0]?.()
  disk.sync(fd, (error) => results.push(error))
  clock.advance(20)
  pending[1]?.()
  assert.deepEqual([disk.syncCount, disk.syncErrorCount, disk.syncMs], [2, 1, 25])
  assert.deepEqual(
    results.map((error) => error === null),
    [true, false],
  )
  disk.close(fd)
  assert.equal(memory.readFile("/d/file")?.toString(), "1234567")
})

test("a write that fails is not counted", () => {
  const memory = new MemoryDisk()
  memory.write = () => {
    throw new Error("full")
  }
  const disk = new CountingDisk(memory, new ManualClock())
  disk.makeDirectory("/d")
  const fd = disk.open("/d/file", true)
  assert.throws(() => disk.write(fd, Buffer.from("1"), 0, 1, 0), /full/)
  assert.equal(disk.writeCount, 0)
})
