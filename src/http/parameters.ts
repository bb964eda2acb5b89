import { createHash } from "node:crypto"
import { Type } from "./schema.ts"
import type { Static } from "./schema.ts"
import type { User } from "../auth/users.ts"
import { UNLIMITED, VHOST_LIMITS } from "../broker/limits.ts"
import { GLOBAL_COMPONENT } from "../broker/parameters.ts"
import type { Parameter } from "../broker/parameters.ts"
import type { Vhost } from "../broker/vhost.ts"
import { redactedValue } from "../links/link-uri.ts"
import type { Api } from "./api.ts"
import { badRequest, notFound } from "./errors.ts"
import { LIST_QUERY, listReply, listResponses } from "./lists.ts"
import { TEXT } from "./rates-schema.ts"
import { created, CREATED_OR_UPDATED, DONE, NO_CONTENT, ok, route } from "./route.ts"
import type { Reply, Route } from "./route.ts"
import { clusterName } from "./system.ts"
import type { InVhost } from "./vhost-items.ts"
import { checkMayChange, findVhost, hasTag, requireTag, visibleVhosts } from "./visibility.ts"

/** Runtime parameters, of vhosts and global ones: stored for those who know what they mean. */

const PARAMETER = Type.Object({
  name: TEXT,
  component: TEXT,
  vhost: TEXT,
  value: Type.Unknown(),
})

const GLOBAL_PARAMETER = Type.Object({ name: TEXT, value: Type.Unknown() })

const PUT_PARAMETER = Type.Object({ value: Type.Unknown() })

/** Only administrators see the credentials in URIs, and secrets. */
function describe(user: User, { vhost, item }: InVhost<Parameter>): Record<string, unknown> {
  const { name, component } = item
  const value = hasTag(user, "administrator") ? item.value : redactedValue(item.value)
  return { name, component, vhost: vhost.name, value }
}

/** Where RabbitMQ keeps the limits of a vhost, and its definitions have them. */
const VHOST_LIMITS_COMPONENT = "vhost-limits"
const VHOST_LIMITS_NAME = "limits"

function isLimits(component: string, name: string): boolean {
  return component === VHOST_LIMITS_COMPONENT && name === VHOST_LIMITS_NAME
}

/** Null without limits. */
function limitsOf(vhost: Vhost): Parameter | null {
  const value = vhost.limits.toJSON()
  if (Object.keys(value).length === 0) return null
  return { component: VHOST_LIMITS_COMPONENT, name: VHOST_LIMITS_NAME, value }
}

function parametersOf(vhost: Vhost, component: string | null): readonly Parameter[] {
  const stored = vhost.parameters.list(component)
  const limits = limitsOf(vhost)
  const isWanted = component === null || component === VHOST_LIMITS_COMPONENT
  return limits === null || !isWanted ? stored : [...stored, limits]
}

function parameterNamed(vhost: Vhost, component: string, name: string): Parameter {
  const found = isLimits(component, name) ? limitsOf(vhost) : vhost.parameters.get(component, name)
  if (found === null) throw notFound()
  return found
}

/** What the value does not name is not limited any more. */
async function putLimits(api: Api, user: User, vhost: Vhost, value: unknown): Promise<boolean> {
  requireTag(user, "administrator")
  const isNew = limitsOf(vhost) === null
  const limits = new Map(typeof value === "object" && value !== null ? Object.entries(value) : [])
  for (const [name, limit] of limits)
    if (!VHOST_LIMITS.some((known) => known === name) || !Number.isInteger(limit))
      throw badRequest(`limits are whole numbers by name: ${VHOST_LIMITS.join(", ")}`)
  for (const name of VHOST_LIMITS) {
    const limit: unknown = limits.get(name)
    await api.administration.setVhostLimit(vhost.name, name, Number(limit ?? UNLIMITED))
  }
  return isNew
}

function list(
  api: Api,
  query: Static<typeof LIST_QUERY>,
  user: User,
  vhosts: readonly Vhost[],
  component: string | null,
): Promise<Reply> {
  const items = vhosts.flatMap((vhost) =>
    parametersOf(vhost, component).map((item): InVhost<Parameter> => ({ vhost, item })),
  )
  return listReply(api.broker.clock, query, {
    items,
    nameOf: ({ item }) => item.name,
    row: (item) => describe(user, item),
  })
}

function vhostToChange(api: Api, user: User, name: string): Vhost {
  const vhost = findVhost(api.broker, user, name)
  checkMayChange(user, name)
  return vhost
}

/** With the cluster's name and number, which everybody expects to be there. */
function globalParameters(api: Api): { name: string; value: unknown }[] {
  const stored = api.broker.globalParameters
    .list(GLOBAL_COMPONENT)
    .map(({ name, value }) => ({ name, value }))
  const implied = [
    { name: "cluster_name", value: clusterName(api) },
    { name: "internal_cluster_id", value: clusterId(api) },
  ]
  return [...implied.filter(({ name }) => !stored.some((one) => one.name === name)), ...stored]
}

/** The same after a restart, another for every data directory. */
function clusterId({ node }: Api): string {
  const place = `${node.name}:${node.dataDirectory ?? String(process.pid)}`
  const hash = createHash("sha256").update(place).digest("base64url").slice(0, 22)
  return `sluice-cluster-id-${hash}`
}

function valueOf(body: { readonly value?: unknown }): unknown {
  if (body.value === undefined) throw badRequest("Field 'value' is required")
  return body.value
}

const policymaker = { access: "policymaker" } as const

export const PARAMETER_ROUTES: readonly Route[] = [
  route({
    ...policymaker,
    method: "GET",
    path: "/api/parameters",
    group: "Parameters",
    summary: "The parameters of all vhosts that the user can see",
    query: LIST_QUERY,
    responses: listResponses(PARAMETER),
    handle: (api, { user, query }) => list(api, query, user, visibleVhosts(api.broker, user), null),
  }),
  route({
    ...policymaker,
    method: "GET",
    path: "/api/parameters/:component",
    group: "Parameters",
    summary: "The parameters of a component",
    query: LIST_QUERY,
    responses: listResponses(PARAMETER),
    handle: (api, { user, params, query }) =>
      list(api, query, user, visibleVhosts(api.broker, user), params.component),
  }),
  route({
    ...policymaker,
    method: "GET",
    path: "/api/parameters/:component/:vhost",
    group: "Parameters",
    summary: "The parameters of a component in a vhost",
    query: LIST_QUERY,
    responses: listResponses(PARAMETER),
    handle: (api, { user, params, query }) =>
      list(api, query, user, [findVhost(api.broker, user, params.vhost)], params.component),
  }),
  route({
    ...policymaker,
    method: "GET",
    path: "/api/parameters/:component/:vhost/:name",
    group: "Parameters",
    summary: "One parameter",
    responses: { 200: { doc: "The parameter", schema: PARAMETER } },
    handle(api, { user, params }) {
      const vhost = findVhost(api.broker, user, params.vhost)
      const item = parameterNamed(vhost, params.component, params.name)
      return ok(describe(user, { vhost, item }))
    },
  }),
  route({
    ...policymaker,
    method: "PUT",
    path: "/api/parameters/:component/:vhost/:name",
    group: "Parameters",
    summary: "Sets a parameter",
    body: PUT_PARAMETER,
    responses: CREATED_OR_UPDATED,
    async handle(api, { user, params, body }) {
      const vhost = vhostToChange(api, user, params.vhost)
      const { component, name } = params
      const value = valueOf(body)
      if (isLimits(component, name)) return created(await putLimits(api, user, vhost, value))
      return created(await vhost.parameters.set(component, name, value, user))
    },
  }),
  route({
    ...policymaker,
    method: "DELETE",
    path: "/api/parameters/:component/:vhost/:name",
    group: "Parameters",
    summary: "Deletes a parameter",
    responses: DONE,
    async handle(api, { user, params }) {
      const vhost = vhostToChange(api, user, params.vhost)
      const { component, name } = params
      if (isLimits(component, name)) {
        parameterNamed(vhost, component, name)
        await putLimits(api, user, vhost, {})
      } else if (!(await vhost.parameters.delete(component, name))) throw notFound()
      return NO_CONTENT
    },
  }),
  route({
    ...policymaker,
    method: "GET",
    path: "/api/global-parameters",
    group: "Parameters",
    summary: "Parameters that belong to no vhost",
    query: LIST_QUERY,
    responses: listResponses(GLOBAL_PARAMETER),
    handle: (api, { query }) =>
      listReply(api.broker.clock, query, {
        items: globalParameters(api),
        nameOf: ({ name }) => name,
        row: (parameter) => parameter,
      }),
  }),
  route({
    ...policymaker,
    method: "GET",
    path: "/api/global-parameters/:name",
    group: "Parameters",
    summary: "One global parameter",
    responses: { 200: { doc: "The parameter", schema: GLOBAL_PARAMETER } },
    handle(api, { params }) {
      const found = globalParameters(api).find(({ name }) => name === params.name)
      if (found === undefined) throw notFound()
      return ok(found)
    },
  }),
  route({
    ...policymaker,
    method: "PUT",
    path: "/api/global-parameters/:name",
    group: "Parameters",
    summary: "Sets a global parameter",
    body: PUT_PARAMETER,
    responses: CREATED_OR_UPDATED,
    async handle(api, { params, body }) {
      const { globalParameters: parameters } = api.broker
      return created(await parameters.set(GLOBAL_COMPONENT, params.name, valueOf(body)))
    },
  }),
  route({
    ...policymaker,
    method: "DELETE",
    path: "/api/global-parameters/:name",
    group: "Parameters",
    summary: "Deletes a global parameter",
    responses: DONE,
    async handle(api, { params }) {
      const { globalParameters: parameters } = api.broker
      if (!(await parameters.delete(GLOBAL_COMPONENT, params.name))) throw notFound()
      return NO_CONTENT
    },
  }),
]
