/** The window of unacknowledged deliveries against a sorted map of the same deliveries. */
import assert from "node:assert/strict"
import { test } from "node:test"
import * as fc from "fast-check"
import { Unacked, UnackedWindow } from "../../../src/session/unacked.ts"
import { RUNS } from "./support.ts"
import { cpuMs } from "../../support/cpu-time.ts"

/** What a delivery consists of, made from its tag so that a mix-up shows. */
function entryOf(tag: number): Unacked {
  const entry = new Unacked()
  entry.fill((tag % 7) + 1, (tag * 3) >>> 0, (tag * 5) >>> 0, (tag * 7) >>> 0, (tag * 11) >>> 0)
  return entry
}

function add(window: UnackedWindow, tag: number): void {
  const { source, segment, position, size, bodySize } = entryOf(tag)
  window.add(tag, source, segment, position, size, bodySize)
}

/** Every operation on the window and on a map whose keys stay sorted. */
class Checked {
  readonly window = new UnackedWindow()
  readonly model = new Set<number>()
  #last = 0
  /** Nothing below it is outstanding. */
  #searchFrom = 1

  add(gap: number): number {
    this.#last += 1 + gap
    add(this.window, this.#last)
    this.model.add(this.#last)
    return this.#last
  }

  take(tag: number): boolean {
    const into = new Unacked()
    assert.equal(this.window.has(tag), this.model.has(tag), `has(${tag})`)
    const taken = this.window.take(tag, into)
    assert.equal(taken, this.model.delete(tag), `take(${tag})`)
    if (taken) assert.deepEqual(into, entryOf(tag))
    return taken
  }

  takeLowest(last: number): number {
    const into = new Unacked()
    const lowest = this.lowest
    const expected = lowest <= last ? lowest : 0
    assert.equal(this.window.takeLowest(last, into), expected, `takeLowest(${last})`)
    if (expected === 0) return 0
    assert.deepEqual(into, entryOf(expected))
    this.model.delete(expected)
    return expected
  }

  restore(tag: number): void {
    this.window.restore(tag, entryOf(tag))
    this.model.add(tag)
    if (tag < this.#searchFrom) this.#searchFrom = tag
  }

  get lowest(): number {
    if (this.model.size === 0) return 0
    while (!this.model.has(this.#searchFrom)) this.#searchFrom++
    return this.#searchFrom
  }

  get last(): number {
    return this.#last
  }

  check(): void {
    assert.equal(this.window.count, this.model.size)
    assert.equal(this.window.lowestTag, this.lowest)
  }

  /** Takes everything, which must come in order. */
  drain(): void {
    const expected = [...this.model].toSorted((left, right) => left - right)
    for (const tag of expected) assert.equal(this.takeLowest(Number.MAX_SAFE_INTEGER), tag)
    this.check()
  }
}

type Step =
  | { readonly kind: "add"; readonly count: number; readonly gap: number }
  | { readonly kind: "take"; readonly at: number }
  | { readonly kind: "takeLowest"; readonly count: number; readonly at: number }
  | { readonly kind: "restore"; readonly count: number }
  | { readonly kind: "thin"; readonly keepEvery: number }

const steps = fc.array(
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        kind: fc.constant("add" as const),
        count: fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 6000 })),
        gap: fc.oneof(
          { weight: 6, arbitrary: fc.constant(0) },
          { weight: 2, arbitrary: fc.integer({ min: 1, max: 30 }) },
          { weight: 1, arbitrary: fc.integer({ min: 1000, max: 20_000 }) },
        ),
      }),
    },
    {
      weight: 6,
      arbitrary: fc.record({
        kind: fc.constant("take" as const),
        at: fc.double({ min: 0, max: 1, noNaN: true }),
      }),
    },
    {
      weight: 6,
      arbitrary: fc.record({
        kind: fc.constant("takeLowest" as const),
        count: fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 6000 })),
        at: fc.double({ min: 0, max: 1, noNaN: true }),
      }),
    },
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant("restore" as const),
        count: fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 3000 })),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constant("thin" as const),
        keepEvery: fc.integer({ min: 2, max: 2000 }),
      }),
    },
  ),
  { minLength: 1, maxLength: 30 },
)

/** A tag at this fraction of the range that was ever given out, a little beyond it too. */
function tagAt(checked: Checked, fraction: number): number {
  return Math.round(fraction * (checked.last + 2))
}

function run(checked: Checked, step: Step, taken: number[]): void {
  switch (step.kind) {
    case "add":
      for (let i = 0; i < step.count; i++) checked.add(i === 0 ? step.gap : 0)
      break
    case "take": {
      const tag = tagAt(checked, step.at)
      if (checked.take(tag)) taken.push(tag)
      break
    }
    case "takeLowest":
      for (let i = 0; i < step.count; i++) {
        const tag = checked.takeLowest(tagAt(checked, step.at))
        if (tag === 0) break
        taken.push(tag)
      }
      break
    case "thin":
      for (const tag of checked.model)
        if (tag % step.keepEvery !== 0 && checked.take(tag)) taken.push(tag)
      break
    case "restore":
      for (let i = 0; i < step.count && taken.length > 0; i++) checked.restore(taken.pop()!)
      break
  }
  checked.check()
}

test("the window holds what a sorted map holds, whatever is added, taken and given back", () => {
  fc.assert(
    fc.property(steps, (list) => {
      const checked = new Checked()
      const taken: number[] = []
      for (const step of list) run(checked, step, taken)
      checked.drain()
    }),
    { ...RUNS, numRuns: 200 },
  )
})

test("a window that was never used has nothing to take", () => {
  const window = new UnackedWindow()
  assert.equal(window.count, 0)
  assert.equal(window.lowestTag, 0)
  assert.equal(window.has(1), false)
  assert.equal(window.take(1, new Unacked()), false)
  assert.equal(window.takeLowest(Number.MAX_SAFE_INTEGER, new Unacked()), 0)
})

test("tags 0, of settled deliveries and of the future are not outstanding", () => {
  const checked = new Checked()
  for (let i = 0; i < 100; i++) checked.add(0)
  checked.take(50)
  for (const tag of [0, 50, 101, 150, 2 ** 32 + 1, 2 ** 53]) {
    assert.equal(checked.window.has(tag), false, String(tag))
    assert.equal(checked.window.take(tag, new Unacked()), false, String(tag))
  }
  checked.drain()
})

test("one delivery that is never settled does not make the window grow with the 100,000 after it", () => {
  const checked = new Checked()
  const old = checked.add(0)
  const before = process.memoryUsage().arrayBuffers
  for (let i = 0; i < 100_000; i++) assert.ok(checked.take(checked.add(0)))
  const grown = process.memoryUsage().arrayBuffers - before
  checked.check()
  assert.equal(checked.lowest, old)
  assert.ok(grown < 1 << 20, `${grown} bytes for one delivery`)
  checked.drain()
})

test("deliveries left behind all over 100,000 others come back in order", () => {
  const checked = new Checked()
  for (let i = 0; i < 100_000; i++) {
    const tag = checked.add(0)
    if (tag % 5003 !== 1) checked.take(tag)
  }
  assert.equal(checked.model.size, 20)
  checked.drain()
})

test("100,000 outstanding deliveries are settled in any order", () => {
  const checked = new Checked()
  for (let i = 0; i < 100_000; i++) checked.add(0)
  for (let i = 0; i < 100_000; i++) assert.ok(checked.take(((i * 7919) % 100_000) + 1))
  checked.check()
  assert.equal(checked.model.size, 0)
})

test("a delivery that is given back between two that were moved out keeps its place", () => {
  const checked = new Checked()
  for (let i = 0; i < 4096; i++) checked.add(0)
  checked.take(2)
  for (let tag = 4; tag <= 4096; tag++) checked.take(tag)
  checked.add(0) // Too far from 1 and 3, which are moved out.
  checked.restore(2)
  checked.check()
  for (const tag of [3, 1, 2]) assert.ok(checked.take(tag), `tag ${tag} is outstanding`)
  checked.drain()
})

test("what was given back last is found beside what is delivered next", () => {
  const checked = new Checked()
  for (let i = 0; i < 20; i++) checked.add(0)
  for (let tag = 1; tag <= 20; tag++) checked.take(tag)
  for (let tag = 20; tag >= 1; tag--) checked.restore(tag)
  for (let i = 0; i < 20; i++) checked.add(3)
  checked.drain()
})

test("100,000 deliveries are given back in the time of a sort", () => {
  const checked = new Checked()
  for (let i = 0; i < 100_000; i++) checked.take(checked.add(0))
  const startMs = cpuMs()
  for (let tag = 100_000; tag >= 1; tag--) checked.restore(tag)
  checked.drain()
  assert.ok(cpuMs() - startMs < 5000)
})

test("tags beyond 32 bits are told apart", () => {
  const window = new UnackedWindow()
  const base = 2 ** 32 - 5
  for (let i = 0; i < 10; i++) add(window, base + i)
  const into = new Unacked()
  for (let i = 9; i >= 0; i--) {
    assert.ok(window.take(base + i, into))
    assert.deepEqual(into, entryOf(base + i))
    assert.equal(window.has(i), false)
  }
  assert.equal(window.count, 0)
})

test("a long run of deliveries without acknowledgement between two others costs nothing", () => {
  const window = new UnackedWindow()
  add(window, 1)
  add(window, 50_000_000)
  assert.equal(window.count, 2)
  const into = new Unacked()
  for (const tag of [1, 50_000_000]) {
    assert.equal(window.takeLowest(Number.MAX_SAFE_INTEGER, into), tag)
    assert.deepEqual(into, entryOf(tag))
  }
})

/** Deliveries of 10 bytes each, with holes in tags and positions at random. */
const runSteps = fc.array(
  fc.record({
    count: fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 5000 })),
    tagGap: fc.constantFrom(0, 0, 0, 1, 3000),
    positionGap: fc.constantFrom(0, 0, 0, 16),
    source: fc.constantFrom(1, 1, 1, 2),
    segment: fc.constantFrom(1, 1, 1, 2),
    size: fc.constantFrom(10, 10, 10, 11),
    takeAt: fc.double({ min: 0, max: 1, noNaN: true }),
    last: fc.double({ min: 0, max: 1, noNaN: true }),
  }),
  { minLength: 1, maxLength: 25 },
)

test("a run is made of neighbours in tags and in the store, and of all of them", () => {
  fc.assert(
    fc.property(runSteps, (list) => {
      const window = new UnackedWindow()
      const model = new Map<number, Unacked>()
      const into = new Unacked()
      let tag = 0
      let position = 0
      for (const { count, tagGap, positionGap, source, segment, size, takeAt, last } of list) {
        tag += tagGap
        position += positionGap
        for (let i = 0; i < count; i++, position += size) {
          const entry = new Unacked()
          entry.fill(source, segment, position, size, 4)
          window.add(++tag, source, segment, position, size, 4)
          model.set(tag, entry)
        }
        const one = Math.ceil(takeAt * tag)
        assert.equal(window.take(one, into), model.delete(one))
        const end = Math.ceil(last * tag)
        for (;;) {
          const taken = window.takeRun(end, into)
          const [first] = model.keys()
          if (first === undefined || first > end) {
            assert.equal(taken, 0)
            break
          }
          const entry = model.get(first)!
          assert.deepEqual(into, entry)
          for (let i = 0; i < taken; i++) {
            const expected = new Unacked()
            const at = entry.position + i * entry.size
            expected.fill(entry.source, entry.segment, at, entry.size, 4)
            assert.deepEqual(model.get(first + i), expected)
            model.delete(first + i)
          }
          assert.equal(window.count, model.size)
          assert.equal(window.lowestTag, model.keys().next().value ?? 0)
        }
      }
    }),
    { ...RUNS, numRuns: 150 },
  )
})
