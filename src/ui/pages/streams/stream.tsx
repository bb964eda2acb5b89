import { useSignal } from "@preact/signals"
import type { Signal } from "@preact/signals"
import type { JSX } from "preact"
import {
  Button,
  Empty,
  ErrorBanner,
  Loading,
  Page,
  Panel,
  Tabs,
  Tile,
  Tiles,
} from "../../components/basics.tsx"
import { act } from "../../core/act.ts"
import { ApiError } from "../../core/api.ts"
import { location, setQuery } from "../../core/router.ts"
import { usePoll } from "../../core/use-poll.ts"
import { formatBytes, formatNumber, formatRate, formatShort } from "../../lib/format.ts"
import type { Params } from "../../lib/route.ts"
import { rateOf } from "../overview/types.ts"
import { BindingsTab } from "../queue/bindings-tab.tsx"
import { ConsumersTab } from "../queue/consumers-tab.tsx"
import { DeleteDialog, restartQueue } from "../queue/danger.tsx"
import { MoreMenu } from "../queue/more-menu.tsx"
import { PublishForm } from "../queue/publish-form.tsx"
import { queuePath } from "../queue/queue.tsx"
import { QueueCharts, QueueSettings } from "../queue/queue-summary.tsx"
import { StuckPanel } from "../queue/stuck-panel.tsx"
import type { QueueDetail } from "../queue/types.ts"
import { pauseQueue, resumeQueue } from "../queues/queue-actions.tsx"
import { QueueFeatures, QueueState } from "../queues/queue-columns.tsx"
import { KeptOffsets, Readers } from "./readers.tsx"
import { StreamMessages } from "./stream-messages.tsx"

/** One stream: its offsets and segments, its readers and how far they are behind, and its messages. */
export function Stream({ params }: { readonly params: Params }): JSX.Element {
  const { vhost = "", name = "" } = params
  const isDeleting = useSignal(false)
  const poll = usePoll<QueueDetail>(queuePath(vhost, name))
  const { data, error, receivedMs } = poll.state.value
  const isGone = error instanceof ApiError && error.status === 404
  const queue = isGone ? null : data
  return (
    <Page
      title={name}
      parent={{ label: "Streams", href: "#/streams" }}
      badges={
        queue !== null && (
          <>
            <QueueFeatures queue={queue} /> <QueueState state={queue.state} />
          </>
        )
      }
      about={`Virtual host ${vhost}`}
      actions={queue !== null && <Actions queue={queue} isDeleting={isDeleting} />}
    >
      {isGone && (
        <Empty icon="waves" title="There is no such stream">
          It was deleted, or never was in the virtual host {vhost}.{" "}
          <a href="#/streams">All streams</a>
        </Empty>
      )}
      {error !== null && !isGone && <ErrorBanner error={error} retry={() => poll.refresh()} />}
      {data === null && error === null && <Loading lines={8} />}
      {queue !== null && <StreamTabs queue={queue} receivedMs={receivedMs} />}
      {queue !== null && isDeleting.value && (
        <DeleteDialog
          queue={queue}
          onClose={() => {
            isDeleting.value = false
          }}
        />
      )}
    </Page>
  )
}

interface ActionsProps {
  readonly queue: QueueDetail
  readonly isDeleting: Signal<boolean>
}

function Actions({ queue, isDeleting }: ActionsProps): JSX.Element {
  return (
    <>
      {queue.state === "paused" ? (
        <Button
          icon="play"
          onClick={() => void act(() => resumeQueue(queue), `Resumed ${queue.name}`)}
        >
          Resume
        </Button>
      ) : (
        <Button
          icon="pause"
          onClick={() => void act(() => pauseQueue(queue), `Paused ${queue.name}`)}
        >
          Pause
        </Button>
      )}
      <MoreMenu
        items={[
          { label: "Restart", run: () => void restartQueue(queue) },
          { label: "Delete", isDangerous: true, run: () => (isDeleting.value = true) },
        ]}
      />
    </>
  )
}

const TABS = ["summary", "messages", "consumers", "bindings", "publish"] as const
const LABELS = ["Summary", "Messages", "Consumers", "Bindings", "Publish"] as const

function StreamTabs({
  queue,
  receivedMs,
}: {
  queue: QueueDetail
  receivedMs: number
}): JSX.Element {
  const wanted = location.value.query["tab"] ?? ""
  const active = TABS.find((id) => id === wanted) ?? "summary"
  const counts: Readonly<Record<string, number>> = {
    messages: queue.messages_ready,
    consumers: queue.consumers,
  }
  const tabs = TABS.map((id, index) => ({
    id,
    label: (
      <>
        {LABELS[index]}
        {counts[id] !== undefined && <span class="tab-count">{formatShort(counts[id])}</span>}
      </>
    ),
  }))
  return (
    <>
      <Tabs
        label="About this stream"
        tabs={tabs}
        active={active}
        onSelect={(tab) => setQuery({ tab: tab === "summary" ? "" : tab })}
      />
      {active === "summary" && <Summary queue={queue} receivedMs={receivedMs} />}
      {active === "messages" && <StreamMessages queue={queue} />}
      {active === "consumers" && <ConsumersTab queue={queue} />}
      {active === "bindings" && <BindingsTab vhost={queue.vhost} name={queue.name} />}
      {active === "publish" && (
        <Panel title={`Publish to ${queue.name}`} class="narrow-panel">
          <p class="form-lead">By the default exchange, with the stream's name as routing key.</p>
          <PublishForm vhost={queue.vhost} queue={queue.name} initial={{}} />
        </Panel>
      )}
    </>
  )
}

function Summary({ queue, receivedMs }: { queue: QueueDetail; receivedMs: number }): JSX.Element {
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
