import { useSignal } from "@preact/signals"
import type { JSX } from "preact"
import { useEffect, useRef } from "preact/hooks"
import {
  ErrorBanner,
  KeyValues,
  Loading,
  Meter,
  Page,
  Panel,
  State,
  Tile,
  Tiles,
} from "../../components/basics.tsx"
import { Chart } from "../../components/chart.tsx"
import type { Line } from "../../components/chart.tsx"
import { may } from "../../core/session.ts"
import { usePoll } from "../../core/use-poll.ts"
import { currentVhost } from "../../core/vhosts.ts"
import {
  formatByteRate,
  formatBytes,
  formatDuration,
  formatNumber,
  formatPercent,
  formatRate,
  formatShort,
} from "../../lib/format.ts"
import { History, logTimes } from "../../lib/history.ts"
import { cpuShare, rateOf } from "./types.ts"
import type { NodeData, OverviewData, Rate } from "./types.ts"

/** The broker, or one vhost, at a glance. */
const SAMPLE_MS = 5000

export function Overview(): JSX.Element {
  const poll = usePoll<OverviewData>("overview", { vhost: currentVhost.value })
  const { data, error, receivedMs } = poll.state.value
  const where =
    currentVhost.value === "" ? "All virtual hosts" : `Virtual host ${currentVhost.value}`
  return (
    <Page title="Overview" about={where}>
      {error !== null && <ErrorBanner error={error} retry={() => poll.refresh()} />}
      {data === null && error === null && <Loading lines={8} />}
      {data !== null && <Totals data={data} />}
      {data !== null && <Charts data={data} receivedMs={receivedMs} />}
      {data !== null && <Details data={data} />}
    </Page>
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

const MESSAGE_LINES: readonly (readonly [name: string, label: string, color: number])[] = [
  ["publish", "Publish", 1],
  ["deliver_get", "Deliver", 2],
  ["ack", "Ack", 5],
  ["confirm", "Confirm", 3],
  ["redeliver", "Redeliver", 4],
  ["return_unroutable", "Unroutable", 6],
]

function Charts({ data, receivedMs }: ChartsProps): JSX.Element {
  const { queue_totals: totals, message_stats: stats } = data
  const ready = totals.messages_ready_log
  const hasLog = ready.length > 0
  // Of one vhost, or for users who see only theirs, the broker keeps no samples: the page gathers its own.
  const own = useHistory(data, receivedMs)
  const times = hasLog
    ? logTimes(ready.length, Math.floor(receivedMs / SAMPLE_MS) * SAMPLE_MS, SAMPLE_MS)
    : own.map(({ timeMs }) => timeMs / 1000)
  const rates = MESSAGE_LINES.map(([name, label, color], index): Line => ({
    label,
    color,
    values: hasLog
      ? padded(rateOf(stats, name).log, times.length)
      : own.map(({ values }) => values[index + 2] ?? null),
  }))
  const queued: readonly Line[] = [
    {
      label: "Unacked",
      color: 2,
      values: hasLog
        ? padded(totals.messages_unacknowledged_log, times.length)
        : own.map(({ values }) => values[0] ?? null),
    },
    {
      label: "Ready",
      color: 1,
      values: hasLog ? padded(ready, times.length) : own.map(({ values }) => values[1] ?? null),
    },
  ]
  return (
    <div class="columns is-even">
      <Panel title="Queued messages">
        <Chart
          title="Queued messages"
          times={times}
          lines={queued}
          isStacked
          format={formatShort}
        />
      </Panel>
      <Panel title="Message rates">
        <Chart title="Message rates" times={times} lines={rates} format={formatRate} />
      </Panel>
      {data.recv_oct_details !== undefined && hasLog && (
        <Panel title="Data rates">
          <Chart
            title="Data rates"
            times={times}
            lines={octetLines(data, times.length)}
            isBytes
            format={formatByteRate}
          />
        </Panel>
      )}
      {may("monitoring") && <NodePanel />}
    </div>
  )
}

function octetLines(
  { recv_oct_details: received, send_oct_details: sent }: OverviewData,
  length: number,
): Line[] {
  return [
    { label: "Received", color: 1, values: padded(received?.log, length) },
    { label: "Sent", color: 2, values: padded(sent?.log, length) },
  ]
}

/** Counters that began later have shorter logs. */
function padded(log: readonly number[] | undefined, length: number): (number | null)[] {
  const values = log ?? []
  return [
    ...Array.from({ length: Math.max(0, length - values.length) }, () => null),
    ...values.slice(-length),
  ]
}

/** Ready and unacked as they are, the counters as rates. */
function useHistory(
  data: OverviewData,
  receivedMs: number,
): readonly { timeMs: number; values: readonly (number | null)[] }[] {
  const gauges = useRef(new History("gauge"))
  const rates = useRef(new History("rate"))
  const vhost = useRef(currentVhost.value)
  if (vhost.current !== currentVhost.value) {
    vhost.current = currentVhost.value
    gauges.current = new History("gauge")
    rates.current = new History("rate")
  }
  const { messages_ready: ready, messages_unacknowledged: unacked } = data.queue_totals
  gauges.current.push(receivedMs, [unacked, ready])
  const counters = MESSAGE_LINES.map(([name]) => data.message_stats[name])
  rates.current.push(
    receivedMs,
    counters.map((value) => (typeof value === "number" ? value : null)),
  )
  const byTime = new Map(rates.current.samples.map(({ timeMs, values }) => [timeMs, values]))
  return gauges.current.samples.map(({ timeMs, values }) => ({
    timeMs,
    values: [...values, ...(byTime.get(timeMs) ?? MESSAGE_LINES.map(() => null))],
  }))
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
            node.event_loop_delay_p99 === undefined
              ? null
              : `${node.event_loop_delay_p99.toFixed(1)} ms`,
            "99th percentile: how long a message may wait for the broker's one thread",
          ],
          [
            "Confirm latency",
            node.confirm_latency_p99 === undefined
              ? null
              : `${node.confirm_latency_p99.toFixed(1)} ms`,
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
      {listeners.length > 0 && (
        <Panel title="Listeners">
          <ul class="overview-listeners">
            {listeners.map(({ protocol, ip_address: address, port }) => (
              <li key={`${protocol} ${address} ${String(port)}`}>
                <span>{protocol}</span>
                <span class="mono">
                  {address.includes(":") ? `[${address}]` : address}:{port}
                </span>
              </li>
            ))}
          </ul>
        </Panel>
      )}
    </div>
  )
}

function churnText(churn: Readonly<Record<string, number | Rate>>, name: string): string | null {
  const count = churn[name]
  return typeof count === "number"
    ? `${formatNumber(count)} (${formatRate(rateOf(churn, name).rate)})`
    : null
}
