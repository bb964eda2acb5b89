import { Type } from "./schema.ts"
import type { User } from "../auth/users.ts"
import type { Vhost } from "../broker/vhost.ts"
import { redactedUri } from "../links/link-uri.ts"
import type { LinkState } from "../links/link-status.ts"
import { protocolOf } from "../links/shovel/shovel.ts"
import type { Shovel } from "../links/shovel/shovel.ts"
import { SHOVEL_COMPONENT } from "../links/shovel/shovels.ts"
import type { Api } from "./api.ts"
import { HttpError, notFound } from "./errors.ts"
import { LIST_QUERY, listReply, listResponses } from "./lists.ts"
import { TEXT } from "./rates-schema.ts"
import { DONE, NO_CONTENT, ok, route } from "./route.ts"
import type { ApiRequest, Reply, Route } from "./route.ts"
import { checkMayChange, findVhost, visibleVhosts } from "./visibility.ts"

/** How the shovels do, and what operators may do with them: RabbitMQ's paths, and LavinMQ's. */

const NUMBER = Type.Number()
const OPTIONAL_TEXT = Type.Union([TEXT, Type.Null()])

const SHOVEL = Type.Object({
  name: TEXT,
  vhost: TEXT,
  type: TEXT,
  node: TEXT,
  state: TEXT,
  status: TEXT,
  blocked_status: TEXT,
  error: OPTIONAL_TEXT,
  timestamp: TEXT,
  message_count: NUMBER,
  src_uri: TEXT,
  dest_uri: TEXT,
  forwarded: NUMBER,
  confirmed: NUMBER,
  returned: NUMBER,
  rejected: NUMBER,
  bytes: NUMBER,
  message_rate: NUMBER,
  byte_rate: NUMBER,
  pending: NUMBER,
  remaining: Type.Unknown({ description: "Messages until it ends by itself, or unlimited" }),
  lag: Type.Union([NUMBER, Type.Null()]),
  reconnects: NUMBER,
  next_attempt_in: Type.Union([NUMBER, Type.Null()]),
})

/** LavinMQ's words. */
const STATES: Readonly<Record<LinkState, string>> = {
  starting: "Starting",
  running: "Running",
  error: "Error",
  paused: "Paused",
  terminated: "Terminated",
  stopped: "Stopped",
}

function present(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null))
}

function describe(api: Api, shovel: Shovel): Record<string, unknown> {
  const { status, config, name, vhostName } = shovel
  const { counters, nextAttemptAtMs } = status
  const { source, destination } = config
  const { nowMs } = api.broker.clock
  const remaining = shovel.remaining ?? "unlimited"
  return {
    name,
    vhost: vhostName,
    type: "dynamic",
    node: api.node.name,
    state: STATES[status.state],
    status: status.state,
    blocked_status: shovel.blockedStatus,
    error: status.error,
    timestamp: new Date(status.sinceMs).toISOString().slice(0, 19).replace("T", " "),
    message_count: counters.forwarded,
    src_protocol: protocolOf(source.uris),
    src_uri: shovel.sourceUri ?? redactedUri(source.uris[0] ?? ""),
    ...present({
      src_queue: source.queue,
      src_exchange: source.exchange,
      src_exchange_key: source.exchange === null ? null : source.exchangeKey,
    }),
    dest_protocol: protocolOf(destination.uris),
    dest_uri: shovel.destinationUri ?? redactedUri(destination.uris[0] ?? ""),
    ...(destination.kind === "http"
      ? {}
      : present({
          dest_queue: destination.queue,
          dest_exchange: destination.exchange,
          dest_exchange_key: destination.exchangeKey,
        })),
    ack_mode: config.ackMode,
    prefetch_count: config.prefetch,
    reconnect_delay: config.reconnectDelayMs / 1000,
    delete_after: config.deleteAfter,
    forwarded: counters.forwarded,
    confirmed: counters.confirmed,
    returned: counters.returned,
    rejected: counters.rejected,
    bytes: counters.bytes,
    message_rate: Math.round(counters.messageRate * 10) / 10,
    byte_rate: Math.round(counters.byteRate),
    pending: shovel.pendingCount,
    remaining,
    remaining_unacked: remaining,
    lag: shovel.lag,
    reconnects: status.reconnectCount,
    next_attempt_in:
      nextAttemptAtMs === null ? null : Math.max(0, Math.round((nextAttemptAtMs - nowMs) / 1000)),
  }
}

function list(
  api: Api,
  query: Parameters<typeof listReply>[1],
  vhosts: readonly Vhost[],
): Promise<Reply> {
  return listReply(api.broker.clock, query, {
    items: vhosts.flatMap((vhost) => api.links.shovels.list(vhost)),
    nameOf: ({ name }) => name,
    row: (shovel) => describe(api, shovel),
  })
}

interface Found {
  readonly vhost: Vhost
  readonly shovel: Shovel
}

function find(api: Api, user: User, vhostName: string, name: string): Found {
  const vhost = findVhost(api.broker, user, vhostName)
  const shovel = api.links.shovels.get(vhost, name)
  if (shovel === null) throw notFound()
  return { vhost, shovel }
}

type Steered = Pick<ApiRequest<"vhost" | "name">, "user" | "params">

function toSteer(api: Api, { user, params }: Steered): Found {
  const found = find(api, user, params.vhost, params.name)
  checkMayChange(user, params.vhost)
  return found
}

/** 422 in a state in which that makes no sense, as LavinMQ answers. */
function checkState({ status }: Shovel, verb: string, refused: readonly LinkState[]): void {
  if (refused.includes(status.state))
    throw new HttpError(422, "unprocessable", `cannot ${verb} a shovel that is ${status.state}`)
}

async function restart(api: Api, request: Steered): Promise<Reply> {
  const { shovel } = toSteer(api, request)
  checkState(shovel, "restart", ["paused", "stopped"])
  await api.links.shovels.restart(shovel)
  return NO_CONTENT
}

const policymaker = { access: "policymaker", group: "Shovels" } as const
const STEERED = {
  ...DONE,
  422: { doc: "Not in this state", schema: Type.Object({ error: TEXT, reason: TEXT }) },
}
const ONE = { 200: { doc: "The shovel", schema: SHOVEL } }

export const SHOVEL_ROUTES: readonly Route[] = [
  route({
    ...policymaker,
    method: "GET",
    path: "/api/shovels",
    summary: "The shovels of all vhosts that the user can see, and how they do",
    query: LIST_QUERY,
    responses: listResponses(SHOVEL),
    handle: (api, { user, query }) => list(api, query, visibleVhosts(api.broker, user)),
  }),
  route({
    ...policymaker,
    method: "GET",
    path: "/api/shovels/:vhost",
    summary: "The shovels of a vhost",
    query: LIST_QUERY,
    responses: listResponses(SHOVEL),
    handle: (api, { user, params, query }) =>
      list(api, query, [findVhost(api.broker, user, params.vhost)]),
  }),
  route({
    ...policymaker,
    method: "GET",
    path: "/api/shovels/vhost/:vhost/:name",
    summary: "One shovel (RabbitMQ's path)",
    responses: ONE,
    handle: (api, { user, params }) =>
      ok(describe(api, find(api, user, params.vhost, params.name).shovel)),
  }),
  route({
    ...policymaker,
    method: "DELETE",
    path: "/api/shovels/vhost/:vhost/:name",
    summary: "Deletes a shovel with its parameter",
    responses: DONE,
    async handle(api, request) {
      const { vhost, shovel } = toSteer(api, request)
      await vhost.parameters.delete(SHOVEL_COMPONENT, shovel.name)
      return NO_CONTENT
    },
  }),
  route({
    ...policymaker,
    method: "DELETE",
    path: "/api/shovels/vhost/:vhost/:name/restart",
    summary: "Lets a shovel connect anew (RabbitMQ's path)",
    responses: STEERED,
    handle: restart,
  }),
  route({
    ...policymaker,
    method: "GET",
    path: "/api/shovels/:vhost/:name",
    summary: "One shovel",
    responses: ONE,
    handle: (api, { user, params }) =>
      ok(describe(api, find(api, user, params.vhost, params.name).shovel)),
  }),
  route({
    ...policymaker,
    method: "PUT",
    path: "/api/shovels/:vhost/:name/pause",
    summary: "Pauses a shovel, also over restarts of the broker, until it is resumed",
    responses: STEERED,
    async handle(api, request) {
      const { vhost, shovel } = toSteer(api, request)
      checkState(shovel, "pause", ["paused", "terminated", "stopped"])
      await api.links.shovels.pause(vhost, shovel)
      return NO_CONTENT
    },
  }),
  route({
    ...policymaker,
    method: "PUT",
    path: "/api/shovels/:vhost/:name/resume",
    summary: "Lets a paused shovel go on",
    responses: STEERED,
    async handle(api, request) {
      const { vhost, shovel } = toSteer(api, request)
      checkState(shovel, "resume", ["starting", "running", "error", "terminated", "stopped"])
      await api.links.shovels.resume(vhost, shovel)
      return NO_CONTENT
    },
  }),
  route({
    ...policymaker,
    method: "PUT",
    path: "/api/shovels/:vhost/:name/restart",
    summary: "Lets a shovel connect anew",
    responses: STEERED,
    handle: restart,
  }),
]
