import assert from "node:assert/strict"
import { test } from "node:test"
import { Refusal } from "../../../src/broker/errors.ts"
import { UNLIMITED, UserLimits, VhostLimits } from "../../../src/broker/limits.ts"
import { MemoryDocument } from "../auth/memory-document.ts"

test("a vhost has no limits until it is given some, which survive a restart", async () => {
  const document = new MemoryDocument(null)
  const limits = new VhostLimits(document)
  limits.load()
  assert.equal(limits.maxQueues, UNLIMITED)
  assert.equal(limits.maxConnections, UNLIMITED)
  await limits.set("max-queues", 500)
  await limits.set("max-connections", 0)
  assert.deepEqual(document.value, { "max-connections": 0, "max-queues": 500 })
  const reopened = new VhostLimits(document)
  reopened.load()
  assert.equal(reopened.maxQueues, 500)
  assert.equal(reopened.maxConnections, 0)
})

test("a negative value removes a limit", async () => {
  const document = new MemoryDocument({ "max-queues": 5 })
  const limits = new VhostLimits(document)
  limits.load()
  await limits.set("max-queues", -7)
  assert.equal(limits.maxQueues, UNLIMITED)
  assert.deepEqual(document.value, {})
})

test("limits that make no sense are refused, or ignored if they are in the file", async () => {
  const document = new MemoryDocument({ "max-queues": "many", "max-connections": -1 })
  const limits = new VhostLimits(document)
  limits.load()
  assert.equal(limits.maxQueues, UNLIMITED)
  assert.equal(limits.maxConnections, UNLIMITED)
  await assert.rejects(limits.set("max-queues", 1.5), Refusal)
  await assert.rejects(limits.set("max-queue", 1), Refusal)
  assert.equal(document.saveCount, 0)
})

test("users have limits of their own, which survive a restart and go with the user", async () => {
  const document = new MemoryDocument(null)
  const limits = new UserLimits(document)
  limits.load()
  assert.deepEqual(limits.of("app"), { maxConnections: UNLIMITED, maxChannels: UNLIMITED })
  await limits.set("app", "max-connections", 3)
  await limits.set("app", "max-channels", 0)
  await limits.set("other", "max-channels", 10)
  const reopened = new UserLimits(document)
  reopened.load()
  assert.deepEqual(reopened.of("app"), { maxConnections: 3, maxChannels: 0 })
  assert.deepEqual(
    [...reopened.entries()],
    [
      ["app", { "max-connections": 3, "max-channels": 0 }],
      ["other", { "max-channels": 10 }],
    ],
  )
  await reopened.remove("app")
  await reopened.remove("nobody")
  await reopened.set("other", "max-channels", -1)
  assert.deepEqual(document.value, {})
  await assert.rejects(reopened.set("app", "max-queues", 1), Refusal)
})
