import type { CommitFailure, CommitScope } from "./commit-scope.ts"
import type { Turn, TurnSession } from "./turn.ts"

/**
 * Messages that were copied from one queue to another (dead letters) and are still unacknowledged in
 * the first: they are settled there once a commit round has made the copy safe.
 *
 *   1. the copy is appended to its queue, and written at the end of the turn
 *   2. the round that covers the write ends without error
 *   3. the original is settled
 *
 * A crash before 3 leaves both. One per broker; takes part in the turn like a client connection. A round
 * may cover moves from a thousand queues, each with a file to write: of 3, a turn does only so much.
 */

/** A queue that messages are moved from. */
export interface MovedFrom {
  readonly durable: boolean
  /** The message is settled. It may have been deleted with its queue. */
  settleMoved(segment: number, position: number, size: number, bodySize: number): void
}

/** Moves that are settled in one turn, and the queues they may come from. */
const MOVES_PER_TURN = 2048
const QUEUES_PER_TURN = 16

/** Four numbers per move. */
const STRIDE = 4
const CAPACITY_MIN = 64
/** Numbers in a batch that is kept for later. */
const SPARE_MAX = 65_536
/** A round that has not begun. */
const ROUND_UNKNOWN = -1

/** Moves that wait for the same round. */
interface Batch {
  round: number
  count: number
  queues: MovedFrom[]
  /** Where the copies went. */
  targets: CommitScope[]
  numbers: Float64Array
}

export class SettledMoves implements TurnSession {
  inTurn = false
  readonly #turn: Turn
  /** Some write has failed, perhaps a copy's. */
  readonly #hasFailedWrites: () => boolean
  /** Moves of this turn. */
  #current = newBatch()
  /** The disk has refused their copies; they wait until it takes everything again. */
  #refused = newBatch()
  /** By rising round. */
  readonly #waiting: Batch[] = []
  /** Their round has ended well. */
  readonly #safe: Batch[] = []
  /** Moves of the first safe batch that are settled. */
  #settledCount = 0
  readonly #queuesOfTurn = new Set<MovedFrom>()
  #spare: Batch | null = null

  constructor(turn: Turn, hasFailedWrites: () => boolean) {
    this.#turn = turn
    this.#hasFailedWrites = hasFailedWrites
  }

  /** Messages that are in both queues at present. */
  get count(): number {
    let count = this.#current.count + this.#refused.count - this.#settledCount
    for (const batch of this.#waiting) count += batch.count
    for (const batch of this.#safe) count += batch.count
    return count
  }

  /** `target` is where the copy went. */
  add(
    queue: MovedFrom,
    target: CommitScope,
    segment: number,
    position: number,
    size: number,
    bodySize: number,
  ): void {
    const batch = this.#current
    const at = batch.count * STRIDE
    if (at === batch.numbers.length) grow(batch)
    batch.targets[batch.count] = target
    batch.queues[batch.count++] = queue
    const { numbers } = batch
    numbers[at] = segment
    numbers[at + 1] = position
    numbers[at + 2] = size
    numbers[at + 3] = bodySize
    if (!this.inTurn) this.#turn.markSession(this)
  }

  /** End of the turn: the copies are written, and covered by `round`. */
  settle(round: number, completedRound: number, writeFailed: boolean): void {
    const batch = this.#current
    if (batch.count > 0) {
      this.#current = this.#spare ?? newBatch()
      this.#spare = null
      if (writeFailed || this.#hasFailedWrites())
        takeOut(batch, (target) => target.hasFailedWrites, this.#refused)
      batch.round = round
      if (batch.count > 0) this.#waiting.push(batch)
    }
    const refused = this.#refused
    if (refused.count > 0 && !this.#hasFailedWrites()) {
      // They were written since, in this turn or an earlier one.
      refused.round = Math.max(round, this.#turn.lastRound)
      this.#waiting.push(refused)
      this.#refused = newBatch()
    }
    this.#roundEnded(completedRound)
    this.#release(MOVES_PER_TURN, QUEUES_PER_TURN)
  }

  flush(): void {}

  continueReading(): void {}

  /**
   * A commit round ended. Nobody knows which of the copies that its failure hits are on the disk: their
   * originals stay unacknowledged, and come again with the next start.
   */
  roundCompleted(round: number, failure: CommitFailure | null): void {
    if (failure !== null)
      for (const batch of this.#waiting)
        if (batch.round <= round) takeOut(batch, (target) => target.isHitBy(failure), null)
    this.#roundEnded(round)
    this.#release(MOVES_PER_TURN, QUEUES_PER_TURN)
    // What a failing disk kept back goes with a later round.
    if (this.#current.count > 0 || this.#refused.count > 0) this.#turn.markSession(this)
  }

  /** The broker stops: all that is safe is settled now. */
  close(): void {
    this.#release(Infinity, Infinity)
  }

  #roundEnded(completedRound: number): void {
    const waiting = this.#waiting
    while (waiting.length > 0 && waiting[0]!.round <= completedRound)
      this.#safe.push(waiting.shift()!)
  }

  /** What is left goes on in the next turn. */
  #release(movesMax: number, queuesMax: number): void {
    let left = movesMax
    while (this.#safe.length > 0 && left > 0) {
      const batch = this.#safe[0]!
      const end = Math.min(batch.count, this.#settledCount + left)
      const settled = this.#settleUntil(batch, end, queuesMax)
      left -= settled
      if (this.#settledCount === batch.count) {
        this.#settledCount = 0
        this.#safe.shift()
        this.#keep(batch)
      } else if (settled === 0) break // There were enough queues.
    }
    this.#queuesOfTurn.clear()
    if (this.#safe.length > 0) this.#turn.markSession(this)
  }

  /** Returns how many were settled. */
  #settleUntil(batch: Batch, end: number, queuesMax: number): number {
    const { numbers, queues } = batch
    const queuesOfTurn = this.#queuesOfTurn
    const start = this.#settledCount
    let last: MovedFrom | null = null
    for (let i = start, at = start * STRIDE; i < end; i++, at += STRIDE) {
      const queue = queues[i]!
      if (queue !== last && !queuesOfTurn.has(queue)) {
        if (queuesOfTurn.size >= queuesMax) return i - start
        queuesOfTurn.add(queue)
      }
      last = queue
      queue.settleMoved(numbers[at]!, numbers[at + 1]!, numbers[at + 2]!, numbers[at + 3]!)
      this.#settledCount = i + 1
    }
    return end - start
  }

  #keep(batch: Batch): void {
    if (batch.numbers.length > SPARE_MAX) return
    batch.queues.length = 0
    batch.targets.length = 0
    batch.count = 0
    batch.round = ROUND_UNKNOWN
    this.#spare = batch
  }
}

function newBatch(): Batch {
  return {
    round: ROUND_UNKNOWN,
    count: 0,
    queues: [],
    targets: [],
    numbers: new Float64Array(CAPACITY_MIN * STRIDE),
  }
}

function grow(batch: Batch): void {
  const numbers = new Float64Array(batch.numbers.length * 2)
  numbers.set(batch.numbers)
  batch.numbers = numbers
}

/** Takes the moves to such targets out of a batch, into another one if there is one. The others keep their order. */
function takeOut(
  batch: Batch,
  isTaken: (target: CommitScope) => boolean,
  other: Batch | null,
): void {
  let kept = 0
  for (let i = 0; i < batch.count; i++) {
    if (isTaken(batch.targets[i]!)) {
      if (other !== null) copyMove(batch, i, other, other.count++)
    } else copyMove(batch, i, batch, kept++)
  }
  batch.count = kept
  batch.queues.length = kept
  batch.targets.length = kept
}

function copyMove(from: Batch, index: number, to: Batch, at: number): void {
  if ((at + 1) * STRIDE > to.numbers.length) grow(to)
  to.queues[at] = from.queues[index]!
  to.targets[at] = from.targets[index]!
  to.numbers.set(from.numbers.subarray(index * STRIDE, (index + 1) * STRIDE), at * STRIDE)
}
