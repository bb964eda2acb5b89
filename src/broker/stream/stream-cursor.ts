import type { StreamReader } from "../../storage/stream/stream-reader.ts"
import type { Subscriber } from "../consumer.ts"
import type { AckTracker } from "./ack-tracker.ts"
import type { StreamFilter } from "./stream-filter.ts"

/** A consumer of a stream: where it is, what it wants, how far it has acknowledged. */
export class StreamCursor {
  readonly subscriber: Subscriber
  readonly reader: StreamReader
  readonly filter: StreamFilter | null
  /** Null: nobody wants to know. */
  readonly tracker: AckTracker | null
  isRemoved = false
  /** Key of the next delivery (ack-tracker.ts). */
  nextKey = 0

  constructor(
    subscriber: Subscriber,
    reader: StreamReader,
    filter: StreamFilter | null,
    tracker: AckTracker | null,
  ) {
    this.subscriber = subscriber
    this.reader = reader
    this.filter = filter
    this.tracker = tracker
  }
}
