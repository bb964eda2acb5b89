import type { ClientChannel } from "../client/channel.ts"
import { monotonicMs } from "../util/clock.ts"
import type { Load } from "./load.ts"
import { RateLimiter } from "./rate-limiter.ts"
import { Role } from "./role.ts"
import type { RoleContext } from "./role.ts"

/** One publisher of a throughput run. */

/** Published in one go, before other connections of the thread have their turn. */
const SLICE = 8192
/** Messages that carry the same time: what they differ by in truth is some microseconds. */
const SAME_TIME = 128

export class Publisher extends Role {
  protected readonly name: string
  readonly #quota: number
  readonly #load: Load
  #published = 0
  /** Place of the next message in the load's order. */
  #next = 0
  #limiter: RateLimiter | null = null
  #channel: ClientChannel | null = null
  #isWaiting = false

  /** `quota`: how many to publish; 0 is no limit. */
  constructor(context: RoleContext, place: number, index: number, quota: number, load: Load) {
    super(context, place)
    this.name = `publisher ${String(index + 1)}`
    this.#quota = quota === 0 ? Number.POSITIVE_INFINITY : quota
    this.#load = load
    this.#next = index % load.length
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
    const { cycle } = this.#load
    const isTimed = this.context.settings.measureLatency
    let left = count
    while (left > 0) {
      const some = isTimed ? Math.min(left, SAME_TIME) : left
      const stamp = isTimed ? monotonicMs() : 0
      const done =
        cycle === null
          ? this.#publishEach(channel, some, isTimed ? stamp : null)
          : channel.publishCycle(cycle, this.#next, some, stamp)
      this.#next = (this.#next + done) % this.#load.length
      left -= done
      if (!channel.canPublish) break
    }
    this.#account(count - left)
    return channel.canPublish
  }

  /** Encodes each message. Returns how many went out. */
  #publishEach(channel: ClientChannel, count: number, stamp: number | null): number {
    const load = this.#load
    let done = 0
    let goesOn = true
    while (goesOn && done < count) {
      const position = this.#next + done++
      const body = load.body(position)
      if (stamp !== null) body.writeDoubleLE(stamp, 0)
      goesOn = channel.publish(load.target(position), body, load.properties)
    }
    return done
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
