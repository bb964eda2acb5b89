import { dirname } from "node:path"
import { StorageError, type Disk } from "./disk.ts"

/**
 * A small JSON file that is replaced as a whole: users, vhosts, policies. A reader finds the old or
 * the new value, never a mixture, also after a power failure: the new one is written to a temporary
 * file, synced, renamed, and the directory synced. What the value means is the caller's business.
 *
 * Values saved while a save is under way are collapsed: only the latest of them is written.
 */
interface Waiting {
  resolve(): void
  reject(error: Error): void
}

export class JsonStore {
  readonly #disk: Disk
  readonly #path: string
  #isSaving = false
  /** The text to be written next, and who waits for it. */
  #nextText: string | null = null
  #waiting: Waiting[] = []

  constructor(disk: Disk, path: string) {
    this.#disk = disk
    this.#path = path
  }

  /** Null if there is no such file. Throws StorageError if it is no JSON; the file is left as it is. */
  load(): unknown {
    const content = this.#disk.readFile(this.#path)
    if (content === null) return null
    try {
      const value: unknown = JSON.parse(content.toString("utf8"))
      return value
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      throw new StorageError(
        this.#path,
        "CORRUPT",
        `${this.#path} is not valid JSON (${reason}): repair it, or move it away to start without it`,
        error,
      )
    }
  }

  /** Resolves when this value, or one saved after it, is safe on disk. The value may change after the call. */
  save(value: unknown): Promise<void> {
    this.#nextText = `${JSON.stringify(value, null, 2)}\n`
    const saved = new Promise<void>((resolve, reject) => this.#waiting.push({ resolve, reject }))
    if (!this.#isSaving) this.#saveNext()
    return saved
  }

  #saveNext(): void {
    const text = this.#nextText
    if (text === null) return
    const waiting = this.#waiting
    this.#nextText = null
    this.#waiting = []
    this.#isSaving = true
    this.#replace(text, (error) => {
      this.#isSaving = false
      this.#saveNext()
      for (const waiter of waiting)
        if (error === null) waiter.resolve()
        else waiter.reject(error)
    })
  }

  #replace(text: string, done: (error: Error | null) => void): void {
    const disk = this.#disk
    const temporaryPath = `${this.#path}.tmp`
    const fail = (error: unknown): void => {
      discard(disk, temporaryPath)
      done(error instanceof Error ? error : new Error(String(error)))
    }
    let fd: number
    try {
      fd = disk.open(temporaryPath, true)
    } catch (error) {
      fail(error)
      return
    }
    const content = Buffer.from(text, "utf8")
    try {
      disk.truncate(fd, 0)
      disk.write(fd, content, 0, content.length, 0)
    } catch (error) {
      disk.close(fd)
      fail(error)
      return
    }
    disk.sync(fd, (syncError) => {
      try {
        disk.close(fd)
        if (syncError !== null) throw syncError
        disk.rename(temporaryPath, this.#path)
      } catch (error) {
        fail(error)
        return
      }
      disk.syncDirectory(dirname(this.#path), done)
    })
  }
}

function discard(disk: Disk, path: string): void {
  try {
    disk.remove(path)
  } catch {
    // The failure that led here is what is reported; the file is overwritten by the next save.
  }
}
