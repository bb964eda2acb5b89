/**
 * Finds the basic properties of a message where they lie, for the data plane: one pass that checks
 * the layout to the last byte and notes offsets. Allocates nothing; decodes nothing but two octets.
 *
 *   | flags u16 | the fields whose flag is set, in the order of spec.ts |
 *
 * One object is made per connection or channel and reused for each message.
 */
import type { Chunk } from "../util/bytes.ts"
import { ProtocolError } from "./errors.ts"
import * as flag from "./property-flags.ts"
import { skipTable } from "./table-scan.ts"

export const SCAN_OK = 0
/** The fields end beyond the payload, or short of its end. */
export const SCAN_BAD_LENGTH = 1
/** A flag bit is set that stands for no property. */
export const SCAN_BAD_FLAGS = 2
/** The headers table is malformed or nested too deeply. */
export const SCAN_BAD_HEADERS = 3

export class PropertyScan {
  /** Property flags as on the wire (property-flags.ts). */
  flags = 0
  /** 0 if absent. */
  deliveryMode = 0
  /** 0 if absent. */
  priority = 0
  /** Entries of the headers table, without its length word. As all that follow: -1 if absent, end exclusive. */
  headersStart = -1
  headersEnd = -1
  /** Text of the short strings, without the length octet. */
  contentTypeStart = -1
  contentTypeEnd = -1
  contentEncodingStart = -1
  contentEncodingEnd = -1
  correlationIdStart = -1
  correlationIdEnd = -1
  replyToStart = -1
  replyToEnd = -1
  expirationStart = -1
  expirationEnd = -1
  messageIdStart = -1
  messageIdEnd = -1
  /** Eight bytes. */
  timestampStart = -1
  typeStart = -1
  typeEnd = -1
  userIdStart = -1
  userIdEnd = -1
  appIdStart = -1
  appIdEnd = -1
  #hasOffsets = false

  /**
   * Scans the flags and fields that must fill the range exactly. Returns SCAN_OK or a reason; after a
   * failure the fields mean nothing. Offsets are relative to the chunk.
   */
  scan(chunk: Chunk, start: number, end: number): number {
    const view = chunk.view
    if (end - start < 2) return SCAN_BAD_LENGTH
    if (this.#hasOffsets) this.#reset()
    const flags = view.getUint16(start)
    this.flags = flags
    this.priority = 0
    if (flags === 0) {
      this.deliveryMode = 0
      return end - start === 2 ? SCAN_OK : SCAN_BAD_LENGTH
    }
    if (flags === flag.FLAG_DELIVERY_MODE) {
      if (end - start !== 3) return SCAN_BAD_LENGTH
      this.deliveryMode = view.getUint8(start + 2)
      return SCAN_OK
    }
    if ((flags & flag.FLAGS_UNKNOWN) !== 0) return SCAN_BAD_FLAGS
    this.deliveryMode = 0
    this.#hasOffsets = true
    const at = this.#scanUpper(view, start + 2, end, flags)
    if (at < 0) return -at
    const last = this.#scanLower(view, at, end, flags)
    if (last < 0) return -last
    return last === end ? SCAN_OK : SCAN_BAD_LENGTH
  }

  /** Content-type to expiration. Returns the offset behind, or the negative reason. */
  #scanUpper(view: DataView, start: number, end: number, flags: number): number {
    let at = start
    if ((flags & flag.FLAG_CONTENT_TYPE) !== 0) {
      this.contentTypeStart = at + 1
      if ((at = this.contentTypeEnd = skipShortString(view, at, end)) < 0) return at
    }
    if ((flags & flag.FLAG_CONTENT_ENCODING) !== 0) {
      this.contentEncodingStart = at + 1
      if ((at = this.contentEncodingEnd = skipShortString(view, at, end)) < 0) return at
    }
    if ((flags & flag.FLAG_HEADERS) !== 0) {
      this.headersStart = at + 4
      if ((at = this.headersEnd = skipTable(view, at, end)) < 0) return -SCAN_BAD_HEADERS
    }
    if ((flags & flag.FLAG_DELIVERY_MODE) !== 0) {
      if (at >= end) return -SCAN_BAD_LENGTH
      this.deliveryMode = view.getUint8(at++)
    }
    if ((flags & flag.FLAG_PRIORITY) !== 0) {
      if (at >= end) return -SCAN_BAD_LENGTH
      this.priority = view.getUint8(at++)
    }
    if ((flags & flag.FLAG_CORRELATION_ID) !== 0) {
      this.correlationIdStart = at + 1
      if ((at = this.correlationIdEnd = skipShortString(view, at, end)) < 0) return at
    }
    if ((flags & flag.FLAG_REPLY_TO) !== 0) {
      this.replyToStart = at + 1
      if ((at = this.replyToEnd = skipShortString(view, at, end)) < 0) return at
    }
    if ((flags & flag.FLAG_EXPIRATION) !== 0) {
      this.expirationStart = at + 1
      if ((at = this.expirationEnd = skipShortString(view, at, end)) < 0) return at
    }
    return at
  }

  /** Message-id to cluster-id. */
  #scanLower(view: DataView, start: number, end: number, flags: number): number {
    let at = start
    if ((flags & flag.FLAG_MESSAGE_ID) !== 0) {
      this.messageIdStart = at + 1
      if ((at = this.messageIdEnd = skipShortString(view, at, end)) < 0) return at
    }
    if ((flags & flag.FLAG_TIMESTAMP) !== 0) {
      this.timestampStart = at
      at += 8
      if (at > end) return -SCAN_BAD_LENGTH
    }
    if ((flags & flag.FLAG_TYPE) !== 0) {
      this.typeStart = at + 1
      if ((at = this.typeEnd = skipShortString(view, at, end)) < 0) return at
    }
    if ((flags & flag.FLAG_USER_ID) !== 0) {
      this.userIdStart = at + 1
      if ((at = this.userIdEnd = skipShortString(view, at, end)) < 0) return at
    }
    if ((flags & flag.FLAG_APP_ID) !== 0) {
      this.appIdStart = at + 1
      if ((at = this.appIdEnd = skipShortString(view, at, end)) < 0) return at
    }
    if ((flags & flag.FLAG_CLUSTER_ID) !== 0) at = skipShortString(view, at, end)
    return at
  }

  #reset(): void {
    this.#hasOffsets = false
    this.headersStart = this.headersEnd = -1
    this.contentTypeStart = this.contentTypeEnd = -1
    this.contentEncodingStart = this.contentEncodingEnd = -1
    this.correlationIdStart = this.correlationIdEnd = -1
    this.replyToStart = this.replyToEnd = -1
    this.expirationStart = this.expirationEnd = -1
    this.messageIdStart = this.messageIdEnd = -1
    this.timestampStart = -1
    this.typeStart = this.typeEnd = -1
    this.userIdStart = this.userIdEnd = -1
    this.appIdStart = this.appIdEnd = -1
  }
}

/** The error that closes the connection for a reason scan() returned. */
export function propertyScanError(reason: number): ProtocolError {
  if (reason === SCAN_BAD_FLAGS) return new ProtocolError(502, "unknown property flags")
  if (reason === SCAN_BAD_HEADERS) return new ProtocolError(502, "malformed headers table")
  return new ProtocolError(501, "properties do not fill the content header exactly")
}

function skipShortString(view: DataView, at: number, end: number): number {
  if (at >= end) return -SCAN_BAD_LENGTH
  const next = at + 1 + view.getUint8(at)
  return next > end ? -SCAN_BAD_LENGTH : next
}
