/** JSON files that are replaced as a whole. */
import assert from "node:assert/strict"
import { test } from "node:test"
import { StorageError } from "../../src/storage/disk.ts"
import { JsonStore } from "../../src/storage/json-store.ts"
import { FaultyDisk } from "../support/faulty-disk.ts"

const PATH = "/data/users.json"

function setUp(): { readonly disk: FaultyDisk; readonly store: JsonStore } {
  const disk = new FaultyDisk()
  disk.writeFile("/data/schema_version", "1")
  return { disk, store: new JsonStore(disk, PATH) }
}

test("an absent file is null, a saved value comes back", async () => {
  const { disk, store } = setUp()
  assert.equal(store.load(), null)
  await store.save([{ name: "gäst" }])
  assert.deepEqual(new JsonStore(disk, PATH).load(), [{ name: "gäst" }])
  await store.save([])
  assert.deepEqual(store.load(), [])
  assert.equal(disk.openCount, 0)
  assert.deepEqual(disk.paths(), ["/data/schema_version", PATH])
})

test("what was saved survives a power failure", async () => {
  const { disk, store } = setUp()
  await store.save({ value: 1 })
  for (let seed = 0; seed < 30; seed++)
    assert.deepEqual(new JsonStore(disk.crash("power", seed), PATH).load(), { value: 1 })
})

test("a power failure during a save leaves the old or the new value", async () => {
  const { disk, store } = setUp()
  await store.save("old".repeat(1000))
  disk.holdSyncs = true
  const saved = store.save("new".repeat(1000))
  for (let step = 0; step < 3; step++) {
    for (let seed = 0; seed < 30; seed++) {
      const value = JSON.stringify(new JsonStore(disk.crash("power", seed), PATH).load())
      assert.match(value, /^"((old){1000}|(new){1000})"$/)
    }
    disk.releaseSyncs()
  }
  await saved
})

test("the value is taken at the call, not when it is written", async () => {
  const { store } = setUp()
  const value = { list: [1] }
  const first = store.save(value)
  value.list.push(2)
  const second = store.save(value)
  value.list.push(3)
  await Promise.all([first, second])
  assert.deepEqual(store.load(), { list: [1, 2] })
})

test("values saved during a save are collapsed to the last one", async () => {
  const { disk, store } = setUp()
  const saves = Array.from({ length: 100 }, (_, value) => store.save(value))
  await Promise.all(saves)
  assert.equal(store.load(), 99)
  assert.equal(disk.calls.write, 2)
})

test("whichever call fails, the save is refused, the old value stays, and the next save works", async () => {
  for (const kind of ["open", "truncate", "write", "sync", "rename", "syncDirectory"] as const) {
    const { disk, store } = setUp()
    await store.save("old")
    disk.failCall(kind, 1, "ENOSPC", { partialBytes: 2 })
    await assert.rejects(store.save("new"), StorageError, kind)
    if (kind !== "syncDirectory") assert.equal(store.load(), "old", kind)
    assert.equal(disk.openCount, 0, kind)
    assert.deepEqual(disk.paths(), ["/data/schema_version", PATH], kind)
    await store.save("next")
    assert.equal(store.load(), "next", kind)
  }
})

test("a failed save does not hold up the one that waits behind it", async () => {
  const { disk, store } = setUp()
  disk.failCall("sync", 1, "EIO")
  const [first, second] = await Promise.allSettled([store.save(1), store.save(2)])
  assert.equal(first.status, "rejected")
  assert.equal(second.status, "fulfilled")
  assert.equal(store.load(), 2)
})

test("what is no JSON is refused with the path and left as it is, at every length of a cut file", async () => {
  const { disk, store } = setUp()
  await store.save([{ name: "guest" }])
  const whole = disk.readFile(PATH)!
  for (let size = 0; size < whole.length - 1; size++) {
    disk.writeFile(PATH, whole.subarray(0, size))
    assert.throws(
      () => store.load(),
      (error) =>
        error instanceof StorageError && error.code === "CORRUPT" && error.message.includes(PATH),
    )
    assert.deepEqual(disk.readFile(PATH), whole.subarray(0, size))
  }
})

test("a file left by an interrupted save does not matter", async () => {
  const { disk, store } = setUp()
  disk.writeFile(`${PATH}.tmp`, "x".repeat(1000))
  assert.equal(store.load(), null)
  await store.save(1)
  assert.equal(store.load(), 1)
})
