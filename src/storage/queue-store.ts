import type { StorageError } from "./disk.ts"
import type { IncomingMessage, StoredMessage } from "./message.ts"
import type { DirtyStore } from "./store-context.ts"

/**
 * What a queue needs of the store of its messages, whatever it is made of: MessageStore, or
 * PriorityStore with one of them per priority.
 *
 * A message is *ready* until shift() hands it out, and *unacked* until ack() or requeue(). Who took it
 * brings segment, position, size and the size of the body back; they mean something to this store only.
 */
export interface QueueStore extends DirtyStore {
  /** Ready and handed-out messages, and the bytes of their bodies. */
  readonly readyCount: number
  readonly readyBytes: number
  readonly unackedCount: number
  readonly unackedBytes: number
  /** Ready messages that were handed out before and came back. */
  readonly requeuedCount: number
  /** The disk refuses: nothing can be appended until a later write() succeeds. */
  readonly failed: boolean
  readonly lastError: StorageError | null
  /** The last attempt to read from the disk has failed, and will be repeated. */
  readonly cannotRead: boolean
  /** Messages given up because the disk could not give them back, since open(). */
  readonly lostCount: number
  /** The last read() that failed will not succeed later either: the message is to be settled. */
  readonly isReadFinal: boolean
  readonly directory: string

  /** Stores a copy of the message. False if the store refuses: it has failed. */
  append(message: IncomingMessage): boolean
  /**
   * Stores `count` messages that differ in their bodies only, which lie `stride` bytes apart. Returns
   * how many; the one behind them was refused.
   */
  appendRun(message: IncomingMessage, count: number, stride: number): number
  /** Takes the next ready message, which is unacked then. False if there is none to be had. */
  shift(into: StoredMessage): boolean
  /**
   * As shift(), for up to `count` messages of together at most `bytesMax` bytes that lie one behind the
   * other and differ in nothing but their bodies, which are of one size. Those with an expiration come one
   * by one. Describes the first; returns how many.
   */
  shiftRun(into: StoredMessage, count: number, bytesMax: number): number
  /** The message that shift() would take, without taking it. */
  peek(into: StoredMessage): boolean
  /**
   * Settles a message that shift() handed out, or `count` of the same size that lie one directly behind
   * the other.
   */
  ack(segment: number, position: number, size: number, bodySize: number, count?: number): void
  /**
   * Puts a message that shift() handed out back to its place in the order, or `count` of the same size that
   * lie one directly behind the other.
   */
  requeue(segment: number, position: number, size: number, bodySize: number, count?: number): void

  /**
   * Describes a message that was handed out and is not settled, in `into`, which is valid until the next
   * call on the store. Its `redelivered` is false: the store does not know. False if the message cannot be
   * read now (a disk that fails is asked again a second later) or at all: then isReadFinal is true.
   */
  read(segment: number, position: number, size: number, into: StoredMessage): boolean

  /**
   * Calls `visit` for the ready messages in the order of delivery, from the one at `skip` on, until it
   * returns false. Changes nothing, not even `redelivered`. The message is valid during the visit only,
   * and nothing else may be called on the store in it. Segments that are skipped as a whole are not
   * read; damaged messages are left out where they can be recognised.
   */
  browse(skip: number, visit: (message: StoredMessage) => boolean): void

  /**
   * Levels of priority, each with an order of its own. The highest level below `below` with a ready
   * message, or -1; a store without priorities has one level, 0. All of them, from the top:
   *
   *   for (let level = store.nextLevel(LEVELS); level >= 0; level = store.nextLevel(level))
   */
  nextLevel(below: number): number
  /** shift() and peek() at the head of one level. */
  shiftLevel(level: number, into: StoredMessage): boolean
  peekLevel(level: number, into: StoredMessage): boolean

  /** There may be a message that is not settled at this place; false is certain. */
  mayHold(segment: number, position: number): boolean

  /** Settles all ready messages and returns how many there were. Handed-out ones stay. */
  purge(): number
  /** Writes what is left. The store is unusable afterwards. */
  close(): void
  /** Removes all files. A store that is made for the same directory afterwards starts empty. */
  delete(): void
  /** Removes the files of a store that has no messages. True if nothing is left of it. */
  resetIfIdle(): boolean
}

/** More than any level. */
export const LEVELS = 256
