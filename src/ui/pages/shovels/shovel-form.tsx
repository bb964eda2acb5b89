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
import { ACK_MODES, furtherKeys, SHOVEL_KEYS } from "../../lib/link-arguments.ts"
import { urisFromText, urisToText } from "../../lib/masked-uri.ts"
import { apiPath } from "../../lib/route.ts"
import { textOf } from "./types.ts"
import type { ShovelParameter } from "./types.ts"

/** A shovel, new or changed: source, destination, and the rest as further keys. */
const LOCAL = "amqp://"

const OWN_KEYS = [
  "src-uri",
  "src-queue",
  "src-exchange",
  "src-exchange-key",
  "src-prefetch-count",
  "prefetch-count",
  "dest-uri",
  "dest-queue",
  "dest-exchange",
  "dest-exchange-key",
  "reconnect-delay",
  "ack-mode",
]

const SOURCES = [
  ["queue", "a queue"],
  ["stream", "a stream"],
  ["exchange", "an exchange"],
] as const

const DESTINATIONS = [
  ["queue", "a queue"],
  ["exchange", "an exchange"],
  ["same", "where they were published before"],
] as const

interface Fields {
  readonly vhost: Signal<string>
  readonly name: Signal<string>
  readonly sourceUri: Signal<string>
  readonly sourceKind: Signal<string>
  readonly source: Signal<string>
  readonly sourceKey: Signal<string>
  readonly offset: Signal<string>
  readonly targetUri: Signal<string>
  readonly targetKind: Signal<string>
  readonly target: Signal<string>
  readonly targetKey: Signal<string>
  readonly prefetch: Signal<string>
  readonly delay: Signal<string>
  readonly ackMode: Signal<string>
  readonly further: Signal<readonly ArgumentRow[]>
}

function useFields(row: ShovelParameter | null): Fields {
  const value = row?.value ?? {}
  const consumer = tableOf(value["src-consumer-args"])
  const offset = consumer["x-stream-offset"]
  const further = { ...furtherKeys(value, SHOVEL_KEYS, OWN_KEYS) }
  if (offset !== undefined) {
    const { "x-stream-offset": _, ...others } = consumer
    if (Object.keys(others).length === 0) delete further["src-consumer-args"]
    else further["src-consumer-args"] = others
  }
  const hasTarget = value["dest-exchange"] !== undefined || value["dest-queue"] !== undefined
  return {
    vhost: useSignal(row?.vhost ?? defaultVhost.value),
    name: useSignal(row?.name ?? ""),
    sourceUri: useSignal(row === null ? LOCAL : urisToText(value["src-uri"])),
    sourceKind: useSignal(
      value["src-exchange"] !== undefined ? "exchange" : offset !== undefined ? "stream" : "queue",
    ),
    source: useSignal(textOf(value["src-queue"] ?? value["src-exchange"])),
    sourceKey: useSignal(textOf(value["src-exchange-key"])),
    offset: useSignal(offset === undefined ? "first" : textOf(offset)),
    targetUri: useSignal(row === null ? LOCAL : urisToText(value["dest-uri"])),
    targetKind: useSignal(
      value["dest-exchange"] !== undefined
        ? "exchange"
        : row !== null && !hasTarget
          ? "same"
          : "queue",
    ),
    target: useSignal(textOf(value["dest-queue"] ?? value["dest-exchange"])),
    targetKey: useSignal(textOf(value["dest-exchange-key"])),
    prefetch: useSignal(textOf(value["src-prefetch-count"] ?? value["prefetch-count"] ?? 1000)),
    delay: useSignal(textOf(value["reconnect-delay"] ?? 5)),
    ackMode: useSignal(textOf(value["ack-mode"] ?? "on-confirm")),
    further: useSignal<readonly ArgumentRow[]>(toRows(further)),
  }
}

function tableOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? { ...value } : {}
}

const isHttp = (uri: string): boolean => /^\s*https?:/i.test(uri)

function valueOf(
  fields: Fields,
  before: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const parsed = parseArguments(fields.further.value, SHOVEL_KEYS)
  if (!parsed.ok) throw new Error(parsed.reason)
  const value: Record<string, unknown> = { ...parsed.value }
  value["src-uri"] = urisFromText(fields.sourceUri.value, before["src-uri"])
  value["dest-uri"] = urisFromText(fields.targetUri.value, before["dest-uri"])
  if (fields.sourceKind.value === "exchange") {
    value["src-exchange"] = fields.source.value
    value["src-exchange-key"] = fields.sourceKey.value
  } else value["src-queue"] = fields.source.value
  if (fields.sourceKind.value === "stream") {
    const offset = fields.offset.value.trim()
    const number = /^\d+$/.test(offset) ? Number(offset) : offset
    value["src-consumer-args"] = {
      ...tableOf(value["src-consumer-args"]),
      "x-stream-offset": number,
    }
  }
  if (!isHttp(fields.targetUri.value)) {
    if (fields.targetKind.value === "queue") value["dest-queue"] = fields.target.value
    if (fields.targetKind.value === "exchange") {
      value["dest-exchange"] = fields.target.value
      if (fields.targetKey.value !== "") value["dest-exchange-key"] = fields.targetKey.value
    }
  }
  value["src-prefetch-count"] = Number(fields.prefetch.value)
  value["reconnect-delay"] = Number(fields.delay.value)
  value["ack-mode"] = fields.ackMode.value
  return value
}

export interface ShovelFormProps {
  readonly row: ShovelParameter | null
  readonly onClose: () => void
}

export function ShovelForm({ row, onClose }: ShovelFormProps): JSX.Element {
  const fields = useFields(row)
  const submit = async (): Promise<string> => {
    const value = valueOf(fields, row?.value ?? {})
    await put(apiPath`parameters/shovel/${fields.vhost.value}/${fields.name.value}`, { value })
    return `${row === null ? "Added" : "Changed"} ${fields.name.value}`
  }
  const isFixed = row !== null
  return (
    <FormDialog
      title={isFixed ? `Edit ${row.name}` : "Add shovel"}
      isDrawer
      action={isFixed ? "Save shovel" : "Add shovel"}
      onSubmit={submit}
      onClose={onClose}
    >
      <FieldRow>
        <Field
          label="Name"
          value={fields.name}
          isRequired
          isDisabled={isFixed}
          hasFocus={!isFixed}
        />
        <Select
          label="Virtual host"
          value={fields.vhost}
          options={vhostNames.value}
          isDisabled={isFixed}
          help="To which the shovel belongs. Source and destination may be elsewhere."
        />
      </FieldRow>
      <SourceFields fields={fields} />
      <DestinationFields fields={fields} />
      <FieldRow>
        <Field
          label="Prefetch"
          value={fields.prefetch}
          type="number"
          min={0}
          isRequired
          help="Messages under way at one time."
        />
        <Field
          label="Reconnect delay"
          value={fields.delay}
          type="number"
          min={0}
          isRequired
          help="Seconds between attempts after a failure; 0 gives up with the first."
        />
      </FieldRow>
      <Select label="Messages are acked" value={fields.ackMode} options={ACK_MODES} />
      <ArgumentEditor label="Further settings" rows={fields.further} known={SHOVEL_KEYS} />
      {isFixed && (
        <p class="field-hint">The shovel starts anew with its settings when it is saved.</p>
      )}
    </FormDialog>
  )
}

const URI_HINT = (
  <>
    <code>amqp://</code> is this broker and virtual host;{" "}
    <code>amqps://user:password@host/vhost</code> another one. One on each line: one of them is
    taken at random.
  </>
)

function SourceFields({ fields }: { fields: Fields }): JSX.Element {
  const { sourceKind: kind } = fields
  return (
    <fieldset class="form box">
      <legend>Source</legend>
      <Field
        label="Source URI"
        value={fields.sourceUri}
        lines={2}
        isMono
        isRequired
        hint={URI_HINT}
      />
      <FieldRow>
        <Select label="Take messages from" value={kind} options={SOURCES} />
        <Field
          label={kind.value === "exchange" ? "Source exchange" : "Source queue"}
          value={fields.source}
          isRequired
        />
      </FieldRow>
      {kind.value === "exchange" && (
        <Field
          label="Binding key"
          value={fields.sourceKey}
          isMono
          hint="A queue of the shovel's own is bound with it."
        />
      )}
      {kind.value === "stream" && (
        <Field
          label="Offset"
          value={fields.offset}
          hint="first, last, next, a number, or an age such as 1h"
        />
      )}
    </fieldset>
  )
}

function DestinationFields({ fields }: { fields: Fields }): JSX.Element {
  const { targetKind: kind, targetUri: uri } = fields
  return (
    <fieldset class="form box">
      <legend>Destination</legend>
      <Field
        label="Destination URI"
        value={uri}
        lines={2}
        isMono
        isRequired
        hint={
          <>
            As above, or <code>https://…</code>: each message is then sent as a request.
          </>
        }
      />
      {!isHttp(uri.value) && (
        <>
          <FieldRow>
            <Select label="Publish to" value={kind} options={DESTINATIONS} />
            {kind.value !== "same" && (
              <Field
                label={kind.value === "exchange" ? "Destination exchange" : "Destination queue"}
                value={fields.target}
                isRequired={kind.value === "queue"}
              />
            )}
          </FieldRow>
          {kind.value === "exchange" && (
            <Field
              label="Routing key"
              value={fields.targetKey}
              isMono
              hint="Empty: messages keep their own."
            />
          )}
        </>
      )}
    </fieldset>
  )
}
