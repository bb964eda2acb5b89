import type { Table } from "../../amqp/table.ts"
import { ADDED_STREAM_OFFSET, StoredMessage } from "../../storage/message.ts"
import type { IncomingMessage } from "../../storage/message.ts"
import { READ_END, READ_MESSAGE, READ_STALLED } from "../../storage/stream/stream-reader.ts"
import type { StreamStore } from "../../storage/stream/stream-store.ts"
import type { Clock } from "../../util/clock.ts"
import { Ring } from "../../util/ring.ts"
import { WheelEntry } from "../../util/timer-wheel.ts"
import type { TimerWheel } from "../../util/timer-wheel.ts"
import type { CommitFailure, DefinitionScope } from "../commit-scope.ts"
import type { ConsumerRequest, Subscriber } from "../consumer.ts"
import { Refusal } from "../errors.ts"
import { faultOf, QUEUE_FAILED, QUEUE_TOOK } from "../queue/message-queue.ts"
import type { MessageQueue, QueueFault } from "../queue/message-queue.ts"
import { PLAIN_QUEUE, type QueueSettings } from "../settings.ts"
import { AckTracker } from "./ack-tracker.ts"
import { checkStreamConsumer, parseStreamConsumer } from "./consumer-arguments.ts"
import type { StartPosition } from "./start-position.ts"
import { StreamCursor } from "./stream-cursor.ts"

/**
 * A stream: a log that consumers read at their own places, again and again, and that retention cuts at
 * its beginning. Each consumer has a cursor; nobody takes messages from anybody. Acknowledging returns
 * credit, and moves the place that is kept under the consumer's tag; nothing is ever requeued.
 *
 * What lies where on disk is storage/stream.
 */

/** What a stream needs from its surroundings; one per vhost, shared by its streams. */
export interface StreamContext {
  readonly vhostName: string
  readonly definitions: DefinitionScope
  readonly turn: { readonly lastRound: number; markQueue(queue: Stream): void }
  readonly clock: Clock
  readonly timers: TimerWheel
  openStreamStore(stream: Stream): StreamStore
  /** Reads what the stream has on disk; see adoptStore(). */
  reopenStore(stream: Stream): void
  /** The store cannot read at present: delivery is to be tried again in a while. */
  stalled(stream: Stream): void
}

export interface StreamProperties {
  readonly name: string
  readonly arguments: Table
}

/** For the management: a consumer and how far behind the end it is. */
export interface StreamReaderInfo {
  readonly tag: string
  readonly subscriber: Subscriber
  /** Of the next message that it gets. */
  readonly offset: number
  readonly lag: number
}

/** Messages that one of several consumers may have before the others have theirs. */
const CURSOR_BATCH_MAX = 256
/** A consumer is asked for its capacity once in so many bytes. */
const CAPACITY_BYTES = 32 << 10
/** Bytes that a stream reads and checks before the other queues have their turn. */
const TURN_BYTES_MAX = 4 << 20

/** An idle stream looks for messages that are too old at least this often. */
const AGE_CHECK_MS_MAX = 60_000
const AGE_CHECK_MS_MIN = 1000

/** An acknowledgement brings back 64 bits: the id of a tracker, and the low bits of a key. */
const LOW_BITS = 2 ** 32
const HIGH_KEY_BITS = 12
const HIGH_KEY_MASK = (1 << HIGH_KEY_BITS) - 1

/** The view through which all deliveries go; a delivery never outlives the call. */
const delivered = new StoredMessage()
delivered.added = ADDED_STREAM_OFFSET

class RetentionTimer extends WheelEntry {
  readonly #onDue: () => void

  constructor(onDue: () => void) {
    super()
    this.#onDue = onDue
  }

  onDue(): void {
    this.#onDue()
  }
}

export class Stream implements MessageQueue {
  readonly kind = 0
  readonly name: string
  readonly durable = true
  readonly autoDelete = false
  readonly exclusive = false
  readonly owner = null
  readonly arguments: Table
  settings: QueueSettings = PLAIN_QUEUE
  /** On the turn's list of queues to deliver from. */
  inTurn = false
  deleted = false
  isPaused = false
  routeMark = 0
  store: StreamStore | null = null
  unackedCount = 0
  publishedCount = 0
  deliveredCount = 0
  acknowledgedCount = 0
  redeliveredCount = 0
  /** A stream's consumers acknowledge, and it has no basic.get. */
  readonly deliverNoAckCount = 0
  readonly getCount = 0
  readonly getNoAckCount = 0
  readonly getEmptyCount = 0
  readonly #context: StreamContext
  /** The commit round that its definition went with, or one soon after. */
  readonly #definedRound: number
  readonly #cursors = new Map<Subscriber, StreamCursor>()
  /** Those that may have something to read, and may take it. */
  readonly #ready = new Ring<StreamCursor>(4)
  /** At the end, or in front of something that the disk does not give at present. */
  #waiting: StreamCursor[] = []
  /** nextOffset when the waiting ones were last looked at. */
  #seenOffset = -1
  #hasStalled = false
  /** What is left of TURN_BYTES_MAX. */
  #turnBytes = 0
  /** By id, from 1. */
  readonly #trackers: (AckTracker | null)[] = [null]
  readonly #freeTrackers: number[] = []
  #timer: RetentionTimer | null = null

  constructor(context: StreamContext, properties: StreamProperties) {
    this.#context = context
    this.name = properties.name
    this.arguments = properties.arguments
    this.#definedRound = context.turn.lastRound + 1
  }

  get #subject(): string {
    return `queue '${this.name}' in vhost '${this.#context.vhostName}'`
  }

  get vhostName(): string {
    return this.#context.vhostName
  }

  get readyCount(): number {
    return this.store === null ? 0 : this.store.messageCount
  }

  get readyBytes(): number {
    return this.store === null ? 0 : this.store.bodyBytes
  }

  get fault(): QueueFault | null {
    return this.store === null ? null : faultOf(this.store, this.#hasStalled)
  }

  get hasFailedWrites(): boolean {
    return this.store !== null && this.store.failed
  }

  isHitBy(failure: CommitFailure): boolean {
    return (
      this.store !== null &&
      (failure.hits(this.store.directory) ||
        this.#context.definitions.isHitSince(failure, this.#definedRound))
    )
  }

  get consumerCount(): number {
    return this.#cursors.size
  }

  get subscribers(): Iterable<Subscriber> {
    return this.#cursors.keys()
  }

  /** Of the oldest message, and of the next one to be published. */
  get firstOffset(): number {
    return this.store === null ? 0 : this.store.firstOffset
  }

  get nextOffset(): number {
    return this.store === null ? 0 : this.store.nextOffset
  }

  get segmentCount(): number {
    return this.store === null ? 0 : this.store.segments.length
  }

  *readers(): Iterable<StreamReaderInfo> {
    for (const { subscriber, reader } of this.#cursors.values()) {
      const offset = Math.max(reader.offset, this.firstOffset)
      yield { tag: subscriber.tag, subscriber, offset, lag: Math.max(0, this.nextOffset - offset) }
    }
  }

  /** Where consumers go on that named themselves, whether they are there or not. */
  *keptPlaces(): Iterable<{ readonly tag: string; readonly offset: number; readonly lag: number }> {
    for (const [tag, kept] of this.store?.consumerOffsets.entries() ?? []) {
      const offset = Math.max(kept, this.firstOffset)
      yield { tag, offset, lag: Math.max(0, this.nextOffset - offset) }
    }
  }

  /** Of the first message that came at this time or later; nextOffset if there is none. */
  offsetAt(timestampMs: number): number {
    const { store } = this
    if (store === null) return 0
    const reader = store.newReader()
    store.seekTime(reader, timestampMs)
    const { offset } = reader
    store.removeReader(reader)
    return offset
  }

  configure(settings: QueueSettings): void {
    this.settings = settings
    this.#applySettings()
  }

  /** The store that was found at boot. */
  adoptStore(store: StreamStore): void {
    this.store = store
    this.#applySettings()
  }

  #openStore(): StreamStore {
    const { store } = this
    if (store !== null) return store
    const opened = this.#context.openStreamStore(this)
    this.adoptStore(opened)
    return opened
  }

  #applySettings(): void {
    const { maxLength, maxLengthBytes: maxBytes, maxAgeMs, streamSegmentBytes } = this.settings
    this.store?.configure({ maxLength, maxBytes, maxAgeMs }, streamSegmentBytes)
    if (maxAgeMs !== null && this.store !== null) this.#schedule(maxAgeMs)
    else if (this.#timer !== null) this.#context.timers.cancel(this.#timer)
  }

  #schedule(maxAgeMs: number): void {
    this.#timer ??= new RetentionTimer(() => this.#checkAge())
    const { timers, clock } = this.#context
    const waitMs = Math.min(Math.max(maxAgeMs / 4, AGE_CHECK_MS_MIN), AGE_CHECK_MS_MAX)
    if (this.#timer.isScheduled) timers.cancel(this.#timer)
    timers.schedule(this.#timer, clock.nowMs + waitMs)
  }

  #checkAge(): void {
    const { maxAgeMs } = this.settings
    if (this.deleted || maxAgeMs === null) return
    this.store?.retain()
    this.#schedule(maxAgeMs)
  }

  // ---- publishing

  publish(message: IncomingMessage): number {
    if (this.deleted) return QUEUE_TOOK // It raced with the deletion, as if it had come before it.
    const store = this.store ?? this.#openStore()
    if (!store.append(message)) return QUEUE_FAILED
    this.publishedCount++
    if (!this.inTurn && this.#cursors.size > 0) this.#context.turn.markQueue(this)
    return QUEUE_TOOK
  }

  /**
   * As publish(), for `count` messages whose bodies lie `stride` bytes apart and which are alike
   * otherwise. Returns how many were accepted.
   */
  publishRun(message: IncomingMessage, count: number, stride: number): number {
    if (this.deleted) return count
    const store = this.store ?? this.#openStore()
    const accepted = store.appendRun(message, count, stride)
    this.publishedCount += accepted
    if (accepted > 0 && !this.inTurn && this.#cursors.size > 0) this.#context.turn.markQueue(this)
    return accepted
  }

  // ---- consuming

  checkConsumer(request: ConsumerRequest): void {
    checkStreamConsumer(this.#subject, request, this.#context.clock.nowMs)
  }

  addSubscriber(subscriber: Subscriber): void {
    const { tag, arguments: args } = subscriber
    const options = parseStreamConsumer(this.#subject, tag, args, this.#context.clock.nowMs)
    const store = this.#openStore()
    const reader = store.newReader()
    const kept = options.isTracked ? store.consumerOffsets.get(tag) : -1
    if (kept >= 0) store.seekOffset(reader, kept)
    else seek(store, reader, options.start)
    // It may be gone before it acknowledges anything, and must not miss then what it has seen.
    if (options.isTracked && kept < 0) store.consumerOffsets.set(tag, reader.offset)
    const tracker = options.isTracked ? this.#newTracker(tag, reader.offset) : null
    const cursor = new StreamCursor(subscriber, reader, options.filter, tracker)
    this.#cursors.set(subscriber, cursor)
    this.#ready.push(cursor)
    this.#wake()
  }

  removeSubscriber(subscriber: Subscriber): void {
    const cursor = this.#cursors.get(subscriber)
    if (cursor === undefined) return
    this.#cursors.delete(subscriber)
    this.store?.removeReader(cursor.reader)
    subscriber.cancelled = true
    cursor.isRemoved = true
    this.#dropRemoved()
    const { tracker } = cursor
    if (tracker === null) return
    tracker.isDetached = true
    this.#releaseTracker(tracker)
  }

  /** Thousands that come and go without a message must not fill the lists. */
  #dropRemoved(): void {
    if (this.#ready.size + this.#waiting.length <= 2 * this.#cursors.size + 4) return
    this.#waiting = this.#waiting.filter((cursor) => !cursor.isRemoved)
    for (let left = this.#ready.size; left > 0; left--) {
      const cursor = this.#ready.shift()
      if (cursor !== undefined && !cursor.isRemoved) this.#ready.push(cursor)
    }
  }

  unpark(subscriber: Subscriber): void {
    const cursor = this.#cursors.get(subscriber)
    if (cursor === undefined || !subscriber.parked) return
    subscriber.parked = false
    this.#ready.push(cursor)
    this.#wake()
  }

  #wake(): void {
    if (!this.inTurn && !this.deleted) this.#context.turn.markQueue(this)
  }

  setPaused(isPaused: boolean): void {
    this.isPaused = isPaused
    if (this.#cursors.size > 0) this.#wake()
  }

  /** What consumers have not acknowledged they may still acknowledge: their places outlive the store. */
  restart(): void {
    for (const subscriber of this.#cursors.keys()) {
      this.removeSubscriber(subscriber)
      subscriber.queueDeleted()
    }
    this.store?.close()
    this.store = null
    this.#context.reopenStore(this)
  }

  /** Serves the consumers in turn; counts messages that a filter holds back, too. */
  deliver(limit: number): boolean {
    const { store } = this
    if (store === null || this.deleted || this.isPaused) return false
    this.#wakeWaiting(store.nextOffset)
    const ready = this.#ready
    let left = limit
    this.#turnBytes = TURN_BYTES_MAX
    for (let turns = ready.size; turns > 0 && left > 0 && this.#turnBytes > 0; turns--) {
      const cursor = ready.shift()
      if (cursor === undefined || cursor.isRemoved) continue
      const isSole = ready.size === 0
      const { checkedBytes } = store
      left -= this.#serve(cursor, isSole ? left : Math.min(left, CURSOR_BATCH_MAX))
      this.#turnBytes -= store.checkedBytes - checkedBytes
    }
    return ready.size > 0
  }

  #wakeWaiting(nextOffset: number): void {
    if (nextOffset === this.#seenOffset && !this.#hasStalled) return
    this.#seenOffset = nextOffset
    this.#hasStalled = false
    const waiting = this.#waiting
    if (waiting.length === 0) return
    this.#waiting = []
    for (let i = 0; i < waiting.length; i++) this.#ready.push(waiting[i]!)
  }

  /** Returns how many messages were read. */
  #serve(cursor: StreamCursor, budget: number): number {
    const { subscriber, reader, filter } = cursor
    if (!reader.begin()) {
      this.#wait(cursor, READ_STALLED)
      return 1
    }
    let read = 0
    while (read < budget && this.#turnBytes > 0) {
      if (!subscriber.hasCapacity()) {
        subscriber.parked = true
        return read
      }
      let { credit } = subscriber
      let bytes = CAPACITY_BYTES
      while (credit > 0 && bytes > 0 && read < budget) {
        const state = reader.read(delivered)
        if (state !== READ_MESSAGE) {
          this.#wait(cursor, state)
          return read + 1
        }
        const isWanted = filter === null || filter.matches(delivered)
        const room = isWanted ? Math.min(credit, Math.floor(bytes / delivered.size)) : budget
        // What is alike but for the body is wanted or not in one go, and goes out in one call.
        const count = 1 + reader.skipRepeats(delivered, Math.min(room, budget - read) - 1)
        read += count
        bytes -= count * delivered.size
        this.#turnBytes -= count * delivered.size
        if (!isWanted) continue
        credit -= count
        this.#hand(cursor, count)
      }
    }
    this.#ready.push(cursor)
    return read
  }

  #wait(cursor: StreamCursor, state: number): void {
    this.#waiting.push(cursor)
    if (state === READ_END) return
    this.#hasStalled = true
    this.#context.stalled(this)
  }

  #hand(cursor: StreamCursor, count: number): void {
    const { tracker } = cursor
    const { size } = delivered
    let key = cursor.nextKey
    // The keys of a run share their high bits: the session knows a segment and positions in it.
    if ((key % LOW_BITS) + count * size > LOW_BITS) key = Math.ceil(key / LOW_BITS) * LOW_BITS
    let high = (key / LOW_BITS) & HIGH_KEY_MASK
    if (tracker !== null) {
      tracker.deliver(delivered.addedValue, key, size, count)
      high |= tracker.id << HIGH_KEY_BITS
    }
    cursor.nextKey = key + count * size
    delivered.segment = high >>> 0
    delivered.position = key >>> 0
    this.deliveredCount += count
    this.unackedCount += count
    cursor.subscriber.deliver(delivered, count)
  }

  ack(segment: number, position: number, _size: number, _bodySize: number, count = 1): void {
    this.acknowledgedCount += count
    const tracker = this.#settle(segment, position, count)
    if (tracker === null) return
    this.store?.consumerOffsets.set(tracker.tag, tracker.resumeOffset)
    this.#releaseTracker(tracker)
  }

  /** reject: returns credit. What was rejected does not hold up the consumer's place, nor move it by itself. */
  drop(segment: number, position: number): void {
    this.requeue(segment, position)
  }

  requeue(segment: number, position: number, _size = 0, _bodySize = 0, count = 1): void {
    const tracker = this.#settle(segment, position, count)
    if (tracker !== null) this.#releaseTracker(tracker)
  }

  /** The tracker whose consumer has come further by this, or null. */
  #settle(segment: number, position: number, count: number): AckTracker | null {
    if (this.deleted) return null
    this.unackedCount -= count
    const id = segment >>> HIGH_KEY_BITS
    if (id === 0) return null
    const tracker = this.#trackers[id] ?? null
    if (tracker === null) return null
    const key = (segment & HIGH_KEY_MASK) * LOW_BITS + position
    return tracker.settle(key, count) ? tracker : null
  }

  #newTracker(tag: string, offset: number): AckTracker | null {
    const id = this.#freeTrackers.pop() ?? this.#trackers.length
    if (id >= 1 << (32 - HIGH_KEY_BITS)) return null // A million consumers are tracked already.
    const tracker = new AckTracker(tag, id, offset)
    this.#trackers[id] = tracker
    return tracker
  }

  /** Its id is free once nothing can come back with it. */
  #releaseTracker(tracker: AckTracker): void {
    if (!tracker.isDetached || !tracker.isEmpty || this.#trackers[tracker.id] !== tracker) return
    this.#trackers[tracker.id] = null
    this.#freeTrackers.push(tracker.id)
  }

  // ---- the rest

  get(): boolean {
    throw new Refusal("not-implemented", `basic.get not supported by stream ${this.#subject}`)
  }

  purge(): number {
    throw new Refusal(
      "not-implemented",
      `queue.purge not supported by stream queues ${this.#subject}`,
    )
  }

  /** Streams do not expire. */
  touch(): void {}

  /** Calls `visit` for the messages from the first one and `skip` more on, until it returns false. */
  browse(skip: number, visit: (message: StoredMessage) => boolean): void {
    this.browseFrom(this.firstOffset + skip, visit)
  }

  /** As browse(), from an offset on. `addedValue` of a message is its offset. */
  browseFrom(offset: number, visit: (message: StoredMessage) => boolean): void {
    this.store?.browse(offset, visit)
  }

  dispose(): number {
    const count = this.readyCount
    this.deleted = true
    if (this.#timer !== null) this.#context.timers.cancel(this.#timer)
    const subscribers = [...this.#cursors.keys()]
    this.#cursors.clear()
    this.#waiting = []
    for (const subscriber of subscribers) subscriber.queueDeleted()
    this.store?.delete()
    this.store = null
    return count
  }
}

function seek(
  store: StreamStore,
  reader: ReturnType<StreamStore["newReader"]>,
  start: StartPosition,
): void {
  switch (start.kind) {
    case "first":
      store.seekOffset(reader, 0)
      return
    case "last":
      store.seekLast(reader)
      return
    case "next":
      store.seekEnd(reader)
      return
    case "offset":
      store.seekOffset(reader, start.offset)
      return
    case "time":
      store.seekTime(reader, start.timestampMs)
  }
}
