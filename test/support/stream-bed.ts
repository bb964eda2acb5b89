/**
 * A stream's store on a disk of choice, with the turn played by hand (store-bed.ts): appends by text,
 * reads into plain objects.
 */
import { StoredMessage, type IncomingMessage } from "../../src/storage/message.ts"
import type { RecoveryReport } from "../../src/storage/recovery.ts"
import { StreamCache } from "../../src/storage/stream/stream-cache.ts"
import { READ_MESSAGE } from "../../src/storage/stream/stream-reader.ts"
import type { StreamReader } from "../../src/storage/stream/stream-reader.ts"
import { StreamStore } from "../../src/storage/stream/stream-store.ts"
import type { Disk } from "../../src/storage/disk.ts"
import { incoming, StoreBed, STORE_DIRECTORY } from "./store-bed.ts"
import type { MessageOptions, StoreBedOptions } from "./store-bed.ts"

export interface Read {
  readonly offset: number
  readonly body: string
  readonly timestampMs: number
}

export class StreamBed extends StoreBed {
  readonly cache: StreamCache
  readonly #into = new StoredMessage()

  constructor(disk: Disk, options: StoreBedOptions & { readonly cacheBytes?: number } = {}) {
    super(disk, options)
    this.cache = new StreamCache(this.buffers, options.cacheBytes)
  }

  stream(): StreamStore {
    return new StreamStore(this.context, STORE_DIRECTORY, {
      name: "stream",
      durable: true,
      cache: this.cache,
    })
  }

  openStream(): { stream: StreamStore; report: RecoveryReport } {
    const stream = this.stream()
    return { stream, report: stream.open() }
  }

  add(stream: StreamStore, body: string | Buffer, options: MessageOptions = {}): boolean {
    return stream.append(incoming(body, options))
  }

  /** Appends `count` messages, each in a turn of its own: `<offset>:…` padded to `size`. */
  fill(stream: StreamStore, count: number, size = 0): void {
    for (let i = 0; i < count; i++) {
      this.add(stream, bodyOf(stream.nextOffset, size), { timestampMs: this.clock.nowMs })
      this.turn()
    }
  }

  /** Messages whose bodies lie one behind the other. */
  runOf(bodies: readonly string[]): IncomingMessage {
    const message = incoming(bodies.join(""))
    message.bodyEnd = bodies[0]!.length
    return message
  }

  /** Ends turns until nothing is left to do, syncs included. */
  async settle(): Promise<void> {
    for (let i = 0; i < 5; i++) {
      this.turns()
      await new Promise((resolve) => setImmediate(resolve))
    }
    this.turns()
  }

  next(reader: StreamReader): Read | null {
    if (reader.read(this.#into) !== READ_MESSAGE) return null
    const { chunk, bodyStart, bodyEnd, addedValue, timestampMs } = this.#into
    return {
      offset: addedValue,
      body: chunk.bytes.toString("latin1", bodyStart, bodyEnd),
      timestampMs,
    }
  }

  /** All from the reader's place on, in batches as a queue reads them. */
  rest(reader: StreamReader, batch = 7): Read[] {
    const found: Read[] = []
    for (;;) {
      reader.begin()
      for (let i = 0; i < batch; i++) {
        const read = this.next(reader)
        if (read === null) return found
        found.push(read)
      }
    }
  }

  /** Offsets and bodies from an offset on. */
  from(stream: StreamStore, offset: number): Read[] {
    const reader = stream.newReader()
    stream.seekOffset(reader, offset)
    const found = this.rest(reader)
    stream.removeReader(reader)
    return found
  }
}

export function bodyOf(offset: number, size = 0): string {
  return `${String(offset)}:`.padEnd(size, "x")
}

/** The offsets of what was read, after a check that each body is that of its offset. */
export function offsetsOf(reads: readonly Read[]): number[] {
  for (const { offset, body } of reads)
    if (!body.startsWith(`${String(offset)}:`))
      throw new Error(`offset ${String(offset)} holds ${body.slice(0, 20)}`)
  return reads.map(({ offset }) => offset)
}

export function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i)
}
