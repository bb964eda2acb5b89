import { useSignal } from "@preact/signals"
import type { JSX } from "preact"
import {
  Button,
  Empty,
  ErrorBanner,
  KeyValues,
  Loading,
  Page,
  Panel,
  Tile,
  Tiles,
} from "../../components/basics.tsx"
import { DataTable } from "../../components/data-table.tsx"
import { Dialog } from "../../components/dialog.tsx"
import { Field, Form } from "../../components/form.tsx"
import { RateChart } from "../../components/rate-chart.tsx"
import type { RateLine } from "../../components/rate-chart.tsx"
import { ApiError, put } from "../../core/api.ts"
import { toast } from "../../core/toasts.ts"
import { refreshAll, usePoll } from "../../core/use-poll.ts"
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
  const { data, error, receivedMs } = poll.state.value
  const isGone = error instanceof ApiError && error.status === 404
  return (
    <Page
      title={name}
      parent={{ label: "Channels", href: "#/channels" }}
      badges={
        data !== null &&
        !isGone && (
          <>
            <ChannelMode channel={data} /> <ConnectionState state={data.state} />
          </>
        )
      }
      actions={
        data !== null &&
        !isGone && (
          <Button
            icon="edit"
            onClick={() => {
              isChanging.value = true
            }}
          >
            Change prefetch
          </Button>
        )
      }
    >
      {isGone && (
        <Empty icon="layers" title="This channel is closed">
          Its connection may have others. <a href="#/channels">All channels</a>
        </Empty>
      )}
      {error !== null && !isGone && <ErrorBanner error={error} retry={() => poll.refresh()} />}
      {data === null && error === null && <Loading lines={8} />}
      {data !== null && !isGone && <Parts channel={data} receivedMs={receivedMs} />}
      {data !== null && isChanging.value && (
        <ChangePrefetch
          channel={data}
          onClose={() => {
            isChanging.value = false
          }}
        />
      )}
    </Page>
  )
}

const LINES: readonly RateLine[] = [
  ["publish", "Publish", 1],
  ["deliver_get", "Deliver", 2],
  ["ack", "Ack", 5],
  ["confirm", "Confirm", 3],
  ["redeliver", "Redeliver", 4],
  ["return_unroutable", "Unroutable", 6],
]

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
            lines={LINES}
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
  const submit = async (): Promise<void> => {
    await put(apiPath`channels/${channel.name}`, { prefetch: Number(prefetch.value) })
    toast("success", "Changed the prefetch")
    refreshAll()
    onClose()
  }
  return (
    <Dialog title="Change prefetch" onClose={onClose}>
      <Form action="Change prefetch" onSubmit={submit} onCancel={onClose}>
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
      </Form>
    </Dialog>
  )
}
