import type { JSX } from "preact"
import { ErrorBanner } from "../../components/basics.tsx"
import { DataTable } from "../../components/data-table.tsx"
import { usePoll } from "../../core/use-poll.ts"
import { apiPath, href } from "../../lib/route.ts"
import type { UnackedRow } from "./types.ts"
import { UNACKED_COLUMNS, unackedKey } from "./unacked-columns.tsx"

/** Of one queue: its holders; the messages themselves are in the tab Messages. */
export function UnackedOfQueue({ vhost, name }: { vhost: string; name: string }): JSX.Element {
  const poll = usePoll<readonly UnackedRow[]>(apiPath`unacked/${vhost}`)
  const { data, error } = poll.state.value
  if (error !== null) return <ErrorBanner error={error} retry={() => poll.refresh()} />
  return (
    <>
      <DataTable<UnackedRow>
        id="queue-unacked"
        noun={["holder", "holders"]}
        rows={data?.filter((row) => row.name === name) ?? null}
        columns={UNACKED_COLUMNS.filter(({ id }) => id !== "vhost" && id !== "name")}
        rowKey={unackedKey}
        searchText={(row) => `${row.consumer_tag} ${row.channel_name} ${row.user}`}
        isLocal
        initial={{ sort: "unacked_since_ms" }}
        toolbar={
          <a
            class="button is-plain"
            href={href(["queues", vhost, name], { tab: "messages", state: "unacked" })}
          >
            Look at the messages
          </a>
        }
        empty={{
          title: "Nothing is unacked",
          text: "No client holds a message of this queue.",
        }}
      />
    </>
  )
}
