import type { Api } from "../api.ts"
import { Type } from "../schema.ts"
import type { Static } from "../schema.ts"
import { route } from "../route.ts"
import type { Reply, Route } from "../route.ts"
import { hasTag, visibleVhosts } from "../visibility.ts"
import type { User } from "../../auth/users.ts"
import type { Vhost } from "../../broker/vhost.ts"
import { CONTENT_TYPE } from "./metric.ts"
import { DEFAULT_PREFIX, PREFIX_BYTES_MAX } from "./metrics.ts"
import type { Endpoint, Metrics } from "./metrics.ts"
import type { View } from "./snapshot.ts"

/** The paths that Prometheus scrapes, on the management port: for users with any tag, who see their vhosts. */

export const METRICS_QUERY = Type.Object({
  prefix: Type.Optional(
    Type.String({
      description: `In front of the names; at most ${String(PREFIX_BYTES_MAX)} bytes, default ${DEFAULT_PREFIX}`,
    }),
  ),
  vhost: Type.Optional(
    Type.Array(Type.String(), { description: "Only these vhosts; may be repeated" }),
  ),
  family: Type.Optional(
    Type.Array(Type.String(), { description: "Which metrics (detailed); may be repeated" }),
  ),
})

export type MetricsQuery = Static<typeof METRICS_QUERY>

export interface MetricsPath {
  readonly path: string
  readonly endpoint: Endpoint
  readonly summary: string
}

export const METRICS_PATHS: readonly MetricsPath[] = [
  {
    path: "/metrics",
    endpoint: "aggregated",
    summary: "Metrics for Prometheus, as sums over all objects",
  },
  {
    path: "/metrics/detailed",
    endpoint: "detailed",
    summary: "Metrics for Prometheus of single objects, the families that are asked for",
  },
  {
    path: "/metrics/per-object",
    endpoint: "per-object",
    summary: "Metrics for Prometheus of single objects, all of them",
  },
  {
    path: "/metrics/memory-breakdown",
    endpoint: "memory-breakdown",
    summary: "Metrics for Prometheus: what the memory is used for",
  },
]

export function metricsReply(
  metrics: Metrics,
  endpoint: Endpoint,
  { prefix, family, vhost }: MetricsQuery,
  visible: readonly Vhost[],
  seesAll: boolean,
): Reply {
  const wanted = vhost === undefined ? visible : visible.filter(({ name }) => vhost.includes(name))
  const view: View = {
    vhosts: wanted,
    isWhole: seesAll && vhost === undefined,
    seesNode: seesAll,
  }
  const text = metrics.scrape({ endpoint, view, prefix, families: family })
  return { status: 200, text, headers: { "Content-Type": CONTENT_TYPE } }
}

function replyTo(api: Api, endpoint: Endpoint, query: MetricsQuery, user: User): Reply {
  const seesAll = hasTag(user, "monitoring")
  return metricsReply(api.metrics, endpoint, query, visibleVhosts(api.broker, user), seesAll)
}

export const METRICS_ROUTES: readonly Route[] = METRICS_PATHS.map(({ path, endpoint, summary }) =>
  route({
    method: "GET",
    path,
    group: "Metrics",
    summary,
    query: METRICS_QUERY,
    responses: {
      200: {
        doc: "Prometheus' text format, version 0.0.4",
        schema: Type.String(),
        contentType: "text/plain",
      },
    },
    handle: (api, { query, user }) => replyTo(api, endpoint, query, user),
  }),
)
