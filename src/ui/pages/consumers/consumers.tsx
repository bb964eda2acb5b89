import type { JSX } from "preact"
import { Page } from "../../components/basics.tsx"
import { DataTable } from "../../components/data-table.tsx"
import { currentVhost, inVhost } from "../../core/vhosts.ts"
import type { ConsumerRow } from "../connections/types.ts"
import { CANCEL_ACTION, CONSUMER_COLUMNS, consumerKey } from "./consumer-columns.tsx"

/** The list of consumers. */
export function Consumers(): JSX.Element {
  return (
    <Page title="Consumers">
      <DataTable<ConsumerRow>
        id="consumers"
        noun={["consumer", "consumers"]}
        path={inVhost("consumers")}
        columns={CONSUMER_COLUMNS.filter(
          ({ id }) => id !== "cancel" && (id !== "queue.vhost" || currentVhost.value === ""),
        )}
        rowKey={consumerKey}
        actions={[CANCEL_ACTION]}
        searchLabel="Tag or queue"
        empty={{
          title: "No consumers",
          text: (
            <>
              No client takes messages. <a href="#/queues?preset=non-empty">Queues with messages</a>
            </>
          ),
        }}
      />
    </Page>
  )
}
