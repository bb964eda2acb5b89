import type { Chunk } from "../util/bytes.ts"

/**
 * The two shapes in which a message crosses the border of a store. Both are made once and reused:
 * no object per message. Offsets are relative to the chunk beside them; ends are exclusive.
 */

/** A message on its way into one or more stores. The parts may lie in different chunks. */
export class IncomingMessage {
  /** Exchange and routing key as two AMQP short strings, one after the other (wire bytes). */
  route!: Chunk
  routeStart = 0
  routeEnd = 0
  /** Property flags (u16) and fields exactly as on the wire. At least two bytes. */
  properties!: Chunk
  propertiesStart = 0
  propertiesEnd = 0
  body!: Chunk
  bodyStart = 0
  bodyEnd = 0
  timestampMs = 0
  /** delivery-mode 2. */
  persistent = false
  /** Has an expiration property (a TTL of its own). */
  expires = false
  /** Has a CC or BCC header: its route depends on it. */
  hasRoutingHeaders = false
  /** In which store of a PriorityStore it goes, at most 255; other stores do not look at it. */
  priority = 0
}

/** What a delivery tells the consumer in a header that is not stored. */
export const ADDED_NONE = 0
/** x-delivery-count: earlier deliveries that failed. */
export const ADDED_DELIVERY_COUNT = 1
/** x-stream-offset. */
export const ADDED_STREAM_OFFSET = 2

/** A stored message as a reader sees it, valid only until the next call on the same store. */
export class StoredMessage {
  chunk!: Chunk
  /** Exchange short string starts here; the routing key's follows; routeEnd is after both. */
  routeStart = 0
  routeEnd = 0
  /** Wire bytes: u16 flags, then the fields. */
  propertiesStart = 0
  propertiesEnd = 0
  bodyStart = 0
  bodyEnd = 0
  timestampMs = 0
  persistent = false
  /** Has an expiration property. */
  expires = false
  /** Header to add on delivery: ADDED_NONE, ADDED_DELIVERY_COUNT or ADDED_STREAM_OFFSET, and its value. */
  added = 0
  addedValue = 0
  /** True if it was handed out before and came back (requeue). False again after a restart. */
  redelivered = false
  /** Where it lies: number of the segment, byte offset in it, bytes of the whole record. */
  segment = 0
  position = 0
  size = 0
}
