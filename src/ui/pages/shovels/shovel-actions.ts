import type { BulkAction } from "../../components/data-table.tsx"
import { del, put } from "../../core/api.ts"
import { changeAll, deletion } from "../../core/bulk.ts"
import { apiPath } from "../../lib/route.ts"
import type { ShovelRow } from "./types.ts"

/** What can be done with several shovels. */
const NOUN = ["shovel", "shovels"] as const

const VERBS = [
  ["Pause", "pause", "Paused"],
  ["Resume", "play", "Resumed"],
  ["Restart", "refresh", "Restarted"],
] as const

export const SHOVEL_ACTIONS: readonly BulkAction<ShovelRow>[] = [
  ...VERBS.map(([label, icon, done]): BulkAction<ShovelRow> => ({
    label,
    icon,
    run: (rows) =>
      changeAll(rows, {
        noun: NOUN,
        verb: label,
        done,
        change: ({ vhost, name }) => put(apiPath`shovels/${vhost}/${name}/${label.toLowerCase()}`),
      }),
  })),
  deletion(
    NOUN,
    "They end at once. Messages that are under way stay at their source.",
    ({ vhost, name }) => del(apiPath`parameters/shovel/${vhost}/${name}`),
  ),
]
