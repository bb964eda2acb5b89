import { Type } from "./schema.ts"
import type { Static } from "./schema.ts"
import type { User } from "../auth/users.ts"
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
import { checkMayChange, findVhost, hasTag, visibleVhosts } from "./visibility.ts"

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

function list(
  api: Api,
  query: Static<typeof LIST_QUERY>,
  user: User,
  vhosts: readonly Vhost[],
  component: string | null,
): Promise<Reply> {
  const items = vhosts.flatMap((vhost) =>
    vhost.parameters.list(component).map((item): InVhost<Parameter> => ({ vhost, item })),
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

/** With the cluster's name, which everybody expects to be there. */
function globalParameters(api: Api): { name: string; value: unknown }[] {
  const stored = api.broker.globalParameters
    .list(GLOBAL_COMPONENT)
    .map(({ name, value }) => ({ name, value }))
  return stored.some(({ name }) => name === "cluster_name")
    ? stored
    : [{ name: "cluster_name", value: clusterName(api) }, ...stored]
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
      const item = vhost.parameters.get(params.component, params.name)
      if (item === null) throw notFound()
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
      const { parameters } = vhostToChange(api, user, params.vhost)
      const value = valueOf(body)
      return created(await parameters.set(params.component, params.name, value, user))
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
      const { parameters } = vhostToChange(api, user, params.vhost)
      if (!(await parameters.delete(params.component, params.name))) throw notFound()
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
