import { useSignal } from "@preact/signals"
import type { JSX } from "preact"
import { Dialog } from "../../components/dialog.tsx"
import { Field, FieldRow, Form, Select } from "../../components/form.tsx"
import { put } from "../../core/api.ts"
import { toast } from "../../core/toasts.ts"
import { refreshAll, usePoll } from "../../core/use-poll.ts"
import { defaultVhost, vhostNames } from "../../core/vhosts.ts"
import { apiPath } from "../../lib/route.ts"
import { textOf } from "../shovels/types.ts"
import type { UpstreamRow, UpstreamSetRow } from "./types.ts"

/** A set of upstreams. What an entry says beside the name of its upstream stays as it is. */
export interface SetFormProps {
  readonly row: UpstreamSetRow | null
  readonly onClose: () => void
}

export function SetForm({ row, onClose }: SetFormProps): JSX.Element {
  const name = useSignal(row?.name ?? "")
  const vhost = useSignal(row?.vhost ?? defaultVhost.value)
  const chosen = useSignal<readonly string[]>(
    row?.value.map((entry) => textOf(entry["upstream"])) ?? [],
  )
  const { data } = usePoll<readonly UpstreamRow[]>(
    apiPath`parameters/federation-upstream/${vhost.value}`,
  ).state.value
  const names = [...new Set([...(data?.map((one) => one.name) ?? []), ...chosen.value])]
  const submit = async (): Promise<void> => {
    if (chosen.value.length === 0) throw new Error("Choose at least one upstream.")
    const value = chosen.value.map(
      (upstream) => row?.value.find((entry) => entry["upstream"] === upstream) ?? { upstream },
    )
    await put(apiPath`parameters/federation-upstream-set/${vhost.value}/${name.value}`, { value })
    toast("success", `${row === null ? "Added" : "Changed"} ${name.value}`)
    refreshAll()
    onClose()
  }
  const isFixed = row !== null
  return (
    <Dialog title={isFixed ? `Edit ${row.name}` : "Add upstream set"} onClose={onClose}>
      <Form
        action={isFixed ? "Save upstream set" : "Add upstream set"}
        onSubmit={submit}
        onCancel={onClose}
      >
        <FieldRow>
          <Field label="Name" value={name} isRequired isDisabled={isFixed} hasFocus={!isFixed} />
          <Select
            label="Virtual host"
            value={vhost}
            options={vhostNames.value}
            isDisabled={isFixed}
          />
        </FieldRow>
        <fieldset>
          <legend class="field-hint">Upstreams of the set</legend>
          <div class="row">
            {names.map((one) => (
              <button
                type="button"
                class="chip"
                key={one}
                aria-pressed={chosen.value.includes(one)}
                onClick={() => {
                  chosen.value = chosen.value.includes(one)
                    ? chosen.value.filter((other) => other !== one)
                    : [...chosen.value, one]
                }}
              >
                {one}
              </button>
            ))}
            {names.length === 0 && (
              <span class="muted">This virtual host has no upstreams yet: add one first.</span>
            )}
          </div>
        </fieldset>
      </Form>
    </Dialog>
  )
}
