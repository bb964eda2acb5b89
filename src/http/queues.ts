import { Type } from "./schema.ts"
import type { Static } from "./schema.ts"
import type { User } from "../auth/users.ts"
import { requireConfigure, requireRead, requireWriteTo } from "../broker/access.ts"
import type { MessageQueue } from "../broker/queue/message-queue.ts"
import { queueTypeOf } from "../broker/queue-type.ts"
import { Stream } from "../broker/stream/stream.ts"
import type { Vhost } from "../broker/vhost.ts"
import type { Api } from "./api.ts"
import {
  average,
  describeBinding,
  describeConsumer,
  describeQueue,
  describeQueueBarely,
  describeStream,
  DELIVERY_CODES,
  DELIVERY_STATES,
  explainDelivery,
  stateOf,
  unackedBytesOf,
} from "./describe.ts"
import { notFound } from "./errors.ts"
import { BINDING } from "./exchanges.ts"
import { tableFromJson } from "./json-tables.ts"
import {
  listReply,
  listResponses,
  LIST_QUERY,
  parseColumns,
  pickColumns,
  STATISTICS_QUERY,
} from "./lists.ts"
import type { ListSource } from "./lists.ts"
import { queuePreset, QUEUE_PRESETS } from "./queue-presets.ts"
import { COUNT, counters, FLAG, LENGTHS, OPTIONAL_TEXT, TABLE, TEXT } from "./rates-schema.ts"
import { created, CREATED_OR_UPDATED, DONE, NO_CONTENT, ok, route } from "./route.ts"
import type { Route } from "./route.ts"
import { SAMPLE_QUERY, shownBy } from "./samples.ts"
import type { SortKey } from "./sorting.ts"
import { LENGTH_METRICS, QUEUE_METRICS } from "./statistics.ts"
import { allQueuesOf, bindingsToQueue, queuesOf } from "./vhost-items.ts"
import { assert } from "../util/assert.ts"
import { accessOf, checkMayChange, findVhost, visibleVhosts } from "./visibility.ts"

/** Queues: list, look at, declare, delete. Their messages are queue-messages.ts. */

const DECLARED = {
  name: TEXT,
  vhost: TEXT,
  type: TEXT,
  durable: FLAG,
  auto_delete: FLAG,
  exclusive: FLAG,
  arguments: TABLE,
  node: TEXT,
  state: TEXT,
}

/** With disable_stats. */
const QUEUE_WITHOUT_STATISTICS = Type.Object({
  ...DECLARED,
  messages: Type.Optional(COUNT),
  messages_ready: Type.Optional(COUNT),
  messages_unacknowledged: Type.Optional(COUNT),
})

export const QUEUE = Type.Object({
  ...DECLARED,
  consumers: COUNT,
  ...LENGTHS,
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
  leader: Type.Optional(TEXT),
  members: Type.Optional(Type.Array(TEXT)),
  online: Type.Optional(Type.Array(TEXT)),
  message_stats: counters(QUEUE_METRICS),
})

const ONE_QUEUE = Type.Intersect([
  QUEUE,
  Type.Object({
    consumer_details: Type.Array(TABLE),
    delivery: Type.Object({
      state: Type.String({ enum: [...DELIVERY_STATES] }),
      code: Type.String({ enum: [...DELIVERY_CODES] }),
      reason: TEXT,
    }),
    stream: Type.Optional(
      Type.Object({
        first_offset: COUNT,
        next_offset: COUNT,
        segments: COUNT,
        readers: Type.Array(TABLE),
        kept_offsets: Type.Array(TABLE),
      }),
    ),
  }),
])

type VhostOf = (queue: MessageQueue) => Vhost

function vhostOfQueue(vhosts: readonly Vhost[]): VhostOf {
  const byName = new Map(vhosts.map((vhost) => [vhost.name, vhost]))
  let [last] = vhosts
  return ({ vhostName }) => {
    // Mostly it is that of the queue before.
    if (last?.name !== vhostName) last = byName.get(vhostName)
    assert(last !== undefined, "a queue of another vhost")
    return last
  }
}

/** Of every field that can be sorted by: 100,000 queues without making a row of each. */
function sortKeys(
  api: Api,
  vhostOf: VhostOf,
): Readonly<Record<string, (queue: MessageQueue) => SortKey>> {
  const { statistics } = api
  const nameIn = (list: "policies" | "operatorPolicies", queue: MessageQueue): string | null =>
    vhostOf(queue)[list].match(queueTypeOf(queue.arguments), queue.name)?.name ?? null
  const rates = [
    ...QUEUE_METRICS.map(([name]) => `message_stats.${name}`),
    ...LENGTH_METRICS.map(([name]) => name),
  ].map(
    (name, index) =>
      [`${name}_details.rate`, (queue: MessageQueue) => statistics.rate(queue, index)] as const,
  )
  const counts = [
    ...QUEUE_METRICS.map(([name, read]) => [`message_stats.${name}`, read] as const),
    ...LENGTH_METRICS,
  ]
  return {
    name: (queue) => queue.name,
    vhost: (queue) => queue.vhostName,
    type: (queue) => queueTypeOf(queue.arguments),
    durable: (queue) => Number(queue.durable),
    auto_delete: (queue) => Number(queue.autoDelete),
    exclusive: (queue) => Number(queue.exclusive),
    consumers: (queue) => queue.consumerCount,
    messages_persistent: (queue) => (queue.durable ? queue.readyCount + queue.unackedCount : 0),
    ready: (queue) => queue.readyCount,
    unacked: (queue) => queue.unackedCount,
    message_bytes: (queue) => queue.readyBytes + unackedBytesOf(queue),
    message_bytes_ready: (queue) => queue.readyBytes,
    message_bytes_unacknowledged: (queue) => unackedBytesOf(queue),
    ready_bytes: (queue) => queue.readyBytes,
    unacked_bytes: (queue) => unackedBytesOf(queue),
    ready_avg_bytes: (queue) => average(queue.readyBytes, queue.readyCount),
    unacked_avg_bytes: (queue) => average(unackedBytesOf(queue), queue.unackedCount),
    policy: (queue) => nameIn("policies", queue),
    operator_policy: (queue) => nameIn("operatorPolicies", queue),
    state: (queue) => stateOf(queue),
    ...Object.fromEntries(counts),
    ...Object.fromEntries(rates),
  }
}

const QUEUES_QUERY = Type.Object({
  ...STATISTICS_QUERY.properties,
  disable_stats: Type.Optional(
    Type.Boolean({ description: "Only what was declared, without counters and rates" }),
  ),
  enable_queue_totals: Type.Optional(
    Type.Boolean({ description: "With disable_stats: the numbers of messages all the same" }),
  ),
  preset: Type.Optional(
    Type.String({ enum: [...QUEUE_PRESETS], description: "Only queues of this kind" }),
  ),
})

const QUEUES = listResponses(Type.Union([QUEUE, QUEUE_WITHOUT_STATISTICS]))

export function queueList(
  api: Api,
  vhosts: readonly Vhost[],
  query: Static<typeof QUEUES_QUERY> = {},
): ListSource<MessageQueue> {
  const vhostOf = vhostOfQueue(vhosts)
  const keys = sortKeys(api, vhostOf)
  const shown = shownBy(query, false)
  const accepts = queuePreset(api.statistics, query.preset)
  const { disable_stats: isBare = false, enable_queue_totals: withTotals = false } = query
  return {
    items: queuesOf(vhosts),
    all: () => allQueuesOf(vhosts),
    ...(accepts !== null && { accepts }),
    total: vhosts.reduce((sum, { queues }) => sum + queues.size, 0),
    nameOf: ({ name }) => name,
    row: (queue) =>
      isBare
        ? describeQueueBarely(api, vhostOf(queue), queue, withTotals)
        : describeQueue(api, vhostOf(queue), queue, shown),
    // By what queues do not have they all come alike.
    sortKey: (field) => (Object.hasOwn(keys, field) ? keys[field] : () => null),
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
  body: Static<typeof DECLARATION>,
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
  await api.broker.durableChanges.settled(vhost.definitions)
  return isNew
}

export const QUEUE_ROUTES: readonly Route[] = [
  ...["/api/queues", "/api/queues/detailed"].map((path) =>
    route({
      method: "GET",
      path,
      group: "Queues",
      summary: "The queues of all vhosts that the user can see",
      query: QUEUES_QUERY,
      responses: QUEUES,
      handle: (api, { user, query }) =>
        listReply(api.broker.clock, query, queueList(api, visibleVhosts(api.broker, user), query)),
    }),
  ),
  route({
    method: "GET",
    path: "/api/queues/:vhost",
    group: "Queues",
    summary: "The queues of a vhost",
    query: QUEUES_QUERY,
    responses: QUEUES,
    handle: (api, { user, params, query }) =>
      listReply(
        api.broker.clock,
        query,
        queueList(api, [findVhost(api.broker, user, params.vhost)], query),
      ),
  }),
  route({
    method: "GET",
    path: "/api/queues/:vhost/:name",
    group: "Queues",
    summary: "One queue, its consumers, and why it delivers or does not",
    query: Type.Object({
      ...SAMPLE_QUERY,
      columns: Type.Optional(TEXT),
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
        if (info !== undefined) consumers.push(describeConsumer(api, info))
      }
      const row = {
        ...describeQueue(api, vhost, queue, shownBy(query, true)),
        consumer_details: consumers,
        delivery: explainDelivery(queue),
        ...(queue instanceof Stream && { stream: describeStream(queue) }),
      }
      return ok(pickColumns(row, parseColumns(query.columns)))
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
      queueNamed(vhost, params.name)
      // What is exclusive belongs to its connection alone.
      const queue = vhost.queue(params.name, null)
      requireConfigure(accessOf(api.broker, user, vhost.name), "queue", queue.name)
      vhost.deleteQueueIf(queue, query["if-unused"] ?? false, query["if-empty"] ?? false)
      await api.broker.durableChanges.settled(vhost.definitions)
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
