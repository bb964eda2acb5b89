/** The table of open files: its limit, and files that must not be closed. */
import assert from "node:assert/strict"
import { test } from "node:test"
import { OpenFiles } from "../../src/storage/open-files.ts"
import { FaultyDisk } from "../support/faulty-disk.ts"

function setUp(limit: number): { readonly disk: FaultyDisk; readonly files: OpenFiles } {
  const disk = new FaultyDisk()
  disk.makeDirectory("/d")
  return { disk, files: new OpenFiles(disk, limit) }
}

test("a file is opened once and closed when it was not used for the longest time", () => {
  const { disk, files } = setUp(3)
  for (const name of ["a", "b", "c"]) files.acquire(`/d/${name}`, true)
  files.acquire("/d/a", true)
  files.acquire("/d/d", true) // b goes
  assert.equal(disk.openCount, 3)
  assert.equal(disk.calls.open, 4)
  for (const name of ["a", "c", "d"]) files.acquire(`/d/${name}`, false)
  assert.equal(disk.calls.open, 4)
  files.acquire("/d/b", false) // a goes
  files.acquire("/d/a", false)
  assert.equal(disk.calls.open, 6)
})

test("many files in turn never exceed the limit", () => {
  const { disk, files } = setUp(10)
  for (let i = 0; i < 500; i++) {
    files.acquire(`/d/${String((i * 7) % 50)}`, true)
    assert.ok(disk.openCount <= 10)
    assert.equal(files.count, disk.openCount)
  }
})

test("an absent file is an error without create", () => {
  const { files } = setUp(3)
  assert.throws(() => files.acquire("/d/a", false), /ENOENT/)
  assert.throws(() => files.pin("/d/a"), /ENOENT/)
  assert.equal(files.count, 0)
})

test("a pinned file is not closed by the limit", () => {
  const { disk, files } = setUp(2)
  files.acquire("/d/a", true)
  const pinned = files.pin("/d/a")
  for (const name of ["b", "c", "d"]) files.acquire(`/d/${name}`, true)
  disk.size(pinned.fd)
  assert.equal(disk.openCount, 2)
  files.unpin(pinned)
  assert.equal(disk.openCount, 2, "it stays in the table")
  files.acquire("/d/b", true)
  files.acquire("/d/c", true)
  assert.equal(disk.openCount, 2)
})

test("with everything pinned the limit gives way", () => {
  const { disk, files } = setUp(1)
  files.acquire("/d/a", true)
  const a = files.pin("/d/a")
  files.acquire("/d/b", true)
  const b = files.pin("/d/b")
  assert.equal(disk.openCount, 2)
  files.unpin(a)
  files.unpin(b)
  files.acquire("/d/c", true)
  assert.equal(disk.openCount, 1)
})

test("a forgotten file is closed at once, a pinned one when its sync has ended", () => {
  const { disk, files } = setUp(4)
  files.acquire("/d/a", true)
  files.forget("/d/a")
  assert.equal(disk.openCount, 0)
  files.forget("/d/a")
  files.acquire("/d/b", true)
  const first = files.pin("/d/b")
  const second = files.pin("/d/b")
  files.forget("/d/b")
  files.unpin(first)
  disk.size(second.fd)
  files.unpin(second)
  assert.equal(disk.openCount, 0)
})

test("a new file under a forgotten name is another file", () => {
  const { disk, files } = setUp(4)
  files.acquire("/d/a", true)
  const old = files.pin("/d/a")
  files.forget("/d/a")
  disk.remove("/d/a")
  const fd = files.acquire("/d/a", true)
  assert.notEqual(fd, old.fd)
  files.unpin(old)
  disk.size(fd)
  assert.equal(disk.openCount, 1)
})

test("closeAll leaves only what is pinned, until it is unpinned", () => {
  const { disk, files } = setUp(4)
  for (const name of ["a", "b", "c"]) files.acquire(`/d/${name}`, true)
  const pinned = files.pin("/d/b")
  files.closeAll()
  assert.equal(disk.openCount, 1)
  files.unpin(pinned)
  assert.equal(disk.openCount, 0)
})

test("when the process may open no more files, older ones are closed for the new one", () => {
  const { disk, files } = setUp(100)
  for (let i = 0; i < 10; i++) files.acquire(`/d/${String(i)}`, true)
  disk.failCall("open", 1, "EMFILE")
  disk.size(files.acquire("/d/new", true))
  assert.equal(disk.openCount, 6)
})

test("when nothing can be closed for it, the error is passed on", () => {
  const { disk, files } = setUp(100)
  disk.failCall("open", 1, "EMFILE", { repeat: true })
  assert.throws(() => files.acquire("/d/a", true), /EMFILE/)
})
