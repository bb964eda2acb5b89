import type { Chunk } from "../../util/bytes.ts"
import { EMPTY_CHUNK } from "../read-window.ts"
import type { Segment } from "../segment.ts"
import type { StoreContext } from "../store-context.ts"
import type { Tail, TailReader } from "../tail.ts"
import type { StreamBytes, StreamReader } from "./stream-reader.ts"

/** One for all: a call per batch should allocate nothing. */
const tailBytes = { chunk: EMPTY_CHUNK, start: 0, end: 0 }

/**
 * Stands for all readers of a stream where the tail gives up a chunk: if one of them is still to
 * read from it, the chunk becomes a window of the cache. Readers do not keep chunks across turns.
 */
export class TailKeeper implements TailReader {
  segment: Segment | null = null
  /** The lowest position of a reader in the tail's chunk. */
  cursor = 0
  readonly chunk: Chunk = EMPTY_CHUNK
  readonly #tail: Tail
  readonly #adopt: (chunk: Chunk, start: number, end: number) => void

  constructor(tail: Tail, adopt: (chunk: Chunk, start: number, end: number) => void) {
    this.#tail = tail
    this.#adopt = adopt
  }

  /** To be called before the tail may give up a chunk. */
  look(readers: Iterable<StreamReader>): void {
    const { segment, base } = this.#tail
    this.segment = null
    if (segment === null || this.#tail.chunk === null) return
    for (const { segment: place, position } of readers) {
      if (place === null || place.file !== segment || position < base) continue
      if (this.segment === null || position < this.cursor) this.cursor = position
      this.segment = segment
    }
  }

  /** What of the tail's segment is in its chunk. Valid until the next call. */
  bytes(): StreamBytes {
    const { chunk, base, position } = this.#tail
    tailBytes.chunk = chunk ?? EMPTY_CHUNK
    tailBytes.start = base
    tailBytes.end = position
    return tailBytes
  }

  forgetSource(): void {}

  replaceChunk(): void {}

  adoptWindow(_context: StoreContext, chunk: Chunk, start: number, end: number): void {
    this.#adopt(chunk, start, end)
  }
}
