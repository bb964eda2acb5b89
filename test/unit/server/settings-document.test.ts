import assert from "node:assert/strict"
import { test } from "node:test"
import { SettingsDocument } from "../../../src/server/settings-document.ts"
import { StorageError } from "../../../src/storage/disk.ts"
import { MemoryDisk } from "../../../src/storage/memory-disk.ts"
import { silentLogger } from "../../../src/util/logger.ts"
import { FaultyDisk } from "../../support/faulty-disk.ts"

const PATH = "/data/policies.json"

function write(disk: FaultyDisk | MemoryDisk, content: string): void {
  disk.makeDirectory("/data")
  const fd = disk.open(PATH, true)
  const bytes = Buffer.from(content)
  disk.write(fd, bytes, 0, bytes.length, 0)
  disk.close(fd)
}

test("a document of the right shape is read, an absent one is null", () => {
  const disk = new MemoryDisk()
  disk.makeDirectory("/data")
  const document = new SettingsDocument(disk, PATH, "list", silentLogger)
  assert.equal(document.load(), null)
  write(disk, "[1]")
  assert.deepEqual(document.load(), [1])
})

test("a damaged document is set aside and reads as absent", async () => {
  for (const content of ["", "[1", '{"a":1}', "5", "null garbage"]) {
    const disk = new MemoryDisk()
    write(disk, content)
    const document = new SettingsDocument(disk, PATH, "list", silentLogger)
    assert.equal(document.load(), null)
    assert.equal(disk.readFile(`${PATH}.corrupt`)?.toString(), content)
    assert.equal(disk.readFile(PATH), null)
    await document.save([2])
    assert.deepEqual(document.load(), [2])
  }
})

test("one that cannot be read stops the start instead of being replaced", () => {
  const disk = new FaultyDisk()
  write(disk, "[1]")
  disk.failCall("readFile", 1, "EIO")
  const document = new SettingsDocument(disk, PATH, "list", silentLogger)
  assert.throws(() => document.load(), StorageError)
  assert.deepEqual(document.load(), [1])
})

test("whatever fails while it is saved, the old or the new value is there", async () => {
  for (const call of ["open", "write", "truncate", "sync", "rename", "syncDirectory"] as const) {
    const disk = new FaultyDisk()
    write(disk, "[1]")
    const document = new SettingsDocument(disk, PATH, "list", silentLogger)
    disk.failCall(call, 1, "ENOSPC", { partialBytes: 1 })
    await assert.rejects(document.save([2]))
    assert.deepEqual(document.load(), call === "syncDirectory" ? [2] : [1])
    await document.save([3])
    assert.deepEqual(document.load(), [3])
  }
})

test("after a power failure the old or the new value is there", async () => {
  for (let seed = 0; seed < 20; seed++) {
    const disk = new FaultyDisk()
    const document = new SettingsDocument(disk, PATH, "list", silentLogger)
    disk.makeDirectory("/data")
    await new Promise((done) => disk.syncDirectory("/", done))
    await document.save([1])
    void document.save([2]).catch(() => {})
    const survivor = disk.crash("power", seed)
    const value = new SettingsDocument(survivor, PATH, "list", silentLogger).load()
    assert.ok(JSON.stringify(value) === "[1]" || JSON.stringify(value) === "[2]")
  }
})
