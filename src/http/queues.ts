import { Type } from "typebox"
import type { User } from "../auth/users.ts"
import { requireConfigure, requireRead, requireWriteTo } from "../broker/access.ts"
import type { MessageQueue } from "../broker/queue/message-queue.ts"
import { queueTypeOf } from "../broker/queue-type.ts"
import type { Vhost } from "../broker/vhost.ts"
import type { Api } from "./api.ts"
import { describeBinding, describeConsumer, describeQueue, explainDelivery } from "./describe.ts"
import { notFound } from "./errors.ts"
import { BINDING } from "./exchanges.ts"
import { tableFromJson } from "./json-tables.ts"
import { LIST_QUERY, listReply, listResponses } from "./lists.ts"
import type { ListSource } from "./lists.ts"
import { COUNT, counters, FLAG, OPTIONAL_TEXT, TABLE, TEXT } from "./rates-schema.ts"
import { created, CREATED_OR_UPDATED, DONE, NO_CONTENT, ok, route } from "./route.ts"
import type { Route } from "./route.ts"
import type { SortKey } from "./sorting.ts"
import { QUEUE_METRICS } from "./statistics.ts"
import { bindingsToQueue, queuesOf } from "./vhost-items.ts"
import type { InVhost } from "./vhost-items.ts"
import { accessOf, checkMayChange, findVhost, visibleVhosts } from "./visibility.ts"

/** Queues: list, look at, declare, delete. Their messages are queue-messages.ts. */

export const QUEUE = Type.Object({
  name: TEXT,
  vhost: TEXT,
  type: TEXT,
  durable: FLAG,
  auto_delete: FLAG,
  exclusive: FLAG,
  arguments: TABLE,
  node: TEXT,
  state: TEXT,
  consumers: COUNT,
  messages: COUNT,
  messages_ready: COUNT,
  messages_unacknowledged: COUNT,
  messages_persistent: COUNT,
  message_bytes: COUNT,
  message_bytes_ready: COUNT,
  message_bytes_unacknowledged: COUNT,
  ready: COUNT,
  ready_bytes: COUNT,
  ready_avg_bytes: COUNT,
  unacked: COUNT,
  unacked_bytes: COUNT,
  unacked_avg_bytes: COUNT,
  policy: OPTIONAL_TEXT,
  operator_policy: OPTIONAL_TEXT,
  effective_policy_definition: TABLE,
  exclusive_consumer_tag: OPTIONAL_TEXT,
  single_active_consumer_tag: OPTIONAL_TEXT,
  owner_pid_details: Type.Optional(TABLE),
  message_stats: counters(QUEUE_METRICS.map(([name]) => name)),
})

const ONE_QUEUE = Type.Intersect([
  QUEUE,
  Type.Object({
    consumer_details: Type.Array(TABLE),
    delivery: Type.Object({
      state: Type.String({ enum: ["idle", "waiting", "delivering"] }),
      reason: TEXT,
    }),
  }),
])

type Entry = InVhost<MessageQueue>

/** Those by which 100,000 queues can be sorted without making a row of each. */
function sortKeys(api: Api): Readonly<Record<string, (entry: Entry) => SortKey>> {
  const rates = QUEUE_METRICS.map(([name, read], index) => [
    [`message_stats.${name}`, ({ item }: Entry) => read(item)] as const,
    [
      `message_stats.${name}_details.rate`,
      ({ item }: Entry) => api.statistics.rate(item, index),
    ] as const,
  ])
  return {
    name: ({ item }) => item.name,
    vhost: ({ vhost }) => vhost.name,
    type: ({ item }) => queueTypeOf(item.arguments),
    durable: ({ item }) => (item.durable ? 1 : 0),
    consumers: ({ item }) => item.consumerCount,
    messages: ({ item }) => item.readyCount + item.unackedCount,
    messages_ready: ({ item }) => item.readyCount,
    ready: ({ item }) => item.readyCount,
    messages_unacknowledged: ({ item }) => item.unackedCount,
    unacked: ({ item }) => item.unackedCount,
    message_bytes_ready: ({ item }) => item.readyBytes,
    ready_bytes: ({ item }) => item.readyBytes,
    state: () => "running",
    ...Object.fromEntries(rates.flat()),
  }
}

export function queueList(api: Api, vhosts: readonly Vhost[]): ListSource<Entry> {
  const keys = sortKeys(api)
  return {
    items: queuesOf(vhosts),
    total: vhosts.reduce((sum, { queues }) => sum + queues.size, 0),
    nameOf: ({ item }) => item.name,
    row: ({ vhost, item }) => describeQueue(api, vhost, item),
    sortKey: (field) => (Object.hasOwn(keys, field) ? keys[field] : undefined),
  }
}

export function queueNamed(vhost: Vhost, name: string): MessageQueue {
  const queue = vhost.queues.get(name)
  if (queue === undefined) throw notFound()
  return queue
}

const DECLARATION = Type.Object({
  durable: Type.Optional(Type.Boolean({ default: false })),
  auto_delete: Type.Optional(Type.Boolean({ default: false })),
  arguments: Type.Optional(TABLE),
})

async function declare(
  api: Api,
  user: User,
  vhost: Vhost,
  name: string,
  body: Type.Static<typeof DECLARATION>,
): Promise<boolean> {
  checkMayChange(user, vhost.name)
  const access = accessOf(api.broker, user, vhost.name)
  const args = tableFromJson(body.arguments ?? {})
  requireConfigure(access, "queue", name)
  const deadLetterExchange = args.get("x-dead-letter-exchange")
  const isNew = !vhost.queues.has(name)
  if (typeof deadLetterExchange === "string" && isNew) {
    requireRead(access, "queue", name)
    requireWriteTo(access, "exchange", deadLetterExchange)
  }
  const queue = vhost.declareQueue(
    {
      name,
      durable: body.durable ?? false,
      exclusive: false,
      autoDelete: body.auto_delete ?? false,
      arguments: args,
    },
    null,
  )
  queue.touch()
  await api.broker.durableChanges.settled()
  return isNew
}

export const QUEUE_ROUTES: readonly Route[] = [
  ...["/api/queues", "/api/queues/detailed"].map((path) =>
    route({
      method: "GET",
      path,
      group: "Queues",
      summary: "The queues of all vhosts that the user can see",
      query: LIST_QUERY,
      responses: listResponses(QUEUE),
      handle: (api, { user, query }) =>
        listReply(api.broker.clock, query, queueList(api, visibleVhosts(api.broker, user))),
    }),
  ),
  route({
    method: "GET",
    path: "/api/queues/:vhost",
    group: "Queues",
    summary: "The queues of a vhost",
    query: LIST_QUERY,
    responses: listResponses(QUEUE),
    handle: (api, { user, params, query }) =>
      listReply(
        api.broker.clock,
        query,
        queueList(api, [findVhost(api.broker, user, params.vhost)]),
      ),
  }),
  route({
    method: "GET",
    path: "/api/queues/:vhost/:name",
    group: "Queues",
    summary: "One queue, its consumers, and why it delivers or does not",
    query: Type.Object({
      consumer_list_length: Type.Optional(
        Type.Integer({ default: -1, description: "Consumers to list, at most; -1 lists all" }),
      ),
    }),
    responses: { 200: { doc: "The queue", schema: ONE_QUEUE } },
    handle(api, { user, params, query }) {
      const vhost = findVhost(api.broker, user, params.vhost)
      const queue = queueNamed(vhost, params.name)
      const count = query.consumer_list_length ?? -1
      const consumers: Record<string, unknown>[] = []
      for (const subscriber of queue.subscribers) {
        if (count >= 0 && consumers.length >= count) break
        const info = subscriber.describe?.()
        if (info !== undefined) consumers.push(describeConsumer(info))
      }
      return ok({
        ...describeQueue(api, vhost, queue, true),
        consumer_details: consumers,
        delivery: explainDelivery(queue),
      })
    },
  }),
  route({
    method: "PUT",
    path: "/api/queues/:vhost/:name",
    group: "Queues",
    summary: "Declares a queue",
    body: DECLARATION,
    responses: CREATED_OR_UPDATED,
    async handle(api, { user, params, body }) {
      const vhost = findVhost(api.broker, user, params.vhost)
      return created(await declare(api, user, vhost, params.name, body))
    },
  }),
  route({
    method: "DELETE",
    path: "/api/queues/:vhost/:name",
    group: "Queues",
    summary: "Deletes a queue with its messages",
    query: Type.Object({
      "if-unused": Type.Optional(Type.Boolean({ description: "Only if it has no consumer" })),
      "if-empty": Type.Optional(Type.Boolean({ description: "Only if it has no message" })),
    }),
    responses: DONE,
    async handle(api, { user, params, query }) {
      const vhost = findVhost(api.broker, user, params.vhost)
      checkMayChange(user, vhost.name)
      const queue = queueNamed(vhost, params.name)
      requireConfigure(accessOf(api.broker, user, vhost.name), "queue", queue.name)
      vhost.deleteQueueIf(queue, query["if-unused"] ?? false, query["if-empty"] ?? false)
      await api.broker.durableChanges.settled()
      return NO_CONTENT
    },
  }),
  route({
    method: "GET",
    path: "/api/queues/:vhost/:name/bindings",
    group: "Queues",
    summary: "The bindings of a queue, the implicit one of the default exchange first",
    query: LIST_QUERY,
    responses: listResponses(BINDING),
    handle(api, { user, params, query }) {
      const vhost = findVhost(api.broker, user, params.vhost)
      const queue = queueNamed(vhost, params.name)
      return listReply(api.broker.clock, query, {
        items: bindingsToQueue(vhost, queue),
        nameOf: ({ source }) => source,
        row: (binding) => describeBinding(vhost.name, binding),
      })
    },
  }),
]
