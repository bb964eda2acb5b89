import type { Clock } from "../util/clock.ts"
import type { MessageQueue } from "./queue/message-queue.ts"

/**
 * The end of a turn of the event loop: the one place and the one order in which work that came in
 * turns into work that goes out.
 *
 *   1 deliver   queues with something new hand ready messages to subscribers with credit
 *   2 write     stores and logs write what they buffered, one write each
 *   3 commit    the group commit starts or joins a round of fdatasync
 *   4 settle    sessions send the confirms and held replies that are due
 *   5 flush     output goes to the sockets
 *
 * Delivering before writing lets a message that is consumed at once never touch the disk.
 */

/** Something with buffered bytes for the disk: a message store or the definitions log. */
export interface Writable {
  /** The last write failed and what it should have written is still buffered. */
  readonly failed: boolean
  readonly lastError: { readonly code: string } | null
  /** Never throws. */
  write(): void
}

/** The group commit as the turn sees it. */
export interface Commit {
  readonly completedRound: number
  request(): number
}

/** A client connection as the turn sees it. */
export interface TurnSession {
  /** Reading was paused by `rest()`; it goes on. */
  continueReading(): void
  /** True while the session is on the turn's list. The session sets it through Turn.markSession. */
  inTurn: boolean
  /** Work of this turn is covered by `round`, done once `completedRound` has reached it. */
  settle(round: number, completedRound: number, writeFailed: boolean): void
  flush(): void
}

/** Bytes received in one turn after which it ends at once instead of waiting for the other sockets. */
const TURN_INPUT_BYTES_MAX = 128 << 10

/**
 * Received chunks after which it ends likewise: with a thousand busy clients, the first should not
 * wait for the last, and clients and broker work at the same time instead of in turn.
 */
const TURN_INPUT_CHUNKS_MAX = 32

/** Messages that one queue may hand out before the other queues have theirs. */
const QUEUE_BATCH_MAX = 4096

const REST_LOOPS_MAX = 64

/** Copies for several queues that one round of the event loop makes before publishers rest: some milliseconds. */
const LOOP_COPIES_MAX = 32_768

/** Empty turns after a reply, each 1 to 2 µs: less than half a millisecond of CPU, and only after a reply. */
const SPINS_MAX = 256
/** Clients that take their time are not polled for: after so many vain attempts, only every so many'th reply is followed by one. */
const VAIN_SPINS_MAX = 8
const SPIN_INTERVAL = 64

export class Turn {
  #queues: MessageQueue[] = []
  #queuesNext: MessageQueue[] = []
  #writables: Writable[] = []
  #writablesNext: Writable[] = []
  #sessions: TurnSession[] = []
  #sessionsNext: TurnSession[] = []
  #resting: TurnSession[] = []
  #restLoops = 0
  /** Rounds of the event loop in which there was something to do. */
  loopCount = 0
  /** Turns so far, the present one included. */
  runCount = 0
  /** The commit round that covers all that was written up to the last turn. */
  lastRound = 0
  #backlogLoop = -2
  #scheduled = false
  #running = false
  #inputBytes = 0
  #inputChunks = 0
  /** Of messages that went to several queues, in this loop. */
  #copies = 0
  #spinsLeft = 0
  /** Replies in a row after which no request came while the loop was polling. */
  #vainSpins = 0
  #skippedSpins = 0
  /** A write of this turn has failed: what was published in it is refused. */
  #writeFailed = false
  readonly #clock: Clock
  readonly #commit: Commit
  readonly #onWriteFailed: (writable: Writable) => void
  readonly #run: () => void

  /** `onWriteFailed` is told of every failed write; it sees to it that it is tried again. */
  constructor(clock: Clock, commit: Commit, onWriteFailed: (writable: Writable) => void) {
    this.#clock = clock
    this.#commit = commit
    this.#onWriteFailed = onWriteFailed
    this.#run = () => {
      this.#scheduled = false
      this.#clock.refresh()
      this.run()
      this.loopCount++
      this.#copies = 0
      if (this.#resting.length > 0) this.#continueReading()
      if (this.#spinsLeft > 0) {
        if (--this.#spinsLeft === 0) this.#vainSpins++
        this.schedule()
      }
    }
  }

  /**
   * A reply has gone to a client that waits for it and will send its next request at once. For a
   * moment the loop polls instead of sleeping: waking up costs more than the request does.
   */
  expectRequest(): void {
    if (this.#vainSpins >= VAIN_SPINS_MAX && ++this.#skippedSpins < SPIN_INTERVAL) return
    this.#skippedSpins = 0
    this.#spinsLeft = SPINS_MAX
    this.schedule()
  }

  /** The session has had its share of this loop; its continueReading() is called when the others had theirs. */
  rest(session: TurnSession): void {
    if (this.#resting.length === 0) this.#restLoops = 0
    this.#resting.push(session)
    this.schedule()
  }

  /**
   * While consumers cannot keep up, publishers rest for some more loops: a consumer gets its prefetch at
   * most once per loop. Loops without work are over at once, so this costs a publisher next to nothing
   * when consumers are slow for reasons of their own.
   */
  #continueReading(): void {
    if (this.hasBacklog && ++this.#restLoops < REST_LOOPS_MAX) {
      this.schedule()
      return
    }
    const sessions = this.#resting
    this.#resting = []
    let next = 0
    while (next < sessions.length && !this.hasCopiedEnough) sessions[next++]!.continueReading()
    if (next === sessions.length) return
    // The others are the first ones of the next loop.
    this.#resting = [...sessions.slice(next), ...this.#resting]
    this.schedule()
  }

  /** A message was put into so many queues: a few bytes of input may be a lot of work. */
  noteCopies(count: number): void {
    this.#copies += count
  }

  /** Who publishes to several queues has to rest, so that others have their turn. */
  get hasCopiedEnough(): boolean {
    return this.#copies >= LOOP_COPIES_MAX
  }

  markQueue(queue: MessageQueue): void {
    if (queue.inTurn) return
    queue.inTurn = true
    this.#queues.push(queue)
    this.schedule()
  }

  /** The caller makes sure that it marks itself once per turn. */
  markWritable(writable: Writable): void {
    this.#writables.push(writable)
    this.schedule()
  }

  markSession(session: TurnSession): void {
    if (session.inTurn) return
    session.inTurn = true
    this.#sessions.push(session)
    this.schedule()
  }

  schedule(): void {
    if (this.#scheduled || this.#running) return
    this.#scheduled = true
    this.#clock.setImmediate(this.#run)
  }

  /** A queue has messages and consumers, but none of these may take more at present. */
  noteBacklog(): void {
    this.#backlogLoop = this.loopCount
  }

  /** In this loop or the last one consumers could not keep up: publishers are to go slower. */
  get hasBacklog(): boolean {
    return this.#backlogLoop >= this.loopCount - 1
  }

  /** A session begins with received bytes. What comes within a turn comes at one time: the clock is asked once. */
  beginInput(): void {
    if (this.#inputChunks > 0) return
    if (this.#spinsLeft > 0) this.#vainSpins = 0
    this.#clock.refresh()
    this.schedule()
  }

  /** A session has worked through received bytes. Ends the turn early under a flood. */
  noteInput(bytes: number): void {
    this.#inputBytes += bytes
    if (++this.#inputChunks >= TURN_INPUT_CHUNKS_MAX || this.#inputBytes >= TURN_INPUT_BYTES_MAX)
      this.run()
  }

  run(): void {
    if (this.#running) return
    this.#running = true
    this.runCount++
    this.#inputBytes = 0
    this.#inputChunks = 0
    try {
      this.#deliver()
      this.#write()
      const round = this.#commit.request()
      this.lastRound = Math.max(this.lastRound, round)
      this.#settle(round)
    } finally {
      // What is thrown here is a bug, and the process ends. If its owner keeps it, turns go on.
      this.#writeFailed = false
      this.#running = false
    }
    if (this.#queues.length > 0 || this.#writables.length > 0 || this.#sessions.length > 0)
      this.schedule()
  }

  #deliver(): void {
    const queues = this.#queues
    this.#queues = this.#queuesNext
    this.#queuesNext = queues
    for (let i = 0; i < queues.length; i++) {
      const queue = queues[i]!
      queue.inTurn = false
      if (queue.deliver(QUEUE_BATCH_MAX)) this.markQueue(queue)
    }
    queues.length = 0
  }

  #write(): void {
    const writables = this.#writables
    this.#writables = this.#writablesNext
    this.#writablesNext = writables
    for (let i = 0; i < writables.length; i++) {
      const writable = writables[i]!
      writable.write()
      if (!writable.failed) continue
      this.#writeFailed = true
      this.#onWriteFailed(writable)
    }
    writables.length = 0
  }

  #settle(round: number): void {
    const sessions = this.#sessions
    this.#sessions = this.#sessionsNext
    this.#sessionsNext = sessions
    const completed = this.#commit.completedRound
    for (let i = 0; i < sessions.length; i++) {
      const session = sessions[i]!
      session.inTurn = false
      session.settle(round, completed, this.#writeFailed)
      session.flush()
    }
    sessions.length = 0
  }
}
