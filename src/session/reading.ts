import type { Turn, TurnSession } from "../broker/turn.ts"
import type { Transport } from "./transport.ts"

/**
 * Whether one connection is read from, and what was received but must not be parsed yet. There are
 * four reasons to stop: it has had its share of a round of the event loop (a flooding publisher is
 * not read from again before everybody else has been), it publishes to so many queues that little input
 * is much work, an alarm holds a publisher up, or the client
 * does not take what it asked for.
 */

/** Bytes read from one connection in one round of the event loop: some 4,000 small publishes, half a millisecond. */
const LOOP_INPUT_BYTES_MAX = 256 << 10
/**
 * The same while consumers with a prefetch limit cannot keep up: they need rounds of the loop, because
 * each brings their acknowledgements, and one round serves them no more than their prefetch.
 */
const BACKLOG_INPUT_BYTES_MAX = 64 << 10

export class Reading {
  isPaused = false
  /** Held up: what was received is kept instead of parsed. */
  isHeldByAlarm = false
  isHeldByOutput = false
  isHeldForOthers = false
  #isResting = false
  #kept: Buffer[] = []
  #loop = 0
  #bytes = 0
  readonly #transport: Transport
  readonly #turn: Turn

  constructor(transport: Transport, turn: Turn) {
    this.#transport = transport
    this.#turn = turn
  }

  /** Of the session, which rests when it has had its share; the turn calls its continueReading() then. */
  count(size: number, session: TurnSession): void {
    const turn = this.#turn
    if (this.#loop !== turn.loopCount) {
      this.#loop = turn.loopCount
      this.#bytes = 0
    }
    this.#bytes += size
    const max = turn.hasBacklog ? BACKLOG_INPUT_BYTES_MAX : LOOP_INPUT_BYTES_MAX
    if (this.#bytes < max || this.isPaused) return
    this.#isResting = true
    this.pause()
    turn.rest(session)
  }

  /** Until the turn calls continueReading(): what is received until then is kept. */
  holdForOthers(session: TurnSession): void {
    if (this.isHeldForOthers) return
    this.isHeldForOthers = true
    this.pause()
    this.#turn.rest(session)
  }

  get isHeld(): boolean {
    return this.isHeldByAlarm || this.isHeldByOutput || this.isHeldForOthers
  }

  endRest(): void {
    this.isHeldForOthers = false
    this.#isResting = false
  }

  pause(): void {
    if (this.isPaused) return
    this.isPaused = true
    this.#transport.pause()
  }

  /** Unless there is still a reason not to. */
  resume(): void {
    if (!this.isPaused || this.#isResting || this.isHeld) return
    this.isPaused = false
    this.#transport.resume()
  }

  /** Copies what is received while the connection is held up. */
  keep(bytes: Buffer): void {
    this.#kept.push(Buffer.from(bytes))
  }

  /** As keep(), for bytes that came before all that is kept. */
  keepFirst(bytes: Buffer): void {
    this.#kept.unshift(Buffer.from(bytes))
  }

  /** All that was kept, in order. */
  takeKept(): Buffer {
    const pieces = this.#kept
    this.#kept = []
    return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces)
  }

  /** The connection ends: nothing holds it up any more. */
  release(): void {
    this.#kept = []
    this.isHeldByAlarm = false
    this.isHeldByOutput = false
    this.isHeldForOthers = false
  }
}
