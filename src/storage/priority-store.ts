import { assert } from "../util/assert.ts"
import type { StorageError } from "./disk.ts"
import type { IncomingMessage, StoredMessage } from "./message.ts"
import { MessageStore } from "./message-store.ts"
import type { MessageStoreOptions } from "./message-store.ts"
import { LEVELS } from "./queue-store.ts"
import type { QueueStore } from "./queue-store.ts"
import { asStorageError, removeIfEmpty } from "./segment-files.ts"
import { segmentNumber } from "./segment.ts"
import type { StoreContext } from "./store-context.ts"
import { deleteStoreDirectory, LEVEL_PREFIX } from "./store-deletion.ts"
import { StoreDirectory } from "./store-directory.ts"

/**
 * The messages of a queue with priorities: a MessageStore per priority, made when the first message
 * of that priority comes. Each has its own order and files; shift() takes from the highest that is
 * not empty. Where one of them cannot be read at present, the lower ones wait too.
 *
 *   <directory of the queue>/
 *     .queue
 *     prio.000/        msgs.*, acks.*, meta.*, .queue
 *     prio.009/
 *
 * The number of a segment that it gives out is that of the store, times 256, plus the priority.
 */
export interface PriorityStoreOptions extends MessageStoreOptions {
  /** Higher priorities count as this one. At most 255. */
  readonly maxPriority: number
}

export class PriorityStore implements QueueStore {
  readyCount = 0
  readyBytes = 0
  unackedCount = 0
  unackedBytes = 0
  requeuedCount = 0
  isReadFinal = false
  readonly #context: StoreContext
  readonly #options: PriorityStoreOptions
  readonly #directory: StoreDirectory
  readonly #levels: (MessageStore | null)[] = []
  /** The bit of a level is set while it has ready messages. */
  readonly #occupied = new Int32Array(LEVELS / 32)
  /** Counts of the level at hand before it was called. */
  #readyBefore = 0
  #readyBytesBefore = 0
  #unackedBefore = 0
  #unackedBytesBefore = 0
  #requeuedBefore = 0
  #closed = false

  constructor(context: StoreContext, directory: string, options: PriorityStoreOptions) {
    const { maxPriority } = options
    assert(maxPriority >= 0 && maxPriority < LEVELS, "a priority is a byte")
    this.#context = context
    this.#options = options
    this.#directory = new StoreDirectory(directory, options.name)
    for (let level = 0; level <= maxPriority; level++) this.#levels.push(null)
  }

  get directory(): string {
    return this.#directory.path
  }

  /** One of its stores cannot write. The others may: what append() returns counts. */
  get failed(): boolean {
    for (const store of this.#levels) if (store !== null && store.failed) return true
    return false
  }

  get lastError(): StorageError | null {
    for (const store of this.#levels)
      if (store !== null && (store.failed || store.cannotRead)) return store.lastError
    return null
  }

  get cannotRead(): boolean {
    for (const store of this.#levels) if (store !== null && store.cannotRead) return true
    return false
  }

  get lostCount(): number {
    let count = 0
    for (const store of this.#levels) if (store !== null) count += store.lostCount
    return count
  }

  // ---- messages

  append(message: IncomingMessage): boolean {
    const level = this.#levelFor(message)
    const store = this.#levels[level] ?? this.#make(level)
    if (store === null) return false
    this.#begin(store)
    const isStored = store.append(message)
    this.#end(store, level)
    return isStored
  }

  appendRun(message: IncomingMessage, count: number, stride: number): number {
    const level = this.#levelFor(message)
    const store = this.#levels[level] ?? this.#make(level)
    if (store === null) return 0
    this.#begin(store)
    const stored = store.appendRun(message, count, stride)
    this.#end(store, level)
    return stored
  }

  #levelFor(message: IncomingMessage): number {
    return Math.min(message.priority, this.#levels.length - 1)
  }

  shift(into: StoredMessage): boolean {
    for (let level = this.nextLevel(LEVELS); level >= 0; level = this.nextLevel(level)) {
      if (this.shiftLevel(level, into)) return true
      if (this.#isOccupied(level)) return false
    }
    return false
  }

  shiftRun(into: StoredMessage, count: number, bytesMax: number): number {
    for (let level = this.nextLevel(LEVELS); level >= 0; level = this.nextLevel(level)) {
      const store = this.#levels[level]!
      this.#begin(store)
      const taken = store.shiftRun(into, count, bytesMax)
      this.#end(store, level)
      if (taken > 0) {
        into.segment = into.segment * LEVELS + level
        return taken
      }
      if (this.#isOccupied(level)) return 0
    }
    return 0
  }

  peek(into: StoredMessage): boolean {
    for (let level = this.nextLevel(LEVELS); level >= 0; level = this.nextLevel(level)) {
      if (this.peekLevel(level, into)) return true
      if (this.#isOccupied(level)) return false
    }
    return false
  }

  nextLevel(below: number): number {
    if (below <= 0) return -1
    const highest = below - 1
    let word = highest >> 5
    // Bits up to the highest one that may be meant.
    let bits = this.#occupied[word]! & (-1 >>> (31 - (highest & 31)))
    while (bits === 0) {
      if (--word < 0) return -1
      bits = this.#occupied[word]!
    }
    return word * 32 + 31 - Math.clz32(bits)
  }

  shiftLevel(level: number, into: StoredMessage): boolean {
    const store = this.#levels[level]
    if (!store) return false
    this.#begin(store)
    const isTaken = store.shift(into)
    this.#end(store, level)
    if (isTaken) into.segment = into.segment * LEVELS + level
    return isTaken
  }

  peekLevel(level: number, into: StoredMessage): boolean {
    const store = this.#levels[level]
    if (!store) return false
    this.#begin(store)
    const isThere = store.peek(into)
    this.#end(store, level)
    if (isThere) into.segment = into.segment * LEVELS + level
    return isThere
  }

  ack(segment: number, position: number, size: number, bodySize: number, count: number = 1): void {
    const store = this.#storeOf(segment)
    if (store === null) return
    this.#begin(store)
    store.ack(Math.floor(segment / LEVELS), position, size, bodySize, count)
    this.#end(store, segment % LEVELS)
  }

  requeue(segment: number, position: number, size: number, bodySize: number, count = 1): void {
    const store = this.#storeOf(segment)
    if (store === null) return
    this.#begin(store)
    store.requeue(Math.floor(segment / LEVELS), position, size, bodySize, count)
    this.#end(store, segment % LEVELS)
  }

  read(segment: number, position: number, size: number, into: StoredMessage): boolean {
    const store = this.#storeOf(segment)
    this.isReadFinal = false
    if (store === null) return false
    const isRead = store.read(Math.floor(segment / LEVELS), position, size, into)
    this.isReadFinal = store.isReadFinal
    if (isRead) into.segment = segment
    return isRead
  }

  /** Null if it is closed: consumers may outlive the store. */
  #storeOf(segment: number): MessageStore | null {
    if (this.#closed) return null
    const store = this.#levels[segment % LEVELS]
    assert(store !== null && store !== undefined, "a handed-out message keeps its store")
    return store
  }

  browse(skip: number, visit: (message: StoredMessage) => boolean): void {
    let left = skip
    let isEnough = false
    for (let level = this.nextLevel(LEVELS); level >= 0; level = this.nextLevel(level)) {
      const store = this.#levels[level]!
      const { readyCount } = store
      if (left >= readyCount) {
        left -= readyCount
        continue
      }
      const first = level
      store.browse(left, (message) => {
        message.segment = message.segment * LEVELS + first
        isEnough = !visit(message)
        return !isEnough
      })
      if (isEnough) return
      left = 0
    }
  }

  mayHold(segment: number, position: number): boolean {
    const store = this.#levels[segment % LEVELS]
    return store ? store.mayHold(Math.floor(segment / LEVELS), position) : false
  }

  purge(): number {
    let count = 0
    for (let level = this.nextLevel(LEVELS); level >= 0; level = this.nextLevel(level)) {
      const store = this.#levels[level]!
      this.#begin(store)
      count += store.purge()
      this.#end(store, level)
    }
    return count
  }

  // ---- levels

  #make(level: number): MessageStore | null {
    if (this.#closed) return null
    const { durable, name } = this.#options
    const suffix = String(level).padStart(3, "0")
    const path = `${this.directory}/${LEVEL_PREFIX}${suffix}`
    const store = new MessageStore(this.#context, path, {
      durable,
      name,
      parent: this.#directory,
    })
    this.#levels[level] = store
    return store
  }

  /** A level may lose messages whenever it is called: its counts are compared before and after. */
  #begin(store: MessageStore): void {
    this.#readyBefore = store.readyCount
    this.#readyBytesBefore = store.readyBytes
    this.#unackedBefore = store.unackedCount
    this.#unackedBytesBefore = store.unackedBytes
    this.#requeuedBefore = store.requeuedCount
  }

  #end(store: MessageStore, level: number): void {
    this.readyCount += store.readyCount - this.#readyBefore
    this.readyBytes += store.readyBytes - this.#readyBytesBefore
    this.unackedCount += store.unackedCount - this.#unackedBefore
    this.unackedBytes += store.unackedBytes - this.#unackedBytesBefore
    this.requeuedCount += store.requeuedCount - this.#requeuedBefore
    const bit = 1 << (level & 31)
    if (store.readyCount > 0) this.#occupied[level >> 5]! |= bit
    else this.#occupied[level >> 5]! &= ~bit
  }

  #isOccupied(level: number): boolean {
    return (this.#occupied[level >> 5]! & (1 << (level & 31))) !== 0
  }

  // ---- beginning and end

  /** Finds what an earlier process left in the directory. Throws StorageError if it cannot be listed. */
  open(): void {
    const { disk } = this.#context
    const names = disk.list(this.directory)
    if (names.length > 0) this.#directory.adopt(names)
    if (names.some((name) => segmentNumber("msgs", name) > 0)) this.#adoptPlainStore(names)
    for (let level = 0; level < LEVELS; level++) {
      const name = `${LEVEL_PREFIX}${String(level).padStart(3, "0")}`
      const wasThere = names.includes(name) || (level === 0 && this.#levels[0] !== null)
      if (!wasThere) continue
      while (this.#levels.length <= level) this.#levels.push(null)
      const store = this.#levels[level] ?? this.#make(level)!
      this.#begin(store)
      store.open()
      this.#end(store, level)
    }
  }

  /** Written by a version that kept no priorities: all its messages count as the lowest. */
  #adoptPlainStore(names: readonly string[]): void {
    const { disk } = this.#context
    const store = this.#make(0)!
    disk.makeDirectory(store.directory)
    const taken = new Set(disk.list(store.directory))
    // The messages last: what a crash leaves is found by the next start.
    const companions = names.filter((name) => /^(?:acks|meta)\.\d+$/.test(name))
    const segments = names.filter((name) => segmentNumber("msgs", name) > 0)
    for (const name of [...companions, ...segments])
      if (!taken.has(name)) disk.rename(`${this.directory}/${name}`, `${store.directory}/${name}`)
  }

  /** The turn calls the stores of the levels itself; this is for whoever closes the store. */
  write(): void {
    for (const store of this.#levels) store?.write()
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    for (const store of this.#levels) store?.close()
  }

  delete(): void {
    if (this.#closed) return
    this.#closed = true
    const context = this.#context
    let segmentCount = 0
    for (const store of this.#levels) if (store !== null) segmentCount += store.abandon()
    this.#directory.forget(context)
    this.#levels.fill(null)
    this.#occupied.fill(0)
    this.readyCount = 0
    this.readyBytes = 0
    try {
      deleteStoreDirectory(context, this.directory, segmentCount)
    } catch (error) {
      // What is left is removed at the next boot, because no definition knows it.
      const { path, code } = asStorageError(error)
      context.log.warn({ queue: this.#options.name, path, code }, "files of a deleted queue remain")
    }
  }

  resetIfIdle(): boolean {
    if (this.#closed) return true
    if (this.readyCount > 0 || this.unackedCount > 0) return false
    let isEmpty = true
    for (let level = 0; level < this.#levels.length; level++) {
      const store = this.#levels[level]!
      if (store === null) continue
      if (store.resetIfIdle()) this.#levels[level] = null
      else isEmpty = false
    }
    if (!isEmpty) return false
    try {
      return removeIfEmpty(this.#context, this.#directory)
    } catch (error) {
      const { path, code } = asStorageError(error)
      this.#context.log.warn({ queue: this.#options.name, path, code }, "files of an empty queue")
      return false
    }
  }
}
