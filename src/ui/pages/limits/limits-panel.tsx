import { useSignal } from "@preact/signals"
import type { Signal } from "@preact/signals"
import type { JSX } from "preact"
import { Panel } from "../../components/basics.tsx"
import { Field, FieldRow, Form } from "../../components/form.tsx"
import { del, put } from "../../core/api.ts"
import { toast } from "../../core/toasts.ts"
import { refreshAll } from "../../core/use-poll.ts"
import { apiPath } from "../../lib/route.ts"

/** The limits of a vhost or a user: a field each, empty for none. */
export interface KnownLimit {
  readonly name: string
  readonly label: string
  readonly hint: string
}

export const VHOST_LIMITS: readonly KnownLimit[] = [
  { name: "max-connections", label: "Connections", hint: "Most at one time; 0 allows none" },
  { name: "max-queues", label: "Queues", hint: "Most that may be declared" },
]

export const USER_LIMITS: readonly KnownLimit[] = [
  { name: "max-connections", label: "Connections", hint: "Most at one time; 0 allows none" },
  { name: "max-channels", label: "Channels", hint: "Most, over all connections" },
]

export type LimitKind = "vhost" | "user"

/** Sets those that have changed; throws for what is no number. */
export async function saveLimits(
  kind: LimitKind,
  name: string,
  before: Readonly<Record<string, number>>,
  typed: readonly (readonly [limit: KnownLimit, text: string])[],
): Promise<void> {
  for (const [{ label }, text] of typed)
    if (!/^\d*$/.test(text.trim()))
      throw new Error(`${label}: type a number from 0 on, or nothing.`)
  for (const [limit, text] of typed) {
    const path = apiPath`${`${kind}-limits`}/${name}/${limit.name}`
    const value = text.trim()
    if (value === "" && before[limit.name] !== undefined) await del(path)
    else if (value !== "" && Number(value) !== before[limit.name])
      await put(path, { value: Number(value) })
  }
}

export function useLimitFields(
  limits: Readonly<Record<string, number>>,
  known: readonly KnownLimit[],
): readonly (readonly [limit: KnownLimit, value: Signal<string>])[] {
  // The number of limits is fixed, so the hooks are always the same.
  return known.map((limit) => [limit, useSignal(String(limits[limit.name] ?? ""))] as const)
}

export function LimitFields(props: {
  fields: readonly (readonly [limit: KnownLimit, value: Signal<string>])[]
}): JSX.Element {
  return (
    <FieldRow>
      {props.fields.map(([{ name, label, hint }, value]) => (
        <Field
          key={name}
          label={label}
          value={value}
          type="number"
          min={0}
          placeholder="no limit"
          hint={hint}
        />
      ))}
    </FieldRow>
  )
}

interface LimitsPanelProps {
  readonly kind: LimitKind
  readonly name: string
  readonly limits: Readonly<Record<string, number>>
  readonly known: readonly KnownLimit[]
}

export function LimitsPanel({ kind, name, limits, known }: LimitsPanelProps): JSX.Element {
  const fields = useLimitFields(limits, known)
  const submit = async (): Promise<void> => {
    await saveLimits(
      kind,
      name,
      limits,
      fields.map(([limit, value]) => [limit, value.value]),
    )
    toast("success", `Set the limits of ${name}`)
    refreshAll()
  }
  return (
    <Panel title="Limits">
      <Form action="Set limits" onSubmit={submit}>
        <LimitFields fields={fields} />
        <p class="field-hint">
          Empty is no limit. What is there already stays; new ones are refused.
        </p>
      </Form>
    </Panel>
  )
}
