import type { ComponentChildren, JSX } from "preact"
import { Badge, State } from "../../components/basics.tsx"
import type { Column } from "../../components/data-table.tsx"
import { formatBytes, formatNumber, formatRate } from "../../lib/format.ts"
import { href } from "../../lib/route.ts"
import { rateOf } from "../overview/types.ts"
import { queueHref } from "./types.ts"
import type { QueueRow } from "./types.ts"

/** The columns of the list of queues. */
export function dimZero(value: number, text: string): ComponentChildren {
  return value === 0 ? <span class="zero">{text}</span> : text
}

function count(value: number): ComponentChildren {
  return dimZero(value, formatNumber(value))
}

function rate(row: QueueRow, name: string): ComponentChildren {
  const value = rateOf(row.message_stats, name).rate
  return dimZero(value, formatRate(value))
}

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
  { id: "type", label: "Features", cell: (row) => <QueueFeatures queue={row} /> },
  {
    id: "policy",
    label: "Policy",
    cell: ({ policy, operator_policy: operator }) => (
      <>
        {policy !== null && <a href={href(["policies"], { name: policy })}>{policy}</a>}
        {operator !== null && <Badge title="Operator policy">{operator}</Badge>}
      </>
    ),
  },
  { id: "state", label: "State", cell: ({ state }) => <QueueState state={state} /> },
  {
    id: "consumers",
    label: "Consumers",
    isNumber: true,
    cell: ({ consumers }) => count(consumers),
  },
  {
    id: "messages_ready",
    label: "Ready",
    isNumber: true,
    cell: (row) => count(row.messages_ready),
  },
  {
    id: "messages_unacknowledged",
    label: "Unacked",
    isNumber: true,
    cell: (row) => count(row.messages_unacknowledged),
  },
  { id: "messages", label: "Total", isNumber: true, cell: (row) => count(row.messages) },
  {
    id: "message_bytes",
    label: "Size",
    isNumber: true,
    isOptional: true,
    cell: (row) => dimZero(row.message_bytes, formatBytes(row.message_bytes)),
  },
  {
    id: "message_stats.publish_details.rate",
    label: "Publish",
    isNumber: true,
    cell: (row) => rate(row, "publish"),
  },
  {
    id: "message_stats.deliver_get_details.rate",
    label: "Deliver",
    isNumber: true,
    cell: (row) => rate(row, "deliver_get"),
  },
  {
    id: "message_stats.redeliver_details.rate",
    label: "Redeliver",
    isNumber: true,
    isOptional: true,
    cell: (row) => rate(row, "redeliver"),
  },
  {
    id: "message_stats.ack_details.rate",
    label: "Ack",
    isNumber: true,
    cell: (row) => rate(row, "ack"),
  },
]
