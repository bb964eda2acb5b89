import type { ComponentChildren, JSX } from "preact"
import { Badge } from "../../components/basics.tsx"
import type { Column } from "../../components/data-table.tsx"
import { formatNumber, formatRate } from "../../lib/format.ts"
import { ConnectionState, zeroOr } from "../connections/connection-columns.tsx"
import { channelHref, peerOf } from "../connections/types.ts"
import type { ChannelRow } from "../connections/types.ts"
import { rateOf } from "../overview/types.ts"

/** The columns of lists of channels. */
export function ChannelMode({ channel }: { channel: ChannelRow }): JSX.Element {
  return (
    <>
      {channel.confirm && (
        <Badge title="Confirm mode: the broker confirms what it has taken">C</Badge>
      )}
      {channel.transactional && (
        <Badge title="Transactional: publishes and acks are committed">T</Badge>
      )}
    </>
  )
}

/** 0 is no limit. */
export function prefetchText(limit: number): string {
  return limit === 0 ? "none" : formatNumber(limit)
}

function count(value: number): ComponentChildren {
  return zeroOr(value, formatNumber(value))
}

function rate(name: string): (row: ChannelRow) => ComponentChildren {
  return ({ message_stats: stats }) => {
    const value = rateOf(stats, name).rate
    return zeroOr(value, formatRate(value))
  }
}

export const CHANNEL_COLUMNS: readonly Column<ChannelRow>[] = [
  {
    id: "name",
    label: "Name",
    cell: (row) => (
      <a href={channelHref(row)} title={row.name}>
        {peerOf(row.name)}
      </a>
    ),
  },
  { id: "vhost", label: "Virtual host", cell: ({ vhost }) => vhost },
  { id: "user", label: "User", cell: ({ user }) => user },
  { id: "confirm", label: "Mode", cell: (row) => <ChannelMode channel={row} /> },
  { id: "state", label: "State", cell: ({ state }) => <ConnectionState state={state} /> },
  {
    id: "consumer_count",
    label: "Consumers",
    isNumber: true,
    cell: (row) => count(row.consumer_count),
  },
  {
    id: "prefetch_count",
    label: "Prefetch",
    help: "Unacked messages that a new consumer may have; none: no limit",
    isNumber: true,
    cell: (row) => zeroOr(row.prefetch_count, prefetchText(row.prefetch_count)),
  },
  {
    id: "global_prefetch_count",
    label: "Global prefetch",
    help: "For all consumers of the channel together",
    isNumber: true,
    isOptional: true,
    cell: (row) => zeroOr(row.global_prefetch_count, prefetchText(row.global_prefetch_count)),
  },
  {
    id: "messages_unacknowledged",
    label: "Unacked",
    isNumber: true,
    cell: (row) => count(row.messages_unacknowledged),
  },
  {
    id: "messages_unconfirmed",
    label: "Unconfirmed",
    help: "Published, and not confirmed yet",
    isNumber: true,
    cell: (row) => count(row.messages_unconfirmed),
  },
  {
    id: "message_stats.publish_details.rate",
    label: "Publish",
    isNumber: true,
    cell: rate("publish"),
  },
  {
    id: "message_stats.deliver_get_details.rate",
    label: "Deliver",
    isNumber: true,
    cell: rate("deliver_get"),
  },
  { id: "message_stats.ack_details.rate", label: "Ack", isNumber: true, cell: rate("ack") },
  {
    id: "message_stats.redeliver_details.rate",
    label: "Redeliver",
    isNumber: true,
    isOptional: true,
    cell: rate("redeliver"),
  },
]
