import type { Signal } from "@preact/signals"
import { useSignal } from "@preact/signals"
import type { JSX } from "preact"
import { useEffect, useMemo } from "preact/hooks"
import { Field } from "../../components/form.tsx"
import type { FieldProps } from "../../components/form.tsx"
import { debounce } from "../../core/debounce.ts"
import { usePoll } from "../../core/use-poll.ts"
import { apiPath, withQuery } from "../../lib/route.ts"

/** A field for the name of a queue or exchange, with those offered that contain what was typed. */
export type NameFieldProps = Omit<FieldProps, "suggestions"> & {
  readonly kind: "queue" | "exchange"
  readonly vhost: string
  readonly value: Signal<string>
}

const OFFERED_MAX = 30

export function NameField({ kind, vhost, ...props }: NameFieldProps): JSX.Element {
  const asked = useSignal(props.value.peek())
  const ask = useMemo(
    () =>
      debounce((text: string) => {
        asked.value = text
      }),
    [],
  )
  const typed = props.value.value
  useEffect(() => ask(typed), [typed])
  const list = kind === "queue" ? apiPath`queues/${vhost}` : apiPath`exchanges/${vhost}`
  const { data } = usePoll<{ readonly items: readonly { readonly name: string }[] }>(
    withQuery(list, { page: 1, page_size: OFFERED_MAX, name: asked.value, columns: "name" }),
    { intervalMs: 0 },
  ).state.value
  const names = (data?.items ?? []).map(({ name }) => (name === "" ? "amq.default" : name))
  return <Field {...props} isMono suggestions={names} />
}
