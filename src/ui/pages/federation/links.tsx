import type { JSX } from "preact"
import { Empty } from "../../components/basics.tsx"
import { DataTable } from "../../components/data-table.tsx"
import type { BulkAction, Column } from "../../components/data-table.tsx"
import { del } from "../../core/api.ts"
import { changeAll } from "../../core/bulk.ts"
import { usePoll } from "../../core/use-poll.ts"
import { currentVhost, inVhost } from "../../core/vhosts.ts"
import { formatNumber, formatRate } from "../../lib/format.ts"
import { maskUri } from "../../lib/masked-uri.ts"
import { apiPath, href } from "../../lib/route.ts"
import { isMissing, LinkState } from "../shovels/shovels.tsx"
import type { LinkRow } from "./types.ts"

/** The links that run. */
const resourceOf = (row: LinkRow): string => row.resource ?? row.exchange ?? row.queue ?? ""

const COLUMNS: readonly Column<LinkRow>[] = [
  {
    id: "resource",
    label: "Exchange or queue",
    cell: (row) => (
      <a href={href([row.type === "queue" ? "queues" : "exchanges", row.vhost, resourceOf(row)])}>
        {resourceOf(row)}
      </a>
    ),
  },
  { id: "type", label: "Type", cell: ({ type }) => type },
  { id: "vhost", label: "Virtual host", cell: ({ vhost }) => vhost },
  { id: "upstream", label: "Upstream", cell: ({ upstream }) => upstream },
  { id: "uri", label: "URI", isWide: true, cell: ({ uri }) => <code>{maskUri(uri)}</code> },
  {
    id: "status",
    label: "State",
    cell: ({ status, error }) => <LinkState state={status} error={error} />,
  },
  {
    id: "message_rate",
    label: "Rate",
    isNumber: true,
    cell: (row) => formatRate(row.message_rate),
  },
  {
    id: "forwarded",
    label: "Messages",
    isNumber: true,
    cell: (row) => formatNumber(row.forwarded),
  },
  { id: "policy", label: "Policy", isOptional: true, cell: ({ policy }) => policy },
  { id: "timestamp", label: "Since", isOptional: true, cell: ({ timestamp }) => timestamp },
]

const ACTIONS: readonly BulkAction<LinkRow>[] = [
  {
    label: "Restart",
    icon: "refresh",
    run: (rows) =>
      changeAll(rows, {
        noun: ["link", "links"],
        verb: "Restart",
        done: "Restarted",
        change: ({ vhost, id = "", node = "" }) =>
          del(apiPath`federation-links/vhost/${vhost}/${id}/${node}/restart`),
      }),
  },
]

export function Links({ onAdd }: { onAdd: () => void }): JSX.Element {
  const { data, error } = usePoll<readonly LinkRow[]>(inVhost("federation-links")).state.value
  if (isMissing(error))
    return (
      <Empty icon="link" title="This broker does not run federation">
        Upstreams are kept, and links begin when a version that does takes over.
      </Empty>
    )
  return (
    <DataTable<LinkRow>
      id="federation-links"
      noun={["link", "links"]}
      isLocal
      rows={data}
      error={error}
      columns={COLUMNS.filter(({ id }) => id !== "vhost" || currentVhost.value === "")}
      rowKey={(row) => row.id ?? `${row.vhost} ${row.upstream} ${row.type} ${resourceOf(row)}`}
      actions={ACTIONS}
      searchText={(row) => `${resourceOf(row)} ${row.upstream}`}
      empty={{
        title: "No links",
        text: (
          <>
            <button type="button" class="link" onClick={onAdd}>
              Add an upstream
            </button>
            , then a <a href="#/policies">policy</a> with federation-upstream or
            federation-upstream-set for the exchanges and queues that are to get its messages.
          </>
        ),
      }}
    />
  )
}
