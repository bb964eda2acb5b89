import { useSignal } from "@preact/signals"
import type { Signal } from "@preact/signals"
import type { JSX } from "preact"
import { useEffect } from "preact/hooks"
import { Button, Panel, Tabs } from "../../components/basics.tsx"
import { ThingPage } from "../../components/thing-page.tsx"
import { act } from "../../core/act.ts"
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
import type { MenuItem } from "./more-menu.tsx"
import { MoveDialog } from "./move-dialog.tsx"
import { PublishForm } from "./publish-form.tsx"
import { QueueSummary } from "./queue-summary.tsx"
import { CONSUMERS_MAX } from "./types.ts"
import type { QueueDetail } from "./types.ts"
import { StreamMessages } from "../streams/stream-messages.tsx"
import { StreamSummary } from "../streams/stream-summary.tsx"
import { UnackedOfQueue } from "../unacked/unacked-of-queue.tsx"

/** One queue or stream: what is in it, who takes it, why it is stuck, and everything that can be done with it. */
type Open = "" | "purge" | "delete" | "redrive" | "move"

const queuePath = (vhost: string, name: string): string =>
  apiPath`queues/${vhost}/${name}?consumer_list_length=${String(CONSUMERS_MAX)}`

interface PageKind {
  readonly noun: "queue" | "stream"
  readonly parent: { readonly label: string; readonly href: string }
  readonly tabs: readonly Tab[]
}

const QUEUE: PageKind = {
  noun: "queue",
  parent: { label: "Queues", href: "#/queues" },
  tabs: ["summary", "messages", "unacked", "consumers", "bindings", "publish", "get"],
}

const STREAM: PageKind = {
  noun: "stream",
  parent: { label: "Streams", href: "#/streams" },
  tabs: ["summary", "messages", "consumers", "bindings", "publish"],
}

interface QueueProps {
  readonly params: Params
}

export const Queue = ({ params }: QueueProps): JSX.Element => (
  <QueuePage params={params} kind={QUEUE} />
)
export const Stream = ({ params }: QueueProps): JSX.Element => (
  <QueuePage params={params} kind={STREAM} />
)

function QueuePage({ params, kind }: QueueProps & { readonly kind: PageKind }): JSX.Element {
  const { vhost = "", name = "" } = params
  const { noun, parent } = kind
  const open = useSignal<Open>("")
  const poll = usePoll<QueueDetail>(queuePath(vhost, name))
  const isOther = poll.state.value.data?.type === "stream" && noun === "queue"
  useEffect(() => {
    if (isOther) globalThis.location.replace(href(["streams", vhost, name]))
  }, [isOther])
  return (
    <ThingPage
      poll={poll}
      title={name}
      about={`Virtual host ${vhost}`}
      parent={parent}
      gone={{
        icon: noun === "queue" ? "queue" : "waves",
        title: `There is no such ${noun}`,
        text: (
          <>
            It was deleted, expired, or never was in the virtual host {vhost}.{" "}
            <a href={parent.href}>All {noun}s</a>
          </>
        ),
      }}
      badges={(queue) => (
        <>
          <QueueFeatures queue={queue} /> <QueueState state={queue.state} />
        </>
      )}
      actions={(queue) => <Actions queue={queue} open={open} kind={kind} />}
    >
      {(queue, receivedMs) => (
        <>
          <QueueTabs queue={queue} kind={kind} receivedMs={receivedMs} />
          <OpenDialog queue={queue} open={open} />
        </>
      )}
    </ThingPage>
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

function Actions(props: { queue: QueueDetail; open: Signal<Open>; kind: PageKind }): JSX.Element {
  const { queue, open, kind } = props
  const [verb, done, change] =
    queue.state === "paused"
      ? (["Resume", "Resumed", resumeQueue] as const)
      : (["Pause", "Paused", pauseQueue] as const)
  const isQueue = kind.noun === "queue"
  const opens = (label: string, dialog: Open): MenuItem => ({
    label,
    isDangerous: dialog === "delete",
    run: () => (open.value = dialog),
  })
  return (
    <>
      <Button
        icon={verb === "Pause" ? "pause" : "play"}
        onClick={() => void act(() => change(queue), `${done} ${queue.name}`)}
      >
        {verb}
      </Button>
      {isQueue && (
        <Button icon="broom" kind="danger" onClick={() => (open.value = "purge")}>
          Purge
        </Button>
      )}
      <MoreMenu
        items={[
          ...(isQueue
            ? [opens("Send dead letters back", "redrive"), opens("Move messages", "move")]
            : []),
          { label: "Restart", run: () => void restartQueue(queue) },
          opens("Delete", "delete"),
        ]}
      />
    </>
  )
}

const LABELS = {
  summary: "Summary",
  messages: "Messages",
  unacked: "Unacked",
  consumers: "Consumers",
  bindings: "Bindings",
  publish: "Publish",
  get: "Get",
} as const

type Tab = keyof typeof LABELS

interface TabsProps {
  readonly queue: QueueDetail
  readonly kind: PageKind
  readonly receivedMs: number
}

function QueueTabs({ queue, kind, receivedMs }: TabsProps): JSX.Element {
  const wanted = location.value.query["tab"] ?? ""
  const active = kind.tabs.find((id) => id === wanted) ?? "summary"
  const counts: Readonly<Record<string, number>> = {
    messages: queue.messages_ready,
    unacked: queue.messages_unacknowledged,
    consumers: queue.consumers,
  }
  const tabs = kind.tabs.map((id) => ({
    id,
    label: (
      <>
        {LABELS[id]}
        {counts[id] !== undefined && <span class="tab-count">{formatShort(counts[id])}</span>}
      </>
    ),
  }))
  return (
    <>
      <Tabs
        label={`About this ${kind.noun}`}
        tabs={tabs}
        active={active}
        onSelect={(tab) => setQuery({ tab: tab === "summary" ? "" : tab, state: "" })}
      />
      <TabBody active={active} queue={queue} receivedMs={receivedMs} />
    </>
  )
}

interface TabBodyProps {
  readonly active: Tab
  readonly queue: QueueDetail
  readonly receivedMs: number
}

function TabBody({ active, queue, receivedMs }: TabBodyProps): JSX.Element {
  const isStream = queue.type === "stream"
  switch (active) {
    case "summary":
      return isStream ? (
        <StreamSummary queue={queue} receivedMs={receivedMs} />
      ) : (
        <QueueSummary queue={queue} receivedMs={receivedMs} />
      )
    case "messages":
      return isStream ? <StreamMessages queue={queue} /> : <MessagesTab queue={queue} />
    case "unacked":
      return <UnackedOfQueue vhost={queue.vhost} name={queue.name} />
    case "consumers":
      return <ConsumersTab queue={queue} />
    case "bindings":
      return <BindingsTab vhost={queue.vhost} name={queue.name} />
    case "publish":
      return (
        <Panel title={`Publish to ${queue.name}`} class="narrow-panel">
          <p class="form-lead">By the default exchange, with this name as routing key.</p>
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
