/** Deliveries that were returned while their tags stay outstanding, looking at all of them, and giving room back. */
import assert from "node:assert/strict"
import { test } from "node:test"
import * as fc from "fast-check"
import { RETURNED, Unacked, UnackedWindow } from "../../../src/session/unacked.ts"
import { RUNS } from "./support.ts"

const entry = new Unacked()

function add(window: UnackedWindow, tag: number): void {
  window.add(tag, (tag % 5) + 1, tag * 2, tag * 3, tag * 4, tag * 5)
}

function tagsOf(window: UnackedWindow, first = 1, last = Infinity): number[] {
  const tags: number[] = []
  window.forEach(first, last, (tag, source, segment, position, size) => {
    assert.deepEqual([source, segment, position, size], [(tag % 5) + 1, tag * 2, tag * 3, tag * 4])
    tags.push(tag)
    return true
  })
  return tags
}

test("all outstanding deliveries are shown in order, without those that were returned", () => {
  const steps = fc.array(
    fc.record({
      gap: fc.oneof(
        { weight: 20, arbitrary: fc.constant(0) },
        { weight: 1, arbitrary: fc.integer({ min: 1, max: 5000 }) },
      ),
      take: fc.nat({ max: 40 }),
      giveBack: fc.nat({ max: 40 }),
    }),
    { maxLength: 200 },
  )
  fc.assert(
    fc.property(steps, fc.nat(), fc.nat(), (list, from, to) => {
      const window = new UnackedWindow()
      const outstanding: number[] = []
      const returned = new Set<number>()
      let last = 0
      for (const { gap, take, giveBack } of list) {
        last += 1 + gap
        add(window, last)
        outstanding.push(last)
        const taken = outstanding[take]
        if (taken !== undefined) {
          assert.ok(window.take(taken, entry))
          assert.equal(entry.source, returned.has(taken) ? RETURNED : (taken % 5) + 1)
          outstanding.splice(take, 1)
        }
        const back = outstanding[giveBack]
        if (back === undefined) continue
        assert.equal(window.markReturned(back, entry), !returned.has(back))
        if (!returned.has(back)) assert.equal(entry.position, back * 3)
        returned.add(back)
      }
      const kept = outstanding.filter((tag) => !returned.has(tag))
      assert.deepEqual(tagsOf(window), kept)
      const first = from % (last + 2)
      const end = to % (last + 2)
      assert.deepEqual(
        tagsOf(window, first, end),
        kept.filter((tag) => tag >= first && tag <= end),
      )
      assert.equal(window.count, outstanding.length)
      for (const tag of outstanding) assert.equal(window.takeLowest(last, entry), tag)
      assert.equal(window.count, 0)
    }),
    RUNS,
  )
})

test("what is not outstanding cannot be returned", () => {
  const window = new UnackedWindow()
  add(window, 1)
  assert.ok(!window.markReturned(2, entry))
  assert.ok(window.take(1, entry))
  assert.ok(!window.markReturned(1, entry))
})

test("looking ends when the visitor says so", () => {
  const window = new UnackedWindow()
  for (let tag = 1; tag <= 10; tag++) add(window, tag)
  let seen = 0
  assert.ok(!window.forEach(1, Infinity, () => ++seen < 3))
  assert.equal(seen, 3)
})

test("a window that was large is small again once it is empty, and works on", () => {
  const window = new UnackedWindow()
  for (let tag = 1; tag <= 100_000; tag++) add(window, tag)
  for (let tag = 1; tag < 100_000; tag++) assert.ok(window.take(tag, entry))
  window.shrink() // One is outstanding: nothing happens.
  assert.deepEqual(tagsOf(window), [100_000])
  assert.ok(window.take(100_000, entry))
  window.shrink()
  for (let tag = 100_001; tag <= 101_000; tag++) add(window, tag)
  window.restore(
    50,
    Object.assign(new Unacked(), { source: 1, segment: 100, position: 150, size: 200 }),
  )
  assert.deepEqual(tagsOf(window).length, 1001)
  for (let i = 0; i < 1001; i++) assert.notEqual(window.takeLowest(Infinity, entry), 0)
})
