import type { ComponentChildren, JSX } from "preact"
import { useHistory } from "../core/use-history.ts"
import { formatRate, formatShort } from "../lib/format.ts"
import { Panel } from "./basics.tsx"
import { Chart } from "./chart.tsx"
import { RateChart } from "./rate-chart.tsx"
import type { RateLine } from "./rate-chart.tsx"

/** How many messages there are and how fast they come and go: of the broker, a vhost, a queue, a stream. */
export const MESSAGE_RATES: readonly RateLine[] = [
  ["publish", "Publish", 1],
  ["deliver_get", "Deliver", 2],
  ["ack", "Ack", 5],
  ["confirm", "Confirm", 3],
  ["redeliver", "Redeliver", 4],
  ["return_unroutable", "Unroutable", 6],
]

const LENGTHS: readonly RateLine[] = [
  ["messages_unacknowledged", "Unacked", 2],
  ["messages_ready", "Ready", 1],
]

export interface TrafficChartsProps {
  /** Asked once for the samples that the broker has kept. */
  readonly seedPath: string
  /** Where in that answer the lengths are. */
  readonly pick?: (seed: Readonly<Record<string, unknown>>) => Readonly<Record<string, unknown>>
  readonly counts: Readonly<Record<string, unknown>>
  readonly stats: Readonly<Record<string, unknown>>
  readonly receivedMs: number
  readonly title?: string
  /** Stacked in this order. */
  readonly lengths?: readonly RateLine[]
  readonly rates?: readonly RateLine[]
  /** Panels beside these two. */
  readonly children?: ComponentChildren
}

export function TrafficCharts(props: TrafficChartsProps): JSX.Element {
  const { seedPath, pick, counts, stats, receivedMs, children } = props
  const { title = "Queued messages", lengths = LENGTHS, rates = MESSAGE_RATES } = props
  const samples = useHistory({
    kind: "gauge",
    seedPath,
    fields: lengths.map(([field]) => field),
    values: counts,
    receivedMs,
    ...(pick && { pick }),
  })
  return (
    <div class="columns is-even">
      <Panel title={title}>
        <Chart
          title={title}
          times={samples.map(({ timeMs }) => timeMs / 1000)}
          lines={lengths.map(([, label, color], index) => ({
            label,
            color,
            values: samples.map(({ values }) => values[index] ?? null),
          }))}
          isStacked
          unit="count"
          format={formatShort}
        />
      </Panel>
      <Panel title="Message rates">
        <RateChart
          title="Message rates"
          stats={stats}
          lines={rates}
          receivedMs={receivedMs}
          format={formatRate}
        />
      </Panel>
      {children}
    </div>
  )
}
