import assert from "node:assert/strict"
import { test } from "node:test"
import { checkStore } from "../../src/storage/check.ts"
import { StoreDirectory } from "../../src/storage/store-directory.ts"
import { OffsetLog } from "../../src/storage/stream/offset-log.ts"
import { FaultyDisk } from "../support/faulty-disk.ts"
import { chooseSeed, createRandom } from "../support/seed.ts"
import { STORE_DIRECTORY } from "../support/store-bed.ts"
import { bodyOf, offsetsOf, range, StreamBed } from "../support/stream-bed.ts"

/**
 * Damaged and failing disks under a stream: what was written stays at its offset, what is lost leaves
 * a gap, and nothing moves.
 */
const SMALL = { segmentSizeBytes: 1500, openFilesMax: 4 }

function newDisk(): FaultyDisk {
  const disk = new FaultyDisk()
  disk.writeFile("/data/vhost/.vhost", "/") // The directory is the vhost's affair.
  return disk
}

function path(number: number): string {
  return `${STORE_DIRECTORY}/msgs.${String(number).padStart(10, "0")}`
}

/** A stream of `count` messages, one per batch, ended in order or by kill -9. */
function filled(count: number, end: "close" | "kill"): FaultyDisk {
  const disk = newDisk()
  const bed = new StreamBed(disk, SMALL)
  const stream = bed.stream()
  bed.fill(stream, count, 60)
  if (end === "close") stream.close()
  return disk
}

for (const end of ["close", "kill"] as const)
  test(`a flipped byte costs its batch and moves no offset (${end})`, () => {
    const random = createRandom(chooseSeed("streams on damaged disks"))
    for (let round = 0; round < 30; round++) {
      const disk = filled(60, end)
      const number = 1 + random.below(3)
      const size = disk.readFile(path(number))!.length
      disk.flip(path(number), 8 + random.below(size - 8))
      const bed = new StreamBed(disk, SMALL)
      const { stream } = bed.openStream()
      assert.equal(stream.nextOffset, 60)
      const found = offsetsOf(bed.from(stream, 0))
      assert.equal(found.length, 59)
      for (let offset = 0; offset < 60; offset++) {
        const rest = offsetsOf(bed.from(stream, offset))
        assert.deepEqual(
          rest,
          found.filter((each) => each >= offset),
        )
      }
      bed.fill(stream, 3, 60)
      assert.deepEqual(offsetsOf(bed.from(stream, 58)), range(58, 63))
    }
  })

test("a flipped byte in the last segment moves no offset, over several restarts", () => {
  const random = createRandom(chooseSeed("streams on damaged disks"))
  for (let round = 0; round < 40; round++) {
    const disk = filled(8, round % 2 === 0 ? "close" : "kill")
    // Not in the last batch: that one would look like a write that was cut short.
    const size = disk.readFile(path(1))!.length - 110
    const position = 8 + random.below(size - 8)
    disk.flip(path(1), position)
    for (let start = 0; start < 3; start++) {
      const bed = new StreamBed(disk, SMALL)
      const { stream } = bed.openStream()
      const before = offsetsOf(bed.from(stream, 0))
      assert.equal(stream.nextOffset, 8 + 2 * start, `flipped at ${String(position)}`)
      assert.equal(before.length, 7 + 2 * start)
      bed.fill(stream, 2, 60)
      assert.deepEqual(offsetsOf(bed.from(stream, 0)), [
        ...before,
        ...range(8 + 2 * start, 10 + 2 * start),
      ])
      if (start === 1) stream.close()
    }
    assert.deepEqual(checkStore(disk, STORE_DIRECTORY).problems, [])
  }
})

test("the end of a write that was cut short is set aside at every length", () => {
  const whole = filled(6, "kill").readFile(path(1))!.length
  const batch = Math.floor((whole - 8) / 6)
  for (let cut = 1; cut < batch; cut += 5) {
    const disk = filled(6, "kill")
    disk.cut(path(1), whole - cut)
    const bed = new StreamBed(disk, SMALL)
    const { stream } = bed.openStream()
    assert.equal(stream.nextOffset, 5)
    bed.fill(stream, 3, 60)
    assert.deepEqual(offsetsOf(bed.from(stream, 0)), range(0, 8))
    const again = new StreamBed(disk, SMALL)
    assert.deepEqual(offsetsOf(again.from(again.openStream().stream, 0)), range(0, 8))
  }
})

test("offsets go on when all messages behind an unfinished write have become too old", async () => {
  const disk = filled(6, "kill")
  disk.cut(path(1), disk.readFile(path(1))!.length - 1)
  const bed = new StreamBed(disk, SMALL)
  const { stream } = bed.openStream()
  bed.clock.advance(60_000)
  stream.configure({ maxLength: null, maxBytes: null, maxAgeMs: 1000 }, null)
  await bed.settle()
  assert.deepEqual([stream.messageCount, stream.nextOffset], [0, 5])
  const { stream: again } = new StreamBed(disk, SMALL).openStream()
  assert.deepEqual([again.messageCount, again.nextOffset], [0, 5])
})

test("a segment that is gone leaves a gap", () => {
  const disk = filled(60, "close")
  const bed = new StreamBed(disk, SMALL)
  disk.remove(path(2))
  const { stream } = bed.openStream()
  const [first, second] = stream.segments
  assert.ok(first!.file.messageCount < second!.firstOffset)
  assert.equal(stream.nextOffset, 60)
  assert.deepEqual(offsetsOf(bed.from(stream, 0)), [
    ...range(0, first!.file.messageCount),
    ...range(second!.firstOffset, 60),
  ])
  assert.equal(bed.from(stream, first!.file.messageCount)[0]?.offset, second!.firstOffset)
})

test("without the file of first offsets, counting gives the same ones", () => {
  const disk = filled(60, "kill")
  disk.remove(`${STORE_DIRECTORY}/first-offsets`)
  const bed = new StreamBed(disk, SMALL)
  assert.deepEqual(offsetsOf(bed.from(bed.openStream().stream, 0)), range(0, 60))
})

test("a file of first offsets with a damaged end is used as far as it goes", () => {
  const disk = filled(60, "kill")
  const name = `${STORE_DIRECTORY}/first-offsets`
  const { length } = disk.readFile(name)!
  for (let at = 0; at < length; at += 3) {
    disk.flip(name, at)
    const bed = new StreamBed(disk, SMALL)
    const { stream } = bed.openStream()
    assert.deepEqual(offsetsOf(bed.from(stream, 0)), range(0, 60))
    disk.flip(name, at)
  }
})

test("the check of a store finds what is wrong with a stream", () => {
  const disk = filled(60, "kill")
  const name = `${STORE_DIRECTORY}/first-offsets`
  assert.deepEqual(checkStore(disk, STORE_DIRECTORY).problems, [])
  disk.cut(name, disk.readFile(name)!.length - 1)
  assert.match(checkStore(disk, STORE_DIRECTORY).problems[0]!.text, /bytes are no entry/)
  const bed = new StreamBed(disk, SMALL)
  const log = new OffsetLog(
    bed.context,
    new StoreDirectory(STORE_DIRECTORY, "stream"),
    "first-offsets",
  )
  log.load()
  log.set("3", 2)
  log.write()
  assert.match(checkStore(disk, STORE_DIRECTORY).problems[0]!.text, /segment 3 begins at 2/)
})

test("a file that cannot be read is tried again, then given up", () => {
  const disk = filled(60, "close")
  const bed = new StreamBed(disk, SMALL)
  const { stream } = bed.openStream()
  const reader = stream.newReader()
  stream.seekOffset(reader, 0)
  disk.failCall("read", 1, "EIO")
  assert.deepEqual(bed.rest(reader), [])
  assert.deepEqual(bed.rest(reader), []) // Left alone for a while.
  bed.clock.advance(1001)
  assert.deepEqual(offsetsOf(bed.rest(reader)), range(0, 60))
  const second = new StreamBed(disk, SMALL)
  const { stream: again } = second.openStream()
  disk.failCall("read", 1, "EIO", { repeat: true })
  const other = again.newReader()
  again.seekOffset(other, 0)
  for (let i = 0; i < 3; i++) {
    assert.deepEqual(second.rest(other), [])
    second.clock.advance(1001)
  }
  disk.heal()
  const [first] = offsetsOf(second.rest(other))
  assert.equal(first, again.segments[1]!.firstOffset)
})

test("a full disk refuses what comes, keeps what is there, and offsets stay whole", () => {
  const disk = newDisk()
  const bed = new StreamBed(disk, SMALL)
  const stream = bed.stream()
  bed.fill(stream, 30, 60)
  disk.capacityBytes = disk.usedBytes + 50
  bed.add(stream, bodyOf(stream.nextOffset, 60))
  bed.turn()
  assert.equal(stream.failed, true)
  assert.equal(bed.add(stream, bodyOf(stream.nextOffset, 60)), false)
  disk.capacityBytes = Infinity
  bed.turn()
  assert.equal(stream.failed, false)
  bed.fill(stream, 20, 60)
  assert.deepEqual(offsetsOf(bed.from(stream, 0)), range(0, 51))
  const again = new StreamBed(disk, SMALL)
  assert.deepEqual(offsetsOf(again.from(again.openStream().stream, 0)), range(0, 51))
})

test("a process killed in any call leaves all that its turns had written, at its offsets", async () => {
  const random = createRandom(chooseSeed("streams on damaged disks"))
  for (let round = 0; round < 120; round++) {
    const disk = newDisk()
    const bed = new StreamBed(disk, SMALL)
    const stream = bed.stream()
    const kind = (["write", "open", "remove", "rename"] as const)[random.below(4)]!
    disk.dieAt(kind, 1 + random.below(60), random.below(100))
    let written = 0
    for (let i = 0; i < 100; i++) {
      const accepted = bed.add(stream, bodyOf(stream.nextOffset, 20 + random.below(100)))
      if (i === 40) stream.configure({ maxLength: 20, maxBytes: null, maxAgeMs: null }, null)
      if (!accepted) break
      if (random.chance(0.6)) {
        bed.turn()
        if (stream.failed) break
        written = stream.nextOffset
        if (i % 7 === 0) await new Promise((resolve) => setImmediate(resolve))
      }
    }
    const medium = disk.killProcess()
    medium.heal()
    const next = new StreamBed(medium, SMALL)
    const { stream: again } = next.openStream()
    assert.ok(again.nextOffset >= written, `${String(again.nextOffset)} < ${String(written)}`)
    const found = offsetsOf(next.from(again, 0))
    assert.deepEqual(found, range(again.firstOffset, again.nextOffset))
    next.fill(again, 5)
    assert.equal(offsetsOf(next.from(again, 0)).at(-1), again.nextOffset - 1)
    again.close()
    assert.deepEqual(checkStore(medium, STORE_DIRECTORY).problems, [])
  }
})

test("consumer offsets outlive kill -9 and replace their file when most of it is old", async () => {
  const disk = newDisk()
  const bed = new StreamBed(disk, SMALL)
  const stream = bed.stream()
  bed.fill(stream, 1)
  const name = `${STORE_DIRECTORY}/consumer-offsets`
  let largest = 0
  for (let i = 0; i < 6000; i++) {
    stream.consumerOffsets.set(`consumer-${String(i % 10)}`, i)
    bed.turn()
    if (i % 100 === 0) for (let k = 0; k < 20; k++) await Promise.resolve()
    largest = Math.max(largest, disk.readFile(name)!.length)
  }
  assert.ok(largest < 100_000, String(largest))
  const { stream: again } = new StreamBed(disk, SMALL).openStream()
  for (let i = 0; i < 10; i++)
    assert.equal(again.consumerOffsets.get(`consumer-${String(i)}`), 5990 + i)
})

test("a power failure takes nothing that was confirmed, and moves no offset", async () => {
  const random = createRandom(chooseSeed("power failures of streams"))
  for (let round = 0; round < 60; round++) {
    const disk = newDisk()
    const bed = new StreamBed(disk, SMALL)
    const stream = bed.stream()
    const maxLength = 5 + random.below(30)
    stream.configure({ maxLength, maxBytes: null, maxAgeMs: null }, null)
    /** Persistent messages, and the rounds for which their confirms wait. */
    const waiting: { offset: number; commit: number }[] = []
    let turn: number[] = []
    const steps = random.below(150)
    for (let i = 0; i < steps; i++) {
      const persistent = random.chance(0.8)
      if (persistent) turn.push(stream.nextOffset)
      bed.add(stream, bodyOf(stream.nextOffset, 20 + random.below(100)), { persistent })
      if (!random.chance(0.4)) continue
      const commit = bed.turn()
      for (const offset of turn) waiting.push({ offset, commit })
      turn = []
      if (random.chance(0.3)) await new Promise((resolve) => setImmediate(resolve))
    }
    const confirmed = new Set<number>()
    let end = 0
    for (const { offset, commit } of waiting) {
      if (commit > bed.commit.completedRound) continue
      end = offset + 1
      if (offset >= stream.firstOffset) confirmed.add(offset)
    }
    const next = new StreamBed(disk.crash("power", random.below(1_000_000)), SMALL)
    const { stream: again } = next.openStream()
    assert.ok(again.nextOffset >= end, `${String(again.nextOffset)} < ${String(end)}`)
    const sure = next.from(again, 0).filter(({ body }) => confirmed.has(Number.parseInt(body, 10)))
    assert.deepEqual(offsetsOf(sure), [...confirmed])
  }
})

test("retention waits until it is on disk with which offset the rest begins", async () => {
  for (let seed = 0; seed < 30; seed++) {
    const disk = newDisk()
    const bed = new StreamBed(disk, SMALL)
    const stream = bed.stream()
    bed.fill(stream, 40, 60)
    await bed.settle()
    disk.holdSyncs = true
    stream.configure({ maxLength: 1, maxBytes: null, maxAgeMs: null }, null)
    bed.fill(stream, 30, 60)
    await bed.settle()
    const { stream: again } = new StreamBed(disk.crash("power", seed), SMALL).openStream()
    assert.ok(again.nextOffset >= 40, String(again.nextOffset))
    disk.holdSyncs = false
    disk.releaseSyncs()
    await bed.settle()
    assert.equal(stream.segments.length, 1)
  }
})

/** Overwrites a range, so that nothing tells any more what stood there. */
function wipe(disk: FaultyDisk, name: string, start: number, end: number): void {
  const fd = disk.open(name, false)
  disk.write(fd, Buffer.alloc(end - start, 0xee), 0, end - start, start)
  disk.close(fd)
}

test("what follows in the turn in which damage is found has its offsets too", () => {
  const disk = filled(6, "close")
  const batch = Math.floor((disk.readFile(path(1))!.length - 8) / 6)
  wipe(disk, path(1), 8 + 2 * batch, 8 + 4 * batch)
  const bed = new StreamBed(disk, SMALL)
  const { stream } = bed.openStream()
  assert.equal(bed.from(stream, 0).length, 4)
  for (let i = 6; i < 9; i++) bed.add(stream, bodyOf(i, 60))
  bed.turn()
  assert.deepEqual(offsetsOf(bed.from(stream, 6)), [6, 7, 8])
  const again = new StreamBed(disk, SMALL)
  assert.deepEqual(offsetsOf(again.from(again.openStream().stream, 6)), [6, 7, 8])
})

test("a damaged segment in front of one whose first offset is lost keeps offsets rising", () => {
  const disk = filled(30, "kill")
  disk.remove(`${STORE_DIRECTORY}/first-offsets`)
  disk.remove(`${STORE_DIRECTORY}/meta.0000000001`)
  disk.flip(path(1), 400)
  for (let start = 0; start < 3; start++) {
    const bed = new StreamBed(disk, SMALL)
    const { stream } = bed.openStream()
    const found = offsetsOf(bed.from(stream, 0))
    assert.equal(found.length, 29)
    bed.turns()
    if (start === 1) stream.close()
  }
})

function openLog(bed: StreamBed): OffsetLog {
  const log = new OffsetLog(bed.context, new StoreDirectory(STORE_DIRECTORY, "stream"), "log")
  log.load()
  return log
}

test("entries behind a damaged one do not come back when it is overwritten", () => {
  const disk = newDisk()
  const name = `${STORE_DIRECTORY}/log`
  const first = openLog(new StreamBed(disk))
  for (const key of ["a", "b", "c"]) first.set(key, 7)
  first.write()
  disk.flip(name, 18) // In the entry of b.
  const second = openLog(new StreamBed(disk))
  assert.deepEqual([...second.entries.keys()], ["a"])
  second.set("d", 8)
  second.write()
  assert.deepEqual([...openLog(new StreamBed(disk)).entries.keys()], ["a", "d"])
})

test("a full disk hides nothing of a segment that ends with an unfinished write", () => {
  const disk = filled(6, "kill")
  disk.cut(path(1), disk.readFile(path(1))!.length - 30)
  disk.capacityBytes = disk.usedBytes
  const bed = new StreamBed(disk, SMALL)
  const { stream } = bed.openStream()
  assert.deepEqual(offsetsOf(bed.from(stream, 0)), range(0, 5))
  disk.capacityBytes = Number.MAX_SAFE_INTEGER
  bed.fill(stream, 3, 60)
  assert.deepEqual(offsetsOf(bed.from(stream, 0)), range(0, 8))
  const again = new StreamBed(disk, SMALL)
  assert.deepEqual(offsetsOf(again.from(again.openStream().stream, 0)), range(0, 8))
  assert.deepEqual(checkStore(disk, STORE_DIRECTORY).problems, [])
})

test("nothing gets the offsets of a segment that cannot be read at the start", () => {
  const disk = filled(40, "kill")
  const bed = new StreamBed(disk, SMALL)
  disk.failCall("open", 3, "EIO")
  const { stream, report } = bed.openStream()
  assert.equal(report.unreadableCount, 1)
  const found = offsetsOf(bed.from(stream, 0))
  const offset = stream.nextOffset
  assert.ok(offset > 40)
  bed.fill(stream, 2, 60)
  const again = new StreamBed(disk, SMALL)
  const offsets = offsetsOf(again.from(again.openStream().stream, 0))
  assert.ok(found.length < 40)
  assert.deepEqual(offsets, [...range(0, 40), offset, offset + 1])
})

test("a file that is destroyed under a reader takes it to no lower offset", () => {
  const disk = newDisk()
  const bed = new StreamBed(disk, SMALL)
  const stream = bed.stream()
  for (let i = 0; i < 6; i++) bed.add(stream, bodyOf(i, 60))
  bed.turn()
  const end = disk.readFile(path(1))!.length
  bed.fill(stream, 3, 60)
  const reader = stream.newReader()
  stream.seekOffset(reader, 0)
  reader.begin()
  assert.deepEqual([bed.next(reader)?.offset, bed.next(reader)?.offset], [0, 1])
  for (let i = 0; i < 3; i++) bed.buffers.sweep()
  wipe(disk, path(1), 8, end)
  const offsets = bed.rest(reader).map(({ offset }) => offset)
  assert.equal(offsets.length, 3)
  assert.ok(offsets[0]! > 1, `offset ${String(offsets[0])} after 1`)
})
