/** Where the records of changes are kept: files, rotation, and a disk that refuses. */
import assert from "node:assert/strict"
import { test } from "node:test"
import { AuditLog } from "../../../src/server/audit-log.ts"
import type { Disk } from "../../../src/storage/disk.ts"
import { MemoryDisk } from "../../../src/storage/memory-disk.ts"
import { ManualClock } from "../../../src/util/clock.ts"
import type { Logger } from "../../../src/util/logger.ts"

const DIRECTORY = "/data"
const PATH = "/data/audit.log"

interface Bed {
  readonly audit: AuditLog
  readonly clock: ManualClock
  readonly logged: string[]
}

function open(disk: Disk, options: { maxBytes?: number; path?: string | null } = {}): Bed {
  disk.makeDirectory(DIRECTORY)
  const clock = new ManualClock()
  const logged: string[] = []
  const note = (_fields: object, text: string): void => void logged.push(text)
  const log: Logger = { debug: note, info: note, warn: note, error: note }
  const { maxBytes = 10 << 20, path = PATH } = options
  const audit = new AuditLog({ disk, path, clock, log, maxBytes, fileCount: 3 })
  return { audit, clock, logged }
}

function record(audit: AuditLog, object: string): void {
  audit.record({ user: "u", peer: "p", action: "PUT /x", object, status: 204 })
}

/** As the API reads them: what does not go down in its id was seen. */
function objects(audit: AuditLog): string[] {
  const found: string[] = []
  let last = Infinity
  for (const text of audit.newestFirst()) {
    const { id, object } = JSON.parse(text)
    if (id >= last) continue
    last = id
    found.push(object)
  }
  return found
}

test("records are lines of JSON in a file, and are there after a restart", () => {
  const disk = new MemoryDisk()
  const before = open(disk)
  for (const object of ["a", "b", "c"]) record(before.audit, object)
  assert.deepEqual(objects(before.audit), ["c", "b", "a"])
  // No close: the process was killed.
  const lines = disk.readFile(PATH)!.toString().trimEnd().split("\n")
  assert.deepEqual(JSON.parse(lines[0]!), {
    id: before.clock.nowMs,
    time: new Date(before.clock.nowMs).toISOString(),
    user: "u",
    peer: "p",
    action: "PUT /x",
    object: "a",
    status: 204,
  })
  const after = open(disk)
  assert.deepEqual(objects(after.audit), ["c", "b", "a"])
  record(after.audit, "d")
  assert.deepEqual(objects(after.audit), ["d", "c", "b", "a"])
})

test("a torn line is left behind and hides nothing", () => {
  const disk = new MemoryDisk()
  const before = open(disk)
  record(before.audit, "a")
  const fd = disk.open(PATH, false)
  disk.write(fd, Buffer.from('{"id":17,"obj'), 0, 13, disk.size(fd))
  disk.close(fd)
  const { audit } = open(disk)
  record(audit, "b")
  const texts = [...audit.newestFirst()]
  assert.equal(texts.filter((text) => text === '{"id":17,"obj').length, 1)
  const lines = disk.readFile(PATH)!.toString().trimEnd().split("\n")
  assert.equal(lines.length, 3)
})

test("files are rotated, the oldest goes, and reading crosses them", () => {
  const disk = new MemoryDisk()
  const { audit } = open(disk, { maxBytes: 100_000 })
  const count = 5000
  for (let i = 0; i < count; i++) record(audit, `object ${String(i)}`)
  assert.deepEqual(disk.list(DIRECTORY).toSorted(), ["audit.log", "audit.log.1", "audit.log.2"])
  for (const name of disk.list(DIRECTORY))
    assert.ok(disk.readFile(`${DIRECTORY}/${name}`)!.length <= 100_000)
  const found = objects(audit)
  assert.ok(found.length > 1500, `${String(found.length)} records`)
  assert.deepEqual(
    found,
    Array.from({ length: found.length }, (_, i) => `object ${String(count - 1 - i)}`),
  )
})

test("without a path nothing is written, and the latest are known", () => {
  const disk = new MemoryDisk()
  const { audit } = open(disk, { path: null })
  for (let i = 0; i < 2000; i++) record(audit, String(i))
  assert.deepEqual(disk.list(DIRECTORY), [])
  assert.equal(objects(audit).length, 1024)
  assert.equal(objects(audit)[0], "1999")
})

test("a disk that refuses is reported once, and written to again when it can be", () => {
  const disk = new MemoryDisk({ capacityBytes: 10_000 })
  const { audit, logged } = open(disk)
  for (let i = 0; i < 200; i++) record(audit, String(i))
  assert.deepEqual(logged, ["the audit log cannot be written: changes are recorded in memory only"])
  assert.equal(objects(audit).length, 200)
  disk.capacityBytes = 2 ** 40
  record(audit, "room")
  record(audit, "again")
  assert.equal(logged.at(-1), "the audit log is written again")
  assert.equal(logged.length, 2)
  const lines = disk.readFile(PATH)!.toString().trimEnd().split("\n")
  assert.equal(JSON.parse(lines.at(-1)!).object, "again")
})

test("turned off it writes no file; turned on it does", () => {
  const disk = new MemoryDisk()
  const { audit } = open(disk)
  audit.isWriting = false
  record(audit, "a")
  assert.deepEqual(disk.list(DIRECTORY), [])
  audit.isWriting = true
  record(audit, "b")
  assert.equal(disk.readFile(PATH)!.toString().trimEnd().split("\n").length, 1)
})
