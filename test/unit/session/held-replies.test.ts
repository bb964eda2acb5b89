/** Replies that wait for the disk keep their order, and nothing overtakes them. */
import assert from "node:assert/strict"
import { test } from "node:test"
import * as fc from "fast-check"
import { HeldReplies } from "../../../src/session/held-replies.ts"
import { RUNS } from "./support.ts"

test("a reply waits for the round of its turn, those behind it wait with it", () => {
  const held = new HeldReplies()
  const sent: string[] = []
  held.add(() => sent.push("declare-ok"), true)
  held.add(() => sent.push("get-ok"), false)
  assert.equal(held.hasNew, true)
  held.release(7) // A round that ends before the turn does covers nothing of it.
  assert.equal(sent.length, 0)
  held.assignRound(8)
  assert.equal(held.hasNew, false)
  held.add(() => sent.push("bind-ok"), true)
  assert.equal(held.isWaitingFor(7), false)
  assert.equal(held.isWaitingFor(8), true)
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

test("replies go out in order and not before their round, whatever the rounds do", () => {
  const turns = fc.array(
    fc.record({
      replies: fc.array(fc.boolean(), { maxLength: 5 }),
      completions: fc.integer({ min: 0, max: 2 }),
    }),
    { maxLength: 30 },
  )
  fc.assert(
    fc.property(turns, (list) => {
      const held = new HeldReplies()
      const roundOf: number[] = []
      const sent: number[] = []
      let completed = 0
      let round = 0
      let blockedUntil = 0
      const complete = (next: number): void => {
        completed = next
        held.release(completed)
        for (const [index, wanted] of roundOf.entries())
          assert.equal(sent.includes(index), wanted <= completed, `reply ${index}`)
      }
      for (const { replies, completions } of list) {
        round = Math.min(round + 1, completed + 2)
        for (const isDurable of replies) {
          const index = roundOf.length
          if (isDurable) blockedUntil = round
          roundOf.push(blockedUntil)
          if (!isDurable && held.isEmpty) sent.push(index)
          else held.add(() => sent.push(index), isDurable)
        }
        held.assignRound(round)
        held.release(completed)
        for (let i = 0; i < completions && completed < round; i++) complete(completed + 1)
      }
      while (completed < round) complete(completed + 1)
      assert.deepEqual(
        sent,
        roundOf.map((_, index) => index),
      )
      assert.equal(held.isEmpty, true)
    }),
    RUNS,
  )
})
