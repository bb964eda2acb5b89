/** A change by the management is answered when its commit round has ended, and refused if that failed. */
import assert from "node:assert/strict"
import { test } from "node:test"
import { DurableChanges } from "../../../src/broker/durable-changes.ts"
import type { RoundWaiter } from "../../../src/broker/durable-changes.ts"
import { Refusal } from "../../../src/broker/errors.ts"
import { Turn } from "../../../src/broker/turn.ts"
import { ManualClock } from "../../../src/util/clock.ts"
import { FAILURE_EVERYWHERE, failureAt, Place } from "../../support/commit-scopes.ts"

interface Bed {
  readonly turn: Turn
  readonly changes: DurableChanges
  readonly waiters: Set<RoundWaiter>
  readonly commit: { completedRound: number; next: number; request(): number }
}

function bed(): Bed {
  const commit = {
    completedRound: 0,
    next: 1,
    request() {
      return this.next
    },
  }
  const turn = new Turn(new ManualClock(), commit, () => {})
  const waiters = new Set<RoundWaiter>()
  return { turn, changes: new DurableChanges(turn, waiters), waiters, commit }
}

async function stateOf(promise: Promise<void>): Promise<string> {
  const pending = new Promise<string>((resolve) => setImmediate(() => resolve("pending")))
  const settled = promise.then(
    () => "resolved",
    (error: unknown) => (error instanceof Refusal ? "refused" : "failed"),
  )
  return Promise.race([settled, pending])
}

test("it waits for the round of its turn, not for an earlier one", async () => {
  const { turn, changes, waiters, commit } = bed()
  commit.next = 2
  const settled = changes.settled()
  turn.run()
  assert.equal(await stateOf(settled), "pending")
  assert.ok(waiters.has(changes))
  assert.ok(changes.roundCompleted(1, null), "it waits for another")
  assert.equal(await stateOf(settled), "pending")
  assert.equal(changes.roundCompleted(2, null), false)
  assert.equal(await stateOf(settled), "resolved")
})

test("without anything to write it is answered with the turn", async () => {
  const { turn, changes, waiters, commit } = bed()
  commit.next = 0
  const settled = changes.settled()
  turn.run()
  assert.equal(await stateOf(settled), "resolved")
  assert.equal(waiters.size, 0)
})

test("a round that failed and a write that failed are refusals", async () => {
  const { turn, changes } = bed()
  const first = changes.settled()
  turn.run()
  changes.roundCompleted(1, FAILURE_EVERYWHERE)
  assert.equal(await stateOf(first), "refused")
  const writable = { failed: true, lastError: { code: "ENOSPC" }, write: () => {} }
  turn.markWritable(writable)
  const second = changes.settled()
  turn.run()
  assert.equal(await stateOf(second), "refused")
})

test("a failure elsewhere is no concern of a change that says where it went", async () => {
  const { turn, changes } = bed()
  const place = new Place("a")
  const first = changes.settled(place)
  turn.markWritable({ failed: true, lastError: { code: "ENOSPC" }, write: () => {} })
  turn.run()
  changes.roundCompleted(1, failureAt("b"))
  assert.equal(await stateOf(first), "resolved")
  const second = changes.settled(place)
  turn.run()
  changes.roundCompleted(2, failureAt("a"))
  assert.equal(await stateOf(second), "refused")
})
