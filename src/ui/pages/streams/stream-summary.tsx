import type { JSX } from "preact"
import { Panel, Tile, Tiles } from "../../components/basics.tsx"
import { formatBytes, formatNumber, formatRate, formatShort } from "../../lib/format.ts"
import { rateOf } from "../overview/types.ts"
import { QueueCharts, QueueSettings } from "../queue/queue-summary.tsx"
import type { SummaryProps } from "../queue/queue-summary.tsx"
import { StuckPanel } from "../queue/stuck-panel.tsx"
import { KeptOffsets, Readers } from "./readers.tsx"

/** A stream: its offsets and segments, its readers and how far they are behind. */
export function StreamSummary({ queue, receivedMs }: SummaryProps): JSX.Element {
  const { stream, message_stats: stats } = queue
  const lag = Math.max(0, ...(stream?.readers ?? []).map((reader) => reader.lag))
  return (
    <>
      <Tiles>
        <Tile
          label="Messages"
          value={formatShort(queue.messages_ready)}
          note={formatBytes(queue.message_bytes_ready)}
        />
        <Tile
          label="Offsets"
          value={formatShort(stream?.next_offset)}
          note={`first ${formatNumber(stream?.first_offset)}`}
        />
        <Tile label="Segments" value={formatShort(stream?.segments)} note="files on disk" />
        <Tile label="Publish" value={formatRate(rateOf(stats, "publish").rate)} />
        <Tile
          label="Deliver"
          value={formatRate(rateOf(stats, "deliver").rate)}
          note="to all readers"
        />
        <Tile
          label="Readers"
          value={formatShort(queue.consumers)}
          note={queue.consumers === 0 ? "nobody reads" : `the last is ${formatShort(lag)} behind`}
          tone={queue.state === "paused" ? "warn" : "neutral"}
        />
      </Tiles>
      <StuckPanel queue={queue} />
      <QueueCharts queue={queue} receivedMs={receivedMs} />
      <Panel title="Readers" isFlush>
        <Readers queue={queue} />
      </Panel>
      <div class="columns is-even">
        <Panel title="Kept places" isFlush>
          <KeptOffsets queue={queue} />
        </Panel>
        <QueueSettings queue={queue} />
      </div>
    </>
  )
}
