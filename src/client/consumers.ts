import { Chunk, equalBytes } from "../util/bytes.ts"
import type { DeliveryRun } from "./delivery-run.ts"
import type { Delivery } from "./delivery.ts"

/**
 * The consumers of one channel, found by the bytes of their tag: a delivery names its consumer, and a
 * string made of those bytes would be an object per message.
 */
export interface ConsumerCallbacks {
  /** The delivery is valid during the call only. */
  onDelivery(delivery: Delivery): void
  /** Deliveries that are like the one before come here instead, several at a time: cheap counting. */
  onRun?(run: DeliveryRun): void
  /** The server cancelled the consumer: its queue is gone, or has another leader. */
  onCancelled?(): void
}

export class Consumer {
  readonly tag: string
  readonly tagBytes: Chunk
  readonly queue: string
  readonly callbacks: ConsumerCallbacks
  isCancelled = false
  /** The next one whose tag has the same hash. */
  next: Consumer | null = null

  constructor(tag: string, queue: string, callbacks: ConsumerCallbacks) {
    this.tag = tag
    this.tagBytes = new Chunk(Buffer.from(tag, "utf8"))
    this.queue = queue
    this.callbacks = callbacks
  }

  isTagged(chunk: Chunk, start: number, end: number): boolean {
    const size = end - start
    return this.tagBytes.bytes.length === size && equalBytes(this.tagBytes, 0, chunk, start, size)
  }
}

export class ConsumerTable {
  count = 0
  readonly #byHash = new Map<number, Consumer>()
  /** Deliveries come in runs for one consumer. */
  #latest: Consumer | null = null

  add(consumer: Consumer): void {
    const hash = hashOf(consumer.tagBytes, 0, consumer.tagBytes.bytes.length)
    consumer.next = this.#byHash.get(hash) ?? null
    this.#byHash.set(hash, consumer)
    this.count++
  }

  find(chunk: Chunk, start: number, end: number): Consumer | null {
    const latest = this.#latest
    if (latest !== null && latest.isTagged(chunk, start, end)) return latest
    for (
      let consumer = this.#byHash.get(hashOf(chunk, start, end)) ?? null;
      consumer !== null;
      consumer = consumer.next
    )
      if (consumer.isTagged(chunk, start, end)) {
        this.#latest = consumer
        return consumer
      }
    return null
  }

  findByName(tag: string): Consumer | null {
    const bytes = new Chunk(Buffer.from(tag, "utf8"))
    return this.find(bytes, 0, bytes.bytes.length)
  }

  remove(removed: Consumer): void {
    const hash = hashOf(removed.tagBytes, 0, removed.tagBytes.bytes.length)
    let head: Consumer | null = null
    for (let consumer = this.#byHash.get(hash) ?? null; consumer !== null;) {
      const { next } = consumer
      if (consumer === removed) this.count--
      else {
        consumer.next = head
        head = consumer
      }
      consumer = next
    }
    if (head === null) this.#byHash.delete(hash)
    else this.#byHash.set(hash, head)
    if (this.#latest === removed) this.#latest = null
  }

  *all(): Generator<Consumer> {
    for (let consumer of this.#byHash.values())
      for (;;) {
        yield consumer
        if (consumer.next === null) break
        consumer = consumer.next
      }
  }
}

/** Length, first and last bytes: tags of one program differ at the end. */
function hashOf(chunk: Chunk, start: number, end: number): number {
  const { view } = chunk
  const size = end - start
  if (size >= 8)
    return (Math.imul(view.getUint32(start) ^ size, 0x9e3779b1) + view.getUint32(end - 4)) | 0
  let hash = size
  for (let at = start; at < end; at++) hash = (Math.imul(hash, 31) + view.getUint8(at)) | 0
  return hash
}
