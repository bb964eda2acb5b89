/** Who gets the next message: highest priority with capacity, in turn among equals. */
import assert from "node:assert/strict"
import { test } from "node:test"
import * as fc from "fast-check"
import { EMPTY_TABLE } from "../../../src/amqp/table.ts"
import type { Subscriber } from "../../../src/broker/consumer.ts"
import { Dispatcher } from "../../../src/broker/queue/dispatcher.ts"
import { cpuMs } from "../../support/cpu-time.ts"
import { chooseSeed } from "../../support/seed.ts"

const RUNS = { numRuns: 300, seed: chooseSeed("dispatcher") | 0 } as const

class FakeSubscriber implements Subscriber {
  readonly tag: string
  readonly noAck = false
  readonly exclusive: boolean
  readonly priority: number
  readonly arguments = EMPTY_TABLE
  cancelled = false
  parked = false
  credit: number
  askedCount = 0

  constructor(tag: string, priority = 0, credit = Number.POSITIVE_INFINITY, exclusive = false) {
    this.tag = tag
    this.priority = priority
    this.credit = credit
    this.exclusive = exclusive
  }

  hasCapacity(): boolean {
    this.askedCount++
    return this.credit > 0
  }

  passOn(): void {}

  deliver(): void {
    this.credit--
  }

  queueDeleted(): void {}
}

function dispatcherOf(...subscribers: FakeSubscriber[]): Dispatcher {
  const dispatcher = new Dispatcher()
  for (const subscriber of subscribers) dispatcher.add(subscriber)
  return dispatcher
}

/** Hands out up to `count` messages; the tags of who got them. */
function tagsOf(dispatcher: Dispatcher, count: number): string {
  const tags: string[] = []
  for (let i = 0; i < count; i++) {
    const next = dispatcher.next()
    if (!(next instanceof FakeSubscriber)) break
    next.deliver()
    tags.push(next.tag)
  }
  return tags.join("")
}

test("equal subscribers take turns in the order in which they came", () => {
  const dispatcher = dispatcherOf(...["a", "b", "c"].map((tag) => new FakeSubscriber(tag)))
  assert.equal(tagsOf(dispatcher, 7), "abcabca")
})

test("lower priorities get what higher ones have no capacity for", () => {
  const high = new FakeSubscriber("h", 10, 2)
  const dispatcher = dispatcherOf(
    new FakeSubscriber("l", -1),
    high,
    new FakeSubscriber("m", 0, 3),
    new FakeSubscriber("n", 0, 1),
  )
  assert.equal(tagsOf(dispatcher, 8), "hhmnmmll")
  high.credit = 1
  dispatcher.unpark(high)
  assert.equal(tagsOf(dispatcher, 3), "hll")
})

test("a subscriber without capacity is not asked again until it is unparked", () => {
  const blocked = new FakeSubscriber("b", 0, 0)
  const dispatcher = dispatcherOf(blocked, new FakeSubscriber("a"))
  assert.equal(tagsOf(dispatcher, 50), "a".repeat(50))
  assert.equal(blocked.askedCount, 1)
  assert.equal(blocked.parked, true)
  blocked.credit = 1
  dispatcher.unpark(blocked)
  dispatcher.unpark(blocked)
  assert.equal(blocked.parked, false)
  assert.equal(tagsOf(dispatcher, 3), "aba")
})

test("a cancelled subscriber gets nothing, whether it waited or not", () => {
  const [a, b, c] = [
    new FakeSubscriber("a"),
    new FakeSubscriber("b", 0, 0),
    new FakeSubscriber("c"),
  ]
  const dispatcher = dispatcherOf(a, b, c)
  assert.equal(tagsOf(dispatcher, 2), "ac")
  dispatcher.remove(a)
  dispatcher.remove(b)
  b.credit = 5
  dispatcher.unpark(b)
  assert.equal(tagsOf(dispatcher, 3), "ccc")
  assert.equal(dispatcher.size, 1)
  dispatcher.remove(c)
  dispatcher.remove(c)
  assert.equal(dispatcher.next(), null)
  assert.equal(dispatcher.size, 0)
})

test("the exclusive subscriber is known until it leaves", () => {
  const only = new FakeSubscriber("x", 0, 1, true)
  const dispatcher = dispatcherOf(only)
  assert.equal(dispatcher.exclusive, only)
  dispatcher.remove(only)
  assert.equal(dispatcher.exclusive, null)
})

test("consumers that come and go with ever new priorities leave nothing behind", () => {
  const dispatcher = dispatcherOf(new FakeSubscriber("s", -1))
  const churn = (from: number, credit: number): void => {
    for (let i = 0; i < 3000; i++) {
      const passing = new FakeSubscriber("p", from + i, credit)
      dispatcher.add(passing)
      dispatcher.next()
      dispatcher.remove(passing)
    }
  }
  churn(0, 1)
  churn(1_000_000, 0)
  assert.equal(dispatcher.groupCount, 1)
})

test("ten thousand consumers leave in a moment, and those that stay keep their turn", () => {
  const leaving = Array.from({ length: 10_000 }, () => new FakeSubscriber("x"))
  const dispatcher = dispatcherOf(...leaving, new FakeSubscriber("a"), new FakeSubscriber("b"))
  const startMs = cpuMs()
  for (const subscriber of leaving) dispatcher.remove(subscriber)
  assert.ok(cpuMs() - startMs < 500)
  assert.equal(tagsOf(dispatcher, 4), "abab")
})

/** The same rules on plain arrays. */
class Model {
  readonly present = new Map<number, FakeSubscriber>()
  readonly #ready: FakeSubscriber[] = []

  add(at: number, subscriber: FakeSubscriber): void {
    this.present.set(at, subscriber)
    this.#ready.push(subscriber)
  }

  remove(at: number, subscriber: FakeSubscriber): void {
    this.present.delete(at)
    this.#leave(subscriber)
  }

  unpark(subscriber: FakeSubscriber): void {
    if (!this.#ready.includes(subscriber)) this.#ready.push(subscriber)
  }

  next(): FakeSubscriber | null {
    for (;;) {
      const highest = Math.max(...this.#ready.map(({ priority }) => priority))
      const first = this.#ready.find(({ priority }) => priority === highest)
      if (first === undefined) return null
      this.#leave(first)
      if (first.credit <= 0) continue
      this.#ready.push(first)
      return first
    }
  }

  #leave(subscriber: FakeSubscriber): void {
    const at = this.#ready.indexOf(subscriber)
    if (at >= 0) this.#ready.splice(at, 1)
  }
}

type Step = readonly [string, number, number]

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.tuple(
    fc.constantFrom("add", "remove", "credit", "next", "next", "next"),
    fc.nat({ max: 11 }),
    fc.integer({ min: 0, max: 4 }),
  ),
  { maxLength: 150 },
)

function run(dispatcher: Dispatcher, model: Model, [kind, at, amount]: Step): void {
  const subscriber = model.present.get(at)
  if (kind === "next") {
    const expected = model.next()
    assert.equal(dispatcher.next(), expected)
    expected?.deliver()
  } else if (subscriber === undefined) {
    if (kind !== "add") return
    const added = new FakeSubscriber(String(at), at % 3, amount)
    model.add(at, added)
    dispatcher.add(added)
  } else if (kind === "remove") {
    model.remove(at, subscriber)
    dispatcher.remove(subscriber)
  } else if (kind === "credit") {
    subscriber.credit = amount
    if (amount === 0) return
    if (subscriber.parked) model.unpark(subscriber)
    dispatcher.unpark(subscriber)
  }
}

test("subscribers that come, go, block and wake up get what the rules give them", () => {
  fc.assert(
    fc.property(steps, (list) => {
      const dispatcher = new Dispatcher()
      const model = new Model()
      for (const step of list) {
        run(dispatcher, model, step)
        assert.equal(dispatcher.size, model.present.size)
        assert.ok(dispatcher.groupCount <= 3)
      }
    }),
    RUNS,
  )
})

// ---- single active consumer

function singleOf(...subscribers: FakeSubscriber[]): Dispatcher {
  const dispatcher = new Dispatcher(true)
  for (const subscriber of subscribers) dispatcher.add(subscriber)
  return dispatcher
}

test("a single active consumer is the first one, whatever the priorities", () => {
  const [a, b, c] = [new FakeSubscriber("a"), new FakeSubscriber("b", 9), new FakeSubscriber("c")]
  const dispatcher = singleOf(a, b, c)
  assert.equal(tagsOf(dispatcher, 3), "aaa")
  assert.equal(dispatcher.isActive(a), true)
  assert.equal(dispatcher.isActive(b), false)
  dispatcher.remove(b)
  assert.equal(tagsOf(dispatcher, 1), "a")
  dispatcher.remove(a)
  assert.equal(dispatcher.active, c)
  assert.equal(tagsOf(dispatcher, 2), "cc")
  dispatcher.remove(c)
  assert.equal(dispatcher.active, null)
  assert.equal(dispatcher.size, 0)
  dispatcher.add(new FakeSubscriber("d"))
  assert.equal(tagsOf(dispatcher, 1), "d")
})

test("an active consumer without room keeps its place, and loses it when it leaves", () => {
  const [a, b] = [new FakeSubscriber("a", 0, 1), new FakeSubscriber("b")]
  const dispatcher = singleOf(a, b)
  assert.equal(tagsOf(dispatcher, 3), "a")
  assert.equal(a.parked, true)
  dispatcher.unpark(b) // It waits for its turn, not for room.
  assert.equal(tagsOf(dispatcher, 3), "")
  a.credit = 2
  dispatcher.unpark(a)
  assert.equal(tagsOf(dispatcher, 3), "aa")
  dispatcher.remove(a)
  assert.equal(tagsOf(dispatcher, 2), "bb")
})

test("whoever comes and goes, the oldest that is left is active", () => {
  const step = fc.record({ isAdd: fc.boolean(), at: fc.nat(5), credit: fc.nat(3) })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (list) => {
      const dispatcher = new Dispatcher(true)
      const present: FakeSubscriber[] = []
      for (const [index, { isAdd, at, credit }] of list.entries()) {
        if (isAdd) {
          const added = new FakeSubscriber(String(index), at, credit)
          present.push(added)
          dispatcher.add(added)
        } else if (present.length > 0) {
          const [removed] = present.splice(at % present.length, 1)
          dispatcher.remove(removed!)
        }
        const active = present[0] ?? null
        assert.equal(dispatcher.active, active)
        const next = dispatcher.next()
        assert.equal(next, active !== null && active.credit > 0 && !active.parked ? active : null)
        if (active !== null && active.parked) {
          active.credit = 1
          dispatcher.unpark(active)
          assert.equal(dispatcher.next(), active)
        }
      }
    }),
    RUNS,
  )
})
