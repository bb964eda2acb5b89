import type { JsonDocument } from "../auth/users.ts"
import { AssertionError } from "../util/assert.ts"
import type { Broker } from "../broker/broker.ts"
import { delayStoreName } from "../broker/delayed/delayed-exchanges.ts"
import { Refusal } from "../broker/errors.ts"
import type { Exchange } from "../broker/exchange/exchange.ts"
import type { MessageQueue } from "../broker/queue/message-queue.ts"
import { Queue } from "../broker/queue/queue.ts"
import { Stream } from "../broker/stream/stream.ts"
import type { SettledMoves } from "../broker/settled-moves.ts"
import type { Turn, Writable } from "../broker/turn.ts"
import { Vhost } from "../broker/vhost.ts"
import type { DeclareMismatch, DocumentShape, VhostContext } from "../broker/vhost-context.ts"
import type { CommitFailure } from "../broker/commit-scope.ts"
import { applyDefinition, forEachDefinition, isPersistent } from "../broker/vhost-definitions.ts"
import {
  makeVhostDirectory,
  queueDirectory,
  removeStaleQueueDirectories,
  wipeTransient,
} from "../storage/data-directory.ts"
import { DefinitionsLog } from "../storage/definitions-log.ts"
import type { DefinitionsContext } from "../storage/definitions-log.ts"
import { DeliveryCounts } from "../storage/delivery-counts.ts"
import type { StorageError } from "../storage/disk.ts"
import { MessageStore } from "../storage/message-store.ts"
import { PriorityStore } from "../storage/priority-store.ts"
import type { QueueStore } from "../storage/queue-store.ts"
import type { StoreContext } from "../storage/store-context.ts"
import { removeDeletedStores } from "../storage/store-deletion.ts"
import type { StreamCache } from "../storage/stream/stream-cache.ts"
import { StreamStore } from "../storage/stream/stream-store.ts"
import type { Clock } from "../util/clock.ts"
import type { Logger } from "../util/logger.ts"
import type { Random } from "../util/random.ts"
import type { TimerWheel } from "../util/timer-wheel.ts"
import { SettingsDocument } from "./settings-document.ts"

/** How long a queue must have been empty, so that busy ones do not make and remove files all the time. */
const IDLE_MS = 5000
/** After a failure to replace definitions.amqp. */
const COMPACT_AGAIN_MS = 5000
/** Stores whose files are removed in one tick, 0.2 ms each. */
const RESETS_MAX = 50

/** What the files of all vhosts share. */
export type StorageContext = StoreContext &
  DefinitionsContext & {
    readonly declareMismatch: DeclareMismatch
    readonly streamCache: StreamCache
  }

/**
 * The files of one vhost: brings its definitions and queues back at boot, opens the stores of its
 * queues, logs its changes. Ties broker/ to storage/; the rules of either are theirs.
 */
export class VhostStorage implements VhostContext, Writable {
  readonly turn: Turn
  readonly clock: Clock
  readonly timers: TimerWheel
  readonly settledMoves: SettledMoves
  readonly random: Random
  readonly log: Logger
  readonly declareMismatch: DeclareMismatch
  readonly vhost: Vhost
  readonly #directory: string
  readonly #stores: StorageContext
  readonly #definitions: DefinitionsLog
  /** Queues whose store went empty, and when: they give their files back when they stay so. */
  readonly #emptied = new Map<Queue, number>()
  readonly #stalled = new Set<MessageQueue>()
  /** At most one per definition that there was when the log failed: declarations are refused. */
  #lateDeletions: Buffer[] = []
  #inTurn = false
  /** Not before: the last attempt to replace definitions.amqp has failed. */
  #compactAtMs = 0
  #isDisposed = false

  constructor(name: string, directory: string, broker: Broker, stores: StorageContext) {
    this.turn = broker.turn
    this.clock = broker.clock
    this.timers = broker.timers
    this.settledMoves = broker.settledMoves
    this.random = broker.random
    this.log = broker.log
    this.declareMismatch = stores.declareMismatch
    this.#directory = directory
    this.#stores = stores
    this.#definitions = new DefinitionsLog(stores, directory)
    this.#definitions.onDamaged = () => this.#writeSoon()
    this.vhost = new Vhost(name, this)
  }

  /** Reads definitions and queues. Damage is reported in the log and repaired or set aside, never fatal. */
  open(): void {
    const { disk } = this.#stores
    makeVhostDirectory(disk, this.#directory, this.vhost.name)
    wipeTransient(disk, this.#directory)
    removeDeletedStores(disk, this.#directory)
    this.vhost.loadSettings()
    let unusable = 0
    this.vhost.load(() => {
      unusable = this.#loadDefinitions()
    })
    if (unusable === 0) this.#removeStale()
    this.#compactIfNeeded()
    const names = new Set(disk.list(this.#directory))
    this.#openQueues(names)
    this.#openDelayStores(names)
  }

  /** Not if a definition could not be read: its queue's messages must stay. */
  #removeStale(): void {
    const { disk } = this.#stores
    const { exchanges, queues } = this.vhost
    const delayStores = new Set<string>()
    for (const name of exchanges.keys()) delayStores.add(delayStoreName(name))
    const stale = removeStaleQueueDirectories(
      disk,
      this.#directory,
      (name) => queues.has(name) || delayStores.has(name),
    )
    if (stale.length > 0)
      this.log.info(
        { vhost: this.vhost.name, count: stale.length },
        "removed files of deleted queues",
      )
  }

  /** Returns how many definitions made no sense. */
  #loadDefinitions(): number {
    let unusable = 0
    const report = this.#definitions.load((frame) => {
      try {
        if (!applyDefinition(frame, this.vhost)) unusable++
      } catch (error) {
        if (error instanceof AssertionError) throw error
        unusable++ // A definition that no longer makes sense must not keep the others from loading.
        this.log.error({ vhost: this.vhost.name, err: error }, "a stored definition was skipped")
      }
    })
    if (unusable > 0 || report.quarantinedBytes > 0)
      this.log.error(
        { vhost: this.vhost.name, skipped: unusable, ...report },
        "definitions.amqp was damaged: what is whole was loaded, the rest was set aside",
      )
    return unusable
  }

  /** Only queues that have files; the others cost nothing. */
  #openQueues(names: ReadonlySet<string>): void {
    for (const queue of this.vhost.queues.values()) {
      const directory = this.#directoryOf(queue)
      if (names.has(directory.slice(this.#directory.length + 1))) this.#openQueue(queue, directory)
    }
  }

  #openQueue(queue: MessageQueue, directory: string): void {
    if (queue instanceof Stream) {
      const store = this.openStreamStore(queue)
      store.open()
      queue.adoptStore(store)
    } else if (queue instanceof Queue) {
      const store = this.#newStore(queue, directory)
      store.open()
      queue.recover(store)
      if (store.readyCount === 0) this.wentEmpty(queue)
    }
  }

  reopenStore(queue: MessageQueue): void {
    const directory = this.#directoryOf(queue)
    if (this.#stores.disk.list(directory).length > 0) this.#openQueue(queue, directory)
  }

  /** Also of exchanges that do not delay any more: what waits there goes out when it is due. */
  #openDelayStores(names: ReadonlySet<string>): void {
    for (const exchange of this.vhost.exchanges.values()) {
      if (!exchange.durable) continue
      const store = this.openDelayStore(exchange)
      if (!names.has(store.directory.slice(this.#directory.length + 1))) continue
      store.open()
      this.vhost.delayed.restore(exchange, store)
    }
  }

  openDelayStore(exchange: Exchange): MessageStore {
    const { durable } = exchange
    const name = delayStoreName(exchange.name)
    const directory = queueDirectory(this.#directory, name, durable)
    return new MessageStore(this.#stores, directory, { durable, name })
  }

  #directoryOf(queue: MessageQueue): string {
    return queueDirectory(this.#directory, queue.name, isPersistent(queue))
  }

  #newStore(queue: Queue, directory: string): MessageStore | PriorityStore {
    const options = { durable: isPersistent(queue), name: queue.name }
    const { maxPriority } = queue.settings
    return maxPriority === 0
      ? new MessageStore(this.#stores, directory, options)
      : new PriorityStore(this.#stores, directory, { ...options, maxPriority })
  }

  /** To be called once it is known which messages there are. */
  openDeliveryCounts(queue: Queue): DeliveryCounts {
    const counts = new DeliveryCounts(this.#stores, this.#directoryOf(queue), queue.name)
    counts.open((segment, position) => queue.store?.mayHold(segment, position) === true)
    return counts
  }

  openDocument(fileName: string, shape: DocumentShape): JsonDocument {
    return new SettingsDocument(
      this.#stores.disk,
      `${this.#directory}/${fileName}`,
      shape,
      this.log,
    )
  }

  openStreamStore(stream: Stream): StreamStore {
    return new StreamStore(this.#stores, this.#directoryOf(stream), {
      durable: true,
      name: stream.name,
      cache: this.#stores.streamCache,
    })
  }

  openStore(queue: Queue): QueueStore {
    return this.#newStore(queue, this.#directoryOf(queue))
  }

  stalled(queue: MessageQueue): void {
    this.#stalled.add(queue)
  }

  wentEmpty(queue: Queue): void {
    this.#emptied.set(queue, this.#stores.clock.nowMs)
  }

  // ---- definitions

  /**
   * Refuses changes while the log cannot be written, but for deletions: those happen without
   * anybody to refuse them to (auto-delete), so they wait in memory until the disk is back.
   */
  logDefinition(frame: Buffer, isDeletion: boolean): boolean {
    const isNow = !this.#definitions.failed
    if (isNow) this.#definitions.append(frame, isDeletion)
    else if (isDeletion) this.#lateDeletions.push(frame)
    else
      throw new Refusal(
        "resource-error",
        this.#definitions.lastError?.message ?? "definitions cannot be written",
      )
    this.#writeSoon()
    return isNow
  }

  #writeSoon(): void {
    if (this.#inTurn) return
    this.#inTurn = true
    this.turn.markWritable(this)
  }

  get failed(): boolean {
    return this.#definitions.failed && !this.#isDisposed
  }

  get hasFailedWrites(): boolean {
    return this.failed
  }

  isHitBy(failure: CommitFailure): boolean {
    return failure.hits(this.#definitions.path)
  }

  isHitSince(failure: CommitFailure, round: number): boolean {
    return failure.hitsSince(this.#definitions.path, round)
  }

  get lastError(): StorageError | null {
    return this.#definitions.lastError
  }

  write(): void {
    this.#inTurn = false
    if (this.#isDisposed) return
    this.#definitions.write()
    if (this.#lateDeletions.length > 0 && !this.#definitions.failed) {
      for (const frame of this.#lateDeletions) this.#definitions.append(frame, true)
      this.#lateDeletions = []
      this.#definitions.write()
    }
    this.#compactIfNeeded()
  }

  #compactIfNeeded(): void {
    if (!this.#definitions.needsCompaction || this.#definitions.failed) return
    const { nowMs } = this.clock
    if (nowMs < this.#compactAtMs) return
    this.#definitions.compact(
      (emit) => forEachDefinition(this.vhost, emit),
      (error) => {
        if (error !== null) this.#compactAtMs = nowMs + COMPACT_AGAIN_MS
      },
    )
  }

  // ---- time

  /** About twice a second: gives back the files of queues that stay empty, tries stalled ones again. */
  tick(): void {
    for (const queue of this.#stalled) if (!queue.deleted) this.turn.markQueue(queue)
    this.#stalled.clear()
    if (this.#definitions.needsCompaction) this.#writeSoon()
    this.#resetIdle()
  }

  #resetIdle(): void {
    const { nowMs } = this.#stores.clock
    let count = 0
    for (const [queue, sinceMs] of this.#emptied) {
      if (nowMs - sinceMs < IDLE_MS) continue
      const { store } = queue
      if (store === null || store.readyCount > 0) this.#emptied.delete(queue)
      else if (store.unackedCount === 0) {
        if (store.resetIfIdle()) {
          queue.store = null // An idle queue is its name and nothing else.
          this.#emptied.delete(queue)
        }
        if (++count === RESETS_MAX) return
      }
    }
  }

  /** The vhost is deleted: closes everything. What is left of its files is the caller's business. */
  async dispose(): Promise<void> {
    await this.vhost.dispose()
    this.#isDisposed = true
    this.#emptied.clear()
    this.#stalled.clear()
    this.#lateDeletions = []
    this.#definitions.close()
  }

  /** Writes and closes everything. */
  close(): void {
    this.vhost.effectiveSettings.stop()
    for (const queue of this.vhost.queues.values())
      if (queue instanceof Queue) queue.close()
      else if (queue instanceof Stream) queue.store?.close()
    this.vhost.delayed.close()
    this.#definitions.close()
  }
}
