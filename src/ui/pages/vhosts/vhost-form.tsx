import { useSignal } from "@preact/signals"
import type { JSX } from "preact"
import { FormDialog } from "../../components/form-dialog.tsx"
import { Checkbox, Field, Select } from "../../components/form.tsx"
import { put } from "../../core/api.ts"
import { loadVhosts } from "../../core/vhosts.ts"
import { apiPath } from "../../lib/route.ts"
import { splitTags } from "../users/tag-field.tsx"
import type { VhostRow } from "./types.ts"

/** A new vhost, or what is known about one that is there. */
const TYPES = [
  ["", "not set: classic"],
  ["classic", "classic"],
  ["quorum", "quorum"],
  ["stream", "stream"],
] as const

export function VhostForm({
  row,
  onClose,
}: {
  row: VhostRow | null
  onClose: () => void
}): JSX.Element {
  const name = useSignal(row?.name ?? "")
  const description = useSignal(row?.description ?? "")
  const tags = useSignal(row?.tags.join(", ") ?? "")
  const type = useSignal(row?.default_queue_type ?? "")
  const isProtected = useSignal(row?.protected_from_deletion ?? false)
  const action = row === null ? "Add virtual host" : "Save virtual host"
  const submit = async (): Promise<string> => {
    await put(apiPath`vhosts/${name.value}`, {
      description: description.value,
      tags: splitTags(tags.value),
      protected_from_deletion: isProtected.value,
      ...(type.value === "" ? {} : { default_queue_type: type.value }),
    })
    await loadVhosts()
    return `${row === null ? "Added" : "Changed"} ${name.value}`
  }
  return (
    <FormDialog
      title={row === null ? "Add virtual host" : `Edit ${row.name}`}
      isDrawer
      action={action}
      onSubmit={submit}
      onClose={onClose}
    >
      <Field
        label="Name"
        value={name}
        isRequired
        hasFocus={row === null}
        isDisabled={row !== null}
        hint="You get all permissions on a new one."
      />
      <Field label="Description" value={description} />
      <Field label="Tags" value={tags} hint="Words of your own, separated by commas." />
      <Select
        label="Default queue type"
        value={type}
        options={TYPES}
        hint="Of queues that are declared without x-queue-type."
      />
      <Checkbox
        label="Protected from deletion"
        value={isProtected}
        hint="It cannot be deleted until the protection is taken back."
      />
    </FormDialog>
  )
}
