/** The ledger itself: a check that finds nothing would let the crash test pass on anything. */
import assert from "node:assert/strict"
import { test } from "node:test"
import { QueueLedger } from "./ledger.ts"
import type { Found } from "./ledger.ts"

/** 1 to 4 published, 1 to 3 confirmed, 1 acknowledged for certain, 2 perhaps. */
function sampleLedger(): QueueLedger {
  const ledger = new QueueLedger("q")
  for (const id of [1, 2, 3, 4]) ledger.published(id)
  for (const id of [1, 2, 3]) ledger.confirmed(id)
  ledger.acknowledged(1)
  ledger.startRoundTrip()()
  ledger.acknowledged(2)
  return ledger
}

function found(...ids: readonly number[]): Found[] {
  return ids.map((id) => ({ id, isWhole: true }))
}

test("every state that a crash may leave is accepted", () => {
  for (const ids of [[3], [2, 3], [3, 4], [2, 3, 4]])
    assert.deepEqual(sampleLedger().compare(found(...ids)), [])
})

test("every broken promise is found", () => {
  const cases: readonly (readonly [found: Found[], problem: RegExp])[] = [
    [found(2, 4), /message 3 was confirmed and is lost/],
    [found(1, 3), /message 1 came back after its ack/],
    [found(3, 2), /message 2 comes after 3/],
    [found(3, 3), /message 3 is there twice/],
    [found(3, 9), /message 9 was never published here/],
    [[{ id: 3, isWhole: false }], /message 3 has another body/],
  ]
  for (const [state, problem] of cases) {
    const problems = sampleLedger().compare(state)
    assert.equal(problems.length, 1)
    assert.match(problems[0]!, problem)
  }
})

test("what was not in the queue after a crash may not come back", () => {
  const ledger = sampleLedger()
  ledger.settle(found(3))
  assert.deepEqual(ledger.compare(found(3)), [])
  assert.match(ledger.compare(found(3, 4))[0]!, /message 4 came back/)
  assert.match(ledger.compare([])[0]!, /message 3 was confirmed and is lost/)
})
