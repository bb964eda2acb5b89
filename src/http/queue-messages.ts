import { isUtf8 } from "node:buffer"
import { Type } from "./schema.ts"
import type { Static } from "./schema.ts"
import type { User } from "../auth/users.ts"
import { decodeProperties } from "../amqp/properties.ts"
import { ProtocolError } from "../amqp/errors.ts"
import { TypedNumber } from "../amqp/table.ts"
import { requireRead } from "../broker/access.ts"
import { browseReady, browseUnacked, COUNT_MAX } from "../broker/browse.ts"
import type { BrowsedMessage, UnackedMessage } from "../broker/browse.ts"
import { channelName } from "../broker/inspection.ts"
import { ADDED_DELIVERY_COUNT, ADDED_NONE, StoredMessage } from "../broker/message.ts"
import type { MessageQueue } from "../broker/queue/message-queue.ts"
import { Queue } from "../broker/queue/queue.ts"
import { browseStream } from "../broker/stream/browse-stream.ts"
import { Stream } from "../broker/stream/stream.ts"
import type { Clock } from "../util/clock.ts"
import type { Api } from "./api.ts"
import { badRequest, notFound } from "./errors.ts"
import { propertiesToJson } from "./json-tables.ts"
import { queueNamed } from "./queues.ts"
import { COUNT, FLAG, TABLE, TEXT } from "./rates-schema.ts"
import { DONE, NO_CONTENT, ok, route } from "./route.ts"
import type { ApiRequest, Route } from "./route.ts"
import { Slices } from "./slices.ts"
import { accessOf, checkMayChange, findVhost } from "./visibility.ts"

/** The messages of a queue: take some, look at them without taking any, purge. */

const GOT = Type.Object({
  payload_bytes: COUNT,
  redelivered: FLAG,
  exchange: TEXT,
  routing_key: TEXT,
  message_count: Type.Integer({ description: "Messages left in the queue" }),
  properties: TABLE,
  payload: TEXT,
  payload_encoding: Type.String({ enum: ["string", "base64"] }),
})

const HELD = {
  unacked_since_ms: Type.Union([COUNT, Type.Null()], {
    description: "Since about when its client has it; null if it has just come",
  }),
  unacked_for_seconds: COUNT,
}

export const BROWSED = Type.Object({
  id: Type.String({ description: "Names the message as long as it is there" }),
  index: COUNT,
  state: TEXT,
  payload_bytes: COUNT,
  redelivered: FLAG,
  exchange: TEXT,
  routing_key: TEXT,
  timestamp_ms: COUNT,
  properties: TABLE,
  payload: TEXT,
  payload_encoding: Type.String({ enum: ["string", "base64"] }),
  delivery_tag: Type.Optional(COUNT),
  consumer_tag: Type.Optional(TEXT),
  channel_name: Type.Optional(TEXT),
  unacked_since_ms: Type.Optional(HELD.unacked_since_ms),
  unacked_for_seconds: Type.Optional(COUNT),
})

/** What becomes of a message that was taken. */
type Settlement = "ack" | "drop" | "requeue"

const ACK_MODES: Readonly<Record<string, Settlement>> = {
  get: "ack",
  ack_requeue_false: "ack",
  ack_requeue_true: "requeue",
  reject_requeue_true: "requeue",
  reject_requeue_false: "drop",
}

const GET_BODY = Type.Object({
  count: Type.Optional(Type.Integer({ minimum: 1, maximum: COUNT_MAX, default: 1 })),
  ackmode: Type.Optional(Type.String({ description: "The same as ack_mode" })),
  ack_mode: Type.Optional(
    Type.String({
      enum: Object.keys(ACK_MODES),
      default: "get",
      description: "What becomes of the messages; get and ack_requeue_false take them",
    }),
  ),
  requeue: Type.Optional(Type.Boolean({ description: "As before RabbitMQ 3.7" })),
  encoding: Type.Optional(Type.String({ enum: ["auto", "base64"], default: "auto" })),
  truncate: Type.Optional(Type.Integer({ minimum: 0, description: "Bytes of each body" })),
})
type GetBody = Static<typeof GET_BODY>

/** An unknown word must not lose messages. */
function settlementOf(body: GetBody): Settlement {
  const mode = body.ack_mode ?? body.ackmode
  if (mode === undefined) return body.requeue === true ? "requeue" : "ack"
  const settlement = Object.hasOwn(ACK_MODES, mode) ? ACK_MODES[mode] : undefined
  if (settlement === undefined) throw badRequest(`invalid ackmode: ${mode}`)
  if (mode === "get" && body.requeue === true) throw badRequest("Cannot requeue message on get")
  return settlement
}

interface Taken {
  readonly segment: number
  readonly position: number
  readonly size: number
  readonly bodySize: number
}

/** Bytes of bodies in one reply. */
const REPLY_BYTES_MAX = 32 << 20

/**
 * They are settled when all were read, also if something goes wrong on the way: a message that was taken
 * and goes back must not be met again.
 */
async function take(clock: Clock, queue: MessageQueue, body: GetBody): Promise<unknown[]> {
  const settlement = settlementOf(body)
  const rows: unknown[] = []
  const taken: Taken[] = []
  const message = new StoredMessage()
  const slices = new Slices(clock)
  let bytes = 0
  queue.touch()
  try {
    while (taken.length < (body.count ?? 1) && bytes < REPLY_BYTES_MAX && !queue.deleted) {
      if (slices.isTimeOver()) await slices.next()
      if (!queue.get(message, false)) break
      const { segment, position, size, bodyStart, bodyEnd } = message
      taken.push({ segment, position, size, bodySize: bodyEnd - bodyStart })
      rows.push(gotRow(message, queue.readyCount, body))
      message.added = ADDED_NONE
      bytes += bodyEnd - bodyStart
    }
  } finally {
    settle(queue, taken, settlement)
  }
  return rows
}

function settle(queue: MessageQueue, taken: readonly Taken[], settlement: Settlement): void {
  for (const { segment, position, size, bodySize } of taken)
    if (settlement === "ack") queue.ack(segment, position, size, bodySize)
    else if (settlement === "drop") queue.drop(segment, position, size, bodySize)
    else queue.requeue(segment, position, size, bodySize)
}

function gotRow(message: StoredMessage, left: number, body: GetBody): Record<string, unknown> {
  const { bytes, view } = message.chunk
  const { routeStart, routeEnd, bodyStart, bodyEnd } = message
  const keyStart = routeStart + 1 + view.getUint8(routeStart)
  const shownEnd = Math.min(bodyEnd, bodyStart + (body.truncate ?? bodyEnd - bodyStart))
  return {
    payload_bytes: bodyEnd - bodyStart,
    redelivered: message.redelivered,
    exchange: bytes.toString("utf8", routeStart + 1, keyStart),
    routing_key: bytes.toString("utf8", keyStart + 1, routeEnd),
    message_count: left,
    properties: shownProperties(message),
    ...payload(bytes.subarray(bodyStart, shownEnd), body.encoding ?? "auto"),
  }
}

function shownProperties(message: StoredMessage): Record<string, unknown> {
  try {
    const { chunk, propertiesStart, propertiesEnd, added, addedValue } = message
    const properties = decodeProperties(chunk.bytes, propertiesStart, propertiesEnd)
    if (added !== ADDED_DELIVERY_COUNT) return propertiesToJson(properties)
    const headers = new Map(properties.headers)
    headers.set("x-delivery-count", new TypedNumber("l", BigInt(addedValue)))
    return propertiesToJson({ ...properties, headers })
  } catch (error) {
    if (error instanceof ProtocolError) return {} // A client sent what cannot be decoded.
    throw error
  }
}

function payload(bytes: Buffer, encoding: string): { payload: string; payload_encoding: string } {
  if (encoding === "auto" && isUtf8(bytes))
    return { payload: bytes.toString("utf8"), payload_encoding: "string" }
  return { payload: bytes.toString("base64"), payload_encoding: "base64" }
}

export function browsedRow(message: BrowsedMessage, encoding: string): Record<string, unknown> {
  return {
    id: `${String(message.segment)}-${String(message.position)}`,
    index: message.index,
    state: message.state,
    payload_bytes: message.bodySize,
    redelivered: message.redelivered,
    exchange: message.exchange,
    routing_key: message.routingKey,
    timestamp_ms: message.timestampMs,
    properties: message.properties === null ? {} : propertiesToJson(message.properties),
    ...payload(message.body, encoding),
  }
}

function unackedRow(message: UnackedMessage, nowMs: number): Record<string, unknown> {
  return {
    delivery_tag: message.deliveryTag,
    consumer_tag: message.consumerTag === "" ? "Basic get" : message.consumerTag,
    channel_name: channelName(message.connection.name, message.channel),
    unacked_since_ms: message.heldSinceMs,
    unacked_for_seconds:
      message.heldSinceMs === null
        ? 0
        : Math.max(0, Math.round((nowMs - message.heldSinceMs) / 1000)),
  }
}

const PURGED_AT_ONCE = 500

/** All at once costs little; some have to be read. */
async function purge(clock: Clock, queue: MessageQueue, countMax: number): Promise<void> {
  const slices = new Slices(clock)
  let left = countMax
  while (left > 0 && left < queue.readyCount && !queue.deleted) {
    if (slices.isTimeOver()) await slices.next()
    const count = queue.purge(Math.min(left, PURGED_AT_ONCE))
    if (count === 0) return
    left -= count
  }
  if (left > 0 && !queue.deleted) queue.purge(left)
}

/** Messages of one browse: reading them from disk takes time. */
export const BROWSE_MAX = 1000
export const BROWSE_BYTES_MAX = 4 << 20

const BROWSE_QUERY = Type.Object({
  state: Type.Optional(Type.String({ enum: ["ready", "unacked"], default: "ready" })),
  offset: Type.Optional(
    Type.Integer({
      minimum: 0,
      default: 0,
      description: "Messages to pass over; of a stream the offset",
    }),
  ),
  count: Type.Optional(Type.Integer({ minimum: 1, maximum: BROWSE_MAX, default: 100 })),
  truncate: Type.Optional(
    Type.Integer({ minimum: 0, default: 4096, description: "Bytes of each body" }),
  ),
  encoding: Type.Optional(Type.String({ enum: ["auto", "base64"], default: "auto" })),
})

function browse(
  api: Api,
  queue: MessageQueue,
  query: Static<typeof BROWSE_QUERY>,
): Record<string, unknown>[] {
  const encoding = query.encoding ?? "auto"
  const bounds = {
    limit: query.count ?? 100,
    bodyBytesMax: query.truncate ?? 4096,
    bytesMax: BROWSE_BYTES_MAX,
  }
  const skip = query.offset ?? 0
  if (queue instanceof Stream)
    return browseStream(queue, { ...bounds, offset: skip }).map((message) =>
      browsedRow(message, encoding),
    )
  if (!(queue instanceof Queue)) throw notFound()
  if (query.state !== "unacked")
    return browseReady(queue, { ...bounds, skip }).map((message) => browsedRow(message, encoding))
  return browseUnacked(api.broker.connections, queue, { ...bounds, skip }).map((message) =>
    Object.assign(browsedRow(message, encoding), unackedRow(message, api.broker.clock.nowMs)),
  )
}

type InQueue = ApiRequest<"vhost" | "name">

function queueToRead(api: Api, { user, params }: Pick<InQueue, "user" | "params">): MessageQueue {
  const vhost = findVhost(api.broker, user, params.vhost)
  checkMayChange(user, vhost.name)
  const queue = queueNamed(vhost, params.name)
  checkRead(api, user, vhost.name, queue.name)
  return vhost.queue(queue.name, null)
}

function checkRead(api: Api, user: User, vhostName: string, name: string): void {
  requireRead(accessOf(api.broker, user, vhostName), "queue", name)
}

const STREAM_BODY = Type.Object({
  count: Type.Optional(Type.Integer({ minimum: 1, maximum: BROWSE_MAX, default: 1 })),
  offset: Type.Optional(
    Type.Union([TEXT, Type.Integer({ minimum: 0 })], {
      default: "first",
      description: "first, last, next or a number",
    }),
  ),
  timestamp_ms: Type.Optional(
    Type.Integer({ minimum: 0, description: "Instead of an offset: from this moment on" }),
  ),
  encoding: Type.Optional(Type.String({ enum: ["auto", "base64"], default: "auto" })),
  truncate: Type.Optional(Type.Integer({ minimum: 0, description: "Bytes of each body" })),
})

function streamOffset(stream: Stream, offset: string | number): number {
  if (typeof offset === "number") return offset
  if (offset === "first") return 0
  const next = stream.firstOffset + stream.readyCount
  if (offset === "next") return next
  if (offset === "last") return Math.max(0, next - 1)
  if (!/^\d{1,15}$/.test(offset)) throw badRequest("offset is not first, last, next or a number")
  return Number(offset)
}

export const QUEUE_MESSAGE_ROUTES: readonly Route[] = [
  route({
    method: "POST",
    path: "/api/queues/:vhost/:name/get",
    group: "Queues",
    summary: "Takes messages from a queue; by ack_mode they are gone or go back",
    body: GET_BODY,
    responses: { 200: { doc: "The messages", schema: Type.Array(GOT) } },
    async handle(api, request) {
      return ok(await take(api.broker.clock, queueToRead(api, request), request.body))
    },
  }),
  route({
    method: "GET",
    path: "/api/queues/:vhost/:name/messages",
    group: "Queues",
    summary: "Looks at messages without taking them: ready ones, or those that wait for an ack",
    query: BROWSE_QUERY,
    responses: { 200: { doc: "The messages", schema: Type.Array(BROWSED) } },
    handle: (api, request) => ok(browse(api, queueToRead(api, request), request.query)),
  }),
  route({
    method: "GET",
    path: "/api/queues/:vhost/:name/unacked",
    group: "Queues",
    summary: "Deliveries that wait for an acknowledgement",
    responses: {
      200: {
        doc: "The first 1000",
        schema: Type.Array(
          Type.Object({ delivery_tag: COUNT, consumer_tag: TEXT, channel_name: TEXT, ...HELD }),
        ),
      },
    },
    handle(api, request) {
      const queue = queueToRead(api, request)
      if (!(queue instanceof Queue)) return ok([])
      const bounds = { skip: 0, limit: BROWSE_MAX, bodyBytesMax: 0, bytesMax: BROWSE_BYTES_MAX }
      const { clock, connections } = api.broker
      return ok(
        browseUnacked(connections, queue, bounds).map((one) => unackedRow(one, clock.nowMs)),
      )
    },
  }),
  route({
    method: "POST",
    path: "/api/queues/:vhost/:name/stream",
    group: "Queues",
    summary: "Reads messages of a stream from an offset on",
    body: STREAM_BODY,
    responses: { 200: { doc: "The messages", schema: Type.Array(BROWSED) } },
    handle(api, request) {
      const queue = queueToRead(api, request)
      if (!(queue instanceof Stream)) throw notFound()
      const { count = 1, truncate, encoding = "auto", offset = "first" } = request.body
      const { timestamp_ms: timeMs } = request.body
      const found = browseStream(queue, {
        offset: timeMs === undefined ? streamOffset(queue, offset) : queue.offsetAt(timeMs),
        limit: count,
        bytesMax: BROWSE_BYTES_MAX,
        ...(truncate === undefined ? {} : { bodyBytesMax: truncate }),
      })
      return ok(found.map((message) => browsedRow(message, encoding)))
    },
  }),
  route({
    method: "DELETE",
    path: "/api/queues/:vhost/:name/contents",
    group: "Queues",
    summary: "Purges a queue: its ready messages are gone",
    query: Type.Object({
      count: Type.Optional(
        Type.Integer({ minimum: 1, description: "The first ones only; without it all" }),
      ),
    }),
    responses: DONE,
    async handle(api, request) {
      await purge(api.broker.clock, queueToRead(api, request), request.query.count ?? Infinity)
      return NO_CONTENT
    },
  }),
]
