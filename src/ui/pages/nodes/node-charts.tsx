import type { JSX } from "preact"
import { Panel } from "../../components/basics.tsx"
import { Chart } from "../../components/chart.tsx"
import type { Line } from "../../components/chart.tsx"
import { useHistory } from "../../core/use-history.ts"
import type { Unit } from "../../lib/chart-values.ts"
import {
  formatByteRate,
  formatBytes,
  formatDelay,
  formatPercent,
  formatRate,
} from "../../lib/format.ts"
import { apiPath, withQuery } from "../../lib/route.ts"
import { NODE_SAMPLES } from "../../lib/samples.ts"
import type { Rate } from "../overview/types.ts"
import type { NodeDetails } from "./types.ts"

/** Charts of a node, of samples that the page gathers while it is open. */
type Churn = Readonly<Record<string, number | Rate>>

interface Drawn {
  readonly title: string
  readonly format: (value: number | null) => string
  readonly unit?: Unit
  readonly isStacked?: boolean
  readonly lines: readonly (readonly [label: string, color: number, field: string])[]
}

const GAUGES: readonly Drawn[] = [
  { title: "Memory", format: formatBytes, unit: "bytes", lines: [["Used", 1, "mem_used"]] },
  {
    title: "Delay and latency",
    format: formatDelay,
    lines: [
      ["Event-loop delay", 4, "event_loop_delay_p99"],
      ["Confirm latency", 3, "confirm_latency_p99"],
    ],
  },
  { title: "Disk free", format: formatBytes, unit: "bytes", lines: [["Free", 5, "disk_free"]] },
  {
    title: "File descriptors",
    unit: "count",
    format: (value) => (value === null ? "–" : value.toFixed(0)),
    lines: [
      ["Open", 8, "fd_used"],
      ["Connections", 2, "sockets_used"],
    ],
  },
]

/** Milliseconds per second are thousandths of a core. */
const RATES: readonly Drawn[] = [
  {
    title: "CPU",
    unit: "count",
    format: (value) => formatPercent(value === null ? null : value / 1000),
    isStacked: true,
    lines: [
      ["System", 2, "cpu_sys_time"],
      ["User", 1, "cpu_user_time"],
    ],
  },
  {
    title: "Data read and written",
    format: formatByteRate,
    unit: "bytes",
    lines: [
      ["Read", 2, "io_read_bytes"],
      ["Written", 1, "io_write_bytes"],
    ],
  },
  {
    title: "Reads, writes and syncs",
    format: formatRate,
    lines: [
      ["Reads", 2, "io_read_count"],
      ["Writes", 1, "io_write_count"],
      ["Syncs", 4, "io_sync_count"],
    ],
  },
  ...(["connection", "channel", "queue"] as const).map((kind): Drawn => {
    const [made, gone] = kind === "queue" ? ["created", "deleted"] : ["created", "closed"]
    return {
      title: `${kind[0]?.toUpperCase() ?? ""}${kind.slice(1)} churn`,
      format: formatRate,
      lines: [
        [kind === "queue" ? "Created" : "Opened", 1, `${kind}_${made ?? ""}`],
        [kind === "queue" ? "Deleted" : "Closed", 6, `${kind}_${gone ?? ""}`],
      ],
    }
  }),
]

interface NodeChartsProps {
  readonly node: NodeDetails
  readonly churn: Churn | null
  readonly receivedMs: number
}

export function NodeCharts({ node, churn, receivedMs }: NodeChartsProps): JSX.Element {
  const values: Readonly<Record<string, unknown>> = { ...node, ...churn }
  const seedPath = withQuery(apiPath`nodes/${node.name}`, NODE_SAMPLES)
  const common = { values, receivedMs, seedPath }
  return (
    <div class="columns is-even is-three">
      <ChartGroup drawn={GAUGES} kind="gauge" {...common} />
      <ChartGroup drawn={RATES} kind="rate" {...common} />
    </div>
  )
}

interface ChartGroupProps {
  readonly drawn: readonly Drawn[]
  readonly kind: "gauge" | "rate"
  readonly seedPath: string
  readonly values: Readonly<Record<string, unknown>>
  readonly receivedMs: number
}

function ChartGroup({ drawn, kind, seedPath, values, receivedMs }: ChartGroupProps): JSX.Element {
  const fields = drawn.flatMap(({ lines }) => lines.map(([, , field]) => field))
  const samples = useHistory({ kind, seedPath, fields, values, receivedMs })
  const times = samples.map(({ timeMs }) => timeMs / 1000)
  return (
    <>
      {drawn
        .filter(({ lines }) => lines.some(([, , field]) => typeof values[field] === "number"))
        .map(({ title, lines, format, unit = "other", isStacked = false }) => (
          <Panel title={title} key={title}>
            <Chart
              title={title}
              times={times}
              format={format}
              unit={unit}
              isStacked={isStacked}
              height={140}
              lines={lines.map(([label, color, field]): Line => ({
                label,
                color,
                values: samples.map((sample) => sample.values[fields.indexOf(field)] ?? null),
              }))}
            />
          </Panel>
        ))}
    </>
  )
}
