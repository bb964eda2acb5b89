import assert from "node:assert/strict"
import { test } from "node:test"
import { decodeProperties, encodeProperties } from "../../../../src/amqp/properties.ts"
import { TypedNumber } from "../../../../src/amqp/table.ts"
import { DelayedMessages } from "../../../../src/broker/delayed/delayed-messages.ts"
import type {
  DelayedContext,
  TargetQueue,
} from "../../../../src/broker/delayed/delayed-messages.ts"
import { Exchange } from "../../../../src/broker/exchange/exchange.ts"
import {
  PUBLISH_ACCEPTED,
  PUBLISH_DURABLE,
  PUBLISH_REFUSED,
  PUBLISH_UNROUTABLE,
} from "../../../../src/broker/publishing.ts"
import type { MovedFrom } from "../../../../src/broker/settled-moves.ts"
import type { Disk } from "../../../../src/storage/disk.ts"
import { MemoryDisk } from "../../../../src/storage/memory-disk.ts"
import type { IncomingMessage } from "../../../../src/storage/message.ts"
import type { MessageStore } from "../../../../src/storage/message-store.ts"
import { silentLogger } from "../../../../src/util/logger.ts"
import { TimerWheel } from "../../../../src/util/timer-wheel.ts"
import { FaultyDisk } from "../../../support/faulty-disk.ts"
import { eventually } from "../../../support/eventually.ts"
import { incoming, StoreBed } from "../../../support/store-bed.ts"
import type { MessageOptions } from "../../../support/store-bed.ts"

interface Released {
  readonly body: string
  readonly route: string
  readonly delay: string
  readonly atMs: number
  readonly persistent: boolean
}

/** A delayed exchange on a disk of choice; time and turns by hand. */
class Bed {
  readonly stores: StoreBed
  readonly timers: TimerWheel
  readonly released: Released[] = []
  readonly moves: (() => void)[] = []
  readonly delayed: DelayedMessages
  readonly store: MessageStore
  /** What the next publishes come to. */
  outcomes: number[] = []
  outcome = PUBLISH_DURABLE
  onRelease: () => void = () => {}
  /** Queues that the exchange leads to. */
  readonly queues: { publishedCount: number; refuses: boolean }[] = [
    { publishedCount: 0, refuses: false },
  ]

  constructor(disk: Disk = new MemoryDisk(), durable = true) {
    this.stores = new StoreBed(disk)
    this.timers = new TimerWheel(this.stores.clock)
    const exchange = new Exchange({
      name: "late",
      type: "direct",
      durable,
      autoDelete: false,
      internal: false,
      arguments: new Map(),
    })
    this.store = this.stores.store(durable)
    this.store.open()
    const context: DelayedContext = {
      vhostName: "/",
      clock: this.stores.clock,
      timers: this.timers,
      log: silentLogger,
      settledMoves: {
        add: (from: MovedFrom, _target, ...place: [number, number, number, number]) =>
          void this.moves.push(() => from.settleMoved(...place)),
      },
      releaseDelayed: (_exchange, message, properties, accepts) =>
        this.#release(message, properties.headers?.get("x-delay"), accepts),
    }
    this.delayed = new DelayedMessages(context, exchange, this.store)
  }

  #release(
    message: IncomingMessage,
    delay: unknown,
    accepts: ((queue: TargetQueue) => boolean) | null,
  ): number {
    const { bytes } = message.body
    this.onRelease()
    let outcome = this.outcomes.shift() ?? this.outcome
    for (const queue of this.queues) {
      if (accepts !== null && !accepts(queue)) continue
      if (queue.refuses) outcome = PUBLISH_REFUSED
      else queue.publishedCount++
    }
    if (outcome !== PUBLISH_REFUSED)
      this.released.push({
        body: bytes.toString("latin1", message.bodyStart, message.bodyEnd),
        route: bytes.toString("latin1", message.routeStart, message.routeEnd),
        delay: delay instanceof TypedNumber ? String(delay.value) : "",
        atMs: message.timestampMs,
        persistent: message.persistent,
      })
    return outcome
  }

  add(body: string, delayMs: number, options: MessageOptions = {}): number {
    const headers = new Map([["x-delay", new TypedNumber("I", delayMs)]])
    const properties = encodeProperties({ headers })
    const message = incoming(body, { exchange: "late", properties, ...options })
    return this.delayed.add(message, decodeProperties(properties), delayMs)
  }

  bodies(): string[] {
    return this.released.map(({ body }) => body)
  }

  /** The copies are on the disk. */
  settle(): void {
    for (const move of this.moves.splice(0)) move()
  }

  advance(ms: number): void {
    this.stores.clock.advance(ms)
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve))
}

test("a message goes out when it is due, not before, with all that it came with", () => {
  const bed = new Bed()
  const startMs = bed.stores.clock.nowMs
  assert.equal(bed.add("a", 5000, { key: "k" }), PUBLISH_DURABLE)
  assert.equal(bed.delayed.count, 1)
  bed.advance(4999)
  assert.deepEqual(bed.bodies(), [])
  bed.advance(17)
  assert.equal(bed.released.length, 1)
  const [one] = bed.released
  assert.deepEqual([one!.body, one!.route, one!.delay], ["a", "\x04late\x01k", "5000"])
  assert.equal(one!.persistent, true)
  assert.ok(one!.atMs >= startMs + 5000, "its time in the queue begins now")
  assert.equal(bed.delayed.count, 0)
})

test("messages go out in the order of their due times, equal ones as they came", () => {
  const bed = new Bed()
  for (const [body, delay] of [
    ["c", 300],
    ["a", 100],
    ["d", 300],
    ["b", 200],
    ["e", 300],
  ] as const)
    bed.add(body, delay)
  bed.advance(1000)
  assert.equal(bed.bodies().join(""), "abcde")
})

test("a persistent message is settled when its copies are safe, another at once", () => {
  const bed = new Bed()
  bed.add("a", 100)
  assert.equal(bed.add("b", 100, { persistent: false }), PUBLISH_ACCEPTED)
  bed.advance(200)
  assert.deepEqual(bed.bodies(), ["a", "b"])
  assert.equal(bed.store.unackedCount, 1)
  bed.settle()
  assert.equal(bed.store.unackedCount, 0)
})

test("what nobody wanted is settled at once", () => {
  const bed = new Bed()
  bed.outcome = PUBLISH_UNROUTABLE
  bed.add("a", 100)
  bed.advance(200)
  assert.equal(bed.moves.length, 0)
  assert.equal(bed.store.unackedCount, 0)
})

test("due times survive a restart, and what is overdue goes out at once, in order", async () => {
  const disk = new MemoryDisk()
  const bed = new Bed(disk)
  for (const [body, delay] of [
    ["late", 60_000],
    ["b", 2000],
    ["a", 1000],
  ] as const)
    bed.add(body, delay)
  bed.stores.turn()
  bed.delayed.close()
  const again = new Bed(disk)
  again.stores.clock.nowMs = bed.stores.clock.nowMs + 30_000
  assert.equal(again.delayed.count, 3)
  await eventually(() => assert.deepEqual(again.bodies(), ["a", "b"]))
  assert.equal(again.delayed.count, 1)
  again.advance(29_000)
  assert.equal(again.released.length, 2)
  again.advance(1017)
  assert.deepEqual(again.bodies(), ["a", "b", "late"])
})

test("a message that went out and was settled does not go out again after a restart", async () => {
  const disk = new MemoryDisk()
  const bed = new Bed(disk)
  bed.add("settled", 1000)
  bed.add("moved", 1000)
  bed.add("waiting", 100_000)
  bed.stores.turn()
  bed.advance(2000)
  bed.moves.shift()!()
  bed.stores.turn()
  bed.delayed.close()
  const again = new Bed(disk)
  again.stores.clock.nowMs = bed.stores.clock.nowMs
  await eventually(() => assert.deepEqual(again.bodies(), ["moved"]))
  assert.equal(again.delayed.count, 1)
})

test("a message that a queue refuses stays and is tried again, without a second copy for others", () => {
  const bed = new Bed()
  bed.queues.push({ publishedCount: 0, refuses: true })
  bed.add("a", 100)
  bed.advance(200)
  assert.deepEqual(bed.bodies(), [])
  assert.equal(bed.delayed.count, 1)
  bed.advance(3000)
  bed.queues[1]!.refuses = false
  bed.advance(1100)
  assert.deepEqual(bed.bodies(), ["a"])
  assert.deepEqual(
    bed.queues.map(({ publishedCount }) => publishedCount),
    [1, 1],
  )
  assert.equal(bed.store.unackedCount, 1)
  bed.settle()
  assert.equal(bed.store.unackedCount, 0)
})

test("one refused message does not hold up the others", () => {
  const bed = new Bed()
  for (const body of ["a", "b", "c"]) bed.add(body, 100)
  bed.outcomes = [PUBLISH_REFUSED]
  bed.advance(200)
  assert.deepEqual(bed.bodies(), ["b", "c"])
  bed.advance(1100)
  assert.deepEqual(bed.bodies(), ["b", "c", "a"])
})

test("on a full disk publishing is refused and what waits is kept", () => {
  const disk = new FaultyDisk()
  const bed = new Bed(disk)
  bed.add("a", 1000)
  bed.stores.turn()
  bed.add("b", 1000)
  disk.failCall("write", 1, "ENOSPC", { repeat: true })
  bed.stores.turn()
  assert.equal(bed.add("c", 1000), PUBLISH_REFUSED)
  assert.equal(bed.delayed.count, 2)
  disk.heal()
  bed.stores.turn()
  assert.equal(bed.add("d", 1000), PUBLISH_DURABLE)
  bed.advance(1100)
  assert.deepEqual(bed.bodies(), ["a", "b", "d"])
})

test("a disk that cannot be read is asked again later", () => {
  const disk = new FaultyDisk()
  const bed = new Bed(disk)
  bed.add("a", 10_000)
  bed.stores.turns()
  bed.stores.buffers.sweep()
  bed.stores.buffers.sweep()
  disk.failCall("read", 1, "EIO")
  bed.advance(10_016)
  assert.deepEqual(bed.bodies(), [])
  bed.advance(1100)
  assert.deepEqual(bed.bodies(), ["a"])
})

test("a thousand messages go out per turn, the others in the next ones", async () => {
  const bed = new Bed()
  for (let i = 0; i < 2500; i++) bed.add(String(i), 100)
  bed.advance(200)
  assert.equal(bed.released.length, 1000)
  await turn()
  assert.equal(bed.released.length, 2000)
  await turn()
  assert.deepEqual(
    bed.bodies(),
    Array.from({ length: 2500 }, (_, i) => String(i)),
  )
})

test("a message that comes while others go out waits for its time", () => {
  const bed = new Bed()
  bed.add("a", 100)
  bed.add("b", 100)
  bed.onRelease = () => {
    bed.onRelease = () => {}
    bed.add("x".repeat(300_000), 5000)
    bed.add("c", 50)
  }
  bed.advance(200)
  assert.deepEqual(bed.bodies(), ["a", "b", "c"])
  assert.equal(bed.delayed.count, 1)
})

test("pending messages can be listed by due time, cancelled and purged", () => {
  const bed = new Bed()
  const startMs = bed.stores.clock.nowMs
  for (let i = 0; i < 10; i++) bed.add(`m${String(i)}`, 10_000 - i * 100)
  const page = bed.delayed.browse({ skip: 2, limit: 3, bodyBytesMax: 1 })
  assert.deepEqual(
    page.map(({ index, timestampMs, bodySize, state }) => [
      index,
      timestampMs - startMs,
      bodySize,
      state,
    ]),
    [
      [2, 9300, 2, "delayed"],
      [3, 9400, 2, "delayed"],
      [4, 9500, 2, "delayed"],
    ],
  )
  assert.equal(page[0]!.body.toString(), "m")
  assert.equal(page[0]!.exchange, "late")
  assert.equal(page[0]!.properties!.headers!.has("x-delay"), true)
  const [, victim] = bed.delayed.browse({ skip: 0, limit: 2 })
  assert.equal(bed.delayed.cancel(victim!.segment, victim!.position), true)
  assert.equal(bed.delayed.cancel(victim!.segment, victim!.position), false)
  bed.advance(9217)
  assert.deepEqual(bed.bodies(), ["m9"])
  assert.equal(bed.delayed.purge(), 8)
  assert.equal(bed.delayed.count, 0)
  bed.advance(20_000)
  assert.deepEqual(bed.bodies(), ["m9"])
  bed.settle()
  assert.equal(bed.store.unackedCount, 0)
  bed.add("new", 100)
  bed.advance(200)
  assert.deepEqual(bed.bodies(), ["m9", "new"])
})

test("an empty place gives its files back and is used again", () => {
  const disk = new MemoryDisk()
  const bed = new Bed(disk)
  bed.add("a", 100)
  bed.stores.turn()
  bed.advance(200)
  bed.settle()
  bed.stores.turns()
  bed.advance(10_000)
  assert.equal(disk.usedBytes, 0)
  bed.add("b", 100)
  bed.stores.turn()
  bed.advance(200)
  assert.deepEqual(bed.bodies(), ["a", "b"])
})

test("with its exchange everything goes, and what was on its way does no harm", async () => {
  const disk = new MemoryDisk()
  const bed = new Bed(disk)
  for (let i = 0; i < 1500; i++) bed.add(String(i), 100)
  bed.stores.turn()
  bed.advance(200)
  bed.delayed.dispose()
  bed.settle()
  await turn()
  bed.advance(1000)
  assert.equal(bed.released.length, 1000)
  assert.equal(disk.usedBytes, 0)
  assert.equal(bed.add("late", 100), PUBLISH_REFUSED)
})

test("a thousandfold backlog is put into the index little by little after a restart", async () => {
  const disk = new MemoryDisk()
  const bed = new Bed(disk)
  for (let i = 0; i < 25_000; i++) bed.add(String(i), 60_000)
  bed.stores.turn()
  bed.delayed.close()
  const again = new Bed(disk)
  again.stores.clock.nowMs = bed.stores.clock.nowMs
  assert.equal(again.delayed.count, 25_000)
  assert.equal(again.store.readyCount, 25_000, "not before the first turn")
  again.add("new", 1000)
  await eventually(() => assert.equal(again.store.readyCount, 0))
  assert.equal(again.delayed.count, 25_001)
  again.advance(1100)
  assert.deepEqual(again.bodies(), ["new"])
})
