import type { JSX } from "preact"
import { Page } from "../../components/basics.tsx"
import { DataTable } from "../../components/data-table.tsx"
import { currentVhost } from "../../core/vhosts.ts"
import { apiPath } from "../../lib/route.ts"
import { channelHref } from "../connections/types.ts"
import type { ChannelRow } from "../connections/types.ts"
import { CHANNEL_COLUMNS } from "./channel-columns.tsx"

/** The list of channels. */
export function Channels(): JSX.Element {
  const vhost = currentVhost.value
  return (
    <Page title="Channels">
      <DataTable<ChannelRow>
        id="channels"
        noun={["channel", "channels"]}
        path={vhost === "" ? "channels" : apiPath`vhosts/${vhost}/channels`}
        columns={CHANNEL_COLUMNS.filter(({ id }) => id !== "vhost" || vhost === "")}
        rowKey={({ name }) => name}
        rowHref={channelHref}
        searchLabel="Name or user"
        empty={{
          title: "No channels",
          text: (
            <>
              Clients open them on their <a href="#/connections">connections</a>.
            </>
          ),
        }}
      />
    </Page>
  )
}
