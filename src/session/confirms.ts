import { ANYWHERE, CommitScopes } from "../broker/commit-scope.ts"
import type { CommitFailure, CommitScope } from "../broker/commit-scope.ts"

/**
 * Publisher confirms of one channel (RabbitMQ's extension, class 85). Publishes are numbered from 1
 * and kept as runs of equal state, not one by one: a run ends where the state changes, so a channel
 * that only publishes persistent messages has one run per turn.
 *
 * A confirm never overtakes its sync, and a cumulative one (`multiple`) never covers a number that
 * is still pending or was refused. A failure of the disk refuses the runs that it may have hit: a run
 * knows where its messages went, and shares the fate of all its places.
 */
export const CONFIRM_READY = 0
/** Persistent in a durable queue: waits for the commit round of its turn. */
export const CONFIRM_DURABLE = 1
export const CONFIRM_REFUSED = 2
/** Confirmed one by one while an older one still waits. */
const CONFIRM_SENT = 3

/** A durable run of the current turn, whose round is not known yet. */
const ROUND_UNKNOWN = -1

interface Run {
  /** Last publish number of the run; it begins after the end of the run before. */
  end: number
  state: number
  round: number
  /** Time stamp of its first publish. */
  readonly stamp: number
  /** Where its messages went. */
  scope: CommitScope
}

/** Measures how long publishers wait for their confirms (broker/message-counters.ts). */
export interface ConfirmLatency {
  stamp(): number
  /** So many publishes that came at `stamp` are confirmed now. */
  note(stamp: number, count: number): void
}

const UNMEASURED: ConfirmLatency = { stamp: () => 0, note() {} }

/** Writes basic.ack or basic.nack. */
export interface ConfirmWriter {
  writeConfirm(sequence: number, multiple: boolean, isAck: boolean): void
}

export class ConfirmTracker {
  /** Number of the latest publish. */
  #last = 0
  /** Everything up to here was answered. */
  #answered = 0
  /** Everything up to here may be answered: transient publishes before which nothing waits need no run. */
  #readyEnd = 0
  /** When the first of them came that is not answered. */
  #readyStamp = 0
  #runs: Run[] = []
  #head = 0
  /** Runs behind the head that could be answered out of order: transient and refused ones. */
  #hasReadyBehind = false
  readonly #writer: ConfirmWriter
  readonly #latency: ConfirmLatency

  constructor(writer: ConfirmWriter, latency: ConfirmLatency = UNMEASURED) {
    this.#writer = writer
    this.#latency = latency
  }

  /** True if something still waits for a commit round. */
  get isWaiting(): boolean {
    return this.#head < this.#runs.length
  }

  get publishedCount(): number {
    return this.#last
  }

  /** Publishes not yet answered. */
  get unconfirmedCount(): number {
    return this.#last - this.#answered
  }

  get answeredCount(): number {
    return this.#answered
  }

  /** Adds `count` publishes of the same state that went to the same place. */
  add(state: number, count = 1, scope: CommitScope = ANYWHERE): void {
    const end = this.#last + count
    const runs = this.#runs
    if (state === CONFIRM_READY && runs.length === 0) {
      if (this.#answered === this.#last) this.#readyStamp = this.#latency.stamp()
      this.#last = end
      this.#readyEnd = end
      return
    }
    this.#last = end
    const last = runs.length > this.#head ? runs[runs.length - 1]! : null
    if (
      last !== null &&
      last.state === state &&
      (state !== CONFIRM_DURABLE || last.round === ROUND_UNKNOWN)
    ) {
      last.end = end
      if (last.scope !== scope) widen(last, scope)
      return
    }
    if (last !== null && state !== CONFIRM_DURABLE) this.#hasReadyBehind = true
    runs.push({ end, state, round: ROUND_UNKNOWN, stamp: this.#latency.stamp(), scope })
  }

  /**
   * End of the turn: what was published in it is covered by `round`. Answers all that is due. True if
   * that was a single message and nothing else waits, as when a client waits for each confirm.
   */
  settle(round: number, completedRound: number, writeFailed: boolean): boolean {
    const runs = this.#runs
    const isSingle = this.unconfirmedCount === 1
    for (let i = runs.length - 1; i >= this.#head; i--) {
      const run = runs[i]!
      if (run.state !== CONFIRM_DURABLE) continue
      if (run.round !== ROUND_UNKNOWN) break
      run.round = round
      if (writeFailed && run.scope.hasFailedWrites) run.state = CONFIRM_REFUSED
      else if (round <= completedRound) run.state = CONFIRM_READY
      else continue
      this.#hasReadyBehind = true
    }
    this.#release(completedRound)
    return isSingle && this.#answered === this.#last
  }

  /** A commit round ended. What waited for it and is hit by its failure is refused. */
  roundCompleted(round: number, failure: CommitFailure | null): void {
    const runs = this.#runs
    if (failure !== null)
      for (let i = this.#head; i < runs.length; i++) {
        const run = runs[i]!
        const hasWaited =
          run.state === CONFIRM_DURABLE && run.round !== ROUND_UNKNOWN && run.round <= round
        if (!hasWaited || !run.scope.isHitBy(failure)) continue
        run.state = CONFIRM_REFUSED
        this.#hasReadyBehind = true
      }
    this.#release(round)
  }

  #release(completedRound: number): void {
    const runs = this.#runs
    let head = this.#head
    let ackEnd = Math.max(this.#answered, this.#readyEnd)
    if (ackEnd > this.#answered) this.#latency.note(this.#readyStamp, ackEnd - this.#answered)
    while (head < runs.length) {
      const run = runs[head]!
      if (
        run.state === CONFIRM_DURABLE &&
        (run.round === ROUND_UNKNOWN || run.round > completedRound)
      )
        break
      if (run.state === CONFIRM_DURABLE || run.state === CONFIRM_READY) {
        this.#latency.note(run.stamp, run.end - ackEnd)
        ackEnd = run.end
      } else {
        this.#ackUpTo(ackEnd)
        if (run.state === CONFIRM_REFUSED) this.#nackUpTo(run.end)
        this.#answered = run.end
        ackEnd = run.end
      }
      head++
    }
    this.#ackUpTo(ackEnd)
    if (head === runs.length) {
      runs.length = 0
      this.#head = 0
      this.#hasReadyBehind = false
      return
    }
    this.#head = head
    if (head > 64) {
      runs.splice(0, head)
      this.#head = 0
    }
    if (this.#hasReadyBehind) this.#answerOutOfOrder(completedRound)
  }

  #ackUpTo(end: number): void {
    if (end <= this.#answered) return
    this.#writer.writeConfirm(end, end > this.#answered + 1, true)
    this.#answered = end
  }

  #nackUpTo(end: number): void {
    this.#writer.writeConfirm(end, end > this.#answered + 1, false)
    this.#answered = end
  }

  /** Transient messages never wait for the disk: they are answered one by one past a waiting head. */
  #answerOutOfOrder(completedRound: number): void {
    const runs = this.#runs
    let previousEnd = runs[this.#head]!.end
    for (let i = this.#head + 1; i < runs.length; i++) {
      const run = runs[i]!
      const isDue =
        run.state === CONFIRM_READY ||
        run.state === CONFIRM_REFUSED ||
        (run.state === CONFIRM_DURABLE &&
          run.round !== ROUND_UNKNOWN &&
          run.round <= completedRound)
      if (isDue) {
        const isAck = run.state !== CONFIRM_REFUSED
        if (isAck) this.#latency.note(run.stamp, run.end - previousEnd)
        for (let number = previousEnd + 1; number <= run.end; number++)
          this.#writer.writeConfirm(number, false, isAck)
        run.state = CONFIRM_SENT
      }
      previousEnd = run.end
    }
    this.#hasReadyBehind = false
  }
}

function widen(run: Run, scope: CommitScope): void {
  if (run.scope instanceof CommitScopes) {
    run.scope.add(scope)
    return
  }
  const scopes = new CommitScopes()
  scopes.add(run.scope)
  scopes.add(scope)
  run.scope = scopes
}
