import type { AmqpClient } from "../client/client.ts"
import type { ClientChannel } from "../client/channel.ts"
import type { ClientConnection } from "../client/connection.ts"
import { ClientError } from "../client/errors.ts"
import type { Clock } from "../util/clock.ts"
import { wait } from "./perf-io.ts"
import type { ThroughputSettings } from "./settings.ts"
import { declareTopology } from "./topology.ts"

/**
 * What a publisher and a consumer have in common: a connection of their own, made anew a second after it
 * was lost, until the work is done or the run stops.
 */
export interface RoleContext {
  readonly client: AmqpClient
  readonly clock: Clock
  readonly settings: ThroughputSettings
  /** Fulfilled when all threads may begin. */
  readonly started: Promise<void>
  /** Messages of each role; this one writes its own place. */
  readonly counters: Float64Array
  notice(text: string): void
}

const RETRY_MS = 1000

export abstract class Role {
  readonly #ready: PromiseWithResolvers<void> = Promise.withResolvers()
  protected readonly context: RoleContext
  /** Place of its counter. */
  protected readonly place: number
  protected isStopped = false
  #finish: (() => void) | null = null
  #attempts = 0

  constructor(context: RoleContext, place: number) {
    this.context = context
    this.place = place
    this.#ready.promise.catch(() => {})
  }

  protected abstract readonly name: string

  /** Connected and prepared for the first time. */
  get ready(): Promise<void> {
    return this.#ready.promise
  }

  /** Ends when the work is done or stop() was called. Rejects only if trying again cannot help. */
  async run(): Promise<void> {
    while (!this.isStopped) {
      try {
        await this.#once()
        return
      } catch (error) {
        if (!isRetryable(error)) {
          this.#ready.reject(error)
          throw error
        }
        if (this.isStopped) return
        this.context.notice(`${this.name}: ${error.message}`)
        await wait(this.context.clock, RETRY_MS)
      }
    }
  }

  stop(): void {
    this.isStopped = true
    this.#finish?.()
  }

  async #once(): Promise<void> {
    const { client, settings, started } = this.context
    const connection = await client.connect(settings.uri, { name: `sluiceperf ${this.name}` })
    try {
      // What a restarted broker has forgotten is made again.
      if (this.#attempts++ > 0) await declareTopology(connection, settings, false)
      const channel = await connection.openChannel()
      await this.prepare(channel)
      this.#ready.resolve()
      await started
      if (!this.isStopped) await this.#work(connection, channel)
      await this.leave(channel)
    } finally {
      await connection.close()
    }
  }

  #work(connection: ClientConnection, channel: ClientChannel): Promise<void> {
    return new Promise((resolve, reject) => {
      const lost = (error: ClientError | null): void =>
        reject(error ?? new ClientError("closed", "closed"))
      channel.onClosed = lost
      this.#finish = resolve
      if (channel.isOpen) this.work(channel, connection).catch(reject)
      else lost(channel.error)
    })
  }

  /** All is done that was to be done. */
  protected finish(): void {
    this.isStopped = true
    this.#finish?.()
  }

  protected abstract prepare(channel: ClientChannel): Promise<void>
  /** Begins, or does all; finish() says when it is done. */
  protected abstract work(channel: ClientChannel, connection: ClientConnection): Promise<void>
  /** Before the connection is closed in order. */
  protected abstract leave(channel: ClientChannel): Promise<void>
}

function isRetryable(error: unknown): error is ClientError {
  return (
    error instanceof ClientError &&
    !["authentication", "usage", "callback", "protocol"].includes(error.kind)
  )
}
