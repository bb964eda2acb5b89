import { Type } from "./schema.ts"
import type { Static } from "./schema.ts"
import { DEFAULT_ALGORITHM_NAME } from "../auth/password-hash.ts"
import { parseTags } from "../auth/users-file.ts"
import type {
  PermissionDescription,
  TopicPermissionDescription,
  UserDescription,
  UserRequest,
} from "../broker/administration.ts"
import { USER_LIMITS } from "../broker/limits.ts"
import type { Api } from "./api.ts"
import { badRequest, notFound } from "./errors.ts"
import { LIST_QUERY, listReply, listResponses } from "./lists.ts"
import { COUNT, OPTIONAL_TEXT, TEXT } from "./rates-schema.ts"
import { created, CREATED_OR_UPDATED, DONE, NO_CONTENT, ok, route } from "./route.ts"
import type { Route } from "./route.ts"

/** Users, their permissions and limits. */

const USER = Type.Object({
  name: TEXT,
  password_hash: TEXT,
  hashing_algorithm: TEXT,
  tags: Type.Array(TEXT),
  limits: Type.Record(Type.String(), COUNT),
})

export const PERMISSION = Type.Object({
  user: TEXT,
  vhost: TEXT,
  configure: TEXT,
  write: TEXT,
  read: TEXT,
})

export const TOPIC_PERMISSION = Type.Object({
  user: TEXT,
  vhost: TEXT,
  exchange: TEXT,
  write: TEXT,
  read: TEXT,
})

export function describeUser(user: UserDescription): Record<string, unknown> {
  return {
    name: user.name,
    password_hash: user.passwordHash,
    hashing_algorithm: user.hashingAlgorithm ?? DEFAULT_ALGORITHM_NAME,
    tags: user.tags,
    limits: user.limits,
  }
}

const PUT_PERMISSION = Type.Object({ configure: TEXT, write: TEXT, read: TEXT })

const PUT_USER = Type.Object({
  password: Type.Optional(TEXT),
  password_hash: Type.Optional(Type.Union([TEXT, Type.Null()])),
  hashing_algorithm: Type.Optional(OPTIONAL_TEXT),
  tags: Type.Optional(
    Type.Union([Type.Array(TEXT), TEXT], { description: "An array, or separated by commas" }),
  ),
  administrator: Type.Optional(
    Type.Boolean({ description: "RabbitMQ's old way to give the tag administrator" }),
  ),
  permissions: Type.Optional(
    Type.Record(Type.String(), PUT_PERMISSION, { description: "By vhost: set in the same step" }),
  ),
})

/** An existing user keeps what is not given; of a new one a password, a hash or tags must be given. */
async function putUser(api: Api, name: string, body: Static<typeof PUT_USER>): Promise<boolean> {
  const isKnown = api.broker.users.get(name) !== null
  const { password, password_hash: hash, hashing_algorithm: algorithm } = body
  const tags = body.tags ?? legacyTags(body.administrator)
  const permissions = Object.entries(body.permissions ?? {})
  for (const [vhost] of permissions)
    if (!api.broker.vhosts.has(vhost)) throw badRequest(`there is no vhost '${vhost}'`)
  if (!isKnown && password === undefined && hash === undefined && tags === undefined)
    throw badRequest("Field 'password_hash' or 'password' is required when creating new user")
  const request: { -readonly [K in keyof UserRequest]: UserRequest[K] } = {}
  if (hash !== undefined) request.passwordHash = hash ?? ""
  else if (password === "") request.passwordHash = ""
  else if (password !== undefined) request.password = password
  if (typeof algorithm === "string" && algorithm !== "") request.hashingAlgorithm = algorithm
  if (tags !== undefined) request.tags = parseTags(tags)
  const isNew = await api.administration.putUser(name, request)
  for (const [vhost, { configure, write, read }] of permissions)
    await api.administration.setPermissions(name, vhost, { configure, write, read })
  return isNew
}

function legacyTags(isAdministrator: boolean | undefined): readonly string[] | undefined {
  if (isAdministrator === undefined) return undefined
  return isAdministrator ? ["administrator"] : []
}

/** RabbitMQ answers 400, not 404, to permissions for a user or on a vhost that is not there. */
function checkEnds(api: Api, { user, vhost }: Readonly<Record<"user" | "vhost", string>>): void {
  const { users, vhosts } = api.broker
  if (users.get(user) === null || !vhosts.has(vhost)) throw badRequest("vhost_or_user_not_found")
}

const PUT_TOPIC_PERMISSION = Type.Object({ exchange: TEXT, write: TEXT, read: TEXT })

const shown = (permission: PermissionDescription): Record<string, unknown> => ({ ...permission })
const shownTopic = (permission: TopicPermissionDescription): Record<string, unknown> => ({
  ...permission,
})

const USER_LIMIT = Type.Object({ user: TEXT, value: Type.Record(Type.String(), COUNT) })

function limitRows(api: Api): { user: string; value: Readonly<Record<string, number>> }[] {
  return api.administration
    .listUsers()
    .filter(({ limits }) => Object.keys(limits).length > 0)
    .map(({ name, limits }) => ({ user: name, value: limits }))
}

function checkUserLimit(name: string): void {
  if (!USER_LIMITS.some((known) => known === name))
    throw badRequest(`there is no limit '${name}' (${USER_LIMITS.join(", ")})`)
}

const administrator = { access: "administrator" } as const

const USER_OBJECT_ROUTES: readonly Route[] = [
  route({
    ...administrator,
    method: "GET",
    path: "/api/users",
    group: "Users",
    summary: "All users",
    query: LIST_QUERY,
    responses: listResponses(USER),
    handle: (api, { query }) =>
      listReply(api.broker.clock, query, {
        items: api.administration.listUsers(),
        nameOf: ({ name }) => name,
        row: describeUser,
      }),
  }),
  route({
    ...administrator,
    method: "GET",
    path: "/api/users/without-permissions",
    group: "Users",
    summary: "Users that have permissions on no vhost",
    query: LIST_QUERY,
    responses: listResponses(USER),
    handle(api, { query }) {
      const withSome = new Set(api.administration.listPermissions().map(({ user }) => user))
      return listReply(api.broker.clock, query, {
        items: api.administration.listUsers().filter(({ name }) => !withSome.has(name)),
        nameOf: ({ name }) => name,
        row: describeUser,
      })
    },
  }),
  route({
    ...administrator,
    method: "POST",
    path: "/api/users/bulk-delete",
    group: "Users",
    summary: "Deletes several users; those that are not there are passed over",
    body: Type.Object({ users: Type.Array(TEXT) }),
    responses: DONE,
    async handle(api, { body }) {
      for (const name of body.users)
        if (api.broker.users.get(name) !== null) await api.administration.deleteUser(name)
      return NO_CONTENT
    },
  }),
  route({
    ...administrator,
    method: "GET",
    path: "/api/users/:user",
    group: "Users",
    summary: "One user",
    responses: { 200: { doc: "The user", schema: USER } },
    handle: (api, { params }) => ok(describeUser(api.administration.getUser(params.user))),
  }),
  route({
    ...administrator,
    method: "PUT",
    path: "/api/users/:user",
    group: "Users",
    summary: "Creates or changes a user; password_hash wins over password",
    body: PUT_USER,
    responses: CREATED_OR_UPDATED,
    handle: async (api, { params, body }) => created(await putUser(api, params.user, body)),
  }),
  route({
    ...administrator,
    method: "DELETE",
    path: "/api/users/:user",
    group: "Users",
    summary: "Deletes a user and closes its connections",
    responses: DONE,
    async handle(api, { params }) {
      await api.administration.deleteUser(params.user)
      return NO_CONTENT
    },
  }),
  route({
    ...administrator,
    method: "GET",
    path: "/api/users/:user/permissions",
    group: "Users",
    summary: "The permissions of a user",
    responses: { 200: { doc: "By vhost", schema: Type.Array(PERMISSION) } },
    handle(api, { params }) {
      const { name } = api.administration.getUser(params.user)
      return ok(api.administration.listPermissions({ user: name }))
    },
  }),
  route({
    ...administrator,
    method: "GET",
    path: "/api/users/:user/topic-permissions",
    group: "Users",
    summary: "The topic permissions of a user",
    responses: { 200: { doc: "By vhost and exchange", schema: Type.Array(TOPIC_PERMISSION) } },
    handle(api, { params }) {
      const { name } = api.administration.getUser(params.user)
      return ok(api.administration.listTopicPermissions({ user: name }))
    },
  }),
]

const PERMISSION_ROUTES: readonly Route[] = [
  route({
    ...administrator,
    method: "GET",
    path: "/api/permissions",
    group: "Permissions",
    summary: "All permissions",
    query: LIST_QUERY,
    responses: listResponses(PERMISSION),
    handle: (api, { query }) =>
      listReply(api.broker.clock, query, {
        items: api.administration.listPermissions(),
        nameOf: ({ user }) => user,
        row: shown,
      }),
  }),
  route({
    ...administrator,
    method: "GET",
    path: "/api/permissions/:vhost/:user",
    group: "Permissions",
    summary: "The permissions of a user on a vhost",
    responses: { 200: { doc: "The permissions", schema: PERMISSION } },
    handle(api, { params }) {
      const found = api.administration.getPermissions(params.user, params.vhost)
      if (found === null) throw notFound()
      return ok(found)
    },
  }),
  route({
    ...administrator,
    method: "PUT",
    path: "/api/permissions/:vhost/:user",
    group: "Permissions",
    summary: "Sets the permissions of a user on a vhost: regular expressions over names",
    body: PUT_PERMISSION,
    checksVhost: false,
    responses: CREATED_OR_UPDATED,
    async handle(api, { params, body }) {
      checkEnds(api, params)
      const { configure, write, read } = body
      return created(
        await api.administration.setPermissions(params.user, params.vhost, {
          configure,
          write,
          read,
        }),
      )
    },
  }),
  route({
    ...administrator,
    method: "DELETE",
    path: "/api/permissions/:vhost/:user",
    group: "Permissions",
    summary: "Takes the permissions of a user on a vhost",
    responses: DONE,
    async handle(api, { params }) {
      await api.administration.clearPermissions(params.user, params.vhost)
      return NO_CONTENT
    },
  }),
  route({
    ...administrator,
    method: "GET",
    path: "/api/topic-permissions",
    group: "Permissions",
    summary: "All topic permissions",
    query: LIST_QUERY,
    responses: listResponses(TOPIC_PERMISSION),
    handle: (api, { query }) =>
      listReply(api.broker.clock, query, {
        items: api.administration.listTopicPermissions(),
        nameOf: ({ user }) => user,
        row: shownTopic,
      }),
  }),
  route({
    ...administrator,
    method: "GET",
    path: "/api/topic-permissions/:vhost/:user",
    group: "Permissions",
    summary: "The topic permissions of a user on a vhost",
    responses: { 200: { doc: "By exchange", schema: Type.Array(TOPIC_PERMISSION) } },
    handle(api, { params }) {
      const { user, vhost } = params
      const found = api.administration.listTopicPermissions({ user, vhost })
      if (found.length === 0) throw notFound()
      return ok(found)
    },
  }),
  route({
    ...administrator,
    method: "PUT",
    path: "/api/topic-permissions/:vhost/:user",
    group: "Permissions",
    summary: "Limits the keys that a user may use at a topic exchange",
    body: PUT_TOPIC_PERMISSION,
    checksVhost: false,
    responses: CREATED_OR_UPDATED,
    async handle(api, { params, body }) {
      checkEnds(api, params)
      const { exchange, write, read } = body
      return created(
        await api.administration.setTopicPermissions(params.user, params.vhost, exchange, {
          write,
          read,
        }),
      )
    },
  }),
  route({
    ...administrator,
    method: "DELETE",
    path: "/api/topic-permissions/:vhost/:user",
    group: "Permissions",
    summary: "Takes all topic permissions of a user on a vhost",
    responses: DONE,
    async handle(api, { params }) {
      await api.administration.clearTopicPermissions(params.user, params.vhost)
      return NO_CONTENT
    },
  }),
  route({
    ...administrator,
    method: "DELETE",
    path: "/api/topic-permissions/:vhost/:user/:exchange",
    group: "Permissions",
    summary: "Takes the topic permissions of a user at one exchange",
    responses: DONE,
    async handle(api, { params }) {
      await api.administration.clearTopicPermissions(params.user, params.vhost, params.exchange)
      return NO_CONTENT
    },
  }),
]

const USER_LIMIT_ROUTES: readonly Route[] = [
  route({
    ...administrator,
    method: "GET",
    path: "/api/user-limits",
    group: "Limits",
    summary: "Users that have a limit",
    query: LIST_QUERY,
    responses: listResponses(USER_LIMIT),
    handle: (api, { query }) =>
      listReply(api.broker.clock, query, {
        items: limitRows(api),
        nameOf: ({ user }) => user,
        row: (limit) => ({ ...limit }),
      }),
  }),
  route({
    ...administrator,
    method: "GET",
    path: "/api/user-limits/:user",
    group: "Limits",
    summary: "The limits of a user",
    responses: { 200: { doc: "One row, or none", schema: Type.Array(USER_LIMIT) } },
    handle(api, { params }) {
      const { name } = api.administration.getUser(params.user)
      return ok(limitRows(api).filter(({ user }) => user === name))
    },
  }),
  route({
    ...administrator,
    method: "PUT",
    path: "/api/user-limits/:user/:limit",
    group: "Limits",
    summary: "Limits a user: max-connections, max-channels; a negative value removes the limit",
    body: Type.Object({ value: Type.Integer() }),
    responses: DONE,
    async handle(api, { params, body }) {
      checkUserLimit(params.limit)
      await api.administration.setUserLimit(params.user, params.limit, body.value)
      return NO_CONTENT
    },
  }),
  route({
    ...administrator,
    method: "DELETE",
    path: "/api/user-limits/:user/:limit",
    group: "Limits",
    summary: "Removes a limit of a user",
    responses: DONE,
    async handle(api, { params }) {
      checkUserLimit(params.limit)
      await api.administration.setUserLimit(params.user, params.limit, -1)
      return NO_CONTENT
    },
  }),
]

export const USER_ROUTES: readonly Route[] = [
  ...USER_OBJECT_ROUTES,
  ...PERMISSION_ROUTES,
  ...USER_LIMIT_ROUTES,
]
