import type { JSX } from "preact"
import type { Column } from "../../components/data-table.tsx"
import { nowMs } from "../../core/clock.ts"
import { formatDate, formatDuration, formatNumber } from "../../lib/format.ts"
import { href } from "../../lib/route.ts"
import { peerOf } from "../connections/types.ts"
import type { UnackedRow } from "./types.ts"

/** Who holds unacked messages, and since when. */
const LONG_MS = 60_000

export const unackedKey = (row: UnackedRow): string =>
  `${row.vhost} ${row.name} ${row.channel_name} ${row.consumer_tag}`

/** "12 min", marked when it is long. */
function Held({ sinceMs }: { sinceMs: number | null }): JSX.Element {
  if (sinceMs === null) return <span class="muted">just now</span>
  const ms = nowMs() - sinceMs
  return (
    <span class={ms > LONG_MS ? "is-long" : ""} title={`since about ${formatDate(sinceMs)}`}>
      {formatDuration(ms)}
    </span>
  )
}

export const UNACKED_COLUMNS: readonly Column<UnackedRow>[] = [
  {
    id: "name",
    label: "Queue",
    cell: ({ vhost, name }) => (
      <a href={href(["queues", vhost, name], { tab: "unacked" })}>{name}</a>
    ),
  },
  { id: "vhost", label: "Virtual host", cell: ({ vhost }) => vhost },
  {
    id: "consumer_tag",
    label: "Consumer",
    isWide: true,
    cell: ({ consumer_tag: tag }) => <span class="mono">{tag}</span>,
  },
  {
    id: "channel_name",
    label: "Channel",
    isWide: true,
    cell: ({ channel_name: name }) => (
      <a href={href(["channels", name])} title={name}>
        {peerOf(name)}
      </a>
    ),
  },
  { id: "user", label: "User", cell: ({ user }) => user },
  {
    id: "unacked",
    label: "Unacked",
    isNumber: true,
    cell: ({ unacked }) => formatNumber(unacked),
  },
  {
    id: "prefetch_count",
    label: "Prefetch",
    isNumber: true,
    cell: ({ prefetch_count: count, unacked }) =>
      count === 0 ? (
        <span class="muted">no limit</span>
      ) : (
        <span class={unacked >= count ? "is-long" : ""}>{formatNumber(count)}</span>
      ),
  },
  {
    id: "unacked_since_ms",
    label: "Oldest held for",
    help: "About, to a quarter",
    cell: ({ unacked_since_ms: sinceMs }) => <Held sinceMs={sinceMs} />,
  },
]
