import { useSignal } from "@preact/signals"
import type { JSX } from "preact"
import { useEffect, useRef } from "preact/hooks"
import {
  ErrorBanner,
  KeyValues,
  Loading,
  Meter,
  Panel,
  State,
  Tile,
  Tiles,
} from "../../components/basics.tsx"
import { RateChart } from "../../components/rate-chart.tsx"
import { ThingPage } from "../../components/thing-page.tsx"
import { TrafficCharts } from "../../components/traffic-charts.tsx"
import { may } from "../../core/session.ts"
import { usePoll } from "../../core/use-poll.ts"
import { currentVhost } from "../../core/vhosts.ts"
import {
  formatByteRate,
  formatBytes,
  formatDelay,
  formatDuration,
  formatNumber,
  formatPercent,
  formatRate,
  formatShort,
} from "../../lib/format.ts"
import { withQuery } from "../../lib/route.ts"
import { MESSAGE_SAMPLES } from "../../lib/samples.ts"
import { Listeners } from "../nodes/listeners.tsx"
import { cpuShare, rateOf } from "./types.ts"
import type { NodeData, OverviewData, Rate } from "./types.ts"

/** The broker, or one vhost, at a glance. */
export function Overview(): JSX.Element {
  const poll = usePoll<OverviewData>("overview", { vhost: currentVhost.value })
  const where =
    currentVhost.value === "" ? "All virtual hosts" : `Virtual host ${currentVhost.value}`
  return (
    <ThingPage poll={poll} title="Overview" about={where}>
      {(data, receivedMs) => (
        <>
          <Totals data={data} />
          <Charts data={data} receivedMs={receivedMs} />
          <Details data={data} />
        </>
      )}
    </ThingPage>
  )
}

function Totals({ data }: { data: OverviewData }): JSX.Element {
  const { object_totals: objects, queue_totals: messages, message_stats: stats } = data
  return (
    <Tiles>
      <Tile
        label="Ready"
        value={formatShort(messages.messages_ready)}
        note={`${formatShort(messages.messages_unacknowledged)} unacked`}
        href="#/queues?preset=non-empty"
      />
      <Tile
        label="Publish"
        value={formatRate(rateOf(stats, "publish").rate)}
        note={`${formatRate(rateOf(stats, "confirm").rate)} confirmed`}
      />
      <Tile
        label="Deliver"
        value={formatRate(rateOf(stats, "deliver_get").rate)}
        note={`${formatRate(rateOf(stats, "ack").rate)} acked`}
      />
      <Tile
        label="Connections"
        value={formatShort(objects.connections)}
        note={`${formatShort(objects.channels)} channels`}
        href="#/connections"
      />
      <Tile label="Consumers" value={formatShort(objects.consumers)} href="#/consumers" />
      <Tile label="Queues" value={formatShort(objects.queues)} href="#/queues" />
      <Tile
        label="Exchanges"
        value={formatShort(objects.exchanges)}
        note={`${formatShort(objects.bindings)} bindings`}
        href="#/exchanges"
      />
    </Tiles>
  )
}

interface ChartsProps {
  readonly data: OverviewData
  readonly receivedMs: number
}

function Charts({ data, receivedMs }: ChartsProps): JSX.Element {
  const vhost = currentVhost.value
  return (
    <TrafficCharts
      key={vhost}
      seedPath={withQuery("overview", { ...MESSAGE_SAMPLES, vhost: vhost || undefined })}
      pick={({ queue_totals: totals }) => ({ ...Object(totals) })}
      counts={data.queue_totals}
      stats={data.message_stats}
      receivedMs={receivedMs}
    >
      {data.recv_oct_details?.log !== undefined && (
        <Panel title="Data rates">
          <RateChart
            title="Data rates"
            stats={{ ...data }}
            lines={[
              ["recv_oct", "Received", 1],
              ["send_oct", "Sent", 2],
            ]}
            receivedMs={receivedMs}
            unit="bytes"
            format={formatByteRate}
          />
        </Panel>
      )}
      {may("monitoring") && <NodePanel />}
    </TrafficCharts>
  )
}

function NodePanel(): JSX.Element {
  const { data, error } = usePoll<readonly NodeData[]>("nodes").state.value
  const before = useRef<NodeData | null>(null)
  const share = useSignal<number | null>(null)
  const node = data?.[0] ?? null
  useEffect(() => {
    if (node === null || before.current?.uptime === node.uptime) return
    share.value = cpuShare(before.current, node) ?? share.value
    before.current = node
  }, [node])
  return (
    <Panel title={node?.name ?? "Node"} actions={node !== null && <NodeState node={node} />}>
      {error !== null && <ErrorBanner error={error} />}
      {node === null && error === null && <Loading />}
      {node !== null && <NodeResources node={node} share={share.value} />}
    </Panel>
  )
}

function NodeState({ node }: { node: NodeData }): JSX.Element {
  if (node.mem_alarm || node.disk_free_alarm) return <State tone="danger">Alarm</State>
  return <State tone="ok">Running</State>
}

function NodeResources({ node, share }: { node: NodeData; share: number | null }): JSX.Element {
  const { mem_used: used, mem_limit: limit, disk_free: free, disk_total: total } = node
  const memory = limit > 0 ? used / limit : 0
  const disk = total === undefined || total === 0 ? null : 1 - free / total
  return (
    <>
      <Resource
        label="Memory"
        text={`${formatBytes(used)} of ${formatBytes(limit)}`}
        fraction={memory}
        isAlarm={node.mem_alarm}
      />
      <Resource
        label="Disk"
        text={`${formatBytes(free)} free`}
        note={`alarm below ${formatBytes(node.disk_free_limit)}`}
        fraction={disk}
        isAlarm={node.disk_free_alarm}
      />
      <Resource
        label="CPU"
        text={share === null ? "–" : `${formatPercent(share)} of one core`}
        note={`${String(node.processors)} cores`}
        fraction={share}
        isAlarm={false}
      />
      <KeyValues
        items={[
          [
            "Event-loop delay",
            formatDelay(node.event_loop_delay_p99),
            "99th percentile: how long a message may wait for the broker's one thread",
          ],
          [
            "Confirm latency",
            formatDelay(node.confirm_latency_p99),
            "99th percentile, from publish to confirm",
          ],
          ["Uptime", formatDuration(node.uptime)],
          ["Data directory", node.db_dir ?? "none, everything is in memory"],
        ]}
      />
    </>
  )
}

interface ResourceProps {
  readonly label: string
  readonly text: string
  readonly note?: string
  /** Null shows no bar. */
  readonly fraction: number | null
  readonly isAlarm: boolean
}

function Resource({ label, text, note, fraction, isAlarm }: ResourceProps): JSX.Element {
  const tone = isAlarm ? "danger" : (fraction ?? 0) > 0.85 ? "warn" : "accent"
  return (
    <div class="resource">
      <div>
        <span class="muted">{label}</span>
        <span>
          <strong>{text}</strong> {note !== undefined && <span class="muted">{note}</span>}
        </span>
      </div>
      {fraction !== null && <Meter fraction={fraction} label={label} tone={tone} />}
    </div>
  )
}

const CHURN: readonly (readonly [name: string, label: string])[] = [
  ["connection_created", "Connections opened"],
  ["connection_closed", "Connections closed"],
  ["channel_created", "Channels opened"],
  ["channel_closed", "Channels closed"],
  ["queue_declared", "Queues declared"],
  ["queue_deleted", "Queues deleted"],
]

function Details({ data }: { data: OverviewData }): JSX.Element {
  const { churn_rates: churn, listeners = [] } = data
  return (
    <div class="columns">
      {churn !== undefined && (
        <Panel title="Churn since the start">
          <KeyValues items={CHURN.map(([name, label]) => [label, churnText(churn, name)])} />
        </Panel>
      )}
      {listeners.length > 0 && <Listeners listeners={listeners} certificates={[]} />}
    </div>
  )
}

function churnText(churn: Readonly<Record<string, number | Rate>>, name: string): string | null {
  const count = churn[name]
  return typeof count === "number"
    ? `${formatNumber(count)} (${formatRate(rateOf(churn, name).rate)})`
    : null
}
