/** The data directory: who may use it, what lies where, and what is cleaned up at a start. */
import assert from "node:assert/strict"
import { describe, test } from "node:test"
import {
  makeVhostDirectory,
  openDataDirectory as openIn,
  queueDirectory,
  removeStaleQueueDirectories,
  vhostDirectory,
  wipeTransient,
  type DataDirectory,
} from "../../src/storage/data-directory.ts"
import { StorageError, type Disk } from "../../src/storage/disk.ts"
import { NodeDisk } from "../../src/storage/node-disk.ts"
import { FaultyDisk } from "../support/faulty-disk.ts"
import { temporaryDirectory } from "../support/temporary-directory.ts"

const DATA = "/data"

function isKnown(queueName: string): boolean {
  return queueName === "kept"
}

/** `touched` takes the directories whose entries are to be durable. */
function openDataDirectory(disk: Disk, path: string, touched: string[] = []): DataDirectory {
  return openIn(disk, path, { touchDirectory: (directory) => void touched.push(directory) })
}

/** The error is one line that names the directory. */
function says(...parts: readonly string[]): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof StorageError)
    for (const part of [DATA, ...parts]) assert.ok(error.message.includes(part), error.message)
    assert.ok(!error.message.includes("\n"))
    return true
  }
}

describe("opening", () => {
  test("makes the directory and writes the version once", () => {
    const disk = new FaultyDisk()
    openDataDirectory(disk, DATA).release()
    assert.equal(disk.readFile(`${DATA}/schema_version`)?.toString(), "1\n")
    const { write } = disk.calls
    openDataDirectory(disk, DATA).release()
    assert.equal(disk.calls.write, write)
  })

  test("the name of a new directory is made durable, and those of its parents", () => {
    const disk = new FaultyDisk()
    disk.makeDirectory("/there")
    const touched: string[] = []
    openDataDirectory(disk, "/there/a/b", touched).release()
    assert.deepEqual(touched, ["/there/a", "/there"])
    openDataDirectory(disk, "/there/a/b", touched).release()
    assert.equal(touched.length, 2, "that was done")
    disk.makeDirectory("/there/by-hand")
    openDataDirectory(disk, "/there/by-hand", touched).release()
    assert.deepEqual(touched.slice(2), ["/there"])
  })

  test("a second broker is refused until the first one has released it", () => {
    const disk = new FaultyDisk()
    const directory = openDataDirectory(disk, DATA)
    assert.throws(() => openDataDirectory(disk, DATA), says("in use by another broker", "process"))
    directory.release()
    openDataDirectory(disk, DATA).release()
  })

  test("a newer version, and a directory of another program, are refused and not locked", () => {
    for (const [content, text] of [
      ["2\n", "newer version"],
      ["\u0004\0\0\0", "another program"],
      ["hello", "another program"],
      ["0", "another program"],
    ] as const) {
      const disk = new FaultyDisk()
      disk.writeFile(`${DATA}/schema_version`, content)
      assert.throws(() => openDataDirectory(disk, DATA), says(text))
      assert.throws(() => openDataDirectory(disk, DATA), says(text))
    }
  })

  test("a version file that a crash left empty or zero is written again", () => {
    for (const content of ["", "\0\0"]) {
      const disk = new FaultyDisk()
      disk.writeFile(`${DATA}/schema_version`, content)
      openDataDirectory(disk, DATA)
      assert.equal(disk.readFile(`${DATA}/schema_version`)?.toString(), "1\n")
    }
  })

  test("a directory that cannot be made, locked, read or written is named, and not left locked", () => {
    for (const kind of ["makeDirectory", "lock", "readFile", "open", "write"] as const) {
      const disk = new FaultyDisk()
      disk.failCall(kind, 1, "EACCES")
      assert.throws(() => openDataDirectory(disk, DATA), says("EACCES"))
      openDataDirectory(disk, DATA)
    }
  })

  test("on the real disk, a file in the way is named with the reason", (context) => {
    const disk = new NodeDisk()
    const path = `${temporaryDirectory(context)}/file`
    disk.close(disk.open(path, true))
    for (const [directory, reason] of [
      [path, "exists and is not a directory"],
      [`${path}/below`, "not a directory"],
    ] as const)
      assert.throws(
        () => openDataDirectory(disk, directory),
        (error) => error instanceof StorageError && error.message.includes(reason),
      )
  })

  test("on the real disk, a broker can take it, and again after the release", (context) => {
    const disk = new NodeDisk()
    const path = `${temporaryDirectory(context)}/a/b`
    const directory = openDataDirectory(disk, path)
    assert.throws(() => openDataDirectory(disk, path), /in use by another broker/)
    directory.release()
    openDataDirectory(disk, path).release()
    assert.deepEqual(disk.list(path), ["schema_version"])
  })
})

describe("names", () => {
  test("are SHA-1 of the UTF-8 name", () => {
    assert.equal(vhostDirectory(DATA, "/"), `${DATA}/42099b4af021e53fd8fd4e056c2568d7c2e3ffa8`)
    const vhost = vhostDirectory(DATA, "/")
    const name = "1a2e0d0d1ec71e60ffa2dcd4ef8ccc5d3c1e4ad0"
    assert.match(queueDirectory(vhost, "ä/..", true), /\/[0-9a-f]{40}$/)
    assert.notEqual(queueDirectory(vhost, "ä", true), `${vhost}/${name}`)
    assert.equal(
      queueDirectory(vhost, "q", false),
      `${vhost}/transient/22ea1c649c82946aa6e479e1ffd321e4a318b1b0`,
    )
  })

  test("the vhost's own name stands in its directory", () => {
    const disk = new FaultyDisk()
    makeVhostDirectory(disk, "/data/x", "my vhost")
    assert.equal(disk.readFile("/data/x/.vhost")?.toString(), "my vhost")
    const { write } = disk.calls
    makeVhostDirectory(disk, "/data/x", "my vhost")
    assert.equal(disk.calls.write, write)
  })
})

describe("cleaning up", () => {
  const VHOST = "/data/vhost"

  function withQueues(...names: readonly string[]): FaultyDisk {
    const disk = new FaultyDisk()
    disk.writeFile(`${VHOST}/definitions.amqp`, "…")
    for (const name of names) {
      disk.writeFile(`${queueDirectory(VHOST, name, true)}/.queue`, name)
      disk.writeFile(`${queueDirectory(VHOST, name, true)}/msgs.0000000001`, "…")
    }
    return disk
  }

  test("transient queues are wiped, all else stays", () => {
    const disk = withQueues("kept")
    const before = disk.paths()
    disk.writeFile(`${queueDirectory(VHOST, "t", false)}/msgs.0000000001`, "…")
    wipeTransient(disk, VHOST)
    wipeTransient(disk, VHOST)
    assert.deepEqual(disk.paths(), before)
  })

  test("queues that are not declared are deleted", () => {
    const disk = withQueues("kept", "gone")
    const expected = withQueues("kept").paths()
    assert.deepEqual(removeStaleQueueDirectories(disk, VHOST, isKnown), ["gone"])
    assert.deepEqual(disk.paths(), expected)
  })

  test("without definitions, or with damaged ones, they are set aside instead", () => {
    for (const isDamaged of [true, false]) {
      const disk = withQueues("kept", "gone")
      if (isDamaged) disk.writeFile(`${VHOST}/definitions.amqp.corrupt`, "…")
      else disk.remove(`${VHOST}/definitions.amqp`)
      assert.deepEqual(removeStaleQueueDirectories(disk, VHOST, isKnown), ["gone"])
      const directory = queueDirectory(VHOST, "gone", true)
      assert.deepEqual(disk.list(directory), [])
      assert.deepEqual(disk.list(`${directory}.orphan`), [".queue", "msgs.0000000001"])
      assert.deepEqual(removeStaleQueueDirectories(disk, VHOST, isKnown), [])
      disk.writeFile(`${directory}/.queue`, "gone")
      removeStaleQueueDirectories(disk, VHOST, isKnown)
      assert.deepEqual(disk.list(`${directory}.orphan.2`), [".queue"])
    }
  })

  test("a directory without a name is kept if it holds messages", () => {
    const disk = withQueues("nameless", "empty", "renamed")
    disk.remove(`${queueDirectory(VHOST, "nameless", true)}/.queue`)
    disk.writeFile(`${queueDirectory(VHOST, "renamed", true)}/.queue`, "torn na")
    for (const name of disk.list(queueDirectory(VHOST, "empty", true)))
      disk.remove(`${queueDirectory(VHOST, "empty", true)}/${name}`)
    assert.deepEqual(
      removeStaleQueueDirectories(disk, VHOST, () => false),
      [],
    )
    assert.equal(disk.list(queueDirectory(VHOST, "nameless", true)).length, 1)
    assert.equal(disk.list(queueDirectory(VHOST, "renamed", true)).length, 2)
    assert.ok(
      !disk.list(VHOST).includes(queueDirectory(VHOST, "empty", true).slice(VHOST.length + 1)),
    )
  })

  test("a vhost without a directory has nothing to clean up", () => {
    assert.deepEqual(
      removeStaleQueueDirectories(new FaultyDisk(), VHOST, () => false),
      [],
    )
  })
})
