import type { ClientChannel } from "../client/channel.ts"
import { PublishTarget } from "../client/publish-target.ts"
import { RepeatedMessage } from "../client/repeated-message.ts"
import { monotonicMs } from "../util/clock.ts"
import type { Random } from "../util/random.ts"
import { RateLimiter } from "./rate-limiter.ts"
import { Role } from "./role.ts"
import type { RoleContext } from "./role.ts"

/** One publisher of a throughput run. */

/** Published in one go, before other connections of the thread have their turn. */
const SLICE = 8192
const RANDOM_BODIES = 64

export class Publisher extends Role {
  protected readonly name: string
  readonly #quota: number
  readonly #targets: readonly PublishTarget[]
  readonly #bodies: readonly Buffer[]
  readonly #properties: Buffer
  /** If all messages are the same. */
  readonly #repeated: RepeatedMessage | null
  #published = 0
  #next = 0
  #limiter: RateLimiter | null = null
  #channel: ClientChannel | null = null
  #isWaiting = false

  /** `quota`: how many to publish; 0 is no limit. */
  constructor(context: RoleContext, place: number, index: number, quota: number, random: Random) {
    super(context, place)
    const { settings } = context
    this.name = `publisher ${String(index + 1)}`
    this.#quota = quota === 0 ? Number.POSITIVE_INFINITY : quota
    this.#targets = settings.queues.map(
      (queue) =>
        new PublishTarget({
          exchange: settings.exchange,
          routingKey: settings.routingKey ?? queue,
        }),
    )
    this.#next = index % this.#targets.length
    this.#bodies = settings.randomBodies
      ? Array.from({ length: RANDOM_BODIES }, () => random.bytes(settings.size))
      : [patternBody(settings.size)]
    this.#properties = Buffer.from(settings.properties)
    this.#repeated =
      settings.measureLatency || this.#targets.length > 1 || this.#bodies.length > 1
        ? null
        : new RepeatedMessage(this.#targets[0]!, this.#bodies[0]!, this.#properties)
  }

  protected async prepare(channel: ClientChannel): Promise<void> {
    const { confirm, publishTx } = this.context.settings
    if (confirm > 0) await channel.confirmSelect({ window: confirm })
    if (publishTx > 0) await channel.txSelect()
  }

  protected async work(channel: ClientChannel): Promise<void> {
    const { clock, settings } = this.context
    this.#channel = channel
    this.#isWaiting = false
    clock.refresh()
    if (settings.rate > 0) this.#limiter = new RateLimiter(settings.rate, monotonicMs())
    channel.onDrain = () => this.#pump()
    channel.onConfirm = () => {
      if (this.#published >= this.#quota && channel.unconfirmedCount === 0) this.finish()
    }
    if (settings.publishTx > 0) await this.#workInTransactions(channel, settings.publishTx)
    else this.#pump()
  }

  protected async leave(channel: ClientChannel): Promise<void> {
    channel.onDrain = null
    channel.onConfirm = null
    if (this.context.settings.publishTx > 0 && channel.isOpen) await channel.txCommit()
  }

  /** Publishes what is due, and sees to it that it is called again. */
  #pump(): void {
    const channel = this.#channel!
    if (this.isStopped || !channel.isOpen || this.#isWaiting) return
    const budget = Math.min(SLICE, this.#quota - this.#published, this.#due())
    const goesOn = budget <= 0 || this.#publish(channel, budget)
    if (this.#published >= this.#quota) {
      if (channel.unconfirmedCount === 0) this.finish()
      return
    }
    if (!goesOn) return // onDrain calls.
    this.#isWaiting = true
    const again = (): void => {
      this.#isWaiting = false
      this.#guardedPump()
    }
    const waitMs = this.#limiter?.waitMs(monotonicMs()) ?? 0
    if (waitMs > 0) this.context.clock.setTimer(Math.max(1, Math.ceil(waitMs)), again)
    else this.context.clock.setImmediate(again)
  }

  #guardedPump(): void {
    if (this.#channel?.isOpen === true) this.#pump()
  }

  #due(): number {
    return this.#limiter === null ? SLICE : this.#limiter.due(monotonicMs())
  }

  /** False if the channel wants a pause. */
  #publish(channel: ClientChannel, count: number): boolean {
    const targets = this.#targets
    const bodies = this.#bodies
    const properties = this.#properties
    if (this.#repeated !== null) {
      this.#account(channel.publishRepeated(this.#repeated, count))
      return channel.canPublish
    }
    const isTimed = this.context.settings.measureLatency
    const first = this.#published
    let goesOn = true
    let left = count
    while (goesOn && left > 0) {
      const body = bodies[bodies.length === 1 ? 0 : (first + count - left) % bodies.length]!
      if (isTimed) body.writeDoubleLE(monotonicMs(), 0)
      goesOn = channel.publish(targets[this.#next]!, body, properties)
      if (targets.length > 1) this.#next = (this.#next + 1) % targets.length
      left--
    }
    this.#account(count - left)
    return goesOn
  }

  #account(count: number): void {
    this.#published += count
    this.#limiter?.take(count)
    this.context.counters[this.place] = this.#published
  }

  async #workInTransactions(channel: ClientChannel, size: number): Promise<void> {
    const { clock } = this.context
    while (!this.isStopped && this.#published < this.#quota) {
      let left = Math.min(size, this.#quota - this.#published)
      while (left > 0 && !this.isStopped) {
        const waitMs = this.#limiter?.waitMs(monotonicMs()) ?? 0
        if (waitMs > 0) {
          await new Promise<void>((resolve) => void clock.setTimer(Math.ceil(waitMs), resolve))
          continue
        }
        const before = this.#published
        const goesOn = this.#publish(channel, Math.min(left, Math.max(1, this.#due()), SLICE))
        left -= this.#published - before
        if (!goesOn) await this.#drained(channel)
      }
      await channel.txCommit()
    }
    this.finish()
  }

  #drained(channel: ClientChannel): Promise<void> {
    if (channel.canPublish) return Promise.resolve()
    return new Promise((resolve) => {
      channel.onDrain = resolve
    })
  }
}

/** lavinmqperf's body: byte i is 64 + (i mod 27). */
export function patternBody(size: number): Buffer {
  const body = Buffer.alloc(size)
  for (let i = 0; i < size; i++) body[i] = 64 + (i % 27)
  return body
}
