import { useSignal } from "@preact/signals"
import type { Signal } from "@preact/signals"
import type { JSX } from "preact"
import { ArgumentEditor } from "../../components/argument-editor.tsx"
import { FormDialog } from "../../components/form-dialog.tsx"
import { Field, FieldRow, Select } from "../../components/form.tsx"
import { put } from "../../core/api.ts"
import { defaultVhost, vhostNames } from "../../core/vhosts.ts"
import { OPERATOR_POLICY_KEYS, parseArguments, POLICY_KEYS, toRows } from "../../lib/arguments.ts"
import type { ArgumentRow } from "../../lib/arguments.ts"
import { apiPath } from "../../lib/route.ts"
import { Matches } from "./matches.tsx"
import { APPLY_TO } from "./types.ts"
import type { PolicyKind, PolicyRow } from "./types.ts"

/** A policy, new or changed, with what its pattern matches while it is typed. */
export interface PolicyFormProps {
  readonly kind: PolicyKind
  readonly row: PolicyRow | null
  readonly onClose: () => void
}

export function PolicyForm({ kind, row, onClose }: PolicyFormProps): JSX.Element {
  const vhost = useSignal(row?.vhost ?? defaultVhost.value)
  const name = useSignal(row?.name ?? "")
  const pattern = useSignal(row?.pattern ?? "")
  const applyTo = useSignal(row?.["apply-to"] ?? (kind.path === "policies" ? "all" : "queues"))
  const priority = useSignal(String(row?.priority ?? 0))
  const rows = useSignal<readonly ArgumentRow[]>(toRows(row?.definition ?? {}))
  const known = kind.path === "policies" ? POLICY_KEYS : OPERATOR_POLICY_KEYS
  const submit = async (): Promise<string> => {
    const parsed = parseArguments(rows.value, known)
    if (!parsed.ok) throw new Error(parsed.reason)
    if (Object.keys(parsed.value).length === 0)
      throw new Error("A policy needs at least one key: choose one below Definition.")
    await put(apiPath`${kind.path}/${vhost.value}/${name.value}`, {
      pattern: pattern.value,
      "apply-to": applyTo.value,
      priority: Number(priority.value),
      definition: parsed.value,
    })
    return `${row === null ? "Added" : "Changed"} ${name.value}`
  }
  const title = row === null ? `Add ${kind.word}` : `Edit ${row.name}`
  // Operator policies limit queues only.
  const targets = APPLY_TO.filter(([id]) => kind.path === "policies" || id !== "exchanges")
  return (
    <FormDialog
      title={title}
      isDrawer
      action={row === null ? `Add ${kind.word}` : `Save ${kind.word}`}
      onSubmit={submit}
      onClose={onClose}
    >
      <IdentityFields vhost={vhost} name={name} isFixed={row !== null} />
      <Field
        label="Pattern"
        value={pattern}
        isMono
        placeholder="every name"
        hint={
          <>
            A regular expression that is searched in the name: <code>^orders\.</code>
          </>
        }
      />
      <FieldRow>
        <Select label="Applies to" value={applyTo} options={targets} />
        <Field
          label="Priority"
          value={priority}
          type="number"
          isRequired
          help={`Of several that match, the one with the highest priority counts${kind.path === "policies" ? "; its keys are not mixed with those of others" : ""}.`}
        />
      </FieldRow>
      <div class="box">
        <Matches kind={kind} vhost={vhost.value} pattern={pattern.value} applyTo={applyTo.value} />
      </div>
      <ArgumentEditor label="Definition" rows={rows} known={known} />
    </FormDialog>
  )
}

interface IdentityFieldsProps {
  readonly vhost: Signal<string>
  readonly name: Signal<string>
  /** Of something that exists. */
  readonly isFixed: boolean
}

function IdentityFields({ vhost, name, isFixed }: IdentityFieldsProps): JSX.Element {
  return (
    <FieldRow>
      <Select label="Virtual host" value={vhost} options={vhostNames.value} isDisabled={isFixed} />
      <Field label="Name" value={name} isRequired hasFocus={!isFixed} isDisabled={isFixed} />
    </FieldRow>
  )
}
