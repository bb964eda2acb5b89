/**
 * What a queue with features and its dead letter queue must do, on plain arrays. Time stands still but
 * for advance(), and everything that follows from a step has happened when it returns.
 */
export interface Death {
  readonly queue: string
  readonly reason: string
  readonly count: number
}

export interface Message {
  readonly id: number
  readonly priority: number
  /** Infinity if it has no end. */
  readonly dueMs: number
  /** Place in the order of arrival. */
  readonly place: number
  /** Newest first. */
  readonly deaths: readonly Death[]
  failures: number
}

export interface ModelSettings {
  readonly name: string
  readonly ttlMs: number | null
  readonly maxLength: number | null
  readonly overflow: "drop-head" | "reject-publish" | "reject-publish-dlx"
  readonly maxPriority: number
  readonly deliveryLimit: number | null
  readonly deadLettersTo: string | null
}

export class QueueModel {
  readonly settings: ModelSettings
  /** In the order of delivery. */
  readonly ready: Message[] = []

  constructor(settings: ModelSettings) {
    this.settings = settings
  }

  put(message: Message): void {
    const level = this.#levelOf(message)
    const at = this.ready.findIndex((other) => {
      const otherLevel = this.#levelOf(other)
      return otherLevel < level || (otherLevel === level && other.place > message.place)
    })
    this.ready.splice(at < 0 ? this.ready.length : at, 0, message)
  }

  #levelOf({ priority }: Message): number {
    return Math.min(priority, this.settings.maxPriority)
  }

  /** The heads of all levels. */
  heads(): Message[] {
    const heads = new Map<number, Message>()
    for (const message of this.ready) {
      const level = this.#levelOf(message)
      if (!heads.has(level)) heads.set(level, message)
    }
    return [...heads.values()]
  }

  remove(message: Message): void {
    this.ready.splice(this.ready.indexOf(message), 1)
  }

  get isTooLong(): boolean {
    const { maxLength } = this.settings
    return maxLength !== null && this.ready.length > maxLength
  }
}

export class FeatureModel {
  #nowMs = 0
  #lastPlace = 0
  readonly #queues: ReadonlyMap<string, QueueModel>

  constructor(...all: readonly ModelSettings[]) {
    this.#queues = new Map(all.map((settings) => [settings.name, new QueueModel(settings)]))
  }

  queue(name: string): QueueModel {
    const queue = this.#queues.get(name)
    if (queue === undefined) throw new Error(`no queue ${name} in the model`)
    return queue
  }

  publish(name: string, message: { id: number; priority: number; ownTtlMs: number | null }): void {
    const queue = this.queue(name)
    this.#arrive(queue, { ...message, deaths: [] })
    // RabbitMQ looks after the length before it lets a message expire that lives for 0 ms.
    while (queue.settings.overflow === "drop-head" && queue.isTooLong)
      this.#bury(queue, queue.ready.shift()!, "maxlen")
    this.#settle()
  }

  /** The next message, which is gone with noAck. */
  take(name: string, noAck: boolean): Message | null {
    const queue = this.queue(name)
    const message = queue.ready.shift() ?? null
    void noAck
    this.#settle()
    return message
  }

  requeue(queue: QueueModel, messages: readonly Message[]): void {
    const { deliveryLimit } = queue.settings
    for (const message of messages) {
      message.failures++
      if (deliveryLimit !== null && message.failures > deliveryLimit)
        this.#bury(queue, message, "delivery_limit")
      else queue.put(message)
    }
    this.#settle()
  }

  reject(queue: QueueModel, message: Message): void {
    this.#bury(queue, message, "rejected")
    this.#settle()
  }

  advance(ms: number): void {
    this.#nowMs += ms
    this.#settle()
  }

  #arrive(
    queue: QueueModel,
    {
      id,
      priority,
      ownTtlMs,
      deaths,
    }: Pick<Message, "id" | "priority" | "deaths"> & { ownTtlMs: number | null },
  ): void {
    const { ttlMs, maxLength, overflow } = queue.settings
    const dueMs = this.#nowMs + Math.min(ttlMs ?? Infinity, ownTtlMs ?? Infinity)
    const message = { id, priority, dueMs, place: ++this.#lastPlace, deaths, failures: 0 }
    if (maxLength !== null && overflow !== "drop-head" && queue.ready.length >= maxLength) {
      if (overflow === "reject-publish-dlx") this.#bury(queue, message, "maxlen")
      return
    }
    queue.put(message)
  }

  /** Everything that follows by itself. */
  #settle(): void {
    for (let isDone = false; !isDone;) {
      isDone = true
      for (const queue of this.#queues.values()) {
        const expired = queue.heads().find(({ dueMs }) => dueMs <= this.#nowMs)
        const dropped =
          expired ??
          (queue.settings.overflow === "drop-head" && queue.isTooLong ? queue.ready[0] : undefined)
        if (dropped === undefined) continue
        queue.remove(dropped)
        this.#bury(queue, dropped, expired === undefined ? "maxlen" : "expired")
        isDone = false
      }
    }
  }

  #bury(queue: QueueModel, message: Message, reason: string): void {
    const { name, deadLettersTo } = queue.settings
    if (deadLettersTo === null) return
    const isSame = (death: Death): boolean => death.queue === name && death.reason === reason
    const known = message.deaths.find(isSame)
    const newest = { queue: name, reason, count: (known?.count ?? 0) + 1 }
    const deaths = [newest, ...message.deaths.filter((death) => !isSame(death))]
    if (reason !== "rejected")
      for (const death of deaths) {
        if (death.reason === "rejected") break
        if (death.queue === deadLettersTo) return
      }
    const { id, priority } = message
    this.#arrive(this.queue(deadLettersTo), { id, priority, ownTtlMs: null, deaths })
  }
}
