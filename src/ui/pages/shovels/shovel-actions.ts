import type { BulkAction } from "../../components/data-table.tsx"
import { actOnAll } from "../../core/act.ts"
import { del, put } from "../../core/api.ts"
import { confirm } from "../../core/confirm.ts"
import { toast } from "../../core/toasts.ts"
import { formatCount } from "../../lib/format.ts"
import { apiPath } from "../../lib/route.ts"
import type { ShovelRow } from "./types.ts"

/** What can be done with several shovels. */
const NOUN = ["shovel", "shovels"] as const

async function run(
  rows: readonly ShovelRow[],
  done: string,
  change: (row: ShovelRow) => Promise<unknown>,
): Promise<boolean> {
  const { doneCount, failures } = await actOnAll(rows, change)
  if (doneCount > 0) toast("success", `${done} ${formatCount(doneCount, NOUN)}`)
  if (failures.length > 0) toast("error", [...new Set(failures)].slice(0, 3).join("; "))
  return failures.length === 0
}

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
      run(rows, done, ({ vhost, name }) =>
        put(apiPath`shovels/${vhost}/${name}/${label.toLowerCase()}`),
      ),
  })),
  {
    label: "Delete",
    icon: "trash",
    isDangerous: true,
    async run(rows) {
      const what = formatCount(rows.length, NOUN)
      const [only] = rows
      const isSure = await confirm({
        title: `Delete ${what}`,
        text: "They end at once. Messages that are under way stay at their source.",
        action: `Delete ${what}`,
        isDangerous: true,
        typed: rows.length === 1 && only !== undefined ? only.name : String(rows.length),
        items: rows.map(({ vhost, name }) => `${vhost} ${name}`),
      })
      if (!isSure) return false
      return run(rows, "Deleted", ({ vhost, name }) =>
        del(apiPath`parameters/shovel/${vhost}/${name}`),
      )
    },
  },
]
