import type { JSX } from "preact"
import { State } from "../../components/basics.tsx"
import { DataTable } from "../../components/data-table.tsx"
import type { Column } from "../../components/data-table.tsx"
import { ThingPage } from "../../components/thing-page.tsx"
import { usePoll } from "../../core/use-poll.ts"
import { formatBytes, formatDuration } from "../../lib/format.ts"
import { href } from "../../lib/route.ts"
import { NodePage } from "./node.tsx"
import type { NodeDetails } from "./types.ts"

/** The nodes; where there is only one, its page. */
const COLUMNS: readonly Column<NodeDetails>[] = [
  { id: "name", label: "Name", cell: ({ name }) => <a href={href(["nodes", name])}>{name}</a> },
  {
    id: "mem_alarm",
    label: "State",
    cell: ({ mem_alarm: memory, disk_free_alarm: disk }) => (
      <State tone={memory || disk ? "danger" : "ok"}>{memory || disk ? "alarm" : "running"}</State>
    ),
  },
  { id: "mem_used", label: "Memory", isNumber: true, cell: (row) => formatBytes(row.mem_used) },
  {
    id: "disk_free",
    label: "Disk free",
    isNumber: true,
    cell: (row) => formatBytes(row.disk_free),
  },
  { id: "uptime", label: "Uptime", isNumber: true, cell: ({ uptime }) => formatDuration(uptime) },
]

export function Nodes(): JSX.Element {
  const poll = usePoll<readonly NodeDetails[]>("nodes")
  const { data } = poll.state.value
  const [only] = data ?? []
  if (data?.length === 1 && only !== undefined) return <NodePage name={only.name} isOnly />
  return (
    <ThingPage poll={poll} title="Nodes">
      {(nodes) => (
        <DataTable<NodeDetails>
          id="nodes"
          noun={["node", "nodes"]}
          rows={nodes}
          columns={COLUMNS}
          rowKey={({ name }) => name}
          rowHref={({ name }) => href(["nodes", name])}
          empty={{ title: "No nodes" }}
        />
      )}
    </ThingPage>
  )
}
