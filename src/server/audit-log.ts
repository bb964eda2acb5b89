import type { AuditRecord, AuditTrail } from "../http/audit.ts"
import type { Disk } from "../storage/disk.ts"
import { StorageError } from "../storage/disk.ts"
import type { Clock } from "../util/clock.ts"
import type { Logger } from "../util/logger.ts"

/**
 * The records of administrative changes (http/audit.ts): the latest in memory, all of them in files of the
 * data directory that are only appended to, one JSON text per line:
 *
 *   audit.log      written to    audit.log.1 … audit.log.4    older ones, the highest number is the oldest
 *
 * A record is written before its request is answered, so it survives a crash of the broker; it is not synced,
 * so a power failure may take the last ones.
 */
export interface AuditLogOptions {
  readonly disk: Disk
  /** Of audit.log; null keeps the records in memory only. */
  readonly path: string | null
  readonly clock: Clock
  readonly log: Logger
  readonly maxBytes: number
  /** Beside the one that is written to there are one less. */
  readonly fileCount: number
}

const KEPT_MAX = 1024
const READ_SIZE = 64 << 10
/** Longer than any record: what has no line break within it is no record. */
const LINE_SIZE_MAX = 64 << 10
const NEW_LINE = 0x0a

export class AuditLog implements AuditTrail {
  maxBytes: number
  fileCount: number
  /** The latest, the oldest first. */
  readonly #kept: { readonly id: number; readonly text: string }[] = []
  readonly #disk: Disk
  readonly #path: string | null
  readonly #clock: Clock
  readonly #log: Logger
  #isWriting = true
  #fd = -1
  #size = 0
  #lastId = 0
  #hasFailed = false

  constructor(options: AuditLogOptions) {
    this.#disk = options.disk
    this.#path = options.path
    this.#clock = options.clock
    this.#log = options.log
    this.maxBytes = options.maxBytes
    this.fileCount = options.fileCount
  }

  /** False writes no file; what is kept in memory can be looked up all the same. */
  set isWriting(isWriting: boolean) {
    this.#isWriting = isWriting
    if (!isWriting) this.close()
  }

  record(entry: Omit<AuditRecord, "id" | "time">): void {
    this.#clock.refresh()
    const { nowMs } = this.#clock
    if (this.#fd < 0) this.#open()
    const id = Math.max(nowMs, this.#lastId + 1)
    this.#lastId = id
    const text = JSON.stringify({ id, time: new Date(nowMs).toISOString(), ...entry })
    if (this.#kept.length >= KEPT_MAX) this.#kept.shift()
    this.#kept.push({ id, text })
    this.#append(Buffer.from(`${text}\n`))
  }

  #open(): void {
    const path = this.#path
    if (path === null || !this.#isWriting) return
    this.#try(() => {
      this.#fd = this.#disk.open(path, true)
      this.#size = this.#disk.size(this.#fd)
      this.#beginAfterLast()
    })
  }

  /** Behind a torn line a new one begins; ids go on where they were, also if the clock was set back. */
  #beginAfterLast(): void {
    const size = Math.min(this.#size, LINE_SIZE_MAX)
    const end = Buffer.alloc(size)
    this.#disk.read(this.#fd, end, 0, size, this.#size - size)
    const lines = end.toString("utf8").trimEnd().split("\n")
    const id = Number(/^\{"id":(\d{1,16}),/.exec(lines.at(-1) ?? "")?.[1] ?? 0)
    if (id <= this.#clock.nowMs + 60_000) this.#lastId = Math.max(this.#lastId, id)
    if (size > 0 && end[size - 1] !== NEW_LINE) this.#write(Buffer.from("\n"))
  }

  #append(line: Buffer): void {
    if (this.#fd < 0) return
    this.#try(() => {
      if (this.#size > 0 && this.#size + line.length > this.maxBytes) this.#rotate()
      this.#write(line)
      if (this.#hasFailed) this.#log.info({ path: this.#path }, "the audit log is written again")
      this.#hasFailed = false
    })
  }

  #write(bytes: Buffer): void {
    this.#disk.write(this.#fd, bytes, 0, bytes.length, this.#size)
    this.#size += bytes.length
  }

  #rotate(): void {
    const path = this.#path!
    this.close()
    this.#disk.remove(this.#nameOf(this.fileCount - 1))
    for (let number = this.fileCount - 2; number >= 0; number--) {
      const from = this.#nameOf(number)
      if (number === 0 || this.#exists(from)) this.#disk.rename(from, this.#nameOf(number + 1))
    }
    this.#fd = this.#disk.open(path, true)
    this.#size = this.#disk.size(this.#fd)
  }

  #nameOf(number: number): string {
    return number === 0 ? this.#path! : `${this.#path!}.${String(number)}`
  }

  #exists(path: string): boolean {
    const at = path.lastIndexOf("/")
    return this.#disk.list(path.slice(0, at)).includes(path.slice(at + 1))
  }

  /** A disk that refuses costs records, never a change; said once. */
  #try(action: () => void): void {
    try {
      action()
    } catch (error) {
      if (!(error instanceof StorageError)) throw error
      this.close()
      if (!this.#hasFailed)
        this.#log.error(
          { path: this.#path, err: error },
          "the audit log cannot be written: changes are recorded in memory only",
        )
      this.#hasFailed = true
    }
  }

  /** What is recorded later opens the file again. */
  close(): void {
    if (this.#fd >= 0) this.#disk.close(this.#fd)
    this.#fd = -1
  }

  *newestFirst(): Generator<string> {
    for (let index = this.#kept.length - 1; index >= 0; index--) {
      const kept = this.#kept[index]
      if (kept !== undefined) yield kept.text
    }
    if (this.#path === null) return
    // Those that are in memory come once more; who walks leaves out what does not go down.
    for (let number = 0; number < this.fileCount; number++)
      yield* this.#linesOf(this.#nameOf(number))
  }

  /** The last first. */
  *#linesOf(path: string): Generator<string> {
    if (!this.#exists(path)) return
    let fd: number
    try {
      fd = this.#disk.open(path, false)
    } catch (error) {
      if (error instanceof StorageError) return // It was rotated away.
      throw error
    }
    try {
      yield* linesBackwards(this.#disk, fd)
    } finally {
      this.#disk.close(fd)
    }
  }
}

function* linesBackwards(disk: Disk, fd: number): Generator<string> {
  let position = disk.size(fd)
  let rest = Buffer.alloc(0)
  while (position > 0) {
    const size = Math.min(READ_SIZE, position)
    position -= size
    const piece = Buffer.alloc(size)
    disk.read(fd, piece, 0, size, position)
    const bytes = Buffer.concat([piece, rest])
    let end = bytes.length
    for (;;) {
      const lineBreak = end === 0 ? -1 : bytes.lastIndexOf(NEW_LINE, end - 1)
      if (lineBreak < 0) break
      if (lineBreak + 1 < end) yield bytes.toString("utf8", lineBreak + 1, end)
      end = lineBreak
    }
    rest = end > LINE_SIZE_MAX ? Buffer.alloc(0) : bytes.subarray(0, end)
  }
  if (rest.length > 0) yield rest.toString("utf8")
}
