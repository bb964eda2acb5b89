import type { JSX } from "preact"
import { Badge, Button, State } from "../../components/basics.tsx"
import type { BulkAction, Column } from "../../components/data-table.tsx"
import { actOnAll } from "../../core/act.ts"
import { del } from "../../core/api.ts"
import { confirm } from "../../core/confirm.ts"
import { toast } from "../../core/toasts.ts"
import { formatCount, formatNumber } from "../../lib/format.ts"
import { apiPath, href } from "../../lib/route.ts"
import { prefetchText } from "../channels/channel-columns.tsx"
import { zeroOr } from "../connections/connection-columns.tsx"
import { channelHref, peerOf, textOf } from "../connections/types.ts"
import type { ConsumerRow } from "../connections/types.ts"

/** The columns of lists of consumers, and cancelling them. */
const NOUN = ["consumer", "consumers"] as const

export function consumerKey({ consumer_tag: tag, channel_details: channel }: ConsumerRow): string {
  return `${channel.name} ${tag}`
}

async function cancel(rows: readonly ConsumerRow[]): Promise<boolean> {
  const what = formatCount(rows.length, NOUN)
  const isSure = await confirm({
    title: `Cancel ${what}`,
    text: "Their clients are told and get no more messages. What they hold unacked stays with them until they ack it or their channel closes.",
    action: `Cancel ${what}`,
    isDangerous: true,
    items: rows.map(({ consumer_tag: tag, queue }) => `${tag} of ${queue.name}`),
  })
  if (!isSure) return false
  const { doneCount, failures } = await actOnAll(rows, (row) => {
    const { connection_name: connection, number } = row.channel_details
    return del(
      apiPath`consumers/${row.queue.vhost}/${connection}/${String(number)}/${row.consumer_tag}`,
    )
  })
  if (doneCount > 0) toast("success", `Cancelled ${formatCount(doneCount, NOUN)}`)
  if (failures.length > 0)
    toast(
      "error",
      `${formatCount(failures.length, NOUN)} not: ${[...new Set(failures)].slice(0, 3).join("; ")}`,
    )
  return failures.length === 0
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
  {
    id: "prefetch_count",
    label: "Prefetch",
    isNumber: true,
    cell: (row) => zeroOr(row.prefetch_count, prefetchText(row.prefetch_count)),
  },
  {
    id: "unacked",
    label: "Unacked",
    isNumber: true,
    cell: ({ unacked }) => zeroOr(unacked, formatNumber(unacked)),
  },
  {
    id: "priority",
    label: "Priority",
    help: "Those with a higher one get messages first",
    isNumber: true,
    isOptional: true,
    cell: ({ priority }) => zeroOr(priority, formatNumber(priority)),
  },
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
