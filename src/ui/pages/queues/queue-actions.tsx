import type { BulkAction } from "../../components/data-table.tsx"
import { actOnAll } from "../../core/act.ts"
import { del, put } from "../../core/api.ts"
import { confirm } from "../../core/confirm.ts"
import { toast } from "../../core/toasts.ts"
import { formatCount } from "../../lib/format.ts"
import { apiPath } from "../../lib/route.ts"
import type { QueueRow } from "./types.ts"

/** What can be done with several queues. The page of one queue uses the same calls. */
const NOUN = ["queue", "queues"] as const

const purgeQueue = ({ vhost, name }: QueueRow): Promise<unknown> =>
  del(apiPath`queues/${vhost}/${name}/contents`)
const deleteQueue = ({ vhost, name }: QueueRow): Promise<unknown> =>
  del(apiPath`queues/${vhost}/${name}`)
export const pauseQueue = ({ vhost, name }: QueueRow): Promise<unknown> =>
  put(apiPath`queues/${vhost}/${name}/pause`)
export const resumeQueue = ({ vhost, name }: QueueRow): Promise<unknown> =>
  put(apiPath`queues/${vhost}/${name}/resume`)

interface Work {
  readonly verb: string
  readonly done: string
  /** Null: it can be taken back, so nobody is asked. */
  readonly warning: string | null
  readonly change: (queue: QueueRow) => Promise<unknown>
}

async function run(
  rows: readonly QueueRow[],
  { verb, done, warning, change }: Work,
): Promise<boolean> {
  const what = formatCount(rows.length, NOUN)
  if (warning !== null) {
    const [only] = rows
    const isSure = await confirm({
      title: `${verb} ${what}`,
      text: warning,
      action: `${verb} ${what}`,
      isDangerous: true,
      typed: rows.length === 1 && only !== undefined ? only.name : String(rows.length),
      items: rows.map(({ vhost, name }) => `${vhost} ${name}`),
    })
    if (!isSure) return false
  }
  const { doneCount, failures } = await actOnAll(rows, change)
  if (doneCount > 0) toast("success", `${done} ${formatCount(doneCount, NOUN)}`)
  if (failures.length > 0)
    toast(
      "error",
      `${formatCount(failures.length, NOUN)} not: ${[...new Set(failures)].slice(0, 3).join("; ")}`,
    )
  return failures.length === 0
}

export const QUEUE_ACTIONS: readonly BulkAction<QueueRow>[] = [
  {
    label: "Pause",
    icon: "pause",
    run: (rows) => run(rows, { verb: "Pause", done: "Paused", warning: null, change: pauseQueue }),
  },
  {
    label: "Resume",
    icon: "play",
    run: (rows) =>
      run(rows, { verb: "Resume", done: "Resumed", warning: null, change: resumeQueue }),
  },
  {
    label: "Purge",
    icon: "broom",
    isDangerous: true,
    run: (rows) =>
      run(rows, {
        verb: "Purge",
        done: "Purged",
        warning:
          "Their ready messages are deleted for good. Messages that consumers hold unacked stay.",
        change: purgeQueue,
      }),
  },
  {
    label: "Delete",
    icon: "trash",
    isDangerous: true,
    run: (rows) =>
      run(rows, {
        verb: "Delete",
        done: "Deleted",
        warning: "The queues go with their messages and bindings. Consumers are cancelled.",
        change: deleteQueue,
      }),
  },
]
