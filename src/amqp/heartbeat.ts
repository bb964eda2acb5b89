/**
 * Liveness of one connection (AMQP 0-9-1 §4.2.7): when to send a heartbeat, and when the peer counts
 * as dead. Any received byte is a sign of life, any sent one spares a heartbeat. Has no timer: the
 * connection asks about twice a second.
 */
export class Heartbeat {
  /** As negotiated; 0 switches both directions off. */
  seconds = 0
  #lastReceivedMs: number
  #lastSentMs: number
  #lastPendingBytes = 0

  constructor(nowMs: number) {
    this.#lastReceivedMs = nowMs
    this.#lastSentMs = nowMs
  }

  received(nowMs: number): void {
    this.#lastReceivedMs = nowMs
  }

  sent(nowMs: number): void {
    this.#lastSentMs = nowMs
  }

  /** A connection that is not read from hears nothing; a peer that takes our bytes is alive. */
  notReading(nowMs: number, pendingBytes: number): void {
    if (pendingBytes < this.#lastPendingBytes) this.#lastReceivedMs = nowMs
    this.#lastPendingBytes = pendingBytes
  }

  /** Nothing was sent for half an interval. */
  isDue(nowMs: number): boolean {
    return this.seconds > 0 && nowMs - this.#lastSentMs >= this.seconds * 500
  }

  /** Nothing was received for two intervals; a second more covers a stalled event loop. */
  isPeerDead(nowMs: number): boolean {
    return this.seconds > 0 && nowMs - this.#lastReceivedMs > this.seconds * 2000 + 1000
  }
}
