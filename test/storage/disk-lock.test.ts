/** The lock file: who holds it, and when a dead holder is replaced. */
import assert from "node:assert/strict"
import { spawnSync } from "node:child_process"
import { existsSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, test } from "node:test"
import { StorageError } from "../../src/storage/disk.ts"
import { takeLock, type LockFiles } from "../../src/storage/lock-file.ts"
import { NodeDisk } from "../../src/storage/node-disk.ts"

const root = mkdtempSync(join(tmpdir(), "sluice-test-"))
after(() => new NodeDisk().removeTree(root))
const disk = new NodeDisk()
let count = 0

function lockPath(): string {
  const directory = join(root, String(++count))
  disk.makeDirectory(directory)
  return join(directory, ".lock")
}

function endedPid(): number {
  return spawnSync("true").pid
}

/** The file of this process with some lines replaced. */
function lockContent(path: string, replaced: Readonly<Record<number, string>>): string {
  disk.lock(path)
  const lines = readFileSync(path, "utf8").split("\n")
  for (const [line, text] of Object.entries(replaced)) lines[Number(line)] = text
  return lines.join("\n")
}

test("the holder stands in the file, which is gone after the release", () => {
  const path = lockPath()
  const release = disk.lock(path)
  assert.match(
    readFileSync(path, "utf8"),
    new RegExp(`^${String(process.pid)}\n\\d+\n[0-9a-f-]+\n`),
  )
  assert.deepEqual(readdirSync(join(path, "..")), [".lock"])
  release()
  assert.equal(existsSync(path), false)
})

test("a second broker in the same process is refused", () => {
  const path = lockPath()
  disk.lock(path)
  assert.throws(
    () => new NodeDisk().lock(path),
    (error) =>
      error instanceof StorageError &&
      error.code === "LOCKED" &&
      error.message.includes(String(process.pid)),
  )
})

test("another process is refused while the holder runs, and takes over when it was killed", () => {
  const path = lockPath()
  const nodeDisk = join(import.meta.dirname, "../../src/storage/node-disk.ts")
  const program = `
    import { NodeDisk } from ${JSON.stringify(nodeDisk)}
    try { new NodeDisk().lock(${JSON.stringify(path)}); console.log("locked") } catch (error) { console.log(error.code) }
    process.kill(process.pid, "SIGKILL")`
  const run = (): string =>
    spawnSync(process.execPath, ["--input-type=module", "-e", program], {
      encoding: "utf8",
    }).stdout.trim()
  const release = disk.lock(path)
  assert.equal(run(), "LOCKED")
  release()
  assert.equal(run(), "locked")
  assert.equal(existsSync(path), true, "the killed one has left its file")
  assert.equal(run(), "locked", "which is no lock any more")
})

const STALE: readonly (readonly [what: string, content: (path: string) => string])[] = [
  ["of a process that is gone", (path) => lockContent(path, { 0: String(endedPid()) })],
  ["of an earlier process with a number used again", (path) => lockContent(path, { 1: "1" })],
  ["from before the machine was started again", (path) => lockContent(path, { 2: "other-boot" })],
  ["from another container", (path) => lockContent(path, { 3: "pid:[1]" })],
  ["that a crash left empty", () => ""],
  ["full of zeros", () => "\0".repeat(60)],
  ["that is garbage", () => "hello\nworld\n"],
]

for (const [what, content] of STALE)
  test(`a lock ${what} is taken over`, () => {
    const path = lockPath()
    writeFileSync(path, content(path))
    const release = disk.lock(path)
    assert.match(readFileSync(path, "utf8"), new RegExp(`^${String(process.pid)}\n`))
    assert.deepEqual(readdirSync(join(path, "..")), [".lock"])
    release()
  })

test("without /proc, a running process of that number counts as the holder", () => {
  const path = lockPath()
  writeFileSync(path, `${String(process.pid)}\n\n\n\n`)
  assert.throws(() => disk.lock(path), StorageError)
})

test("a release does not delete the lock of somebody else", () => {
  const path = lockPath()
  const release = disk.lock(path)
  writeFileSync(path, "other")
  release()
  assert.equal(readFileSync(path, "utf8"), "other")
})

test("a directory that cannot be written is named with the reason", () => {
  const path = join(root, "absent", ".lock")
  assert.throws(
    () => disk.lock(path),
    (error) =>
      error instanceof StorageError && error.code === "ENOENT" && error.message.includes(path),
  )
})

/** Files in memory, to get in between two steps of the lock. */
class FakeFiles implements LockFiles {
  readonly files = new Map<string, string>()
  hasLinks = true
  onRename: () => void = () => {}

  read(path: string): string | null {
    return this.files.get(path) ?? null
  }
  readLink(): null {
    return null
  }
  write(path: string, content: string): void {
    this.files.set(path, content)
  }
  writeExclusive(path: string, content: string): boolean {
    if (this.files.has(path)) return false
    this.files.set(path, content)
    return true
  }
  link(from: string, to: string): "done" | "exists" | "unsupported" {
    if (!this.hasLinks) return "unsupported"
    return this.writeExclusive(to, this.files.get(from)!) ? "done" : "exists"
  }
  rename(from: string, to: string): boolean {
    this.onRename()
    const content = this.files.get(from)
    if (content === undefined) return false
    this.files.delete(from)
    this.files.set(to, content)
    return true
  }
  remove(path: string): void {
    this.files.delete(path)
  }
}

/** As /proc shows the parent process, started at tick 4711, in this state. */
function statOfParent(state: string): string {
  return `${String(process.ppid)} (a (b) c) ${state}${" 0".repeat(18)} 4711 0 0`
}

test("a killed process that nobody has waited for holds nothing", () => {
  const files = new FakeFiles()
  const held = `${String(process.ppid)}\n4711\n\n\n`
  files.files.set(`/proc/${String(process.ppid)}/stat`, statOfParent("S"))
  files.files.set("/lock", held)
  assert.throws(() => takeLock(files, "/lock"), StorageError)
  files.files.set(`/proc/${String(process.ppid)}/stat`, statOfParent("Z"))
  takeLock(files, "/lock")()
  assert.equal(files.files.has("/lock"), false)
})

test("works without hard links", () => {
  const files = new FakeFiles()
  files.hasLinks = false
  const release = takeLock(files, "/lock")
  assert.throws(() => takeLock(files, "/lock"), StorageError)
  release()
  assert.equal(files.files.size, 0)
})

test("of two that see the same dead holder only one gets the lock", () => {
  const files = new FakeFiles()
  files.write("/lock", `${String(endedPid())}\n\n\n\n`)
  const faster = `${String(process.ppid)}\n\n\n\n`
  files.onRename = () => {
    files.onRename = () => {}
    files.write("/lock", faster)
  }
  assert.throws(() => takeLock(files, "/lock"), /held by process/)
  assert.deepEqual([...files.files], [["/lock", faster]])
})
