import assert from "node:assert/strict"
import { test } from "node:test"
import { Alarms } from "../../../src/broker/alarms.ts"

test("alarms have a reason in RabbitMQ's words, in its order", () => {
  const alarms = new Alarms()
  assert.equal(alarms.reason, null)
  assert.ok(alarms.set("disk", true))
  assert.equal(alarms.set("disk", true), false)
  assert.equal(alarms.reason, "low on disk")
  alarms.set("memory", true)
  assert.equal(alarms.reason, "low on memory & disk")
  assert.deepEqual(alarms.raised, ["memory", "disk"])
  alarms.set("disk", false)
  assert.deepEqual([alarms.reason, alarms.has("disk")], ["low on memory", false])
  assert.ok(alarms.set("memory", false))
  assert.equal(alarms.reason, null)
})
