/** Replies that wait for the disk keep their order, and nothing overtakes them. */
import assert from "node:assert/strict"
import { test } from "node:test"
import * as fc from "fast-check"
import { HeldReplies } from "../../../src/session/held-replies.ts"
import { RUNS } from "./support.ts"
import { FAILURE_EVERYWHERE, failureAt, Place } from "../../support/commit-scopes.ts"

test("a reply waits for the round of its turn, those behind it wait with it", () => {
  const held = new HeldReplies()
  const sent: string[] = []
  held.add(() => sent.push("declare-ok"), true)
  held.add(() => sent.push("get-ok"), false)
  assert.equal(held.hasFailedWrites, true)
  held.release(7) // A round that ends before the turn does covers nothing of it.
  assert.equal(sent.length, 0)
  held.assignRound(8)
  assert.equal(held.hasFailedWrites, false)
  held.add(() => sent.push("bind-ok"), true)
  assert.equal(held.isHitBy(FAILURE_EVERYWHERE, 7), false)
  assert.equal(held.isHitBy(FAILURE_EVERYWHERE, 8), true)
  held.release(8)
  assert.deepEqual(sent, ["declare-ok", "get-ok"])
  assert.equal(held.isEmpty, false)
  held.assignRound(9)
  held.release(9)
  assert.deepEqual(sent, ["declare-ok", "get-ok", "bind-ok"])
  assert.equal(held.isEmpty, true)
})

test("a reply that adds another one while it is sent is followed by it", () => {
  const held = new HeldReplies()
  const sent: number[] = []
  held.add(() => {
    sent.push(1)
    held.add(() => sent.push(3), false)
  }, true)
  held.add(() => sent.push(2), false)
  held.assignRound(1)
  held.release(1)
  assert.deepEqual(sent, [1, 2, 3])
  assert.equal(held.isEmpty, true)
})

test("a reply that throws is not sent again", () => {
  const held = new HeldReplies()
  const sent: number[] = []
  held.add(() => {
    sent.push(1)
    throw new Error("broken")
  }, true)
  held.add(() => sent.push(2), false)
  held.assignRound(1)
  assert.throws(() => held.release(1), /broken/)
  held.release(1)
  assert.deepEqual(sent, [1, 2])
})

/** Replies by index, the round each must wait for, and what went out. */
class Checked {
  readonly held = new HeldReplies()
  readonly roundOf: number[] = []
  readonly sent: number[] = []
  completed = 0
  round = 0
  #blockedUntil = 0

  turn(replies: readonly boolean[]): void {
    this.round = Math.min(this.round + 1, this.completed + 2)
    for (const isDurable of replies) {
      const index = this.roundOf.length
      if (isDurable) this.#blockedUntil = this.round
      this.roundOf.push(this.#blockedUntil)
      if (!isDurable && this.held.isEmpty) this.sent.push(index)
      else this.held.add(() => this.sent.push(index), isDurable)
    }
    this.held.assignRound(this.round)
    this.held.release(this.completed)
  }

  complete(count: number): void {
    for (let i = 0; i < count && this.completed < this.round; i++) {
      this.held.release(++this.completed)
      for (const [index, round] of this.roundOf.entries())
        assert.equal(this.sent.includes(index), round <= this.completed, `reply ${index}`)
    }
  }
}

test("replies go out in order and not before their round, whatever the rounds do", () => {
  const turns = fc.array(
    fc.tuple(fc.array(fc.boolean(), { maxLength: 5 }), fc.integer({ min: 0, max: 2 })),
    { maxLength: 30 },
  )
  fc.assert(
    fc.property(turns, (list) => {
      const checked = new Checked()
      for (const [replies, completions] of list) {
        checked.turn(replies)
        checked.complete(completions)
      }
      checked.complete(Number.POSITIVE_INFINITY)
      assert.deepEqual(
        checked.sent,
        checked.roundOf.map((_, index) => index),
      )
      assert.equal(checked.held.isEmpty, true)
    }),
    RUNS,
  )
})

test("a failure concerns the replies that wait for what it hits, and for its round or an earlier one", () => {
  const held = new HeldReplies()
  const place = new Place("a")
  held.add(() => {}, false)
  held.add(() => {}, true, new Place("b"))
  held.add(() => {}, true, place)
  assert.equal(held.hasFailedWrites, false)
  place.hasFailedWrites = true
  assert.equal(held.hasFailedWrites, true)
  assert.equal(held.isHitBy(FAILURE_EVERYWHERE, 5), false, "their turn has not ended")
  held.assignRound(5)
  assert.equal(held.hasFailedWrites, false, "those of the turn only")
  assert.equal(held.isHitBy(failureAt("a"), 4), false)
  assert.equal(held.isHitBy(failureAt("a"), 5), true)
  assert.equal(held.isHitBy(failureAt("c"), 5), false)
})
