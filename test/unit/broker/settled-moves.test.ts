/** Moves are settled in their queue when the round that covers the copy has ended well. */
import assert from "node:assert/strict"
import { test } from "node:test"
import { SettledMoves } from "../../../src/broker/settled-moves.ts"
import { Turn } from "../../../src/broker/turn.ts"
import { ManualClock } from "../../../src/util/clock.ts"

class HandClock extends ManualClock {
  override setImmediate(): void {}
}

class Bed {
  readonly settled: string[] = []
  readonly commit = { completedRound: 0, requested: 0, request: (): number => this.#request() }
  readonly turn = new Turn(new HandClock(), this.commit, () => {})
  hasFailedWrites = false
  readonly moves = new SettledMoves(this.turn, () => this.hasFailedWrites)
  isTouched = true

  #request(): number {
    if (!this.isTouched) return this.commit.completedRound
    return ++this.commit.requested
  }

  add(position: number, queue = "q"): void {
    this.moves.add(
      {
        durable: true,
        settleMoved: (segment, at, size, bodySize) =>
          void this.settled.push([queue, segment, at, size, bodySize].join(" ")),
      },
      1,
      position,
      30,
      10,
    )
  }

  complete(round: number, failed = false): void {
    this.commit.completedRound = round
    this.moves.roundCompleted(round, failed)
    this.turn.run()
  }
}

test("a move waits for its round", () => {
  const bed = new Bed()
  bed.add(5)
  bed.turn.run()
  assert.deepEqual(bed.settled, [])
  assert.equal(bed.moves.count, 1)
  bed.add(6)
  bed.turn.run()
  bed.complete(1)
  assert.deepEqual(bed.settled, ["q 1 5 30 10"])
  bed.complete(2)
  assert.deepEqual(bed.settled, ["q 1 5 30 10", "q 1 6 30 10"])
  assert.equal(bed.moves.count, 0)
})

test("without anything to sync it is settled in its own turn", () => {
  const bed = new Bed()
  bed.isTouched = false
  bed.add(1)
  bed.turn.run()
  assert.equal(bed.settled.length, 1)
})

test("what a failed round covers is not settled", () => {
  const bed = new Bed()
  bed.add(1)
  bed.turn.run()
  bed.add(2)
  bed.turn.run()
  bed.complete(1, true)
  bed.complete(2)
  assert.deepEqual(bed.settled, ["q 1 2 30 10"])
})

test("while a write fails, moves wait for a round after it", () => {
  const bed = new Bed()
  bed.hasFailedWrites = true
  bed.add(1)
  bed.turn.run()
  bed.complete(1)
  assert.deepEqual(bed.settled, [])
  bed.hasFailedWrites = false
  bed.complete(2) // The move gets its round in the turn after it.
  bed.complete(bed.commit.requested)
  assert.equal(bed.settled.length, 1)
})

test("thousands of moves come out as they went in", () => {
  const bed = new Bed()
  for (let round = 1; round <= 3; round++) {
    for (let i = 0; i < 5000; i++) bed.add(round * 10_000 + i)
    bed.turn.run()
  }
  bed.complete(3)
  assert.equal(bed.settled.length, 15_000)
  assert.equal(bed.settled[12_345], "q 1 32345 30 10")
})
