import assert from "node:assert/strict"
import { test } from "node:test"
import { Refusal } from "../../../src/broker/errors.ts"
import { GLOBAL_COMPONENT, Parameters } from "../../../src/broker/parameters.ts"
import { MemoryDocument } from "../auth/memory-document.ts"

test("parameters are set, replaced, listed and deleted, and survive a restart", async () => {
  const document = new MemoryDocument(null)
  const parameters = new Parameters(document)
  parameters.load()
  const changes: unknown[] = []
  parameters.onChanged = (component, name, value) => changes.push([component, name, value])
  assert.equal(await parameters.set("shovel", "s1", { "src-uri": "amqp://" }), true)
  assert.equal(await parameters.set("shovel", "s1", { "src-uri": "amqps://" }), false)
  await parameters.set("federation-upstream-set", "all", [{ upstream: "u" }])
  const reopened = new Parameters(document)
  reopened.load()
  assert.deepEqual(reopened.list(), [
    { component: "shovel", name: "s1", value: { "src-uri": "amqps://" } },
    { component: "federation-upstream-set", name: "all", value: [{ upstream: "u" }] },
  ])
  assert.equal(reopened.list("shovel").length, 1)
  assert.equal(reopened.list("nothing").length, 0)
  assert.equal(reopened.get("shovel", "s2"), null)
  assert.equal(await parameters.delete("shovel", "s1"), true)
  assert.equal(await parameters.delete("shovel", "s1"), false)
  assert.deepEqual(changes, [
    ["shovel", "s1", { "src-uri": "amqp://" }],
    ["shovel", "s1", { "src-uri": "amqps://" }],
    ["federation-upstream-set", "all", [{ upstream: "u" }]],
    ["shovel", "s1", undefined],
  ])
})

test("global parameters have no component", async () => {
  const document = new MemoryDocument([{ name: "cluster_name", value: "c1" }, { name: 5 }, null])
  const parameters = new Parameters(document)
  parameters.load()
  assert.equal(parameters.get(GLOBAL_COMPONENT, "cluster_name")?.value, "c1")
  await parameters.set(GLOBAL_COMPONENT, "other", null)
  assert.deepEqual(document.value, [
    { name: "cluster_name", value: "c1" },
    { name: "other", value: null },
  ])
})

test("a parameter needs names and a value", async () => {
  const parameters = new Parameters(new MemoryDocument(null))
  await assert.rejects(parameters.set("", "", 1), Refusal)
  await assert.rejects(parameters.set("c", "", 1), Refusal)
  await assert.rejects(parameters.set("c", "x".repeat(256), 1), Refusal)
  await assert.rejects(parameters.set("c", "n", undefined), Refusal)
})
