import { useSignal } from "@preact/signals"
import type { JSX } from "preact"
import { ArgumentEditor } from "../../components/argument-editor.tsx"
import { FormDialog } from "../../components/form-dialog.tsx"
import { Checkbox, Field, Select } from "../../components/form.tsx"
import { put } from "../../core/api.ts"
import { defaultVhost, vhostNames } from "../../core/vhosts.ts"
import { parseArguments, QUEUE_ARGUMENTS } from "../../lib/arguments.ts"
import type { ArgumentRow } from "../../lib/arguments.ts"
import { apiPath } from "../../lib/route.ts"

/** The form for a new queue. */
const KNOWN = QUEUE_ARGUMENTS.filter(({ name }) => name !== "x-queue-type")

const TYPES = [
  ["classic", "Classic: messages go when they are acked"],
  ["stream", "Stream: messages stay, readers have an offset"],
  ["quorum", "Quorum: as classic, for clients that ask for it"],
] as const

export interface AddQueueProps {
  readonly type?: string
  readonly onClose: () => void
}

export function AddQueue({ type: initialType = "classic", onClose }: AddQueueProps): JSX.Element {
  const vhost = useSignal(defaultVhost.value)
  const name = useSignal("")
  const type = useSignal(initialType)
  const isDurable = useSignal(true)
  const isAutoDelete = useSignal(false)
  const args = useSignal<readonly ArgumentRow[]>([])
  const isPlain = type.value === "classic"
  const submit = async (): Promise<string> => {
    const parsed = parseArguments(args.value, KNOWN)
    if (!parsed.ok) throw new Error(parsed.reason)
    await put(apiPath`queues/${vhost.value}/${name.value}`, {
      durable: isPlain ? isDurable.value : true,
      auto_delete: isPlain && isAutoDelete.value,
      arguments: isPlain ? parsed.value : { "x-queue-type": type.value, ...parsed.value },
    })
    return `Added ${name.value}`
  }
  return (
    <FormDialog title="Add queue" isDrawer action="Add queue" onSubmit={submit} onClose={onClose}>
      <Field label="Name" value={name} isRequired isMono hasFocus />
      <Select label="Virtual host" value={vhost} options={vhostNames.value} />
      <Select label="Type" value={type} options={TYPES} />
      {isPlain && (
        <Checkbox
          label="Durable"
          value={isDurable}
          hint="It and its persistent messages survive a restart."
        />
      )}
      {isPlain && (
        <Checkbox
          label="Auto-delete"
          value={isAutoDelete}
          hint="It goes when its last consumer goes."
        />
      )}
      <ArgumentEditor rows={args} known={KNOWN} />
    </FormDialog>
  )
}
