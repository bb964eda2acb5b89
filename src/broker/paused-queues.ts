import type { JsonDocument } from "../auth/users.ts"
import type { Logger } from "../util/logger.ts"
import { savedInForce } from "./errors.ts"
import type { MessageQueue } from "./queue/message-queue.ts"

/**
 * Which queues of a vhost are paused, and their file, so that they are after a crash, too:
 *
 *   <vhost>/paused_queues.json   ["orders","returns"]
 *
 * What a paused queue does not do is the queue's own business. Queues that end with the process are paused in
 * memory only.
 */
interface PausedQueuesContext {
  readonly vhostName: string
  readonly document: JsonDocument
  readonly log: Logger
  isPersistent(queue: MessageQueue): boolean
}

export class PausedQueues {
  readonly #context: PausedQueuesContext
  /** Of queues that survive a restart. */
  readonly #names = new Set<string>()

  constructor(context: PausedQueuesContext) {
    this.#context = context
  }

  /** What makes no sense in the file is as if it were absent. */
  load(): void {
    const stored = this.#context.document.load()
    if (!Array.isArray(stored)) return
    for (const name of stored) if (typeof name === "string") this.#names.add(name)
  }

  /** The queues are known now. Names without one are of queues that were deleted. */
  apply(queues: ReadonlyMap<string, MessageQueue>): void {
    for (const name of this.#names) {
      const queue = queues.get(name)
      if (queue === undefined) this.#names.delete(name)
      else queue.setPaused(true)
    }
    if (this.#names.size === 0) return
    const { log, vhostName } = this.#context
    log.warn({ vhost: vhostName, queues: [...this.#names].slice(0, 100) }, "queues are paused")
  }

  /** Holds at once; resolves when it is on disk. False if the queue was so already. */
  async set(queue: MessageQueue, isPaused: boolean): Promise<boolean> {
    if (queue.isPaused === isPaused) return false
    queue.setPaused(isPaused)
    const { log, vhostName } = this.#context
    log.info(
      { vhost: vhostName, queue: queue.name },
      isPaused ? "queue paused: nothing is delivered until it is resumed" : "queue resumed",
    )
    if (!this.#context.isPersistent(queue)) return true
    if (isPaused) this.#names.add(queue.name)
    else this.#names.delete(queue.name)
    await this.#save()
    return true
  }

  /** The queue is deleted: another one of its name is not paused. */
  forget(queue: MessageQueue): void {
    if (this.#names.delete(queue.name)) void this.#forgetOnDisk(queue.name)
  }

  async #forgetOnDisk(name: string): Promise<void> {
    try {
      await this.#save()
    } catch (error) {
      const { log, vhostName } = this.#context
      log.warn(
        { vhost: vhostName, queue: name, err: error },
        "a deleted queue is still listed as paused",
      )
    }
  }

  #save(): Promise<void> {
    return savedInForce(this.#context.document.save([...this.#names]))
  }
}
