import { useSignal } from "@preact/signals"
import type { JSX } from "preact"
import { FormDialog } from "../../components/form-dialog.tsx"
import { Field, FieldRow, Select } from "../../components/form.tsx"
import { put } from "../../core/api.ts"
import { defaultVhost, vhostNames } from "../../core/vhosts.ts"
import { apiPath } from "../../lib/route.ts"

/** A parameter with its value as JSON. */
export interface ParameterRow {
  readonly name: string
  /** Absent for global ones. */
  readonly component?: string
  readonly vhost?: string
  readonly value: unknown
}

export function pathOf({ component, vhost, name }: Omit<ParameterRow, "value">): string {
  return component === undefined || vhost === undefined
    ? apiPath`global-parameters/${name}`
    : apiPath`parameters/${component}/${vhost}/${name}`
}

const COMPONENTS = ["shovel", "federation-upstream", "federation-upstream-set"]

export interface ParameterFormProps {
  readonly isGlobal: boolean
  readonly row: ParameterRow | null
  readonly onClose: () => void
}

export function ParameterForm({ isGlobal, row, onClose }: ParameterFormProps): JSX.Element {
  const name = useSignal(row?.name ?? "")
  const component = useSignal(row?.component ?? "")
  const vhost = useSignal(row?.vhost ?? defaultVhost.value)
  const text = useSignal(row === null ? "{\n  \n}" : JSON.stringify(row.value, null, 2))
  const submit = async (): Promise<string> => {
    let value: unknown
    try {
      value = JSON.parse(text.value)
    } catch (error) {
      throw new Error(`The value is not JSON: ${error instanceof Error ? error.message : ""}`, {
        cause: error,
      })
    }
    const target = isGlobal ? {} : { component: component.value, vhost: vhost.value }
    await put(pathOf({ name: name.value, ...target }), { value })
    return `Set ${name.value}`
  }
  const isFixed = row !== null
  return (
    <FormDialog
      title={isFixed ? `Edit ${row.name}` : "Add parameter"}
      isDrawer
      action="Set parameter"
      onSubmit={submit}
      onClose={onClose}
    >
      <Field
        label="Name"
        value={name}
        isRequired
        hasFocus={!isFixed}
        isDisabled={isFixed}
        {...(isGlobal
          ? { hint: "cluster_name is the name of the cluster; other names are for tools." }
          : {})}
      />
      {!isGlobal && (
        <FieldRow>
          <Field
            label="Component"
            value={component}
            isRequired
            isDisabled={isFixed}
            suggestions={COMPONENTS}
            help="Who it is for. The broker knows shovel, federation-upstream and federation-upstream-set; others are kept for tools."
          />
          <Select
            label="Virtual host"
            value={vhost}
            options={vhostNames.value}
            isDisabled={isFixed}
          />
        </FieldRow>
      )}
      <Field
        label="Value"
        value={text}
        lines={12}
        isMono
        isRequired
        hint={
          'JSON: an object, "text" in quotes, a number, true or false. Passwords in URIs are shown here as they are.'
        }
      />
    </FormDialog>
  )
}
