/** What a connection does about alarms, slow disks, slow and silent clients. Publishing is publisher.test.ts. */
import assert from "node:assert/strict"
import { test } from "node:test"
import { encodePublish } from "../../../src/amqp/content.ts"
import { OUTBOX_HARD_BYTES } from "../../../src/session/outbox.ts"
import { methodFrame } from "../../support/wire-frames.ts"
import { Harness } from "./session-harness.ts"
import { FAILURE_EVERYWHERE } from "../../support/commit-scopes.ts"

function publish(body: string, persistent = false): Buffer {
  return encodePublish(1, {
    routingKey: "q",
    properties: persistent ? { deliveryMode: 2 } : {},
    body: Buffer.from(body),
  })
}

function bodiesOf(harness: Harness): string[] {
  return harness.takeRecorded().map(({ body }) => body)
}

test("an alarm holds up a publisher that understands it, wherever its stream is cut", async () => {
  const harness = await Harness.open({ capabilities: true })
  harness.declare("q")
  const bytes = Buffer.concat([publish("one"), publish("two"), publish("three")])
  for (let at = 1; at < bytes.length; at++) {
    harness.broker.setAlarm("disk", true)
    harness.receive(bytes.subarray(0, at))
    harness.receive(bytes.subarray(at))
    harness.endTurn()
    assert.deepEqual(harness.methods(), ["0 connection.blocked"])
    assert.deepEqual(bodiesOf(harness), [])
    assert.equal(harness.transport.isPaused, true)
    harness.broker.setAlarm("disk", false)
    harness.endTurn()
    assert.deepEqual(harness.methods(), ["0 connection.unblocked"])
    assert.deepEqual(bodiesOf(harness), ["one", "two", "three"], `cut at ${at}`)
    assert.equal(harness.transport.isPaused, false)
  }
})

test("an alarm does not hold up what is no publish, until the first publish", async () => {
  const harness = await Harness.open({ capabilities: true })
  harness.declare("q")
  harness.broker.setAlarm("disk", true)
  harness.receive(methodFrame("basic.qos", 1), publish("later"), methodFrame("basic.qos", 2))
  harness.endTurn()
  assert.deepEqual(harness.methods(), ["1 basic.qos-ok", "0 connection.blocked"])
  harness.clock.advance(1_000_000)
  harness.connection.tick(harness.clock.nowMs)
  assert.equal(
    harness.transport.isDestroyed,
    false,
    "a client that is not read from cannot be late",
  )
  harness.broker.setAlarm("disk", false)
  harness.endTurn()
  assert.deepEqual(harness.methods(), ["0 connection.unblocked", "2 basic.qos-ok"])
  assert.deepEqual(bodiesOf(harness), ["later"])
})

test("an alarm makes confirming publishers get a nack, and others a channel error", async () => {
  const harness = await Harness.open()
  harness.declare("q")
  harness.receive(methodFrame("confirm.select", 1))
  harness.broker.setAlarm("disk", true)
  harness.receive(publish("refused", true))
  harness.receive(encodePublish(2, { routingKey: "q", body: Buffer.from("not understood either") }))
  harness.endTurn()
  assert.deepEqual(harness.methods(), [
    "1 confirm.select-ok",
    "2 channel.close 406",
    "1 basic.nack",
  ])
  assert.deepEqual(bodiesOf(harness), [])
})

test("confirms wait for the round of their turn, and a failed round makes them nacks", async () => {
  const harness = await Harness.open()
  harness.declare("q")
  harness.receive(methodFrame("confirm.select", 1), publish("a", true), publish("b"))
  harness.endTurn()
  assert.deepEqual(harness.methods(), ["1 confirm.select-ok", "1 basic.ack"])
  harness.completeRounds()
  assert.deepEqual(harness.methods(), ["1 basic.ack"])
  harness.receive(publish("c", true))
  harness.endTurn()
  harness.completeRounds(FAILURE_EVERYWHERE)
  assert.deepEqual(harness.methods(), ["1 basic.nack"])
})

test("the reply to a durable change waits for the disk, and later replies wait behind it", async () => {
  const harness = await Harness.open()
  harness.receive(
    methodFrame("queue.declare", 1, { queue: "d", durable: true }),
    methodFrame("basic.qos", 1),
    methodFrame("basic.qos", 2),
  )
  harness.endTurn()
  assert.deepEqual(harness.methods(), ["2 basic.qos-ok"])
  harness.completeRounds()
  assert.deepEqual(harness.methods(), ["1 queue.declare-ok", "1 basic.qos-ok"])
})

test("a change that did not reach the disk ends the connection with 541", async () => {
  const harness = await Harness.open()
  harness.receive(methodFrame("queue.declare", 1, { queue: "d", durable: true }))
  harness.endTurn()
  harness.completeRounds(FAILURE_EVERYWHERE)
  assert.deepEqual(harness.methods(), ["0 connection.close 541"])
})

test("a client that does not read its returns is not read from either, until it does", async () => {
  const harness = await Harness.open()
  const body = Buffer.alloc(100_000)
  const returned = encodePublish(1, { routingKey: "nowhere", mandatory: true, body })
  let count = 0
  while (!harness.connection.outbox.isOverfull) {
    assert.ok(count++ * body.length < 2 * OUTBOX_HARD_BYTES)
    harness.receive(returned)
    harness.endTurn()
  }
  harness.connection.continueReading() // It has rested, too; but the socket is still full.
  assert.equal(harness.transport.isPaused, true)
  assert.ok(harness.connection.outbox.pendingBytes > OUTBOX_HARD_BYTES)
  assert.equal(harness.methods().length, count)
  assert.equal(harness.transport.isPaused, false)
})

test("a client that is not read from lives as long as it reads, with heartbeats", async () => {
  const harness = await Harness.open()
  const returned = encodePublish(1, {
    routingKey: "nowhere",
    mandatory: true,
    body: Buffer.alloc(100_000),
  })
  while (!harness.connection.outbox.isOverfull) {
    harness.receive(returned)
    harness.endTurn()
  }
  const pass = (seconds: number): void => {
    for (let i = 0; i < seconds; i++) {
      harness.clock.advance(1000)
      harness.connection.tick(harness.clock.nowMs)
    }
  }
  for (let i = 0; i < 5; i++) {
    pass(100)
    harness.transport.complete(1)
  }
  assert.equal(harness.transport.isDestroyed, false)
  pass(125)
  assert.equal(harness.transport.isDestroyed, true)
})

test("heartbeats go out after half an interval without anything else, and silence ends it", async () => {
  const harness = await Harness.open()
  const pass = (ms: number): number[] => {
    harness.clock.advance(ms)
    harness.connection.tick(harness.clock.nowMs)
    return harness.frames().map(({ type }) => type)
  }
  assert.deepEqual(pass(29_000), [])
  assert.deepEqual(pass(1000), [8])
  assert.deepEqual(pass(1000), [])
  harness.receive(Buffer.from([8, 0, 0, 0, 0, 0, 0, 0xce]))
  assert.deepEqual(pass(120_000), [8])
  assert.equal(harness.transport.isDestroyed, false)
  pass(2000)
  assert.equal(harness.transport.isDestroyed, true)
})

test("a client that does not answer connection.close is cut off", async () => {
  const harness = await Harness.open()
  harness.connection.forceClose("broker shutdown")
  harness.endTurn()
  assert.deepEqual(harness.methods(), ["0 connection.close 320"])
  harness.receive(publish("too late"))
  harness.clock.advance(29_000)
  harness.connection.tick(harness.clock.nowMs)
  assert.equal(harness.transport.isDestroyed, false)
  harness.clock.advance(1000)
  harness.connection.tick(harness.clock.nowMs)
  assert.equal(harness.transport.isDestroyed, true)
  assert.deepEqual(bodiesOf(harness), [])
})

test("close-ok goes out although earlier output is still under way", async () => {
  const harness = await Harness.open()
  harness.receive(methodFrame("basic.qos", 1))
  harness.endTurn()
  harness.receive(methodFrame("basic.qos", 2))
  harness.endTurn()
  harness.receive(methodFrame("connection.close", 0, { replyCode: 200 }))
  assert.equal(harness.transport.isEnded, true)
  assert.deepEqual(harness.methods(), ["1 basic.qos-ok", "2 basic.qos-ok", "0 connection.close-ok"])
})

test("what a lost connection held is given back once, whoever notices first", async () => {
  const harness = await Harness.open()
  harness.receive(methodFrame("queue.declare", 1, { queue: "x", exclusive: true }))
  harness.endTurn()
  assert.equal(harness.vhost.queues.size, 1)
  harness.connection.destroy()
  harness.connection.onClosed()
  harness.connection.onClosed()
  assert.equal(harness.vhost.queues.size, 0)
  assert.equal(harness.broker.connections.size, 0)
  harness.receive(publish("from the grave"))
  harness.endTurn()
  assert.deepEqual(bodiesOf(harness), [])
})
