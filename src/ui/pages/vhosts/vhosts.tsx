import { useSignal } from "@preact/signals"
import type { JSX } from "preact"
import { Badge, Button, Page } from "../../components/basics.tsx"
import { DataTable } from "../../components/data-table.tsx"
import type { Column } from "../../components/data-table.tsx"
import { may } from "../../core/session.ts"
import { usePoll } from "../../core/use-poll.ts"
import { formatByteRate } from "../../lib/format.ts"
import { href } from "../../lib/route.ts"
import { dimZero, numberColumn } from "../../components/number-column.tsx"
import type { Permission } from "../users/types.ts"
import type { VhostRow } from "./types.ts"
import { VhostForm } from "./vhost-form.tsx"

/** The list of vhosts. */
const COLUMNS: readonly Column<VhostRow>[] = [
  {
    id: "name",
    label: "Name",
    cell: ({ name, protected_from_deletion: isProtected }) => (
      <>
        <a href={href(["vhosts", name])}>{name}</a>{" "}
        {isProtected && <Badge title="Cannot be deleted">protected</Badge>}
      </>
    ),
  },
  { id: "description", label: "Description", isWide: true, cell: ({ description }) => description },
  { id: "tags", label: "Tags", isOptional: true, cell: ({ tags }) => tags.join(", ") },
  {
    id: "default_queue_type",
    label: "Queue type",
    help: "Of queues that are declared without x-queue-type",
    isOptional: true,
    cell: ({ default_queue_type: type }) => type ?? <span class="zero">classic</span>,
  },
  numberColumn("messages_ready", "Ready"),
  numberColumn("messages_unacknowledged", "Unacked"),
  numberColumn("messages", "Total"),
  numberColumn("message_stats.publish_details.rate", "Publish"),
  numberColumn("message_stats.deliver_get_details.rate", "Deliver"),
  numberColumn("recv_oct_details.rate", "Received", { format: formatByteRate, isOptional: true }),
  numberColumn("send_oct_details.rate", "Sent", { format: formatByteRate, isOptional: true }),
]

function usersColumn(permissions: readonly Permission[]): Column<VhostRow> {
  const counts = new Map<string, number>()
  for (const { vhost } of permissions) counts.set(vhost, (counts.get(vhost) ?? 0) + 1)
  return {
    id: "users",
    label: "Users",
    help: "With permissions on it",
    isSortable: false,
    isNumber: true,
    cell: ({ name }) => dimZero(counts.get(name) ?? 0, String(counts.get(name) ?? 0)),
  }
}

export function Vhosts(): JSX.Element {
  const isAdding = useSignal(false)
  const permissions = usePoll<readonly Permission[]>(may("administrator") ? "permissions" : null)
  const { data } = permissions.state.value
  const [first, second, ...others] = COLUMNS
  const columns = data === null ? COLUMNS : [first, second, usersColumn(data), ...others]
  return (
    <Page
      title="Virtual hosts"
      actions={
        may("administrator") && (
          <Button kind="primary" icon="plus" onClick={() => (isAdding.value = true)}>
            Add virtual host
          </Button>
        )
      }
    >
      <DataTable<VhostRow>
        id="vhosts"
        noun={["virtual host", "virtual hosts"]}
        path="vhosts"
        columns={columns.filter((column) => column !== undefined)}
        rowKey={({ name }) => name}
        rowHref={({ name }) => href(["vhosts", name])}
        empty={{
          title: "No virtual hosts",
          text: "You have permissions on none. An administrator can give you some.",
        }}
      />
      {isAdding.value && <VhostForm row={null} onClose={() => (isAdding.value = false)} />}
    </Page>
  )
}
