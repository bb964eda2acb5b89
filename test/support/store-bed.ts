/**
 * A message store on a disk of choice, with the turn played by hand: appends by text, shifts into
 * plain objects, ends turns. For the tests of the storage layer.
 */
import { GroupCommit } from "../../src/storage/group-commit.ts"
import type { Disk } from "../../src/storage/disk.ts"
import { IncomingMessage, StoredMessage } from "../../src/storage/message.ts"
import { MessageStore } from "../../src/storage/message-store.ts"
import type { QueueStore } from "../../src/storage/queue-store.ts"
import { OpenFiles } from "../../src/storage/open-files.ts"
import type { RecoveryReport } from "../../src/storage/recovery.ts"
import type { DirtyStore, StoreContext } from "../../src/storage/store-context.ts"
import { BufferPool } from "../../src/util/buffer-pool.ts"
import type { BufferPoolOptions } from "../../src/util/buffer-pool.ts"
import { Chunk } from "../../src/util/bytes.ts"
import { ManualClock } from "../../src/util/clock.ts"

export interface LogEntry {
  readonly level: "info" | "warn" | "error"
  readonly fields: object
  readonly text: string
}

export interface Taken {
  readonly body: string
  readonly route: string
  readonly properties: string
  readonly persistent: boolean
  readonly redelivered: boolean
  readonly timestampMs: number
  readonly segment: number
  readonly position: number
  readonly size: number
  readonly bodySize: number
}

export interface StoreBedOptions {
  readonly segmentSizeBytes?: number
  readonly sync?: boolean
  readonly openFilesMax?: number
  readonly buffers?: BufferPoolOptions
}

export const STORE_DIRECTORY = "/data/vhost/queue"

export class StoreBed {
  readonly disk: Disk
  readonly clock = new ManualClock()
  readonly log: LogEntry[] = []
  readonly openFiles: OpenFiles
  readonly commit: GroupCommit
  readonly buffers: BufferPool
  readonly context: StoreContext
  readonly #dirty = new Set<DirtyStore>()
  /** To be tried again. */
  readonly #failed = new Set<DirtyStore>()
  readonly #into = new StoredMessage()
  /** Errors of rounds by their number. */
  readonly failedRounds = new Set<number>()

  constructor(disk: Disk, options: StoreBedOptions = {}) {
    this.disk = disk
    this.openFiles = new OpenFiles(disk, options.openFilesMax ?? 8)
    this.commit = new GroupCommit(disk, this.openFiles, { sync: options.sync ?? true })
    this.commit.onComplete = (round, error) => {
      if (error !== null) this.failedRounds.add(round)
    }
    this.buffers = new BufferPool(options.buffers)
    const note = (level: LogEntry["level"]) => (fields: object, text: string) =>
      void this.log.push({ level, fields, text })
    this.context = {
      disk,
      openFiles: this.openFiles,
      commit: this.commit,
      buffers: this.buffers,
      segmentSizeBytes: options.segmentSizeBytes ?? 8 << 20,
      clock: this.clock,
      log: { info: note("info"), warn: note("warn"), error: note("error") },
      markDirty: (store) => void this.#dirty.add(store),
    }
  }

  store(durable = true, directory = STORE_DIRECTORY): MessageStore {
    return new MessageStore(this.context, directory, { durable, name: "queue" })
  }

  open(): { store: MessageStore; report: RecoveryReport } {
    const store = this.store()
    return { store, report: store.open() }
  }

  /** Ends the turn; returns the round that its persistent messages wait for. */
  turn(): number {
    const stores = new Set([...this.#dirty, ...this.#failed])
    this.#dirty.clear()
    this.#failed.clear()
    for (const store of stores) {
      store.write()
      if (store.failed) this.#failed.add(store)
    }
    return this.commit.request()
  }

  /** Ends turns until no store asks for one. */
  turns(): void {
    while (this.#dirty.size > 0) this.turn()
  }

  append(store: QueueStore, body: string | Buffer, options: MessageOptions = {}): boolean {
    return store.append(incoming(body, options))
  }

  /** Bodies of one size, as the frames of one publisher have them: other bytes between them. */
  appendRun(store: MessageStore, bodies: readonly string[], options: MessageOptions = {}): number {
    const [first = ""] = bodies
    const message = incoming(bodies.map((body) => `${body}---`).join(""), options)
    message.bodyEnd = first.length
    return store.appendRun(message, bodies.length, first.length + 3)
  }

  /** What shiftRun() gives, taken apart. */
  takeRun(store: MessageStore, count: number, bytesMax = 1 << 20): Taken[] {
    const into = this.#into
    const taken: Taken[] = []
    for (let left = store.shiftRun(into, count, bytesMax); left > 0; left--) {
      taken.push(describe(into))
      into.routeStart += into.size
      into.routeEnd += into.size
      into.propertiesStart += into.size
      into.propertiesEnd += into.size
      into.bodyStart += into.size
      into.bodyEnd += into.size
      into.position += into.size
    }
    return taken
  }

  take(store: QueueStore): Taken | null {
    return store.shift(this.#into) ? describe(this.#into) : null
  }

  peek(store: QueueStore): Taken | null {
    return store.peek(this.#into) ? describe(this.#into) : null
  }

  /** Takes and settles all that is ready; returns the bodies. */
  drain(store: QueueStore): string[] {
    const bodies: string[] = []
    for (;;) {
      const taken = this.take(store)
      if (taken === null) return bodies
      bodies.push(taken.body)
      ack(store, taken)
    }
  }
}

export interface MessageOptions {
  readonly exchange?: string
  readonly key?: string
  readonly properties?: Buffer
  readonly timestampMs?: number
  readonly persistent?: boolean
  readonly expires?: boolean
  readonly priority?: number
}

export function ack(store: QueueStore, taken: Taken): void {
  store.ack(taken.segment, taken.position, taken.size, taken.bodySize)
}

export function requeue(store: QueueStore, taken: Taken): void {
  store.requeue(taken.segment, taken.position, taken.size, taken.bodySize)
}

export function incoming(body: string | Buffer, options: MessageOptions = {}): IncomingMessage {
  const exchange = Buffer.from(options.exchange ?? "")
  const key = Buffer.from(options.key ?? "key")
  const properties = options.properties ?? Buffer.from([0, 0])
  const bytes = typeof body === "string" ? Buffer.from(body) : body
  const head = Buffer.concat([
    Buffer.from([exchange.length]),
    exchange,
    Buffer.from([key.length]),
    key,
  ])
  const message = new IncomingMessage()
  message.route = new Chunk(Buffer.concat([head, properties]))
  message.routeStart = 0
  message.routeEnd = head.length
  message.properties = message.route
  message.propertiesStart = head.length
  message.propertiesEnd = head.length + properties.length
  message.body = new Chunk(bytes)
  message.bodyStart = 0
  message.bodyEnd = bytes.length
  message.timestampMs = options.timestampMs ?? 1_700_000_000_123
  message.persistent = options.persistent ?? true
  message.expires = options.expires ?? false
  message.priority = options.priority ?? 0
  return message
}

function describe(message: StoredMessage): Taken {
  const { bytes } = message.chunk
  return {
    body: bytes.toString("latin1", message.bodyStart, message.bodyEnd),
    route: bytes.toString("latin1", message.routeStart, message.routeEnd),
    properties: bytes.toString("hex", message.propertiesStart, message.propertiesEnd),
    persistent: message.persistent,
    redelivered: message.redelivered,
    timestampMs: message.timestampMs,
    segment: message.segment,
    position: message.position,
    size: message.size,
    bodySize: message.bodyEnd - message.bodyStart,
  }
}
