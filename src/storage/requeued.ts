import { ReadWindow } from "./read-window.ts"
import type { Reader } from "./reader.ts"
import { readRecord } from "./record.ts"
import { RequeueHeap } from "./requeue-heap.ts"
import type { Segment } from "./segment.ts"
import type { StoreContext } from "./store-context.ts"
import type { StoredMessage } from "./message.ts"
import type { Tail } from "./tail.ts"

/**
 * The messages of a store that were handed out and came back, and the way to their bytes: the tail,
 * the reader's window, or a window of its own. Made with the first requeue, dropped with the last.
 */
export class Requeued {
  readonly heap = new RequeueHeap()
  /** Of the messages in the heap. */
  bodyBytes = 0
  readonly #window = new ReadWindow()

  get holdsWindow(): boolean {
    return !this.#window.isEmpty
  }

  releaseWindow(context: StoreContext): void {
    this.#window.release(context)
  }

  /**
   * Describes the lowest entry, which lies in `segment`. False if there is no such message any more
   * (its range turned out to be damaged). Throws StorageError.
   */
  describe(
    context: StoreContext,
    segment: Segment,
    reader: Reader,
    tail: Tail,
    into: StoredMessage,
  ): boolean {
    const { position, size } = this.heap
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
    into.redelivered = true
    return true
  }
}
