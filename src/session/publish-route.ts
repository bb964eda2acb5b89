import { ANYWHERE } from "../broker/commit-scope.ts"
import type { CommitFailure, CommitScope } from "../broker/commit-scope.ts"
import type { Exchange } from "../broker/exchange/exchange.ts"
import type { IncomingMessage } from "../broker/message.ts"
import type { MessageQueue } from "../broker/queue/message-queue.ts"
import { Chunk, copyBytes, equalBytes } from "../util/bytes.ts"

/**
 * Where the messages of one exchange and routing key go, with both as bytes: the publisher compares
 * the bytes it receives with the ones of the last publish and needs neither strings nor maps.
 * Right until the vhost's generation changes.
 */
export class PublishRoute implements CommitScope {
  readonly exchange: Exchange
  readonly routingKey: string
  readonly queues: readonly MessageQueue[]
  readonly queueCount: number
  readonly generation: number
  /** The queues depend on each message's properties: `queues` means nothing. */
  readonly usesHeaders: boolean
  /** The routing key is the name of a requester (direct reply-to): `queues` means nothing. */
  readonly isReply: boolean
  /** An alarm is on: confirm channels refuse every publish. */
  readonly isRefused: boolean
  /** Exchange and routing key, two short strings. Behind them a publisher may keep its properties. */
  readonly key: Chunk
  readonly keySize: number
  /** The publisher whose properties lie behind the key. */
  propertiesOwner: object | null = null

  constructor(fields: {
    exchange: Exchange
    routingKey: string
    queues: readonly MessageQueue[]
    queueCount: number
    generation: number
    usesHeaders: boolean
    isReply: boolean
    isRefused: boolean
    key: Chunk
    keySize: number
  }) {
    this.exchange = fields.exchange
    this.routingKey = fields.routingKey
    this.queues = fields.queues
    this.queueCount = fields.queueCount
    this.generation = fields.generation
    this.usesHeaders = fields.usesHeaders
    this.isReply = fields.isReply
    this.isRefused = fields.isRefused
    this.key = fields.key
    this.keySize = fields.keySize
  }

  /** The same for a message that waited while queues came and went: what is there under these names now. */
  current(queues: ReadonlyMap<string, MessageQueue>): PublishRoute {
    const found: MessageQueue[] = []
    for (let i = 0; i < this.queueCount; i++) {
      const queue = queues.get(this.queues[i]!.name)
      if (queue !== undefined) found.push(queue)
    }
    return new PublishRoute({
      exchange: this.exchange,
      routingKey: this.routingKey,
      queues: found,
      queueCount: found.length,
      generation: this.generation,
      usesHeaders: this.usesHeaders,
      isReply: this.isReply,
      isRefused: this.isRefused,
      key: this.key,
      keySize: this.keySize,
    })
  }

  get hasFailedWrites(): boolean {
    for (let i = 0; i < this.queueCount; i++) if (this.queues[i]!.hasFailedWrites) return true
    return false
  }

  isHitBy(failure: CommitFailure): boolean {
    for (let i = 0; i < this.queueCount; i++) if (this.queues[i]!.isHitBy(failure)) return true
    return false
  }
}

/** Where the message may have gone. */
export function scopeOf(route: PublishRoute, message: IncomingMessage): CommitScope {
  return route.usesHeaders || message.hasRoutingHeaders ? ANYWHERE : route
}

const SLOT_COUNT = 256

/** Direct-mapped by a hash of the bytes; a miss overwrites. One per connection, made with the second key. */
export class PublishRouteCache {
  readonly #slots = Array.from<PublishRoute | null>({ length: SLOT_COUNT }).fill(null)

  find(chunk: Chunk, start: number, size: number, generation: number): PublishRoute | null {
    const route = this.#slots[hash(chunk, start, size)]!
    if (route === null || route.generation !== generation || route.keySize !== size) return null
    return equalBytes(chunk, start, route.key, 0, size) ? route : null
  }

  put(route: PublishRoute): void {
    this.#slots[hash(route.key, 0, route.keySize)] = route
  }
}

/** Samples the words that differ between keys of one application: the first, a middle and the last. */
function hash(chunk: Chunk, start: number, size: number): number {
  const { view } = chunk
  if (size < 4)
    return (view.getUint16(start) * 31 + view.getUint16(start + size - 2) + size) & (SLOT_COUNT - 1)
  const first = view.getUint32(start)
  const middle = view.getUint32(start + ((size - 4) >> 1))
  const last = view.getUint32(start + size - 4)
  let mixed = Math.imul(first ^ Math.imul(middle, 0x85eb_ca6b), 0x9e37_79b1) ^ last
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0xc2b2_ae35) + size
  return (mixed ^ (mixed >>> 13)) & (SLOT_COUNT - 1)
}

/** Room behind the key for properties without content: flags and delivery mode. */
export const KEY_PROPERTIES_MAX = 3

/** A copy of the key bytes that outlives the received chunk. */
export function copyKey(chunk: Chunk, start: number, size: number): Chunk {
  const key = new Chunk(Buffer.alloc(Math.max(size + KEY_PROPERTIES_MAX, 8)))
  copyBytes(chunk, start, key, 0, size)
  return key
}
