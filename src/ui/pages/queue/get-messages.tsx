import { useSignal } from "@preact/signals"
import type { JSX } from "preact"
import { Banner, Empty } from "../../components/basics.tsx"
import { Field, FieldRow, Form, Select } from "../../components/form.tsx"
import { post } from "../../core/api.ts"
import { confirm } from "../../core/confirm.ts"
import { refreshAll } from "../../core/use-poll.ts"
import { formatCount, formatNumber } from "../../lib/format.ts"
import { apiPath } from "../../lib/route.ts"
import { MessageDetail } from "../messages/message-detail.tsx"
import type { Message } from "../messages/types.ts"
import type { QueueDetail } from "./types.ts"

/** Takes messages as a consumer would. Each way says what it changes; looking without changing is another tab. */
interface Mode {
  readonly id: string
  readonly label: string
  /** What happens to the messages. */
  readonly effect: string
  readonly tone: "warn" | "danger"
}

const MODES: readonly Mode[] = [
  {
    id: "ack_requeue_true",
    label: "Nack, requeue",
    effect:
      "They go back to their places, marked as redelivered. It counts as a delivery: with a delivery limit they come nearer to it.",
    tone: "warn",
  },
  {
    id: "ack_requeue_false",
    label: "Ack: take them out",
    effect: "They are gone from the queue for good. This page is the last to have them.",
    tone: "danger",
  },
  {
    id: "reject_requeue_true",
    label: "Reject, requeue",
    effect: "As with nack: they go back, marked as redelivered.",
    tone: "warn",
  },
  {
    id: "reject_requeue_false",
    label: "Reject: dead-letter or drop",
    effect: "",
    tone: "danger",
  },
]

const COUNT_MAX = 1000

const GONE = new Set(["ack_requeue_false", "reject_requeue_false"])

export function GetMessages({ queue }: { readonly queue: QueueDetail }): JSX.Element {
  const { vhost, name } = queue
  const mode = useSignal("ack_requeue_true")
  const count = useSignal("1")
  const encoding = useSignal("auto")
  const taken = useSignal<readonly Message[] | null>(null)
  const chosen = MODES.find(({ id }) => id === mode.value)
  const submit = async (): Promise<void> => {
    const wanted = Number(count.value)
    if (GONE.has(mode.value) && !(await isSure(wanted, effectOf(queue, mode.value)))) return
    taken.value = await post<readonly Message[]>(apiPath`queues/${vhost}/${name}/get`, {
      ack_mode: mode.value,
      count: wanted,
      encoding: encoding.value,
    })
    refreshAll()
  }
  return (
    <div class="stack">
      <Form action="Get messages" onSubmit={submit}>
        <FieldRow>
          <Select label="How" value={mode} options={MODES.map(({ id, label }) => [id, label])} />
          <Field label="How many" value={count} type="number" min={1} max={COUNT_MAX} isRequired />
          <Select
            label="Bodies"
            value={encoding}
            options={[
              ["auto", "Text where they are text"],
              ["base64", "All as base64"],
            ]}
          />
        </FieldRow>
        <Banner tone={chosen?.tone ?? "warn"}>{effectOf(queue, mode.value)}</Banner>
      </Form>
      {taken.value !== null && <Taken messages={taken.value} queue={queue} />}
    </div>
  )
}

function isSure(count: number, text: string): Promise<boolean> {
  const what = formatCount(count, ["message", "messages"])
  return confirm({ title: `Take ${what}`, text, action: `Take ${what}`, isDangerous: true })
}

function effectOf(queue: QueueDetail, mode: string): string {
  if (mode !== "reject_requeue_false") return MODES.find(({ id }) => id === mode)?.effect ?? ""
  const target =
    queue.arguments["x-dead-letter-exchange"] ??
    queue.effective_policy_definition["dead-letter-exchange"]
  return typeof target === "string"
    ? `They go to the dead-letter exchange ${target === "" ? "(default)" : target}.`
    : "This queue has no dead-letter exchange, so they are gone for good."
}

function Taken(props: { messages: readonly Message[]; queue: QueueDetail }): JSX.Element {
  const { messages, queue } = props
  if (messages.length === 0)
    return (
      <Empty title="The queue gave no message">
        It is empty, or all of its messages are with consumers.
      </Empty>
    )
  return (
    <div class="stack">
      {messages.map((message, index) => (
        <details class="taken box" key={index} open={index === 0}>
          <summary>
            <strong>Message {formatNumber(index + 1)}</strong>{" "}
            <span class="mono">{message.routing_key}</span>
          </summary>
          <MessageDetail
            message={message}
            vhost={queue.vhost}
            name={`${queue.name}-${String(index + 1)}`}
            loadAll={null}
          />
        </details>
      ))}
    </div>
  )
}
