/** The end of a turn: its one order, and that nothing waits which could be done. */
import assert from "node:assert/strict"
import { test } from "node:test"
import type { Queue } from "../../../src/broker/queue/queue.ts"
import { Turn, type TurnSession, type Writable } from "../../../src/broker/turn.ts"
import { ManualClock } from "../../../src/util/clock.ts"

class HandClock extends ManualClock {
  readonly immediates: (() => void)[] = []

  override setImmediate(callback: () => void): void {
    this.immediates.push(callback)
  }

  /** Ends event-loop turns until nothing is scheduled. */
  runImmediates(): number {
    let count = 0
    for (let next = this.immediates.shift(); next !== undefined; next = this.immediates.shift()) {
      assert.ok(count++ < 1000, "turns must come to an end")
      next()
    }
    return count
  }
}

class Fixture {
  readonly events: string[] = []
  readonly clock = new HandClock()
  readonly failedWritables: Writable[] = []
  completedRound = 3
  readonly turn = new Turn(
    this.clock,
    {
      completedRound: 3,
      request: () => {
        this.events.push("commit")
        return 4
      },
    },
    (writable) => this.failedWritables.push(writable),
  )

  /** Delivers in batches until it has handed out `count`. */
  queue(name: string, count = 1, onDeliver: () => void = () => {}): Queue {
    let left = count
    const queue = {
      inTurn: false,
      deliver: (limit: number): boolean => {
        const batch = Math.min(limit, left)
        left -= batch
        this.events.push(`deliver ${name} ${batch}`)
        onDeliver()
        return batch === limit
      },
    }
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- All that the turn sees of it.
    return queue as unknown as Queue
  }

  writable(name: string, failed = false): Writable {
    const lastError = failed ? { code: "ENOSPC" } : null
    return { failed, lastError, write: () => this.events.push(`write ${name}`) }
  }

  session(name: string, onSettle: () => void = () => {}): TurnSession {
    return {
      inTurn: false,
      continueReading: () => {},
      settle: (round, completedRound, writeFailed) => {
        this.events.push(`settle ${name} ${round} ${completedRound}${writeFailed ? " failed" : ""}`)
        onSettle()
      },
      flush: () => this.events.push(`flush ${name}`),
    }
  }

  run(): string[] {
    this.clock.runImmediates()
    return this.events.splice(0)
  }
}

test("a turn delivers, writes, commits, settles and flushes, in this order", () => {
  const fixture = new Fixture()
  const { turn } = fixture
  turn.markSession(fixture.session("s"))
  turn.markWritable(fixture.writable("w"))
  turn.markQueue(fixture.queue("q"))
  assert.deepEqual(fixture.run(), ["deliver q 1", "write w", "commit", "settle s 4 3", "flush s"])
  assert.deepEqual(fixture.run(), [])
})

test("whoever is marked twice has one place", () => {
  const fixture = new Fixture()
  const session = fixture.session("s")
  const queue = fixture.queue("q")
  for (let i = 0; i < 2; i++) {
    fixture.turn.markSession(session)
    fixture.turn.markQueue(queue)
  }
  assert.equal(fixture.clock.immediates.length, 1, "scheduled once")
  assert.equal(fixture.run().length, 4)
})

test("what is marked while the turn delivers is written and flushed by the same turn", () => {
  const fixture = new Fixture()
  const session = fixture.session("s")
  const queue = fixture.queue("q", 1, () => {
    fixture.turn.markSession(session)
    fixture.turn.markWritable(fixture.writable("acks"))
  })
  fixture.turn.markQueue(queue)
  fixture.turn.run()
  assert.deepEqual(fixture.events, [
    "deliver q 1",
    "write acks",
    "commit",
    "settle s 4 3",
    "flush s",
  ])
})

test("what is marked while the turn settles gets the next turn", () => {
  const fixture = new Fixture()
  const late = fixture.queue("late")
  fixture.turn.markSession(fixture.session("s", () => fixture.turn.markQueue(late)))
  assert.deepEqual(fixture.run(), ["commit", "settle s 4 3", "flush s", "deliver late 1", "commit"])
})

test("a queue with much to deliver lets others in between", () => {
  const fixture = new Fixture()
  fixture.turn.markQueue(fixture.queue("long", 10_000))
  fixture.turn.markQueue(fixture.queue("short"))
  assert.deepEqual(
    fixture.run().filter((event) => event !== "commit"),
    ["deliver long 4096", "deliver short 1", "deliver long 4096", "deliver long 1808"],
  )
})

test("a failed write is reported, refuses what waits for it, and is forgotten with its turn", () => {
  const fixture = new Fixture()
  const session = fixture.session("s")
  const broken = fixture.writable("w", true)
  fixture.turn.markWritable(broken)
  fixture.turn.markSession(session)
  assert.deepEqual(fixture.run(), ["write w", "commit", "settle s 4 3 failed", "flush s"])
  assert.deepEqual(fixture.failedWritables, [broken])
  fixture.turn.markSession(session)
  assert.deepEqual(fixture.run(), ["commit", "settle s 4 3", "flush s"])
})

test("a flood of input ends the turn before the event loop does", () => {
  const fixture = new Fixture()
  fixture.turn.markSession(fixture.session("s"))
  fixture.turn.noteInput(64 << 10)
  assert.deepEqual(fixture.events, [])
  fixture.turn.noteInput(64 << 10)
  assert.deepEqual(fixture.events, ["commit", "settle s 4 3", "flush s"])
  fixture.events.length = 0
  fixture.turn.noteInput(64 << 10)
  assert.deepEqual(fixture.events, [], "the count starts anew")
})

test("after a reply the loop polls for a moment, and then rests", () => {
  const fixture = new Fixture()
  fixture.turn.expectRequest()
  const count = fixture.clock.runImmediates()
  assert.ok(count > 1 && count < 400, `${count} turns`)
})

test("clients that take their time are polled for now and then only", () => {
  const fixture = new Fixture()
  let polled = 0
  for (let i = 0; i < 1000; i++) {
    fixture.turn.expectRequest()
    if (fixture.clock.runImmediates() > 0) polled++
  }
  assert.ok(polled >= 8 && polled < 40, `${polled} of 1000`)
  while (fixture.clock.runImmediates() === 0) fixture.turn.expectRequest()
  for (let i = 0; i < 70; i++) fixture.turn.expectRequest()
  fixture.turn.beginInput() // A request that comes while the loop polls.
  fixture.clock.runImmediates()
  for (let i = 0; i < 5; i++) {
    fixture.turn.expectRequest()
    assert.ok(fixture.clock.runImmediates() > 1, "the next replies are followed by polling again")
  }
})

test("the clock is asked once for all that comes in one turn", () => {
  const fixture = new Fixture()
  let refreshed = 0
  fixture.clock.refresh = () => void refreshed++
  for (let i = 0; i < 3; i++) {
    fixture.turn.beginInput()
    fixture.turn.noteInput(10)
  }
  assert.equal(refreshed, 1)
  assert.equal(fixture.clock.runImmediates(), 1, "input ends the turn even if it changed nothing")
  const after = refreshed
  fixture.turn.beginInput()
  assert.equal(refreshed, after + 1)
})
