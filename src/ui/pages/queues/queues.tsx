import { useSignal } from "@preact/signals"
import type { JSX } from "preact"
import { Button, Page } from "../../components/basics.tsx"
import { DataTable } from "../../components/data-table.tsx"
import type { Preset } from "../../components/data-table.tsx"
import { currentVhost, inVhost } from "../../core/vhosts.ts"
import { AddQueue } from "./add-queue.tsx"
import { QUEUE_ACTIONS } from "./queue-actions.tsx"
import { QUEUE_COLUMNS } from "./queue-columns.tsx"
import { queueHref } from "./types.ts"
import type { QueueRow } from "./types.ts"

/** The list of queues. The model for other lists: columns, actions and the form are a file each. */
const PRESETS: readonly Preset[] = [
  {
    id: "non-empty",
    label: "Non-empty",
    query: { preset: "non-empty" },
    help: "With messages, ready or unacked",
  },
  {
    id: "no-consumers",
    label: "No consumers",
    query: { preset: "no-consumers" },
    help: "Nobody takes their messages",
  },
  {
    id: "growing",
    label: "Growing",
    query: { preset: "growing" },
    help: "More comes in than goes out",
  },
  {
    id: "unacked",
    label: "Unacked",
    query: { preset: "unacked" },
    help: "Messages are with consumers",
  },
]

export function Queues(): JSX.Element {
  const isAdding = useSignal(false)
  const open = (): void => {
    isAdding.value = true
  }
  return (
    <Page
      title="Queues"
      actions={
        <Button kind="primary" icon="plus" onClick={open}>
          Add queue
        </Button>
      }
    >
      <DataTable<QueueRow>
        id="queues"
        noun={["queue", "queues"]}
        path={inVhost("queues")}
        columns={QUEUE_COLUMNS.filter(({ id }) => id !== "vhost" || currentVhost.value === "")}
        rowKey={({ vhost, name }) => `${vhost}/${name}`}
        rowHref={queueHref}
        presets={PRESETS}
        actions={QUEUE_ACTIONS}
        empty={{
          title: "No queues yet",
          text: (
            <>
              Clients declare them, or{" "}
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
          onClose={() => {
            isAdding.value = false
          }}
        />
      )}
    </Page>
  )
}
