import type { JSX } from "preact"
import { Badge } from "../../components/basics.tsx"
import type { Column } from "../../components/data-table.tsx"
import { numberColumn } from "../../components/number-column.tsx"
import { formatNumber } from "../../lib/format.ts"
import { ConnectionState } from "../connections/connection-columns.tsx"
import { channelHref, peerOf } from "../connections/types.ts"
import type { ChannelRow } from "../connections/types.ts"

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
  numberColumn("consumer_count", "Consumers"),
  numberColumn("prefetch_count", "Prefetch", {
    help: "Unacked messages that a new consumer may have; none: no limit",
    format: prefetchText,
  }),
  numberColumn("global_prefetch_count", "Global prefetch", {
    help: "For all consumers of the channel together",
    format: prefetchText,
    isOptional: true,
  }),
  numberColumn("messages_unacknowledged", "Unacked"),
  numberColumn("messages_unconfirmed", "Unconfirmed", { help: "Published, and not confirmed yet" }),
  numberColumn("message_stats.publish_details.rate", "Publish"),
  numberColumn("message_stats.deliver_get_details.rate", "Deliver"),
  numberColumn("message_stats.ack_details.rate", "Ack"),
  numberColumn("message_stats.redeliver_details.rate", "Redeliver", { isOptional: true }),
]
