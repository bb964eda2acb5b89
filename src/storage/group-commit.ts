import { StorageError, type Disk } from "./disk.ts"
import type { OpenFile, OpenFiles } from "./open-files.ts"
import { RoundFailure } from "./round-failure.ts"

/**
 * Makes what was written durable, for all queues together: one round of fdatasync at a time. What is
 * touched while a round is in flight goes with the next one, so the slower the disk, the more a round
 * covers; there is no timer.
 *
 * Rounds are numbered from 1 and end in order. A round that failed has ended too: what waited for the
 * files at fault is refused, and not tried again, because after a failed sync nobody knows what the disk
 * holds. The owner of the file is told, and goes on in a new file. All other files of the round are safe.
 *
 * A file that is gone when its turn comes needs no sync: its content was not wanted any more.
 */
export interface GroupCommitOptions {
  /** False: nothing is ever synced and nothing waits (`--no-sync`). */
  readonly sync: boolean
  /** Syncs at a time within a round. More than the thread pool has threads only fills its queue. */
  readonly parallelSyncsMax?: number
}

type SyncFailed = (error: Error) => void

const PARALLEL_SYNCS_MAX = 16

function ignoreFailure(): void {}

interface Doubt {
  readonly error: Error
  /** What went into the file for this round or a later one. */
  readonly fromRound: number
}

export class GroupCommit {
  /** Rounds up to this one have ended. */
  completedRound = 0
  /** A round has ended; what waited for a place that the failure hits must be refused. Set by the broker. */
  onComplete: (round: number, failure: RoundFailure | null) => void = () => {}

  readonly #disk: Disk
  readonly #openFiles: OpenFiles
  readonly #sync: boolean
  readonly #parallelSyncsMax: number
  /** Touched, for the round after the one in flight. */
  #files = new Map<string, SyncFailed>()
  #directories = new Set<string>()
  /** The number that the next round to start will have. */
  #nextRound = 1
  /** Something was touched since the last request(). */
  #isTouched = false
  /** The rounds of the first and the latest touch since then. */
  #firstTouchedRound = 0
  #touchedRound = 0
  /** The next round starts as soon as the one in flight has ended. */
  #isRequested = false
  #isInFlight = false
  /** A failure of the round in flight is one of the next round, too. */
  #isNextDependent = false
  /** Files whose owner cannot tell what the disk holds of them. */
  readonly #doubtful = new Map<string, Doubt>()
  /** The failure of an earlier round that the next one must end with. */
  #inherited: RoundFailure | null = null
  /** The round in flight. */
  #todo: (() => void)[] = []
  #running = 0
  #failure: RoundFailure | null = null
  #betweenRounds: (() => void)[] = []
  #drained: (() => void)[] = []

  constructor(disk: Disk, openFiles: OpenFiles, options: GroupCommitOptions) {
    this.#disk = disk
    this.#openFiles = openFiles
    this.#sync = options.sync
    this.#parallelSyncsMax = options.parallelSyncsMax ?? PARALLEL_SYNCS_MAX
  }

  /** The file was written to. Twice in a turn costs a look-up. `onSyncFailed` is called before onComplete. */
  touchFile(path: string, onSyncFailed: SyncFailed = ignoreFailure): void {
    if (!this.#sync) return
    this.#noteTouch()
    if (!this.#files.has(path)) this.#files.set(path, onSyncFailed)
  }

  /** A name in the directory was made, changed or removed. */
  touchDirectory(path: string): void {
    if (!this.#sync) return
    this.#noteTouch()
    this.#directories.add(path)
  }

  /**
   * What was to be put in this file from now on, or for the round in flight, may not be on the disk: all
   * rounds fail for it (RoundFailure.hitsSince) until trust().
   */
  doubt(path: string, error: Error): void {
    if (!this.#sync) return
    const doubt = this.#doubtful.get(path) ?? { error, fromRound: this.completedRound + 1 }
    this.#doubtful.set(path, doubt)
    this.#failure?.addDoubt(path, doubt.fromRound)
  }

  /** Whatever the disk may have missed of the file is there by the end of the next round to start. */
  trust(path: string): void {
    this.#doubtful.delete(path)
  }

  /**
   * Called at the end of a turn, after its writes. Returns the round whose end makes durable all that
   * was touched since the last call: `completedRound` if that was nothing. Starts it if none is in flight.
   */
  request(): number {
    if (!this.#isTouched) return this.completedRound
    this.#isTouched = false
    const round = this.#touchedRound
    if (round < this.#nextRound) return round
    // A round began in the middle of the turn: the one that is returned stands for both.
    if (this.#firstTouchedRound < round && this.#isInFlight) this.#isNextDependent = true
    if (this.#isInFlight) this.#isRequested = true
    else this.#start()
    return round
  }

  /** Runs the action at once if no round is in flight, else when it has ended and before the next starts. */
  runBetweenRounds(action: () => void): void {
    if (this.#isInFlight) this.#betweenRounds.push(action)
    else action()
  }

  /** Resolves when everything touched so far is done and no round is in flight. */
  async drain(): Promise<void> {
    this.request()
    while (this.#isInFlight) await new Promise<void>((resolve) => this.#drained.push(resolve))
  }

  #noteTouch(): void {
    this.#touchedRound = this.#nextRound
    if (this.#isTouched) return
    this.#isTouched = true
    this.#firstTouchedRound = this.#nextRound
  }

  #start(): void {
    const files = this.#files
    const directories = this.#directories
    this.#files = new Map()
    this.#directories = new Set()
    this.#nextRound++
    this.#isInFlight = true
    this.#isRequested = false
    this.#failure = this.#inherited
    this.#inherited = null
    for (const [path, { error, fromRound }] of this.#doubtful)
      (this.#failure ??= new RoundFailure(error)).addDoubt(path, fromRound)
    // Taken from the end: first the files, then the directories that name them.
    for (const path of directories) this.#todo.push(() => this.#syncDirectory(path))
    for (const [path, onSyncFailed] of files)
      this.#todo.push(() => this.#syncFile(path, onSyncFailed))
    // Counts as one sync, so that the round cannot end before its caller knows its number.
    this.#running++
    queueMicrotask(() => this.#ended())
    this.#startSyncs()
  }

  #startSyncs(): void {
    while (this.#running < this.#parallelSyncsMax) {
      const next = this.#todo.pop()
      if (next === undefined) return
      this.#running++
      next()
    }
  }

  #syncFile(path: string, onSyncFailed: SyncFailed): void {
    let file: OpenFile
    try {
      file = this.#openFiles.pin(path)
    } catch (error) {
      const isGone = error instanceof StorageError && error.code === "ENOENT"
      if (!isGone) this.#fileFailed(path, asError(error), onSyncFailed)
      // In a loop of its own, so that thousands of them need no deep stack.
      queueMicrotask(() => this.#ended())
      return
    }
    this.#disk.sync(file.fd, (error) => {
      this.#openFiles.unpin(file)
      if (error !== null) this.#fileFailed(path, error, onSyncFailed)
      this.#ended()
    })
  }

  /**
   * What was written to the file since the round began may be lost with it, and the system reports an
   * error only once: the round that waits for it must not believe a sync that succeeds.
   */
  #fileFailed(path: string, error: Error, onSyncFailed: SyncFailed): void {
    const failure = (this.#failure ??= new RoundFailure(error))
    failure.isNew = true
    failure.addFile(path)
    if (this.#files.has(path)) (this.#inherited ??= new RoundFailure(error)).addFile(path)
    onSyncFailed(error)
  }

  #syncDirectory(path: string): void {
    this.#disk.syncDirectory(path, (error) => {
      if (error !== null) {
        const failure = (this.#failure ??= new RoundFailure(error))
        failure.isNew = true
        failure.addDirectory(path)
        // Nobody starts anew in another directory, and later rounds rely on the names in this one.
        this.#directories.add(path)
      }
      this.#ended()
    })
  }

  #ended(): void {
    this.#running--
    this.#startSyncs()
    if (this.#running === 0) this.#finish()
  }

  #finish(): void {
    const round = this.#nextRound - 1
    const failure = this.#failure
    this.#failure = null
    this.#isInFlight = false
    // A turn that is still going on touched files of this round: its request must end in this error.
    const isTurnHit = this.#isTouched && this.#firstTouchedRound <= round
    if (failure !== null && isTurnHit) this.#touchedRound = this.#nextRound
    if (failure !== null && (isTurnHit || this.#isNextDependent)) {
      this.#inherited ??= new RoundFailure(failure)
      this.#inherited.addAll(failure)
    }
    this.#isNextDependent = false
    this.completedRound = round
    const actions = this.#betweenRounds
    this.#betweenRounds = []
    for (const action of actions) action()
    if (this.#isRequested) this.#start()
    this.onComplete(round, failure)
    if (!this.#isInFlight) {
      const drained = this.#drained
      this.#drained = []
      for (const resolve of drained) resolve()
    }
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}
