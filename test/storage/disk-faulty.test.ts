/** The faulty disk itself: a test that relies on it must not pass because it forgets to fail. */
import assert from "node:assert/strict"
import { test } from "node:test"
import { DEAD, FaultyDisk } from "../support/faulty-disk.ts"

const SEEDS = Array.from({ length: 60 }, (_, seed) => seed)

function write(disk: FaultyDisk, fd: number, text: string, position: number): void {
  disk.write(fd, Buffer.from(text), 0, text.length, position)
}

function sync(disk: FaultyDisk, fd: number): Promise<Error | null> {
  return new Promise((resolve) => disk.sync(fd, resolve))
}

function syncDirectory(disk: FaultyDisk, path: string): Promise<Error | null> {
  return new Promise((resolve) => disk.syncDirectory(path, resolve))
}

/** A directory that is on the medium. */
async function setUp(): Promise<FaultyDisk> {
  const disk = new FaultyDisk()
  disk.makeDirectory("/d")
  await syncDirectory(disk, "/")
  return disk
}

/** The different contents that power failures leave, null for no file. */
function survivors(disk: FaultyDisk, path: string): Set<string | null> {
  return new Set(
    SEEDS.map((seed) => disk.crash("power", seed).readFile(path)?.toString("latin1") ?? null),
  )
}

test("a power failure keeps what was synced and any part of the rest", async () => {
  const disk = await setUp()
  const fd = disk.open("/d/a", true)
  write(disk, fd, "synced", 0)
  await sync(disk, fd)
  await syncDirectory(disk, "/d")
  assert.deepEqual(survivors(disk, "/d/a"), new Set(["synced"]))
  write(disk, fd, "X", 0)
  write(disk, fd, "Y", 6)
  assert.deepEqual(survivors(disk, "/d/a"), new Set(["synced", "Xynced", "syncedY", "XyncedY"]))
  await sync(disk, fd)
  assert.deepEqual(survivors(disk, "/d/a"), new Set(["XyncedY"]))
})

test("a power failure tears a long write between sectors, and leaves zeros where it skips", async () => {
  const disk = await setUp()
  const fd = disk.open("/d/a", true)
  await syncDirectory(disk, "/d")
  write(disk, fd, "a".repeat(100) + "b".repeat(512) + "c".repeat(100), 412)
  const contents = survivors(disk, "/d/a")
  assert.ok(contents.has(`${"\0".repeat(412)}${"a".repeat(100)}`))
  assert.ok(contents.has(`${"\0".repeat(1024)}${"c".repeat(100)}`))
  assert.ok(contents.has(""))
})

test("without a sync of the directory a power failure may lose a name, a rename or a deletion", async () => {
  const disk = await setUp()
  const fd = disk.open("/d/a", true)
  write(disk, fd, "a", 0)
  await sync(disk, fd)
  assert.deepEqual(survivors(disk, "/d/a"), new Set(["a", null]))
  await syncDirectory(disk, "/d")
  disk.rename("/d/a", "/d/b")
  for (const seed of SEEDS) assert.equal(disk.crash("power", seed).paths().length, 1)
  assert.deepEqual(survivors(disk, "/d/b"), new Set(["a", null]))
  await syncDirectory(disk, "/d")
  disk.remove("/d/b")
  assert.deepEqual(survivors(disk, "/d/b"), new Set(["a", null]))
  await syncDirectory(disk, "/d")
  assert.deepEqual(survivors(disk, "/d/b"), new Set([null]))
})

test("a sync covers what was written before it began", async () => {
  const disk = await setUp()
  const fd = disk.open("/d/a", true)
  await syncDirectory(disk, "/d")
  disk.holdSyncs = true
  write(disk, fd, "1", 0)
  const ended = sync(disk, fd)
  write(disk, fd, "2", 1)
  assert.ok(survivors(disk, "/d/a").has(""), "it has not ended yet")
  disk.releaseSyncs()
  await ended
  assert.deepEqual(survivors(disk, "/d/a"), new Set(["1", "12"]))
})

test("after a failed sync no later one makes good what it covered", async () => {
  const disk = await setUp()
  const fd = disk.open("/d/a", true)
  await syncDirectory(disk, "/d")
  write(disk, fd, "1", 0)
  disk.failCall("sync", 1, "EIO")
  assert.match(String(await sync(disk, fd)), /EIO/)
  write(disk, fd, "2", 1)
  assert.equal(await sync(disk, fd), null)
  assert.deepEqual(survivors(disk, "/d/a"), new Set(["12", "\x002"]))
})

test("kill -9 keeps everything that was written, synced or not", async () => {
  const disk = await setUp()
  write(disk, disk.open("/d/a", true), "content", 0)
  const after = disk.crash("kill")
  write(disk, 0, "changed", 0)
  assert.equal(after.readFile("/d/a")?.toString(), "content")
  assert.equal(after.openCount, 0)
})

test("a killed process reaches nothing any more, and its syncs in flight end unheard", async () => {
  const disk = await setUp()
  const fd = disk.open("/d/a", true)
  await syncDirectory(disk, "/d")
  disk.holdSyncs = true
  let heardCount = 0
  const hear = (): void => void heardCount++
  write(disk, fd, "1", 0)
  disk.sync(fd, hear)
  write(disk, fd, "2", 1)
  disk.failCall("sync", 1, "EIO")
  disk.sync(fd, hear)
  write(disk, fd, "3", 2)
  disk.failCall("sync", 2, "EIO")
  const next = disk.killProcess()
  assert.equal(next.openCount, 0)
  assert.equal(next.readFile("/d/a")?.toString(), "123", "what was written can be read")
  assert.throws(() => write(disk, fd, "x", 0), new RegExp(DEAD))
  disk.sync(fd, hear)
  disk.releaseSyncs()
  await Promise.resolve()
  assert.equal(heardCount, 0)
  next.holdSyncs = false
  assert.equal(await sync(next, next.open("/d/a", false)), null)
  assert.deepEqual(survivors(next, "/d/a"), new Set(["123", "1\x003"]), "the second one failed")
  assert.match(String(await sync(next, 0)), /EIO/, "faults are still to come")
})

test("dieAt tears a write and lets nothing happen after it", async () => {
  const disk = await setUp()
  const fd = disk.open("/d/a", true)
  let isEnded = false
  disk.sync(fd, () => {
    isEnded = true
  })
  disk.dieAt("write", 2, 3)
  write(disk, fd, "first", 0)
  assert.throws(() => write(disk, fd, "second", 5), new RegExp(DEAD))
  assert.throws(() => disk.readFile("/d/a"), new RegExp(DEAD))
  await Promise.resolve()
  assert.equal(isEnded, false)
  assert.equal(disk.crash("kill").readFile("/d/a")?.toString(), "firstsec")
})

test("the n-th call fails, once or until it is healed", async () => {
  const disk = await setUp()
  disk.failCall("list", 2, "EIO")
  disk.list("/d")
  assert.throws(() => disk.list("/d"), /EIO/)
  disk.list("/d")
  disk.failCall("list", 1, "EIO", { repeat: true })
  assert.throws(() => disk.list("/d"), /EIO/)
  assert.throws(() => disk.list("/d"), /EIO/)
  disk.heal()
  disk.list("/d")
})

test("a full disk takes what fits", async () => {
  const disk = await setUp()
  const fd = disk.open("/d/a", true)
  disk.capacityBytes = 8
  write(disk, fd, "12345", 0)
  assert.throws(() => write(disk, fd, "67890", 5), /ENOSPC/)
  assert.equal(disk.readFile("/d/a")?.toString(), "12345678")
  write(disk, fd, "x", 0)
  disk.heal()
  write(disk, fd, "67890", 5)
  assert.equal(disk.usedBytes, 10)
})

test("damage to a file is seen by who has it open, and survives a power failure", async () => {
  const disk = await setUp()
  disk.writeFile("/d/sub/a", "abc")
  const fd = disk.open("/d/sub/a", false)
  disk.flip("/d/sub/a", 1, 1)
  disk.cut("/d/sub/a", 2)
  const target = Buffer.alloc(3)
  assert.equal(disk.read(fd, target, 0, 3, 0), 2)
  assert.equal(target.toString("latin1", 0, 2), "ac")
  assert.deepEqual(survivors(disk, "/d/sub/a"), new Set(["ac"]))
})
