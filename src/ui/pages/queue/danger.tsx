import { useSignal } from "@preact/signals"
import type { JSX } from "preact"
import { Dialog } from "../../components/dialog.tsx"
import { Checkbox, Field, Form, Select } from "../../components/form.tsx"
import { act } from "../../core/act.ts"
import { del, put } from "../../core/api.ts"
import { confirm } from "../../core/confirm.ts"
import { navigate } from "../../core/router.ts"
import { toast } from "../../core/toasts.ts"
import { refreshAll } from "../../core/use-poll.ts"
import { formatCount } from "../../lib/format.ts"
import { apiPath, withQuery } from "../../lib/route.ts"
import type { QueueDetail } from "./types.ts"

/** What cannot be taken back: purge, restart, delete. */
const MESSAGES = ["message", "messages"] as const

export async function restartQueue(queue: QueueDetail): Promise<void> {
  const { vhost, name } = queue
  const isSure = await confirm({
    title: `Restart ${name}`,
    text: "Its consumers are cancelled, unacked messages go back, and its messages are read from disk again. Clients that do not consume anew stay without messages.",
    action: "Restart queue",
    isDangerous: true,
  })
  if (isSure) await act(() => put(apiPath`queues/${vhost}/${name}/restart`), `Restarted ${name}`)
}

interface DialogProps {
  readonly queue: QueueDetail
  readonly onClose: () => void
}

/** All, or the first ones. */
export function PurgeDialog({ queue, onClose }: DialogProps): JSX.Element {
  const { vhost, name, messages_ready: ready } = queue
  const amount = useSignal("all")
  const count = useSignal("100")
  const typed = useSignal("")
  const submit = async (): Promise<void> => {
    if (typed.value !== name) throw new Error(`Type ${name} to go on.`)
    const path = apiPath`queues/${vhost}/${name}/contents`
    await del(withQuery(path, { count: amount.value === "all" ? undefined : count.value }))
    toast(
      "success",
      amount.value === "all"
        ? `Purged ${name}`
        : `Deleted the first ${formatCount(Number(count.value), MESSAGES)} of ${name}`,
    )
    refreshAll()
    onClose()
  }
  return (
    <Dialog title={`Purge ${name}`} onClose={onClose}>
      <Form action="Purge" isDangerous onSubmit={submit} onCancel={onClose}>
        <p>
          Ready messages are deleted for good; they are not dead-lettered. What consumers hold
          unacked stays. {formatCount(ready, MESSAGES)} {ready === 1 ? "is" : "are"} ready now.
        </p>
        <Select
          label="Which"
          value={amount}
          options={[
            ["all", "All ready messages"],
            ["first", "The oldest ones only"],
          ]}
        />
        {amount.value === "first" && (
          <Field label="How many" value={count} type="number" min={1} isRequired />
        )}
        <Field label={`Type ${name} to go on`} value={typed} isMono isRequired />
      </Form>
    </Dialog>
  )
}

export function DeleteDialog({ queue, onClose }: DialogProps): JSX.Element {
  const { vhost, name, type } = queue
  const isStream = type === "stream"
  const typed = useSignal("")
  const onlyEmpty = useSignal(false)
  const onlyUnused = useSignal(false)
  const submit = async (): Promise<void> => {
    if (typed.value !== name) throw new Error(`Type ${name} to go on.`)
    const query = {
      "if-empty": onlyEmpty.value ? true : undefined,
      "if-unused": onlyUnused.value ? true : undefined,
    }
    await del(withQuery(apiPath`queues/${vhost}/${name}`, query))
    toast("success", `Deleted ${name}`)
    onClose()
    navigate(isStream ? "#/streams" : "#/queues")
  }
  return (
    <Dialog title={`Delete ${name}`} onClose={onClose}>
      <Form
        action={isStream ? "Delete stream" : "Delete queue"}
        isDangerous
        onSubmit={submit}
        onCancel={onClose}
      >
        <p>
          It goes with its {formatCount(queue.messages, MESSAGES)} and its bindings; its{" "}
          {formatCount(queue.consumers, ["consumer is", "consumers are"])} cancelled. Messages are
          not dead-lettered.
        </p>
        {!isStream && (
          <>
            <Checkbox label="Only if it has no messages" value={onlyEmpty} />
            <Checkbox label="Only if it has no consumers" value={onlyUnused} />
          </>
        )}
        <Field label={`Type ${name} to go on`} value={typed} isMono isRequired hasFocus />
      </Form>
    </Dialog>
  )
}
