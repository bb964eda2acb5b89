import type { ComponentChildren, JSX } from "preact"
import { DataTable } from "../../components/data-table.tsx"
import type { BulkAction, Column } from "../../components/data-table.tsx"
import { del } from "../../core/api.ts"
import { deletion } from "../../core/bulk.ts"
import { usePoll } from "../../core/use-poll.ts"
import { currentVhost, inVhost } from "../../core/vhosts.ts"
import { formatDuration } from "../../lib/format.ts"
import { urisToText } from "../../lib/masked-uri.ts"
import { apiPath } from "../../lib/route.ts"
import { textOf } from "../shovels/types.ts"
import type { UpstreamRow, UpstreamSetRow } from "./types.ts"

/** Upstreams, and sets of upstreams. */
interface Named {
  readonly name: string
  readonly vhost: string
}

function deletionOf<Row extends Named>(
  component: string,
  noun: readonly [string, string],
): BulkAction<Row> {
  return deletion(
    noun,
    "Links by them end, and what they have made at the other broker is taken away.",
    ({ vhost, name }) => del(apiPath`parameters/${component}/${vhost}/${name}`),
  )
}

function named<Row extends Named>(edit: (row: Row) => void): Column<Row>[] {
  const columns: readonly Column<Row>[] = [
    {
      id: "name",
      label: "Name",
      cell: (row) => (
        <button type="button" class="link" onClick={() => edit(row)}>
          {row.name}
        </button>
      ),
    },
    { id: "vhost", label: "Virtual host", cell: ({ vhost }) => vhost },
  ]
  return columns.filter(({ id }) => id !== "vhost" || currentVhost.value === "")
}

interface ListProps<Row> {
  readonly onAdd: () => void
  readonly onEdit: (row: Row) => void
}

function addLink(onAdd: () => void, text: string): ComponentChildren {
  return (
    <button type="button" class="link" onClick={onAdd}>
      {text}
    </button>
  )
}

const valueColumn = (
  key: string,
  label: string,
  otherwise: string,
  isOptional = false,
): Column<UpstreamRow> => ({
  id: `value.${key}`,
  label,
  isOptional,
  cell: ({ value }) =>
    value[key] === undefined ? <span class="zero">{otherwise}</span> : textOf(value[key]),
})

const timeColumn = (key: string, label: string, isOptional = false): Column<UpstreamRow> => ({
  id: `value.${key}`,
  label,
  isOptional,
  cell: ({ value }) =>
    typeof value[key] === "number" ? formatDuration(value[key]) : <span class="zero">never</span>,
})

export function Upstreams({ onAdd, onEdit }: ListProps<UpstreamRow>): JSX.Element {
  const { data, error } = usePoll<readonly UpstreamRow[]>(inVhost("parameters/federation-upstream"))
    .state.value
  return (
    <DataTable<UpstreamRow>
      id="upstreams"
      noun={["upstream", "upstreams"]}
      isLocal
      rows={data}
      error={error}
      columns={[
        ...named(onEdit),
        {
          id: "value.uri",
          label: "URI",
          isWide: true,
          cell: ({ value }) => <code>{urisToText(value["uri"]).replaceAll("\n", ", ")}</code>,
        },
        valueColumn("exchange", "Exchange", "same name"),
        valueColumn("queue", "Queue", "same name"),
        timeColumn("expires", "Queue expires"),
        timeColumn("message-ttl", "Messages expire", true),
        valueColumn("ack-mode", "Acked", "on-confirm", true),
        valueColumn("prefetch-count", "Prefetch", "1000", true),
        valueColumn("reconnect-delay", "Reconnect delay", "default", true),
        valueColumn("max-hops", "Max hops", "1", true),
        valueColumn("consumer-tag", "Consumer tag", "default", true),
      ]}
      rowKey={({ vhost, name }) => `${vhost}/${name}`}
      actions={[deletionOf<UpstreamRow>("federation-upstream", ["upstream", "upstreams"])]}
      empty={{
        title: "No upstreams",
        text: <>An upstream is another broker. {addLink(onAdd, "Add one")}</>,
      }}
    />
  )
}

export function UpstreamSets({ onAdd, onEdit }: ListProps<UpstreamSetRow>): JSX.Element {
  const { data, error } = usePoll<readonly UpstreamSetRow[]>(
    inVhost("parameters/federation-upstream-set"),
  ).state.value
  return (
    <DataTable<UpstreamSetRow>
      id="upstream-sets"
      noun={["upstream set", "upstream sets"]}
      isLocal
      rows={data}
      error={error}
      columns={[
        ...named(onEdit),
        {
          id: "value",
          label: "Upstreams",
          isSortable: false,
          cell: ({ value }) => value.map((entry) => textOf(entry["upstream"])).join(", "),
        },
      ]}
      rowKey={({ vhost, name }) => `${vhost}/${name}`}
      actions={[
        deletionOf<UpstreamSetRow>("federation-upstream-set", ["upstream set", "upstream sets"]),
      ]}
      empty={{
        title: "No upstream sets",
        text: <>A set joins some upstreams for one policy. {addLink(onAdd, "Add one")}</>,
      }}
    />
  )
}
