/** A stream on a disk in memory, with a turn played by hand and consumers that keep what they get. */
import assert from "node:assert/strict"
import { tableFromPlain, type PlainRecord, type Table } from "../../../../src/amqp/table.ts"
import { encodeProperties } from "../../../../src/amqp/properties.ts"
import type { Subscriber } from "../../../../src/broker/consumer.ts"
import { PLAIN_QUEUE, type QueueSettings } from "../../../../src/broker/settings.ts"
import { Stream } from "../../../../src/broker/stream/stream.ts"
import type { Disk } from "../../../../src/storage/disk.ts"
import { MemoryDisk } from "../../../../src/storage/memory-disk.ts"
import type { StoredMessage } from "../../../../src/storage/message.ts"
import type { StreamStore } from "../../../../src/storage/stream/stream-store.ts"
import { TimerWheel } from "../../../../src/util/timer-wheel.ts"
import { incoming } from "../../../support/store-bed.ts"
import { StreamBed } from "../../../support/stream-bed.ts"

export interface Delivered {
  readonly offset: number
  readonly body: string
  readonly segment: number
  readonly position: number
  readonly size: number
  readonly redelivered: boolean
}

export class Consumer implements Subscriber {
  readonly tag: string
  readonly arguments: Table
  readonly noAck = false
  readonly exclusive = false
  readonly priority = 0
  cancelled = false
  parked = false
  credit: number
  isDeleted = false
  readonly got: Delivered[] = []
  readonly unacked: Delivered[] = []

  constructor(tag: string, args: PlainRecord = {}, credit = 1_000_000) {
    this.tag = tag
    this.arguments = tableFromPlain(args)
    this.credit = credit
  }

  get offsets(): number[] {
    return this.got.map(({ offset }) => offset)
  }

  hasCapacity(): boolean {
    return this.credit > 0
  }

  deliver(message: StoredMessage, count: number): void {
    const { chunk, bodyStart, bodyEnd, segment, position, size, redelivered } = message
    for (let i = 0; i < count; i++) {
      const move = i * size
      const body = chunk.bytes.toString("latin1", bodyStart + move, bodyEnd + move)
      const offset = message.addedValue + i
      const delivery = { offset, body, segment, position: position + move, size, redelivered }
      this.got.push(delivery)
      this.unacked.push(delivery)
      this.credit--
    }
  }

  passOn(): void {}

  queueDeleted(): void {
    this.isDeleted = true
  }
}

export class StreamWorld {
  readonly bed: StreamBed
  readonly timers: TimerWheel
  readonly stream: Stream
  readonly #disk: Disk
  #isMarked = false
  stalledCount = 0

  constructor(disk: Disk = new MemoryDisk(), settings: Partial<QueueSettings> = {}) {
    this.#disk = disk
    this.bed = new StreamBed(disk, { segmentSizeBytes: 1500 })
    this.timers = new TimerWheel(this.bed.clock)
    this.stream = new Stream(
      {
        vhostName: "/",
        turn: {
          lastRound: 0,
          markQueue: (stream) => {
            stream.inTurn = true
            this.#isMarked = true
          },
        },
        clock: this.bed.clock,
        timers: this.timers,
        openStreamStore: () => this.#openStore(),
        definitions: { hasFailedWrites: false, isHitBy: () => false, isHitSince: () => false },
        stalled: () => void this.stalledCount++,
        reopenStore: () => assert.fail("no stream is restarted here"),
      },
      { name: "s", arguments: tableFromPlain({}) },
    )
    this.stream.configure({ ...PLAIN_QUEUE, ...settings })
  }

  #openStore(): StreamStore {
    const { stream } = this.bed.openStream()
    return stream
  }

  wake(): void {
    this.#isMarked = true
  }

  /** One turn: deliveries, then writes. */
  turn(limit = 4096): void {
    if (this.#isMarked) {
      this.#isMarked = false
      this.stream.inTurn = false
      if (this.stream.deliver(limit)) {
        this.#isMarked = true
        this.stream.inTurn = true
      }
    }
    this.bed.turn()
  }

  turns(limit = 4096): void {
    this.turn(limit)
    while (this.#isMarked) this.turn(limit)
    this.bed.turns()
  }

  /** Ends turns until nothing is left to do, syncs included. */
  async settle(): Promise<void> {
    for (let i = 0; i < 5; i++) {
      this.turns()
      await this.bed.settle()
    }
  }

  publish(body: string, headers: PlainRecord | null = null): void {
    const properties =
      headers === null
        ? Buffer.from([0, 0])
        : encodeProperties({ contentType: "text/plain", headers: tableFromPlain(headers) })
    this.stream.publish(incoming(body, { properties, timestampMs: this.bed.clock.nowMs }))
  }

  /** Publishes `count` messages whose bodies are their offsets. */
  fill(count: number): void {
    for (let i = 0; i < count; i++) this.publish(String(this.stream.nextOffset))
  }

  consume(tag: string, args: PlainRecord = {}, credit = 1_000_000): Consumer {
    const consumer = new Consumer(tag, args, credit)
    this.stream.addSubscriber(consumer)
    return consumer
  }

  ack(consumer: Consumer, ...deliveries: readonly Delivered[]): void {
    for (const delivery of deliveries) {
      const { segment, position, size } = delivery
      this.stream.ack(segment, position, size, delivery.body.length)
      this.#settled(consumer, delivery)
    }
  }

  requeue(consumer: Consumer, delivery: Delivered): void {
    this.stream.requeue(delivery.segment, delivery.position)
    this.#settled(consumer, delivery)
  }

  #settled(consumer: Consumer, delivery: Delivered): void {
    consumer.unacked.splice(consumer.unacked.indexOf(delivery), 1)
    consumer.credit++
    if (consumer.parked) this.stream.unpark(consumer)
  }

  /** The process ends (without close: kill -9) and the next one finds the disk. */
  restart(isKilled = false): StreamWorld {
    if (!isKilled) this.stream.store?.close()
    return new StreamWorld(this.#disk)
  }
}
