import { Type } from "./schema.ts"
import type { Static } from "./schema.ts"
import { parseTags } from "../auth/users-file.ts"
import type { User } from "../auth/users.ts"
import type { VhostDescription } from "../broker/administration.ts"
import { VHOST_LIMITS } from "../broker/limits.ts"
import type { VhostMetadata } from "../broker/vhost-store.ts"
import type { Api } from "./api.ts"
import { badRequest, notFound } from "./errors.ts"
import {
  LIST_QUERY,
  listReply,
  listResponses,
  parseColumns,
  pickColumns,
  STATISTICS_QUERY,
} from "./lists.ts"
import {
  COUNT,
  counters,
  FLAG,
  LENGTHS,
  OCTETS,
  OPTIONAL_TEXT,
  TABLE,
  TEXT,
} from "./rates-schema.ts"
import { created, CREATED_OR_UPDATED, DONE, NO_CONTENT, ok, route } from "./route.ts"
import type { Route } from "./route.ts"
import { SAMPLE_QUERY, shownBy } from "./samples.ts"
import type { Shown } from "./samples.ts"
import { CHANNEL_METRICS } from "./statistics.ts"
import { PERMISSION, TOPIC_PERMISSION } from "./users.ts"
import { findVhost, seesVhost } from "./visibility.ts"

/** Vhosts and their limits. */

const VHOST = Type.Object({
  name: TEXT,
  dir: TEXT,
  description: TEXT,
  tags: Type.Array(TEXT),
  default_queue_type: OPTIONAL_TEXT,
  tracing: FLAG,
  metadata: TABLE,
  limits: Type.Record(Type.String(), COUNT),
  cluster_state: TABLE,
  protected_from_deletion: FLAG,
  ...LENGTHS,
  ...OCTETS,
  message_stats: counters(CHANNEL_METRICS),
})

/** What takes a walk over queues and connections. */
async function statisticsOf(
  api: Api,
  name: string,
  shown: Shown,
): Promise<Record<string, unknown>> {
  const { statistics, broker } = api
  const totals = await statistics.messageTotals(broker.vhosts.get(name)?.queues.values() ?? [])
  return {
    ...statistics.lengths([name], totals, shown),
    ...statistics.octets([name], shown),
    message_stats: await statistics.messageStats([name], shown),
  }
}

export function vhostMetadata(vhost: VhostDescription): Record<string, unknown> {
  return {
    description: vhost.description,
    tags: vhost.tags,
    ...(vhost.defaultQueueType === null ? {} : { default_queue_type: vhost.defaultQueueType }),
    ...(vhost.isProtected && { protected_from_deletion: true }),
  }
}

function describeVhost(
  api: Api,
  vhost: VhostDescription,
  statistics: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  return {
    name: vhost.name,
    dir: vhost.dir,
    description: vhost.description,
    tags: vhost.tags,
    default_queue_type: vhost.defaultQueueType,
    tracing: vhost.tracing,
    metadata: vhostMetadata(vhost),
    limits: vhost.limits,
    cluster_state: { [api.node.name]: "running" },
    protected_from_deletion: vhost.isProtected,
    ...statistics,
  }
}

const PUT_VHOST = Type.Object({
  description: Type.Optional(TEXT),
  tags: Type.Optional(
    Type.Union([Type.Array(TEXT), TEXT], { description: "An array, or separated by commas" }),
  ),
  tracing: Type.Optional(Type.Boolean()),
  default_queue_type: Type.Optional(OPTIONAL_TEXT),
  defaultqueuetype: Type.Optional(OPTIONAL_TEXT),
  protected_from_deletion: Type.Optional(Type.Boolean()),
})

export function metadataOf(body: Static<typeof PUT_VHOST>): VhostMetadata {
  const { description, tags, tracing, protected_from_deletion: isProtected } = body
  const type = body.default_queue_type ?? body.defaultqueuetype
  return {
    ...(description === undefined ? {} : { description }),
    ...(tags === undefined ? {} : { tags: parseTags(tags) }),
    ...(tracing === undefined ? {} : { tracing }),
    ...(type === undefined ? {} : { defaultQueueType: type }),
    ...(isProtected === undefined ? {} : { isProtected }),
  }
}

const VHOST_LIMIT = Type.Object({ vhost: TEXT, value: Type.Record(Type.String(), COUNT) })

function limitRows(
  api: Api,
  user: User,
): { vhost: string; value: Readonly<Record<string, number>> }[] {
  return api.administration
    .listVhosts()
    .filter(({ name, limits }) => seesVhost(user, name) && Object.keys(limits).length > 0)
    .map(({ name, limits }) => ({ vhost: name, value: limits }))
}

function checkVhostLimit(name: string): void {
  if (!VHOST_LIMITS.some((known) => known === name))
    throw badRequest(`there is no limit '${name}' (${VHOST_LIMITS.join(", ")})`)
}

export const VHOST_ROUTES: readonly Route[] = [
  route({
    method: "GET",
    path: "/api/vhosts",
    group: "Vhosts",
    summary: "The vhosts that the user can see",
    query: STATISTICS_QUERY,
    responses: listResponses(VHOST),
    async handle(api, { user, query }) {
      const vhosts = api.administration.listVhosts().filter(({ name }) => seesVhost(user, name))
      const statistics = new Map<string, Record<string, unknown>>()
      const shown = shownBy(query, false)
      for (const { name } of vhosts) statistics.set(name, await statisticsOf(api, name, shown))
      return listReply(api.broker.clock, query, {
        items: vhosts,
        nameOf: ({ name }) => name,
        row: (vhost) => describeVhost(api, vhost, statistics.get(vhost.name) ?? {}),
      })
    },
  }),
  route({
    method: "GET",
    path: "/api/vhosts/:vhost",
    group: "Vhosts",
    summary: "One vhost",
    query: Type.Object({ ...SAMPLE_QUERY, columns: Type.Optional(TEXT) }),
    responses: { 200: { doc: "The vhost", schema: VHOST } },
    async handle(api, { user, params, query }) {
      const { name } = findVhost(api.broker, user, params.vhost)
      const statistics = await statisticsOf(api, name, shownBy(query, true))
      const row = describeVhost(api, api.administration.getVhost(name), statistics)
      return ok(pickColumns(row, parseColumns(query.columns)))
    },
  }),
  route({
    method: "PUT",
    path: "/api/vhosts/:vhost",
    group: "Vhosts",
    summary: "Creates a vhost, on which the user then has all permissions, or changes its metadata",
    access: "administrator",
    checksVhost: false,
    body: PUT_VHOST,
    responses: CREATED_OR_UPDATED,
    async handle(api, { user, params, body }) {
      return created(await api.administration.putVhost(params.vhost, metadataOf(body), user.name))
    },
  }),
  route({
    method: "DELETE",
    path: "/api/vhosts/:vhost",
    group: "Vhosts",
    summary: "Deletes a vhost with everything in it; closes its connections",
    access: "administrator",
    responses: DONE,
    async handle(api, { params }) {
      const vhost = api.broker.vhosts.get(params.vhost)
      await api.administration.deleteVhost(params.vhost)
      if (vhost !== undefined) api.statistics.vhostLeaves(vhost)
      api.broker.closedChannels.forget(params.vhost)
      return NO_CONTENT
    },
  }),
  route({
    method: "POST",
    path: "/api/vhosts/:vhost/start/:node",
    group: "Vhosts",
    summary: "Starts a vhost on a node: it runs already",
    access: "administrator",
    responses: DONE,
    handle(api, { params }) {
      if (params.node !== api.node.name) throw notFound()
      return NO_CONTENT
    },
  }),
  ...(["POST", "DELETE"] as const).map((method) =>
    route({
      method,
      path: "/api/vhosts/:vhost/deletion/protection",
      group: "Vhosts",
      summary:
        method === "POST" ? "Protects a vhost from being deleted" : "Takes the protection back",
      access: "administrator",
      responses: DONE,
      async handle(api, { params }) {
        await api.administration.putVhost(params.vhost, { isProtected: method === "POST" })
        return NO_CONTENT
      },
    }),
  ),
  route({
    method: "GET",
    path: "/api/vhosts/:vhost/permissions",
    group: "Vhosts",
    summary: "The permissions on a vhost",
    access: "administrator",
    responses: { 200: { doc: "By user", schema: Type.Array(PERMISSION) } },
    handle: (api, { params }) => ok(api.administration.listPermissions({ vhost: params.vhost })),
  }),
  route({
    method: "GET",
    path: "/api/vhosts/:vhost/topic-permissions",
    group: "Vhosts",
    summary: "The topic permissions on a vhost",
    access: "administrator",
    responses: { 200: { doc: "By user and exchange", schema: Type.Array(TOPIC_PERMISSION) } },
    handle: (api, { params }) =>
      ok(api.administration.listTopicPermissions({ vhost: params.vhost })),
  }),
  route({
    method: "GET",
    path: "/api/vhost-limits",
    group: "Limits",
    summary: "Vhosts that have a limit",
    query: LIST_QUERY,
    responses: listResponses(VHOST_LIMIT),
    handle: (api, { user, query }) =>
      listReply(api.broker.clock, query, {
        items: limitRows(api, user),
        nameOf: ({ vhost }) => vhost,
        row: (limit) => ({ ...limit }),
      }),
  }),
  route({
    method: "GET",
    path: "/api/vhost-limits/:vhost",
    group: "Limits",
    summary: "The limits of a vhost",
    responses: { 200: { doc: "One row, or none", schema: Type.Array(VHOST_LIMIT) } },
    handle: (api, { user, params }) =>
      ok(limitRows(api, user).filter(({ vhost }) => vhost === params.vhost)),
  }),
  route({
    method: "PUT",
    path: "/api/vhost-limits/:vhost/:limit",
    group: "Limits",
    summary: "Limits a vhost: max-connections, max-queues; a negative value removes the limit",
    access: "administrator",
    body: Type.Object({ value: Type.Integer() }),
    responses: DONE,
    async handle(api, { params, body }) {
      checkVhostLimit(params.limit)
      await api.administration.setVhostLimit(params.vhost, params.limit, body.value)
      return NO_CONTENT
    },
  }),
  route({
    method: "DELETE",
    path: "/api/vhost-limits/:vhost/:limit",
    group: "Limits",
    summary: "Removes a limit of a vhost",
    access: "administrator",
    responses: DONE,
    async handle(api, { params }) {
      checkVhostLimit(params.limit)
      await api.administration.setVhostLimit(params.vhost, params.limit, -1)
      return NO_CONTENT
    },
  }),
]
