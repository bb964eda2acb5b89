import type { Clock } from "../util/clock.ts"
import type { Disk } from "./disk.ts"

/**
 * A disk that counts what passes through it, for the metrics. Adds two additions to an operation; the
 * time of a sync is measured with the clock of the turns, to the millisecond.
 */
export interface DiskCounts {
  readonly readCount: number
  readonly readBytes: number
  readonly writeCount: number
  readonly writtenBytes: number
  /** fdatasync of files. */
  readonly syncCount: number
  readonly syncErrorCount: number
  /** Of all syncs together; several run at a time. */
  readonly syncMs: number
  /** fsync of directories. */
  readonly directorySyncCount: number
}

export class CountingDisk implements Disk, DiskCounts {
  readCount = 0
  readBytes = 0
  writeCount = 0
  writtenBytes = 0
  syncCount = 0
  syncErrorCount = 0
  syncMs = 0
  directorySyncCount = 0
  readonly #disk: Disk
  readonly #clock: Clock

  constructor(disk: Disk, clock: Clock) {
    this.#disk = disk
    this.#clock = clock
  }

  open(path: string, create: boolean): number {
    return this.#disk.open(path, create)
  }

  close(fd: number): void {
    this.#disk.close(fd)
  }

  read(fd: number, target: Buffer, targetOffset: number, length: number, position: number): number {
    const count = this.#disk.read(fd, target, targetOffset, length, position)
    this.readCount++
    this.readBytes += count
    return count
  }

  write(fd: number, source: Buffer, sourceOffset: number, length: number, position: number): void {
    this.#disk.write(fd, source, sourceOffset, length, position)
    this.writeCount++
    this.writtenBytes += length
  }

  size(fd: number): number {
    return this.#disk.size(fd)
  }

  truncate(fd: number, size: number): void {
    this.#disk.truncate(fd, size)
  }

  sync(fd: number, done: (error: Error | null) => void): void {
    const clock = this.#clock
    clock.refresh()
    const startedMs = clock.nowMs
    this.#disk.sync(fd, (error) => {
      clock.refresh()
      this.syncCount++
      if (error !== null) this.syncErrorCount++
      this.syncMs += Math.max(0, clock.nowMs - startedMs)
      done(error)
    })
  }

  syncDirectory(path: string, done: (error: Error | null) => void): void {
    this.#disk.syncDirectory(path, (error) => {
      this.directorySyncCount++
      done(error)
    })
  }

  makeDirectory(path: string): void {
    this.#disk.makeDirectory(path)
  }

  list(path: string): string[] {
    return this.#disk.list(path)
  }

  rename(from: string, to: string): void {
    this.#disk.rename(from, to)
  }

  remove(path: string): void {
    this.#disk.remove(path)
  }

  removeTree(path: string): void {
    this.#disk.removeTree(path)
  }

  readFile(path: string): Buffer | null {
    return this.#disk.readFile(path)
  }

  freeBytes(path: string): number {
    return this.#disk.freeBytes(path)
  }

  lock(path: string): () => void {
    return this.#disk.lock(path)
  }
}
