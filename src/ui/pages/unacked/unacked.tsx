import type { JSX } from "preact"
import { Page } from "../../components/basics.tsx"
import { DataTable } from "../../components/data-table.tsx"
import { currentVhost, inVhost } from "../../core/vhosts.ts"
import type { UnackedRow } from "./types.ts"
import { UNACKED_COLUMNS, unackedKey } from "./unacked-columns.tsx"

/** Over all queues: who holds messages that are not acked. */
export function Unacked(): JSX.Element {
  return (
    <Page
      title="Unacked"
      about="Messages that clients have and have not acked: what holds queues up most often."
    >
      <DataTable<UnackedRow>
        id="unacked"
        noun={["holder", "holders"]}
        path={inVhost("unacked")}
        columns={UNACKED_COLUMNS.filter(({ id }) => id !== "vhost" || currentVhost.value === "")}
        rowKey={unackedKey}
        searchLabel="Search queues"
        initial={{ sort: "unacked_since_ms" }}
        empty={{
          title: "Nothing is unacked",
          text: "No client holds a message. Consumers that acknowledge are listed here while they work.",
        }}
      />
    </Page>
  )
}
