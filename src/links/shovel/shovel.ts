import type { PlainRecord } from "../../amqp/table.ts"
import type { TimerHandle } from "../../util/clock.ts"
import { LinkConnection } from "../link-connection.ts"
import type { LinkEnvironment, LinkSession } from "../link-connection.ts"
import { LinkStatus } from "../link-status.ts"
import { isHttpUri, pickUri, redactedUri } from "../link-uri.ts"
import { AmqpTransfer } from "./amqp-transfer.ts"
import { HeaderWriter } from "./forward-headers.ts"
import { HttpTransfer } from "./http-transfer.ts"
import type { ShovelConfig } from "./shovel-config.ts"
import { ShovelSource } from "./source.ts"
import type { Transfer, TransferContext } from "./transfer.ts"

/**
 * One shovel: connects both ends, again and again, counts what it has moved and ends when it was told to
 * end. Its parameter and whether it is paused are the registry's business (shovels.ts).
 */
export interface ShovelOptions {
  readonly environment: LinkEnvironment
  readonly vhostName: string
  readonly name: string
  readonly config: ShovelConfig
  clusterName(): string
  /** It has done what it was for. */
  onCompleted(shovel: Shovel): void
}

/** Between questions how many messages are left at the source. */
const LAG_MS = 5000
/** So often in a row the source must be empty, before what is missing is taken for gone. */
const EMPTY_TIMES = 2
/** For what is under way, when a shovel is stopped. */
const DRAIN_MS = 5000

export class Shovel {
  readonly vhostName: string
  readonly name: string
  readonly config: ShovelConfig
  readonly status: LinkStatus
  /** Until it ends by itself; null without a limit. With `queue-length` as of the first connection. */
  remaining: number | null
  /** Messages in the source queue, as of a few seconds ago; null if that is not known. */
  lag: number | null = null
  /** In use at present, without credentials; null while it is not connected. */
  sourceUri: string | null = null
  destinationUri: string | null = null
  readonly #options: ShovelOptions
  readonly #connection: LinkConnection
  readonly #headers: HeaderWriter
  #source: ShovelSource | null = null
  #transfer: Transfer | null = null
  #endTimer: TimerHandle | null = null
  #countedAtMs = 0
  #emptyTimes = 0
  #isCompleted = false
  #isWanted = false
  /** The latest stop has ended. */
  #stopped: Promise<void> = Promise.resolve()
  /** While somebody waits for what is under way. */
  #onProgress: (() => void) | null = null

  constructor(options: ShovelOptions) {
    const { environment, vhostName, name, config } = options
    this.#options = options
    this.vhostName = vhostName
    this.name = name
    this.config = config
    this.status = new LinkStatus(environment.clock.nowMs)
    this.remaining = typeof config.deleteAfter === "number" ? config.deleteAfter : null
    this.#headers = new HeaderWriter(config)
    this.#connection = new LinkConnection({
      environment,
      status: this.status,
      name: `shovel ${name} in ${vhostName}`,
      reconnectDelayMs: config.reconnectDelayMs,
      setUp: (session) => this.#setUp(session),
    })
  }

  /** Sent to the destination, and not settled. */
  get pendingCount(): number {
    return this.#transfer?.pendingCount ?? 0
  }

  /** As RabbitMQ has it: `blocked` by the destination, `flow` while it is slower than the source. */
  get blockedStatus(): "running" | "flow" | "blocked" {
    if (this.#transfer?.isBlocked === true) return "blocked"
    return this.#source?.isHeld === true ? "flow" : "running"
  }

  /** The queue that is consumed; null while it is not connected. */
  get sourceQueue(): string | null {
    return this.#source?.queue ?? null
  }

  start(): void {
    if (this.#isCompleted) return
    this.#isWanted = true
    this.status.enter("starting", this.#options.environment.clock.nowMs)
    void this.#startWhenStopped()
  }

  async #startWhenStopped(): Promise<void> {
    await this.#stopped
    if (!this.#isWanted) return
    const { deleteAfterMs } = this.config
    if (deleteAfterMs !== null)
      this.#endTimer ??= this.#options.environment.clock.setTimer(deleteAfterMs, () =>
        this.#complete(),
      )
    this.#connection.start()
  }

  /** Resolves when nothing is left of its connections. */
  stop(state: "stopped" | "paused"): Promise<void> {
    this.#isWanted = false
    this.#endTimer?.cancel()
    this.#endTimer = null
    this.status.enter(state, this.#options.environment.clock.nowMs)
    this.status.error = null
    this.#stopped = this.#stopAfter(this.#stopped)
    return this.#stopped
  }

  /** One after the other, whatever operators ask for meanwhile. */
  async #stopAfter(earlier: Promise<void>): Promise<void> {
    await earlier
    await this.#drained()
    await this.#connection.stop()
  }

  /** Connects anew, without the wait after a failure. */
  async restart(): Promise<void> {
    this.#isWanted = false
    this.#stopped = this.#stopAfter(this.#stopped)
    const stopped = this.#stopped
    this.start()
    await stopped
  }

  /** What is under way is settled, so that it need not be sent twice; or has had its time. */
  #drained(): Promise<void> {
    const source = this.#source
    const transfer = this.#transfer
    if (source === null || transfer === null || transfer.isBlocked) return Promise.resolve()
    transfer.finish()
    source.cancel()
    if (transfer.pendingCount === 0) return Promise.resolve()
    return new Promise((done) => {
      const timer = this.#options.environment.clock.setTimer(DRAIN_MS, done)
      this.#onProgress = () => {
        if (transfer.pendingCount > 0 && transfer === this.#transfer) return
        timer.cancel()
        this.#onProgress = null
        done()
      }
    })
  }

  tick(nowMs: number): void {
    this.status.counters.sample(nowMs)
    if (nowMs - this.#countedAtMs < LAG_MS || this.#source === null) return
    this.#countedAtMs = nowMs
    void this.#count(this.#source)
  }

  async #count(source: ShovelSource): Promise<void> {
    try {
      const count = await source.countMessages()
      if (count === null || source !== this.#source) return
      this.lag = count
      this.#emptyTimes = count === 0 && this.pendingCount === 0 ? this.#emptyTimes + 1 : 0
    } catch {
      return // The channel is closed, and the session with it.
    }
    // What was counted at the start may have expired, or somebody else has taken it.
    if (this.config.deleteAfter === "queue-length" && this.#emptyTimes >= EMPTY_TIMES)
      this.#complete()
  }

  async #setUp(session: LinkSession): Promise<void> {
    const { config } = this
    const { random } = this.#options.environment
    const sourceUri = pickUri(config.source.uris, random)
    const destinationUri = pickUri(config.destination.uris, random)
    session.onEnd(() => this.#disconnected())
    const source = await ShovelSource.open(session, config, sourceUri)
    if (config.deleteAfter === "queue-length") this.remaining ??= source.messageCount
    this.lag = source.messageCount
    if (this.remaining === 0) {
      this.#complete()
      return
    }
    this.sourceUri = redactedUri(sourceUri)
    this.destinationUri = redactedUri(destinationUri)
    this.#headers.entry = this.#headerEntry()
    const transfer = await this.#openTransfer(session, source, destinationUri)
    session.onEnd(() => transfer.close())
    session.throwIfEnded()
    this.#source = source
    this.#transfer = transfer
    const tag = `shovel ${this.name} in ${this.vhostName}`.slice(0, 200)
    const limit = this.remaining ?? Number.POSITIVE_INFINITY
    await source.consume(tag, limit, (delivery) => transfer.onDelivery(delivery))
  }

  async #openTransfer(session: LinkSession, source: ShovelSource, uri: string): Promise<Transfer> {
    const { environment } = this.#options
    const { config, status } = this
    const context: TransferContext = {
      environment,
      session,
      config,
      source,
      headers: this.#headers,
      counters: status.counters,
      shovelName: this.name,
      limit: this.remaining ?? Number.POSITIVE_INFINITY,
      settled: (count) => this.#settled(count),
      trouble: (text, nextAttemptAtMs) => {
        status.error = text
        status.nextAttemptAtMs = nextAttemptAtMs
      },
    }
    const { destination } = config
    return destination.kind === "http"
      ? new HttpTransfer(context, destination, uri)
      : AmqpTransfer.open(context, destination, uri)
  }

  #settled(count: number): void {
    if (this.#onProgress !== null) this.#onProgress()
    if (this.remaining === null) return
    this.remaining = Math.max(0, this.remaining - count)
    if (this.remaining === 0) this.#complete()
  }

  #disconnected(): void {
    this.#source = null
    this.#transfer = null
    this.#emptyTimes = 0
    this.#onProgress?.()
  }

  #complete(): void {
    if (this.#isCompleted) return
    this.#isCompleted = true
    const { clock } = this.#options.environment
    // Not from within a delivery: its acknowledgement is to be sent first.
    clock.setImmediate(() => void this.#end())
  }

  async #end(): Promise<void> {
    this.#endTimer?.cancel()
    await this.#drained()
    await this.#connection.stop()
    this.status.error = null
    this.status.enter("terminated", this.#options.environment.clock.nowMs)
    this.#options.onCompleted(this)
  }

  /** Of the header x-shovelled. */
  #headerEntry(): PlainRecord {
    const { source, destination } = this.config
    return {
      "shovelled-by": this.#options.clusterName(),
      "shovel-type": "dynamic",
      "shovel-name": this.name,
      "shovel-vhost": this.vhostName,
      "src-uri": this.sourceUri ?? "",
      "dest-uri": this.destinationUri ?? "",
      ...present({
        "src-queue": source.queue,
        "src-exchange": source.exchange,
        "src-exchange-key": source.exchange === null ? null : source.exchangeKey,
      }),
      ...(destination.kind === "http"
        ? {}
        : present({
            "dest-queue": destination.queue,
            "dest-exchange": destination.exchange,
            "dest-exchange-key": destination.exchangeKey,
          })),
    }
  }
}

function present(fields: Readonly<Record<string, string | null>>): Record<string, string> {
  const result: Record<string, string> = {}
  for (const [name, value] of Object.entries(fields)) if (value !== null) result[name] = value
  return result
}

/** For listings: amqp091, http or local. */
export function protocolOf(uris: readonly string[]): string {
  return uris.some(isHttpUri) ? "http" : "amqp091"
}
