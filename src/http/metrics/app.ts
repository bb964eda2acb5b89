import { Hono } from "hono"
import type { Broker } from "../../broker/broker.ts"
import { readQuery, toErrorResponse, toResponse } from "../app.ts"
import type { AppBindings, HttpApp } from "../app.ts"
import { notFound } from "../errors.ts"
import type { Metrics } from "./metrics.ts"
import { METRICS_PATHS, METRICS_QUERY, metricsReply } from "./routes.ts"
import type { MetricsQuery } from "./routes.ts"

/** The metrics and nothing else, for everybody who can connect: the listener for Prometheus. */
export function createMetricsApp(broker: Broker, metrics: Metrics): HttpApp {
  const app: HttpApp = new Hono<AppBindings>({ strict: false })
  for (const { path, endpoint } of METRICS_PATHS)
    app.get(path, ({ req }) => {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Checked against the schema of that type.
      const query = readQuery(METRICS_QUERY, req) as MetricsQuery
      return toResponse(metricsReply(metrics, endpoint, query, [...broker.vhosts.values()], true))
    })
  app.notFound(() => toErrorResponse(notFound("only /metrics is served here"), broker.log))
  app.onError((error) => toErrorResponse(error, broker.log))
  return app
}
