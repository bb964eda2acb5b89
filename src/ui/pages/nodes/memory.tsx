import type { JSX } from "preact"
import { ErrorBanner, Loading, Meter, Panel } from "../../components/basics.tsx"
import { usePoll } from "../../core/use-poll.ts"
import { formatBytes } from "../../lib/format.ts"
import { apiPath } from "../../lib/route.ts"
import type { MemoryBreakdown, NodeDetails } from "./types.ts"

/** What the memory of the process is used for. */
export function MemoryPanel({ node }: { node: NodeDetails }): JSX.Element {
  const { data, error } = usePoll<MemoryBreakdown>(apiPath`nodes/${node.name}/memory`).state.value
  return (
    <Panel title="Memory of the process">
      {error !== null && <ErrorBanner error={error} />}
      {data === null && error === null && <Loading />}
      {data !== null &&
        partsOf(data).map(([label, bytes, help]) => (
          <div class="resource" key={label} title={help}>
            <div>
              <span class="muted">{label}</span>
              <strong>{formatBytes(bytes)}</strong>
            </div>
            <Meter fraction={bytes / data.memory.total.rss} label={label} />
          </div>
        ))}
    </Panel>
  )
}

function partsOf({
  memory,
}: MemoryBreakdown): readonly (readonly [label: string, bytes: number, help: string])[] {
  const { heap_used: used, heap_total: total, external, array_buffers: buffers } = memory
  const { rss } = memory.total
  return [
    ["Objects in use", used, "Queues, connections, indexes"],
    ["Heap kept free", Math.max(0, total - used), "Taken from the system, to be used again"],
    ["Buffers", buffers, "Bodies of messages and what is being read and written"],
    ["Other external", Math.max(0, external - buffers), "Of the runtime's libraries"],
    ["Code, stacks and the rest", Math.max(0, rss - total - external), "The runtime itself"],
  ]
}
