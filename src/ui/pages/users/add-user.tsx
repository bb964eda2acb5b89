import { useSignal } from "@preact/signals"
import type { JSX } from "preact"
import { FormDialog } from "../../components/form-dialog.tsx"
import { Checkbox, Field, Select } from "../../components/form.tsx"
import { put } from "../../core/api.ts"
import { defaultVhost, vhostNames } from "../../core/vhosts.ts"
import { apiPath } from "../../lib/route.ts"
import { PasswordField } from "./password-field.tsx"
import { splitTags, TagField } from "./tag-field.tsx"

/** A new user, at once with permissions on a vhost. */
const NONE = " none"

export function AddUser({ onClose }: { onClose: () => void }): JSX.Element {
  const name = useSignal("")
  const password = useSignal("")
  const hasNone = useSignal(false)
  const tags = useSignal("")
  const vhost = useSignal(defaultVhost.value)
  const submit = async (): Promise<string> => {
    if (!hasNone.value && password.value === "")
      throw new Error("Type a password, or let one be generated.")
    await put(apiPath`users/${name.value}`, {
      ...(hasNone.value ? { password_hash: "" } : { password: password.value }),
      tags: splitTags(tags.value),
    })
    if (vhost.value !== NONE)
      await put(apiPath`permissions/${vhost.value}/${name.value}`, {
        configure: ".*",
        write: ".*",
        read: ".*",
      })
    return `Added ${name.value}`
  }
  return (
    <FormDialog title="Add user" isDrawer action="Add user" onSubmit={submit} onClose={onClose}>
      <Field
        label="Name"
        value={name}
        isRequired
        hasFocus
        hint="A user of this name that exists is changed."
      />
      {!hasNone.value && <PasswordField value={password} />}
      <Checkbox
        label="No password"
        value={hasNone}
        hint="The user cannot log in with one, only with a client certificate."
      />
      <TagField value={tags} />
      <Select
        label="All permissions on"
        value={vhost}
        options={[...vhostNames.value, [NONE, "no virtual host yet"]]}
        hint="Narrower ones are set on the page of the user."
      />
    </FormDialog>
  )
}
