import type { JSX } from "preact"
import { Meter, State } from "../../components/basics.tsx"
import { DataTable } from "../../components/data-table.tsx"
import type { Column } from "../../components/data-table.tsx"
import { formatNumber } from "../../lib/format.ts"
import { href } from "../../lib/route.ts"
import { dimZero } from "../../components/number-column.tsx"
import type { KeptOffset, QueueDetail, StreamReader } from "../queue/types.ts"

/** Who reads a stream, and how far behind its end; and where those go on that are not there now. */
export function Readers({ queue }: { readonly queue: QueueDetail }): JSX.Element {
  const { stream, vhost, name } = queue
  const length = Math.max(1, (stream?.next_offset ?? 0) - (stream?.first_offset ?? 0))
  const columns: readonly Column<StreamReader>[] = [
    {
      id: "consumer_tag",
      label: "Reader",
      cell: ({ consumer_tag: tag }) => <span class="mono">{tag}</span>,
    },
    {
      id: "channel_name",
      label: "Channel",
      cell: ({ channel_name: channel }) =>
        channel !== null && <a href={href(["channels", channel])}>{channel}</a>,
    },
    {
      id: "offset",
      label: "Next offset",
      isNumber: true,
      cell: ({ offset }) => (
        <a href={href(["streams", vhost, name], { tab: "messages", offset: String(offset) })}>
          {formatNumber(offset)}
        </a>
      ),
    },
    {
      id: "lag",
      label: "Behind",
      help: "Messages between its place and the end",
      isNumber: true,
      cell: ({ lag }) => dimZero(lag, formatNumber(lag)),
    },
    {
      id: "progress",
      label: "Read",
      isSortable: false,
      width: "160px",
      cell: ({ lag, consumer_tag: tag }) => (
        <Meter fraction={1 - lag / length} label={`Read by ${tag}`} />
      ),
    },
  ]
  return (
    <DataTable<StreamReader>
      id="stream-readers"
      noun={["reader", "readers"]}
      rows={stream?.readers ?? []}
      columns={columns}
      rowKey={({ consumer_tag: tag, channel_name: channel }) => `${tag} ${channel ?? ""}`}
      isLocal
      initial={{ sort: "lag", isReverse: true }}
      empty={{
        title: "Nobody reads",
        text: "A consumer needs a prefetch, and says with x-stream-offset where it begins.",
      }}
    />
  )
}

const KEPT_COLUMNS: readonly Column<KeptOffset>[] = [
  {
    id: "consumer_tag",
    label: "Consumer tag",
    cell: ({ consumer_tag: tag }) => <span class="mono">{tag}</span>,
  },
  { id: "offset", label: "Goes on at", isNumber: true, cell: ({ offset }) => formatNumber(offset) },
  {
    id: "lag",
    label: "Behind",
    isNumber: true,
    cell: ({ lag }) => dimZero(lag, formatNumber(lag)),
  },
  {
    id: "connected",
    label: "State",
    cell: ({ connected }) =>
      connected ? <State tone="ok">reads</State> : <State tone="neutral">away</State>,
  },
]

export function KeptOffsets({ queue }: { readonly queue: QueueDetail }): JSX.Element {
  return (
    <DataTable<KeptOffset>
      id="stream-kept"
      noun={["kept place", "kept places"]}
      rows={queue.stream?.kept_offsets ?? []}
      columns={KEPT_COLUMNS}
      rowKey={({ consumer_tag: tag }) => tag}
      isLocal
      searchLabel="Search tags"
      empty={{
        title: "No place is kept",
        text: "A consumer with a tag of its own and without x-stream-offset goes on where it was; its place would be here.",
      }}
    />
  )
}
