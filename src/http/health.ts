import { Type } from "./schema.ts"
import { queueTypeOf } from "../broker/queue-type.ts"
import type { Vhost } from "../broker/vhost.ts"
import type { Api } from "./api.ts"
import { badRequest, notFound } from "./errors.ts"
import { regexFilter } from "./filter.ts"
import { TEXT } from "./rates-schema.ts"
import { ok, route } from "./route.ts"
import type { Reply, ResponseDoc, Route } from "./route.ts"
import { findVhost, visibleVhosts } from "./visibility.ts"

/** Health checks, for load balancers and monitors: 200 if all is well, 503 with a reason if not. */

const HEALTHY: Readonly<Record<number, ResponseDoc>> = {
  200: { doc: "All is well", schema: Type.Object({ status: Type.String({ enum: ["ok"] }) }) },
}

const OK: Reply = ok({ status: "ok" })
const SINGLE_NODE: Reply = ok({ status: "ok", reason: "single node cluster" })

function failed(reason: string, details: Readonly<Record<string, unknown>> = {}): Reply {
  return { status: 503, body: { status: "failed", reason, ...details } }
}

function alarms(api: Api): Reply {
  const { raised } = api.broker.alarms
  if (raised.length === 0) return OK
  return failed("There are alarms in effect", {
    alarms: raised.map((resource) => ({
      node: api.node.name,
      resource,
      reason: `low on ${resource}`,
    })),
  })
}

function vhosts(api: Api): Reply {
  const down = [...api.broker.vhosts.values()].filter(({ isLogFailed }) => isLogFailed)
  if (down.length === 0) return OK
  return failed("Some virtual hosts cannot be written to disk", {
    "virtual-hosts": down.map(({ name }) => name),
  })
}

function portListener(api: Api, text: string): Reply {
  const port = Number(text)
  if (!/^\d{1,5}$/.test(text)) throw badRequest("Invalid port: it is not a number")
  const ports = api.node.listeners().map((listener) => listener.port)
  if (ports.includes(port)) return ok({ status: "ok", port })
  return failed("No active listener", { missing: port, ports })
}

const PROTOCOLS: Readonly<Record<string, string>> = {
  amqp091: "amqp",
  "amqp0.9.1": "amqp",
  "amqp0-9-1": "amqp",
  "amqp/ssl": "amqps",
  "amqp091/ssl": "amqps",
  "http/ssl": "https",
  management: "http",
}

/** Of several, separated by commas, each must have a listener. */
function protocolListener(api: Api, text: string): Reply {
  const protocols = [...new Set(api.node.listeners().map(({ protocol }) => protocol))]
  const missing = text
    .split(",")
    .map((name) => name.trim().toLowerCase())
    .map((name) => (Object.hasOwn(PROTOCOLS, name) ? PROTOCOLS[name] : name) ?? name)
    .filter((name) => !protocols.includes(name))
  if (missing.length === 0) return ok({ status: "ok", protocol: text })
  return failed("No active listener", { missing, protocols })
}

/** The leader of each is this node; one that the disk fails does not do the work of a leader. */
function quorumQueues(among: readonly Vhost[], pattern: string | null): Reply {
  const faulty = among.flatMap(({ queues }) =>
    [...queues.values()].filter(
      (queue) => queue.fault !== null && queueTypeOf(queue.arguments) === "quorum",
    ),
  )
  const verdicts =
    pattern === null ? null : regexFilter(pattern).test(faulty.map(({ name }) => name))
  const found = faulty.filter((_, index) => verdicts?.[index] ?? true)
  if (found.length === 0) return OK
  return failed("Some quorum queues are without an elected leader", {
    queues: found.map(({ name, vhostName }) => ({
      name,
      virtual_host: vhostName,
      type: "rabbit_quorum_queue",
      readable_name: `queue '${name}' in vhost '${vhostName}'`,
    })),
  })
}

const WITHOUT_LEADER = "/api/health/checks/quorum-queues-without-elected-leaders"

const QUORUM_QUEUE_ROUTES: readonly Route[] = [
  ...(
    [`${WITHOUT_LEADER}/all-vhosts`, `${WITHOUT_LEADER}/all-vhosts/pattern/:pattern`] as const
  ).map((path) =>
    route({
      method: "GET",
      path,
      group: "Health",
      summary: "The quorum queues of all vhosts, or those that match, can be used",
      responses: HEALTHY,
      handle: (api, { user, params }) =>
        quorumQueues(visibleVhosts(api.broker, user), params.pattern ?? null),
    }),
  ),
  ...(
    [`${WITHOUT_LEADER}/vhost/:vhost`, `${WITHOUT_LEADER}/vhost/:vhost/pattern/:pattern`] as const
  ).map((path) =>
    route({
      method: "GET",
      path,
      group: "Health",
      summary: "The quorum queues of a vhost, or those that match, can be used",
      responses: HEALTHY,
      handle: (api, { user, params }) =>
        quorumQueues([findVhost(api.broker, user, params.vhost)], params.pattern ?? null),
    }),
  ),
]

function connectionLimit(api: Api): Reply {
  const { connectionCount } = api.broker.admission
  const { maxConnections } = api.node
  const details = {
    current: connectionCount,
    limit: maxConnections === 0 ? "infinity" : maxConnections,
  }
  if (maxConnections !== 0 && connectionCount >= maxConnections)
    return failed("The node has as many connections as it may have", details)
  return ok({ status: "ok", ...details })
}

const UNIT_DAYS: Readonly<Record<string, number>> = { day: 1, week: 7, month: 30, year: 365 }

/** As RabbitMQ's: months have 30 days. A node without TLS has none that could expire. */
function certificateExpiration(api: Api, within: string, unit: string): Reply {
  const days = UNIT_DAYS[unit.toLowerCase().replace(/s$/, "")]
  if (!/^\d{1,6}$/.test(within)) throw badRequest("Invalid expiration window: it is not a number")
  if (days === undefined)
    throw badRequest("Invalid time unit: it is not one of days, weeks, months and years")
  const { clock } = api.broker
  clock.refresh()
  const endMs = clock.nowMs + Number(within) * days * 86_400_000
  const expired = api.node
    .certificates()
    .filter(({ notAfterMs }) => notAfterMs <= endMs)
    .map(({ protocol, host, subject, notAfterMs }) => ({
      node: api.node.name,
      protocol,
      host,
      subject,
      certfile_expires_on: new Date(notAfterMs).toISOString(),
    }))
  return expired.length === 0 ? OK : failed("Certificates expiring", { expired })
}

function isServing(api: Api): Reply {
  if (api.node.listeners().some(({ protocol }) => protocol.startsWith("amqp"))) return OK
  return failed("No listener for clients")
}

/** Path behind /api/health/checks, summary and check. */
const CHECKS: readonly (readonly [string, string, (api: Api) => Reply])[] = [
  ["alarms", "No alarm is in effect", alarms],
  ["local-alarms", "No alarm is in effect on this node", alarms],
  ["virtual-hosts", "All vhosts run and can be written", vhosts],
  ["below-node-connection-limit", "One more connection is possible", connectionLimit],
  ["ready-to-serve-clients", "Clients can connect", isServing],
  ["is-in-service", "The node is not being drained", isServing],
  ["node-is-quorum-critical", "The node may stop: no quorum depends on it", () => SINGLE_NODE],
  ["reached-target-cluster-size", "All nodes of the cluster are there", () => OK],
  ["node-is-mirror-sync-critical", "The node may stop: no mirror depends on it", () => OK],
  ["metadata-store/initialized", "The definitions are loaded", () => OK],
  ["metadata-store/initialized/with-data", "The definitions are loaded", () => OK],
]

export const HEALTH_ROUTES: readonly Route[] = [
  ...CHECKS.map(([name, summary, check]) =>
    route({
      method: "GET",
      path: `/api/health/checks/${name}`,
      group: "Health",
      summary,
      responses: HEALTHY,
      handle: (api) => check(api),
    }),
  ),
  route({
    method: "GET",
    path: "/api/health/checks/port-listener/:port",
    group: "Health",
    summary: "Something listens on the port",
    responses: HEALTHY,
    handle: (api, { params }) => portListener(api, params.port),
  }),
  route({
    method: "GET",
    path: "/api/health/checks/protocol-listener/:protocol",
    group: "Health",
    summary: "Something listens for each of the protocols, separated by commas",
    responses: HEALTHY,
    handle: (api, { params }) => protocolListener(api, params.protocol),
  }),
  route({
    method: "GET",
    path: "/api/health/checks/certificate-expiration/:within/:unit",
    group: "Health",
    summary: "No certificate of a listener expires within so many days, weeks, months or years",
    responses: HEALTHY,
    handle: (api, { params }) => certificateExpiration(api, params.within, params.unit),
  }),
  ...QUORUM_QUEUE_ROUTES,
  route({
    method: "GET",
    path: "/api/healthchecks/node",
    group: "Health",
    summary: "As RabbitMQ's old health check: alarms and vhosts",
    responses: HEALTHY,
    handle: (api) => nodeHealth(api),
  }),
  route({
    method: "GET",
    path: "/api/healthchecks/node/:node",
    group: "Health",
    summary: "As RabbitMQ's old health check: alarms and vhosts",
    responses: HEALTHY,
    handle(api, { params }) {
      if (params.node !== api.node.name) throw notFound()
      return nodeHealth(api)
    },
  }),
  route({
    method: "GET",
    path: "/api/aliveness-test/:vhost",
    group: "Health",
    summary: "The vhost runs and can be written",
    responses: { 200: { doc: "It does", schema: Type.Object({ status: TEXT }) } },
    handle(api, { params }) {
      const vhost = api.broker.vhosts.get(params.vhost)
      if (vhost === undefined) throw notFound()
      return vhost.isLogFailed ? failed("The vhost cannot be written to disk") : OK
    },
  }),
]

function nodeHealth(api: Api): Reply {
  const first = alarms(api)
  return first === OK ? vhosts(api) : first
}
