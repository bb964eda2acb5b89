/**
 * What a link does at present, as plain fields that are changed in place: reading them costs nothing
 * and shows no secrets.
 *
 *   starting    connects, declares, subscribes         running   moves messages
 *   error       waits for its next attempt             paused    by an operator
 *   terminated  has done what it was for, or has given up for good
 *   stopped     was deleted, or the broker stops
 */
export type LinkState = "starting" | "running" | "paused" | "terminated" | "error" | "stopped"

export class LinkStatus {
  state: LinkState = "starting"
  /** The latest failure, without secrets; it stays until the link has run again. Null if there is none. */
  error: string | null = null
  /** When `state` was entered, in ms since 1970. */
  sinceMs: number
  /** While it waits. */
  nextAttemptAtMs: number | null = null
  /** While it runs. */
  connectedAtMs: number | null = null
  /** Times that it has connected again after a failure. */
  reconnectCount = 0
  readonly counters = new LinkCounters()

  constructor(nowMs: number) {
    this.sinceMs = nowMs
  }

  enter(state: LinkState, nowMs: number): void {
    if (this.state === state) return
    this.state = state
    this.sinceMs = nowMs
  }
}

/** Since the link was made in this process. Raised once per message: plain integers. */
export class LinkCounters {
  /** Published at the destination. */
  forwarded = 0
  /** Taken over by the destination. */
  confirmed = 0
  /** Refused by the destination and put back to be tried again. */
  returned = 0
  /** Given up: rejected at the source without requeue. */
  rejected = 0
  /** Of bodies that were forwarded. */
  bytes = 0
  /** Messages and bytes forwarded per second, over the time between the latest two ticks. */
  messageRate = 0
  byteRate = 0
  #sampledAtMs = 0
  #sampledCount = 0
  #sampledBytes = 0

  /** Those of a link that is gone. */
  add(other: LinkCounters): void {
    this.forwarded += other.forwarded
    this.confirmed += other.confirmed
    this.returned += other.returned
    this.rejected += other.rejected
    this.bytes += other.bytes
  }

  /** From time to time. */
  sample(nowMs: number): void {
    const seconds = (nowMs - this.#sampledAtMs) / 1000
    if (seconds <= 0) return
    if (this.#sampledAtMs !== 0) {
      this.messageRate = (this.forwarded - this.#sampledCount) / seconds
      this.byteRate = (this.bytes - this.#sampledBytes) / seconds
    }
    this.#sampledAtMs = nowMs
    this.#sampledCount = this.forwarded
    this.#sampledBytes = this.bytes
  }
}
