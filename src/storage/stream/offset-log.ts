import { crc32 } from "node:zlib"
import { StorageError } from "../disk.ts"
import { asStorageError } from "../segment-files.ts"
import type { StoreContext } from "../store-context.ts"
import type { StoreDirectory } from "../store-directory.ts"

/**
 * Numbers under names in a small file that is only appended to: the first offset of each segment of a
 * stream, and how far its consumers have come. The last entry of a name wins.
 *
 *   file  = | entry | entry | … |                                        integers little-endian
 *   entry = | CRC-32 u32 | size of the name u8 | name | offset f64 |      CRC over all behind it
 *           offset -1: the name is removed
 *
 * What follows the last sound entry is cut off before the next one is written: sound entries behind a
 * damaged one must not come back. When most of the file is out of date it is replaced:
 *
 *   1. temporary file written  2. synced  3. entries of the meantime added  4. renamed
 *
 * so that a crash at any point leaves the old file or the new one.
 */
const HEAD_SIZE = 5
const VALUE_SIZE = 8
export const NAME_SIZE_MAX = 255
const REMOVED = -1

/** Below this size a file is not worth replacing. */
const COMPACT_SIZE_MIN = 64 << 10
const COMPACT_FACTOR = 4

export class OffsetLog {
  /** In the order of their last change. */
  readonly entries = new Map<string, number>()
  readonly #context: StoreContext
  readonly #directory: StoreDirectory
  readonly #path: string
  /** Sound bytes in the file. */
  #size = 0
  /** Bytes that one entry of each name would take. */
  #liveSize = 0
  /** Damaged bytes follow. */
  #isTorn = false
  #pending: Buffer[] = []
  /** Entries written while a replacement is under way; null if none is. */
  #meantime: Buffer[] | null = null
  #isClosed = false

  constructor(context: StoreContext, directory: StoreDirectory, name: string) {
    this.#context = context
    this.#directory = directory
    this.#path = `${directory.path}/${name}`
  }

  get path(): string {
    return this.#path
  }

  get hasPending(): boolean {
    return this.#pending.length > 0
  }

  /** Reads the file. Throws StorageError. */
  load(): void {
    const bytes = this.#context.disk.readFile(this.#path)
    if (bytes === null) return
    const at = countSoundBytes(bytes, (name, offset) => this.#apply(name, offset))
    this.#size = at
    this.#isTorn = at < bytes.length
    if (this.#isTorn)
      this.#context.log.warn(
        { path: this.#path, bytes: bytes.length - at },
        "the end of a file of offsets was damaged and is ignored",
      )
  }

  #apply(name: string, offset: number): void {
    const size = HEAD_SIZE + Buffer.byteLength(name) + VALUE_SIZE
    if (this.entries.delete(name)) this.#liveSize -= size
    if (offset === REMOVED) return
    this.entries.set(name, offset)
    this.#liveSize += size
  }

  /** Names longer than 255 bytes are not kept. Written by the next write(). */
  set(name: string, offset: number): void {
    if (Buffer.byteLength(name) > NAME_SIZE_MAX) return
    this.#apply(name, offset)
    this.#pending.push(encode(name, offset))
  }

  remove(name: string): void {
    if (!this.entries.has(name)) return
    this.#apply(name, REMOVED)
    this.#pending.push(encode(name, REMOVED))
  }

  /** As remove(), but the file tells only when it is replaced: an entry that means nothing to anybody. */
  forget(name: string): void {
    this.#apply(name, REMOVED)
  }

  /** Appends what was set. Throws StorageError, and then it is still pending. */
  write(): void {
    if (this.#pending.length === 0 || this.#isClosed) return
    const context = this.#context
    this.#directory.ensure(context)
    const bytes = this.#pending.length === 1 ? this.#pending[0]! : Buffer.concat(this.#pending)
    if (this.#size === 0) this.#directory.noteCreation()
    const fd = context.openFiles.acquire(this.#path, true)
    if (this.#isTorn) context.disk.truncate(fd, this.#size)
    this.#isTorn = false
    context.disk.write(fd, bytes, 0, bytes.length, this.#size)
    this.#size += bytes.length
    this.#meantime?.push(bytes)
    this.#pending = []
    const isStale = this.#size >= COMPACT_SIZE_MIN && this.#size > COMPACT_FACTOR * this.#liveSize
    if (isStale && this.#meantime === null) this.#compact()
  }

  /** The next round of syncs covers what was written. */
  touch(): void {
    this.#context.commit.touchFile(this.#path)
    this.#directory.touch(this.#context)
  }

  /** Syncs what was written, apart from the rounds of the commit. Throws StorageError if it cannot begin. */
  sync(done: (error: Error | null) => void): void {
    const { disk } = this.#context
    const fd = disk.open(this.#path, false)
    disk.sync(fd, (error) => {
      try {
        disk.close(fd)
      } catch (closeError) {
        asStorageError(closeError) // The sync has told what there is to know.
      }
      if (error !== null) done(error)
      else disk.syncDirectory(this.#directory.path, done)
    })
  }

  /** The file is about to be removed, or its store to be closed. What is pending is forgotten. */
  close(): void {
    this.#isClosed = true
    this.#context.openFiles.forget(this.#path)
  }

  #compact(): void {
    const { disk } = this.#context
    const temporaryPath = `${this.#path}.tmp`
    const parts: Buffer[] = []
    for (const [name, offset] of this.entries) parts.push(encode(name, offset))
    const content = Buffer.concat(parts)
    try {
      disk.remove(temporaryPath)
      const fd = disk.open(temporaryPath, true)
      this.#meantime = []
      disk.write(fd, content, 0, content.length, 0)
      disk.sync(fd, (error) => this.#replace(fd, temporaryPath, content.length, error))
    } catch (error) {
      this.#meantime = null
      this.#logFailure(asStorageError(error))
    }
  }

  #replace(fd: number, temporaryPath: string, size: number, syncError: Error | null): void {
    const { disk, openFiles } = this.#context
    const added = Buffer.concat(this.#meantime ?? [])
    this.#meantime = null
    try {
      if (syncError === null && !this.#isClosed) disk.write(fd, added, 0, added.length, size)
      disk.close(fd)
      if (this.#isClosed) return
      if (syncError !== null) throw new StorageError(temporaryPath, "EIO", syncError.message)
      openFiles.forget(this.#path)
      disk.rename(temporaryPath, this.#path)
      this.#size = size + added.length
      this.#directory.noteCreation()
    } catch (error) {
      this.#logFailure(asStorageError(error))
    }
  }

  /** The old file goes on; it is tried again after the next write. */
  #logFailure(error: StorageError): void {
    const { path, code } = error
    this.#context.log.warn({ path, code, err: error }, "a file of offsets could not be replaced")
  }
}

/** Hands over the entries up to the first that is damaged, and returns where that is. */
export function countSoundBytes(
  bytes: Buffer,
  onEntry: (name: string, offset: number) => void,
): number {
  let at = 0
  while (at + HEAD_SIZE <= bytes.length) {
    const nameEnd = at + HEAD_SIZE + bytes.readUInt8(at + 4)
    const end = nameEnd + VALUE_SIZE
    if (end > bytes.length || crc32(bytes.subarray(at + 4, end)) !== bytes.readUInt32LE(at)) break
    onEntry(bytes.toString("utf8", at + HEAD_SIZE, nameEnd), bytes.readDoubleLE(nameEnd))
    at = end
  }
  return at
}

function encode(name: string, offset: number): Buffer {
  const nameSize = Buffer.byteLength(name)
  const bytes = Buffer.allocUnsafe(HEAD_SIZE + nameSize + VALUE_SIZE)
  bytes.writeUInt8(nameSize, 4)
  bytes.write(name, HEAD_SIZE)
  bytes.writeDoubleLE(offset, HEAD_SIZE + nameSize)
  bytes.writeUInt32LE(crc32(bytes.subarray(4)), 0)
  return bytes
}
