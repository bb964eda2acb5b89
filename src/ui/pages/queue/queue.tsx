import { useSignal } from "@preact/signals"
import type { Signal } from "@preact/signals"
import type { JSX } from "preact"
import { useEffect } from "preact/hooks"
import { Button, Empty, ErrorBanner, Loading, Page, Panel, Tabs } from "../../components/basics.tsx"
import { act } from "../../core/act.ts"
import { ApiError } from "../../core/api.ts"
import { location, setQuery } from "../../core/router.ts"
import { usePoll } from "../../core/use-poll.ts"
import { formatShort } from "../../lib/format.ts"
import { apiPath, href } from "../../lib/route.ts"
import type { Params } from "../../lib/route.ts"
import { pauseQueue, resumeQueue } from "../queues/queue-actions.tsx"
import { QueueFeatures, QueueState } from "../queues/queue-columns.tsx"
import { BindingsTab } from "./bindings-tab.tsx"
import { ConsumersTab } from "./consumers-tab.tsx"
import { DeleteDialog, PurgeDialog, restartQueue } from "./danger.tsx"
import { GetMessages } from "./get-messages.tsx"
import { MessagesTab } from "./messages-tab.tsx"
import { MoreMenu } from "./more-menu.tsx"
import { MoveDialog } from "./move-dialog.tsx"
import { PublishForm } from "./publish-form.tsx"
import { QueueSummary } from "./queue-summary.tsx"
import { CONSUMERS_MAX } from "./types.ts"
import type { QueueDetail } from "./types.ts"
import { UnackedOfQueue } from "../unacked/unacked-of-queue.tsx"

/** One queue: what is in it, who takes it, why it is stuck, and everything that can be done with it. */
type Open = "" | "purge" | "delete" | "redrive" | "move"

export const queuePath = (vhost: string, name: string): string =>
  apiPath`queues/${vhost}/${name}?lengths_age=600&lengths_incr=5&consumer_list_length=${String(CONSUMERS_MAX)}`

export function Queue({ params }: { readonly params: Params }): JSX.Element {
  const { vhost = "", name = "" } = params
  const open = useSignal<Open>("")
  const poll = usePoll<QueueDetail>(queuePath(vhost, name))
  const { data, error, receivedMs } = poll.state.value
  const isGone = error instanceof ApiError && error.status === 404
  const queue = isGone ? null : data
  const isStream = queue?.type === "stream"
  useEffect(() => {
    if (isStream) globalThis.location.replace(href(["streams", vhost, name]))
  }, [isStream])
  return (
    <Page
      title={name}
      parent={{ label: "Queues", href: "#/queues" }}
      badges={
        queue !== null && (
          <>
            <QueueFeatures queue={queue} /> <QueueState state={queue.state} />
          </>
        )
      }
      about={`Virtual host ${vhost}`}
      actions={queue !== null && <Actions queue={queue} open={open} />}
    >
      {isGone && <Gone vhost={vhost} />}
      {error !== null && !isGone && <ErrorBanner error={error} retry={() => poll.refresh()} />}
      {data === null && error === null && <Loading lines={8} />}
      {queue !== null && <QueueTabs queue={queue} receivedMs={receivedMs} />}
      {queue !== null && <OpenDialog queue={queue} open={open} />}
    </Page>
  )
}

function Gone({ vhost }: { vhost: string }): JSX.Element {
  return (
    <Empty icon="queue" title="There is no such queue">
      It was deleted, expired, or never was in the virtual host {vhost}.{" "}
      <a href={href(["queues"])}>All queues</a>
    </Empty>
  )
}

function OpenDialog({
  queue,
  open,
}: {
  queue: QueueDetail
  open: Signal<Open>
}): JSX.Element | null {
  const close = (): void => {
    open.value = ""
  }
  switch (open.value) {
    case "purge":
      return <PurgeDialog queue={queue} onClose={close} />
    case "delete":
      return <DeleteDialog queue={queue} onClose={close} />
    case "redrive":
    case "move":
      return <MoveDialog queue={queue} kind={open.value} onClose={close} />
    case "":
    default:
      return null
  }
}

function Actions({ queue, open }: { queue: QueueDetail; open: Signal<Open> }): JSX.Element {
  const isPaused = queue.state === "paused"
  return (
    <>
      {isPaused ? (
        <Button
          icon="play"
          onClick={() => void act(() => resumeQueue(queue), `Resumed ${queue.name}`)}
        >
          Resume
        </Button>
      ) : (
        <Button
          icon="pause"
          onClick={() => void act(() => pauseQueue(queue), `Paused ${queue.name}`)}
        >
          Pause
        </Button>
      )}
      <Button icon="broom" kind="danger" onClick={() => (open.value = "purge")}>
        Purge
      </Button>
      <MoreMenu
        items={[
          { label: "Send dead letters back", run: () => (open.value = "redrive") },
          { label: "Move messages", run: () => (open.value = "move") },
          { label: "Restart", run: () => void restartQueue(queue) },
          { label: "Delete", isDangerous: true, run: () => (open.value = "delete") },
        ]}
      />
    </>
  )
}

const TABS = ["summary", "messages", "unacked", "consumers", "bindings", "publish", "get"] as const
const LABELS = [
  "Summary",
  "Messages",
  "Unacked",
  "Consumers",
  "Bindings",
  "Publish",
  "Get",
] as const

function QueueTabs({ queue, receivedMs }: { queue: QueueDetail; receivedMs: number }): JSX.Element {
  const wanted = location.value.query["tab"] ?? ""
  const active = TABS.find((id) => id === wanted) ?? "summary"
  const counts: Readonly<Record<string, number>> = {
    messages: queue.messages_ready,
    unacked: queue.messages_unacknowledged,
    consumers: queue.consumers,
  }
  const tabs = TABS.map((id, index) => ({
    id,
    label: (
      <>
        {LABELS[index]}
        {counts[id] !== undefined && <span class="tab-count">{formatShort(counts[id])}</span>}
      </>
    ),
  }))
  return (
    <>
      <Tabs
        label="About this queue"
        tabs={tabs}
        active={active}
        onSelect={(tab) => setQuery({ tab: tab === "summary" ? "" : tab, state: "" })}
      />
      <TabBody active={active} queue={queue} receivedMs={receivedMs} />
    </>
  )
}

interface TabBodyProps {
  readonly active: (typeof TABS)[number]
  readonly queue: QueueDetail
  readonly receivedMs: number
}

function TabBody({ active, queue, receivedMs }: TabBodyProps): JSX.Element {
  switch (active) {
    case "summary":
      return <QueueSummary queue={queue} receivedMs={receivedMs} />
    case "messages":
      return <MessagesTab queue={queue} />
    case "unacked":
      return <UnackedOfQueue vhost={queue.vhost} name={queue.name} />
    case "consumers":
      return <ConsumersTab queue={queue} />
    case "bindings":
      return <BindingsTab vhost={queue.vhost} name={queue.name} />
    case "publish":
      return (
        <Panel title={`Publish to ${queue.name}`} class="narrow-panel">
          <p class="form-lead">By the default exchange, with the queue's name as routing key.</p>
          <PublishForm vhost={queue.vhost} queue={queue.name} initial={{}} />
        </Panel>
      )
    case "get":
    default:
      return (
        <Panel title="Get messages">
          <p class="form-lead">
            This takes messages as a consumer does. To look without changing anything, use{" "}
            <a href={href(["queues", queue.vhost, queue.name], { tab: "messages" })}>Messages</a>.
          </p>
          <GetMessages queue={queue} />
        </Panel>
      )
  }
}
