import { StorageError, type Disk } from "./disk.ts"

/**
 * The open data files, at most a fixed number of them: what was not used for the longest time is
 * closed first. 100,000 queues thus share a few hundred descriptors.
 *
 * A file whose sync is under way is pinned and stays open until it ends, also when it is forgotten.
 */
export interface OpenFile {
  readonly path: string
  readonly fd: number
}

class Entry implements OpenFile {
  readonly path: string
  readonly fd: number
  pins = 0
  /** No longer in the table; closed when the last pin goes. */
  isForgotten = false
  /** Neighbours in the order of use. */
  newer: Entry | null = null
  older: Entry | null = null

  constructor(path: string, fd: number) {
    this.path = path
    this.fd = fd
  }
}

const LIMIT_DEFAULT = 512

export class OpenFiles {
  readonly #disk: Disk
  readonly #limit: number
  readonly #entries = new Map<string, Entry>()
  #newest: Entry | null = null
  #oldest: Entry | null = null

  constructor(disk: Disk, limit = LIMIT_DEFAULT) {
    this.#disk = disk
    this.#limit = limit
  }

  get count(): number {
    return this.#entries.size
  }

  /**
   * The descriptor, valid until the next acquire(). With `create`, an absent file is made. Throws
   * StorageError if the file cannot be opened.
   */
  acquire(path: string, create: boolean): number {
    const newest = this.#newest
    if (newest !== null && newest.path === path) return newest.fd
    const entry = this.#entries.get(path)
    if (entry === undefined) return this.#open(path, create).fd
    this.#unlink(entry)
    this.#linkNewest(entry)
    return entry.fd
  }

  /** Opens like acquire(), and keeps the file open until unpin(). */
  pin(path: string): OpenFile {
    const entry = this.#entries.get(path) ?? this.#open(path, false)
    entry.pins++
    return entry
  }

  unpin(file: OpenFile): void {
    if (!(file instanceof Entry)) return
    file.pins--
    if (file.isForgotten && file.pins === 0) this.#close(file)
  }

  /** Closes the file if it is open. To be called before it is removed, renamed or replaced. */
  forget(path: string): void {
    const entry = this.#entries.get(path)
    if (entry !== undefined) this.#drop(entry)
  }

  closeAll(): void {
    for (const entry of this.#entries.values()) this.#drop(entry)
  }

  #open(path: string, create: boolean): Entry {
    if (this.#entries.size >= this.#limit) this.#closeOldest(this.#entries.size - this.#limit + 1)
    const entry = new Entry(path, this.#openDescriptor(path, create))
    this.#entries.set(path, entry)
    this.#linkNewest(entry)
    return entry
  }

  #openDescriptor(path: string, create: boolean): number {
    try {
      return this.#disk.open(path, create)
    } catch (error) {
      // Sockets may have taken what the process is allowed to have: make do with half.
      const isExhausted =
        error instanceof StorageError && (error.code === "EMFILE" || error.code === "ENFILE")
      if (!isExhausted || this.#closeOldest((this.#entries.size + 1) >> 1) === 0) throw error
      return this.#disk.open(path, create)
    }
  }

  /** Returns how many it could close. */
  #closeOldest(count: number): number {
    let closed = 0
    let entry = this.#oldest
    while (entry !== null && closed < count) {
      const next = entry.newer
      if (entry.pins === 0) {
        this.#drop(entry)
        closed++
      }
      entry = next
    }
    return closed
  }

  #drop(entry: Entry): void {
    this.#unlink(entry)
    this.#entries.delete(entry.path)
    entry.isForgotten = true
    if (entry.pins === 0) this.#close(entry)
  }

  #close(entry: Entry): void {
    try {
      this.#disk.close(entry.fd)
    } catch {
      // The descriptor is gone all the same, and whether the content is safe is what a sync tells.
    }
  }

  #linkNewest(entry: Entry): void {
    entry.older = this.#newest
    entry.newer = null
    if (this.#newest === null) this.#oldest = entry
    else this.#newest.newer = entry
    this.#newest = entry
  }

  #unlink(entry: Entry): void {
    if (entry.newer === null) this.#newest = entry.older
    else entry.newer.older = entry.older
    if (entry.older === null) this.#oldest = entry.newer
    else entry.older.newer = entry.newer
    entry.newer = null
    entry.older = null
  }
}
