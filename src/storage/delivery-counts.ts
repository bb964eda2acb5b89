import type { TimerHandle } from "../util/clock.ts"
import { ackCheck } from "./ack-log.ts"
import type { StorageError } from "./disk.ts"
import { asStorageError } from "./segment-files.ts"
import type { DirtyStore, StoreContext } from "./store-context.ts"

/**
 * How often messages of one queue came back (delivery limit, x-delivery-count). In memory by place,
 * and in a file, `deliveries` in the queue's directory, so that the counts survive a restart. Only
 * messages that did come back have an entry. Integers little-endian:
 *
 *   deliveries = | magic "SLDC" | version u32 | entry | entry | …
 *   entry      = | segment u32 | position u32 | count u32 | check u32 |     count 0: settled, forgotten
 *
 * A later entry replaces an earlier one. Appended at the end of the turn and, like acks, not synced: a
 * power failure forgets counts, and those messages are tried more often. An unfinished entry at the
 * end is cut off, a damaged one is left out. When most entries are of no use the file is written anew,
 * and it is removed with the last count. While the disk refuses, the counts are right in memory, and
 * written as a whole later.
 *
 * A place is given to another message only when the message of the old one is settled; whoever settles
 * calls forget(). A count without message is dropped when the file is read.
 */
export const DELIVERIES_FILE = "deliveries"

const MAGIC = 0x43444c53
const VERSION = 1
const HEADER_SIZE = 8
const ENTRY_SIZE = 16

/** A file with fewer entries is not worth writing anew. */
const COMPACTED_MIN = 1024
/** It is when only one of so many counts. */
const COMPACTED_RATIO = 4

const RETRY_MS = 1000

export class DeliveryCounts implements DirtyStore {
  /** Not for the turn: publishing goes on without the counts on disk. */
  readonly failed = false
  lastError: StorageError | null = null
  /** Messages that have a count. */
  size = 0
  readonly #context: StoreContext
  readonly #directory: string
  readonly #path: string
  readonly #queueName: string
  /** Counts by segment and position. */
  readonly #segments = new Map<number, Map<number, number>>()
  /** Entries for the end of the file. */
  #pending: Buffer = Buffer.alloc(0)
  #pendingSize = 0
  /** Bytes in the file. 0: there is none. */
  #fileSize = 0
  /** The file does not say what it should, and is to be replaced. */
  #mustRewrite = false
  #dirty = false
  #closed = false
  #retry: TimerHandle | null = null

  constructor(context: StoreContext, directory: string, queueName: string) {
    this.#context = context
    this.#directory = directory
    this.#path = `${directory}/${DELIVERIES_FILE}`
    this.#queueName = queueName
  }

  /** How often it came back; 0 for most. */
  get(segment: number, position: number): number {
    return this.#segments.get(segment)?.get(position) ?? 0
  }

  /** It came back once more. Returns how often it has by now. */
  increment(segment: number, position: number): number {
    const count = this.get(segment, position) + 1
    this.#set(segment, position, count)
    this.#log(segment, position, count)
    return count
  }

  /** It is settled. No error if it has no count. */
  forget(segment: number, position: number): void {
    const positions = this.#segments.get(segment)
    if (positions === undefined || !positions.delete(position)) return
    if (positions.size === 0) this.#segments.delete(segment)
    this.size--
    this.#log(segment, position, 0)
  }

  /** The queue has no messages. */
  clear(): void {
    if (this.size === 0) return
    this.#segments.clear()
    this.size = 0
    this.#pendingSize = 0
    this.#markDirty()
  }

  #set(segment: number, position: number, count: number): void {
    const positions = this.#segments.get(segment)
    if (positions === undefined) this.#segments.set(segment, new Map([[position, count]]))
    else {
      if (positions.has(position)) this.size--
      positions.set(position, count)
    }
    this.size++
  }

  #log(segment: number, position: number, count: number): void {
    if (!this.#mustRewrite) {
      const at = this.#pendingSize
      if (at + ENTRY_SIZE > this.#pending.length) {
        const larger = Buffer.allocUnsafe(Math.max(16 * ENTRY_SIZE, this.#pending.length * 2))
        this.#pending.copy(larger, 0, 0, at)
        this.#pending = larger
      }
      writeEntry(this.#pending, at, segment, position, count)
      this.#pendingSize = at + ENTRY_SIZE
    }
    this.#markDirty()
  }

  #markDirty(): void {
    if (this.#dirty || this.#closed) return
    this.#dirty = true
    this.#context.markDirty(this)
  }

  // ---- the file

  /**
   * Reads what an earlier process wrote. `mayHold` tells whether there can be a message at a place: what
   * a power failure took leaves its place to others. Damage is reported, never fatal.
   */
  open(mayHold: (segment: number, position: number) => boolean): void {
    let content: Buffer | null = null
    try {
      content = this.#context.disk.readFile(this.#path)
    } catch (error) {
      this.#note(asStorageError(error), "counts of deliveries cannot be read: they begin anew")
      this.#mustRewrite = true
    }
    if (content === null) return
    this.#fileSize = content.length
    const bad = this.#load(content)
    let dropped = 0
    for (const [segment, positions] of this.#segments)
      for (const position of positions.keys())
        if (!mayHold(segment, position)) {
          positions.delete(position)
          this.size--
          dropped++
          if (positions.size === 0) this.#segments.delete(segment)
        }
    if (bad > 0)
      this.#context.log.warn(
        { queue: this.#queueName, path: this.#path, bytes: bad },
        "counts of deliveries that a crash left behind are ignored",
      )
    if (bad + dropped === 0 && this.size > 0) return
    this.#mustRewrite = true
    this.#markDirty()
  }

  /** Returns the number of bytes that make no sense. */
  #load(content: Buffer): number {
    return readDeliveries(content, (segment, position, count) => {
      if (count > 0) {
        this.#set(segment, position, count)
        return
      }
      const positions = this.#segments.get(segment)
      if (positions?.delete(position) === true) this.size--
      if (positions?.size === 0) this.#segments.delete(segment)
    })
  }

  /** Called at the end of the turn. Never throws for the disk's sake. */
  write(): void {
    this.#dirty = false
    if (this.#closed) return
    try {
      if (this.size === 0) this.#remove()
      else if (this.#mustRewrite || this.#isMostlyDead()) this.#rewrite()
      else this.#append()
      if (this.lastError === null) return
      this.lastError = null
      this.#context.log.info({ queue: this.#queueName }, "counts of deliveries are written again")
    } catch (error) {
      this.#note(asStorageError(error), "counts of deliveries cannot be written at present")
      this.#mustRewrite = true
      this.#pendingSize = 0
      this.#retry ??= this.#context.clock.setTimer(RETRY_MS, () => {
        this.#retry = null
        this.#markDirty()
      })
    }
  }

  #isMostlyDead(): boolean {
    const count = (this.#fileSize + this.#pendingSize) / ENTRY_SIZE
    return count > COMPACTED_MIN && count > this.size * COMPACTED_RATIO
  }

  #remove(): void {
    this.#pendingSize = 0
    if (this.#fileSize > 0 || this.#mustRewrite) {
      this.#context.openFiles.forget(this.#path)
      this.#context.disk.remove(this.#path)
    }
    this.#fileSize = 0
    this.#mustRewrite = false
    this.#pending = Buffer.alloc(0)
  }

  #append(): void {
    const { disk, openFiles } = this.#context
    if (this.#pendingSize === 0) return
    if (this.#fileSize === 0) {
      this.#rewrite()
      return
    }
    const fd = openFiles.acquire(this.#path, false)
    disk.write(fd, this.#pending, 0, this.#pendingSize, this.#fileSize)
    this.#fileSize += this.#pendingSize
    this.#pendingSize = 0
  }

  /** In another file first, so that a crash leaves the one or the other. */
  #rewrite(): void {
    const { disk, openFiles } = this.#context
    const content = Buffer.allocUnsafe(HEADER_SIZE + this.size * ENTRY_SIZE)
    content.writeUInt32LE(MAGIC, 0)
    content.writeUInt32LE(VERSION, 4)
    let at = HEADER_SIZE
    for (const [segment, positions] of this.#segments)
      for (const [position, count] of positions) {
        writeEntry(content, at, segment, position, count)
        at += ENTRY_SIZE
      }
    const temporary = `${this.#path}.new`
    disk.makeDirectory(this.#directory)
    disk.remove(temporary)
    const fd = disk.open(temporary, true)
    try {
      disk.write(fd, content, 0, at, 0)
    } finally {
      disk.close(fd)
    }
    openFiles.forget(this.#path)
    disk.rename(temporary, this.#path)
    this.#fileSize = at
    this.#pendingSize = 0
    this.#mustRewrite = false
  }

  #note(error: StorageError, text: string): void {
    const isNew = this.lastError === null
    this.lastError = error
    const { path, code } = error
    if (isNew) this.#context.log.warn({ queue: this.#queueName, path, code, err: error }, text)
  }

  /** Writes what is left. */
  close(): void {
    if (this.#closed) return
    if (this.#dirty || this.#mustRewrite) this.write()
    this.abandon()
  }

  /** The directory is about to be removed. */
  abandon(): void {
    this.#closed = true
    this.#retry?.cancel()
    this.#retry = null
    this.#context.openFiles.forget(this.#path)
    this.#segments.clear()
    this.size = 0
  }
}

/** Visits the sound entries of a file; returns the number of bytes that make no sense. */
export function readDeliveries(
  content: Buffer,
  visit: (segment: number, position: number, count: number) => void,
): number {
  const isOurs =
    content.length >= HEADER_SIZE &&
    content.readUInt32LE(0) === MAGIC &&
    content.readUInt32LE(4) === VERSION
  if (!isOurs) return content.length
  let bad = (content.length - HEADER_SIZE) % ENTRY_SIZE
  for (let at = HEADER_SIZE; at + ENTRY_SIZE <= content.length; at += ENTRY_SIZE) {
    const segment = content.readUInt32LE(at)
    const position = content.readUInt32LE(at + 4)
    const count = content.readUInt32LE(at + 8)
    const check = ackCheck(segment, position, count, VERSION, MAGIC)
    if (content.readUInt32LE(at + 12) === check) visit(segment, position, count)
    else bad += ENTRY_SIZE
  }
  return bad
}

function writeEntry(
  target: Buffer,
  at: number,
  segment: number,
  position: number,
  count: number,
): void {
  target.writeUInt32LE(segment, at)
  target.writeUInt32LE(position, at + 4)
  target.writeUInt32LE(count, at + 8)
  target.writeUInt32LE(ackCheck(segment, position, count, VERSION, MAGIC), at + 12)
}
