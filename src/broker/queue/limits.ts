import type { Overflow, QueueSettings } from "../settings.ts"

/**
 * The length limit of a queue: what it allows, and nothing of what follows. It counts ready messages and
 * the bytes of their bodies; what consumers hold unacknowledged is free.
 */
export class LengthLimit {
  readonly overflow: Overflow
  readonly #maxCount: number
  readonly #maxBytes: number

  constructor(maxCount: number | null, maxBytes: number | null, overflow: Overflow) {
    this.#maxCount = maxCount ?? Infinity
    this.#maxBytes = maxBytes ?? Infinity
    this.overflow = overflow
  }

  /** Null if the settings limit nothing. */
  static of(settings: QueueSettings): LengthLimit | null {
    const { maxLength, maxLengthBytes, overflow } = settings
    if (maxLength === null && maxLengthBytes === null) return null
    let limit = limits.get(settings)
    if (limit === undefined) {
      limit = new LengthLimit(maxLength, maxLengthBytes, overflow)
      limits.set(settings, limit)
    }
    return limit
  }

  /** Messages leave at the head; otherwise new ones are not let in. */
  get dropsHead(): boolean {
    return this.overflow === "drop-head"
  }

  isExceeded(count: number, bytes: number): boolean {
    return count > this.#maxCount || bytes > this.#maxBytes
  }
}

/** Settings are shared by the queues of a policy (policy/effective-settings.ts), so their limits are too. */
const limits = new WeakMap<QueueSettings, LengthLimit>()
