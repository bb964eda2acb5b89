import type { ClientChannel } from "../client/channel.ts"
import type { ClientConnection } from "../client/connection.ts"
import type { DeliveryRun } from "../client/delivery-run.ts"
import type { Delivery } from "../client/delivery.ts"
import { monotonicMs } from "../util/clock.ts"
import type { TimerHandle } from "../util/clock.ts"
import type { LatencyRecorder } from "./latency.ts"
import { patternBody } from "./load.ts"
import { RateLimiter } from "./rate-limiter.ts"
import { Role } from "./role.ts"
import type { RoleContext } from "./role.ts"

/** One consumer of a throughput run. */
export interface ConsumerContext extends RoleContext {
  /** Consumed by all threads; used with a limit only. */
  readonly consumed: BigInt64Array
  /** Null: not measured. */
  readonly latencies: LatencyRecorder | null
  /** The last message of the limit was consumed. */
  limitReached(): void
}

/** Messages with a rate limit wait here as their tag alone; above it the connection is not read. */
const WAITING_MAX = 16

export class LoadConsumer extends Role {
  protected readonly name: string
  readonly #context: ConsumerContext
  readonly #queue: string
  readonly #expected: Buffer | null
  readonly #ackEvery: number
  #consumed = 0
  #unacked = 0
  #uncommitted = 0
  #lastTag = 0
  #hasWarned = false
  #channel: ClientChannel | null = null
  #limiter: RateLimiter | null = null
  #waitingTags: number[] = []
  #timer: TimerHandle | null = null

  constructor(context: ConsumerContext, place: number, index: number) {
    super(context, place)
    const { settings } = context
    this.#context = context
    this.name = `consumer ${String(index + 1)}`
    this.#queue = settings.queues[index % settings.queues.length]!
    this.#expected = settings.verify ? patternBody(settings.size) : null
    const { ack, ackTx, prefetch } = settings
    const every = ack === 0 && ackTx > 0 ? 1 : ack
    // A prefetch that is smaller would never be used up.
    this.#ackEvery = prefetch > 0 ? Math.min(every, prefetch) : every
  }

  protected async prepare(channel: ClientChannel): Promise<void> {
    const { prefetch, ackTx } = this.#context.settings
    if (prefetch > 0) await channel.qos(prefetch)
    if (ackTx > 0) await channel.txSelect()
  }

  protected async work(channel: ClientChannel, connection: ClientConnection): Promise<void> {
    const { settings } = this.#context
    this.#channel = channel
    this.#unacked = 0
    this.#uncommitted = 0
    this.#waitingTags = []
    if (settings.consumerRate > 0)
      this.#limiter = new RateLimiter(settings.consumerRate, monotonicMs())
    if (settings.poll) {
      await this.#poll(channel)
      return
    }
    const isLimited = this.#limiter !== null
    await channel.consume(this.#queue, {
      consumerTag: "c", // Every delivery carries it.
      noAck: this.#ackEvery === 0,
      arguments: settings.consumerArguments,
      onDelivery: (delivery) => {
        if (isLimited) this.#keep(delivery, connection)
        else this.#receive(delivery)
      },
      ...(isLimited ? {} : { onRun: (run: DeliveryRun) => this.#receiveRun(run) }),
      onCancelled: () => this.#context.notice(`${this.name}: the server cancelled the consumer`),
    })
  }

  protected async leave(channel: ClientChannel): Promise<void> {
    this.#timer?.cancel()
    if (!channel.isOpen) return
    if (this.#unacked > 0) channel.ack(this.#lastTag, true)
    if (this.#context.settings.ackTx > 0) await channel.txCommit()
  }

  #receive(delivery: Delivery): void {
    if (this.isStopped) return
    this.#examine(delivery.chunk.bytes, delivery.bodyStart, delivery.bodyEnd)
    this.#count(delivery.deliveryTag)
  }

  #receiveRun(run: DeliveryRun): void {
    if (this.isStopped) return
    const { count, bodySize, chunk } = run
    const { latencies } = this.#context
    if (latencies !== null && bodySize >= 8) {
      // They have come with one read from the socket.
      const nowMs = monotonicMs()
      latencies.beginRun()
      const { view } = chunk
      for (let i = 0; i < count; i++)
        latencies.add(nowMs - view.getFloat64(run.bodyStartAt(i), true))
      latencies.endRun()
    }
    if (this.#expected !== null)
      for (let i = 0; i < count; i++) {
        const start = run.bodyStartAt(i)
        this.#verify(chunk.bytes, start, start + bodySize)
      }
    const counted = this.#add(count)
    if (this.#ackEvery > 0) this.#ackRun(run, counted)
  }

  #examine(bytes: Buffer, start: number, end: number): void {
    const { latencies } = this.#context
    if (latencies !== null && end - start >= 8) {
      latencies.beginRun()
      latencies.add(monotonicMs() - bytes.readDoubleLE(start))
      latencies.endRun()
    }
    if (this.#expected !== null) this.#verify(bytes, start, end)
  }

  #verify(bytes: Buffer, start: number, end: number): void {
    if (this.#hasWarned || this.#expected!.equals(bytes.subarray(start, end))) return
    this.#hasWarned = true
    this.#context.notice(`${this.name}: a body differs from what was sent`)
  }

  #count(deliveryTag: number): void {
    if (this.#add(1) === 0 || this.#ackEvery === 0) return
    this.#lastTag = deliveryTag
    if (++this.#unacked >= this.#ackEvery) this.#ack()
  }

  /** Returns how many of the messages are within the limit of all consumers. */
  #add(count: number): number {
    const { settings, consumed, counters } = this.#context
    let counted = count
    const limit = settings.consumeMessages
    if (limit > 0) {
      const before = Number(Atomics.add(consumed, 0, BigInt(count)))
      counted = Math.max(0, Math.min(count, limit - before))
      if (before < limit && before + count >= limit) this.#context.limitReached()
    }
    this.#consumed += counted
    counters[this.place] = this.#consumed
    return counted
  }

  #ackRun(run: DeliveryRun, count: number): void {
    const every = this.#ackEvery
    let done = 0
    while (done < count) {
      const some = Math.min(every - this.#unacked, count - done)
      done += some
      this.#unacked += some
      this.#lastTag = run.deliveryTagAt(done - 1)
      if (this.#unacked >= every) this.#ack()
    }
  }

  #ack(): void {
    const channel = this.#channel!
    const { ackTx } = this.#context.settings
    this.#uncommitted += this.#unacked
    channel.ack(this.#lastTag, this.#unacked > 1)
    this.#unacked = 0
    if (ackTx === 0 || this.#uncommitted < ackTx) return
    this.#uncommitted = 0
    channel.txCommit().catch(() => {}) // The channel's end is reported once, by itself.
  }

  // ---- with a rate

  #keep(delivery: Delivery, connection: ClientConnection): void {
    if (this.isStopped) return
    this.#examine(delivery.chunk.bytes, delivery.bodyStart, delivery.bodyEnd)
    this.#waitingTags.push(delivery.deliveryTag)
    if (this.#waitingTags.length > WAITING_MAX) connection.pause()
    if (this.#timer === null) this.#consumeDue(connection)
  }

  #consumeDue(connection: ClientConnection): void {
    this.#timer = null
    const limiter = this.#limiter!
    if (this.isStopped || this.#channel?.isOpen !== true) return
    const due = Math.min(limiter.due(monotonicMs()), this.#waitingTags.length)
    if (due > 0) {
      for (let i = 0; i < due; i++) this.#count(this.#waitingTags[i]!)
      this.#waitingTags.splice(0, due)
      limiter.take(due)
    }
    if (this.#waitingTags.length <= WAITING_MAX) connection.resume()
    if (this.#waitingTags.length === 0) return
    const waitMs = Math.max(1, Math.ceil(limiter.waitMs(monotonicMs())))
    this.#timer = this.context.clock.setTimer(waitMs, () => this.#consumeDue(connection))
  }

  // ---- with basic.get

  async #poll(channel: ClientChannel): Promise<void> {
    const noAck = this.#ackEvery === 0
    const { clock } = this.context
    while (!this.isStopped) {
      const waitMs = this.#limiter?.waitMs(monotonicMs()) ?? 0
      if (waitMs > 0)
        await new Promise<void>((resolve) => void clock.setTimer(Math.ceil(waitMs), resolve))
      const message = await channel.get(this.#queue, { noAck })
      if (message === null || this.isStopped) continue
      this.#limiter?.take(1)
      this.#examine(message.body, 0, message.body.length)
      this.#count(message.deliveryTag)
    }
  }
}
