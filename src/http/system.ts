import { availableParallelism } from "node:os"
import { getHeapCodeStatistics } from "node:v8"
import { Type } from "./schema.ts"
import type { Static } from "./schema.ts"
import { PasswordHash } from "../auth/password-hash.ts"
import { EXCHANGE_TYPES } from "../broker/exchange/exchange-type.ts"
import { GLOBAL_COMPONENT } from "../broker/parameters.ts"
import type { Api } from "./api.ts"
import { badRequest, notFound } from "./errors.ts"
import { parseColumns, pickColumns } from "./lists.ts"
import { COUNT, counters, FLAG, LENGTHS, OPTIONAL_TEXT, RATE, TABLE, TEXT } from "./rates-schema.ts"
import { DONE, NO_CONTENT, ok, route } from "./route.ts"
import type { ApiRequest, Route } from "./route.ts"
import { RATES_ONLY, SAMPLE_QUERY, shownBy } from "./samples.ts"
import type { Shown } from "./samples.ts"
import { CHANNEL_METRICS, CHURN_METRICS } from "./statistics.ts"
import { findVhost, hasTag, visibleConnections, visibleVhosts } from "./visibility.ts"

/** The broker as a whole: overview, node, who is asking, and what RabbitMQ's tools ask before anything else. */

const OVERVIEW_QUERY = Type.Object({ ...SAMPLE_QUERY, columns: Type.Optional(TEXT) })

const WHOAMI = Type.Object({ name: TEXT, tags: Type.Array(TEXT), is_internal_user: FLAG })

const LISTENER = Type.Object({ node: TEXT, protocol: TEXT, ip_address: TEXT, port: COUNT })

const OVERVIEW = Type.Object({
  management_version: TEXT,
  product_name: TEXT,
  product_version: TEXT,
  rabbitmq_version: TEXT,
  sluice_version: TEXT,
  cluster_name: TEXT,
  node: TEXT,
  uptime: Type.Integer({ description: "Seconds" }),
  rates_mode: TEXT,
  object_totals: Type.Object({
    channels: COUNT,
    connections: COUNT,
    consumers: COUNT,
    exchanges: COUNT,
    queues: COUNT,
    bindings: COUNT,
  }),
  queue_totals: Type.Object({
    ...LENGTHS,
    messages_log: Type.Array(Type.Number()),
    messages_ready_log: Type.Array(Type.Number()),
    messages_unacknowledged_log: Type.Array(Type.Number()),
  }),
  message_stats: counters(CHANNEL_METRICS),
  churn_rates: Type.Optional(counters(CHURN_METRICS)),
  recv_oct: Type.Optional(COUNT),
  recv_oct_details: Type.Optional(RATE),
  send_oct: Type.Optional(COUNT),
  send_oct_details: Type.Optional(RATE),
  exchange_types: Type.Array(Type.Object({ name: TEXT, enabled: FLAG })),
  listeners: Type.Optional(Type.Array(LISTENER)),
  contexts: Type.Array(Type.Unknown()),
})

/** The version that RabbitMQ's tools compare with what they need: what the API is like. */
const COMPATIBLE_VERSION = "4.1.0"

async function overview(
  api: Api,
  request: ApiRequest<string, Static<typeof OVERVIEW_QUERY>>,
): Promise<Record<string, unknown>> {
  const { broker, statistics, node } = api
  const header = request.header("x-vhost") ?? ""
  const one = header === "" ? null : findVhost(broker, request.user, decodeHeader(header))
  const vhosts = one === null ? visibleVhosts(broker, request.user) : [one]
  const seesAll = one === null && hasTag(request.user, "monitoring")
  const names = seesAll ? null : vhosts.map(({ name }) => name)
  const shown = shownBy(request.query, true)
  let ready = 0
  let unacked = 0
  const totals = { channels: 0, connections: 0, consumers: 0, exchanges: 0, queues: 0, bindings: 0 }
  for (const vhost of vhosts) {
    totals.exchanges += vhost.exchanges.size
    totals.queues += vhost.queues.size
    for (const exchange of vhost.exchanges.values()) totals.bindings += exchange.bindings.size
    const messages = await statistics.messageTotals(vhost.queues.values())
    ready += messages.ready
    unacked += messages.unacked
    totals.consumers += messages.consumers
  }
  for (const connection of visibleConnections(broker, request.user)) {
    if (one !== null && connection.vhostName !== one.name) continue
    totals.connections++
    totals.channels += connection.channelCount
  }
  const log = seesAll ? statistics.messageLogs() : { messages: [], ready: [], unacked: [] }
  const reply: Record<string, unknown> = {
    management_version: COMPATIBLE_VERSION,
    product_name: "Sluice",
    product_version: node.version,
    rabbitmq_version: COMPATIBLE_VERSION,
    // There is none; clients take it for granted that the field is there.
    erlang_version: "",
    erlang_full_version: "",
    sluice_version: node.version,
    cluster_name: clusterName(api),
    node: node.name,
    uptime: Math.floor(uptimeMs(api) / 1000),
    rates_mode: "basic",
    statistics_db_event_queue: 0,
    object_totals: totals,
    queue_totals: {
      ...statistics.lengths(names, { ready, unacked, consumers: totals.consumers }, shown),
      messages_log: log.messages,
      messages_ready_log: log.ready,
      messages_unacknowledged_log: log.unacked,
    },
    message_stats: await statistics.messageStats(names, shown),
    exchange_types: EXCHANGE_TYPES.map((name) => ({ name, description: "", enabled: true })),
    contexts: [],
  }
  if (!seesAll) return reply
  return {
    ...reply,
    churn_rates: statistics.churn(shownBy(request.query, false)),
    ...statistics.octets(null, shown),
    listeners: node.listeners().map((listener) => Object.assign({ node: node.name }, listener)),
  }
}

function decodeHeader(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw badRequest("the header x-vhost cannot be decoded")
  }
}

function uptimeMs(api: Api): number {
  const { clock } = api.broker
  clock.refresh()
  return Math.max(0, clock.nowMs - api.node.startedAtMs)
}

/** By its host alone: tools for RabbitMQ take it for granted that the part before it is `rabbit`. */
export function checkNode({ node }: Api, name: string): void {
  if (hostOf(name) !== hostOf(node.name)) throw notFound()
}

function hostOf(name: string): string {
  return name.slice(name.indexOf("@") + 1)
}

export function clusterName(api: Api): string {
  const value = api.broker.globalParameters.get(GLOBAL_COMPONENT, "cluster_name")?.value
  return typeof value === "string" ? value : api.broker.clusterName
}

const NODE = Type.Object({
  name: TEXT,
  type: TEXT,
  running: FLAG,
  uptime: Type.Integer({ description: "Milliseconds" }),
  os_pid: TEXT,
  processors: COUNT,
  mem_used: COUNT,
  mem_limit: COUNT,
  mem_alarm: FLAG,
  disk_free: COUNT,
  disk_free_limit: COUNT,
  disk_free_alarm: FLAG,
  db_dir: OPTIONAL_TEXT,
  proc_used: COUNT,
  proc_total: COUNT,
  run_queue: COUNT,
  sockets_used: COUNT,
  sockets_total: COUNT,
  partitions: Type.Array(TEXT),
  fd_used: COUNT,
  fd_total: COUNT,
  io_read_count: COUNT,
  io_read_bytes: COUNT,
  io_write_count: COUNT,
  io_write_bytes: COUNT,
  io_sync_count: COUNT,
  io_sync_avg_time: Type.Number({ description: "Milliseconds" }),
  event_loop_delay_p99: Type.Number({
    description:
      "Milliseconds, of the last minute: how long the broker's thread was busy elsewhere",
  }),
  confirm_latency_p99: Type.Number({
    description: "Milliseconds, of the last minute: from publish to confirm",
  }),
  certificates: Type.Array(
    Type.Object({
      protocol: TEXT,
      host: Type.String({
        description: "The host name that clients ask for; empty for all others",
      }),
      subject: TEXT,
      not_after: Type.Integer({ description: "Milliseconds since 1970" }),
    }),
  ),
})

async function describeNode(api: Api, shown: Shown): Promise<Record<string, unknown>> {
  const { broker, node } = api
  const figures = await api.metrics.nodeFigures.read()
  const connectionsMax = node.maxConnections === 0 ? figures["fd_total"] : node.maxConnections
  return {
    name: node.name,
    type: "disc",
    running: true,
    uptime: uptimeMs(api),
    os_pid: String(process.pid),
    processors: availableParallelism(),
    mem_limit: node.memory.limitBytes === 0 ? node.memory.totalBytes : node.memory.limitBytes,
    mem_alarm: broker.alarms.has("memory"),
    mem_calculation_strategy: "rss",
    disk_free_limit: node.freeDiskMinBytes,
    disk_free_alarm: broker.alarms.has("disk"),
    db_dir: node.dataDirectory,
    // One for each connection, as in RabbitMQ, and the broker's own.
    proc_used: broker.connections.size + 1,
    proc_total: connectionsMax,
    run_queue: 0,
    sockets_used: broker.connections.size,
    sockets_total: connectionsMax,
    rates_mode: "basic",
    partitions: [],
    being_drained: false,
    cluster_links: [],
    enabled_plugins: ["rabbitmq_management"],
    exchange_types: EXCHANGE_TYPES.map((name) => ({ name, description: "", enabled: true })),
    auth_mechanisms: ["PLAIN", "AMQPLAIN"].map((name) => ({
      name,
      description: "",
      enabled: true,
    })),
    // The second is how tools find out what the API is compatible with.
    applications: [
      { name: "sluice", description: "Sluice", version: node.version },
      { name: "rabbit", description: "RabbitMQ", version: COMPATIBLE_VERSION },
    ],
    contexts: [],
    certificates: node.certificates().map(({ protocol, host, subject, notAfterMs }) => ({
      protocol,
      host,
      subject,
      not_after: notAfterMs,
    })),
    ...figures,
    ...api.statistics.node(shown),
    ...api.statistics.churn(RATES_ONLY),
  }
}

/** Kinds of processes and tables that RabbitMQ counts apart, and that are in one heap here. */
const NOT_APART = [
  "connection_readers",
  "connection_writers",
  "connection_channels",
  "connection_other",
  "queue_procs",
  "quorum_queue_procs",
  "stream_queue_procs",
  "plugins",
  "metadata_store",
  "metrics",
  "mgmt_db",
  "mnesia",
  "quorum_ets",
  "metadata_store_ets",
  "other_ets",
  "msg_index",
  "atom",
  "reserved_unallocated",
] as const

/** RabbitMQ's names; together they are what the process has. */
function memoryParts(): Record<string, number> {
  const { rss, heapUsed, heapTotal, external } = process.memoryUsage()
  const { code_and_metadata_size: machineCode, bytecode_and_metadata_size: byteCode } =
    getHeapCodeStatistics()
  const code = machineCode + byteCode
  return {
    ...Object.fromEntries(NOT_APART.map((name) => [name, 0])),
    binary: external,
    code,
    other_proc: Math.max(0, heapUsed - code),
    allocated_unused: heapTotal - heapUsed,
    other_system: Math.max(0, rss - heapTotal - external),
  }
}

/** What RabbitMQ 4 cannot be without; tools ask whether it is there. */
const FEATURE_FLAGS = [
  "classic_queue_type_delivery_support",
  "quorum_queue",
  "stream_queue",
  "stream_filtering",
  "user_limits",
  "detailed_queues_endpoint",
]

export const SYSTEM_ROUTES: readonly Route[] = [
  route({
    method: "GET",
    path: "/api/overview",
    group: "Broker",
    summary: "Totals, rates and versions; with the header x-vhost of one vhost",
    query: OVERVIEW_QUERY,
    responses: { 200: { doc: "The overview", schema: OVERVIEW } },
    async handle(api, request) {
      const body = await overview(api, request)
      return ok(pickColumns(body, parseColumns(request.query.columns)))
    },
  }),
  route({
    method: "GET",
    path: "/api/whoami",
    group: "Broker",
    summary: "The user that asks",
    responses: { 200: { doc: "The user", schema: WHOAMI } },
    handle: (_api, { user }) => ok({ name: user.name, tags: user.tags, is_internal_user: true }),
  }),
  route({
    method: "GET",
    path: "/api/version",
    group: "Broker",
    summary: "The version of the API that it is compatible with",
    responses: { 200: { doc: "The version", schema: TEXT } },
    handle: () => ok(COMPATIBLE_VERSION),
  }),
  route({
    method: "GET",
    path: "/api/nodes",
    group: "Broker",
    summary: "The nodes: this one",
    access: "monitoring",
    query: OVERVIEW_QUERY,
    responses: { 200: { doc: "One node", schema: Type.Array(NODE) } },
    async handle(api, { query }) {
      const node = await describeNode(api, shownBy(query, true))
      return ok([pickColumns(node, parseColumns(query.columns))])
    },
  }),
  route({
    method: "GET",
    path: "/api/nodes/:node",
    group: "Broker",
    summary: "The node of this name",
    access: "monitoring",
    query: OVERVIEW_QUERY,
    responses: { 200: { doc: "The node", schema: NODE } },
    async handle(api, { params, query }) {
      checkNode(api, params.node)
      const node = await describeNode(api, shownBy(query, true))
      return ok(pickColumns(node, parseColumns(query.columns)))
    },
  }),
  route({
    method: "GET",
    path: "/api/nodes/:node/memory",
    group: "Broker",
    summary: "What memory is used for",
    access: "monitoring",
    responses: { 200: { doc: "Bytes", schema: Type.Object({ memory: TABLE }) } },
    handle(api, { params }) {
      checkNode(api, params.node)
      const { rss, heapUsed, heapTotal, external, arrayBuffers } = process.memoryUsage()
      const allocated = heapTotal + external
      return ok({
        memory: {
          ...memoryParts(),
          heap_used: heapUsed,
          heap_total: heapTotal,
          external,
          array_buffers: arrayBuffers,
          total: { rss, allocated, erlang: allocated },
          strategy: "rss",
        },
      })
    },
  }),
  route({
    method: "GET",
    path: "/api/nodes/:node/memory/relative",
    group: "Broker",
    summary: "What memory is used for, in per cent",
    access: "monitoring",
    responses: { 200: { doc: "Per cent of the whole", schema: Type.Object({ memory: TABLE }) } },
    handle(api, { params }) {
      checkNode(api, params.node)
      const parts = Object.entries(memoryParts())
      const whole = parts.reduce((sum, [, size]) => sum + size, 0)
      const shares = parts.map(([name, size]) => [name, Math.round((100 * size) / whole)] as const)
      return ok({ memory: { ...Object.fromEntries(shares), total: 100 } })
    },
  }),
  route({
    method: "GET",
    path: "/api/cluster-name",
    group: "Broker",
    summary: "The name of the cluster",
    responses: { 200: { doc: "The name", schema: Type.Object({ name: TEXT }) } },
    handle: (api) => ok({ name: clusterName(api) }),
  }),
  route({
    method: "PUT",
    path: "/api/cluster-name",
    group: "Broker",
    summary: "Names the cluster",
    access: "administrator",
    body: Type.Object({ name: Type.String({ minLength: 1, maxLength: 255 }) }),
    responses: DONE,
    async handle(api, { body }) {
      await api.broker.globalParameters.set(GLOBAL_COMPONENT, "cluster_name", body.name)
      return NO_CONTENT
    },
  }),
  route({
    method: "GET",
    path: "/api/extensions",
    group: "Broker",
    summary: "Plugins of the management: none",
    responses: { 200: { doc: "An empty array", schema: Type.Array(TABLE) } },
    handle: () => ok([]),
  }),
  route({
    method: "GET",
    path: "/api/feature-flags",
    group: "Broker",
    summary: "RabbitMQ's feature flags that are served, all enabled",
    responses: {
      200: { doc: "Feature flags", schema: Type.Array(Type.Object({ name: TEXT, state: TEXT })) },
    },
    handle: () =>
      ok(
        FEATURE_FLAGS.map((name) => ({
          name,
          state: "enabled",
          stability: "required",
          desc: "",
          doc_url: "",
          provided_by: "sluice",
        })),
      ),
  }),
  route({
    method: "PUT",
    path: "/api/feature-flags/:name/enable",
    group: "Broker",
    summary: "Enables a feature flag: all are",
    access: "administrator",
    responses: DONE,
    handle(_api, { params }) {
      if (!FEATURE_FLAGS.includes(params.name)) throw badRequest("unsupported")
      return NO_CONTENT
    },
  }),
  route({
    method: "GET",
    path: "/api/deprecated-features",
    group: "Broker",
    summary: "RabbitMQ's deprecated features: none",
    responses: { 200: { doc: "An empty array", schema: Type.Array(TABLE) } },
    handle: () => ok([]),
  }),
  route({
    method: "GET",
    path: "/api/deprecated-features/used",
    group: "Broker",
    summary: "RabbitMQ's deprecated features that are in use: none",
    responses: { 200: { doc: "An empty array", schema: Type.Array(TABLE) } },
    handle: () => ok([]),
  }),
  route({
    method: "GET",
    path: "/api/auth",
    group: "Broker",
    summary: "How to log in, for a user interface",
    access: "open",
    responses: { 200: { doc: "No OAuth", schema: Type.Object({ oauth_enabled: FLAG }) } },
    handle: () => ok({ oauth_enabled: false }),
  }),
  route({
    method: "GET",
    path: "/api/auth/hash_password/:password",
    group: "Users",
    summary: "The hash of a password, salted, SHA-256",
    responses: { 200: { doc: "The hash", schema: Type.Object({ ok: TEXT }) } },
    handle: (api, { params }) => ok({ ok: hashOf(api, params.password) }),
  }),
  route({
    method: "PUT",
    path: "/api/auth/hash_password",
    group: "Users",
    summary: "The hash of a password, salted, SHA-256",
    body: Type.Object({ password: TEXT }),
    responses: { 200: { doc: "The hash", schema: Type.Object({ password_hash: TEXT }) } },
    handle: (api, { body }) => ok({ password_hash: hashOf(api, body.password) }),
  }),
]

function hashOf(api: Api, password: string): string {
  return PasswordHash.create(password, api.broker.random).toString()
}
