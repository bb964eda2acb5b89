/**
 * What the clients know about the messages of one queue, and what must therefore be in it after
 * the broker was killed. A message that was sent but not confirmed may be there or not; so may one
 * whose acknowledgement was sent but not yet known to have been written.
 */

/** How sure the client is. */
const UNKNOWN = 0
const SENT = 1
const CERTAIN = 2

export interface Found {
  readonly id: number
  readonly isWhole: boolean
}

export class QueueLedger {
  readonly name: string
  /** By message id; ids rise in the order of publishing. */
  readonly #confirmed = new Map<number, boolean>()
  readonly #acked = new Map<number, number>()
  /** Acknowledged since the last round trip. */
  #pending: number[] = []

  constructor(name: string) {
    this.name = name
  }

  get publishedCount(): number {
    return this.#confirmed.size
  }

  published(id: number): void {
    this.#confirmed.set(id, false)
  }

  confirmed(id: number): void {
    this.#confirmed.set(id, true)
  }

  acknowledged(id: number): void {
    this.#acked.set(id, SENT)
    this.#pending.push(id)
  }

  /** Call before a round trip; the result, called after it, makes the earlier acknowledgements certain. */
  startRoundTrip(): () => void {
    const ids = this.#pending
    this.#pending = []
    return () => {
      for (const id of ids) this.#acked.set(id, CERTAIN)
    }
  }

  /** Compares with all that the queue holds, in its order. Returns what is wrong. */
  compare(found: readonly Found[]): string[] {
    const problems: string[] = []
    const report = (problem: string): void => void problems.push(`${this.name}: ${problem}`)
    const present = new Set<number>()
    let previous = -1
    for (const { id, isWhole } of found) {
      if (!isWhole) report(`message ${String(id)} has another body`)
      if (!this.#confirmed.has(id)) report(`message ${String(id)} was never published here`)
      if (present.has(id)) report(`message ${String(id)} is there twice`)
      else if (id < previous) report(`message ${String(id)} comes after ${String(previous)}`)
      if (this.#acked.get(id) === CERTAIN) report(`message ${String(id)} came back after its ack`)
      present.add(id)
      previous = id
    }
    for (const [id, isConfirmed] of this.#confirmed)
      if (isConfirmed && !present.has(id) && (this.#acked.get(id) ?? UNKNOWN) === UNKNOWN)
        report(`message ${String(id)} was confirmed and is lost`)
    return problems
  }

  /** What is not in the queue now never comes back: a killed broker's uncertain messages are decided. */
  settle(found: readonly Found[]): void {
    const present = new Set(found.map(({ id }) => id))
    for (const id of this.#confirmed.keys()) if (!present.has(id)) this.#forget(id)
    // An acknowledgement that did not reach the disk has not happened.
    for (const id of present) {
      this.#acked.delete(id)
      this.#confirmed.set(id, true)
    }
    this.#pending = []
  }

  /** Keeps the tombstone, so that a message that comes back is seen. */
  #forget(id: number): void {
    this.#acked.set(id, CERTAIN)
  }
}
