import type { JSX } from "preact"
import { Page } from "../../components/basics.tsx"
import { DataTable } from "../../components/data-table.tsx"
import { currentVhost } from "../../core/vhosts.ts"
import { apiPath } from "../../lib/route.ts"
import { CLOSE_ACTION, CloseConnections } from "./close-connections.tsx"
import { CONNECTION_COLUMNS } from "./connection-columns.tsx"
import { connectionHref } from "./types.ts"
import type { ConnectionRow } from "./types.ts"

/** The list of connections: found by their name, the client's own name or the user. */
export function Connections(): JSX.Element {
  const vhost = currentVhost.value
  return (
    <Page title="Connections">
      <DataTable<ConnectionRow>
        id="connections"
        noun={["connection", "connections"]}
        path={vhost === "" ? "connections" : apiPath`vhosts/${vhost}/connections`}
        columns={CONNECTION_COLUMNS.filter(({ id }) => id !== "vhost" || vhost === "")}
        rowKey={({ name }) => name}
        rowHref={connectionHref}
        actions={[CLOSE_ACTION]}
        searchLabel="Name, client or user"
        empty={{
          title: "No connections",
          text: "Clients connect to the AMQP listeners that the overview shows.",
        }}
      />
      <CloseConnections />
    </Page>
  )
}
