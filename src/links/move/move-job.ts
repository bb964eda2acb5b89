import { messageOf } from "../../client/errors.ts"
import type { Broker } from "../../broker/broker.ts"
import { ANYWHERE } from "../../broker/commit-scope.ts"
import { ADDED_NONE, StoredMessage } from "../../broker/message.ts"
import {
  PUBLISH_ACCEPTED,
  PUBLISH_DUPLICATE,
  PUBLISH_DURABLE,
  PUBLISH_UNROUTABLE,
} from "../../broker/publishing.ts"
import type { Queue } from "../../broker/queue/queue.ts"
import type { MoveDestination } from "./destination.ts"
import { factsOf, isEmptyFilter, matches } from "./message-filter.ts"
import type { MessageFilter } from "./message-filter.ts"

/**
 * Moves messages of a queue in the background, a few at a time between the turns. At least once: a
 * message is settled in its queue when its copy is as safe as it was. What does not match is passed over:
 * held until the job ends, then put back to its place, with the redelivered flag. Messages behind the
 * last one that matched when the job began are not touched.
 */
export type JobState = "running" | "completed" | "cancelled" | "failed"

export interface MoveJobOptions {
  readonly broker: Broker
  readonly id: string
  /** `move` or `redrive` */
  readonly kind: string
  readonly user: string
  readonly vhostName: string
  readonly queue: Queue
  readonly destination: MoveDestination
  /** As people say it. */
  readonly destinationText: string
  readonly filter: MessageFilter
  /** Messages to move at most. */
  readonly count: number
  /** Messages per second; 0 is no limit. */
  readonly rate: number
  readonly isDryRun: boolean
}

interface Held {
  readonly segment: number
  readonly position: number
  readonly size: number
  readonly bodySize: number
}

/** Messages that are passed over; then the job ends. */
export const HELD_MAX = 100_000
const MESSAGES_PER_TURN = 256
const BYTES_PER_TURN = 4 << 20
/** Copies that are not safe yet. */
const UNSAFE_MAX = 20_000
const WAIT_MS = 50

export class MoveJob {
  readonly id: string
  readonly options: MoveJobOptions
  state: JobState = "running"
  error: string | null = null
  readonly startedAtMs: number
  endedAtMs: number | null = null
  /** Of the queue, when it began. */
  readonly totalCount: number
  scannedCount = 0
  /** Of a dry run: those that would be moved. */
  matchedCount = 0
  movedCount = 0
  /** Matched, but they had nowhere to go, or have been there too often. */
  skippedCount = 0
  readonly #message = new StoredMessage()
  #held: Held[] = []
  #isCancelled = false

  constructor(options: MoveJobOptions) {
    this.options = options
    this.id = options.id
    this.totalCount = options.queue.readyCount
    this.startedAtMs = options.broker.clock.nowMs
  }

  get heldCount(): number {
    return this.#held.length
  }

  cancel(): void {
    this.#isCancelled = true
  }

  /** Never rejects. */
  async run(): Promise<void> {
    const { broker, isDryRun } = this.options
    try {
      const depth = await this.#depth()
      if (!isDryRun) await this.#move(depth)
      if (this.state === "running") this.state = this.#isCancelled ? "cancelled" : "completed"
    } catch (error) {
      this.state = "failed"
      this.error = messageOf(error)
    } finally {
      await this.#putBack()
      broker.clock.refresh()
      this.endedAtMs = broker.clock.nowMs
    }
  }

  /** How many messages from the head on have to be looked at; counts those that match. Changes nothing. */
  async #depth(): Promise<number> {
    const { filter, count, queue, isDryRun } = this.options
    const limit = this.totalCount
    if (isEmptyFilter(filter)) {
      this.matchedCount = Math.min(limit, count)
      return limit
    }
    let depth = 0
    for (let skip = 0; skip < limit && this.matchedCount < count && !this.#isCancelled;) {
      let seen = 0
      let bytes = 0
      queue.store?.browse(skip, (message) => {
        seen++
        bytes += message.size
        if (this.#isMeant(message)) {
          this.matchedCount++
          depth = skip + seen
        }
        const isEnough = this.matchedCount >= count || skip + seen >= limit
        return !isEnough && seen < MESSAGES_PER_TURN && bytes < BYTES_PER_TURN
      })
      if (seen === 0) break
      skip += seen
      if (isDryRun) this.scannedCount = skip
      await this.#nextTurn()
    }
    return depth
  }

  #isMeant(message: StoredMessage): boolean {
    const facts = factsOf(message)
    return facts !== null && matches(this.options.filter, facts, message.timestampMs)
  }

  async #move(depth: number): Promise<void> {
    const { broker, count, queue } = this.options
    while (this.#goesOn(depth)) {
      if (this.#mustWait()) {
        await this.#wait()
        continue
      }
      let bytes = 0
      for (let n = 0; n < MESSAGES_PER_TURN && bytes < BYTES_PER_TURN; n++) {
        if (!this.#goesOn(depth) || this.#allowance() <= 0) break
        if (!queue.get(this.#message, false)) return
        this.scannedCount++
        bytes += this.#message.size
        broker.clock.refresh()
        this.#treat(broker.clock.nowMs)
      }
      await this.#nextTurn()
    }
    if (queue.deleted) throw new Error("the queue was deleted")
    if (this.#held.length >= HELD_MAX && this.movedCount < count && !this.#isCancelled)
      throw new Error(
        `${String(HELD_MAX)} messages that do not match are held: the rest was left where it is`,
      )
  }

  #goesOn(depth: number): boolean {
    const { count, queue } = this.options
    return (
      this.state === "running" &&
      !this.#isCancelled &&
      !queue.deleted &&
      this.scannedCount < depth &&
      this.movedCount < count &&
      this.#held.length < HELD_MAX
    )
  }

  /** The message at hand was taken: moves it, or holds it back. */
  #treat(nowMs: number): void {
    const { destination, broker, queue } = this.options
    const message = this.#message
    message.added = ADDED_NONE
    const { segment, position, size, bodyStart, bodyEnd } = message
    const held = { segment, position, size, bodySize: bodyEnd - bodyStart }
    const facts = factsOf(message)
    if (facts === null || !matches(this.options.filter, facts, message.timestampMs)) {
      this.#held.push(held)
      return
    }
    let outcome: number | null
    try {
      outcome = destination.publish(message, facts, nowMs)
    } catch (error) {
      this.#held.push(held)
      throw error
    }
    switch (outcome) {
      case PUBLISH_DURABLE:
      case PUBLISH_DUPLICATE:
        broker.settledMoves.add(queue, ANYWHERE, segment, position, size, held.bodySize)
        this.movedCount++
        return
      case PUBLISH_ACCEPTED:
        queue.settleMoved(segment, position, size, held.bodySize)
        this.movedCount++
        return
      case PUBLISH_UNROUTABLE:
      case null:
        this.#held.push(held)
        this.skippedCount++
        return
      default:
        this.#held.push(held)
        throw new Error("the destination takes no more messages")
    }
  }

  /** Messages that the rate allows for at this moment. */
  #allowance(): number {
    const { rate, broker } = this.options
    if (rate === 0) return Number.POSITIVE_INFINITY
    const seconds = (broker.clock.nowMs - this.startedAtMs) / 1000
    return rate * seconds + 1 - this.movedCount
  }

  #mustWait(): boolean {
    const { broker } = this.options
    return (
      this.#allowance() < 1 || broker.alarmReason !== null || broker.settledMoves.count > UNSAFE_MAX
    )
  }

  #nextTurn(): Promise<void> {
    const { clock } = this.options.broker
    return new Promise((resolve) => {
      clock.setImmediate(resolve)
    })
  }

  #wait(): Promise<void> {
    const { clock } = this.options.broker
    return new Promise((resolve) => {
      clock.setTimer(WAIT_MS, () => {
        clock.refresh()
        resolve()
      })
    })
  }

  async #putBack(): Promise<void> {
    const { queue } = this.options
    const held = this.#held
    for (let at = 0; at < held.length; at++) {
      const { segment, position, size, bodySize } = held[at]!
      queue.requeue(segment, position, size, bodySize)
      if (at % MESSAGES_PER_TURN === MESSAGES_PER_TURN - 1) await this.#nextTurn()
    }
    this.#held = []
  }
}
