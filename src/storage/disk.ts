/**
 * The one door to persistent files. Everything that changes the disk (append, replace, delete,
 * sync) passes through a Disk, so that the in-memory disk, the faulty disk of the tests and later
 * the replication leader can stand behind it. The only file that touches node:fs for data.
 *
 * Reads and writes are synchronous: a batch of 128 KiB costs 45 to 100 µs, less than the trip
 * through the thread pool is worth. Syncs are asynchronous and grouped (group-commit.ts).
 */
export interface Disk {
  /** Opens for reading and writing. With `create`, an absent file is made (its directory must exist). */
  open(path: string, create: boolean): number
  close(fd: number): void
  /** Reads up to `length` bytes; returns how many there were. */
  read(fd: number, target: Buffer, targetOffset: number, length: number, position: number): number
  /** Writes all bytes or throws StorageError. A retry with the same arguments is harmless. */
  write(fd: number, source: Buffer, sourceOffset: number, length: number, position: number): void
  size(fd: number): number
  truncate(fd: number, size: number): void
  /** fdatasync in the thread pool. */
  sync(fd: number, done: (error: Error | null) => void): void
  /** fsync of a directory, in the thread pool: makes creations, renames and deletions in it durable. */
  syncDirectory(path: string, done: (error: Error | null) => void): void
  /** Makes a directory and its parents. No error if it is there. */
  makeDirectory(path: string): void
  /** Names in the directory, in no order. Empty if there is no such directory. */
  list(path: string): string[]
  rename(from: string, to: string): void
  /** Deletes a file. No error if it is absent. */
  remove(path: string): void
  /** Deletes a directory with all it holds. No error if it is absent. */
  removeTree(path: string): void
  /** Whole content, or null if there is no such file. */
  readFile(path: string): Buffer | null
  /** Free bytes for unprivileged writers on the filesystem of `path`. */
  freeBytes(path: string): number
  /** Takes an exclusive lock for this process; returns the release. Throws StorageError naming the holder. */
  lock(path: string): () => void
}

/** The disk refused or holds something broken. Closes or holds up one store; the others go on. */
export class StorageError extends Error {
  override readonly name = "StorageError"
  readonly path: string
  /** The system's error code such as ENOSPC or EIO, or "CORRUPT". */
  readonly code: string

  constructor(path: string, code: string, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.path = path
    this.code = code
  }
}
