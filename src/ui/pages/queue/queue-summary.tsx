import type { ComponentChildren, JSX } from "preact"
import { Badge, KeyValues, Panel, Tile, Tiles } from "../../components/basics.tsx"
import type { KeyValueItem } from "../../components/basics.tsx"
import type { RateLine } from "../../components/rate-chart.tsx"
import { TrafficCharts } from "../../components/traffic-charts.tsx"
import { POLICY_KEYS, QUEUE_ARGUMENTS } from "../../lib/arguments.ts"
import { formatBytes, formatNumber, formatRate, formatShort } from "../../lib/format.ts"
import { apiPath, href, withQuery } from "../../lib/route.ts"
import { MESSAGE_SAMPLES } from "../../lib/samples.ts"
import { rateOf } from "../overview/types.ts"
import { dimZero } from "../../components/number-column.tsx"
import { QueueFeatures } from "../queues/queue-columns.tsx"
import { StuckPanel } from "./stuck-panel.tsx"
import type { QueueDetail } from "./types.ts"

/** What is in the queue, how fast, and by which settings. */
export interface SummaryProps {
  readonly queue: QueueDetail
  readonly receivedMs: number
}

export function QueueSummary({ queue, receivedMs }: SummaryProps): JSX.Element {
  return (
    <>
      <QueueTiles queue={queue} />
      <StuckPanel queue={queue} />
      <QueueCharts queue={queue} receivedMs={receivedMs} />
      <div class="columns is-even">
        <Panel title="Messages" isFlush>
          <MessageCounts queue={queue} />
        </Panel>
        <QueueSettings queue={queue} />
      </div>
    </>
  )
}

function QueueTiles({ queue }: { queue: QueueDetail }): JSX.Element {
  const { message_stats: stats, vhost, name } = queue
  return (
    <Tiles>
      <Tile
        label="Ready"
        value={formatShort(queue.messages_ready)}
        note={formatBytes(queue.message_bytes_ready)}
        href={href(["queues", vhost, name], { tab: "messages" })}
      />
      <Tile
        label="Unacked"
        value={formatShort(queue.messages_unacknowledged)}
        note={formatBytes(queue.message_bytes_unacknowledged)}
        href={href(["queues", vhost, name], { tab: "unacked" })}
      />
      <Tile label="Publish" value={formatRate(rateOf(stats, "publish").rate)} />
      <Tile
        label="Deliver"
        value={formatRate(rateOf(stats, "deliver_get").rate)}
        note={`${formatRate(rateOf(stats, "redeliver").rate)} again`}
      />
      <Tile label="Ack" value={formatRate(rateOf(stats, "ack").rate)} />
      <Tile
        label="Consumers"
        value={formatShort(queue.consumers)}
        href={href(["queues", vhost, name], { tab: "consumers" })}
      />
    </Tiles>
  )
}

const RATES: readonly RateLine[] = [
  ["publish", "Publish", 1],
  ["deliver_get", "Deliver", 2],
  ["ack", "Ack", 5],
  ["redeliver", "Redeliver", 4],
  ["get_empty", "Empty gets", 8],
]

const STREAM_LENGTHS: readonly RateLine[] = [["messages_ready", "Messages", 1]]

export function QueueCharts({ queue, receivedMs }: SummaryProps): JSX.Element {
  const { vhost, name, type, message_stats: stats } = queue
  return (
    <TrafficCharts
      seedPath={withQuery(apiPath`queues/${vhost}/${name}`, MESSAGE_SAMPLES)}
      counts={{ ...queue }}
      stats={stats}
      receivedMs={receivedMs}
      {...(type === "stream"
        ? { title: "Messages in the stream", lengths: STREAM_LENGTHS, rates: RATES.slice(0, 3) }
        : { rates: RATES })}
    />
  )
}

function MessageCounts({ queue }: { queue: QueueDetail }): JSX.Element {
  const rows: readonly (readonly [string, number, number, number])[] = [
    ["Ready", queue.messages_ready, queue.message_bytes_ready, queue.ready_avg_bytes],
    [
      "Unacked",
      queue.messages_unacknowledged,
      queue.message_bytes_unacknowledged,
      queue.unacked_avg_bytes,
    ],
    [
      "Total",
      queue.messages,
      queue.message_bytes,
      queue.messages === 0 ? 0 : Math.round(queue.message_bytes / queue.messages),
    ],
    ["Persistent", queue.messages_persistent, -1, -1],
  ]
  return (
    <table class="table counts">
      <thead>
        <tr>
          <th scope="col">State</th>
          <th scope="col" class="is-number">
            Messages
          </th>
          <th scope="col" class="is-number">
            Bytes
          </th>
          <th scope="col" class="is-number">
            Average
          </th>
        </tr>
      </thead>
      <tbody>
        {rows.map(([label, count, bytes, average]) => (
          <tr key={label}>
            <td>{label}</td>
            <td class="is-number" data-label="Messages">
              {dimZero(count, formatNumber(count))}
            </td>
            <td class="is-number" data-label="Bytes">
              {bytes >= 0 && dimZero(bytes, formatBytes(bytes))}
            </td>
            <td class="is-number" data-label="Average">
              {average >= 0 && dimZero(average, formatBytes(average))}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}

export function QueueSettings({ queue }: { queue: QueueDetail }): JSX.Element {
  const owner = queue.owner_pid_details
  const args = Object.entries(queue.arguments)
  const policy = Object.entries(queue.effective_policy_definition)
  return (
    <Panel title="Settings">
      <KeyValues
        items={[
          ["Virtual host", queue.vhost],
          ["Features", <QueueFeatures queue={queue} />],
          ["Policy", policyLinks(queue)],
          [
            "Owner",
            owner === undefined ? null : (
              <a href={href(["connections", owner.name])}>{owner.name}</a>
            ),
            "The connection for which this queue is exclusive; it goes with it",
          ],
          ["Single active consumer", queue.single_active_consumer_tag],
          ["Exclusive consumer", queue.exclusive_consumer_tag],
        ]}
      />
      <h3 class="settings-head">Arguments</h3>
      {args.length === 0 && <p class="muted">Declared without arguments.</p>}
      <KeyValues items={args.map((entry) => argumentItem(entry, queue))} />
      {policy.length > 0 && <h3 class="settings-head">By policy</h3>}
      <KeyValues
        items={policy.map(([key, value]) => [key, <code>{textOf(value)}</code>, helpFor(key)])}
      />
    </Panel>
  )
}

function policyLinks({ policy, operator_policy: operator }: QueueDetail): ComponentChildren {
  if (policy === null && operator === null) return <span class="muted">none applies</span>
  return (
    <>
      {policy !== null && <a href={href(["policies"], { name: policy })}>{policy}</a>}{" "}
      {operator !== null && (
        <a href={href(["operator-policies"], { name: operator })}>
          {operator} <Badge>operator</Badge>
        </a>
      )}
    </>
  )
}

/** Where a policy says something smaller, the argument does not count alone: it is marked. */
function argumentItem([name, value]: [string, unknown], queue: QueueDetail): KeyValueItem {
  const key = name.replace(/^x-/, "")
  const shown = (
    <>
      <code>{textOf(value)}</code>{" "}
      {key in queue.effective_policy_definition && (
        <Badge title="A policy sets this, too: of numbers the smaller one counts, else the argument">
          policy, too
        </Badge>
      )}
    </>
  )
  return [name, shown, helpFor(name)]
}

function helpFor(name: string): string {
  return (
    [...QUEUE_ARGUMENTS, ...POLICY_KEYS].find((one) => one.name === name)?.help ??
    "The broker gives it no meaning of its own"
  )
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : (JSON.stringify(value) ?? "")
}
