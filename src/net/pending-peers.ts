import type { Socket } from "node:net"
import type { Clock, TimerHandle } from "../util/clock.ts"

/**
 * Accepted sockets that have not yet shown who they are: those that a PROXY header or a TLS handshake is
 * expected from. Bounded in time and number, so that peers who send nothing cost little and keep nobody
 * out: when there are too many, the one that has waited longest goes.
 */
export class PendingPeers {
  readonly #waiting = new Map<Socket, TimerHandle>()
  readonly #clock: Clock
  readonly #max: number
  readonly #timeoutMs: number
  readonly #onDropped: (socket: Socket, reason: string) => void

  constructor(
    clock: Clock,
    max: number,
    timeoutMs: number,
    onDropped: (socket: Socket, reason: string) => void,
  ) {
    this.#clock = clock
    this.#max = max
    this.#timeoutMs = timeoutMs
    this.#onDropped = onDropped
  }

  get count(): number {
    return this.#waiting.size
  }

  add(socket: Socket): void {
    const timer = this.#clock.setTimer(this.#timeoutMs, () =>
      this.#drop(socket, "it took too long"),
    )
    this.#waiting.set(socket, timer)
    socket.once("close", () => this.remove(socket))
    if (this.#waiting.size <= this.#max) return
    for (const oldest of this.#waiting.keys()) {
      this.#drop(oldest, "too many others wait for theirs")
      return
    }
  }

  /** It has shown who it is, or has gone. False if it was not waited for. */
  remove(socket: Socket): boolean {
    this.#waiting.get(socket)?.cancel()
    return this.#waiting.delete(socket)
  }

  #drop(socket: Socket, reason: string): void {
    this.remove(socket)
    this.#onDropped(socket, reason)
    socket.destroy()
  }

  /** Nobody is waited for any more. */
  close(): void {
    for (const [socket, timer] of this.#waiting) {
      timer.cancel()
      socket.destroy()
    }
    this.#waiting.clear()
  }
}
