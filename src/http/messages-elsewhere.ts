import { Type } from "./schema.ts"
import { requireRead } from "../broker/access.ts"
import { channelName } from "../broker/inspection.ts"
import type { InspectedConnection, UnackedInfo } from "../broker/inspection.ts"
import type { Api } from "./api.ts"
import { exchangeNamed } from "./exchanges.ts"
import { listReply, listResponses, LIST_QUERY } from "./lists.ts"
import type { ListSource } from "./lists.ts"
import { BROWSE_BYTES_MAX, BROWSE_MAX, BROWSED, browsedRow } from "./queue-messages.ts"
import { COUNT, TEXT } from "./rates-schema.ts"
import { ok, route } from "./route.ts"
import type { Route } from "./route.ts"
import { accessOf, checkMayChange, findVhost, visibleConnections } from "./visibility.ts"

/** Messages that are in no queue's ready list: with clients, over all queues, and waiting at an exchange. */

const UNACKED = Type.Object({
  name: Type.String({ description: "Of the queue" }),
  vhost: TEXT,
  consumer_tag: TEXT,
  channel_name: TEXT,
  connection_name: TEXT,
  user: TEXT,
  unacked: COUNT,
  prefetch_count: COUNT,
  unacked_since_ms: Type.Union([COUNT, Type.Null()], {
    description: "Since about when its oldest one; null if it has just come",
  }),
})

function unackedRow(info: UnackedInfo): Record<string, unknown> {
  const { connection, channelNumber, consumerTag } = info
  return {
    name: info.queue,
    vhost: info.vhost,
    consumer_tag: consumerTag === "" ? "Basic get" : consumerTag,
    channel_name: channelName(connection.name, channelNumber),
    connection_name: connection.name,
    user: connection.userName,
    unacked: info.count,
    prefetch_count: info.prefetchCount,
    unacked_since_ms: info.oldestHeldSinceMs,
  }
}

function* unackedOf(
  connections: Iterable<InspectedConnection>,
  vhostName: string | null,
): Generator<UnackedInfo> {
  for (const connection of connections)
    if (vhostName === null || connection.vhostName === vhostName)
      yield* connection.describeUnacked()
}

function unackedList(
  connections: Iterable<InspectedConnection>,
  vhostName: string | null,
): ListSource<UnackedInfo> {
  return {
    items: unackedOf(connections, vhostName),
    nameOf: ({ queue }) => queue,
    row: unackedRow,
    sortKey: (field) => UNACKED_KEYS[field],
  }
}

const UNACKED_KEYS: Readonly<Record<string, (info: UnackedInfo) => string | number>> = {
  name: ({ queue }) => queue,
  vhost: ({ vhost }) => vhost,
  consumer_tag: ({ consumerTag }) => consumerTag,
  channel_name: ({ connection }) => connection.name,
  user: ({ connection }) => connection.userName,
  unacked: ({ count }) => count,
  prefetch_count: ({ prefetchCount }) => prefetchCount,
  unacked_since_ms: ({ oldestHeldSinceMs }) => oldestHeldSinceMs ?? Number.MAX_SAFE_INTEGER,
}

const DELAYED_QUERY = Type.Object({
  offset: Type.Optional(
    Type.Integer({ minimum: 0, default: 0, description: "Messages to pass over" }),
  ),
  count: Type.Optional(Type.Integer({ minimum: 1, maximum: BROWSE_MAX, default: 100 })),
  truncate: Type.Optional(
    Type.Integer({ minimum: 0, default: 4096, description: "Bytes of each body" }),
  ),
  encoding: Type.Optional(Type.String({ enum: ["auto", "base64"], default: "auto" })),
})

export const MESSAGES_ELSEWHERE_ROUTES: readonly Route[] = [
  route({
    method: "GET",
    path: "/api/unacked",
    group: "Queues",
    summary: "Who holds unacknowledged messages of which queue, and since when",
    query: LIST_QUERY,
    responses: listResponses(UNACKED),
    handle: (api, { user, query }) =>
      listReply(api.broker.clock, query, unackedList(visibleConnections(api.broker, user), null)),
  }),
  route({
    method: "GET",
    path: "/api/unacked/:vhost",
    group: "Queues",
    summary: "The same of one vhost",
    query: LIST_QUERY,
    responses: listResponses(UNACKED),
    handle(api, { user, params, query }) {
      const vhost = findVhost(api.broker, user, params.vhost)
      const connections = visibleConnections(api.broker, user)
      return listReply(api.broker.clock, query, unackedList(connections, vhost.name))
    },
  }),
  route({
    method: "GET",
    path: "/api/exchanges/:vhost/:name/messages",
    group: "Exchanges",
    summary: "Messages that wait at a delayed exchange, by due time, which is their timestamp_ms",
    query: DELAYED_QUERY,
    responses: { 200: { doc: "The messages", schema: Type.Array(BROWSED) } },
    handle(api, { user, params, query }) {
      const vhost = findVhost(api.broker, user, params.vhost)
      checkMayChange(user, vhost.name)
      const exchange = exchangeNamed(vhost, params.name)
      checkRead(api, user, vhost.name, exchange.name)
      const found = vhost.delayed.get(exchange)?.browse({
        skip: query.offset ?? 0,
        limit: query.count ?? 100,
        bodyBytesMax: query.truncate ?? 4096,
        bytesMax: BROWSE_BYTES_MAX,
      })
      return ok((found ?? []).map((message) => browsedRow(message, query.encoding ?? "auto")))
    },
  }),
]

function checkRead(
  api: Api,
  user: Parameters<typeof accessOf>[1],
  vhostName: string,
  name: string,
): void {
  requireRead(accessOf(api.broker, user, vhostName), "exchange", name)
}
