/**
 * What queues, consumers and acknowledgements must do, on plain arrays. Messages have rising ids;
 * whoever may take one gets the lowest that is ready.
 */
import assert from "node:assert/strict"

export interface ModelMessage {
  readonly id: number
  readonly body: Buffer
  wasDelivered: boolean
}

export interface ModelConsumer {
  readonly tag: string
  readonly channel: ModelChannel
  readonly queue: ModelQueue
  readonly noAck: boolean
  /** 0: no limit. */
  readonly prefetch: number
  unackedCount: number
}

interface Outstanding {
  readonly message: ModelMessage
  readonly queue: ModelQueue
  readonly consumer: ModelConsumer | null
  /** It went back to the queue without the client: settling it has no effect. */
  isReturned: boolean
}

export class ModelQueue {
  readonly name: string
  /** By rising id. */
  readonly ready: ModelMessage[] = []
  readonly consumers: ModelConsumer[] = []
  unackedCount = 0
  isPaused = false

  constructor(name: string) {
    this.name = name
  }

  put(message: ModelMessage): void {
    const at = this.ready.findIndex(({ id }) => id > message.id)
    this.ready.splice(at < 0 ? this.ready.length : at, 0, message)
  }

  /** The lowest message that is ready goes out, and must be this one. */
  take(body: Buffer, redelivered: unknown): ModelMessage {
    assert.ok(!this.isPaused, `${this.name} is paused`)
    const message = this.ready.shift()
    assert.ok(message !== undefined, `${this.name} delivers a message that it does not have`)
    const shown = `${this.name}: expected message ${message.id}, got ${head(body)}`
    assert.ok(message.body.equals(body), shown)
    assert.equal(redelivered, message.wasDelivered, `${this.name}: redelivered of ${message.id}`)
    return message
  }

  /** Everything that can be delivered has been. */
  checkDelivered(): void {
    if (this.ready.length === 0 || this.isPaused) return
    for (const consumer of this.consumers)
      assert.ok(
        !hasCapacity(consumer),
        `${this.name}: ${consumer.tag} has capacity, ${this.ready.length} messages wait`,
      )
  }
}

export class ModelChannel {
  readonly id: number
  readonly consumers = new Map<string, ModelConsumer>()
  /** By rising tag, because tags rise. */
  readonly outstanding = new Map<number, Outstanding>()
  lastTag = 0

  constructor(id: number) {
    this.id = id
  }

  consume(tag: string, queue: ModelQueue, noAck: boolean, prefetch: number): void {
    const consumer = { tag, channel: this, queue, noAck, prefetch, unackedCount: 0 }
    this.consumers.set(tag, consumer)
    queue.consumers.push(consumer)
  }

  cancel(tag: string): void {
    const consumer = this.consumers.get(tag)
    if (consumer === undefined) return
    this.consumers.delete(tag)
    consumer.queue.consumers.splice(consumer.queue.consumers.indexOf(consumer), 1)
  }

  /** A delivery or get-ok has arrived. */
  deliver(
    deliveryTag: unknown,
    message: ModelMessage,
    queue: ModelQueue,
    consumer: ModelConsumer | null,
    noAck: boolean,
  ): void {
    assert.equal(deliveryTag, ++this.lastTag, "delivery tags count up")
    if (consumer !== null)
      assert.ok(hasCapacity(consumer), `${consumer.tag} gets more than its prefetch`)
    if (noAck) return
    if (consumer !== null) consumer.unackedCount++
    queue.unackedCount++
    this.outstanding.set(this.lastTag, { message, queue, consumer, isReturned: false })
  }

  /** Settles one, all up to it, or with tag 0 all. */
  settle(tag: number, multiple: boolean, requeue: boolean): void {
    for (const one of this.outstanding.keys())
      if (one === tag || (multiple && (tag === 0 || one < tag))) this.#settleOne(one, requeue)
  }

  #settleOne(tag: number, requeue: boolean): void {
    const { message, queue, consumer, isReturned } = this.outstanding.get(tag)!
    this.outstanding.delete(tag)
    if (isReturned) return
    queue.unackedCount--
    if (consumer !== null) consumer.unackedCount--
    if (!requeue) return
    message.wasDelivered = true
    queue.put(message)
  }

  /** The queue is restarted: what it has given out goes back, its consumers are cancelled. */
  giveBack(queue: ModelQueue): void {
    for (const entry of this.outstanding.values()) {
      if (entry.queue !== queue || entry.isReturned) continue
      entry.isReturned = true
      queue.unackedCount--
      queue.put(entry.message)
    }
    for (const { tag, queue: source } of this.consumers.values())
      if (source === queue) this.cancel(tag)
  }

  /** The channel or its connection is gone. */
  close(): void {
    for (const tag of this.consumers.keys()) this.cancel(tag)
    this.settle(0, true, true)
  }
}

function hasCapacity({ prefetch, unackedCount, noAck }: ModelConsumer): boolean {
  return noAck || prefetch === 0 || unackedCount < prefetch
}

function head(body: Buffer): string {
  return body.toString("latin1", 0, Math.min(20, body.length))
}
