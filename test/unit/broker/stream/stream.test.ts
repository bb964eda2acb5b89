import assert from "node:assert/strict"
import { test } from "node:test"
import { Refusal } from "../../../../src/broker/errors.ts"
import { PLAIN_QUEUE } from "../../../../src/broker/settings.ts"
import { FaultyDisk } from "../../../support/faulty-disk.ts"
import { range } from "../../../support/stream-bed.ts"
import { browseStream } from "../../../../src/broker/stream/browse-stream.ts"
import { StreamWorld } from "./support.ts"

test("every consumer gets every message, with its offset, from its own place", () => {
  const world = new StreamWorld()
  world.fill(5)
  world.turns()
  const first = world.consume("a", { "x-stream-offset": "first" })
  const next = world.consume("b")
  const third = world.consume("c", { "x-stream-offset": 3 })
  world.turns()
  assert.deepEqual(first.offsets, range(0, 5))
  assert.deepEqual(next.offsets, [])
  assert.deepEqual(third.offsets, [3, 4])
  world.fill(3)
  world.turns()
  assert.deepEqual(first.offsets, range(0, 8))
  assert.deepEqual(next.offsets, range(5, 8))
  assert.deepEqual(third.offsets, range(3, 8))
  for (const { offset, body, redelivered } of first.got)
    assert.deepEqual([body, redelivered], [String(offset), false])
  assert.equal(world.stream.readyCount, 8)
  assert.equal(world.stream.unackedCount, 16)
})

test("credit bounds what a consumer gets; acks give it back; others go on", () => {
  const world = new StreamWorld()
  world.fill(20)
  const slow = world.consume("slow", { "x-stream-offset": "first" }, 3)
  const fast = world.consume("fast", { "x-stream-offset": "first" })
  world.turns()
  assert.deepEqual(slow.offsets, [0, 1, 2])
  assert.deepEqual(fast.offsets, range(0, 20))
  world.ack(slow, slow.unacked[0]!, slow.unacked[1]!)
  world.turns()
  assert.deepEqual(slow.offsets, range(0, 5))
  world.requeue(slow, slow.unacked[0]!)
  world.turns()
  assert.deepEqual(slow.offsets, range(0, 6))
})

test("no consumer has more than its share of a turn", () => {
  const world = new StreamWorld()
  world.fill(2000)
  world.turns()
  const consumers = range(0, 3).map((i) => world.consume(`c${i}`, { "x-stream-offset": "first" }))
  world.turn(1000)
  assert.deepEqual(
    consumers.map(({ got }) => got.length),
    [256, 256, 256],
  )
  world.turns(1000)
  for (const consumer of consumers) assert.deepEqual(consumer.offsets, range(0, 2000))
})

test("a consumer that wants nothing does not take more than its share either", () => {
  const world = new StreamWorld()
  world.fill(3000)
  world.turns()
  const other = world.consume("o", { "x-stream-filter": "none", "x-stream-offset": "first" })
  const all = world.consume("a", { "x-stream-offset": "first" })
  world.turn(512)
  assert.equal(all.got.length, 256)
  world.turns()
  assert.equal(all.got.length, 3000)
  assert.equal(other.got.length, 0)
})

test("a consumer that left gets nothing, and a deleted stream says so", () => {
  const world = new StreamWorld()
  const one = world.consume("one")
  const two = world.consume("two")
  world.fill(1)
  world.turns()
  world.stream.removeSubscriber(one)
  world.fill(1)
  world.turns()
  assert.deepEqual(one.offsets, [0])
  assert.equal(world.stream.consumerCount, 1)
  assert.equal(world.stream.dispose(), 2)
  assert.equal(two.isDeleted, true)
  world.ack(two, ...two.unacked) // Harmless.
  assert.equal(world.stream.readyCount, 0)
})

test("what is acknowledged without a gap is where a named consumer goes on, also after kill -9", () => {
  let world = new StreamWorld()
  world.fill(20)
  const consumer = world.consume("me")
  world.fill(10)
  world.turns()
  const [a, b, c, d] = consumer.unacked
  world.ack(consumer, a!, b!, d!)
  world.turns()
  world = world.restart(true)
  const again = world.consume("me")
  world.turns()
  assert.equal(again.offsets[0], c!.offset)
  world.ack(again, again.unacked[0]!)
  const third = again.unacked[1]!
  world.requeue(again, again.unacked[0]!) // Counts as done, but is not written by itself.
  world.turns()
  world = world.restart(true)
  const more = world.consume("me")
  world.turns()
  assert.equal(more.offsets[0], third.offset - 1)
})

test("nothing is kept for tags of the server, nor with a given offset unless that is asked for", () => {
  let world = new StreamWorld()
  world.fill(10)
  const cases = [
    ["amq.ctag-x", {}],
    ["given", { "x-stream-offset": "first" }],
    ["off", { "x-stream-automatic-offset-tracking": false }],
    ["forced", { "x-stream-offset": "first", "x-stream-automatic-offset-tracking": true }],
    ["text", { "x-stream-offset": "first", "x-stream-automatic-offset-tracking": "true" }],
  ] as const
  for (const [tag, args] of cases) {
    const consumer = world.consume(tag, args)
    world.fill(1)
    world.turns()
    world.ack(consumer, ...consumer.unacked)
  }
  world.turns()
  world = world.restart()
  const kept = cases.map(([tag, args]) => {
    const consumer = world.consume(tag, args)
    world.turns()
    return consumer.offsets[0] ?? -1
  })
  assert.deepEqual(kept, [-1, 0, -1, 14, -1])
})

test("a named consumer that acknowledged nothing goes on where it began", () => {
  let world = new StreamWorld()
  world.fill(20)
  world.consume("me")
  world.fill(5)
  world.turns()
  world = world.restart(true)
  world.fill(5)
  const again = world.consume("me")
  world.turns()
  assert.deepEqual(again.offsets, range(20, 30))
})

test("acks after the consumer was cancelled count; what comes back when the channel closes does not", () => {
  const world = new StreamWorld()
  world.consume("other")
  const consumer = world.consume("me")
  world.fill(4)
  world.turns()
  world.stream.removeSubscriber(consumer)
  world.ack(consumer, consumer.unacked[0]!)
  while (consumer.unacked.length > 0) world.requeue(consumer, consumer.unacked[0]!)
  const again = world.consume("me")
  world.turns()
  assert.deepEqual(again.offsets, [1, 2, 3])
})

function refuses(text: string) {
  return (error: unknown): boolean =>
    error instanceof Refusal && error.kind === "not-implemented" && error.message === text
}

test("get and purge are refused", () => {
  const { stream } = new StreamWorld()
  assert.throws(
    () => stream.get(),
    refuses("basic.get not supported by stream queue 's' in vhost '/'"),
  )
  assert.throws(
    () => stream.purge(),
    refuses("queue.purge not supported by stream queues queue 's' in vhost '/'"),
  )
})

test("old messages of an idle stream go by the timer", async () => {
  const world = new StreamWorld(undefined, { maxAgeMs: 20_000 })
  world.fill(30)
  await world.settle()
  world.bed.clock.advance(15_000)
  await world.settle()
  assert.equal(world.stream.readyCount, 30)
  world.bed.clock.advance(15_000)
  await world.settle()
  assert.equal(world.stream.readyCount, 0)
  assert.equal(world.stream.nextOffset, 30)
  world.stream.configure(PLAIN_QUEUE)
  assert.equal(world.timers.count, 0)
})

test("settings that change apply at once", async () => {
  const world = new StreamWorld()
  for (let i = 0; i < 100; i++) {
    world.fill(1)
    await world.settle()
  }
  world.stream.configure({ ...PLAIN_QUEUE, maxLength: 30 })
  await world.settle()
  assert.ok(world.stream.readyCount <= 30 && world.stream.readyCount > 0)
  const reader = world.consume("r", { "x-stream-offset": "first" })
  await world.settle()
  assert.deepEqual(reader.offsets, range(world.stream.firstOffset, 100))
})

test("a look at the messages takes none and needs no consumer", () => {
  const world = new StreamWorld()
  world.fill(10)
  world.turns()
  const seen: number[] = []
  world.stream.browse(4, (message) => seen.push(message.addedValue) < 3)
  assert.deepEqual(seen, [4, 5, 6])
  const slow = world.consume("c", { "x-stream-offset": 2 }, 1)
  world.turns()
  assert.equal(slow.got.length, 1)
  assert.deepEqual([...world.stream.readers()], [{ tag: "c", subscriber: slow, offset: 3, lag: 7 }])
})

test("thousands of consumers that come and go leave nothing behind", () => {
  const world = new StreamWorld()
  world.fill(1)
  for (let i = 0; i < 5000; i++) {
    const consumer = world.consume(`tag-${String(i % 3)}`)
    if (i % 2 === 0) world.turns()
    world.stream.removeSubscriber(consumer)
  }
  assert.equal(world.stream.consumerCount, 0)
  const last = world.consume("last", { "x-stream-offset": "first" })
  world.turns()
  assert.deepEqual(last.offsets, [0])
})

test("the management sees messages by offset, within bounds", () => {
  const world = new StreamWorld()
  world.fill(20)
  world.publish("with headers", { key: "value" })
  world.turns()
  const found = browseStream(world.stream, { offset: 18, limit: 100 })
  assert.deepEqual(
    found.map(({ index, body }) => [index, body.toString()]),
    [
      [18, "18"],
      [19, "19"],
      [20, "with headers"],
    ],
  )
  assert.equal(found[2]!.properties?.headers?.get("key"), "value")
  assert.equal(browseStream(world.stream, { offset: -3, limit: 2 }).length, 2)
})

test("a disk that does not give a message holds up its reader only, until it does", () => {
  const disk = new FaultyDisk()
  disk.writeFile("/data/vhost/.vhost", "/")
  let world = new StreamWorld(disk)
  for (let i = 0; i < 60; i++) {
    world.fill(1)
    world.turns()
  }
  world = world.restart()
  disk.failCall("read", 1, "EIO", { repeat: true })
  const old = world.consume("old", { "x-stream-offset": "first" })
  const middle = world.consume("middle", { "x-stream-offset": 33 })
  const live = world.consume("live")
  world.fill(2)
  world.turns()
  assert.deepEqual(live.offsets, [60, 61])
  assert.deepEqual(old.offsets, [])
  assert.ok(world.stalledCount > 0)
  disk.heal()
  world.bed.clock.advance(1001)
  world.wake() // As the vhost does, for those that have stalled.
  world.turns()
  assert.deepEqual(old.offsets, range(0, 62))
  assert.deepEqual(middle.offsets, range(33, 62))
})

test("a consumer that wants none of the large messages leaves the turn to others", () => {
  const world = new StreamWorld()
  const size = 512 << 10
  for (let i = 0; i < 40; i++) world.publish("x".repeat(size))
  world.turns()
  world.consume("o", { "x-stream-filter": "none", "x-stream-offset": "first" })
  assert.ok(world.stream.deliver(4096))
  const [{ offset } = { offset: 0 }] = world.stream.readers()
  assert.ok(offset > 0 && offset <= 10, `${String(offset * size)} bytes in one turn`)
})
