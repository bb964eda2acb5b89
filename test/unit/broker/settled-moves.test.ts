/** Moves are settled in their queue when the round that covers the copy has ended well. */
import assert from "node:assert/strict"
import { test } from "node:test"
import { ANYWHERE } from "../../../src/broker/commit-scope.ts"
import type { CommitFailure, CommitScope } from "../../../src/broker/commit-scope.ts"
import { SettledMoves, type MovedFrom } from "../../../src/broker/settled-moves.ts"
import { Turn } from "../../../src/broker/turn.ts"
import { ManualClock } from "../../../src/util/clock.ts"
import { FAILURE_EVERYWHERE, failureAt, Place } from "../../support/commit-scopes.ts"

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

  readonly #queues = new Map<string, MovedFrom>()

  add(position: number, queue = "q", target: CommitScope = ANYWHERE): void {
    this.moves.add(this.#queue(queue), target, 1, position, 30, 10)
  }

  #queue(name: string): MovedFrom {
    let queue = this.#queues.get(name)
    if (queue === undefined) {
      queue = {
        durable: true,
        settleMoved: (...numbers) => void this.settled.push([name, ...numbers].join(" ")),
      }
      this.#queues.set(name, queue)
    }
    return queue
  }

  complete(round: number, failure: CommitFailure | null = null): void {
    this.commit.completedRound = round
    this.moves.roundCompleted(round, failure)
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
  bed.complete(1, FAILURE_EVERYWHERE)
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
  for (let turn = 0; turn < 10; turn++) bed.turn.run()
  assert.equal(bed.settled.length, 15_000)
  assert.equal(bed.settled[12_345], "q 1 32345 30 10")
})

test("a turn settles moves of a few queues only, and the order stays", () => {
  const bed = new Bed()
  for (let i = 0; i < 300; i++) bed.add(i, `q${String(i % 100)}`)
  bed.turn.run()
  bed.complete(1)
  assert.ok(bed.settled.length < 100, `settled ${String(bed.settled.length)}`)
  assert.equal(bed.moves.count, 300 - bed.settled.length)
  bed.add(1000)
  bed.turn.run()
  bed.complete(bed.commit.requested, FAILURE_EVERYWHERE)
  for (let turn = 0; turn < 100; turn++) bed.turn.run()
  assert.equal(bed.settled.length, 300, "the round of these had ended well")
  assert.equal(bed.settled[299], "q99 1 299 30 10")
  assert.equal(bed.moves.count, 0)
})

test("two queues in turn are no more than two queues", () => {
  const bed = new Bed()
  for (let i = 0; i < 1000; i++) bed.add(i, i % 2 === 0 ? "even" : "odd")
  bed.turn.run()
  bed.complete(1)
  assert.equal(bed.settled.length, 1000)
})

test("a broker that stops settles all that is safe", () => {
  const bed = new Bed()
  for (let i = 0; i < 300; i++) bed.add(i, `q${String(i)}`)
  bed.turn.run()
  bed.complete(1)
  bed.moves.close()
  assert.equal(bed.settled.length, 300)
})

test("moves to other places do not suffer from a round that failed, or a write", () => {
  const bed = new Bed()
  const good = new Place("good")
  const bad = new Place("bad")
  for (let i = 0; i < 100; i++) bed.add(i, "q", i % 2 === 0 ? good : bad)
  bed.turn.run()
  bed.complete(1, failureAt("bad"))
  assert.equal(bed.settled.length, 50)
  assert.ok(bed.settled.every((line) => Number(line.split(" ")[2]) % 2 === 0))
  assert.equal(bed.moves.count, 0, "the others come again with the next start")
  bed.hasFailedWrites = true
  bad.hasFailedWrites = true
  for (let i = 100; i < 200; i++) bed.add(i, "q", i % 2 === 0 ? good : bad)
  bed.turn.run()
  bed.complete(bed.commit.requested)
  assert.equal(bed.settled.length, 100)
  assert.equal(bed.moves.count, 50, "these copies are not on disk")
  bed.hasFailedWrites = false
  bad.hasFailedWrites = false
  bed.turn.markSession(bed.moves)
  bed.turn.run()
  assert.equal(bed.settled.length, 100, "their round has begun and not ended")
  bed.complete(bed.commit.requested)
  assert.equal(bed.settled.length, 150)
  assert.deepEqual(bed.settled.at(-1), "q 1 199 30 10")
  assert.equal(bed.moves.count, 0)
})
