import {
  close,
  closeSync,
  constants,
  fdatasync,
  fstatSync,
  fsync,
  ftruncateSync,
  linkSync,
  mkdirSync,
  open,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
  renameSync,
  rmdirSync,
  statfsSync,
  statSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs"
import { dirname, join } from "node:path"
import { StorageError, type Disk } from "./disk.ts"
import { lockHolder, takeLock, type LockFiles } from "./lock-file.ts"

/**
 * The disk of the operating system. Adds to node:fs what the rest of the storage relies on: errors
 * that name the file, writes that are whole or fail, deletions that do not mind an absent file.
 * The exclusive lock is in lock-file.ts.
 *
 * Files may hold messages and password hashes: others than owner and group cannot read them.
 */
const FILE_MODE = 0o640
const DIRECTORY_MODE = 0o750

const OPEN = constants.O_RDWR
const OPEN_OR_CREATE = constants.O_RDWR | constants.O_CREAT
const OPEN_DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY

export class NodeDisk implements Disk {
  /** By descriptor, to name the file in errors. */
  readonly #paths: string[] = []

  open(path: string, create: boolean): number {
    try {
      const fd = openSync(path, create ? OPEN_OR_CREATE : OPEN, FILE_MODE)
      this.#paths[fd] = path
      return fd
    } catch (error) {
      throw storageError(path, "open", error)
    }
  }

  close(fd: number): void {
    const path = this.#path(fd)
    this.#paths[fd] = ""
    try {
      closeSync(fd)
    } catch (error) {
      throw storageError(path, "close", error)
    }
  }

  read(fd: number, target: Buffer, targetOffset: number, length: number, position: number): number {
    try {
      let done = readSync(fd, target, targetOffset, length, position)
      while (done < length) {
        const count = readSync(fd, target, targetOffset + done, length - done, position + done)
        if (count === 0) break
        done += count
      }
      return done
    } catch (error) {
      throw storageError(this.#path(fd), "read", error)
    }
  }

  write(fd: number, source: Buffer, sourceOffset: number, length: number, position: number): void {
    try {
      let done = 0
      // A write comes back short when the disk fills up in it; the next one then says ENOSPC.
      while (done < length) {
        const count = writeSync(fd, source, sourceOffset + done, length - done, position + done)
        if (count === 0)
          throw new StorageError(
            this.#path(fd),
            "EIO",
            `cannot write ${this.#path(fd)}: no progress`,
          )
        done += count
      }
    } catch (error) {
      throw storageError(this.#path(fd), "write", error)
    }
  }

  size(fd: number): number {
    try {
      return fstatSync(fd).size
    } catch (error) {
      throw storageError(this.#path(fd), "read the size of", error)
    }
  }

  truncate(fd: number, size: number): void {
    try {
      ftruncateSync(fd, size)
    } catch (error) {
      throw storageError(this.#path(fd), "truncate", error)
    }
  }

  sync(fd: number, done: (error: Error | null) => void): void {
    const path = this.#path(fd)
    fdatasync(fd, (error) => done(error === null ? null : storageError(path, "sync", error)))
  }

  syncDirectory(path: string, done: (error: Error | null) => void): void {
    open(path, OPEN_DIRECTORY, (openError, fd) => {
      if (openError !== null) {
        // A directory that was deleted meanwhile has nothing left to make durable.
        done(openError.code === "ENOENT" ? null : storageError(path, "open", openError))
        return
      }
      fsync(fd, (syncError) => {
        close(fd, (closeError) => {
          // Some network and user-space filesystems refuse to sync a directory with EINVAL: they have no
          // separate directory to make durable.
          const error = syncError?.code === "EINVAL" ? closeError : (syncError ?? closeError)
          done(error ? storageError(path, "sync", error) : null)
        })
      })
    })
  }

  /** Not with the `recursive` option of mkdir: it never returns where the kernel makes no directories (/proc). */
  makeDirectory(path: string): void {
    try {
      mkdirSync(path, { mode: DIRECTORY_MODE })
    } catch (error) {
      const code = errorCode(error)
      if (code === "EEXIST" && isDirectory(path)) return
      const parent = dirname(path)
      if (code !== "ENOENT" || parent === path || isDirectory(parent))
        throw storageError(path, "make", error)
      this.makeDirectory(parent)
      this.makeDirectory(path)
    }
  }

  list(path: string): string[] {
    try {
      return readdirSync(path)
    } catch (error) {
      if (errorCode(error) === "ENOENT") return []
      throw storageError(path, "list", error)
    }
  }

  rename(from: string, to: string): void {
    try {
      renameSync(from, to)
    } catch (error) {
      throw storageError(to, "rename to", error)
    }
  }

  remove(path: string): void {
    try {
      unlinkSync(path)
    } catch (error) {
      if (errorCode(error) !== "ENOENT") throw storageError(path, "delete", error)
    }
  }

  removeTree(path: string): void {
    try {
      removeTree(path)
    } catch (error) {
      throw storageError(path, "delete", error)
    }
  }

  readFile(path: string): Buffer | null {
    try {
      return readFileSync(path)
    } catch (error) {
      if (errorCode(error) === "ENOENT") return null
      throw storageError(path, "read", error)
    }
  }

  freeBytes(path: string): number {
    try {
      const { bavail, bsize } = statfsSync(path)
      return bavail * bsize
    } catch (error) {
      throw storageError(path, "read the free space of", error)
    }
  }

  lock(path: string): () => void {
    try {
      return takeLock(lockFiles, path)
    } catch (error) {
      throw storageError(path, "lock", error)
    }
  }

  /** The process that holds the lock, or null. For tools that only look at the files. */
  lockHolder(path: string): number | null {
    try {
      return lockHolder(lockFiles, path)
    } catch (error) {
      throw storageError(path, "read", error)
    }
  }

  #path(fd: number): string {
    return this.#paths[fd] ?? ""
  }
}

/**
 * Files whose name begins with a dot say what a directory is (`.queue`): they go last, so that the
 * rest of an interrupted deletion can still be told apart and be deleted at the next start.
 */
function removeTree(path: string): void {
  let entries
  try {
    entries = readdirSync(path, { withFileTypes: true })
  } catch (error) {
    if (errorCode(error) === "ENOENT") return
    throw error
  }
  for (const isDotTurn of [false, true])
    for (const entry of entries) {
      if (entry.name.startsWith(".") !== isDotTurn) continue
      const child = join(path, entry.name)
      if (entry.isDirectory()) removeTree(child)
      else unlinkSync(child)
    }
  rmdirSync(path)
}

const lockFiles: LockFiles = {
  read: (path) => {
    let content: string | null = null
    succeeds("ENOENT", () => {
      content = readFileSync(path, "utf8")
    })
    return content
  },
  readLink: (path) => {
    try {
      return readlinkSync(path)
    } catch {
      // Only asked of /proc, which some systems lack.
      return null
    }
  },
  write: (path, content) => writeFileSync(path, content, { mode: FILE_MODE }),
  writeExclusive: (path, content) =>
    succeeds("EEXIST", () => writeFileSync(path, content, { flag: "wx", mode: FILE_MODE })),
  link: (from, to) => {
    try {
      linkSync(from, to)
      return "done"
    } catch (error) {
      const code = errorCode(error)
      if (code === "EEXIST") return "exists"
      if (code === "EPERM" || code === "ENOTSUP" || code === "ENOSYS") return "unsupported"
      throw error
    }
  },
  rename: (from, to) => succeeds("ENOENT", () => renameSync(from, to)),
  remove: (path) => void succeeds("ENOENT", () => unlinkSync(path)),
}

/** False if it fails with that code; other errors are passed on. */
function succeeds(code: string, action: () => void): boolean {
  try {
    action()
    return true
  } catch (error) {
    if (errorCode(error) === code) return false
    throw error
  }
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true
}

function storageError(path: string, action: string, cause: unknown): StorageError {
  if (cause instanceof StorageError) return cause
  const code = errorCode(cause)
  return new StorageError(path, code, `cannot ${action} ${path}: ${reason(code, cause)}`, cause)
}

function errorCode(error: unknown): string {
  if (error instanceof Error && "code" in error && typeof error.code === "string") return error.code
  return "UNKNOWN"
}

const REASONS: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  EPERM: "operation not permitted",
  EROFS: "the filesystem is read-only",
  ENOSPC: "the disk is full",
  EDQUOT: "the disk quota is used up",
  EIO: "input/output error",
  EMFILE: "too many open files",
  ENFILE: "too many open files in the system",
  ENOENT: "no such file or directory",
  ENOTDIR: "a part of the path is not a directory",
  EEXIST: "it exists and is not a directory",
}

function reason(code: string, cause: unknown): string {
  const known = REASONS[code]
  if (known !== undefined) return `${known} (${code})`
  return cause instanceof Error ? cause.message : String(cause)
}
