/** Publisher confirms, seen from the publisher: a set of numbers that are not answered yet. */
import assert from "node:assert/strict"
import { test } from "node:test"
import * as fc from "fast-check"
import {
  CONFIRM_DURABLE,
  CONFIRM_READY,
  CONFIRM_REFUSED,
  ConfirmTracker,
} from "../../../src/session/confirms.ts"
import { RUNS } from "./support.ts"
import { FAILURE_EVERYWHERE, failureAt, Place } from "../../support/commit-scopes.ts"

const ROUND_UNKNOWN = -1

interface Published {
  readonly state: number
  /** Unknown until the turn of the publish has ended. */
  round: number
  isFailed: boolean
}

/** The client's side. Throws as soon as an answer is wrong. */
class Publisher {
  readonly tracker = new ConfirmTracker(this)
  readonly waiting = new Map<number, Published>()
  readonly answers: string[] = []
  readonly #ofThisTurn: Published[] = []
  #last = 0
  completedRound = 0

  writeConfirm(sequence: number, multiple: boolean, isAck: boolean): void {
    this.answers.push(`${isAck ? "ack" : "nack"} ${sequence}${multiple ? "*" : ""}`)
    assert.ok(this.waiting.has(sequence), `${sequence} is answered once`)
    for (const [number, published] of this.waiting) {
      if (number > sequence || (number < sequence && !multiple)) continue
      this.waiting.delete(number)
      assert.equal(isAck, this.#mayAck(published), `${this.answers.at(-1)} covers ${number}`)
    }
  }

  #mayAck({ state, round, isFailed }: Published): boolean {
    if (state === CONFIRM_REFUSED || isFailed) return false
    if (state === CONFIRM_DURABLE)
      assert.ok(
        round !== ROUND_UNKNOWN && round <= this.completedRound,
        "no confirm before its round",
      )
    return true
  }

  publish(state: number): void {
    this.tracker.add(state)
    const published = { state, round: ROUND_UNKNOWN, isFailed: false }
    this.waiting.set(++this.#last, published)
    this.#ofThisTurn.push(published)
  }

  endTurn(round: number, isWriteFailed = false): void {
    for (const published of this.#ofThisTurn.splice(0)) {
      published.round = round
      if (isWriteFailed && published.state === CONFIRM_DURABLE) published.isFailed = true
    }
    this.tracker.settle(round, this.completedRound, isWriteFailed)
    for (const { state, isFailed } of this.waiting.values())
      assert.ok(state === CONFIRM_DURABLE && !isFailed, "only durable messages wait for the disk")
    this.#check()
  }

  completeRound(round: number, isFailed = false): void {
    this.completedRound = round
    if (isFailed)
      for (const published of this.waiting.values())
        if (published.round !== ROUND_UNKNOWN && published.round <= round) published.isFailed = true
    this.tracker.roundCompleted(round, isFailed ? FAILURE_EVERYWHERE : null)
    this.#check()
  }

  #check(): void {
    const [oldest] = this.waiting.values()
    if (oldest === undefined) return
    assert.ok(this.tracker.isWaiting, "something waits")
    if (oldest.round !== ROUND_UNKNOWN)
      assert.ok(oldest.round > this.completedRound, "what is on disk is answered at once")
  }
}

const turns = fc.array(
  fc.record({
    publishes: fc.array(
      fc.tuple(
        fc.constantFrom(CONFIRM_READY, CONFIRM_DURABLE, CONFIRM_DURABLE, CONFIRM_REFUSED),
        fc.integer({ min: 1, max: 5 }),
      ),
      { maxLength: 6 },
    ),
    /** False: nothing was written, so that the turn's round is the completed one. */
    isTouched: fc.boolean(),
    isWriteFailed: fc.integer({ min: 0, max: 9 }).map((value) => value === 0),
    /** Rounds that end behind it. */
    completions: fc.integer({ min: 0, max: 2 }),
    isRoundFailed: fc.integer({ min: 0, max: 5 }).map((value) => value === 0),
  }),
  { maxLength: 120 },
)

test("every publish is answered once, as it ended, and not before it is on disk", () => {
  fc.assert(
    fc.property(turns, (list) => {
      const publisher = new Publisher()
      let lastRound = 0
      for (const turn of list) {
        for (const [state, count] of turn.publishes)
          for (let i = 0; i < count; i++) publisher.publish(state)
        // As the group commit numbers them: one round in flight, all later turns wait for the next.
        if (turn.isTouched) lastRound = Math.min(lastRound + 1, publisher.completedRound + 2)
        publisher.endTurn(turn.isTouched ? lastRound : publisher.completedRound, turn.isWriteFailed)
        for (let i = 0; i < turn.completions && publisher.completedRound < lastRound; i++)
          publisher.completeRound(publisher.completedRound + 1, turn.isRoundFailed)
      }
      while (publisher.completedRound < lastRound)
        publisher.completeRound(publisher.completedRound + 1)
      assert.equal(publisher.waiting.size, 0, "all are answered")
      assert.equal(publisher.tracker.isWaiting, false)
      assert.equal(publisher.tracker.unconfirmedCount, 0)
    }),
    RUNS,
  )
})

function answersOf(run: (publisher: Publisher) => void): string[] {
  const publisher = new Publisher()
  run(publisher)
  return publisher.answers
}

test("a turn of transient messages is answered by one cumulative ack", () => {
  const answers = answersOf((publisher) => {
    for (let i = 0; i < 100; i++) publisher.publish(CONFIRM_READY)
    publisher.endTurn(0)
  })
  assert.deepEqual(answers, ["ack 100*"])
})

test("a single answer is not cumulative", () => {
  const answers = answersOf((publisher) => {
    publisher.publish(CONFIRM_READY)
    publisher.endTurn(0)
    publisher.publish(CONFIRM_REFUSED)
    publisher.endTurn(0)
  })
  assert.deepEqual(answers, ["ack 1", "nack 2"])
})

test("the messages of several rounds are answered round by round", () => {
  const answers = answersOf((publisher) => {
    for (let round = 1; round <= 2; round++) {
      for (let i = 0; i < 10; i++) publisher.publish(CONFIRM_DURABLE)
      publisher.endTurn(round)
    }
    publisher.completeRound(1)
    publisher.completeRound(2)
  })
  assert.deepEqual(answers, ["ack 10*", "ack 20*"])
})

test("a transient message passes a durable one that waits, and is not answered again", () => {
  const answers = answersOf((publisher) => {
    publisher.publish(CONFIRM_DURABLE)
    publisher.publish(CONFIRM_READY)
    publisher.publish(CONFIRM_READY)
    publisher.publish(CONFIRM_DURABLE)
    publisher.endTurn(1)
    publisher.completeRound(1)
  })
  assert.deepEqual(answers, ["ack 2", "ack 3", "ack 1", "ack 4"])
})

test("a refused message between accepted ones gets its own nack", () => {
  const answers = answersOf((publisher) => {
    for (const state of [CONFIRM_READY, CONFIRM_READY, CONFIRM_REFUSED, CONFIRM_READY])
      publisher.publish(state)
    publisher.endTurn(0)
  })
  assert.deepEqual(answers, ["ack 2*", "nack 3", "ack 4"])
})

test("a round that failed refuses what waited for it and nothing else", () => {
  const answers = answersOf((publisher) => {
    publisher.publish(CONFIRM_DURABLE)
    publisher.publish(CONFIRM_DURABLE)
    publisher.endTurn(1)
    publisher.publish(CONFIRM_DURABLE)
    publisher.endTurn(2)
    publisher.completeRound(1, true)
    publisher.completeRound(2)
  })
  assert.deepEqual(answers, ["nack 2*", "ack 3"])
})

test("a failed write refuses the durable messages of its turn, although older ones still wait", () => {
  const answers = answersOf((publisher) => {
    publisher.publish(CONFIRM_DURABLE)
    publisher.endTurn(1)
    publisher.publish(CONFIRM_DURABLE)
    publisher.endTurn(2, true)
    assert.deepEqual(publisher.answers, ["nack 2"])
    publisher.completeRound(1)
  })
  assert.deepEqual(answers, ["nack 2", "ack 1"])
})

test("a channel behind a disk that is always one round late is answered for hours", () => {
  const publisher = new Publisher()
  for (let turn = 1; turn <= 10_000; turn++) {
    publisher.publish(CONFIRM_DURABLE)
    publisher.publish(CONFIRM_READY)
    publisher.endTurn(turn)
    if (turn > 1) publisher.completeRound(turn - 1)
  }
  assert.equal(publisher.waiting.size, 1)
  publisher.completeRound(10_000)
  assert.equal(publisher.tracker.unconfirmedCount, 0)
})

class Answers {
  readonly list: string[] = []

  writeConfirm(sequence: number, multiple: boolean, isAck: boolean): void {
    this.list.push(`${isAck ? "ack" : "nack"} ${String(sequence)}${multiple ? "*" : ""}`)
  }
}

test("a failed round refuses only what it may have hit", () => {
  const [a, b, c] = ["a", "b", "c"].map((name) => new Place(name))
  const answers = new Answers()
  const tracker = new ConfirmTracker(answers)
  tracker.add(CONFIRM_DURABLE, 3, a)
  tracker.settle(1, 0, false)
  tracker.add(CONFIRM_DURABLE, 1, a)
  tracker.add(CONFIRM_DURABLE, 1, b)
  tracker.add(CONFIRM_DURABLE, 1, a)
  tracker.settle(2, 0, false)
  tracker.add(CONFIRM_DURABLE, 1, c)
  tracker.settle(3, 0, false)
  tracker.roundCompleted(1, failureAt("b", "c"))
  assert.deepEqual(answers.list, ["ack 3*"])
  // What one channel published in one turn to several places shares their fate.
  tracker.roundCompleted(2, failureAt("b"))
  tracker.roundCompleted(3, failureAt("b"))
  assert.deepEqual(answers.list, ["ack 3*", "nack 6*", "ack 7"])
})

test("a failed write refuses only what went there in its turn", () => {
  const full = new Place("full")
  const fine = new Place("fine")
  const answers = new Answers()
  const tracker = new ConfirmTracker(answers)
  tracker.add(CONFIRM_DURABLE, 1, full)
  tracker.settle(1, 0, false)
  full.hasFailedWrites = true
  tracker.add(CONFIRM_DURABLE, 1, fine)
  tracker.settle(2, 0, true)
  tracker.add(CONFIRM_DURABLE, 1, full)
  tracker.settle(3, 0, true)
  tracker.add(CONFIRM_DURABLE)
  tracker.settle(3, 0, true)
  assert.deepEqual(answers.list, ["nack 3", "nack 4"])
  tracker.roundCompleted(1, null)
  tracker.roundCompleted(2, null)
  assert.deepEqual(answers.list, ["nack 3", "nack 4", "ack 1", "ack 2"])
})

test("a turn with very many places is refused by any failure", () => {
  const verdicts = [16, 17].map((count) => {
    const answers = new Answers()
    const tracker = new ConfirmTracker(answers)
    for (let i = 0; i < count; i++) tracker.add(CONFIRM_DURABLE, 1, new Place(String(i)))
    tracker.settle(1, 0, false)
    tracker.roundCompleted(1, failureAt("elsewhere"))
    return answers.list
  })
  assert.deepEqual(verdicts, [["ack 16*"], ["nack 17*"]])
})
