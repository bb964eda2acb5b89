import { Type } from "./schema.ts"
import type { Static } from "./schema.ts"
import { EMPTY_TABLE } from "../amqp/table.ts"
import type { User } from "../auth/users.ts"
import { requireRead, requireTopicRead, requireWriteTo } from "../broker/access.ts"
import { DESTINATION_QUEUE } from "../broker/exchange/destination.ts"
import type { Exchange } from "../broker/exchange/exchange.ts"
import type { MessageQueue } from "../broker/queue/message-queue.ts"
import type { Vhost } from "../broker/vhost.ts"
import type { Api } from "./api.ts"
import { describeBinding, destinationTypeOf, propertiesKey } from "./describe.ts"
import type { Binding } from "./describe.ts"
import { notFound } from "./errors.ts"
import { BINDING, exchangeNamed } from "./exchanges.ts"
import { tableFromJson } from "./json-tables.ts"
import { LIST_QUERY, listReply, listResponses } from "./lists.ts"
import type { ListSource } from "./lists.ts"
import { queueNamed } from "./queues.ts"
import { TABLE } from "./rates-schema.ts"
import { DONE, NO_CONTENT, ok, route } from "./route.ts"
import type { Route } from "./route.ts"
import type { SortKey } from "./sorting.ts"
import { bindingsBetween, bindingsOf, countBindings, implicitBinding } from "./vhost-items.ts"
import type { InVhost } from "./vhost-items.ts"
import { accessOf, checkMayChange, findVhost, visibleVhosts } from "./visibility.ts"

/** Bindings: list, look at, bind and unbind; to queues under `/q/`, to exchanges under `/e/`. */

type Kind = "q" | "e"

interface Ends {
  readonly vhost: Vhost
  readonly source: Exchange
  readonly destination: Exchange | MessageQueue
}

function endsOf(
  api: Api,
  user: User,
  kind: Kind,
  params: Readonly<Record<"vhost" | "source" | "destination", string>>,
): Ends {
  const vhost = findVhost(api.broker, user, params.vhost)
  const source = exchangeNamed(vhost, params.source)
  const destination =
    kind === "q" ? queueNamed(vhost, params.destination) : exchangeNamed(vhost, params.destination)
  return { vhost, source, destination }
}

function between({ source, destination }: Ends): Binding[] {
  if (source.name !== "") return bindingsBetween(source, destination)
  return destination.kind === DESTINATION_QUEUE ? [implicitBinding(destination)] : []
}

/** By the properties key; a plain routing key does, too. */
function bindingNamed(ends: Ends, name: string): Binding {
  const found = between(ends).find(
    (binding) =>
      propertiesKey(binding.routingKey, binding.arguments) === name ||
      (binding.arguments.size === 0 && binding.routingKey === name),
  )
  if (found === undefined) throw notFound()
  return found
}

function checkMayBind(
  api: Api,
  user: User,
  { vhost, source, destination }: Ends,
  routingKey: string,
): void {
  checkMayChange(user, vhost.name)
  const access = accessOf(api.broker, user, vhost.name)
  const kind = destination.kind === DESTINATION_QUEUE ? "queue" : "exchange"
  requireWriteTo(access, kind, destination.name)
  requireRead(access, "exchange", source.name)
  requireTopicRead(access, source, routingKey)
}

const BIND = Type.Object({
  routing_key: Type.Optional(Type.String({ default: "" })),
  routingKey: Type.Optional(Type.String({ description: "The same as routing_key" })),
  arguments: Type.Optional(TABLE),
})

async function bind(api: Api, user: User, ends: Ends, body: Static<typeof BIND>): Promise<string> {
  const { vhost, source, destination } = ends
  const routingKey = body.routing_key ?? body.routingKey ?? ""
  checkMayBind(api, user, ends, routingKey)
  const args = body.arguments === undefined ? EMPTY_TABLE : tableFromJson(body.arguments)
  vhost.bind(
    {
      source: source.name,
      kind: destination.kind,
      destination: destination.name,
      routingKey,
      arguments: args,
    },
    null,
  )
  await api.broker.durableChanges.settled(vhost.definitions)
  return `${encodeURIComponent(destination.name)}/${encodeURIComponent(propertiesKey(routingKey, args))}`
}

async function unbind(api: Api, user: User, ends: Ends, name: string): Promise<void> {
  const { vhost, source, destination } = ends
  const binding = bindingNamed(ends, name)
  checkMayBind(api, user, ends, binding.routingKey)
  vhost.unbind(
    {
      source: source.name,
      kind: destination.kind,
      destination: destination.name,
      routingKey: binding.routingKey,
      arguments: binding.arguments,
    },
    null,
  )
  await api.broker.durableChanges.settled(vhost.definitions)
}

const SORT_KEYS: Readonly<Record<string, (entry: InVhost<Binding>) => SortKey>> = {
  source: ({ item }) => item.source,
  vhost: ({ vhost }) => vhost.name,
  destination: ({ item }) => item.destination.name,
  destination_type: ({ item }) => destinationTypeOf(item),
  routing_key: ({ item }) => item.routingKey,
}

function bindingList(vhosts: readonly Vhost[]): ListSource<InVhost<Binding>> {
  return {
    items: bindingsOf(vhosts),
    total: countBindings(vhosts),
    nameOf: ({ item }) => item.destination.name,
    row: ({ vhost, item }) => describeBinding(vhost.name, item),
    sortKey: (field) => (Object.hasOwn(SORT_KEYS, field) ? SORT_KEYS[field] : undefined),
  }
}

function routesBetween(kind: Kind): readonly Route[] {
  const to = kind === "q" ? "a queue" : "an exchange"
  const path = `/api/bindings/:vhost/e/:source/${kind}/:destination` as const
  return [
    route({
      method: "GET",
      path,
      group: "Bindings",
      summary: `The bindings of an exchange to ${to}`,
      query: LIST_QUERY,
      responses: listResponses(BINDING),
      handle(api, { user, params, query }) {
        const ends = endsOf(api, user, kind, params)
        return listReply(api.broker.clock, query, {
          items: between(ends),
          nameOf: ({ routingKey }) => routingKey,
          row: (binding) => describeBinding(ends.vhost.name, binding),
        })
      },
    }),
    route({
      method: "POST",
      path,
      group: "Bindings",
      summary: `Binds ${to} to an exchange`,
      body: BIND,
      responses: { 201: { doc: "Bound; Location names the binding" } },
      async handle(api, { user, params, body }) {
        const location = await bind(api, user, endsOf(api, user, kind, params), body)
        return { status: 201, headers: { Location: location } }
      },
    }),
    route({
      method: "GET",
      path: `${path}/:props`,
      group: "Bindings",
      summary: `One binding of an exchange to ${to}, by its properties_key`,
      responses: { 200: { doc: "The binding", schema: BINDING } },
      handle(api, { user, params }) {
        const ends = endsOf(api, user, kind, params)
        return ok(describeBinding(ends.vhost.name, bindingNamed(ends, params.props)))
      },
    }),
    route({
      method: "DELETE",
      path: `${path}/:props`,
      group: "Bindings",
      summary: `Removes a binding of an exchange to ${to}`,
      responses: DONE,
      async handle(api, { user, params }) {
        await unbind(api, user, endsOf(api, user, kind, params), params.props)
        return NO_CONTENT
      },
    }),
  ]
}

export const BINDING_ROUTES: readonly Route[] = [
  route({
    method: "GET",
    path: "/api/bindings",
    group: "Bindings",
    summary: "The bindings of all vhosts that the user can see",
    query: LIST_QUERY,
    responses: listResponses(BINDING),
    handle: (api, { user, query }) =>
      listReply(api.broker.clock, query, bindingList(visibleVhosts(api.broker, user))),
  }),
  route({
    method: "GET",
    path: "/api/bindings/:vhost",
    group: "Bindings",
    summary: "The bindings of a vhost",
    query: LIST_QUERY,
    responses: listResponses(BINDING),
    handle: (api, { user, params, query }) =>
      listReply(api.broker.clock, query, bindingList([findVhost(api.broker, user, params.vhost)])),
  }),
  ...routesBetween("q"),
  ...routesBetween("e"),
]
