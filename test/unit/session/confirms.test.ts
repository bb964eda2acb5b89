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
    this.tracker.roundCompleted(round, isFailed)
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
