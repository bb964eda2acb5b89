/** What every disk must do alike: the real one, the one in memory, and the faulty one of the tests. */
import assert from "node:assert/strict"
import { mkdtempSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, describe, test } from "node:test"
import type { Disk } from "../../src/storage/disk.ts"
import { StorageError } from "../../src/storage/disk.ts"
import { MemoryDisk } from "../../src/storage/memory-disk.ts"
import { NodeDisk } from "../../src/storage/node-disk.ts"
import { FaultyDisk } from "../support/faulty-disk.ts"
import { createRandom } from "../support/seed.ts"

const realRoot = mkdtempSync(join(tmpdir(), "sluice-test-"))
after(() => new NodeDisk().removeTree(realRoot))

const DISKS: readonly (readonly [name: string, root: string, create: () => Disk])[] = [
  ["NodeDisk", realRoot, () => new NodeDisk()],
  ["MemoryDisk", "/memory", () => new MemoryDisk()],
  ["FaultyDisk", "/faulty", () => new FaultyDisk()],
]

function hasCode(code: string): (error: unknown) => boolean {
  return (error) => error instanceof StorageError && error.code === code
}

function put(disk: Disk, path: string, text: string): void {
  const fd = disk.open(path, true)
  disk.write(fd, Buffer.from(text), 0, text.length, 0)
  disk.close(fd)
}

for (const [name, root, create] of DISKS)
  describe(name, () => {
    let count = 0
    const setUp = (): { readonly disk: Disk; readonly directory: string } => {
      const disk = create()
      const directory = join(root, String(++count), "deep")
      disk.makeDirectory(directory)
      return { disk, directory }
    }

    test("reads what was written, at any position", () => {
      const { disk, directory } = setUp()
      const fd = disk.open(join(directory, "a"), true)
      const source = createRandom(1).bytes(200_000)
      disk.write(fd, source, 0, source.length, 0)
      disk.write(fd, source, 10, 100, 65_500)
      source.copy(source, 65_500, 10, 110)
      assert.equal(disk.size(fd), 200_000)
      const target = Buffer.alloc(200_000)
      assert.equal(disk.read(fd, target, 0, 200_000, 0), 200_000)
      assert.deepEqual(target, source)
      assert.equal(
        disk.read(fd, target, 5, 100, 199_990),
        10,
        "the end of the file cuts a read short",
      )
      assert.equal(disk.read(fd, target, 0, 100, 300_000), 0, "behind the end there is nothing")
      disk.close(fd)
      assert.deepEqual(disk.readFile(join(directory, "a")), source)
    })

    test("fills a gap with zeros, also where the file was longer before", () => {
      const { disk, directory } = setUp()
      const path = join(directory, "a")
      put(disk, path, "x".repeat(100))
      const fd = disk.open(path, false)
      disk.truncate(fd, 10)
      disk.write(fd, Buffer.from("end"), 0, 3, 20)
      disk.truncate(fd, 70_000)
      disk.close(fd)
      const expected = Buffer.alloc(70_000)
      expected.write("x".repeat(10))
      expected.write("end", 20)
      assert.deepEqual(disk.readFile(path), expected)
    })

    test("an absent file cannot be opened without create, and reads as null", () => {
      const { disk, directory } = setUp()
      const path = join(directory, "absent")
      assert.throws(() => disk.open(path, false), hasCode("ENOENT"))
      assert.throws(() => disk.open(join(directory, "no", "where"), true), hasCode("ENOENT"))
      assert.equal(disk.readFile(path), null)
      disk.remove(path)
      disk.removeTree(path)
      assert.deepEqual(disk.list(path), [])
    })

    test("an error names the file", () => {
      const { disk, directory } = setUp()
      const path = join(directory, "absent")
      assert.throws(
        () => disk.open(path, false),
        (error) =>
          error instanceof StorageError && error.path === path && error.message.includes(path),
      )
    })

    test("an open file lives on when its name is gone or means another file", () => {
      const { disk, directory } = setUp()
      const path = join(directory, "a")
      put(disk, path, "old")
      const fd = disk.open(path, false)
      disk.remove(path)
      put(disk, path, "new file")
      const target = Buffer.alloc(10)
      assert.equal(disk.read(fd, target, 0, 10, 0), 3)
      assert.equal(target.toString("latin1", 0, 3), "old")
      disk.close(fd)
      assert.equal(disk.readFile(path)?.toString(), "new file")
    })

    test("rename replaces a file and moves a directory with all in it", () => {
      const { disk, directory } = setUp()
      put(disk, join(directory, "a"), "a")
      put(disk, join(directory, "b"), "b")
      disk.rename(join(directory, "a"), join(directory, "b"))
      assert.deepEqual(disk.list(directory), ["b"])
      assert.equal(disk.readFile(join(directory, "b"))?.toString(), "a")
      disk.rename(directory, `${directory}.moved`)
      assert.deepEqual(disk.list(directory), [])
      assert.equal(disk.readFile(join(`${directory}.moved`, "b"))?.toString(), "a")
      assert.throws(
        () => disk.rename(join(directory, "x"), join(directory, "y")),
        hasCode("ENOENT"),
      )
    })

    test("removeTree deletes a directory with all in it", () => {
      const { disk, directory } = setUp()
      disk.makeDirectory(join(directory, "sub", "sub"))
      put(disk, join(directory, "sub", ".queue"), "q")
      put(disk, join(directory, "sub", "sub", "msgs"), "m")
      disk.removeTree(join(directory, "sub"))
      assert.deepEqual(disk.list(directory), [])
      assert.throws(() => disk.open(join(directory, "sub", "x"), true), hasCode("ENOENT"))
    })

    test("a directory in the way of a file, and a file in the way of a directory, are errors", () => {
      const { disk, directory } = setUp()
      assert.throws(() => disk.open(directory, true), hasCode("EISDIR"))
      assert.throws(() => disk.readFile(directory), hasCode("EISDIR"))
      put(disk, join(directory, "file"), "")
      assert.throws(() => disk.makeDirectory(join(directory, "file")), hasCode("EEXIST"))
    })

    test("a sync ends later, not within the call, and without an error", async () => {
      const { disk, directory } = setUp()
      const fd = disk.open(join(directory, "a"), true)
      let isEnded = false
      const file = new Promise((resolve) => disk.sync(fd, resolve)).then((error) => {
        isEnded = true
        return error
      })
      assert.equal(isEnded, false)
      assert.equal(await file, null)
      assert.equal(await new Promise((resolve) => disk.syncDirectory(directory, resolve)), null)
      const gone = join(directory, "gone")
      assert.equal(await new Promise((resolve) => disk.syncDirectory(gone, resolve)), null)
      disk.close(fd)
    })

    test("a lock is exclusive until it is released", () => {
      const { disk, directory } = setUp()
      const path = join(directory, ".lock")
      const release = disk.lock(path)
      assert.throws(
        () => disk.lock(path),
        (error) => hasCode("LOCKED")(error) && /held by process \d+/.test(String(error)),
      )
      release()
      disk.lock(path)()
    })

    test("tells the free space", () => {
      const { disk, directory } = setUp()
      assert.ok(disk.freeBytes(directory) > 0)
    })
  })
