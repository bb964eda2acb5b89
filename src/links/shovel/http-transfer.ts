import type { BasicProperties } from "../../amqp/properties.ts"
import { decodeProperties } from "../../amqp/properties.ts"
import type { Delivery } from "../../client/delivery.ts"
import { messageOf } from "../../client/errors.ts"
import { Ring } from "../../util/ring.ts"
import type { TimerHandle } from "../../util/clock.ts"
import { HttpSender } from "./http-sender.ts"
import type { HttpAnswer } from "./http-sender.ts"
import { headersFor, parseHttpTarget, pathFor, signatureFor } from "./http-target.ts"
import type { HttpTarget } from "./http-target.ts"
import type { HttpDestinationConfig } from "./shovel-config.ts"
import { HOLD_BYTES } from "./source.ts"
import type { Transfer, TransferContext } from "./transfer.ts"

/**
 * From deliveries to requests of HTTP. 2xx settles a message; other 4xx than 408 and 429 reject it; for
 * anything else the same message is posted again, later and later, and with it all that come after. With
 * one request at a time the order is kept.
 */

/** Of bodies that wait: then nothing more is read. */
const WAITING_BYTES_MAX = 8 << 20
const WAITING_MAX = 65_535
const RETRY_MS = 500
const RETRY_MS_MAX = 60_000
/** Of what the receiver asks for. */
const RETRY_AFTER_MS_MAX = 600_000

interface Job {
  readonly tag: number
  readonly body: Buffer
  readonly properties: BasicProperties
}

export class HttpTransfer implements Transfer {
  readonly #context: TransferContext
  readonly #config: HttpDestinationConfig
  readonly #target: HttpTarget
  readonly #sender: HttpSender
  readonly #waiting = new Ring<Job>()
  /** To be posted again before those that wait. */
  readonly #failed: Job[] = []
  #waitingBytes = 0
  #activeCount = 0
  #takenCount = 0
  #limit: number
  #failureCount = 0
  #timer: TimerHandle | null = null
  #isClosed = false

  constructor(context: TransferContext, config: HttpDestinationConfig, uri: string) {
    this.#context = context
    this.#limit = context.limit
    this.#config = config
    this.#target = parseHttpTarget(uri)
    const { clock } = context.environment
    this.#sender = new HttpSender(clock, this.#target, config.concurrency, config.timeoutMs)
  }

  get pendingCount(): number {
    return this.#waiting.size + this.#failed.length + this.#activeCount
  }

  get isBlocked(): boolean {
    return this.#timer !== null
  }

  onDelivery(delivery: Delivery): void {
    const context = this.#context
    const { headers, environment, source } = context
    if (this.#takenCount >= this.#limit || this.#isClosed) return
    if (++this.#takenCount >= this.#limit) source.cancel()
    const rewritten = headers.isNeeded ? headers.rewrite(delivery, environment.clock.nowMs) : null
    if (headers.isNeeded && rewritten === null) {
      this.#reject(delivery.deliveryTag)
      return
    }
    const properties = rewritten === null ? delivery.properties() : decodeProperties(rewritten)
    const body = Buffer.from(delivery.body)
    this.#waitingBytes += body.length
    this.#waiting.push({ tag: delivery.deliveryTag, body, properties })
    if (this.#waitingBytes >= WAITING_BYTES_MAX || this.#waiting.size >= WAITING_MAX)
      source.hold(HOLD_BYTES)
    this.#postSome()
  }

  #postSome(): void {
    while (
      !this.#isClosed &&
      this.#timer === null &&
      this.#activeCount < this.#config.concurrency
    ) {
      const job = this.#failed.shift() ?? this.#waiting.shift()
      if (job === undefined) return
      this.#activeCount++
      void this.#post(job)
    }
  }

  /** Never rejects. */
  async #post(job: Job): Promise<void> {
    const { counters } = this.#context
    counters.forwarded++
    counters.bytes += job.body.length
    let answer: HttpAnswer | null = null
    let problem = ""
    try {
      answer = await this.#sender.post(this.#request(job))
    } catch (error) {
      problem = messageOf(error)
    }
    this.#activeCount--
    if (this.#isClosed) return
    if (this.#context.config.ackMode === "no-ack") this.#done(job, true)
    else if (answer === null) this.#failedWith(job, problem, 0)
    else this.#answered(job, answer)
    this.#postSome()
  }

  #request({ body, properties }: Job): {
    readonly path: string
    readonly headers: Record<string, string>
    readonly body: Buffer
  } {
    const headers = headersFor(this.#context.shovelName, properties, body.length)
    const { signingSecret } = this.#config
    const { clock } = this.#context.environment
    clock.refresh()
    if (signingSecret !== null)
      headers["x-sluice-signature"] = signatureFor(
        signingSecret,
        Math.floor(clock.nowMs / 1000),
        body,
      )
    return { path: pathFor(this.#target, properties), headers, body }
  }

  #answered(job: Job, { status, retryAfter }: HttpAnswer): void {
    if (status >= 200 && status < 300) this.#done(job, true)
    else if (status >= 400 && status < 500 && status !== 408 && status !== 429)
      this.#done(job, false)
    else this.#failedWith(job, `the receiver answers ${String(status)}`, this.#asked(retryAfter))
  }

  #done(job: Job, isTaken: boolean): void {
    const { source, counters, config } = this.#context
    if (this.#failureCount > 0) this.#context.trouble(null, null)
    this.#failureCount = 0
    this.#forget(job)
    if (!isTaken) {
      this.#reject(job.tag)
      return
    }
    counters.confirmed++
    if (config.ackMode !== "no-ack") source.channel.ack(job.tag)
    this.#context.settled(1)
  }

  #reject(tag: number): void {
    const { source, counters, config } = this.#context
    counters.rejected++
    if (config.ackMode !== "no-ack") source.channel.reject(tag, false)
    this.#context.settled(1)
  }

  #forget({ body }: Job): void {
    this.#waitingBytes -= body.length
    if (this.#waitingBytes < WAITING_BYTES_MAX / 2 && this.#waiting.size < WAITING_MAX / 2)
      this.#context.source.release(HOLD_BYTES)
  }

  #failedWith(job: Job, problem: string, askedMs: number): void {
    const { counters, environment } = this.#context
    counters.returned++
    // Several may have failed at once: the older one first.
    const behind = this.#failed.findIndex(({ tag }) => tag > job.tag)
    this.#failed.splice(behind < 0 ? this.#failed.length : behind, 0, job)
    if (this.#timer !== null) return
    const doublings = Math.min(this.#failureCount++, 20)
    const delayMs = Math.max(askedMs, Math.min(RETRY_MS_MAX, RETRY_MS * 2 ** doublings))
    const { clock } = environment
    clock.refresh()
    this.#context.trouble(problem, clock.nowMs + delayMs)
    this.#timer = clock.setTimer(delayMs, () => {
      this.#timer = null
      this.#postSome()
    })
  }

  /** Retry-After in seconds or as a date. */
  #asked(retryAfter: string | null): number {
    if (retryAfter === null) return 0
    const seconds = Number(retryAfter)
    const { clock } = this.#context.environment
    const ms = Number.isNaN(seconds) ? Date.parse(retryAfter) - clock.nowMs : seconds * 1000
    return Number.isFinite(ms) ? Math.min(Math.max(ms, 0), RETRY_AFTER_MS_MAX) : 0
  }

  finish(): void {
    this.#limit = 0
  }

  close(): void {
    this.#isClosed = true
    this.#timer?.cancel()
    this.#timer = null
    while (this.#waiting.shift() !== undefined);
    this.#failed.length = 0
    this.#sender.close()
  }
}
