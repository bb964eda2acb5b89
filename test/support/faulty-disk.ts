/**
 * A disk in memory that fails on demand and remembers what was synced.
 *
 *   failCall("write", 3, "ENOSPC")          the third write from now fails
 *   capacityBytes = disk.usedBytes + 1000   real lack of space
 *   dieAt("write", 3, 100)                  the process is killed in the third write, after 100 bytes
 *   killProcess()                           kill -9; the next process goes on with the same medium
 *   crash("kill", seed)                     the disk after kill -9: all that was written
 *   crash("power", seed)                    the disk after a power failure: what was synced, and any
 *                                           part of the rest
 */
import { basename, dirname, join } from "node:path"
import { StorageError, type Disk } from "../../src/storage/disk.ts"
import { copyTree, DirectoryNode, FileNode, survivingTree, type DiskNode } from "./disk-nodes.ts"
import { createRandom } from "./seed.ts"

function noCalls(): Record<keyof Disk, number> {
  return {
    open: 0,
    close: 0,
    read: 0,
    write: 0,
    size: 0,
    truncate: 0,
    sync: 0,
    syncDirectory: 0,
    makeDirectory: 0,
    list: 0,
    rename: 0,
    remove: 0,
    removeTree: 0,
    readFile: 0,
    freeBytes: 0,
    lock: 0,
  }
}

export type DiskCall = keyof Disk

export interface FaultOptions {
  /** For writes: so many bytes are written before the failure. */
  readonly partialBytes?: number
  /** All calls from the n-th on fail, until heal(). */
  readonly repeat?: boolean
  /** Only where this is a part of the path. */
  readonly path?: string
}

interface Fault extends FaultOptions {
  readonly kind: DiskCall
  readonly code: string
  /** The call to fail, in the count of all calls of the kind. */
  readonly at: number
}

interface Handle {
  readonly path: string
  readonly file: FileNode
}

/** Code of all calls after the process was killed by dieAt(). */
export const DEAD = "DEAD"

export class FaultyDisk implements Disk {
  /** How often each was called. */
  readonly calls = noCalls()
  capacityBytes = Number.MAX_SAFE_INTEGER
  /** While true, syncs do not end before releaseSyncs(). */
  holdSyncs = false
  /** The process was killed by dieAt(): no call succeeds and no sync ends any more. */
  isDead = false
  readonly #root: DirectoryNode
  #faults: Fault[] = []
  #handles: (Handle | null)[] = []
  #held: (() => void)[] = []
  /** What the syncs that have not ended yet do to the medium. */
  readonly #inFlight = new Set<() => void>()
  readonly #locks = new Set<string>()

  constructor(root = new DirectoryNode()) {
    this.#root = root
  }

  // ---- what tests do to it

  /** Lets the n-th call of the kind from now on fail, counted from 1. */
  failCall(kind: DiskCall, n: number, code: string, options: FaultOptions = {}): void {
    this.#faults.push({ ...options, kind, code, at: this.calls[kind] + n })
  }

  /** The process is killed in the n-th call of the kind from now on. */
  dieAt(kind: DiskCall, n: number, partialBytes = 0): void {
    this.failCall(kind, n, DEAD, { partialBytes })
  }

  /**
   * The process is killed: whoever still holds this disk reaches nothing with it any more. Syncs in
   * flight run to their end, good or bad, before the next process begins, and nobody hears of it.
   * Returns the disk for the next process: the same medium, with what is not synced still at risk, and
   * with the faults that are still to come.
   */
  killProcess(): FaultyDisk {
    for (const end of this.#inFlight) end()
    this.#inFlight.clear()
    this.#held = []
    this.isDead = true
    const next = new FaultyDisk(this.#root)
    Object.assign(next.calls, this.calls)
    next.#faults = this.#faults
    next.capacityBytes = this.capacityBytes
    next.holdSyncs = this.holdSyncs
    return next
  }

  /** Takes back all faults. */
  heal(): void {
    this.#faults = []
    this.capacityBytes = Number.MAX_SAFE_INTEGER
  }

  get heldSyncCount(): number {
    return this.#held.length
  }

  /** Ends the syncs held back so far. */
  releaseSyncs(): void {
    const held = this.#held
    this.#held = []
    for (const end of held) end()
  }

  /** What the next process finds. This disk can be used on and does not change. */
  crash(kind: "kill" | "power", seed = 0): FaultyDisk {
    if (kind === "kill") return new FaultyDisk(copyTree(this.#root))
    return new FaultyDisk(survivingTree(this.#root, createRandom(seed)))
  }

  get usedBytes(): number {
    let bytes = 0
    for (const path of this.paths()) bytes += this.#file(path).content.size
    return bytes
  }

  get openCount(): number {
    return this.#handles.filter((handle) => handle !== null).length
  }

  /** All files below the directory, sorted. */
  paths(directory = "/"): string[] {
    const node = this.#find(directory)
    if (!(node instanceof DirectoryNode)) return []
    const paths: string[] = []
    for (const [name, child] of node.entries) {
      const path = join(directory, name)
      if (child instanceof FileNode) paths.push(path)
      else paths.push(...this.paths(path))
    }
    return paths.toSorted()
  }

  /** Puts a file there, directory and all, synced. */
  writeFile(path: string, content: Buffer | string): void {
    const existing = this.#find(path)
    if (existing instanceof FileNode) existing.replace(Buffer.from(content))
    else
      this.#placeDirectory(dirname(path)).place(basename(path), FileNode.of(Buffer.from(content)))
  }

  /** Damages one byte. */
  flip(path: string, offset: number, mask = 0xff): void {
    const content = this.#file(path).bytes
    content[offset]! ^= mask
    this.writeFile(path, content)
  }

  /** Cuts the file short. */
  cut(path: string, size: number): void {
    this.writeFile(path, this.#file(path).bytes.subarray(0, size))
  }

  // ---- Disk

  open(path: string, create: boolean): number {
    this.#enter("open", path)
    const existing = this.#find(path)
    if (existing instanceof DirectoryNode) throw failure(path, "EISDIR", "open")
    const directory = this.#find(dirname(path))
    if (existing === undefined && (!create || !(directory instanceof DirectoryNode)))
      throw failure(path, "ENOENT", "open")
    const file = existing ?? new FileNode()
    if (existing === undefined && directory instanceof DirectoryNode)
      directory.add(basename(path), file)
    const free = this.#handles.indexOf(null)
    const fd = free < 0 ? this.#handles.length : free
    this.#handles[fd] = { path, file }
    return fd
  }

  close(fd: number): void {
    this.#enter("close", this.#handle(fd).path)
    this.#handles[fd] = null
  }

  read(fd: number, target: Buffer, targetOffset: number, length: number, position: number): number {
    const { file, path } = this.#handle(fd)
    this.#enter("read", path)
    return file.content.read(target, targetOffset, length, position)
  }

  write(fd: number, source: Buffer, sourceOffset: number, length: number, position: number): void {
    const { file, path } = this.#handle(fd)
    const fault = this.#count("write", path)
    const growth = Math.max(0, position + length - file.content.size)
    const isFull = growth > 0 && this.#freeBytes() < growth
    if (fault === null && !isFull) {
      file.write(source, sourceOffset, length, position)
      return
    }
    const room = isFull ? length - growth + this.#freeBytes() : length
    const partialBytes = fault === null ? room : Math.min(room, fault.partialBytes ?? 0, length)
    if (partialBytes > 0) file.write(source, sourceOffset, partialBytes, position)
    this.#fail(path, "write", fault?.code ?? "ENOSPC")
  }

  size(fd: number): number {
    const { file, path } = this.#handle(fd)
    this.#enter("size", path)
    return file.content.size
  }

  truncate(fd: number, size: number): void {
    const { file, path } = this.#handle(fd)
    this.#enter("truncate", path)
    file.truncate(size)
  }

  sync(fd: number, done: (error: Error | null) => void): void {
    const { file, path } = this.#handle(fd)
    this.#sync("sync", path, file.beginSync(), done)
  }

  syncDirectory(path: string, done: (error: Error | null) => void): void {
    const node = this.#find(path)
    const end = node instanceof DirectoryNode ? node.beginSync() : (): void => {}
    this.#sync("syncDirectory", path, end, done)
  }

  makeDirectory(path: string): void {
    this.#enter("makeDirectory", path)
    this.#makeDirectory(path)
  }

  list(path: string): string[] {
    this.#enter("list", path)
    const node = this.#find(path)
    return node instanceof DirectoryNode ? [...node.entries.keys()] : []
  }

  rename(from: string, to: string): void {
    this.#enter("rename", to)
    const source = this.#find(dirname(from))
    const target = this.#find(dirname(to))
    const node = this.#find(from)
    const isPossible = source instanceof DirectoryNode && target instanceof DirectoryNode
    if (!isPossible || node === undefined) throw failure(to, "ENOENT", "rename to")
    if (source === target) source.rename(basename(from), basename(to))
    else {
      target.add(basename(to), node)
      source.remove(basename(from))
    }
  }

  remove(path: string): void {
    this.#enter("remove", path)
    const directory = this.#find(dirname(path))
    const node = this.#find(path)
    if (node instanceof DirectoryNode) throw failure(path, "EISDIR", "delete")
    if (node !== undefined && directory instanceof DirectoryNode) directory.remove(basename(path))
  }

  removeTree(path: string): void {
    this.#enter("removeTree", path)
    const node = this.#find(path)
    const parent = this.#find(dirname(path))
    if (node === undefined || !(parent instanceof DirectoryNode)) return
    if (node instanceof DirectoryNode) emptyDirectory(node)
    parent.remove(basename(path))
  }

  readFile(path: string): Buffer | null {
    this.#enter("readFile", path)
    const node = this.#find(path)
    if (node instanceof DirectoryNode) throw failure(path, "EISDIR", "read")
    return node?.bytes ?? null
  }

  freeBytes(path: string): number {
    this.#enter("freeBytes", path)
    return this.#freeBytes()
  }

  lock(path: string): () => void {
    this.#enter("lock", path)
    if (this.#locks.has(path))
      throw new StorageError(path, "LOCKED", `${path} is held by process 1`)
    this.#locks.add(path)
    return () => {
      this.#locks.delete(path)
    }
  }

  // ---- faults

  /** Counts the call and fails it if it is its turn. */
  #enter(kind: DiskCall, path: string): void {
    const fault = this.#count(kind, path)
    if (fault !== null) this.#fail(path, kind, fault.code)
  }

  #count(kind: DiskCall, path: string): Fault | null {
    if (this.isDead) return { kind, code: DEAD, at: 0 }
    const number = ++this.calls[kind]
    const isDue = (fault: Fault): boolean =>
      fault.kind === kind &&
      (fault.path === undefined || path.includes(fault.path)) &&
      (fault.at === number || (fault.repeat === true && fault.at < number))
    return this.#faults.find(isDue) ?? null
  }

  #fail(path: string, kind: DiskCall, code: string): never {
    if (code === DEAD) this.isDead = true
    throw failure(path, code, kind)
  }

  #sync(
    kind: "sync" | "syncDirectory",
    path: string,
    end: (isSuccess: boolean) => void,
    done: (error: Error | null) => void,
  ): void {
    const fault = this.#count(kind, path)
    if (fault?.code === DEAD) this.isDead = true
    if (this.isDead) return
    const reachMedium = (): void => end(fault === null)
    this.#inFlight.add(reachMedium)
    const finish = (): void => {
      if (this.isDead) return
      this.#inFlight.delete(reachMedium)
      reachMedium()
      done(fault === null ? null : failure(path, fault.code, kind))
    }
    if (this.holdSyncs) this.#held.push(finish)
    else queueMicrotask(finish)
  }

  // ---- tree

  #find(path: string): DiskNode | undefined {
    let node: DiskNode | undefined = this.#root
    for (const name of path.split("/")) {
      if (name === "") continue
      node = node instanceof DirectoryNode ? node.entries.get(name) : undefined
    }
    return node
  }

  #file(path: string): FileNode {
    const node = this.#find(path)
    if (!(node instanceof FileNode)) throw failure(path, "ENOENT", "find")
    return node
  }

  /** Makes the directory and its parents, on the medium too. */
  #placeDirectory(path: string): DirectoryNode {
    const existing = this.#find(path)
    if (existing instanceof DirectoryNode) return existing
    const directory = new DirectoryNode()
    this.#placeDirectory(dirname(path)).place(basename(path), directory)
    return directory
  }

  #makeDirectory(path: string): void {
    let node = this.#root
    for (const name of path.split("/")) {
      if (name === "") continue
      let child = node.entries.get(name)
      if (child instanceof FileNode) throw failure(path, "EEXIST", "make")
      if (child === undefined) {
        child = new DirectoryNode()
        node.add(name, child)
      }
      node = child
    }
  }

  #handle(fd: number): Handle {
    const handle = this.#handles[fd]
    if (!handle) throw new StorageError("", "EBADF", `no file is open as ${String(fd)}`)
    return handle
  }

  #freeBytes(): number {
    if (this.capacityBytes === Number.MAX_SAFE_INTEGER) return this.capacityBytes
    return Math.max(0, this.capacityBytes - this.usedBytes)
  }
}

function emptyDirectory(directory: DirectoryNode): void {
  for (const [name, node] of directory.entries) {
    if (node instanceof DirectoryNode) emptyDirectory(node)
    directory.remove(name)
  }
}

function failure(path: string, code: string, action: string): StorageError {
  return new StorageError(path, code, `cannot ${action} ${path}: ${code}`)
}
