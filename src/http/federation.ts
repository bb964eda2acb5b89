import { Type } from "./schema.ts"
import type { Static } from "./schema.ts"
import type { FederationLink } from "../links/federation/federation-link.ts"
import { QueueLink } from "../links/federation/queue-link.ts"
import type { Api } from "./api.ts"
import { notFound } from "./errors.ts"
import { LIST_QUERY, listReply, listResponses } from "./lists.ts"
import { TEXT } from "./rates-schema.ts"
import { NO_CONTENT, route } from "./route.ts"
import type { Reply, Route } from "./route.ts"
import { checkMayChange, findVhost, visibleVhosts } from "./visibility.ts"

/** How the links of federation do: RabbitMQ's and LavinMQ's fields and paths, and counters. */

const NUMBER = Type.Number()
const OPTIONAL_TEXT = Type.Union([TEXT, Type.Null()])

const FEDERATION_LINK = Type.Object({
  id: TEXT,
  node: TEXT,
  vhost: TEXT,
  type: Type.String({ description: "exchange or queue" }),
  resource: Type.String({ description: "Name of the exchange or queue here" }),
  upstream: TEXT,
  policy: OPTIONAL_TEXT,
  uri: Type.String({ description: "Without user and password" }),
  status: Type.String({ description: "starting, running, error, terminated or stopped" }),
  error: OPTIONAL_TEXT,
  timestamp: Type.String({ description: "Since when it is in this state" }),
  connected_at: Type.Union([NUMBER, Type.Null()]),
  next_attempt_in: Type.Union([NUMBER, Type.Null()]),
  reconnects: NUMBER,
  "consumer-tag": TEXT,
  forwarded: NUMBER,
  confirmed: NUMBER,
  returned: NUMBER,
  rejected: NUMBER,
  bytes: NUMBER,
  message_rate: NUMBER,
  byte_rate: NUMBER,
})

function describe(api: Api, link: FederationLink): Record<string, unknown> {
  const { status, type, resource, upstreamResource } = link
  const { counters, nextAttemptAtMs } = status
  const { nowMs } = api.broker.clock
  return {
    id: link.id,
    node: api.node.name,
    vhost: link.vhost.name,
    type,
    resource,
    [type]: resource,
    [`upstream_${type}`]: upstreamResource,
    upstream: link.upstream.name,
    policy: link.policy,
    uri: link.uri,
    status: status.state,
    error: status.error,
    timestamp: new Date(status.sinceMs).toISOString().slice(0, 19).replace("T", " "),
    local_connection: link.connectionName,
    connected_at: status.connectedAtMs,
    next_attempt_in: nextAttemptAtMs === null ? null : Math.max(0, nextAttemptAtMs - nowMs) / 1000,
    reconnects: status.reconnectCount,
    "consumer-tag": link.upstream.consumerTag,
    ...(link instanceof QueueLink && { is_consuming: link.isConsuming }),
    ack_mode: link.upstream.ackMode,
    forwarded: counters.forwarded,
    confirmed: counters.confirmed,
    returned: counters.returned,
    rejected: counters.rejected,
    bytes: counters.bytes,
    message_rate: Math.round(counters.messageRate * 10) / 10,
    byte_rate: Math.round(counters.byteRate),
  }
}

function list(
  api: Api,
  query: Static<typeof LIST_QUERY>,
  vhostNames: readonly string[],
  isDown: boolean,
): Promise<Reply> {
  const links = vhostNames.flatMap((name) => [...api.links.federation.links(name)])
  return listReply(api.broker.clock, query, {
    items: isDown ? links.filter(({ status }) => status.state !== "running") : links,
    nameOf: ({ resource }) => resource,
    otherNames: [({ upstream }) => upstream.name],
    row: (link) => describe(api, link),
  })
}

const LISTED = {
  method: "GET",
  group: "Federation",
  query: LIST_QUERY,
  responses: listResponses(FEDERATION_LINK),
} as const

export const FEDERATION_ROUTES: readonly Route[] = [
  route({
    ...LISTED,
    path: "/api/federation-links",
    summary: "The federation links of all vhosts that the user can see",
    handle: (api, { user, query }) =>
      list(
        api,
        query,
        visibleVhosts(api.broker, user).map(({ name }) => name),
        false,
      ),
  }),
  route({
    ...LISTED,
    path: "/api/federation-links/state/down",
    summary: "Those that do not run",
    handle: (api, { user, query }) =>
      list(
        api,
        query,
        visibleVhosts(api.broker, user).map(({ name }) => name),
        true,
      ),
  }),
  route({
    ...LISTED,
    path: "/api/federation-links/:vhost",
    summary: "The federation links of a vhost",
    handle: (api, { user, params, query }) =>
      list(api, query, [findVhost(api.broker, user, params.vhost).name], false),
  }),
  route({
    ...LISTED,
    path: "/api/federation-links/:vhost/state/down",
    summary: "Those of a vhost that do not run",
    handle: (api, { user, params, query }) =>
      list(api, query, [findVhost(api.broker, user, params.vhost).name], true),
  }),
  route({
    method: "DELETE",
    path: "/api/federation-links/vhost/:vhost/:id/:node/restart",
    group: "Federation",
    summary: "Lets a link begin anew",
    access: "policymaker",
    responses: { 204: { doc: "It connects" } },
    async handle(api, { user, params }) {
      const vhost = findVhost(api.broker, user, params.vhost)
      checkMayChange(user, vhost.name)
      if (params.node !== api.node.name) throw notFound()
      const link = [...api.links.federation.links(vhost.name)].find(({ id }) => id === params.id)
      if (link === undefined) throw notFound()
      await link.restart()
      return NO_CONTENT
    },
  }),
]
