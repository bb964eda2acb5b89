import { Type } from "./schema.ts"
import { AUDIT_ROUTES } from "./audit.ts"
import { AUTH_CHECK_ROUTES } from "./auth-check.ts"
import { BINDING_ROUTES } from "./bindings.ts"
import { CONNECTION_ROUTES } from "./connections.ts"
import { DEFINITION_ROUTES } from "./definitions.ts"
import { EXCHANGE_ROUTES } from "./exchanges.ts"
import { FEDERATION_ROUTES } from "./federation.ts"
import { HEALTH_ROUTES } from "./health.ts"
import { LOG_LEVEL_ROUTES } from "./log-level.ts"
import { LOG_ROUTES } from "./logs.ts"
import { METRICS_ROUTES } from "./metrics/routes.ts"
import { MAINTENANCE_ROUTES } from "./maintenance.ts"
import { openApiDocument } from "./openapi.ts"
import { PARAMETER_ROUTES } from "./parameters.ts"
import { POLICY_ROUTES } from "./policies.ts"
import { MESSAGES_ELSEWHERE_ROUTES } from "./messages-elsewhere.ts"
import { QUEUE_MESSAGE_ROUTES } from "./queue-messages.ts"
import { QUEUE_STATE_ROUTES } from "./queue-state.ts"
import { QUEUE_ROUTES } from "./queues.ts"
import { ok, route } from "./route.ts"
import type { Route } from "./route.ts"
import { ROUTE_TEST_ROUTES } from "./route-test.ts"
import { SESSION_ROUTES } from "./sessions.ts"
import { SYSTEM_ROUTES } from "./system.ts"
import { REDRIVE_ROUTES } from "./redrive.ts"
import { SHOVEL_ROUTES } from "./shovels.ts"
import { USER_ROUTES } from "./users.ts"
import { VHOST_ROUTES } from "./vhosts.ts"

/**
 * The route table: every endpoint of the HTTP API once. Router, permission check, validation and the
 * OpenAPI document come from it. Where two paths could match, the more literal one stands first.
 */
const API_ROUTES: readonly Route[] = [
  ...MAINTENANCE_ROUTES,
  ...SYSTEM_ROUTES,
  ...LOG_ROUTES,
  ...LOG_LEVEL_ROUTES,
  ...AUTH_CHECK_ROUTES,
  ...AUDIT_ROUTES,
  ...SESSION_ROUTES,
  ...VHOST_ROUTES,
  ...EXCHANGE_ROUTES,
  ...ROUTE_TEST_ROUTES,
  ...QUEUE_ROUTES,
  ...QUEUE_MESSAGE_ROUTES,
  ...QUEUE_STATE_ROUTES,
  ...MESSAGES_ELSEWHERE_ROUTES,
  ...BINDING_ROUTES,
  ...CONNECTION_ROUTES,
  ...USER_ROUTES,
  ...POLICY_ROUTES,
  ...PARAMETER_ROUTES,
  ...FEDERATION_ROUTES,
  ...SHOVEL_ROUTES,
  ...REDRIVE_ROUTES,
  ...DEFINITION_ROUTES,
  ...HEALTH_ROUTES,
  ...METRICS_ROUTES,
]

const OPENAPI_PATH = "/api/openapi.json"

let document: Record<string, unknown> | null = null

const OPENAPI_ROUTE: Route = route({
  method: "GET",
  path: OPENAPI_PATH,
  group: "Broker",
  summary: "This document",
  access: "open",
  responses: { 200: { doc: "OpenAPI 3.1", schema: Type.Record(Type.String(), Type.Unknown()) } },
  handle: () => ok((document ??= openApiDocument(ROUTES))),
})

export const ROUTES: readonly Route[] = [...API_ROUTES, OPENAPI_ROUTE]
