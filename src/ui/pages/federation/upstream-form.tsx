import { useSignal } from "@preact/signals"
import type { Signal } from "@preact/signals"
import type { JSX } from "preact"
import { ArgumentEditor } from "../../components/argument-editor.tsx"
import { FormDialog } from "../../components/form-dialog.tsx"
import { Field, FieldRow, Select } from "../../components/form.tsx"
import { put } from "../../core/api.ts"
import { defaultVhost, vhostNames } from "../../core/vhosts.ts"
import { parseArguments, toRows } from "../../lib/arguments.ts"
import type { ArgumentRow } from "../../lib/arguments.ts"
import { ACK_MODES, furtherKeys, UPSTREAM_KEYS } from "../../lib/link-arguments.ts"
import { urisFromText, urisToText } from "../../lib/masked-uri.ts"
import { apiPath } from "../../lib/route.ts"
import { textOf } from "../shovels/types.ts"
import type { UpstreamRow } from "./types.ts"

/** An upstream, new or changed. */
const OWN_KEYS = ["uri", "prefetch-count", "reconnect-delay", "ack-mode"]

export interface UpstreamFormProps {
  readonly row: UpstreamRow | null
  readonly onClose: () => void
}

export function UpstreamForm({ row, onClose }: UpstreamFormProps): JSX.Element {
  const before = row?.value ?? {}
  const name = useSignal(row?.name ?? "")
  const vhost = useSignal(row?.vhost ?? defaultVhost.value)
  const uri = useSignal(row === null ? "" : urisToText(before["uri"]))
  const prefetch = useSignal(textOf(before["prefetch-count"] ?? 1000))
  const delay = useSignal(textOf(before["reconnect-delay"] ?? 5))
  const ackMode = useSignal(textOf(before["ack-mode"] ?? "on-confirm"))
  const further = useSignal<readonly ArgumentRow[]>(
    toRows(furtherKeys(before, UPSTREAM_KEYS, OWN_KEYS)),
  )
  const submit = async (): Promise<string> => {
    const parsed = parseArguments(further.value, UPSTREAM_KEYS)
    if (!parsed.ok) throw new Error(parsed.reason)
    const value = {
      ...parsed.value,
      uri: urisFromText(uri.value, before["uri"]),
      "prefetch-count": Number(prefetch.value),
      "reconnect-delay": Number(delay.value),
      "ack-mode": ackMode.value,
    }
    await put(apiPath`parameters/federation-upstream/${vhost.value}/${name.value}`, { value })
    return `${row === null ? "Added" : "Changed"} ${name.value}`
  }
  const isFixed = row !== null
  return (
    <FormDialog
      title={isFixed ? `Edit ${row.name}` : "Add upstream"}
      isDrawer
      action={isFixed ? "Save upstream" : "Add upstream"}
      onSubmit={submit}
      onClose={onClose}
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
      <Field
        label="URI"
        value={uri}
        lines={2}
        isMono
        isRequired
        placeholder="amqps://user:password@other-broker/vhost"
        hint="Of the other broker. One on each line: one of them is taken at random."
      />
      <PaceFields prefetch={prefetch} delay={delay} />
      <Select label="Messages are acked" value={ackMode} options={ACK_MODES} />
      <ArgumentEditor label="Further settings" rows={further} known={UPSTREAM_KEYS} />
      <p class="field-hint">
        A <a href="#/policies">policy</a> with federation-upstream says which exchanges and queues
        use it.
      </p>
    </FormDialog>
  )
}

function PaceFields({
  prefetch,
  delay,
}: Record<"prefetch" | "delay", Signal<string>>): JSX.Element {
  return (
    <FieldRow>
      <Field
        label="Prefetch"
        value={prefetch}
        type="number"
        min={0}
        isRequired
        help="Messages under way at one time."
      />
      <Field
        label="Reconnect delay"
        value={delay}
        type="number"
        min={0}
        isRequired
        help="Seconds between attempts after a failure."
      />
    </FieldRow>
  )
}
