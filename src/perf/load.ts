import { MessageCycle } from "../client/message-cycle.ts"
import { PublishTarget } from "../client/publish-target.ts"
import type { Random } from "../util/random.ts"
import type { ThroughputSettings } from "./settings.ts"

/**
 * What the publishers of a throughput run publish: which bodies to which targets, in which order. All publishers of a
 * thread share it; each has its own place in the order.
 */
const RANDOM_BODIES = 64
/** More than that is not kept encoded: each message is encoded when it is published. */
const CYCLE_BYTES_MAX = 16 << 20
/** Frames, header and a routing key of middling length. */
const FRAMES_SIZE = 96

export class Load {
  /** Messages until they come again in the same order. */
  readonly length: number
  readonly properties: Buffer
  /** Null: too much to be kept encoded. */
  readonly cycle: MessageCycle | null
  readonly #targets: readonly PublishTarget[]
  readonly #bodies: readonly Buffer[]

  constructor(settings: ThroughputSettings, random: Random) {
    const { size, exchange, routingKey } = settings
    this.properties = Buffer.from(settings.properties)
    this.#targets = settings.queues.map(
      (queue) => new PublishTarget({ exchange, routingKey: routingKey ?? queue }),
    )
    this.#bodies = settings.randomBodies
      ? Array.from({ length: RANDOM_BODIES }, () => random.bytes(size))
      : [patternBody(size)]
    const { length } = this.#targets
    this.length = length * Math.ceil(this.#bodies.length / length)
    const cycleSize = this.length * (FRAMES_SIZE + this.properties.length + size)
    this.cycle =
      this.length > 1 && cycleSize > CYCLE_BYTES_MAX ? null : this.#cycle(settings.measureLatency)
  }

  target(position: number): PublishTarget {
    return this.#targets[position % this.#targets.length]!
  }

  body(position: number): Buffer {
    return this.#bodies[position % this.#bodies.length]!
  }

  #cycle(isStamped: boolean): MessageCycle {
    const messages = Array.from({ length: this.length }, (_, position) => ({
      target: this.target(position),
      body: this.body(position),
    }))
    return new MessageCycle(messages, { properties: this.properties, isStamped })
  }
}

/** lavinmqperf's body: byte i is 64 + (i mod 27). */
export function patternBody(size: number): Buffer {
  const body = Buffer.alloc(size)
  for (let i = 0; i < size; i++) body[i] = 64 + (i % 27)
  return body
}
