import { useSignal } from "@preact/signals"
import type { JSX } from "preact"
import { Button, Page } from "../../components/basics.tsx"
import { DataTable } from "../../components/data-table.tsx"
import type { Column } from "../../components/data-table.tsx"
import { currentVhost, inVhost } from "../../core/vhosts.ts"
import { withQuery } from "../../lib/route.ts"
import { AddQueue } from "../queues/add-queue.tsx"
import { QUEUE_ACTIONS } from "../queues/queue-actions.tsx"
import { QUEUE_COLUMNS } from "../queues/queue-columns.tsx"
import { queueHref } from "../queues/types.ts"
import type { QueueRow } from "../queues/types.ts"

/** The list of streams: queues of that type, without what streams do not have. */
const HIDDEN = new Set([
  "type",
  "messages_ready",
  "messages_unacknowledged",
  "message_stats.redeliver_details.rate",
  "message_stats.ack_details.rate",
])

const LABELS: Readonly<Record<string, string>> = { messages: "Messages", consumers: "Readers" }

function streamColumn(column: Column<QueueRow>): Column<QueueRow> {
  const { id, label, isOptional = false } = column
  const isShown = id === "message_bytes"
  return { ...column, label: LABELS[id] ?? label, isOptional: isOptional && !isShown }
}

const COLUMNS: readonly Column<QueueRow>[] = QUEUE_COLUMNS.filter(({ id }) => !HIDDEN.has(id)).map(
  streamColumn,
)

export function Streams(): JSX.Element {
  const isAdding = useSignal(false)
  const open = (): void => {
    isAdding.value = true
  }
  return (
    <Page
      title="Streams"
      about="Logs that keep their messages: every reader has a place of its own."
      actions={
        <Button kind="primary" icon="plus" onClick={open}>
          Add stream
        </Button>
      }
    >
      <DataTable<QueueRow>
        id="streams"
        noun={["stream", "streams"]}
        path={withQuery(inVhost("queues"), { preset: "streams" })}
        columns={COLUMNS.filter(({ id }) => id !== "vhost" || currentVhost.value === "")}
        rowKey={({ vhost, name }) => `${vhost}/${name}`}
        rowHref={queueHref}
        actions={QUEUE_ACTIONS.filter(({ label }) => label !== "Purge")}
        empty={{
          title: "No streams yet",
          text: (
            <>
              Clients declare them with x-queue-type: stream, or{" "}
              <button type="button" class="link" onClick={open}>
                add one here
              </button>
              .
            </>
          ),
        }}
      />
      {isAdding.value && (
        <AddQueue
          type="stream"
          onClose={() => {
            isAdding.value = false
          }}
        />
      )}
    </Page>
  )
}
