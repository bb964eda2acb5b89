import type { BulkAction } from "../../components/data-table.tsx"
import { del, put } from "../../core/api.ts"
import { changeAll, deletion, named } from "../../core/bulk.ts"
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

export const QUEUE_ACTIONS: readonly BulkAction<QueueRow>[] = [
  {
    label: "Pause",
    icon: "pause",
    run: (rows) =>
      changeAll(rows, { noun: NOUN, verb: "Pause", done: "Paused", change: pauseQueue }),
  },
  {
    label: "Resume",
    icon: "play",
    run: (rows) =>
      changeAll(rows, { noun: NOUN, verb: "Resume", done: "Resumed", change: resumeQueue }),
  },
  {
    label: "Purge",
    icon: "broom",
    isDangerous: true,
    run: (rows) =>
      changeAll(rows, {
        ...named<QueueRow>(),
        noun: NOUN,
        verb: "Purge",
        done: "Purged",
        warning:
          "Their ready messages are deleted for good. Messages that consumers hold unacked stay.",
        change: purgeQueue,
      }),
  },
  deletion(
    NOUN,
    "The queues go with their messages and bindings. Consumers are cancelled.",
    deleteQueue,
  ),
]
