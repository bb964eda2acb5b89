import { useSignal } from "@preact/signals"
import type { JSX } from "preact"
import { Button, KeyValues, Panel, Tile, Tiles } from "../../components/basics.tsx"
import { DataTable } from "../../components/data-table.tsx"
import { FormDialog } from "../../components/form-dialog.tsx"
import { Field } from "../../components/form.tsx"
import { RateChart } from "../../components/rate-chart.tsx"
import { ThingPage } from "../../components/thing-page.tsx"
import { MESSAGE_RATES } from "../../components/traffic-charts.tsx"
import { put } from "../../core/api.ts"
import { usePoll } from "../../core/use-poll.ts"
import { formatNumber, formatRate } from "../../lib/format.ts"
import { apiPath } from "../../lib/route.ts"
import type { Params } from "../../lib/route.ts"
import { ConnectionState } from "../connections/connection-columns.tsx"
import { connectionHref } from "../connections/types.ts"
import type { ChannelRow, ConsumerRow } from "../connections/types.ts"
import { CONSUMER_COLUMNS, consumerKey } from "../consumers/consumer-columns.tsx"
import { rateOf } from "../overview/types.ts"
import { ChannelMode, prefetchText } from "./channel-columns.tsx"

/** One channel: what passes through it, its consumers, and its prefetch to be changed. */
type ChannelDetail = ChannelRow & { readonly consumer_details: readonly ConsumerRow[] }

export function Channel({ params }: { readonly params: Params }): JSX.Element {
  const { name = "" } = params
  const isChanging = useSignal(false)
  const poll = usePoll<ChannelDetail>(apiPath`channels/${name}`)
  return (
    <ThingPage
      poll={poll}
      title={name}
      parent={{ label: "Channels", href: "#/channels" }}
      gone={{
        icon: "layers",
        title: "This channel is closed",
        text: (
          <>
            Its connection may have others. <a href="#/channels">All channels</a>
          </>
        ),
      }}
      badges={(channel) => (
        <>
          <ChannelMode channel={channel} /> <ConnectionState state={channel.state} />
        </>
      )}
      actions={() => (
        <Button icon="edit" onClick={() => (isChanging.value = true)}>
          Change prefetch
        </Button>
      )}
    >
      {(channel, receivedMs) => (
        <>
          <Parts channel={channel} receivedMs={receivedMs} />
          {isChanging.value && (
            <ChangePrefetch channel={channel} onClose={() => (isChanging.value = false)} />
          )}
        </>
      )}
    </ThingPage>
  )
}

function Parts({
  channel,
  receivedMs,
}: {
  channel: ChannelDetail
  receivedMs: number
}): JSX.Element {
  return (
    <>
      <Numbers channel={channel} />
      <div class="columns">
        <Panel title="Message rates">
          <RateChart
            title="Message rates"
            stats={channel.message_stats}
            lines={MESSAGE_RATES}
            receivedMs={receivedMs}
            format={formatRate}
          />
        </Panel>
        <Panel title="Details">
          <KeyValues
            items={[
              [
                "Connection",
                <a href={connectionHref(channel.connection_details)}>
                  {channel.connection_details.name}
                </a>,
              ],
              ["User", channel.user],
              ["Virtual host", channel.vhost],
              ["Number", formatNumber(channel.number)],
              ["Mode", modeText(channel)],
              ...countsOf(channel),
            ]}
          />
        </Panel>
      </div>
      <Panel title="Consumers" isFlush>
        <DataTable<ConsumerRow>
          id="channel-consumers"
          noun={["consumer", "consumers"]}
          rows={channel.consumer_details}
          columns={CONSUMER_COLUMNS.filter(
            ({ id }) => id !== "queue.vhost" && id !== "channel_details.name",
          )}
          rowKey={consumerKey}
          searchText={({ consumer_tag: tag, queue }) => `${tag} ${queue.name}`}
          isLocal
          empty={{ title: "No consumers", text: "This channel takes messages from no queue." }}
        />
      </Panel>
    </>
  )
}

function Numbers({ channel }: { channel: ChannelDetail }): JSX.Element {
  const { message_stats: stats } = channel
  return (
    <Tiles>
      <Tile label="Unacked" value={formatNumber(channel.messages_unacknowledged)} />
      <Tile label="Unconfirmed" value={formatNumber(channel.messages_unconfirmed)} />
      <Tile
        label="Prefetch"
        value={prefetchText(channel.prefetch_count)}
        note={
          channel.global_prefetch_count === 0
            ? "each consumer"
            : `${formatNumber(channel.global_prefetch_count)} for all together`
        }
      />
      <Tile label="Consumers" value={formatNumber(channel.consumer_count)} />
      <Tile label="Publish" value={formatRate(rateOf(stats, "publish").rate)} />
      <Tile
        label="Deliver"
        value={formatRate(rateOf(stats, "deliver_get").rate)}
        note={`${formatRate(rateOf(stats, "ack").rate)} acked`}
      />
    </Tiles>
  )
}

function modeText({ confirm, transactional }: ChannelRow): string {
  if (confirm) return "confirms"
  return transactional ? "transactions" : "neither confirms nor transactions"
}

const COUNTS: readonly (readonly [counter: string, label: string, help?: string])[] = [
  ["publish", "Published"],
  ["confirm", "Confirmed"],
  ["return_unroutable", "Returned", "Mandatory, and no queue wanted them"],
  ["drop_unroutable", "Dropped", "No queue wanted them, and the client did not ask for them back"],
  ["deliver_get", "Delivered"],
  ["redeliver", "Redelivered"],
  ["ack", "Acked"],
  ["reject", "Rejected"],
]

function countsOf({ message_stats: stats }: ChannelRow): [string, string | null, string?][] {
  return COUNTS.map(([counter, label, help]) => {
    const value = stats[counter]
    const text = typeof value === "number" && value > 0 ? formatNumber(value) : null
    return help === undefined ? [label, text] : [label, text, help]
  })
}

function ChangePrefetch({
  channel,
  onClose,
}: {
  channel: ChannelDetail
  onClose: () => void
}): JSX.Element {
  const prefetch = useSignal(String(channel.prefetch_count))
  const submit = async (): Promise<string> => {
    await put(apiPath`channels/${channel.name}`, { prefetch: Number(prefetch.value) })
    return "Changed the prefetch"
  }
  return (
    <FormDialog
      title="Change prefetch"
      action="Change prefetch"
      onSubmit={submit}
      onClose={onClose}
    >
      <Field
        label="Prefetch"
        value={prefetch}
        type="number"
        min={0}
        max={65_535}
        isRequired
        hasFocus
        hint="How many unacked messages a consumer may have; 0 is no limit. It counts for consumers that the channel starts from now on, as if the client had called basic.qos."
      />
    </FormDialog>
  )
}
