import { encodeProperties } from "../amqp/properties.ts"
import type { User } from "../auth/users.ts"
import { requireTopicWrite, requireWrite } from "../broker/access.ts"
import type { Broker } from "../broker/broker.ts"
import { isReplyName } from "../broker/direct-reply.ts"
import { Refusal } from "../broker/errors.ts"
import type { Exchange } from "../broker/exchange/exchange.ts"
import { IncomingMessage } from "../broker/message.ts"
import {
  collectRoutingKeys,
  PUBLISH_ACCEPTED,
  PUBLISH_DUPLICATE,
  PUBLISH_DURABLE,
  PUBLISH_REFUSED,
} from "../broker/publishing.ts"
import type { Vhost } from "../broker/vhost.ts"
import { Chunk } from "../util/bytes.ts"
import { badRequest, HttpError } from "./errors.ts"
import { propertiesFromJson } from "./json-tables.ts"

/** One message by HTTP: for tests and people, by the rules that hold for basic.publish. */

/** A body of 12 MiB as base64. */
export const PUBLISH_BODY_MAX_BYTES = 16 << 20

const PERSISTENT = 2

export interface PublishRequest {
  readonly properties: Readonly<Record<string, unknown>>
  readonly routing_key: string
  readonly payload: string
  readonly payload_encoding: string
}

/** Resolves, when the message is as safe as it will be, with whether a queue took it. */
export async function publishMessage(
  broker: Broker,
  user: User,
  vhost: Vhost,
  exchange: Exchange,
  request: PublishRequest,
): Promise<boolean> {
  const access = { permissions: broker.permissions, user, vhostName: vhost.name }
  requireWrite(access, exchange.name)
  if (exchange.internal)
    throw new Refusal(
      "precondition-failed",
      `cannot publish to internal exchange '${exchange.name}' in vhost '${vhost.name}'`,
    )
  if (broker.alarmReason !== null)
    throw new HttpError(503, "service_unavailable", `publish refused: ${broker.alarmReason}`)
  const properties = propertiesFromJson(request.properties)
  const { userId } = properties
  if (userId !== undefined && userId !== user.name && !user.tags.includes("impersonator"))
    throw new Refusal(
      "precondition-failed",
      `user_id property set to '${userId}' but authenticated user was '${user.name}'`,
    )
  const key = Buffer.from(request.routing_key)
  if (key.length > 255) throw badRequest("routing_key is longer than 255 bytes")
  const message = messageOf(exchange, key, request)
  broker.clock.refresh()
  message.timestampMs = broker.clock.nowMs
  setProperties(message, encodeProperties(properties))
  message.persistent = properties.deliveryMode === PERSISTENT
  message.expires = properties.expiration !== undefined
  message.priority = properties.priority ?? 0
  const { headers } = properties
  message.hasRoutingHeaders = headers !== undefined && (headers.has("CC") || headers.has("BCC"))
  const keys = collectRoutingKeys(request.routing_key, properties)
  for (const name of keys) requireTopicWrite(access, exchange, name)
  let isReplied = false
  if (exchange.name === "")
    for (const name of keys)
      if (isReplyName(name) && vhost.replies.publish(name, message)) isReplied = true
  const outcome = vhost.publishMessage(exchange, keys, message, properties, null)
  if (outcome === PUBLISH_REFUSED)
    throw new Refusal("resource-error", "a queue could not store the message")
  if (outcome === PUBLISH_DURABLE || outcome === PUBLISH_DUPLICATE)
    await broker.durableChanges.settled()
  return isReplied || outcome === PUBLISH_ACCEPTED || outcome === PUBLISH_DURABLE
}

/** Either alphabet, with its padding; RabbitMQ takes no other. */
const BASE64 = /^[A-Za-z0-9+/_-]*={0,2}$/

function payloadOf({ payload, payload_encoding: encoding }: PublishRequest): Buffer {
  if (encoding !== "base64") return Buffer.from(payload)
  const text = payload.replaceAll(/\s+/g, "")
  if (text.length % 4 !== 0 || !BASE64.test(text))
    throw badRequest("payload_encoding is base64, but the payload is not")
  return Buffer.from(text, "base64")
}

function messageOf(exchange: Exchange, key: Buffer, request: PublishRequest): IncomingMessage {
  const message = new IncomingMessage()
  const route = Buffer.concat([exchange.nameBytes, Buffer.of(key.length), key])
  message.route = new Chunk(route)
  message.routeEnd = route.length
  const body = payloadOf(request)
  message.body = new Chunk(body)
  message.bodyEnd = body.length
  return message
}

function setProperties(message: IncomingMessage, bytes: Buffer): void {
  message.properties = new Chunk(bytes)
  message.propertiesStart = 0
  message.propertiesEnd = bytes.length
}
