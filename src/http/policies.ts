import { Type } from "./schema.ts"
import type { Static } from "./schema.ts"
import type { User } from "../auth/users.ts"
import { APPLY_TO, formatPolicy } from "../broker/policy/policy-list.ts"
import type { Policy, PolicyList } from "../broker/policy/policy-list.ts"
import type { Vhost } from "../broker/vhost.ts"
import type { Api } from "./api.ts"
import { notFound } from "./errors.ts"
import { LIST_QUERY, listReply, listResponses } from "./lists.ts"
import { COUNT, TABLE, TEXT } from "./rates-schema.ts"
import { created, CREATED_OR_UPDATED, DONE, NO_CONTENT, ok, route } from "./route.ts"
import type { Reply, Route } from "./route.ts"
import type { InVhost } from "./vhost-items.ts"
import { checkMayChange, findVhost, visibleVhosts } from "./visibility.ts"

/** Policies and operator policies, which differ in who may change them. */

const POLICY = Type.Object({
  name: TEXT,
  vhost: TEXT,
  pattern: TEXT,
  "apply-to": TEXT,
  priority: COUNT,
  definition: TABLE,
})

const PUT_POLICY = Type.Object({
  pattern: TEXT,
  definition: TABLE,
  "apply-to": Type.Optional(
    Type.String({ enum: [...APPLY_TO, ""], default: "all", description: "Empty: all" }),
  ),
  priority: Type.Optional(Type.Integer({ default: 0 })),
})

interface PolicyKind {
  readonly path: "/api/policies" | "/api/operator-policies"
  readonly group: string
  readonly word: string
  readonly writer: "policymaker" | "administrator"
  listOf(vhost: Vhost): PolicyList
}

const KINDS: readonly PolicyKind[] = [
  {
    path: "/api/policies",
    group: "Policies",
    word: "policy",
    writer: "policymaker",
    listOf: (vhost) => vhost.policies,
  },
  {
    path: "/api/operator-policies",
    group: "Operator policies",
    word: "operator policy",
    writer: "administrator",
    listOf: (vhost) => vhost.operatorPolicies,
  },
]

function list(
  api: Api,
  query: Static<typeof LIST_QUERY>,
  kind: PolicyKind,
  vhosts: readonly Vhost[],
): Promise<Reply> {
  const items = vhosts.flatMap((vhost) =>
    kind
      .listOf(vhost)
      .list()
      .map((item): InVhost<Policy> => ({ vhost, item })),
  )
  return listReply(api.broker.clock, query, {
    items,
    nameOf: ({ item }) => item.name,
    row: ({ vhost, item }) => formatPolicy(item, vhost.name),
  })
}

function vhostToChange(api: Api, user: User, name: string): Vhost {
  const vhost = findVhost(api.broker, user, name)
  checkMayChange(user, name)
  return vhost
}

function routesOf(kind: PolicyKind): readonly Route[] {
  const { group, word, writer } = kind
  return [
    route({
      method: "GET",
      path: kind.path,
      group,
      summary: `Each ${word} in the vhosts that the user can see`,
      query: LIST_QUERY,
      responses: listResponses(POLICY),
      handle: (api, { user, query }) => list(api, query, kind, visibleVhosts(api.broker, user)),
    }),
    route({
      method: "GET",
      path: `${kind.path}/:vhost`,
      group,
      summary: `Each ${word} of a vhost`,
      query: LIST_QUERY,
      responses: listResponses(POLICY),
      handle: (api, { user, params, query }) =>
        list(api, query, kind, [findVhost(api.broker, user, params.vhost)]),
    }),
    route({
      method: "GET",
      path: `${kind.path}/:vhost/:name`,
      group,
      summary: `One ${word}`,
      responses: { 200: { doc: `The ${word}`, schema: POLICY } },
      handle(api, { user, params }) {
        const vhost = findVhost(api.broker, user, params.vhost)
        const policy = kind.listOf(vhost).get(params.name)
        if (policy === null) throw notFound()
        return ok(formatPolicy(policy, vhost.name))
      },
    }),
    route({
      method: "PUT",
      path: `${kind.path}/:vhost/:name`,
      group,
      summary: `Creates or replaces a ${word}; answered when every queue and exchange has it`,
      access: writer,
      body: PUT_POLICY,
      responses: CREATED_OR_UPDATED,
      async handle(api, { user, params, body }) {
        const vhost = vhostToChange(api, user, params.vhost)
        const isNew = await kind.listOf(vhost).set(params.name, {
          pattern: body.pattern,
          definition: body.definition,
          applyTo: body["apply-to"] === "" ? undefined : body["apply-to"],
          priority: body.priority,
        })
        return created(isNew)
      },
    }),
    route({
      method: "DELETE",
      path: `${kind.path}/:vhost/:name`,
      group,
      summary: `Deletes a ${word}`,
      access: writer,
      responses: DONE,
      async handle(api, { user, params }) {
        const vhost = vhostToChange(api, user, params.vhost)
        if (!(await kind.listOf(vhost).delete(params.name))) throw notFound()
        return NO_CONTENT
      },
    }),
  ]
}

export const POLICY_ROUTES: readonly Route[] = KINDS.flatMap(routesOf)
