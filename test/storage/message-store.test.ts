import assert from "node:assert/strict"
import { test } from "node:test"
import { checkStore } from "../../src/storage/check.ts"
import { MemoryDisk } from "../../src/storage/memory-disk.ts"
import { removeDeletedStores } from "../../src/storage/store-deletion.ts"
import { BUFFER_SIZE_MAX } from "../../src/util/buffer-pool.ts"
import { cpuMs } from "../support/cpu-time.ts"
import { FaultyDisk } from "../support/faulty-disk.ts"
import { ack, requeue, StoreBed, STORE_DIRECTORY } from "../support/store-bed.ts"
import type { Taken } from "../support/store-bed.ts"

function fill(bed: StoreBed, store: ReturnType<StoreBed["store"]>, count: number): void {
  for (let i = 0; i < count; i++) assert.ok(bed.append(store, `message ${i}`))
}

test("a message comes out as it went in", () => {
  const bed = new StoreBed(new FaultyDisk())
  const store = bed.store()
  const properties = Buffer.from("9000000a746578742f706c61696e02", "hex")
  const options = { exchange: "amq.topic", key: "a.b.c", properties, timestampMs: 2 ** 47 - 3 }
  assert.ok(bed.append(store, "body", { ...options, persistent: false }))
  for (const state of ["in memory", "from the file", "after a restart"]) {
    const taken = bed.take(store)
    assert.ok(taken !== null, state)
    assert.equal(taken.body, "body")
    assert.equal(taken.route, "\tamq.topic\x05a.b.c")
    assert.equal(taken.properties, properties.toString("hex"))
    assert.equal(taken.timestampMs, 2 ** 47 - 3)
    assert.equal(taken.persistent, false)
    assert.equal(taken.redelivered, state === "from the file")
    requeue(store, taken)
    bed.turn()
    if (state !== "from the file") continue
    store.close()
    const again = new StoreBed(bed.disk)
    const { store: reopened } = again.open()
    assert.equal(again.take(reopened)?.redelivered, false)
    return
  }
})

test("an idle store has no file, no directory and no buffer", () => {
  const disk = new FaultyDisk()
  const bed = new StoreBed(disk)
  const store = bed.store()
  assert.deepEqual(disk.paths(), [])
  fill(bed, store, 100)
  assert.deepEqual(disk.paths(), [])
  assert.equal(bed.drain(store).length, 100)
  bed.turn()
  assert.deepEqual(disk.paths(), [], "what is consumed in its turn is not written")
  assert.equal(bed.buffers.inUseBytes, 0)
  fill(bed, store, 10)
  bed.turn()
  assert.deepEqual(disk.paths(), [
    `${STORE_DIRECTORY}/.queue`,
    `${STORE_DIRECTORY}/msgs.0000000001`,
  ])
  assert.equal(disk.readFile(`${STORE_DIRECTORY}/.queue`)?.toString(), "queue")
  bed.drain(store)
  bed.turn()
  assert.equal(bed.buffers.inUseBytes, 0)
  assert.equal(disk.paths().length, 3, "a small segment stays until the store is idle")
  assert.ok(store.resetIfIdle())
  assert.deepEqual(disk.paths(), [])
})

test("a store that runs empty after a megabyte gives its file back at once", () => {
  const disk = new FaultyDisk()
  const bed = new StoreBed(disk)
  const store = bed.store()
  for (let i = 0; i < 40; i++) bed.append(store, Buffer.alloc(30_000))
  bed.turn()
  const taken: Taken[] = []
  for (let i = 0; i < 40; i++) taken.push(bed.take(store)!)
  for (const one of taken.slice(1)) ack(store, one)
  bed.turn()
  assert.ok(disk.usedBytes > 1 << 20)
  ack(store, taken[0]!)
  bed.turn()
  assert.equal(disk.paths().filter((path) => path.includes("msgs")).length, 0)
  bed.append(store, "next")
  bed.turn()
  assert.deepEqual(bed.drain(store), ["next"])
})

test("a segment is removed when all in it is settled, and not before", () => {
  const disk = new FaultyDisk()
  const bed = new StoreBed(disk, { segmentSizeBytes: 1000 })
  const store = bed.store()
  fill(bed, store, 200)
  bed.turn()
  const count = (): number => disk.paths().filter((path) => path.includes("/msgs.")).length
  assert.ok(count() >= 6)
  const first = bed.take(store)!
  const rest = bed.drain(store)
  assert.equal(rest.length, 199)
  bed.turn()
  assert.equal(count(), 2, "the first one, and the one that is written to")
  ack(store, first)
  bed.turn()
  assert.equal(count(), 1)
  assert.deepEqual(checkStore(disk, STORE_DIRECTORY).problems, [])
})

test("messages of any size are kept, also those larger than a segment", () => {
  const disk = new FaultyDisk()
  const options = { segmentSizeBytes: 300_000 }
  const bed = new StoreBed(disk, options)
  const store = bed.store()
  const sizes = [
    0, 1, 191, 192, 4000, 65_499, 65_500, 65_536, 262_144, 300_000, 1_000_000, 3, 70_000,
  ]
  const bodies = sizes.map((size, i) => Buffer.alloc(size, String.fromCharCode(97 + i)))
  for (const body of bodies) assert.ok(bed.append(store, body))
  const expected = bodies.map((body) => body.toString("latin1"))
  const taken = bodies.map(() => bed.take(store)!)
  assert.deepEqual(
    taken.map((one) => one.body),
    expected,
  )
  for (const one of taken.toReversed()) requeue(store, one)
  bed.turn()
  assert.deepEqual(
    bodies.map(() => bed.take(store)!.body),
    expected,
    "requeued",
  )
  store.close()
  const again = new StoreBed(disk, options)
  const opened = again.open()
  assert.deepEqual(again.drain(opened.store), expected)
  again.turn()
  assert.equal(again.buffers.inUseBytes, 0)
  assert.ok(opened.store.resetIfIdle())
  assert.equal(disk.paths().filter((path) => path.includes("/msgs.")).length, 0)
})

test("more than the largest buffer in one turn is written and read back", () => {
  const bed = new StoreBed(new FaultyDisk())
  const store = bed.store()
  const count = Math.ceil((5 * BUFFER_SIZE_MAX) / 1000)
  for (let i = 0; i < count; i++) bed.append(store, `${i}`.padEnd(1000))
  for (let i = 0; i < count; i++) assert.equal(bed.take(store)?.body.trim(), `${i}`)
  assert.equal(store.readyCount, 0)
  assert.equal(bed.take(store), null)
})

test("100,000 requeued messages come out in their order, in any order they came back", () => {
  const bed = new StoreBed(new MemoryDisk())
  const store = bed.store()
  const count = 100_000
  fill(bed, store, count)
  bed.turn()
  const taken: Taken[] = []
  for (let i = 0; i < count; i++) taken.push(bed.take(store)!)
  const startMs = cpuMs()
  for (let i = 0; i < count; i++) requeue(store, taken[(i * 7919) % count]!)
  const elapsedMs = cpuMs() - startMs
  assert.ok(elapsedMs < 1000, `${elapsedMs.toFixed(0)} ms`)
  for (let i = 0; i < count; i++) {
    const again = bed.take(store)!
    assert.equal(again.position, taken[i]!.position)
    assert.ok(again.redelivered)
  }
})

test("a purge settles what is ready, in files, requeued or not written, and leaves the rest", () => {
  const disk = new FaultyDisk()
  const options = { segmentSizeBytes: 1000 }
  const bed = new StoreBed(disk, options)
  const store = bed.store()
  fill(bed, store, 100)
  bed.turn()
  store.close()
  const again = new StoreBed(disk, options)
  const { store: opened } = again.open()
  const kept = again.take(opened)!
  const back = again.take(opened)!
  requeue(opened, back)
  fill(again, opened, 10)
  assert.equal(opened.purge(), 109)
  assert.equal(opened.readyCount, 0)
  assert.equal(opened.unackedCount, 1)
  assert.equal(again.take(opened), null)
  again.turn()
  assert.deepEqual(checkStore(disk, STORE_DIRECTORY).problems, [])
  opened.close()
  const last = new StoreBed(disk, options)
  const { store: reopened, report } = last.open()
  assert.equal(report.messageCount, 1)
  assert.deepEqual(last.drain(reopened), [kept.body])
})

test("only persistent messages of a durable queue wait for a sync", () => {
  for (const [durable, persistent, waits] of [
    [true, true, true],
    [true, false, false],
    [false, true, false],
  ] as const) {
    const bed = new StoreBed(new FaultyDisk())
    const store = bed.store(durable)
    bed.append(store, "body", { persistent })
    assert.equal(bed.turn() > bed.commit.completedRound, waits)
  }
})

test("a message that is consumed in its turn does not wait for a sync", () => {
  const bed = new StoreBed(new FaultyDisk())
  const store = bed.store()
  bed.append(store, "body")
  bed.drain(store)
  assert.equal(bed.turn(), bed.commit.completedRound)
})

test("a deleted store leaves nothing, and one of the same name begins empty", () => {
  const disk = new FaultyDisk()
  const bed = new StoreBed(disk, { segmentSizeBytes: 1000 })
  const store = bed.store()
  fill(bed, store, 100)
  bed.turn()
  fill(bed, store, 1)
  store.delete()
  bed.turn()
  assert.deepEqual(disk.paths(), [])
  assert.equal(bed.buffers.inUseBytes, 0)
  const { store: next, report } = bed.open()
  assert.equal(report.messageCount, 0)
  assert.equal(bed.append(store, "to the deleted one"), false)
  bed.append(next, "new")
  bed.turn()
  assert.deepEqual(bed.drain(next), ["new"])
})

test("a long backlog is deleted between the turns, and a crash in the middle leaves nothing", async () => {
  const disk = new FaultyDisk()
  const bed = new StoreBed(disk, { segmentSizeBytes: 400 })
  const store = bed.store()
  fill(bed, store, 300)
  bed.turn()
  const count = disk.paths().length
  assert.ok(count > 50)
  store.delete()
  assert.deepEqual(disk.list(STORE_DIRECTORY), [])
  assert.ok(disk.paths().length > count - 10, "not all at once")
  const { store: next } = bed.open()
  assert.equal(next.readyCount, 0)
  bed.append(next, "new")
  bed.turn()
  const crashed = disk.crash("kill")
  removeDeletedStores(crashed, "/data/vhost")
  assert.equal(crashed.paths().length, 2)
  while (disk.paths().length > 2) await new Promise((resolve) => setImmediate(resolve))
  assert.deepEqual(bed.drain(next), ["new"])
})

test("what consumers do after the store was closed changes nothing", () => {
  const disk = new FaultyDisk()
  const bed = new StoreBed(disk)
  const store = bed.store()
  fill(bed, store, 4)
  const first = bed.take(store)!
  const second = bed.take(store)!
  requeue(store, bed.take(store)!)
  bed.turn()
  store.close()
  const before = checkStore(disk, STORE_DIRECTORY)
  ack(store, first)
  requeue(store, second)
  assert.equal(bed.take(store), null)
  assert.equal(bed.peek(store), null)
  assert.equal(store.purge(), 0)
  assert.equal(bed.append(store, "late"), false)
  store.close()
  store.write()
  assert.deepEqual(checkStore(disk, STORE_DIRECTORY), before)
  assert.equal(before.readyCount, 4)
})

test("many settled segments are removed over several turns", () => {
  const disk = new FaultyDisk()
  const bed = new StoreBed(disk, { segmentSizeBytes: 400 })
  const store = bed.store()
  fill(bed, store, 300)
  bed.turn()
  assert.equal(store.purge(), 300)
  bed.turn()
  const { store: reopened } = new StoreBed(disk.crash("kill")).open()
  assert.equal(reopened.readyCount, 0, "what is not removed yet is settled on disk")
  assert.ok(disk.paths().length > 20)
  bed.turns()
  assert.ok(store.resetIfIdle())
  assert.deepEqual(disk.paths(), [])
})

test("a backlog does not keep buffers once it is left alone", () => {
  const bed = new StoreBed(new FaultyDisk())
  const store = bed.store()
  fill(bed, store, 50_000)
  bed.turn()
  bed.take(store)
  bed.turn()
  assert.ok(bed.buffers.inUseBytes > 0)
  bed.buffers.sweep()
  bed.buffers.sweep()
  assert.equal(bed.buffers.inUseBytes, 0)
  assert.equal(bed.drain(store).length, 49_999)
})

test("10,000 stores with a backlog hold no more than the pool allows", () => {
  const bed = new StoreBed(new MemoryDisk(), { openFilesMax: 100 })
  const stores = Array.from({ length: 10_000 }, (_, i) => bed.store(true, `/data/vhost/${i}`))
  for (const store of stores) bed.append(store, "one")
  bed.turn()
  for (const store of stores) bed.append(store, "two")
  bed.turn()
  assert.ok(bed.buffers.inUseBytes <= 24 << 20, `${bed.buffers.inUseBytes} bytes`)
  for (const store of stores) assert.deepEqual(bed.drain(store), ["one", "two"])
  bed.turn()
  assert.equal(bed.buffers.inUseBytes, 0)
})

test("a store with a long backlog opens without reading it", () => {
  const disk = new FaultyDisk()
  const options = { segmentSizeBytes: 20_000 }
  const bed = new StoreBed(disk, options)
  const store = bed.store()
  for (let i = 0; i < 40; i++) {
    fill(bed, store, 1000)
    bed.turn()
  }
  store.close()
  const reads = disk.calls.read
  const { store: opened, report } = new StoreBed(disk, options).open()
  assert.equal(disk.calls.read, reads)
  assert.equal(report.scannedCount, 0)
  assert.equal(opened.readyCount, 40_000)
})

test("after a crash only the last segment is read at boot", () => {
  const disk = new FaultyDisk()
  const options = { segmentSizeBytes: 20_000 }
  const bed = new StoreBed(disk, options)
  const store = bed.store()
  fill(bed, store, 10_000)
  bed.turn()
  const { store: opened, report } = new StoreBed(disk.crash("kill"), options).open()
  assert.equal(report.scannedCount, 1)
  assert.equal(opened.readyCount, 10_000)
})

test("a store that was closed goes on in its last segment", () => {
  const disk = new FaultyDisk()
  let bed = new StoreBed(disk)
  let { store } = bed.open()
  for (let i = 0; i < 10; i++) {
    bed.append(store, `${i}`)
    bed.turn()
    store.close()
    bed = new StoreBed(disk)
    ;({ store } = bed.open())
  }
  assert.equal(disk.paths().filter((path) => path.includes("/msgs.")).length, 1)
  assert.deepEqual(bed.drain(store), ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"])
})

test("a run is stored byte for byte as its messages one by one would be", () => {
  for (const [size, count] of [
    [0, 50],
    [5, 2000],
    [300, 2000],
    [70_000, 3],
  ] as const) {
    const bodies = Array.from({ length: count }, (_, i) => `${i}`.padEnd(size, "y").slice(0, size))
    const options = { segmentSizeBytes: 200_000 }
    const single = new StoreBed(new FaultyDisk(), options)
    const run = new StoreBed(new FaultyDisk(), options)
    const singles = single.store()
    const runs = run.store()
    for (const body of bodies) assert.ok(single.append(singles, body))
    assert.equal(run.appendRun(runs, bodies), count)
    assert.equal(runs.readyBytes, singles.readyBytes)
    single.turn()
    run.turn()
    assert.deepEqual(run.disk.list(STORE_DIRECTORY), single.disk.list(STORE_DIRECTORY))
    for (const name of run.disk.list(STORE_DIRECTORY)) {
      const path = `${STORE_DIRECTORY}/${name}`
      assert.deepEqual(run.disk.readFile(path), single.disk.readFile(path), path)
    }
    assert.deepEqual(run.drain(runs), bodies)
  }
})

test("a run that the disk interrupts says how much of it was stored", () => {
  const disk = new FaultyDisk()
  const bed = new StoreBed(disk, { segmentSizeBytes: 50_000 })
  const store = bed.store()
  const bodies = Array.from({ length: 3000 }, (_, i) => `${i}`.padEnd(100))
  disk.capacityBytes = disk.usedBytes + 120_000
  const stored = bed.appendRun(store, bodies)
  assert.ok(stored > 500 && stored < 2500, `${stored} stored`)
  assert.equal(store.readyCount, stored)
  assert.ok(store.failed)
  assert.equal(bed.appendRun(store, bodies), 0)
  assert.deepEqual(bed.drain(store), bodies.slice(0, stored))
})

test("a run ends where the next message is not like the one before", () => {
  const bed = new StoreBed(new FaultyDisk())
  const store = bed.store()
  const lengths: number[] = []
  for (const options of [{}, { key: "kez" }, { persistent: false }, { exchange: "e", key: "ky" }]) {
    bed.appendRun(store, ["aaaa", "bbbb", "cccc"], options)
    bed.append(store, "ddddd", options)
  }
  while (store.readyCount > 0) lengths.push(bed.takeRun(store, 100).length)
  assert.deepEqual(lengths, [3, 1, 3, 1, 3, 1, 3, 1])
  bed.turn()
  bed.appendRun(store, ["1", "2", "3", "4", "5", "6", "7"])
  bed.turn()
  assert.equal(bed.takeRun(store, 3).length, 3)
  assert.equal(bed.takeRun(store, 100, 60).length, 2)
  assert.equal(bed.takeRun(store, 100, 0).length, 1)
  assert.equal(bed.takeRun(store, 100).length, 1)
})
