import { ProtocolError } from "../amqp/errors.ts"
import { BASIC_PUBLISH } from "../amqp/generated/methods.ts"
import { FRAME_BODY, FRAME_END, FRAME_HEADER, FRAME_METHOD } from "../amqp/frames.ts"
import { PropertyScan, propertyScanError, SCAN_OK } from "../amqp/property-scan.ts"
import { replaceReplyTo } from "../amqp/reply-to.ts"
import { REPLY_QUEUE, REPLY_QUEUE_ALIAS } from "../broker/direct-reply.ts"
import { Refusal } from "../broker/errors.ts"
import { hasRoutingHeaders } from "../broker/exchange/routing-headers.ts"
import { Chunk, copyBytes, equalBytes } from "../util/bytes.ts"
import type { IncomingMessage } from "../broker/message.ts"
import type { Channel } from "./channel.ts"
import { checkExpiration } from "./expiration.ts"
import { KEY_PROPERTIES_MAX } from "./publish-route.ts"
import type { PublishRoute } from "./publish-route.ts"
import { checkRoutingHeaders } from "./routing-headers.ts"

/**
 * Receives the content of basic.publish on one channel: method, header and body frames in, one call
 * of Channel.publish per message out. The hot path of the broker: nothing here allocates for a
 * message whose frames lie in one received chunk.
 *
 * A body that arrives in pieces is collected in one buffer that grows with what has really arrived,
 * up to the announced size, so that announcing 128 MiB costs nothing.
 */
const IDLE = 0
const EXPECT_HEADER = 1
const EXPECT_BODY = 2

const CLASS_BASIC = 60
const FLAGS_NONE = 0
const FLAGS_DELIVERY_MODE = 0x1000
const PERSISTENT = 2

/** Class, weight, body size, flags. */
const HEADER_SIZE_MIN = 14
/** Ticket, two empty short strings, bits. */
const PUBLISH_SIZE_MIN = 4 + 2 + 1 + 1 + 1

const BIT_MANDATORY = 1
const BIT_IMMEDIATE = 2

const ASSEMBLY_SIZE_MIN = 4 << 10

/** Flags alone, or flags and delivery mode. */
const TEMPLATE_PROPERTIES_MAX = KEY_PROPERTIES_MAX
/** Method frame with two short strings of 255 bytes, header frame, head of a body frame. */
const TEMPLATE_SIZE_MAX = 8 + 4 + 2 + 256 + 256 + 1 + 8 + 12 + TEMPLATE_PROPERTIES_MAX + 7
/** A publisher that never repeats itself pays for a new template once in so many publishes. */
const TEMPLATE_INTERVAL = 16

/** What few messages have, found by the scan of the properties. */
const HAS_EXPIRATION = 1
const HAS_ROUTING_HEADERS = 2
/** Direct reply-to: other properties take the place of the received ones. */
const HAS_REPLACEMENT = 4

const REPLY_QUEUES = [REPLY_QUEUE, REPLY_QUEUE_ALIAS].map((name) => new Chunk(Buffer.from(name)))

const scan = new PropertyScan()
const NOTHING = new Chunk(Buffer.alloc(8))

export class Publisher {
  #state = IDLE
  #route: PublishRoute | null = null
  #mandatory = false
  #persistent = false
  /** HAS_… bits. */
  #extras = 0
  #replacement: Chunk | null = null
  #bodySize = 0
  #bodyReceived = 0
  /** Copy of the property bytes while the body is incomplete. */
  #properties: Chunk | null = null
  #propertiesSize = 0
  #body: Chunk | null = null
  /** Method frame, header frame and head of the body frame of an earlier publish. */
  #template: Chunk | null = null
  #templateSize = 0
  #templateBodySize = 0
  #templatePropertiesStart = 0
  #templatePropertiesSize = 0
  #templatePersistent = false
  #templateMandatory = false
  #templateRoute: PublishRoute | null = null
  #templateAge = 0
  readonly #channel: Channel

  constructor(channel: Channel) {
    this.#channel = channel
  }

  get isIdle(): boolean {
    return this.#state === IDLE
  }

  /** The error for a frame that is not the one that must come next. */
  unexpectedFrame(): ProtocolError {
    switch (this.#state) {
      case EXPECT_HEADER:
        return new ProtocolError(
          505,
          "expected content header for class 60, got non content header frame instead",
        )
      case EXPECT_BODY:
        return new ProtocolError(505, "expected content body, got non content body frame instead")
      default:
        return new ProtocolError(505, "expected method frame, got non method frame instead")
    }
  }

  /** Forgets a half-received message. */
  reset(): void {
    this.#state = IDLE
    this.#route = null
    this.#properties = null
    this.#replacement = null
    this.#body = null
  }

  /**
   * Handles the publish at `first` and as many publishes of this channel behind it as are whole.
   * Returns the offset of the first frame not handled (`first` itself if its method frame is not a
   * whole publish). Errors are thrown with `connection.resumeOffset` set behind the frame at fault.
   */
  run(chunk: Chunk, first: number, end: number): number {
    const { vhost, connection } = this.#channel
    let offset = first
    for (;;) {
      const template = this.#template
      const route = this.#templateRoute
      if (template !== null && route !== null && route.generation === vhost.generation) {
        // A publisher repeats itself: everything up to the body is often what it was the last time.
        const count = this.#countRepeats(chunk, offset, end, template)
        if (count > 0) {
          offset = this.#repeat(chunk, offset, count, template, route)
          if (connection.isHeldUp) return offset
          continue
        }
      }
      const next = this.#one(chunk, offset, end)
      if (this.#state !== IDLE || next === offset || connection.isHeldUp) return next
      offset = next
    }
  }

  /** How many whole publishes from `start` on are like the template up to their bodies. */
  #countRepeats(chunk: Chunk, start: number, end: number, template: Chunk): number {
    const { view } = chunk
    const size = this.#templateSize
    const stride = size + this.#templateBodySize + 1
    let count = 0
    for (let next = start + stride; next <= end; next += stride) {
      if (!equalBytes(chunk, next - stride, template, 0, size)) break
      if (view.getUint8(next - 1) !== FRAME_END) break
      count++
    }
    return count
  }

  /** Publishes what #countRepeats() has counted; returns the offset behind it. */
  #repeat(
    chunk: Chunk,
    start: number,
    count: number,
    template: Chunk,
    route: PublishRoute,
  ): number {
    const channel = this.#channel
    const { connection } = channel
    const bodySize = this.#templateBodySize
    const stride = this.#templateSize + bodySize + 1
    if (route.propertiesOwner !== this) this.#placeProperties(route, template)
    this.#route = route
    this.#persistent = this.#templatePersistent
    this.#extras = 0
    this.#mandatory = this.#templateMandatory
    const { keySize } = route
    const propertiesEnd = keySize + this.#templatePropertiesSize
    let offset = start
    let left = count
    while (left > 0 && !connection.isHeldUp) {
      connection.resumeOffset = offset + stride
      const bodyStart = offset + this.#templateSize
      this.#fill(route, route.key, keySize, propertiesEnd, chunk, bodyStart, bodyStart + bodySize)
      const taken = channel.publishRun(route, connection.message, this.#mandatory, left, stride)
      left -= taken
      offset += taken * stride
    }
    return offset
  }

  /**
   * One publish, or as much of it as is there. Returns the offset of the first frame not handled.
   */
  // tidy: long-function — method, header and body of the message that most publishes are.
  #one(chunk: Chunk, offset: number, end: number): number {
    const { id: channelId, connection } = this.#channel
    const { view } = chunk
    const payloadMax = connection.frameMax - 8
    if (
      end - offset < 12 ||
      view.getUint32(offset + 7) !== BASIC_PUBLISH ||
      view.getUint8(offset) !== FRAME_METHOD ||
      view.getUint16(offset + 1) !== channelId
    )
      return offset
    const methodSize = view.getUint32(offset + 3)
    const methodEnd = offset + 7 + methodSize
    if (methodSize > payloadMax || methodEnd >= end || view.getUint8(methodEnd) !== FRAME_END)
      return offset
    connection.resumeOffset = methodEnd + 1
    this.#method(chunk, offset + 11, methodEnd)
    if (connection.isHeldUp) return offset
    let at = methodEnd + 1
    if (end - at < 7 + HEADER_SIZE_MIN + 1) return at
    const headerSize = view.getUint32(at + 3)
    if (
      view.getUint8(at) !== FRAME_HEADER ||
      view.getUint16(at + 1) !== channelId ||
      headerSize > payloadMax
    )
      return at
    const headerEnd = at + 7 + headerSize
    if (headerEnd >= end || view.getUint8(headerEnd) !== FRAME_END) return at
    connection.resumeOffset = headerEnd + 1
    this.#header(chunk, at + 7, headerEnd)
    const propertiesStart = at + 19
    at = headerEnd + 1
    const bodySize = this.#bodySize
    if (bodySize === 0) {
      this.#complete(chunk, propertiesStart, headerEnd, NOTHING, 0, 0)
      return at
    }
    const bodyEnd = at + 7 + bodySize
    if (
      bodyEnd >= end ||
      view.getUint32(at + 3) !== bodySize ||
      view.getUint8(at) !== FRAME_BODY ||
      view.getUint16(at + 1) !== channelId ||
      bodySize > payloadMax ||
      view.getUint8(bodyEnd) !== FRAME_END
    ) {
      this.#beginAssembly(chunk, propertiesStart, headerEnd)
      return at
    }
    connection.resumeOffset = bodyEnd + 1
    if (headerEnd - propertiesStart <= TEMPLATE_PROPERTIES_MAX)
      this.#keepTemplate(chunk, offset, propertiesStart, at + 7)
    this.#complete(chunk, propertiesStart, headerEnd, chunk, at + 7, bodyEnd)
    return bodyEnd + 1
  }

  /**
   * Remembers the frames of a publish up to its body. Only without properties that differ from
   * message to message, and not each time for publishers that change their keys all the time.
   */
  #keepTemplate(chunk: Chunk, start: number, propertiesStart: number, bodyStart: number): void {
    if (++this.#templateAge % TEMPLATE_INTERVAL !== 0) return
    const size = bodyStart - start
    this.#template ??= Chunk.allocate(TEMPLATE_SIZE_MAX)
    copyBytes(chunk, start, this.#template, 0, size)
    this.#templateSize = size
    this.#templateBodySize = this.#bodySize
    this.#templatePropertiesStart = propertiesStart - start
    this.#templatePersistent = this.#persistent
    this.#templateMandatory = this.#mandatory
    this.#templateRoute = this.#route
    this.#templatePropertiesSize = bodyStart - 8 - propertiesStart
    if (this.#route !== null) this.#route.propertiesOwner = null
  }

  /** Behind the key, so that route and properties are one piece for whoever copies them. */
  #placeProperties(route: PublishRoute, template: Chunk): void {
    const size = this.#templatePropertiesSize
    copyBytes(template, this.#templatePropertiesStart, route.key, route.keySize, size)
    route.propertiesOwner = this
  }

  /** `start` is behind the method id. Finds the route: the same as last time, cached, or resolved. */
  #method(chunk: Chunk, start: number, end: number): void {
    const { view } = chunk
    if (end - start < PUBLISH_SIZE_MIN - 4) throw malformed()
    const exchangeStart = start + 2
    const routingKeyStart = exchangeStart + 1 + view.getUint8(exchangeStart)
    if (routingKeyStart >= end) throw malformed()
    const bitsAt = routingKeyStart + 1 + view.getUint8(routingKeyStart)
    if (bitsAt + 1 !== end) throw malformed()
    const bits = view.getUint8(bitsAt)
    if ((bits & BIT_IMMEDIATE) !== 0)
      throw new ProtocolError(540, "immediate=true", BASIC_PUBLISH >>> 16, BASIC_PUBLISH & 0xffff)
    this.#mandatory = (bits & BIT_MANDATORY) !== 0
    const size = bitsAt - exchangeStart
    let route = this.#route
    if (
      route === null ||
      route.generation !== this.#channel.vhost.generation ||
      route.keySize !== size ||
      !equalBytes(chunk, exchangeStart, route.key, 0, size)
    ) {
      route = this.#channel.resolveRoute(chunk, exchangeStart, routingKeyStart, bitsAt)
      if (route === null) return // The connection is held up by an alarm and will come back here.
      this.#route = route
    }
    this.#state = EXPECT_HEADER
  }

  /** Payload of a header frame. */
  #header(chunk: Chunk, start: number, end: number): void {
    const { view } = chunk
    if (end - start < HEADER_SIZE_MIN) throw malformed()
    if (view.getUint32(start) !== CLASS_BASIC << 16) throw wrongHeader(view, start)
    const bodySize = view.getUint32(start + 4) * 0x1_0000_0000 + view.getUint32(start + 8)
    const { connection } = this.#channel
    this.#bodySize = bodySize
    const flags = view.getUint16(start + 12)
    const size = end - start
    this.#extras = 0
    if (bodySize > connection.maxMessageSize) throw tooLarge(bodySize, connection.maxMessageSize)
    if (flags === FLAGS_NONE && size === HEADER_SIZE_MIN) this.#persistent = false
    else if (flags === FLAGS_DELIVERY_MODE && size === HEADER_SIZE_MIN + 1)
      this.#persistent = view.getUint8(start + HEADER_SIZE_MIN) === PERSISTENT
    else this.#scanProperties(chunk, start + 12, end)
  }

  #scanProperties(chunk: Chunk, start: number, end: number): void {
    const result = scan.scan(chunk, start, end)
    if (result !== SCAN_OK) throw propertyScanError(result)
    this.#persistent = scan.deliveryMode === PERSISTENT
    if (scan.expirationStart >= 0) {
      this.#extras |= HAS_EXPIRATION
      checkExpiration(chunk.bytes.toString("utf8", scan.expirationStart, scan.expirationEnd))
    }
    const { headersStart, headersEnd } = scan
    if (headersStart >= 0 && hasRoutingHeaders(chunk, headersStart, headersEnd)) {
      this.#extras |= HAS_ROUTING_HEADERS
      checkRoutingHeaders(chunk, start, end, headersStart, headersEnd)
      this.#channel.checkTopics(this.#route!, chunk, start, end)
    }
    if (scan.replyToStart >= 0) this.#checkReplyTo(chunk, start, end)
    if (scan.userIdStart >= 0)
      this.#channel.checkUserId(chunk.bytes.toString("utf8", scan.userIdStart, scan.userIdEnd))
  }

  /** A request that wants its reply directly carries the name of this channel from here on. */
  #checkReplyTo(chunk: Chunk, start: number, end: number): void {
    const { replyToStart, replyToEnd } = scan
    const size = replyToEnd - replyToStart
    for (const name of REPLY_QUEUES) {
      if (size !== name.bytes.length || !equalBytes(chunk, replyToStart, name, 0, size)) continue
      const { replies } = this.#channel
      if (replies === null)
        throw new Refusal("precondition-failed", "fast reply consumer does not exist")
      this.#extras |= HAS_REPLACEMENT
      this.#replacement = replaceReplyTo(
        chunk,
        start,
        end,
        replyToStart,
        replyToEnd,
        replies.nameBytes,
      )
      return
    }
  }

  /** A header frame that did not come with its method in one chunk. */
  onHeader(chunk: Chunk, start: number, end: number): void {
    if (this.#state !== EXPECT_HEADER) throw this.unexpectedFrame()
    this.#header(chunk, start, end)
    if (this.#bodySize === 0) this.#complete(chunk, start + 12, end, NOTHING, 0, 0)
    else this.#beginAssembly(chunk, start + 12, end)
  }

  /** A body frame that did not come with its header in one chunk, or is not the only one. */
  onBody(chunk: Chunk, start: number, end: number): void {
    if (this.#state !== EXPECT_BODY) throw this.unexpectedFrame()
    const size = end - start
    const left = this.#bodySize - this.#bodyReceived
    if (size > left)
      throw new ProtocolError(501, "content body frame exceeds remaining content size")
    const properties = this.#properties!
    if (size === this.#bodySize) {
      this.#complete(properties, 0, this.#propertiesSize, chunk, start, end)
      return
    }
    const body = this.#bodyRoom(size)
    copyBytes(chunk, start, body, this.#bodyReceived, size)
    this.#bodyReceived += size
    if (this.#bodyReceived === this.#bodySize)
      this.#complete(properties, 0, this.#propertiesSize, body, 0, this.#bodySize)
  }

  #beginAssembly(chunk: Chunk, propertiesStart: number, propertiesEnd: number): void {
    const size = propertiesEnd - propertiesStart
    if (this.#properties === null || this.#properties.bytes.length < size)
      this.#properties = Chunk.allocate(Math.max(64, size))
    copyBytes(chunk, propertiesStart, this.#properties, 0, size)
    this.#propertiesSize = size
    this.#bodyReceived = 0
    this.#state = EXPECT_BODY
  }

  #bodyRoom(size: number): Chunk {
    const needed = this.#bodyReceived + size
    const body = this.#body
    if (body !== null && body.bytes.length >= needed) return body
    const larger = Chunk.allocate(
      Math.min(this.#bodySize, Math.max(needed, 2 * this.#bodyReceived, ASSEMBLY_SIZE_MIN)),
    )
    if (body !== null) copyBytes(body, 0, larger, 0, this.#bodyReceived)
    this.#body = larger
    return larger
  }

  #complete(
    properties: Chunk,
    propertiesStart: number,
    propertiesEnd: number,
    body: Chunk,
    bodyStart: number,
    bodyEnd: number,
  ): void {
    this.#state = IDLE
    const route = this.#route!
    this.#fill(route, properties, propertiesStart, propertiesEnd, body, bodyStart, bodyEnd)
    this.#body = null
    const { message } = this.#channel.connection
    if ((this.#extras & HAS_REPLACEMENT) !== 0) this.#replaceProperties(message)
    this.#channel.publish(route, message, this.#mandatory)
  }

  #replaceProperties(message: IncomingMessage): void {
    const replacement = this.#replacement!
    this.#replacement = null
    message.properties = replacement
    message.propertiesStart = 0
    message.propertiesEnd = replacement.bytes.length
  }

  #fill(
    route: PublishRoute,
    properties: Chunk,
    propertiesStart: number,
    propertiesEnd: number,
    body: Chunk,
    bodyStart: number,
    bodyEnd: number,
  ): void {
    const { message } = this.#channel.connection
    message.route = route.key
    message.routeStart = 0
    message.routeEnd = route.keySize
    message.properties = properties
    message.propertiesStart = propertiesStart
    message.propertiesEnd = propertiesEnd
    message.body = body
    message.bodyStart = bodyStart
    message.bodyEnd = bodyEnd
    message.persistent = this.#persistent
    message.expires = (this.#extras & HAS_EXPIRATION) !== 0
    message.hasRoutingHeaders = (this.#extras & HAS_ROUTING_HEADERS) !== 0
  }
}

function tooLarge(size: number, max: number): Refusal {
  return new Refusal(
    "precondition-failed",
    `message size ${size} is larger than configured max size ${max}`,
  )
}

function malformed(): ProtocolError {
  return new ProtocolError(501, "malformed basic.publish", 60, 40)
}

function wrongHeader(view: DataView, start: number): ProtocolError {
  const classId = view.getUint16(start)
  if (classId !== CLASS_BASIC)
    return new ProtocolError(
      505,
      `expected content header for class 60, got one for class ${classId} instead`,
    )
  return new ProtocolError(505, "content header weight is not 0")
}
