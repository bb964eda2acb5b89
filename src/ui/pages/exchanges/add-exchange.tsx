import { useSignal } from "@preact/signals"
import type { JSX } from "preact"
import { ArgumentEditor } from "../../components/argument-editor.tsx"
import { FormDialog } from "../../components/form-dialog.tsx"
import { Checkbox, Field, FieldRow, Select } from "../../components/form.tsx"
import { put } from "../../core/api.ts"
import { defaultVhost, vhostNames } from "../../core/vhosts.ts"
import { EXCHANGE_ARGUMENTS, parseArguments } from "../../lib/arguments.ts"
import type { ArgumentRow } from "../../lib/arguments.ts"
import { apiPath } from "../../lib/route.ts"
import { EXCHANGE_TYPES } from "./types.ts"

/** The form for a new exchange. */
const DELAYED_TYPE = "x-delayed-message"

export function AddExchange({ onClose }: { onClose: () => void }): JSX.Element {
  const vhost = useSignal(defaultVhost.value)
  const name = useSignal("")
  const type = useSignal("direct")
  const isDurable = useSignal(true)
  const isAutoDelete = useSignal(false)
  const isInternal = useSignal(false)
  const isDelayed = useSignal(false)
  const args = useSignal<readonly ArgumentRow[]>([])
  const submit = async (): Promise<string> => {
    const parsed = parseArguments(args.value, EXCHANGE_ARGUMENTS)
    if (!parsed.ok) throw new Error(parsed.reason)
    if (type.value === DELAYED_TYPE && parsed.value["x-delayed-type"] === undefined)
      throw new Error("A delayed message exchange needs the argument x-delayed-type.")
    await put(apiPath`exchanges/${vhost.value}/${name.value}`, {
      type: type.value,
      durable: isDurable.value,
      auto_delete: isAutoDelete.value,
      internal: isInternal.value,
      ...(isDelayed.value && { delayed: true }),
      arguments: parsed.value,
    })
    return `Added ${name.value}`
  }
  const about = EXCHANGE_TYPES.find(([one]) => one === type.value)?.[2] ?? ""
  return (
    <FormDialog
      title="Add exchange"
      isDrawer
      action="Add exchange"
      onSubmit={submit}
      onClose={onClose}
    >
      <Field label="Name" value={name} isRequired isMono hasFocus />
      <FieldRow>
        <Select label="Virtual host" value={vhost} options={vhostNames.value} />
        <Select
          label="Type"
          value={type}
          options={EXCHANGE_TYPES.map(([one, label]) => [one, label] as const)}
        />
      </FieldRow>
      <p class="field-hint" aria-live="polite">
        Who gets a message: {about}.
      </p>
      <Checkbox label="Durable" value={isDurable} hint="It survives a restart." />
      <Checkbox
        label="Auto-delete"
        value={isAutoDelete}
        hint="It goes when the last thing that was bound to it goes."
      />
      <Checkbox
        label="Internal"
        value={isInternal}
        hint="Clients cannot publish to it; other exchanges send to it."
      />
      {type.value !== DELAYED_TYPE && (
        <Checkbox
          label="Delayed"
          value={isDelayed}
          hint="Messages with a header x-delay wait here that many milliseconds."
        />
      )}
      <ArgumentEditor rows={args} known={EXCHANGE_ARGUMENTS} />
    </FormDialog>
  )
}
