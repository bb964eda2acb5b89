import type { StoredMessage } from "./message.ts"
import { ReadWindow } from "./read-window.ts"
import type { Reader } from "./reader.ts"
import { readRecord } from "./record.ts"
import type { Segment } from "./segment.ts"
import type { StoreContext } from "./store-context.ts"
import type { Tail } from "./tail.ts"

/**
 * The way to the bytes of messages that the reader has left behind: handed out, or come back. They are
 * in the tail, in the reader's window, or in a window of its own, which stays for the next one.
 */
export class HandedOut {
  readonly #window = new ReadWindow()

  get holdsWindow(): boolean {
    return !this.#window.isEmpty
  }

  releaseWindow(context: StoreContext): void {
    this.#window.release(context)
  }

  /**
   * Describes the message in `into`, all but `redelivered`. False if there is no such message any more
   * (its range turned out to be damaged). Throws StorageError.
   */
  describe(
    context: StoreContext,
    segment: Segment,
    position: number,
    size: number,
    reader: Reader,
    tail: Tail,
    into: StoredMessage,
  ): boolean {
    let { chunk } = tail
    let base = tail.base
    if (tail.segment !== segment || chunk === null || position < base) {
      const window = reader.windowFor(segment.number, position, size) ?? this.#window
      if (!window.holds(segment.number, position, size)) {
        if (position + size > segment.size) return false
        window.load(context, segment, position, size, segment.size)
      }
      chunk = window.chunk
      base = window.start
    }
    const offset = position - base
    if (chunk.view.getInt32(offset, true) !== size) return false
    if (!readRecord(chunk, offset, size, into)) return false
    into.segment = segment.number
    into.position = position
    return true
  }
}
