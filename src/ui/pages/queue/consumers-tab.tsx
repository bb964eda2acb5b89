import type { JSX } from "preact"
import { DataTable } from "../../components/data-table.tsx"
import { formatNumber } from "../../lib/format.ts"
import type { ConsumerRow } from "../connections/types.ts"
import { CANCEL_ACTION, CONSUMER_COLUMNS, consumerKey } from "../consumers/consumer-columns.tsx"
import { CONSUMERS_MAX } from "./types.ts"
import type { QueueDetail } from "./types.ts"

/** Who consumes from the queue. */
export function ConsumersTab({ queue }: { readonly queue: QueueDetail }): JSX.Element {
  return (
    <>
      {queue.consumers > CONSUMERS_MAX && (
        <p class="muted">
          The first {formatNumber(CONSUMERS_MAX)} of {formatNumber(queue.consumers)};{" "}
          <a href="#/consumers">all consumers</a> have their own page.
        </p>
      )}
      <DataTable<ConsumerRow>
        id="queue-consumers"
        noun={["consumer", "consumers"]}
        rows={queue.consumer_details}
        columns={CONSUMER_COLUMNS.filter(({ id }) => !id.startsWith("queue."))}
        rowKey={consumerKey}
        searchText={({ consumer_tag: tag, channel_details: channel }) =>
          `${tag} ${channel.name} ${channel.user}`
        }
        actions={[CANCEL_ACTION]}
        isLocal
        empty={{
          title: "No consumers",
          text: `Nobody takes messages from this ${queue.type === "stream" ? "stream" : "queue"}. Clients begin with basic.consume; to look at messages use the tab Messages.`,
        }}
      />
    </>
  )
}
