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
  numbers: Float64Array
}

export class SettledMoves implements TurnSession {
  inTurn = false
  readonly #turn: Turn
  /** A write has failed and nobody knows whether it was a copy's. */
  readonly #hasFailedWrites: () => boolean
  /** Moves of this turn. */
  #current = newBatch()
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
    let count = this.#current.count - this.#settledCount
    for (const batch of this.#waiting) count += batch.count
    for (const batch of this.#safe) count += batch.count
    return count
  }

  add(queue: MovedFrom, segment: number, position: number, size: number, bodySize: number): void {
    const batch = this.#current
    const at = batch.count * STRIDE
    if (at === batch.numbers.length) grow(batch)
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
    if (batch.count > 0 && !writeFailed && !this.#hasFailedWrites()) {
      batch.round = round
      this.#waiting.push(batch)
      this.#current = this.#spare ?? newBatch()
      this.#spare = null
    }
    this.#roundEnded(completedRound)
    this.#release(MOVES_PER_TURN, QUEUES_PER_TURN)
  }

  flush(): void {}

  continueReading(): void {}

  /**
   * A commit round ended. If it failed, nobody knows what of it is on the disk: the originals stay
   * unacknowledged, and come again with the next start.
   */
  roundCompleted(round: number, failed: boolean): void {
    if (failed)
      while (this.#waiting.length > 0 && this.#waiting[0]!.round <= round) this.#waiting.shift()
    else this.#roundEnded(round)
    this.#release(MOVES_PER_TURN, QUEUES_PER_TURN)
    // What a failing disk kept back goes with a later round.
    if (this.#current.count > 0) this.#turn.markSession(this)
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
    numbers: new Float64Array(CAPACITY_MIN * STRIDE),
  }
}

function grow(batch: Batch): void {
  const numbers = new Float64Array(batch.numbers.length * 2)
  numbers.set(batch.numbers)
  batch.numbers = numbers
}
