import { Ring } from "../../util/ring.ts"
import type { Subscriber } from "../consumer.ts"

/**
 * Decides which subscriber of a queue gets the next message: the highest priority that has
 * capacity, in turn among equals. Subscribers without capacity leave the ring until they are
 * unparked, so a thousand blocked consumers cost nothing per message.
 */
interface PriorityGroup {
  readonly priority: number
  readonly ready: Ring<Subscriber>
  /** How many of them have left the queue. */
  cancelledCount: number
}

const NO_GROUPS: readonly PriorityGroup[] = []

export class Dispatcher {
  /** Highest priority first. */
  readonly #groups: PriorityGroup[] = []
  /** Those that are served: all, or none while the queue is paused. */
  #served: readonly PriorityGroup[] = this.#groups
  readonly #subscribers = new Set<Subscriber>()
  /** Subscribers that acknowledge. */
  ackingCount = 0
  /** The exclusive consumer, if there is one. */
  exclusive: Subscriber | null = null
  /** The one that gets everything (single active consumer); null if all do or there is none. */
  active: Subscriber | null = null
  readonly #isSingleActive: boolean

  constructor(isSingleActive = false) {
    this.#isSingleActive = isSingleActive
  }

  /** While it is paused, nobody gets anything. */
  setPaused(isPaused: boolean): void {
    this.#served = isPaused ? NO_GROUPS : this.#groups
  }

  get size(): number {
    return this.#subscribers.size
  }

  get subscribers(): ReadonlySet<Subscriber> {
    return this.#subscribers
  }

  /** Priorities that next() looks at. */
  get groupCount(): number {
    return this.#groups.length
  }

  add(subscriber: Subscriber): void {
    this.#subscribers.add(subscriber)
    if (subscriber.exclusive) this.exclusive = subscriber
    if (!subscriber.noAck) this.ackingCount++
    if (this.#isSingleActive) {
      if (this.active !== null) return // It waits outside the rings for its turn.
      this.active = subscriber
    }
    this.#group(subscriber.priority).ready.push(subscriber)
  }

  /** Does it get messages, as far as the queue is concerned? */
  isActive(subscriber: Subscriber): boolean {
    return !this.#isSingleActive || this.active === subscriber
  }

  remove(subscriber: Subscriber): void {
    if (!this.#subscribers.delete(subscriber)) return
    if (this.exclusive === subscriber) this.exclusive = null
    if (!subscriber.noAck) this.ackingCount--
    subscriber.cancelled = true
    if (!this.isActive(subscriber)) return // It is in no ring.
    if (this.#subscribers.size === 0) this.#groups.length = 0
    else this.#dropFromRing(subscriber)
    if (this.#isSingleActive) this.#activateNext()
  }

  /** In the order of registration, whatever the priorities. */
  #activateNext(): void {
    const [next] = this.#subscribers
    this.active = next ?? null
    if (next !== undefined) this.#group(next.priority).ready.push(next)
  }

  unpark(subscriber: Subscriber): void {
    if (!subscriber.parked || subscriber.cancelled) return
    subscriber.parked = false
    this.#group(subscriber.priority).ready.push(subscriber)
  }

  /** The subscriber for the next message, or null if none has capacity. */
  next(): Subscriber | null {
    const groups = this.#served
    for (let i = 0; i < groups.length; i++) {
      const group = groups[i]!
      const { ready } = group
      const only = ready.peek()
      if (only === undefined) continue
      // One consumer is the common case: it stays where it is.
      if (ready.size === 1 && !only.cancelled && only.hasCapacity()) return only
      for (;;) {
        const subscriber = ready.shift()
        if (subscriber === undefined) break
        if (subscriber.cancelled) {
          group.cancelledCount--
          continue
        }
        if (subscriber.hasCapacity()) {
          ready.push(subscriber)
          return subscriber
        }
        subscriber.parked = true
      }
    }
    return null
  }

  /** Of the subscriber that would get the next message; null if none has capacity. Takes nobody's turn. */
  activePriority(): number | null {
    const groups = this.#served
    for (let i = 0; i < groups.length; i++) {
      const group = groups[i]!
      const { ready } = group
      for (let first = ready.peek(); first !== undefined; first = ready.peek()) {
        if (!first.cancelled && first.hasCapacity()) return group.priority
        ready.shift()
        if (first.cancelled) group.cancelledCount--
        else first.parked = true
      }
    }
    return null
  }

  #group(priority: number): PriorityGroup {
    const groups = this.#groups
    let at = 0
    while (at < groups.length && groups[at]!.priority > priority) at++
    const found = groups[at]
    if (found !== undefined && found.priority === priority) return found
    const group: PriorityGroup = { priority, ready: new Ring<Subscriber>(4), cancelledCount: 0 }
    groups.splice(at, 0, group)
    return group
  }

  /**
   * A client that consumes and cancels for hours without any message must not fill the ring, nor one
   * that does so with ever new priorities the list of groups. The ring is cleared when half of it has
   * left: one by one, ten thousand consumers would take a second to leave.
   */
  #dropFromRing(subscriber: Subscriber): void {
    const groups = this.#groups
    for (let i = 0; i < groups.length; i++) {
      const group = groups[i]!
      if (group.priority !== subscriber.priority) continue
      const { ready } = group
      if (!subscriber.parked && ++group.cancelledCount * 2 >= ready.size) {
        for (let left = ready.size; left > 0; left--) {
          const other = ready.shift()
          if (other !== undefined && !other.cancelled) ready.push(other)
        }
        group.cancelledCount = 0
      }
      if (ready.size === 0) groups.splice(i, 1) // A parked subscriber makes its group anew.
      return
    }
  }
}
