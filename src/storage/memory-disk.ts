import { dirname, join } from "node:path"
import { StorageError, type Disk } from "./disk.ts"
import { MemoryFile } from "./memory-file.ts"

/**
 * A disk in memory, for a broker without a data directory and for tests. Behaves like POSIX: an open
 * file lives on after its name is gone. Its memory is bounded by what is stored, and returned when
 * files shrink or go.
 *
 * Knows nothing of faults and crashes: test/support/faulty-disk.ts.
 */
export interface MemoryDiskOptions {
  /** Space on it; what is stored beyond is refused with ENOSPC. Default: no limit. */
  readonly capacityBytes?: number
  /** How the end of a sync is reported. Must not call back at once. Default: queueMicrotask. */
  readonly schedule?: (callback: () => void) => void
}

interface OpenHandle {
  readonly path: string
  readonly file: MemoryFile
}

type Directory = Map<string, MemoryFile | null> // null: a directory of that name

export class MemoryDisk implements Disk {
  capacityBytes: number
  readonly #schedule: (callback: () => void) => void
  readonly #directories = new Map<string, Directory>()
  readonly #handles: (OpenHandle | null)[] = []
  readonly #freeHandles: number[] = []
  readonly #locks = new Set<string>()
  #usedBytes = 0

  constructor(options: MemoryDiskOptions = {}) {
    this.capacityBytes = options.capacityBytes ?? Number.MAX_SAFE_INTEGER
    this.#schedule = options.schedule ?? queueMicrotask
  }

  /** Bytes in files that have a name. */
  get usedBytes(): number {
    return this.#usedBytes
  }

  get openCount(): number {
    return this.#handles.length - this.#freeHandles.length
  }

  open(path: string, create: boolean): number {
    const directory = this.#directories.get(dirname(path))
    const name = baseName(path)
    let file = directory?.get(name)
    if (file === null) throw failure(path, "EISDIR", "open", "it is a directory")
    if (file === undefined) {
      if (!create || directory === undefined) throw noEntry(path, "open")
      file = new MemoryFile()
      directory.set(name, file)
    }
    const fd = this.#freeHandles.pop() ?? this.#handles.length
    this.#handles[fd] = { path, file }
    return fd
  }

  close(fd: number): void {
    this.#handle(fd)
    this.#handles[fd] = null
    this.#freeHandles.push(fd)
  }

  read(fd: number, target: Buffer, targetOffset: number, length: number, position: number): number {
    return this.#handle(fd).file.read(target, targetOffset, length, position)
  }

  write(fd: number, source: Buffer, sourceOffset: number, length: number, position: number): void {
    const { file, path } = this.#handle(fd)
    const growth = Math.max(0, position + length - file.size)
    if (!file.isUnlinked && this.#usedBytes + growth > this.capacityBytes)
      throw failure(path, "ENOSPC", "write", "the disk is full")
    file.write(source, sourceOffset, length, position)
    if (!file.isUnlinked) this.#usedBytes += growth
  }

  size(fd: number): number {
    return this.#handle(fd).file.size
  }

  truncate(fd: number, size: number): void {
    const { file, path } = this.#handle(fd)
    const growth = size - file.size
    if (!file.isUnlinked && growth > 0 && this.#usedBytes + growth > this.capacityBytes)
      throw failure(path, "ENOSPC", "truncate", "the disk is full")
    file.truncate(size)
    if (!file.isUnlinked) this.#usedBytes += growth
  }

  sync(fd: number, done: (error: Error | null) => void): void {
    this.#handle(fd)
    this.#schedule(() => done(null))
  }

  syncDirectory(_path: string, done: (error: Error | null) => void): void {
    this.#schedule(() => done(null))
  }

  makeDirectory(path: string): void {
    if (this.#directories.has(path)) return
    const parent = dirname(path)
    if (parent !== path) {
      this.makeDirectory(parent)
      const siblings = this.#directories.get(parent)!
      if (siblings.has(baseName(path)))
        throw failure(path, "EEXIST", "make", "it exists and is not a directory")
      siblings.set(baseName(path), null)
    }
    this.#directories.set(path, new Map())
  }

  list(path: string): string[] {
    return [...(this.#directories.get(path)?.keys() ?? [])]
  }

  rename(from: string, to: string): void {
    const source = this.#directories.get(dirname(from))
    const target = this.#directories.get(dirname(to))
    const file = source?.get(baseName(from))
    if (source === undefined || target === undefined || file === undefined)
      throw noEntry(to, "rename to")
    if (file === null) this.#renameDirectory(from, to)
    else {
      const replaced = target.get(baseName(to))
      if (replaced === null) throw failure(to, "EISDIR", "rename to", "it is a directory")
      if (replaced !== undefined && replaced !== file) this.#unlinked(replaced)
    }
    source.delete(baseName(from))
    target.set(baseName(to), file)
  }

  remove(path: string): void {
    const directory = this.#directories.get(dirname(path))
    const file = directory?.get(baseName(path))
    if (directory === undefined || file === undefined) return
    if (file === null) throw failure(path, "EISDIR", "delete", "it is a directory")
    directory.delete(baseName(path))
    this.#unlinked(file)
  }

  removeTree(path: string): void {
    const directory = this.#directories.get(path)
    if (directory === undefined) {
      this.remove(path)
      return
    }
    for (const [name, file] of directory) {
      if (file === null) this.removeTree(join(path, name))
      else this.#unlinked(file)
    }
    this.#directories.delete(path)
    this.#directories.get(dirname(path))?.delete(baseName(path))
  }

  readFile(path: string): Buffer | null {
    const file = this.#directories.get(dirname(path))?.get(baseName(path))
    if (file === undefined) return null
    if (file === null) throw failure(path, "EISDIR", "read", "it is a directory")
    const content = Buffer.allocUnsafe(file.size)
    file.read(content, 0, file.size, 0)
    return content
  }

  freeBytes(_path: string): number {
    return Math.max(0, this.capacityBytes - this.#usedBytes)
  }

  lock(path: string): () => void {
    if (this.#locks.has(path))
      throw new StorageError(path, "LOCKED", `${path} is held by process ${String(process.pid)}`)
    this.#locks.add(path)
    return () => {
      this.#locks.delete(path)
    }
  }

  #handle(fd: number): OpenHandle {
    const handle = this.#handles[fd]
    if (!handle) throw new StorageError("", "EBADF", `no file is open as ${String(fd)}`)
    return handle
  }

  #renameDirectory(from: string, to: string): void {
    if (this.#directories.has(to)) {
      if (this.#directories.get(to)!.size > 0)
        throw failure(to, "ENOTEMPTY", "rename to", "it is not empty")
      this.#directories.delete(to)
    }
    for (const path of this.#directories.keys())
      if (path === from || path.startsWith(`${from}/`)) {
        this.#directories.set(to + path.slice(from.length), this.#directories.get(path)!)
        this.#directories.delete(path)
      }
  }

  #unlinked(file: MemoryFile): void {
    file.isUnlinked = true
    this.#usedBytes -= file.size
  }
}

/** Cheaper than path.basename for the paths that the storage makes with join(). */
function baseName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1)
}

function noEntry(path: string, action: string): StorageError {
  return failure(path, "ENOENT", action, "no such file or directory")
}

function failure(path: string, code: string, action: string, reason: string): StorageError {
  return new StorageError(path, code, `cannot ${action} ${path}: ${reason} (${code})`)
}
