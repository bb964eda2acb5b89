import { Type } from "./schema.ts"
import { DONE, NO_CONTENT, route } from "./route.ts"
import type { Route } from "./route.ts"

/** Which log entries are written. Until the next start, or the next reading of a changed configuration. */
const LEVELS = ["trace", "debug", "info", "warn", "error", "fatal", "none"] as const

export type WrittenLevel = (typeof LEVELS)[number]

export const LOG_LEVEL_ROUTES: readonly Route[] = [
  route({
    method: "PUT",
    path: "/api/logs/level",
    group: "Broker",
    summary: "Sets the least severe log entries that are written, until the next start",
    access: "administrator",
    body: Type.Object({ level: Type.String({ enum: LEVELS }) }),
    responses: DONE,
    handle(api, { body }) {
      const level = LEVELS.find((known) => known === body.level)
      if (level !== undefined) api.node.setLogLevel(level)
      return NO_CONTENT
    },
  }),
]
