import type { JSX } from "preact"
import { KeyValues, Panel, State, Tile, Tiles } from "../../components/basics.tsx"
import { ThingPage } from "../../components/thing-page.tsx"
import { usePoll } from "../../core/use-poll.ts"
import {
  formatBytes,
  formatDelay,
  formatDuration,
  formatNumber,
  formatRate,
} from "../../lib/format.ts"
import { apiPath } from "../../lib/route.ts"
import type { Params } from "../../lib/route.ts"
import { rateOf } from "../overview/types.ts"
import type { OverviewData, Rate } from "../overview/types.ts"
import { Listeners } from "./listeners.tsx"
import { MemoryPanel } from "./memory.tsx"
import { NodeCharts } from "./node-charts.tsx"
import type { NodeDetails } from "./types.ts"

/** One node: what it uses, how quickly it answers, what comes and goes, where it listens. */
export function Node({ params: { name = "" } }: { params: Params }): JSX.Element {
  return <NodePage name={name} isOnly={false} />
}

export function NodePage({ name, isOnly }: { name: string; isOnly: boolean }): JSX.Element {
  const poll = usePoll<NodeDetails>(apiPath`nodes/${name}`)
  const overview = usePoll<OverviewData>("overview").state.value.data
  return (
    <ThingPage
      poll={poll}
      title={name}
      {...(isOnly ? { about: "The only node" } : { parent: { label: "Nodes", href: "#/nodes" } })}
      badges={(node) => <AlarmState node={node} />}
    >
      {(node, receivedMs) => (
        <>
          <Figures node={node} />
          <NodeCharts node={node} churn={overview?.churn_rates ?? null} receivedMs={receivedMs} />
          <div class="columns">
            <MemoryPanel node={node} />
            <About node={node} />
            <Churn churn={overview?.churn_rates ?? null} />
            <Listeners
              listeners={overview?.listeners ?? []}
              certificates={node.certificates ?? []}
            />
          </div>
        </>
      )}
    </ThingPage>
  )
}

function AlarmState({ node }: { node: NodeDetails }): JSX.Element {
  if (node.mem_alarm) return <State tone="danger">low on memory</State>
  if (node.disk_free_alarm) return <State tone="danger">low on disk</State>
  return <State tone="ok">running</State>
}

function Figures({ node }: { node: NodeDetails }): JSX.Element {
  const { fd_used: used, fd_total: total } = node
  return (
    <Tiles>
      <Tile
        label="Memory"
        value={formatBytes(node.mem_used)}
        note={`alarm at ${formatBytes(node.mem_limit)}`}
        tone={node.mem_alarm ? "danger" : "neutral"}
      />
      <Tile
        label="Disk free"
        value={formatBytes(node.disk_free)}
        note={`alarm below ${formatBytes(node.disk_free_limit)}`}
        tone={node.disk_free_alarm ? "danger" : "neutral"}
      />
      <Tile
        label="Event-loop delay"
        value={formatDelay(node.event_loop_delay_p99)}
        note="99 % are shorter"
      />
      <Tile
        label="Confirm latency"
        value={formatDelay(node.confirm_latency_p99)}
        note="99 % are shorter"
      />
      {used !== undefined && (
        <Tile
          label="File descriptors"
          value={formatNumber(used)}
          note={`of ${formatNumber(total)}`}
          tone={total !== undefined && used > total * 0.9 ? "danger" : "neutral"}
        />
      )}
      <Tile label="Connections" value={formatNumber(node.sockets_used)} href="#/connections" />
    </Tiles>
  )
}

function About({ node }: { node: NodeDetails }): JSX.Element {
  const version = node.applications?.find(({ name }) => name === "sluice")?.version
  return (
    <Panel title="Process">
      <KeyValues
        items={[
          ["Version", version],
          ["Uptime", formatDuration(node.uptime)],
          ["Process", node.os_pid],
          [
            "Cores",
            String(node.processors),
            "The broker uses one for messages, some more for files",
          ],
          ["Data directory", node.db_dir ?? "none, everything is in memory"],
          [
            "Reads",
            node.io_read_count === undefined
              ? null
              : `${formatNumber(node.io_read_count)}, ${formatBytes(node.io_read_bytes)}`,
          ],
          [
            "Writes",
            node.io_write_count === undefined
              ? null
              : `${formatNumber(node.io_write_count)}, ${formatBytes(node.io_write_bytes)}`,
          ],
          [
            "Syncs",
            node.io_sync_count === undefined
              ? null
              : `${formatNumber(node.io_sync_count)}, ${formatDelay(node.io_sync_avg_time)} on average`,
            "fsync: what is confirmed has been through one",
          ],
        ]}
      />
    </Panel>
  )
}

const CHURN: readonly (readonly [name: string, label: string])[] = [
  ["connection_created", "Connections opened"],
  ["connection_closed", "Connections closed"],
  ["channel_created", "Channels opened"],
  ["channel_closed", "Channels closed"],
  ["queue_declared", "Queues declared"],
  ["queue_created", "Queues created"],
  ["queue_deleted", "Queues deleted"],
]

function Churn({
  churn,
}: {
  churn: Readonly<Record<string, number | Rate>> | null
}): JSX.Element | null {
  if (churn === null) return null
  return (
    <Panel title="Churn since the start">
      <KeyValues
        items={CHURN.map(([name, label]) => {
          const count = churn[name]
          const text =
            typeof count === "number"
              ? `${formatNumber(count)} (${formatRate(rateOf(churn, name).rate)})`
              : null
          return [label, text] as const
        })}
      />
    </Panel>
  )
}
