import { Type } from "./schema.ts"
import type { Static } from "./schema.ts"
import type { User } from "../auth/users.ts"
import { requireRead, requireWrite } from "../broker/access.ts"
import { Queue } from "../broker/queue/queue.ts"
import type { Vhost } from "../broker/vhost.ts"
import {
  ExchangeDestination,
  OriginDestination,
  QueueDestination,
} from "../links/move/destination.ts"
import type { MoveDestination } from "../links/move/destination.ts"
import type { MessageFilter } from "../links/move/message-filter.ts"
import type { MoveJob } from "../links/move/move-job.ts"
import type { Api } from "./api.ts"
import { badRequest, notFound } from "./errors.ts"
import { LIST_QUERY, listReply, listResponses } from "./lists.ts"
import { queueNamed } from "./queues.ts"
import { COUNT, TEXT } from "./rates-schema.ts"
import { DONE, NO_CONTENT, ok, route } from "./route.ts"
import type { ApiRequest, Reply, Route } from "./route.ts"
import { accessOf, checkMayChange, findVhost, hasTag } from "./visibility.ts"

/** Messages are moved to another place, or dead letters back to where they died: as jobs. */

const SECONDS = Type.Number({ minimum: 0, description: "Seconds that the queue has had it" })

const FILTER = Type.Object({
  header: Type.Optional(
    Type.Record(Type.String(), Type.String(), { description: "Headers and their values as text" }),
  ),
  reason: Type.Optional(
    Type.String({ description: "Of the latest death: rejected, expired, maxlen, delivery_limit" }),
  ),
  exchange: Type.Optional(TEXT),
  routing_key: Type.Optional(TEXT),
  older_than: Type.Optional(SECONDS),
  newer_than: Type.Optional(SECONDS),
})

const COMMON = {
  count: Type.Optional(Type.Integer({ minimum: 1, description: "Messages at most; default all" })),
  rate: Type.Optional(Type.Number({ minimum: 0, description: "Per second; default no limit" })),
  filter: Type.Optional(FILTER),
  dry_run: Type.Optional(Type.Boolean({ description: "Only count what would be moved" })),
}

const MOVE = Type.Object({
  ...COMMON,
  dest_vhost: Type.Optional(TEXT),
  dest_queue: Type.Optional(TEXT),
  dest_exchange: Type.Optional(TEXT),
  dest_routing_key: Type.Optional(TEXT),
})

const REDRIVE = Type.Object({
  ...COMMON,
  to: Type.Optional(
    Type.String({
      enum: ["exchange", "queue"],
      description: "The exchange and key of the latest death (the default), or the queue",
    }),
  ),
  max_redrives: Type.Optional(
    Type.Integer({
      minimum: 0,
      description: "How often a message is sent back; default 3, 0 always",
    }),
  ),
})

const JOB = Type.Object({
  id: TEXT,
  kind: TEXT,
  state: Type.String({ enum: ["running", "completed", "cancelled", "failed"] }),
  error: Type.Union([TEXT, Type.Null()]),
  user: TEXT,
  vhost: TEXT,
  queue: TEXT,
  destination: TEXT,
  dry_run: Type.Boolean(),
  total: COUNT,
  scanned: COUNT,
  matched: COUNT,
  moved: COUNT,
  skipped: COUNT,
  held: COUNT,
  started_at_ms: COUNT,
  ended_at_ms: Type.Union([COUNT, Type.Null()]),
})

const REDRIVES_MAX = 3

function describe(job: MoveJob): Record<string, unknown> {
  const { options } = job
  return {
    id: job.id,
    kind: options.kind,
    state: job.state,
    error: job.error,
    user: options.user,
    vhost: options.vhostName,
    queue: options.queue.name,
    destination: options.destinationText,
    dry_run: options.isDryRun,
    total: job.totalCount,
    scanned: job.scannedCount,
    matched: job.matchedCount,
    moved: job.movedCount,
    skipped: job.skippedCount,
    held: job.heldCount,
    started_at_ms: job.startedAtMs,
    ended_at_ms: job.endedAtMs,
  }
}

interface Found {
  readonly vhost: Vhost
  readonly queue: Queue
}

type InQueue = Pick<ApiRequest<"vhost" | "name">, "user" | "params">

function sourceQueue(api: Api, { user, params }: InQueue): Found {
  const vhost = findVhost(api.broker, user, params.vhost)
  checkMayChange(user, vhost.name)
  const { name } = queueNamed(vhost, params.name)
  requireRead(accessOf(api.broker, user, vhost.name), "queue", name)
  const queue = vhost.queue(name, null)
  if (!(queue instanceof Queue))
    throw badRequest("messages of a stream cannot be taken: use a shovel")
  return { vhost, queue }
}

function filterOf(api: Api, filter: Static<typeof FILTER> = {}): MessageFilter {
  const { older_than: older, newer_than: newer } = filter
  api.broker.clock.refresh()
  const { nowMs } = api.broker.clock
  return {
    headers: new Map(Object.entries(filter.header ?? {})),
    reason: filter.reason ?? null,
    exchange: filter.exchange ?? null,
    routingKey: filter.routing_key ?? null,
    beforeMs: older === undefined ? null : nowMs - older * 1000,
    afterMs: newer === undefined ? null : nowMs - newer * 1000,
  }
}

interface Destination {
  readonly destination: MoveDestination
  readonly text: string
}

function moveDestination(
  api: Api,
  user: User,
  source: Found,
  body: Static<typeof MOVE>,
): Destination {
  const { dest_queue: queue, dest_exchange: exchange, dest_routing_key: key } = body
  if ((queue === undefined) === (exchange === undefined))
    throw badRequest("one of dest_queue and dest_exchange is needed")
  const vhost =
    body.dest_vhost === undefined ? source.vhost : findVhost(api.broker, user, body.dest_vhost)
  checkMayChange(user, vhost.name)
  requireWrite(accessOf(api.broker, user, vhost.name), exchange ?? "")
  if (queue === undefined) {
    const { name } = vhost.exchange(exchange ?? "")
    const destination = new ExchangeDestination(vhost, name, key ?? null)
    return { destination, text: `exchange '${name}' in vhost '${vhost.name}'` }
  }
  if (queueNamed(vhost, queue) === source.queue)
    throw badRequest("the messages are in this queue already")
  return {
    destination: new QueueDestination(vhost, queue),
    text: `queue '${queue}' in vhost '${vhost.name}'`,
  }
}

function start(
  api: Api,
  kind: string,
  user: User,
  { vhost, queue }: Found,
  { destination, text }: Destination,
  body: Static<typeof MOVE> | Static<typeof REDRIVE>,
): Reply {
  const job = api.links.jobs.start({
    kind,
    user: user.name,
    vhostName: vhost.name,
    queue,
    destination,
    destinationText: text,
    filter: filterOf(api, body.filter),
    count: body.count ?? Number.MAX_SAFE_INTEGER,
    rate: body.rate ?? 0,
    isDryRun: body.dry_run ?? false,
  })
  return { status: 202, body: describe(job) }
}

function jobNamed(api: Api, user: User, id: string): MoveJob {
  const job = api.links.jobs.get(id)
  if (job === null || !seesJob(user, job)) throw notFound()
  return job
}

/** Administrators and monitors see all, others their own. */
function seesJob(user: User, { options }: MoveJob): boolean {
  return hasTag(user, "monitoring") || options.user === user.name
}

const STARTED = { 202: { doc: "The job, which runs in the background", schema: JOB } }

export const REDRIVE_ROUTES: readonly Route[] = [
  route({
    method: "POST",
    path: "/api/queues/:vhost/:name/move",
    group: "Queues",
    summary: "Moves messages to another queue or exchange, in the background",
    body: MOVE,
    responses: STARTED,
    handle(api, request) {
      const { user, body } = request
      const source = sourceQueue(api, request)
      return start(api, "move", user, source, moveDestination(api, user, source, body), body)
    },
  }),
  route({
    method: "POST",
    path: "/api/queues/:vhost/:name/redrive",
    group: "Queues",
    summary: "Sends dead letters back to where they died, in the background",
    body: REDRIVE,
    responses: STARTED,
    handle(api, request) {
      const { user, body } = request
      const source = sourceQueue(api, request)
      const { vhost } = source
      const toQueue = body.to === "queue"
      const access = accessOf(api.broker, user, vhost.name)
      const timesMax = body.max_redrives ?? REDRIVES_MAX
      const destination = new OriginDestination(vhost, access, toQueue, timesMax)
      const text = toQueue ? "the queues where they died" : "the exchanges they were published to"
      return start(api, "redrive", user, source, { destination, text }, body)
    },
  }),
  route({
    method: "GET",
    path: "/api/jobs",
    group: "Queues",
    summary: "Moves that run or have ended lately",
    query: LIST_QUERY,
    responses: listResponses(JOB),
    handle: (api, { user, query }) =>
      listReply(api.broker.clock, query, {
        items: api.links.jobs.list().filter((job) => seesJob(user, job)),
        nameOf: ({ options }) => options.queue.name,
        row: describe,
      }),
  }),
  route({
    method: "GET",
    path: "/api/jobs/:id",
    group: "Queues",
    summary: "One move",
    responses: { 200: { doc: "The job", schema: JOB } },
    handle: (api, { user, params }) => ok(describe(jobNamed(api, user, params.id))),
  }),
  route({
    method: "DELETE",
    path: "/api/jobs/:id",
    group: "Queues",
    summary: "Ends a move; what was moved stays moved",
    responses: DONE,
    handle(api, { user, params }) {
      const job = jobNamed(api, user, params.id)
      if (job.options.user !== user.name && !hasTag(user, "administrator")) throw notFound()
      job.cancel()
      return NO_CONTENT
    },
  }),
]
