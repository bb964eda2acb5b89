import type { JSX } from "preact"
import { Badge, State } from "../../components/basics.tsx"
import type { Column } from "../../components/data-table.tsx"
import { numberColumn } from "../../components/number-column.tsx"
import { formatBytes } from "../../lib/format.ts"
import { href } from "../../lib/route.ts"
import { queueHref } from "./types.ts"
import type { QueueRow } from "./types.ts"

/** The columns of the list of queues. */
export function QueueFeatures({ queue }: { queue: QueueRow }): JSX.Element {
  const args = Object.entries(queue.arguments).filter(([name]) => name !== "x-queue-type")
  return (
    <>
      {queue.type !== "classic" && <Badge tone="accent">{queue.type}</Badge>}
      {queue.durable && <Badge title="Durable: survives a restart">D</Badge>}
      {queue.auto_delete && <Badge title="Auto-delete: goes with its last consumer">AD</Badge>}
      {queue.exclusive && <Badge title="Exclusive: belongs to one connection">E</Badge>}
      {args.length > 0 && (
        <Badge title={args.map(([name, value]) => `${name}: ${JSON.stringify(value)}`).join(", ")}>
          Args
        </Badge>
      )}
    </>
  )
}

export function QueueState({ state }: { state: string }): JSX.Element {
  const tone = state === "running" ? "ok" : state === "paused" ? "warn" : "danger"
  return <State tone={tone}>{state}</State>
}

export const QUEUE_COLUMNS: readonly Column<QueueRow>[] = [
  {
    id: "name",
    label: "Name",
    cell: (row) => (
      <a href={queueHref(row)} title={row.name}>
        {row.name === "" ? "(no name)" : row.name}
      </a>
    ),
  },
  { id: "vhost", label: "Virtual host", cell: ({ vhost }) => vhost },
  { id: "type", label: "Features", isWide: true, cell: (row) => <QueueFeatures queue={row} /> },
  {
    id: "policy",
    label: "Policy",
    isWide: true,
    cell: ({ policy, operator_policy: operator }) => (
      <>
        {policy !== null && <a href={href(["policies"], { name: policy })}>{policy}</a>}
        {policy !== null && operator !== null && " "}
        {operator !== null && <Badge title="Operator policy">{operator}</Badge>}
      </>
    ),
  },
  { id: "state", label: "State", cell: ({ state }) => <QueueState state={state} /> },
  numberColumn("consumers", "Consumers"),
  numberColumn("messages_ready", "Ready"),
  numberColumn("messages_unacknowledged", "Unacked"),
  numberColumn("messages", "Total"),
  numberColumn("message_bytes", "Size", { format: formatBytes, isOptional: true }),
  numberColumn("message_stats.publish_details.rate", "Publish"),
  numberColumn("message_stats.deliver_get_details.rate", "Deliver"),
  numberColumn("message_stats.redeliver_details.rate", "Redeliver", { isOptional: true }),
  numberColumn("message_stats.ack_details.rate", "Ack"),
]
