import type { Clock } from "../util/clock.ts"
import type { ClientError } from "./errors.ts"

/**
 * Methods that wait for their reply, in the order in which they were sent: AMQP answers a channel's
 * methods in order, so the first one waiting is meant. Control plane: an object and a promise each.
 */
interface Call {
  /** Ids of the methods that may answer. */
  readonly replies: readonly number[]
  readonly sinceMs: number
  readonly resolve: (reply: never) => void
  readonly reject: (error: ClientError) => void
}

export class Calls {
  readonly #waiting: Call[] = []
  readonly #clock: Clock

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** When the oldest one was sent; null if none waits. */
  get oldestSinceMs(): number | null {
    return this.#waiting[0]?.sinceMs ?? null
  }

  /** `send` writes the method. */
  add<T>(replies: readonly number[], send: () => void): Promise<T> {
    send()
    this.#clock.refresh()
    return new Promise((resolve, reject) => {
      this.#waiting.push({ replies, sinceMs: this.#clock.nowMs, resolve, reject })
    })
  }

  /** False if nobody waits for this method. */
  expects(method: number): boolean {
    return this.#waiting[0]?.replies.includes(method) ?? false
  }

  /** Answers the first one, which expects() was asked about. */
  resolve(reply: unknown): void {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- What a reply means is known to the one who sent the method.
    this.#waiting.shift()?.resolve(reply as never)
  }

  /** All but the last one: they will have no reply any more. */
  rejectAllButLast(error: ClientError): void {
    for (const call of this.#waiting.splice(0, this.#waiting.length - 1)) call.reject(error)
  }

  reject(error: ClientError): void {
    for (const call of this.#waiting.splice(0)) call.reject(error)
  }
}
