import { PropertyScan, SCAN_OK } from "../../amqp/property-scan.ts"
import type { StoredMessage } from "../../storage/message.ts"
import type { QueueStore } from "../../storage/queue-store.ts"
import { LEVELS } from "../../storage/queue-store.ts"
import type { Chunk } from "../../util/bytes.ts"
import type { TimerWheel } from "../../util/timer-wheel.ts"
import { WheelEntry } from "../../util/timer-wheel.ts"

/**
 * When messages expire: the time of their arrival plus the smaller of the queue's time to live and
 * their own. Always computed from the setting as it is now, so a policy acts on messages that are
 * there. Only the head of a queue is looked at, of a priority queue that of each level.
 */
const DIGIT_ZERO = 0x30

const scan = new PropertyScan()

/** The parts of a message that tell its time to live. */
export interface TimedMessage {
  readonly timestampMs: number
  readonly expires: boolean
}

/** Time to live that the message brought, in ms; Infinity if it has none. */
export function expirationOf(properties: Chunk, start: number, end: number): number {
  if (scan.scan(properties, start, end) !== SCAN_OK || scan.expirationStart < 0) return Infinity
  const { view } = properties
  let ms = 0
  for (let at = scan.expirationStart; at < scan.expirationEnd; at++) {
    const digit = view.getUint8(at) - DIGIT_ZERO
    if (digit < 0 || digit > 9) return Infinity // It was checked when it came, but not by an older version.
    ms = ms * 10 + digit
  }
  return ms
}

export function priorityOf(properties: Chunk, start: number, end: number): number {
  return scan.scan(properties, start, end) === SCAN_OK ? scan.priority : 0
}

/** When a stored message expires; Infinity if never. `ttlMs` is the queue's. */
export function dueOf(message: StoredMessage, ttlMs: number): number {
  if (!message.expires) return message.timestampMs + ttlMs
  const own = expirationOf(message.chunk, message.propertiesStart, message.propertiesEnd)
  return message.timestampMs + Math.min(ttlMs, own)
}

/** When the first of the heads expires; Infinity if none does. Leaves any of them in `into`. */
export function earliestDue(
  store: QueueStore,
  ttlMs: number,
  isLevelled: boolean,
  into: StoredMessage,
): number {
  if (!isLevelled) return store.peek(into) ? dueOf(into, ttlMs) : Infinity
  let earliest = Infinity
  for (let level = store.nextLevel(LEVELS); level >= 0; level = store.nextLevel(level))
    if (store.peekLevel(level, into)) earliest = Math.min(earliest, dueOf(into, ttlMs))
  return earliest
}

/** Wakes a queue when its head may have expired. */
export class HeadTimer extends WheelEntry {
  readonly #timers: TimerWheel
  readonly #wake: () => void

  constructor(timers: TimerWheel, wake: () => void) {
    super()
    this.#timers = timers
    this.#wake = wake
  }

  set(dueMs: number): void {
    if (dueMs === Infinity) this.#timers.cancel(this)
    else if (!this.isScheduled || this.dueMs !== dueMs) this.#timers.schedule(this, dueMs)
  }

  clear(): void {
    this.#timers.cancel(this)
  }

  override onDue(): void {
    this.#wake()
  }
}
