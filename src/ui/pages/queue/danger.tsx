import { useSignal } from "@preact/signals"
import type { JSX } from "preact"
import { FormDialog } from "../../components/form-dialog.tsx"
import { Checkbox, Field, Select } from "../../components/form.tsx"
import { act } from "../../core/act.ts"
import { del, put } from "../../core/api.ts"
import { confirm } from "../../core/confirm.ts"
import { leaveTo } from "../../core/leave.ts"
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
  const submit = async (): Promise<string> => {
    if (typed.value !== name) throw new Error(`Type ${name} to go on.`)
    const path = apiPath`queues/${vhost}/${name}/contents`
    await del(withQuery(path, { count: amount.value === "all" ? undefined : count.value }))
    return amount.value === "all"
      ? `Purged ${name}`
      : `Deleted the first ${formatCount(Number(count.value), MESSAGES)} of ${name}`
  }
  return (
    <FormDialog
      title={`Purge ${name}`}
      action="Purge"
      isDangerous
      onSubmit={submit}
      onClose={onClose}
    >
      <p>
        Ready messages are deleted for good; they are not dead-lettered. What consumers hold unacked
        stays. {formatCount(ready, MESSAGES)} {ready === 1 ? "is" : "are"} ready now.
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
    </FormDialog>
  )
}

export function DeleteDialog({ queue, onClose }: DialogProps): JSX.Element {
  const { vhost, name, type } = queue
  const isStream = type === "stream"
  const typed = useSignal("")
  const onlyEmpty = useSignal(false)
  const onlyUnused = useSignal(false)
  const submit = async (): Promise<string> => {
    if (typed.value !== name) throw new Error(`Type ${name} to go on.`)
    const query = {
      "if-empty": onlyEmpty.value ? true : undefined,
      "if-unused": onlyUnused.value ? true : undefined,
    }
    await del(withQuery(apiPath`queues/${vhost}/${name}`, query))
    await leaveTo(isStream ? "#/streams" : "#/queues")
    return `Deleted ${name}`
  }
  return (
    <FormDialog
      title={`Delete ${name}`}
      action={isStream ? "Delete stream" : "Delete queue"}
      isDangerous
      onSubmit={submit}
      onClose={onClose}
    >
      <p>
        It goes with its {formatCount(queue.messages, MESSAGES)} and its bindings; its{" "}
        {formatCount(queue.consumers, ["consumer is", "consumers are"])} cancelled. Messages are not
        dead-lettered.
      </p>
      {!isStream && (
        <>
          <Checkbox label="Only if it has no messages" value={onlyEmpty} />
          <Checkbox label="Only if it has no consumers" value={onlyUnused} />
        </>
      )}
      <Field label={`Type ${name} to go on`} value={typed} isMono isRequired hasFocus />
    </FormDialog>
  )
}
