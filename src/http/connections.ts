import { Type } from "./schema.ts"
import type { Static } from "./schema.ts"
import type { User } from "../auth/users.ts"
import type { ChannelInfo, ConsumerInfo, InspectedConnection } from "../broker/inspection.ts"
import type { Api } from "./api.ts"
import { describeChannel, describeConnection, describeConsumer } from "./describe.ts"
import { notAuthorised, notFound } from "./errors.ts"
import {
  LIST_QUERY,
  listReply,
  listResponses,
  parseColumns,
  pickColumns,
  STATISTICS_QUERY,
} from "./lists.ts"
import type { StatisticsQuery } from "./lists.ts"
import type { ListSource } from "./lists.ts"
import { COUNT, counters, FLAG, OPTIONAL_TEXT, TABLE, TEXT } from "./rates-schema.ts"
import { DONE, NO_CONTENT, ok, route } from "./route.ts"
import type { ApiRequest, Reply, Route } from "./route.ts"
import { SAMPLE_QUERY, shownBy } from "./samples.ts"
import { CHANNEL_METRICS, CONNECTION_METRICS } from "./statistics.ts"
import { findVhost, hasTag, seesConnection, visibleConnections } from "./visibility.ts"

/** Connections, their channels and consumers: list, look at, close. */

const CONNECTION = Type.Intersect([
  Type.Object({
    name: TEXT,
    pid: TEXT,
    node: TEXT,
    user: TEXT,
    vhost: TEXT,
    type: TEXT,
    protocol: TEXT,
    auth_mechanism: TEXT,
    state: TEXT,
    ssl: FLAG,
    tls_version: OPTIONAL_TEXT,
    cipher: OPTIONAL_TEXT,
    ssl_protocol: Type.Optional(TEXT),
    ssl_key_exchange: Type.Optional(TEXT),
    ssl_cipher: Type.Optional(TEXT),
    ssl_hash: Type.Optional(TEXT),
    peer_cert_subject: Type.Optional(TEXT),
    peer_cert_issuer: Type.Optional(TEXT),
    peer_cert_validity: Type.Optional(TEXT),
    peer_cert_verified: Type.Optional(FLAG),
    user_provided_name: OPTIONAL_TEXT,
    client_properties: TABLE,
    connected_at: COUNT,
    channels: COUNT,
    channel_max: COUNT,
    frame_max: COUNT,
    timeout: COUNT,
    host: TEXT,
    port: COUNT,
    peer_host: TEXT,
    peer_port: COUNT,
    send_pend: COUNT,
  }),
  counters(CONNECTION_METRICS),
])

const CHANNEL = Type.Object({
  name: TEXT,
  number: COUNT,
  node: TEXT,
  user: TEXT,
  vhost: TEXT,
  state: TEXT,
  confirm: FLAG,
  transactional: FLAG,
  prefetch_count: COUNT,
  global_prefetch_count: COUNT,
  consumer_count: COUNT,
  messages_unacknowledged: COUNT,
  messages_unconfirmed: COUNT,
  connection_details: Type.Object({ name: TEXT, peer_host: TEXT, peer_port: COUNT }),
  message_stats: counters(CHANNEL_METRICS),
})

const CONSUMER = Type.Object({
  consumer_tag: TEXT,
  queue: Type.Object({ name: TEXT, vhost: TEXT }),
  exclusive: FLAG,
  ack_required: FLAG,
  prefetch_count: COUNT,
  priority: COUNT,
  arguments: TABLE,
  active: FLAG,
  activity_status: TEXT,
  unacked: COUNT,
  channel_details: TABLE,
})

const CLOSE_REASON = "Closed via management plugin"
const REASON_SIZE_MAX = 200

function closeReason(request: Pick<ApiRequest, "header">): string {
  const reason = request.header("x-reason") ?? ""
  return reason === "" ? CLOSE_REASON : reason.slice(0, REASON_SIZE_MAX)
}

/**
 * One that the user cannot see is 401, as in RabbitMQ; one that is gone 404. Some clients write the blanks
 * of the name as plus signs, of which it has none.
 */
function connectionNamed(api: Api, user: User, written: string): InspectedConnection {
  const name = written.replaceAll("+", " ")
  for (const { inspected } of api.broker.connections) {
    if (inspected.name !== name || inspected.vhostName === "") continue
    if (!seesConnection(user, inspected))
      throw notAuthorised("User not authorised to access connection")
    return inspected
  }
  throw notFound()
}

function requireOwner(user: User, connection: InspectedConnection): void {
  if (connection.userName !== user.name && !hasTag(user, "administrator"))
    throw notAuthorised("User not authorised to close connection")
}

function connectionList(
  api: Api,
  connections: readonly InspectedConnection[],
  query: StatisticsQuery,
): ListSource<InspectedConnection> {
  const shown = shownBy(query, false)
  return {
    items: connections,
    nameOf: (connection) => connection.name,
    otherNames: [({ userName }) => userName, (connection) => connection.describe().clientName],
    row: (connection) => describeConnection(api, connection, shown),
    sortKey(field) {
      if (field === "name") return (connection) => connection.name
      if (field === "user") return (connection) => connection.userName
      if (field === "vhost") return (connection) => connection.vhostName
      if (field === "channels") return (connection) => connection.channelCount
      return undefined
    },
  }
}

function channelList(
  api: Api,
  connections: readonly InspectedConnection[],
  query: StatisticsQuery,
): ListSource<ChannelInfo> {
  const shown = shownBy(query, false)
  return {
    items: channelsOf(connections),
    nameOf: (channel) => channel.name,
    otherNames: [({ connection }) => connection.userName],
    row: (channel) => describeChannel(api, channel, shown),
  }
}

function* channelsOf(connections: readonly InspectedConnection[]): Generator<ChannelInfo> {
  for (const connection of connections) yield* connection.describeChannels()
}

function* consumersOf(connections: readonly InspectedConnection[]): Generator<ConsumerInfo> {
  for (const connection of connections) yield* connection.describeConsumers()
}

function consumerReply(
  api: Api,
  query: Static<typeof LIST_QUERY>,
  connections: readonly InspectedConnection[],
): Promise<Reply> {
  return listReply(api.broker.clock, query, {
    items: consumersOf(connections),
    nameOf: (consumer) => consumer.tag,
    otherNames: [({ queue }) => queue],
    row: (consumer) => describeConsumer(api, consumer),
  })
}

function inVhost(api: Api, user: User, vhostName: string): InspectedConnection[] {
  findVhost(api.broker, user, vhostName)
  return visibleConnections(api.broker, user).filter((one) => one.vhostName === vhostName)
}

/** `<connection name> (<number>)` */
function channelNamed(api: Api, user: User, name: string): ChannelInfo {
  const match = /^(.*)[ +]\((\d{1,5})\)$/.exec(name)
  if (match === null) throw notFound()
  const connection = connectionNamed(api, user, match[1] ?? "")
  const channel = connection.describeChannels().find((one) => one.number === Number(match[2]))
  if (channel === undefined) throw notFound()
  return channel
}

const CHANNEL_WITH_CONSUMERS = Type.Intersect([
  CHANNEL,
  Type.Object({ consumer_details: Type.Array(CONSUMER) }),
])

const ONE_QUERY = Type.Object({ ...SAMPLE_QUERY, columns: Type.Optional(TEXT) })

const CONNECTIONS = listResponses(CONNECTION)
const CHANNELS = listResponses(CHANNEL)
const CONSUMERS = listResponses(CONSUMER)

export const CONNECTION_ROUTES: readonly Route[] = [
  route({
    method: "GET",
    path: "/api/connections",
    group: "Connections",
    summary: "Connections: of everybody for monitors, else the user's own",
    query: STATISTICS_QUERY,
    responses: CONNECTIONS,
    handle: (api, { user, query }) =>
      listReply(
        api.broker.clock,
        query,
        connectionList(api, visibleConnections(api.broker, user), query),
      ),
  }),
  route({
    method: "GET",
    path: "/api/vhosts/:vhost/connections",
    group: "Connections",
    summary: "Connections to a vhost",
    query: STATISTICS_QUERY,
    responses: CONNECTIONS,
    handle: (api, { user, params, query }) =>
      listReply(
        api.broker.clock,
        query,
        connectionList(api, inVhost(api, user, params.vhost), query),
      ),
  }),
  route({
    method: "GET",
    path: "/api/connections/username/:user",
    group: "Connections",
    summary: "Connections of a user",
    query: STATISTICS_QUERY,
    responses: CONNECTIONS,
    handle: (api, { user, params, query }) =>
      listReply(
        api.broker.clock,
        query,
        connectionList(
          api,
          visibleConnections(api.broker, user).filter((one) => one.userName === params.user),
          query,
        ),
      ),
  }),
  route({
    method: "DELETE",
    path: "/api/connections/username/:user",
    group: "Connections",
    summary: "Closes all connections of a user; the header X-Reason says why",
    responses: DONE,
    async handle(api, request) {
      const { user, params } = request
      if (params.user !== user.name && !hasTag(user, "administrator"))
        throw notAuthorised("User not authorised to close connection")
      await api.broker.closeConnections(
        (session) => session.inspected.userName === params.user,
        closeReason(request),
      )
      return NO_CONTENT
    },
  }),
  route({
    method: "GET",
    path: "/api/connections/:name",
    group: "Connections",
    summary: "One connection",
    query: ONE_QUERY,
    responses: { 200: { doc: "The connection", schema: CONNECTION } },
    handle(api, { user, params, query }) {
      const connection = connectionNamed(api, user, params.name)
      const row = describeConnection(api, connection, shownBy(query, true))
      return ok(pickColumns(row, parseColumns(query.columns)))
    },
  }),
  route({
    method: "DELETE",
    path: "/api/connections/:name",
    group: "Connections",
    summary: "Closes a connection with 320; the header X-Reason says why",
    responses: DONE,
    handle(api, request) {
      const connection = connectionNamed(api, request.user, request.params.name)
      requireOwner(request.user, connection)
      connection.forceClose(closeReason(request))
      return NO_CONTENT
    },
  }),
  route({
    method: "GET",
    path: "/api/connections/:name/channels",
    group: "Connections",
    summary: "The channels of a connection",
    query: STATISTICS_QUERY,
    responses: CHANNELS,
    handle: (api, { user, params, query }) =>
      listReply(
        api.broker.clock,
        query,
        channelList(api, [connectionNamed(api, user, params.name)], query),
      ),
  }),
  route({
    method: "GET",
    path: "/api/channels",
    group: "Channels",
    summary: "Channels: of everybody for monitors, else the user's own",
    query: STATISTICS_QUERY,
    responses: CHANNELS,
    handle: (api, { user, query }) =>
      listReply(
        api.broker.clock,
        query,
        channelList(api, visibleConnections(api.broker, user), query),
      ),
  }),
  route({
    method: "GET",
    path: "/api/vhosts/:vhost/channels",
    group: "Channels",
    summary: "Channels in a vhost",
    query: STATISTICS_QUERY,
    responses: CHANNELS,
    handle: (api, { user, params, query }) =>
      listReply(api.broker.clock, query, channelList(api, inVhost(api, user, params.vhost), query)),
  }),
  route({
    method: "GET",
    path: "/api/channels/:channel",
    group: "Channels",
    summary: "One channel and its consumers",
    query: ONE_QUERY,
    responses: { 200: { doc: "The channel", schema: CHANNEL_WITH_CONSUMERS } },
    handle(api, { user, params, query }) {
      const channel = channelNamed(api, user, params.channel)
      const consumers = channel.connection
        .describeConsumers()
        .filter(({ channelNumber }) => channelNumber === channel.number)
      const row = {
        ...describeChannel(api, channel, shownBy(query, true)),
        consumer_details: consumers.map((consumer) => describeConsumer(api, consumer)),
      }
      return ok(pickColumns(row, parseColumns(query.columns)))
    },
  }),
  route({
    method: "PUT",
    path: "/api/channels/:channel",
    group: "Channels",
    summary: "Changes the prefetch of consumers that the channel starts from now on",
    body: Type.Object({ prefetch: Type.Integer({ minimum: 0, maximum: 65_535 }) }),
    responses: DONE,
    handle(api, { user, params, body }) {
      const { connection, number } = channelNamed(api, user, params.channel)
      requireOwner(user, connection)
      if (!connection.setPrefetch(number, body.prefetch)) throw notFound()
      return NO_CONTENT
    },
  }),
  route({
    method: "GET",
    path: "/api/consumers",
    group: "Consumers",
    summary: "Consumers: of everybody for monitors, else the user's own",
    query: LIST_QUERY,
    responses: CONSUMERS,
    handle: (api, { user, query }) =>
      consumerReply(api, query, visibleConnections(api.broker, user)),
  }),
  route({
    method: "GET",
    path: "/api/consumers/:vhost",
    group: "Consumers",
    summary: "Consumers in a vhost",
    query: LIST_QUERY,
    responses: CONSUMERS,
    handle: (api, { user, params, query }) =>
      consumerReply(api, query, inVhost(api, user, params.vhost)),
  }),
  route({
    method: "DELETE",
    path: "/api/consumers/:vhost/:connection/:channel/:tag",
    group: "Consumers",
    summary: "Cancels a consumer; its client is told",
    responses: DONE,
    handle(api, { user, params }) {
      const connection = connectionNamed(api, user, params.connection)
      requireOwner(user, connection)
      if (connection.vhostName !== params.vhost) throw notFound()
      if (!connection.cancelConsumer(Number(params.channel), params.tag)) throw notFound()
      return NO_CONTENT
    },
  }),
]
