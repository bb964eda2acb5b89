import { getHeapStatistics, setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import type { AttemptCounts } from "../auth/logins.ts"
import { queueNamed } from "./queues.ts"
import { COUNT, TEXT } from "./rates-schema.ts"
import { DONE, NO_CONTENT, ok, route } from "./route.ts"
import type { Route } from "./route.ts"
import { Type } from "./schema.ts"
import { checkNode } from "./system.ts"
import { findVhost } from "./visibility.ts"

/** What operators and RabbitMQ's tools ask of the node beyond its objects: memory, statistics, configuration. */

const GC_STATISTICS = Type.Object({
  heap_used: COUNT,
  heap_total: COUNT,
  heap_limit: COUNT,
  external: COUNT,
  heap_malloced: COUNT,
  contexts: COUNT,
})

function gcStatistics(): Record<string, number> {
  const heap = getHeapStatistics()
  return {
    heap_used: heap.used_heap_size,
    heap_total: heap.total_heap_size,
    heap_limit: heap.heap_size_limit,
    external: heap.external_memory,
    heap_malloced: heap.malloced_memory,
    contexts: heap.number_of_native_contexts,
  }
}

let collect: (() => void) | null = null

/** The runtime gives the function away with a flag only, which may be set late. */
function collectGarbage(): void {
  if (collect === null) {
    setFlagsFromString("--expose-gc")
    const found: unknown = runInNewContext("gc")
    collect = typeof found === "function" ? (): void => void found() : (): void => {}
  }
  collect()
}

const ATTEMPTS = Type.Object({
  protocol: TEXT,
  auth_attempts: COUNT,
  auth_attempts_failed: COUNT,
  auth_attempts_succeeded: COUNT,
})

function attemptsOf(
  protocol: string,
  { succeeded, failed }: AttemptCounts,
): Record<string, string | number> {
  return {
    protocol,
    auth_attempts: succeeded + failed,
    auth_attempts_failed: failed,
    auth_attempts_succeeded: succeeded,
  }
}

const administrator = { access: "administrator", group: "Broker" } as const

export const MAINTENANCE_ROUTES: readonly Route[] = [
  route({
    ...administrator,
    method: "GET",
    path: "/api/nodes/gc_stats",
    summary: "The heap of the runtime",
    responses: { 200: { doc: "Bytes", schema: GC_STATISTICS } },
    handle: () => ok(gcStatistics()),
  }),
  ...(["/api/nodes/gc_collect", "/api/nodes/:node/gc_collect"] as const).map((path) =>
    route({
      ...administrator,
      method: "POST",
      path,
      summary: "Collects garbage now, which stops the broker for the time that it takes",
      responses: DONE,
      handle(api, { params }) {
        const { node } = params
        if (node !== undefined) checkNode(api, node)
        collectGarbage()
        return NO_CONTENT
      },
    }),
  ),
  route({
    ...administrator,
    method: "GET",
    path: "/api/config/effective",
    summary: "The configuration in force, by section and key; secrets are left out",
    responses: {
      200: { doc: "By `section.key`", schema: Type.Record(Type.String(), Type.Unknown()) },
    },
    handle: (api) => ok(api.node.configuration()),
  }),
  route({
    access: "monitoring",
    group: "Broker",
    method: "GET",
    path: "/api/auth/attempts/:node",
    summary: "Logins since the start, by protocol",
    responses: { 200: { doc: "One row for each protocol", schema: Type.Array(ATTEMPTS) } },
    handle(api, { params }) {
      checkNode(api, params.node)
      const { amqp, http } = api.broker.logins.attempts
      return ok([attemptsOf("amqp091", amqp), attemptsOf("http", http)])
    },
  }),
  ...(["/api/reset", "/api/reset/:node"] as const).map((path) =>
    route({
      ...administrator,
      method: "DELETE",
      path,
      summary: "Forgets rates and samples; the counters stay",
      responses: DONE,
      handle(api, { params }) {
        const { node } = params
        if (node !== undefined) checkNode(api, node)
        api.statistics.reset()
        return NO_CONTENT
      },
    }),
  ),
  route({
    ...administrator,
    method: "POST",
    path: "/api/rebalance/queues",
    summary: "Spreads the leaders of queues over the nodes: there is one node",
    responses: DONE,
    handle: () => NO_CONTENT,
  }),
  route({
    method: "POST",
    path: "/api/queues/:vhost/:name/actions",
    group: "Queues",
    summary:
      "RabbitMQ's actions on mirrored queues, `sync` and `cancel_sync`: there are no mirrors",
    body: Type.Object({ action: Type.String({ enum: ["sync", "cancel_sync"] }) }),
    responses: DONE,
    handle(api, { user, params }) {
      queueNamed(findVhost(api.broker, user, params.vhost), params.name)
      return NO_CONTENT
    },
  }),
]
