/**
 * Random use of a stream, compared with an array: every consumer sees every message from its place on,
 * once, in order, with its offset; what retention removes is jumped over; named consumers go on where
 * they were, also after kill -9.
 */
import assert from "node:assert/strict"
import { test } from "node:test"
import { MemoryDisk } from "../../src/storage/memory-disk.ts"
import { PLAIN_QUEUE } from "../../src/broker/settings.ts"
import { chooseSeed, createRandom, timeBoxSeconds } from "../support/seed.ts"
import type { Random } from "../support/seed.ts"
import { StreamWorld } from "../unit/broker/stream/support.ts"
import type { Consumer } from "../unit/broker/stream/support.ts"

const seed = chooseSeed("stream model")
const TAGS = ["one", "two", "three"] as const

interface Place {
  readonly consumer: Consumer
  /** Offset of the next message that it must get. */
  next: number
  /** Deliveries compared so far. */
  seen: number
  readonly wantsOdd: boolean
}

class Model {
  world = new StreamWorld(new MemoryDisk())
  readonly #random: Random
  /** Bodies by offset. */
  #bodies: string[] = []
  #times: number[] = []
  #places: Place[] = []
  /** With which offset the consumers of each tag go on; absent if they never acknowledged. */
  readonly #kept = new Map<string, number>()
  steps = 0

  constructor(random: Random) {
    this.#random = random
  }

  step(): void {
    const random = this.#random
    const kind = random.below(24)
    this.steps++
    if (kind < 8) this.#publish(random.chance(0.03) ? 70_000 : random.below(120))
    else if (kind < 13) this.#turn()
    else if (kind < 15) this.#consume()
    else if (kind < 19) this.#settle()
    else if (kind < 20) this.#leave()
    else if (kind < 21) this.world.bed.buffers.sweep()
    else if (kind < 22) this.world.bed.clock.advance(random.below(3000))
    else if (kind < 23) this.#configure()
    else if (random.chance(0.3)) this.#restart(random.chance(0.5))
  }

  #publish(size: number): void {
    const offset = this.#bodies.length
    const body = `${String(offset)}:`.padEnd(size, "x")
    const isOdd = this.#random.chance(0.3)
    this.world.publish(body, isOdd ? { "x-stream-filter-value": "odd" } : null)
    this.#bodies.push((isOdd ? "o" : "e") + body)
    this.#times.push(this.world.bed.clock.nowMs)
  }

  #turn(): void {
    this.world.turns(1 + this.#random.below(40))
    this.#compare()
  }

  #consume(): void {
    if (this.#places.length >= 5) return
    const random = this.#random
    const { stream } = this.world
    const tag = random.pick(TAGS)
    const end = this.#bodies.length
    const wantsOdd = random.chance(0.3)
    const filter = wantsOdd ? { "x-stream-filter": "odd" } : {}
    const credit = 1 + random.below(60)
    const kind = random.below(4)
    let next = end
    let consumer: Consumer
    if (kind === 0) {
      consumer = this.world.consume(tag, filter, credit)
      next = this.#kept.get(tag) ?? end
      this.#kept.set(tag, next) // Where it began, if it never acknowledges.
    } else if (kind === 1) {
      consumer = this.world.consume(tag, { ...filter, "x-stream-offset": "first" }, credit)
      next = 0
    } else if (kind === 2) {
      next = random.below(end + 3)
      consumer = this.world.consume(tag, { ...filter, "x-stream-offset": next }, credit)
      next = Math.min(next, end)
    } else {
      consumer = this.world.consume("amq.ctag-x", filter, credit)
    }
    assert.ok(stream.nextOffset === end)
    this.#places.push({ consumer, next, seen: consumer.got.length, wantsOdd })
  }

  #settle(): void {
    const place = this.#anyPlace()
    const { consumer } = place ?? {}
    const delivery = consumer?.unacked[this.#random.below(consumer.unacked.length)]
    if (place === null || consumer === undefined || delivery === undefined) return
    if (this.#random.chance(0.2)) this.world.requeue(consumer, delivery)
    else {
      this.world.ack(consumer, delivery)
      this.#noteKept()
    }
  }

  /** What the stream keeps must be no more than what the consumer has dealt with. */
  #noteKept(): void {
    for (const tag of TAGS) {
      const kept = this.world.stream.store?.consumerOffsets.get(tag) ?? -1
      if (kept < 0) continue
      const own = this.#places.filter(({ consumer }) => consumer.tag === tag)
      // Of several consumers of a tag the last acknowledgement counts; of one, the lowest outstanding.
      if (own.length === 1 && own[0]!.consumer.unacked.length > 0 && this.#kept.get(tag) !== kept) {
        const lowest = Math.min(...own[0]!.consumer.unacked.map(({ offset }) => offset))
        assert.ok(kept <= lowest, `${tag}: ${String(kept)} is behind ${String(lowest)}`)
      }
      this.#kept.set(tag, kept)
    }
  }

  #leave(): void {
    const place = this.#anyPlace()
    if (place === null) return
    this.#places = this.#places.filter((other) => other !== place)
    for (const delivery of place.consumer.unacked.slice())
      this.world.requeue(place.consumer, delivery)
    this.world.stream.removeSubscriber(place.consumer)
  }

  #configure(): void {
    const random = this.#random
    this.world.stream.configure({
      ...PLAIN_QUEUE,
      maxLength: random.chance(0.3) ? random.below(100) : null,
      maxLengthBytes: random.chance(0.2) ? random.below(20_000) : null,
      maxAgeMs: random.chance(0.2) ? 1000 + random.below(10_000) : null,
    })
  }

  #restart(isKilled: boolean): void {
    this.world.turns()
    this.#compare()
    const { readyCount, nextOffset, firstOffset } = this.world.stream
    this.world = this.world.restart(isKilled)
    this.world.stream.adoptStore(this.world.bed.openStream().stream)
    this.#places = []
    const { stream } = this.world
    assert.deepEqual(
      [stream.readyCount, stream.nextOffset, stream.firstOffset],
      [readyCount, nextOffset, firstOffset],
    )
  }

  #anyPlace(): Place | null {
    return this.#places.length === 0 ? null : this.#random.pick(this.#places)
  }

  #compare(): void {
    const { stream } = this.world
    assert.equal(stream.nextOffset, this.#bodies.length)
    assert.equal(stream.readyCount, stream.nextOffset - stream.firstOffset)
    for (const place of this.#places) {
      const { got } = place.consumer
      for (; place.seen < got.length; place.seen++) {
        const { offset, body } = got[place.seen]!
        // Messages in between were not wanted, or are gone.
        for (let skipped = place.next; skipped < offset; skipped++) {
          const isWanted = !place.wantsOdd || this.#bodies[skipped]!.startsWith("o")
          if (isWanted)
            assert.ok(skipped < stream.firstOffset, `offset ${String(skipped)} is missing`)
        }
        assert.ok(offset >= place.next, `offset ${String(offset)} comes again`)
        assert.equal(this.#bodies[offset]!.slice(1), body)
        place.next = offset + 1
      }
    }
  }

  /** With credit, all consumers get to the end. */
  finish(): void {
    for (const { consumer } of this.#places) {
      consumer.credit = 1_000_000
      if (consumer.parked) this.world.stream.unpark(consumer)
    }
    this.world.turns()
    this.#compare()
    const end = this.#bodies.length
    for (const { next, wantsOdd } of this.#places)
      for (let offset = Math.max(next, this.world.stream.firstOffset); offset < end; offset++)
        assert.ok(wantsOdd && this.#bodies[offset]!.startsWith("e"), `${String(offset)} is missing`)
  }
}

test("a stream does what an array would", async () => {
  const random = createRandom(seed)
  const endMs = performance.now() + timeBoxSeconds(4, 40) * 1000
  let steps = 0
  while (performance.now() < endMs) {
    const model = new Model(random)
    const length = 50 + random.below(600)
    for (let i = 0; i < length; i++) {
      model.step()
      if (random.chance(0.1)) await new Promise((resolve) => setImmediate(resolve))
    }
    model.finish()
    steps += model.steps
  }
  console.log(`stream model: ${String(steps)} steps`)
})
