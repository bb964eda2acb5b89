import { Type } from "./schema.ts"
import type { Static } from "./schema.ts"
import { DEFAULT_EXCHANGE_ALIAS } from "../auth/permissions.ts"
import { requireConfigure, requireRead, requireWriteTo } from "../broker/access.ts"
import type { Exchange } from "../broker/exchange/exchange.ts"
import type { User } from "../auth/users.ts"
import type { Vhost } from "../broker/vhost.ts"
import type { Api } from "./api.ts"
import { describeBinding, describeExchange } from "./describe.ts"
import { notFound } from "./errors.ts"
import { tableFromJson } from "./json-tables.ts"
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
import { publishMessage, PUBLISH_BODY_MAX_BYTES } from "./publish.ts"
import { counters, FLAG, OPTIONAL_TEXT, TABLE, TEXT } from "./rates-schema.ts"
import { created, CREATED_OR_UPDATED, DONE, NO_CONTENT, ok, route } from "./route.ts"
import type { Route } from "./route.ts"
import { SAMPLE_QUERY, shownBy } from "./samples.ts"
import type { SortKey } from "./sorting.ts"
import { EXCHANGE_METRICS } from "./statistics.ts"
import { bindingsFrom, bindingsBetween, exchangesOf } from "./vhost-items.ts"
import type { InVhost } from "./vhost-items.ts"
import { accessOf, checkMayChange, findVhost, visibleVhosts } from "./visibility.ts"

/** Exchanges: list, look at, declare, delete, publish to. */

const EXCHANGE = Type.Object({
  name: TEXT,
  vhost: TEXT,
  type: TEXT,
  durable: FLAG,
  auto_delete: FLAG,
  internal: FLAG,
  arguments: TABLE,
  policy: OPTIONAL_TEXT,
  operator_policy: OPTIONAL_TEXT,
  effective_policy_definition: TABLE,
  message_stats: counters(EXCHANGE_METRICS),
})

export const BINDING = Type.Object({
  source: TEXT,
  vhost: TEXT,
  destination: TEXT,
  destination_type: TEXT,
  routing_key: TEXT,
  arguments: TABLE,
  properties_key: TEXT,
})

const SORT_KEYS: Readonly<Record<string, (entry: InVhost<Exchange>) => SortKey>> = {
  name: ({ item }) => item.name,
  vhost: ({ vhost }) => vhost.name,
  type: ({ item }) => item.type,
  durable: ({ item }) => Number(item.durable),
  auto_delete: ({ item }) => Number(item.autoDelete),
  internal: ({ item }) => Number(item.internal),
}

function exchangeList(
  api: Api,
  vhosts: readonly Vhost[],
  query: StatisticsQuery,
): ListSource<InVhost<Exchange>> {
  const shown = shownBy(query, false)
  return {
    items: exchangesOf(vhosts),
    nameOf: ({ item }) => item.name,
    row: ({ vhost, item }) => describeExchange(api, vhost, item, shown),
    sortKey: (field) => (Object.hasOwn(SORT_KEYS, field) ? SORT_KEYS[field] : undefined),
  }
}

/** `amq.default` is the default exchange. */
export function exchangeNamed(vhost: Vhost, name: string): Exchange {
  const exchange = vhost.exchanges.get(name === DEFAULT_EXCHANGE_ALIAS ? "" : name)
  if (exchange === undefined) throw notFound()
  return exchange
}

const DECLARATION = Type.Object({
  type: Type.Optional(Type.String({ default: "direct" })),
  durable: Type.Optional(Type.Boolean({ default: false })),
  auto_delete: Type.Optional(Type.Boolean({ default: false })),
  internal: Type.Optional(Type.Boolean({ default: false })),
  delayed: Type.Optional(
    Type.Boolean({ description: "The same as the argument x-delayed-exchange" }),
  ),
  arguments: Type.Optional(TABLE),
})

async function declare(
  api: Api,
  user: User,
  vhost: Vhost,
  name: string,
  body: Static<typeof DECLARATION>,
): Promise<boolean> {
  checkMayChange(user, vhost.name)
  const access = accessOf(api.broker, user, vhost.name)
  const given = body.arguments ?? {}
  const args = tableFromJson(
    body.delayed === true ? { ...given, "x-delayed-exchange": true } : given,
  )
  requireConfigure(access, "exchange", name)
  const alternate = args.get("alternate-exchange") ?? args.get("x-alternate-exchange")
  const isNew = !vhost.exchanges.has(name)
  if (typeof alternate === "string" && isNew) {
    requireRead(access, "exchange", name)
    requireWriteTo(access, "exchange", alternate)
  }
  vhost.declareExchange({
    name,
    type: body.type ?? "direct",
    passive: false,
    durable: body.durable ?? false,
    autoDelete: body.auto_delete ?? false,
    internal: body.internal ?? false,
    arguments: args,
  })
  await api.broker.durableChanges.settled(vhost.definitions)
  return isNew
}

const PUBLISH_BODY = Type.Object({
  properties: TABLE,
  routing_key: TEXT,
  payload: TEXT,
  payload_encoding: Type.String({ enum: ["string", "base64"] }),
})

export const EXCHANGE_ROUTES: readonly Route[] = [
  route({
    method: "GET",
    path: "/api/exchanges",
    group: "Exchanges",
    summary: "The exchanges of all vhosts that the user can see",
    query: STATISTICS_QUERY,
    responses: listResponses(EXCHANGE),
    handle: (api, { user, query }) =>
      listReply(api.broker.clock, query, exchangeList(api, visibleVhosts(api.broker, user), query)),
  }),
  route({
    method: "GET",
    path: "/api/exchanges/:vhost",
    group: "Exchanges",
    summary: "The exchanges of a vhost",
    query: STATISTICS_QUERY,
    responses: listResponses(EXCHANGE),
    handle: (api, { user, params, query }) =>
      listReply(
        api.broker.clock,
        query,
        exchangeList(api, [findVhost(api.broker, user, params.vhost)], query),
      ),
  }),
  route({
    method: "GET",
    path: "/api/exchanges/:vhost/:name",
    group: "Exchanges",
    summary: "One exchange; amq.default is the default exchange",
    query: Type.Object({ ...SAMPLE_QUERY, columns: Type.Optional(TEXT) }),
    responses: { 200: { doc: "The exchange", schema: EXCHANGE } },
    handle(api, { user, params, query }) {
      const vhost = findVhost(api.broker, user, params.vhost)
      const exchange = exchangeNamed(vhost, params.name)
      const row = describeExchange(api, vhost, exchange, shownBy(query, true))
      return ok(pickColumns(row, parseColumns(query.columns)))
    },
  }),
  route({
    method: "PUT",
    path: "/api/exchanges/:vhost/:name",
    group: "Exchanges",
    summary: "Declares an exchange",
    body: DECLARATION,
    responses: CREATED_OR_UPDATED,
    async handle(api, { user, params, body }) {
      const vhost = findVhost(api.broker, user, params.vhost)
      return created(await declare(api, user, vhost, params.name, body))
    },
  }),
  route({
    method: "DELETE",
    path: "/api/exchanges/:vhost/:name",
    group: "Exchanges",
    summary: "Deletes an exchange",
    query: Type.Object({
      "if-unused": Type.Optional(Type.Boolean({ description: "Only if nothing is bound to it" })),
    }),
    responses: DONE,
    async handle(api, { user, params, query }) {
      const vhost = findVhost(api.broker, user, params.vhost)
      checkMayChange(user, vhost.name)
      const { name } = exchangeNamed(vhost, params.name)
      requireConfigure(accessOf(api.broker, user, vhost.name), "exchange", name)
      vhost.deleteExchange(name, query["if-unused"] ?? false)
      await api.broker.durableChanges.settled(vhost.definitions)
      return NO_CONTENT
    },
  }),
  route({
    method: "GET",
    path: "/api/exchanges/:vhost/:name/bindings/source",
    group: "Exchanges",
    summary: "The bindings from an exchange",
    query: LIST_QUERY,
    responses: listResponses(BINDING),
    handle(api, { user, params, query }) {
      const vhost = findVhost(api.broker, user, params.vhost)
      const exchange = exchangeNamed(vhost, params.name)
      return listReply(api.broker.clock, query, {
        items: bindingsFrom(exchange),
        nameOf: ({ destination }) => destination.name,
        row: (binding) => describeBinding(vhost.name, binding),
      })
    },
  }),
  route({
    method: "GET",
    path: "/api/exchanges/:vhost/:name/bindings/destination",
    group: "Exchanges",
    summary: "The bindings to an exchange",
    query: LIST_QUERY,
    responses: listResponses(BINDING),
    handle(api, { user, params, query }) {
      const vhost = findVhost(api.broker, user, params.vhost)
      const exchange = exchangeNamed(vhost, params.name)
      const sources = [...vhost.exchanges.values()].filter(({ bindings }) =>
        bindings.hasDestination(exchange),
      )
      return listReply(api.broker.clock, query, {
        items: sources.flatMap((source) => bindingsBetween(source, exchange)),
        nameOf: ({ source }) => source,
        row: (binding) => describeBinding(vhost.name, binding),
      })
    },
  }),
  route({
    method: "POST",
    path: "/api/exchanges/:vhost/:name/publish",
    group: "Exchanges",
    summary: "Publishes a message; answered when it is safe",
    body: PUBLISH_BODY,
    bodyMaxBytes: PUBLISH_BODY_MAX_BYTES,
    responses: {
      200: {
        doc: "Whether a queue took it",
        schema: Type.Object({ routed: FLAG }),
      },
    },
    async handle(api, { user, params, body }) {
      const vhost = findVhost(api.broker, user, params.vhost)
      checkMayChange(user, vhost.name)
      const exchange = exchangeNamed(vhost, params.name)
      return ok({ routed: await publishMessage(api.broker, user, vhost, exchange, body) })
    },
  }),
]
