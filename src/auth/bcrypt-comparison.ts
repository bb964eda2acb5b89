import { extname } from "node:path"
import { Worker } from "node:worker_threads"

/**
 * Comparisons of bcrypt hashes on a thread of their own: one takes from one to some thousand
 * milliseconds. The thread begins with the first comparison and ends when none is waiting.
 */
export interface ComparisonRequest {
  readonly id: number
  readonly password: string
  readonly hash: string
}

export interface ComparisonReply {
  readonly id: number
  readonly isRight: boolean
}

interface Pending {
  readonly resolve: (isRight: boolean) => void
  readonly reject: (error: Error) => void
}

/** Guesses by a stranger must not pile up; the next ones fail at once. */
export const PENDING_MAX = 256

class Comparer {
  readonly #worker: Worker
  readonly #pending = new Map<number, Pending>()
  #lastId = 0

  constructor() {
    // Beside this file as source (.ts) as well as built (.js).
    const file = `./bcrypt-worker${extname(import.meta.url)}`
    this.#worker = new Worker(new URL(file, import.meta.url))
    this.#worker.unref()
    this.#worker.on("message", (reply: ComparisonReply) => this.#replied(reply))
    this.#worker.on("error", (error) => this.#failed(error))
    this.#worker.on("exit", () => this.#failed(new Error("the thread for bcrypt has ended")))
  }

  compare(password: string, hash: string): Promise<boolean> {
    if (this.#pending.size >= PENDING_MAX)
      return Promise.reject(new Error("too many logins wait for the comparison of a bcrypt hash"))
    const id = ++this.#lastId
    const request: ComparisonRequest = { id, password, hash }
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- A thread, not a window.
    this.#worker.postMessage(request)
    return new Promise((resolve, reject) => this.#pending.set(id, { resolve, reject }))
  }

  #replied({ id, isRight }: ComparisonReply): void {
    this.#pending.get(id)?.resolve(isRight)
    this.#pending.delete(id)
    if (this.#pending.size > 0) return
    if (comparer === this) comparer = null
    void this.#worker.terminate()
  }

  #failed(error: unknown): void {
    if (comparer === this) comparer = null
    for (const { reject } of this.#pending.values())
      reject(error instanceof Error ? error : new Error(String(error)))
    this.#pending.clear()
  }
}

/** Null while nothing is compared. */
let comparer: Comparer | null = null

export function compareInWorker(password: string, hash: string): Promise<boolean> {
  comparer ??= new Comparer()
  return comparer.compare(password, hash)
}
