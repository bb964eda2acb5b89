import { assert } from "../../util/assert.ts"
import type { Destination, RouteTargets } from "./destination.ts"

/**
 * The destinations of one routing key (direct), one pattern (topic) or one exchange (fanout).
 *
 * Nearly every key has exactly one destination, so a slot holds that destination itself; the set
 * exists from the second on and stays small: an array, and an index only when searching the array
 * would cost more.
 */
export type Slot = Destination | DestinationSet

/** Above this size a set keeps an index of positions, which makes removal independent of the size. */
const INDEX_MIN = 16

export class DestinationSet {
  /** Tells a set from a destination without instanceof. */
  readonly kind = 2
  readonly #items: Destination[] = []
  #positions: Map<Destination, number> | null = null

  get size(): number {
    return this.#items.length
  }

  /** The only member of a set of one. */
  get single(): Destination {
    const item = this.#items[0]
    assert(item !== undefined && this.#items.length === 1, "the set must have exactly one member")
    return item
  }

  has(destination: Destination): boolean {
    return this.#positions?.has(destination) ?? this.#items.includes(destination)
  }

  /** The caller makes sure that it is not a member yet. */
  add(destination: Destination): void {
    this.#positions?.set(destination, this.#items.length)
    this.#items.push(destination)
    if (this.#positions === null && this.#items.length > INDEX_MIN)
      this.#positions = new Map(this.#items.map((item, index) => [item, index]))
  }

  /** The last member takes the place of the removed one: the order of members means nothing. */
  remove(destination: Destination): void {
    const items = this.#items
    const index = this.#positions?.get(destination) ?? items.indexOf(destination)
    assert(items[index] === destination, "only a member can be removed")
    const last = items.pop()
    assert(last !== undefined, "a set with a member is not empty")
    this.#positions?.delete(destination)
    if (last === destination) return
    items[index] = last
    this.#positions?.set(last, index)
  }

  addTo(targets: RouteTargets): void {
    const items = this.#items
    for (let i = 0; i < items.length; i++) targets.add(items[i]!) // Index is in range.
  }
}

/** The slot with one destination more. The destination must not be in it. */
export function slotWith(slot: Slot | null | undefined, destination: Destination): Slot {
  if (slot === null || slot === undefined) return destination
  if (slot.kind === 2) {
    slot.add(destination)
    return slot
  }
  const set = new DestinationSet()
  set.add(slot)
  set.add(destination)
  return set
}

/** The slot without this destination, or null if nothing is left. The destination must be in it. */
export function slotWithout(slot: Slot | null | undefined, destination: Destination): Slot | null {
  assert(slot !== null && slot !== undefined, "the destination must be in the slot")
  if (slot.kind !== 2) {
    assert(slot === destination, "the destination must be in the slot")
    return null
  }
  slot.remove(destination)
  return slot.size === 1 ? slot.single : slot
}

export function addSlotTo(slot: Slot, targets: RouteTargets): void {
  if (slot.kind === 2) slot.addTo(targets)
  else targets.add(slot)
}

/** A set whose members may be added several times and leave when they were removed as often. */
export class CountedDestinationSet {
  readonly #set = new DestinationSet()
  /** How often beyond once. */
  readonly #extraCounts = new Map<Destination, number>()

  add(destination: Destination): void {
    if (!this.#set.has(destination)) this.#set.add(destination)
    else this.#extraCounts.set(destination, (this.#extraCounts.get(destination) ?? 0) + 1)
  }

  remove(destination: Destination): void {
    const extraCount = this.#extraCounts.get(destination) ?? 0
    if (extraCount === 0) this.#set.remove(destination)
    else if (extraCount === 1) this.#extraCounts.delete(destination)
    else this.#extraCounts.set(destination, extraCount - 1)
  }

  addTo(targets: RouteTargets): void {
    this.#set.addTo(targets)
  }
}
