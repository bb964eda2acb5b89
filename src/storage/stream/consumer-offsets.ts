import type { StoreContext } from "../store-context.ts"
import type { StoreDirectory } from "../store-directory.ts"
import { CONSUMER_OFFSETS } from "./check-stream.ts"
import { NAME_SIZE_MAX, OffsetLog } from "./offset-log.ts"

/**
 * With which offset consumers go on, by their tags: in memory, and in the file `consumer-offsets` of
 * their stream. Written with the end of the turn, not synced: after a power failure a consumer may get
 * again what it had acknowledged, never less.
 */
/** The tag that was not heard of for the longest time goes. */
const TAGS_MAX = 16_384

export class ConsumerOffsets {
  readonly #log: OffsetLog
  readonly #tagsMax: number
  readonly #onChange: () => void
  /** Changed since the last write: a tag is written once per turn. */
  readonly #changed = new Map<string, number>()

  constructor(
    context: StoreContext,
    directory: StoreDirectory,
    onChange: () => void,
    tagsMax = TAGS_MAX,
  ) {
    this.#log = new OffsetLog(context, directory, CONSUMER_OFFSETS)
    this.#onChange = onChange
    this.#tagsMax = tagsMax
  }

  get size(): number {
    return this.#log.entries.size
  }

  /** The offset with which the consumer goes on, or -1. */
  get(tag: string): number {
    return this.#changed.get(tag) ?? this.#log.entries.get(tag) ?? -1
  }

  *entries(): Iterable<readonly [tag: string, offset: number]> {
    for (const [tag, offset] of this.#log.entries) if (!this.#changed.has(tag)) yield [tag, offset]
    yield* this.#changed
  }

  set(tag: string, offset: number): void {
    if (Buffer.byteLength(tag) > NAME_SIZE_MAX) return
    if (this.#changed.size === 0) this.#onChange()
    this.#changed.set(tag, offset)
  }

  /** Throws StorageError. */
  load(): void {
    this.#log.load()
  }

  /** Throws StorageError; what was to be written is kept. */
  write(): void {
    if (this.#changed.size > 0) {
      for (const [tag, offset] of this.#changed) this.#log.set(tag, offset)
      this.#changed.clear()
      this.#dropOldest()
    }
    this.#log.write()
  }

  close(): void {
    this.#log.close()
  }

  #dropOldest(): void {
    const { entries } = this.#log
    for (const tag of entries.keys()) {
      if (entries.size <= this.#tagsMax) return
      this.#log.remove(tag)
    }
  }
}
