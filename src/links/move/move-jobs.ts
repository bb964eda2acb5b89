import type { Broker } from "../../broker/broker.ts"
import { Refusal } from "../../broker/errors.ts"
import { randomName } from "../../util/random.ts"
import { MoveJob } from "./move-job.ts"
import type { MoveJobOptions } from "./move-job.ts"

/** The jobs that run, and those that ended lately. One at a time for a queue. */
const RUNNING_MAX = 8
const KEPT_MAX = 100

export class MoveJobs {
  readonly #broker: Broker
  readonly #jobs = new Map<string, MoveJob>()
  readonly #running = new Map<MoveJob, Promise<void>>()
  #isClosed = false

  constructor(broker: Broker) {
    this.#broker = broker
  }

  get(id: string): MoveJob | null {
    return this.#jobs.get(id) ?? null
  }

  /** The latest last. */
  list(): MoveJob[] {
    return [...this.#jobs.values()]
  }

  /** Throws Refusal if there are too many, or one for this queue. */
  start(options: Omit<MoveJobOptions, "broker" | "id">): MoveJob {
    if (this.#isClosed) throw new Refusal("connection-forced", "the broker is stopping")
    if (this.#running.size >= RUNNING_MAX)
      throw new Refusal("resource-error", `${String(RUNNING_MAX)} jobs are running already`)
    for (const job of this.#running.keys())
      if (job.options.queue === options.queue)
        throw new Refusal("precondition-failed", `job ${job.id} is at work on this queue`)
    this.#broker.clock.refresh()
    const id = randomName(this.#broker.random, "")
    const job = new MoveJob({ ...options, broker: this.#broker, id })
    this.#jobs.set(id, job)
    this.#forgetOld()
    this.#broker.log.info(this.#described(job), "messages are being moved")
    this.#running.set(job, this.#run(job))
    return job
  }

  async #run(job: MoveJob): Promise<void> {
    await job.run()
    this.#running.delete(job)
    const { state, error, movedCount: moved } = job
    this.#broker.log.info({ ...this.#described(job), state, error, moved }, "a move has ended")
  }

  #described({ id, options }: MoveJob): Record<string, unknown> {
    const { kind, vhostName: vhost, queue, destinationText: destination, user } = options
    return { id, kind, vhost, queue: queue.name, destination, user }
  }

  #forgetOld(): void {
    for (const [id, job] of this.#jobs) {
      if (this.#jobs.size <= KEPT_MAX) return
      if (job.state !== "running") this.#jobs.delete(id)
    }
  }

  /** Ends them: what is held goes back. */
  async close(): Promise<void> {
    this.#isClosed = true
    for (const job of this.#running.keys()) job.cancel()
    await Promise.all(this.#running.values())
  }
}
