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
}

export class Dispatcher {
  /** Highest priority first. */
  readonly #groups: PriorityGroup[] = []
  readonly #subscribers = new Set<Subscriber>()
  /** The exclusive consumer, if there is one. */
  exclusive: Subscriber | null = null

  get size(): number {
    return this.#subscribers.size
  }

  get subscribers(): ReadonlySet<Subscriber> {
    return this.#subscribers
  }

  add(subscriber: Subscriber): void {
    this.#subscribers.add(subscriber)
    if (subscriber.exclusive) this.exclusive = subscriber
    this.#group(subscriber.priority).ready.push(subscriber)
  }

  remove(subscriber: Subscriber): void {
    if (!this.#subscribers.delete(subscriber)) return
    if (this.exclusive === subscriber) this.exclusive = null
    subscriber.cancelled = true
    if (this.#subscribers.size === 0) this.#groups.length = 0
    else if (!subscriber.parked) this.#dropFromRing(subscriber)
  }

  unpark(subscriber: Subscriber): void {
    if (!subscriber.parked || subscriber.cancelled) return
    subscriber.parked = false
    this.#group(subscriber.priority).ready.push(subscriber)
  }

  /** The subscriber for the next message, or null if none has capacity. */
  next(): Subscriber | null {
    const groups = this.#groups
    for (let i = 0; i < groups.length; i++) {
      const ready = groups[i]!.ready
      const only = ready.peek()
      if (only === undefined) continue
      // One consumer is the common case: it stays where it is.
      if (ready.size === 1 && !only.cancelled && only.hasCapacity()) return only
      for (;;) {
        const subscriber = ready.shift()
        if (subscriber === undefined) break
        if (subscriber.cancelled) continue
        if (subscriber.hasCapacity()) {
          ready.push(subscriber)
          return subscriber
        }
        subscriber.parked = true
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
    const group: PriorityGroup = { priority, ready: new Ring<Subscriber>(4) }
    groups.splice(at, 0, group)
    return group
  }

  /** A client that consumes and cancels for hours without any message must not fill the ring. */
  #dropFromRing(subscriber: Subscriber): void {
    const { ready } = this.#group(subscriber.priority)
    for (let left = ready.size; left > 0; left--) {
      const other = ready.shift()
      if (other !== undefined && other !== subscriber) ready.push(other)
    }
  }
}
