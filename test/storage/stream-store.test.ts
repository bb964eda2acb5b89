import assert from "node:assert/strict"
import { test } from "node:test"
import { checkStore } from "../../src/storage/check.ts"
import { MemoryDisk } from "../../src/storage/memory-disk.ts"
import { StoreDirectory } from "../../src/storage/store-directory.ts"
import { ConsumerOffsets } from "../../src/storage/stream/consumer-offsets.ts"
import { STORE_DIRECTORY } from "../support/store-bed.ts"
import { bodyOf, offsetsOf, range, StreamBed } from "../support/stream-bed.ts"

/** Segments of about ten messages of a hundred bytes. */
const SMALL = { segmentSizeBytes: 1500 }

const NO_LIMIT = { maxLength: null, maxBytes: null, maxAgeMs: null }

function segmentFiles(disk: MemoryDisk): string[] {
  return disk
    .list(STORE_DIRECTORY)
    .filter((name) => name.startsWith("msgs."))
    .toSorted()
}

test("offsets are contiguous from 0, in the tail, in the file and over segments", () => {
  const bed = new StreamBed(new MemoryDisk(), SMALL)
  const stream = bed.stream()
  for (let i = 0; i < 100; i++) {
    bed.add(stream, bodyOf(stream.nextOffset, 50))
    if (i % 3 === 0) bed.turn()
  }
  assert.equal(stream.nextOffset, 100)
  assert.equal(stream.messageCount, 100)
  assert.ok(stream.segments.length > 3)
  assert.deepEqual(offsetsOf(bed.from(stream, 0)), range(0, 100))
  bed.turn()
  bed.buffers.sweep()
  bed.buffers.sweep()
  assert.deepEqual(offsetsOf(bed.from(stream, 0)), range(0, 100))
})

test("a reader starts at any offset, below the first one at the first", () => {
  const bed = new StreamBed(new MemoryDisk(), SMALL)
  const stream = bed.stream()
  bed.fill(stream, 60, 40)
  for (let i = 0; i < 10; i++) bed.add(stream, bodyOf(stream.nextOffset))
  for (let offset = 0; offset < 70; offset++)
    assert.deepEqual(offsetsOf(bed.from(stream, offset)), range(offset, 70))
  assert.deepEqual(offsetsOf(bed.from(stream, -5)), range(0, 70))
  assert.deepEqual(bed.from(stream, 70), [])
  assert.deepEqual(bed.from(stream, 700), [])
})

test("a reader at the end gets what comes, also in an empty stream", () => {
  const bed = new StreamBed(new MemoryDisk(), SMALL)
  const stream = bed.stream()
  const early = stream.newReader()
  assert.deepEqual(bed.rest(early), [])
  bed.fill(stream, 3)
  const late = stream.newReader()
  bed.fill(stream, 40, 60)
  assert.deepEqual(offsetsOf(bed.rest(early)), range(0, 43))
  assert.deepEqual(offsetsOf(bed.rest(late)), range(3, 43))
})

test("a time finds the first message that is not older, across segments and in the tail", () => {
  const bed = new StreamBed(new MemoryDisk(), SMALL)
  const stream = bed.stream()
  const start = bed.clock.nowMs
  for (let i = 0; i < 60; i++) {
    bed.fill(stream, 1, 60)
    bed.clock.advance(1000)
  }
  bed.add(stream, bodyOf(60), { timestampMs: bed.clock.nowMs })
  const at = (ms: number): number => {
    const reader = stream.newReader()
    stream.seekTime(reader, ms)
    return bed.next(reader)?.offset ?? -1
  }
  assert.equal(at(0), 0)
  for (let i = 0; i <= 60; i++) {
    assert.equal(at(start + i * 1000), i)
    assert.equal(at(start + i * 1000 - 1), i)
  }
  assert.equal(at(start + 60_001), -1)
})

test("the last batch is what was written in one go, also after a restart", () => {
  const disk = new MemoryDisk()
  const bed = new StreamBed(disk, SMALL)
  const stream = bed.stream()
  const last = (of = stream, on = bed): number[] => {
    const reader = of.newReader()
    of.seekLast(reader)
    return offsetsOf(on.rest(reader))
  }
  assert.deepEqual(last(), [])
  bed.fill(stream, 20, 60)
  for (let i = 0; i < 4; i++) bed.add(stream, bodyOf(stream.nextOffset))
  assert.deepEqual(last(), [20, 21, 22, 23])
  bed.turn()
  assert.deepEqual(last(), [20, 21, 22, 23])
  stream.close()
  const again = new StreamBed(disk, SMALL)
  const { stream: reopened } = again.openStream()
  assert.deepEqual(last(reopened, again), [20, 21, 22, 23])
})

test("a restart keeps offsets and reads one segment at most", () => {
  const disk = new MemoryDisk()
  const bed = new StreamBed(disk, SMALL)
  const stream = bed.stream()
  bed.fill(stream, 50, 60)
  stream.close()
  const second = new StreamBed(disk, SMALL)
  const { stream: again, report } = second.openStream()
  assert.equal(report.scannedCount, 0)
  assert.deepEqual([again.firstOffset, again.nextOffset, again.messageCount], [0, 50, 50])
  second.fill(again, 10, 60)
  assert.deepEqual(offsetsOf(second.from(again, 45)), range(45, 60))
  // Killed: only the last segment has no meta file.
  const third = new StreamBed(disk, SMALL)
  const { stream: killed, report: found } = third.openStream()
  assert.ok(found.scannedCount <= 1)
  assert.equal(killed.nextOffset, 60)
  assert.deepEqual(offsetsOf(third.from(killed, 0)), range(0, 60))
  assert.deepEqual(checkStore(disk, STORE_DIRECTORY).problems, [])
})

test("large messages go past the tail and are read like others", () => {
  const bed = new StreamBed(new MemoryDisk())
  const stream = bed.stream()
  const sizes = [10, 70_000, 20, 600_000, 262_144, 5]
  for (const size of sizes) bed.add(stream, bodyOf(stream.nextOffset, size))
  const reads = bed.from(stream, 0)
  assert.deepEqual(offsetsOf(reads), range(0, 6))
  assert.deepEqual(
    reads.map(({ body }) => body.length),
    sizes,
  )
  bed.turn()
  assert.deepEqual(offsetsOf(bed.from(stream, 3)), [3, 4, 5])
})

test("retention by length and by bytes removes whole segments, never the active one", async () => {
  for (const limit of [{ maxLength: 25 }, { maxBytes: 4000 }]) {
    const disk = new MemoryDisk()
    const bed = new StreamBed(disk, SMALL)
    const stream = bed.stream()
    stream.configure({ ...NO_LIMIT, ...limit }, null)
    bed.fill(stream, 100, 60)
    await bed.settle()
    assert.ok(stream.firstOffset > 40 && stream.firstOffset < 90, String(stream.firstOffset))
    assert.equal(stream.messageCount, 100 - stream.firstOffset)
    assert.equal(segmentFiles(disk).length, stream.segments.length)
    assert.ok(!disk.list(STORE_DIRECTORY).includes("meta.0000000001"))
    assert.deepEqual(offsetsOf(bed.from(stream, 0)), range(stream.firstOffset, 100))
    stream.configure({ ...NO_LIMIT, maxLength: 0 }, null)
    await bed.settle()
    assert.equal(stream.segments.length, 1)
    assert.ok(stream.messageCount > 0)
  }
})

test("a reader behind the cut goes on at the first message that is left", async () => {
  const bed = new StreamBed(new MemoryDisk(), SMALL)
  const stream = bed.stream()
  bed.fill(stream, 100, 60)
  const reader = stream.newReader()
  stream.seekOffset(reader, 3)
  assert.equal(bed.next(reader)?.offset, 3)
  stream.configure({ ...NO_LIMIT, maxLength: 30 }, null)
  await bed.settle()
  reader.begin()
  assert.equal(bed.next(reader)?.offset, stream.firstOffset)
})

test("old messages go without any publish, and offsets go on", async () => {
  const disk = new MemoryDisk()
  const bed = new StreamBed(disk, SMALL)
  const stream = bed.stream()
  stream.configure({ ...NO_LIMIT, maxAgeMs: 10_000 }, null)
  bed.fill(stream, 30, 60)
  const reader = stream.newReader()
  stream.seekOffset(reader, 12)
  bed.clock.advance(10_001)
  stream.retain()
  await bed.settle()
  assert.deepEqual([stream.messageCount, stream.firstOffset, stream.nextOffset], [0, 30, 30])
  assert.deepEqual(segmentFiles(disk), [])
  assert.deepEqual(bed.rest(reader), [])
  bed.fill(stream, 2)
  assert.deepEqual(offsetsOf(bed.rest(reader)), [30, 31])
  stream.close()
  const again = new StreamBed(disk, SMALL).openStream().stream
  assert.deepEqual([again.firstOffset, again.nextOffset], [30, 32])
})

test("offsets go on after a restart of a stream whose messages are all gone", async () => {
  const disk = new MemoryDisk()
  const bed = new StreamBed(disk, SMALL)
  const stream = bed.stream()
  stream.configure({ ...NO_LIMIT, maxAgeMs: 10_000 }, null)
  bed.fill(stream, 30, 60)
  bed.clock.advance(10_001)
  stream.retain()
  await bed.settle()
  const second = new StreamBed(disk, SMALL)
  const { stream: again } = second.openStream()
  assert.deepEqual([again.messageCount, again.nextOffset], [0, 30])
  second.fill(again, 5)
  assert.deepEqual(offsetsOf(second.from(again, 0)), range(30, 35))
})

test("a segment that takes messages for longer than the maximal age is closed", async () => {
  const bed = new StreamBed(new MemoryDisk())
  const stream = bed.stream()
  stream.configure({ ...NO_LIMIT, maxAgeMs: 10_000 }, null)
  for (let i = 0; i < 50; i++) {
    bed.fill(stream, 1)
    bed.clock.advance(1000)
    stream.retain()
  }
  await bed.settle()
  assert.ok(stream.messageCount <= 22, String(stream.messageCount))
  assert.ok(stream.messageCount >= 10, String(stream.messageCount))
})

test("readers at many places share a bounded cache", () => {
  const bed = new StreamBed(new MemoryDisk(), { cacheBytes: 64 << 10 })
  const stream = bed.stream()
  for (let i = 0; i < 4000; i++) bed.add(stream, bodyOf(i, 100))
  bed.turn()
  bed.buffers.sweep()
  bed.buffers.sweep()
  const readers = range(0, 100).map((i) => {
    const reader = stream.newReader()
    stream.seekOffset(reader, i * 40)
    return { reader, next: i * 40 }
  })
  for (let round = 0; round < 60; round++)
    for (const place of readers) {
      place.reader.begin()
      for (let i = 0; i < 10; i++) {
        const read = bed.next(place.reader)
        if (place.next >= 4000) assert.equal(read, null)
        else assert.equal(read?.offset, place.next++)
      }
      assert.ok(bed.cache.usedBytes <= 64 << 10)
    }
  stream.close()
  assert.equal(bed.cache.usedBytes, 0)
  assert.equal(bed.buffers.inUseBytes, 0)
})

test("many messages that differ in their bodies only are stored at once", () => {
  const bed = new StreamBed(new MemoryDisk())
  const stream = bed.stream()
  const message = bed.runOf(["0:a", "1:a", "2:a", "3:a"])
  assert.equal(stream.appendRun(message, 4, 3), 4)
  assert.deepEqual(offsetsOf(bed.from(stream, 0)), [0, 1, 2, 3])
})

test("a deleted stream begins anew", () => {
  const disk = new MemoryDisk()
  const bed = new StreamBed(disk, SMALL)
  const stream = bed.stream()
  bed.fill(stream, 30, 60)
  stream.consumerOffsets.set("tag", 7)
  bed.turn()
  const reader = stream.newReader()
  stream.delete()
  assert.deepEqual(bed.rest(reader), [])
  assert.deepEqual(disk.list(STORE_DIRECTORY), [])
  const again = bed.stream()
  again.open()
  assert.equal(again.nextOffset, 0)
  assert.equal(again.consumerOffsets.get("tag"), -1)
})

test("the offsets of consumers survive, the last one of each tag", () => {
  const disk = new MemoryDisk()
  const bed = new StreamBed(disk)
  const stream = bed.stream()
  bed.fill(stream, 3)
  for (let i = 0; i < 20; i++) {
    stream.consumerOffsets.set("a", i)
    stream.consumerOffsets.set("b", 2 * i)
    bed.turn()
  }
  const { stream: again } = new StreamBed(disk).openStream()
  assert.deepEqual([again.consumerOffsets.get("a"), again.consumerOffsets.get("b")], [19, 38])
  assert.equal(again.consumerOffsets.get("c"), -1)
})

test("of too many tags the one unused longest goes, also for the next process", () => {
  const disk = new MemoryDisk()
  const bed = new StreamBed(disk)
  const directory = new StoreDirectory(STORE_DIRECTORY, "stream")
  const offsets = new ConsumerOffsets(bed.context, directory, () => {}, 3)
  for (const tag of ["a", "b", "c"]) offsets.set(tag, 1)
  offsets.write()
  offsets.set("a", 2)
  offsets.set("d", 1)
  offsets.set("x".repeat(300), 1) // No tag of AMQP is that long.
  offsets.write()
  const again = new ConsumerOffsets(bed.context, directory, () => {}, 3)
  again.load()
  for (const kept of [offsets, again]) {
    assert.equal(kept.size, 3)
    assert.deepEqual(
      ["a", "b", "c", "d"].map((tag) => kept.get(tag)),
      [2, -1, 1, 1],
    )
  }
})

test("a segment with nothing but its header, as a crash leaves it, is passed over", () => {
  const disk = new MemoryDisk()
  const bed = new StreamBed(disk, SMALL)
  const stream = bed.stream()
  bed.fill(stream, 30, 60)
  stream.close()
  const number = segmentFiles(disk).length + 1
  const path = `${STORE_DIRECTORY}/msgs.${String(number).padStart(10, "0")}`
  const fd = disk.open(path, true)
  const header = disk.readFile(`${STORE_DIRECTORY}/msgs.0000000001`)!.subarray(0, 8)
  disk.write(fd, header, 0, 8, 0)
  disk.close(fd)
  const next = new StreamBed(disk, SMALL)
  const { stream: again } = next.openStream()
  next.fill(again, 3, 60)
  assert.deepEqual(offsetsOf(next.from(again, 0)), range(0, 33))
})

test("a large file is checked once and its middle is found without reading it again", () => {
  const disk = new MemoryDisk()
  const bed = new StreamBed(disk)
  const stream = bed.stream()
  for (let i = 0; i < 20_000; i++) bed.add(stream, bodyOf(i, 40))
  stream.close()
  const next = new StreamBed(disk)
  const { stream: again } = next.openStream()
  const reader = again.newReader()
  again.seekOffset(reader, 10_000)
  assert.equal(next.next(reader)?.offset, 10_000)
  const { loadCount } = next.cache
  for (let offset = 0; offset < 20_000; offset += 997) {
    again.seekOffset(reader, offset)
    assert.equal(next.next(reader)?.offset, offset)
  }
  // One or two pieces of 16 KiB for each place.
  assert.ok(next.cache.loadCount - loadCount < 50, String(next.cache.loadCount - loadCount))
})
