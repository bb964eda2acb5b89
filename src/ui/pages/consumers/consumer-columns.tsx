import type { JSX } from "preact"
import { Badge, Button, State } from "../../components/basics.tsx"
import type { BulkAction, Column } from "../../components/data-table.tsx"
import { numberColumn } from "../../components/number-column.tsx"
import { del } from "../../core/api.ts"
import { changeAll } from "../../core/bulk.ts"
import { apiPath, href } from "../../lib/route.ts"
import { prefetchText } from "../channels/channel-columns.tsx"
import { channelHref, peerOf, textOf } from "../connections/types.ts"
import type { ConsumerRow } from "../connections/types.ts"

/** The columns of lists of consumers, and cancelling them. */
export function consumerKey({ consumer_tag: tag, channel_details: channel }: ConsumerRow): string {
  return `${channel.name} ${tag}`
}

function cancel(rows: readonly ConsumerRow[]): Promise<boolean> {
  return changeAll(rows, {
    noun: ["consumer", "consumers"],
    verb: "Cancel",
    done: "Cancelled",
    warning:
      "Their clients are told and get no more messages. What they hold unacked stays with them until they ack it or their channel closes.",
    item: ({ consumer_tag: tag, queue }) => `${tag} of ${queue.name}`,
    change: ({ queue, consumer_tag: tag, channel_details: channel }) =>
      del(
        apiPath`consumers/${queue.vhost}/${channel.connection_name}/${String(channel.number)}/${tag}`,
      ),
  })
}

export const CANCEL_ACTION: BulkAction<ConsumerRow> = {
  label: "Cancel",
  icon: "close",
  isDangerous: true,
  run: cancel,
}

function Flags({ row }: { row: ConsumerRow }): JSX.Element {
  const args = Object.entries(row.arguments)
  return (
    <>
      {row.ack_required ? (
        <Badge title="Acknowledges each message">Ack</Badge>
      ) : (
        <Badge title="A message counts as done when it is sent">No ack</Badge>
      )}
      {row.exclusive && <Badge title="Exclusive: the queue has no other consumer">E</Badge>}
      {args.length > 0 && (
        <Badge title={args.map(([name, value]) => `${name}: ${textOf(value)}`).join(", ")}>
          Args
        </Badge>
      )}
    </>
  )
}

export const CONSUMER_COLUMNS: readonly Column<ConsumerRow>[] = [
  {
    id: "consumer_tag",
    label: "Tag",
    cell: ({ consumer_tag: tag }) => (
      <span class="mono" title={tag}>
        {tag}
      </span>
    ),
  },
  {
    id: "queue.name",
    label: "Queue",
    cell: ({ queue: { vhost, name } }) => <a href={href(["queues", vhost, name])}>{name}</a>,
  },
  { id: "queue.vhost", label: "Virtual host", cell: ({ queue }) => queue.vhost },
  {
    id: "channel_details.name",
    label: "Channel",
    isWide: true,
    cell: ({ channel_details: channel }) => (
      <a href={channelHref(channel)} title={channel.name}>
        {peerOf(channel.name)}
      </a>
    ),
  },
  {
    id: "active",
    label: "State",
    cell: ({ active }) =>
      active ? <State tone="ok">active</State> : <State tone="neutral">waiting</State>,
  },
  { id: "ack_required", label: "Mode", cell: (row) => <Flags row={row} /> },
  numberColumn("prefetch_count", "Prefetch", { format: prefetchText }),
  numberColumn("unacked", "Unacked"),
  numberColumn("priority", "Priority", {
    help: "Those with a higher one get messages first",
    isOptional: true,
  }),
  {
    id: "cancel",
    label: "Cancel",
    isSortable: false,
    cell: (row) => (
      <Button
        kind="quiet"
        icon="close"
        label={`Cancel ${row.consumer_tag}`}
        onClick={() => void cancel([row])}
      />
    ),
  },
]
