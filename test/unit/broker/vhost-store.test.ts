import assert from "node:assert/strict"
import { test } from "node:test"
import { Refusal } from "../../../src/broker/errors.ts"
import { VhostStore } from "../../../src/broker/vhost-store.ts"
import { MemoryDocument } from "../auth/memory-document.ts"

test("the first start makes the default vhost and writes it", async () => {
  const document = new MemoryDocument(null)
  const store = new VhostStore(document)
  await store.load()
  assert.deepEqual(document.value, [
    {
      name: "/",
      dir: "42099b4af021e53fd8fd4e056c2568d7c2e3ffa8",
      tracing: false,
      tags: [],
      description: "",
      cluster_state: {},
    },
  ])
})

test("vhosts keep their order and metadata over a restart", async () => {
  const document = new MemoryDocument(null)
  const store = new VhostStore(document)
  await store.load()
  await store.add("ünï/co de", { description: "d", tags: ["a", "b"] })
  await store.add("last")
  await store.add("ünï/co de", { description: "changed" })
  const reopened = new VhostStore(document)
  await reopened.load()
  assert.deepEqual(reopened.list(), store.list())
  assert.deepEqual(
    reopened.list().map(({ name }) => name),
    ["/", "ünï/co de", "last"],
  )
  const changed = reopened.get("ünï/co de")
  assert.equal(changed?.description, "changed")
  assert.deepEqual(changed?.tags, ["a", "b"])
})

test("a removed vhost stays away, also the default one", async () => {
  const document = new MemoryDocument(null)
  const store = new VhostStore(document)
  await store.load()
  assert.equal(await store.remove("/"), true)
  assert.equal(await store.remove("/"), false)
  const reopened = new VhostStore(document)
  await reopened.load()
  assert.deepEqual(reopened.list(), [])
})

test("names that cannot be used are refused and nothing is written", async () => {
  const document = new MemoryDocument([])
  const store = new VhostStore(document)
  await store.load()
  for (const name of ["", "a\nb", "x".repeat(256)])
    await assert.rejects(store.add(name), (error) => error instanceof Refusal)
  assert.deepEqual(store.list(), [])
  assert.equal(document.saveCount, 0)
})

test("a file that is no list of vhosts is not taken for one", async () => {
  for (const value of [{}, "x", [{}], [null], [{ name: 1 }]])
    await assert.rejects(new VhostStore(new MemoryDocument(value)).load(), /vhosts\.json/)
})
