import { Type } from "./schema.ts"
import { DONE, NO_CONTENT, ok, route } from "./route.ts"
import type { Route } from "./route.ts"

/** Which log entries are written. Until the next start, or the next reading of a changed configuration. */
const LEVELS = ["trace", "debug", "info", "warn", "error", "fatal", "none"] as const

export type WrittenLevel = (typeof LEVELS)[number]

const LevelBody = Type.Object({ level: Type.String({ enum: LEVELS }) })

export const LOG_LEVEL_ROUTES: readonly Route[] = [
  route({
    method: "GET",
    path: "/api/logs/level",
    group: "Broker",
    summary: "Says from which level on log entries are written",
    access: "administrator",
    responses: { 200: { doc: "The level in force", schema: LevelBody } },
    handle: (api) => ok({ level: api.node.logLevel() }),
  }),
  route({
    method: "PUT",
    path: "/api/logs/level",
    group: "Broker",
    summary: "Sets the least severe log entries that are written, until the next start",
    access: "administrator",
    body: LevelBody,
    responses: DONE,
    handle(api, { body }) {
      const level = LEVELS.find((known) => known === body.level)
      if (level !== undefined) api.node.setLogLevel(level)
      return NO_CONTENT
    },
  }),
]
