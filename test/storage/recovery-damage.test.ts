import assert from "node:assert/strict"
import { test } from "node:test"
import { checkStore } from "../../src/storage/check.ts"
import { FaultyDisk } from "../support/faulty-disk.ts"
import { ack, StoreBed, STORE_DIRECTORY } from "../support/store-bed.ts"

/**
 * A small store, damaged in every possible place: cut short at every length, a byte changed at every
 * offset. What is whole is served, in order; nothing else is.
 */
const OPTIONS = { segmentSizeBytes: 400 }

interface Fixture {
  readonly disk: FaultyDisk
  /** Not settled, in order. */
  readonly ready: string[]
  readonly all: string[]
  /** Bodies by batch. */
  readonly batches: string[][]
}

function makeFixture(end: "close" | "kill"): Fixture {
  const disk = new FaultyDisk()
  const bed = new StoreBed(disk, OPTIONS)
  const store = bed.store()
  const all: string[] = []
  const batches: string[][] = []
  for (let turn = 0; turn < 8; turn++) {
    const batch: string[] = []
    for (let i = 0; i <= turn % 4; i++) {
      const body = `message ${all.length} `.repeat(1 + (all.length % 3))
      assert.ok(bed.append(store, body, { exchange: "amq.topic", timestampMs: 1e12 + all.length }))
      all.push(body)
      batch.push(body)
    }
    batches.push(batch)
    bed.turn()
  }
  const settled = new Set<string>()
  for (let i = 0; i < 9; i++) {
    const taken = bed.take(store)!
    if (i % 3 === 1) continue
    settled.add(taken.body)
    ack(store, taken)
  }
  bed.turn()
  if (end === "close") store.close()
  const ready = all.filter((body) => !settled.has(body))
  return { disk: disk.crash("kill"), ready, all, batches: splitBySegment(disk, batches) }
}

/** A turn that begins a new segment writes two batches. */
function splitBySegment(disk: FaultyDisk, turns: string[][]): string[][] {
  const bed = new StoreBed(disk.crash("kill"), OPTIONS)
  const { store } = bed.open()
  const segments = new Map<string, number>()
  for (let taken = bed.take(store); taken !== null; taken = bed.take(store))
    segments.set(taken.body, taken.segment)
  return turns.flatMap((turn) => [...Map.groupBy(turn, (body) => segments.get(body) ?? 0).values()])
}

/** Opens, drains, restarts: what is served, and that the store is sound and usable afterwards. */
function serve(disk: FaultyDisk): { served: string[]; lost: number; bed: StoreBed } {
  const bed = new StoreBed(disk, OPTIONS)
  const { store } = bed.open()
  const counted = store.readyCount
  const served: string[] = []
  for (let taken = bed.take(store); taken !== null; taken = bed.take(store)) served.push(taken.body)
  assert.equal(store.readyCount, 0)
  assert.equal(store.readyBytes, 0)
  assert.equal(store.unackedCount, served.length)
  assert.equal(counted, served.length + store.lostCount, "counted = served + lost")
  assert.ok(bed.append(store, "after the repair"))
  bed.turn()
  store.close()
  const again = new StoreBed(disk, OPTIONS)
  const reopened = again.open()
  assert.equal(reopened.store.readyCount, served.length + 1)
  assert.deepEqual(again.drain(reopened.store), [...served, "after the repair"])
  assert.equal(reopened.store.lostCount, 0, "what is damaged is counted once")
  return { served, lost: store.lostCount, bed }
}

function isSubsequence(part: readonly string[], whole: readonly string[]): boolean {
  let at = 0
  for (const item of whole) if (item === part[at]) at++
  return at === part.length
}

function pathsOf(disk: FaultyDisk, prefix: string): string[] {
  return disk.paths(STORE_DIRECTORY).filter((path) => path.includes(`/${prefix}.`))
}

for (const end of ["close", "kill"] as const) {
  test(`without damage everything is served in order, after ${end}`, () => {
    const { disk, ready } = makeFixture(end)
    assert.ok(pathsOf(disk, "msgs").length >= 3)
    assert.deepEqual(serve(disk).served, ready)
    assert.deepEqual(checkStore(disk, STORE_DIRECTORY).problems, [])
  })

  test(`a segment cut short at any length serves its whole batches, after ${end}`, () => {
    const { disk, ready, batches } = makeFixture(end)
    for (const path of pathsOf(disk, "msgs")) {
      const { length } = disk.readFile(path)!
      for (let size = 0; size < length; size++) {
        const damaged = disk.crash("kill")
        damaged.cut(path, size)
        const { served } = serve(damaged)
        assert.ok(isSubsequence(served, ready), `${path} cut to ${size}`)
        assertWholeBatches(served, ready, batches)
        assert.deepEqual(checkStore(damaged, STORE_DIRECTORY).problems, [])
      }
    }
  })

  test(`a changed byte in a segment costs at most its batch, after ${end}`, () => {
    const { disk, ready, batches } = makeFixture(end)
    for (const path of pathsOf(disk, "msgs")) {
      const { length } = disk.readFile(path)!
      for (let offset = 0; offset < length; offset++) {
        const damaged = disk.crash("kill")
        damaged.flip(path, offset, offset % 2 === 0 ? 0xff : 0x01)
        const { served } = serve(damaged)
        assert.ok(isSubsequence(served, ready), `${path} at ${offset}`)
        assertWholeBatches(served, ready, batches)
        const missing = batches.filter((batch) =>
          batch.some((body) => ready.includes(body) && !served.includes(body)),
        )
        assert.ok(missing.length <= 1, `${path} at ${offset}: ${missing.length} batches missing`)
        const report = checkStore(damaged, STORE_DIRECTORY)
        assert.deepEqual(report.problems, [])
        if (missing.length > 0) assert.ok(report.corruptFileCount > 0, "the damage was set aside")
      }
    }
  })

  test(`a damaged ack file never hides a message, after ${end}`, () => {
    const { disk, ready, all } = makeFixture(end)
    for (const path of pathsOf(disk, "acks")) {
      const { length } = disk.readFile(path)!
      assert.ok(length > 0)
      for (let offset = 0; offset < length; offset++) {
        const flipped = disk.crash("kill")
        flipped.flip(path, offset, 0x10)
        const cut = disk.crash("kill")
        cut.cut(path, offset)
        for (const damaged of [flipped, cut]) {
          const { served } = serve(damaged)
          assert.ok(isSubsequence(ready, served), `${path} at ${offset}`)
          assert.ok(isSubsequence(served, all))
        }
      }
    }
  })

  test(`a damaged meta file changes nothing, after ${end}`, () => {
    const { disk, ready } = makeFixture(end)
    for (const path of pathsOf(disk, "meta")) {
      const { length } = disk.readFile(path)!
      for (let offset = 0; offset < length; offset++) {
        const damaged = disk.crash("kill")
        damaged.flip(path, offset)
        assert.deepEqual(serve(damaged).served, ready)
        assert.deepEqual(checkStore(damaged, STORE_DIRECTORY).problems, [])
      }
    }
  })
}

/** Of every batch, all that is ready is served, or nothing. */
function assertWholeBatches(served: string[], ready: string[], batches: string[][]): void {
  const isServed = new Set(served)
  for (const batch of batches) {
    const expected = batch.filter((body) => ready.includes(body))
    const found = expected.filter((body) => isServed.has(body))
    assert.ok(found.length === 0 || found.length === expected.length, "part of a batch was served")
  }
}

test("zeros behind the end, as power loss leaves them, are cut off without a trace", () => {
  const { disk, ready } = makeFixture("kill")
  const path = pathsOf(disk, "msgs").at(-1)!
  disk.writeFile(path, Buffer.concat([disk.readFile(path)!, Buffer.alloc(4096)]))
  assert.deepEqual(serve(disk).served, ready)
  assert.equal(checkStore(disk, STORE_DIRECTORY).corruptFileCount, 0)
})

test("garbage behind the end is set aside", () => {
  const { disk, ready } = makeFixture("kill")
  const path = pathsOf(disk, "msgs").at(-1)!
  disk.writeFile(path, Buffer.concat([disk.readFile(path)!, Buffer.alloc(100, 0x55)]))
  const { served, bed } = serve(disk)
  assert.deepEqual(served, ready)
  assert.equal(checkStore(disk, STORE_DIRECTORY).corruptFileCount, 1)
  assert.ok(bed.log.some((entry) => entry.level === "warn" && entry.text.includes("cut off")))
})

test("a body that looks like the end of a batch is served as what it is", () => {
  const disk = new FaultyDisk()
  const bed = new StoreBed(disk)
  const store = bed.store()
  const trailer = Buffer.from("10000080080000000100000000000000", "hex")
  const hole = Buffer.from("080000c000000000", "hex")
  const bodies = [trailer, hole, Buffer.concat([hole, trailer, trailer])]
  for (const body of bodies) assert.ok(bed.append(store, body))
  bed.turn()
  store.close()
  const again = new StoreBed(disk)
  const reopened = again.open()
  assert.deepEqual(
    again.drain(reopened.store),
    bodies.map((body) => body.toString("latin1")),
  )
})

test("acks of messages that power loss took do not settle those that come in their place", () => {
  const { disk } = makeFixture("kill")
  const bed = new StoreBed(disk, OPTIONS)
  const { store } = bed.open()
  assert.ok(bed.append(store, "lost"))
  const bodies = bed.drain(store)
  assert.equal(bodies.at(-1), "lost")
  // Written with its ack by another message of the batch that is not settled.
  assert.ok(bed.append(store, "settled and lost"))
  assert.ok(bed.append(store, "lost, too"))
  const path = `${STORE_DIRECTORY}/msgs.`
  const before = disk.crash("kill")
  const [size, last] = lastSegment(before, path)
  ack(store, bed.take(store)!)
  bed.turn()
  const [, lastNow] = lastSegment(disk, path)
  assert.equal(lastNow, last)
  const after = disk.crash("kill")
  after.cut(last, size)
  const next = new StoreBed(after, OPTIONS)
  const opened = next.open()
  for (let i = 0; i < 10; i++) assert.ok(next.append(opened.store, `new ${i}`))
  next.turn()
  opened.store.close()
  const final = new StoreBed(after, OPTIONS)
  const { store: finalStore } = final.open()
  const served = final.drain(finalStore)
  for (let i = 0; i < 10; i++) assert.ok(served.includes(`new ${i}`), `new ${i} is served`)
})

function lastSegment(disk: FaultyDisk, prefix: string): [size: number, path: string] {
  const path = disk.paths(STORE_DIRECTORY).findLast((name) => name.startsWith(prefix))!
  return [disk.readFile(path)!.length, path]
}
