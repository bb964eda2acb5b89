import type { Signal } from "@preact/signals"
import { useSignal } from "@preact/signals"
import type { JSX } from "preact"
import { ArgumentEditor } from "../../components/argument-editor.tsx"
import { Checkbox, Field, FieldRow, Select } from "../../components/form.tsx"
import { parseArguments, toRows } from "../../lib/arguments.ts"
import type { ArgumentRow, KnownArgument } from "../../lib/arguments.ts"
import type { Message } from "../messages/types.ts"
import { checkedPayload, exactRows, MESSAGE_HEADERS, MESSAGE_PROPERTIES } from "./properties.ts"

/** Body, headers and properties of a message that is published by hand, in a queue or at an exchange. */
export interface PublishFields {
  readonly payload: Signal<string>
  readonly kind: Signal<string>
  readonly isPersistent: Signal<boolean>
  readonly headers: Signal<readonly ArgumentRow[]>
  readonly properties: Signal<readonly ArgumentRow[]>
}

const KINDS = [
  ["text", "Text"],
  ["json", "JSON, checked before it is sent"],
  ["base64", "Base64, sent as bytes"],
] as const

/** A header of any name has whatever type it is given; only the editor knows some by name. */
const HEADER_TYPES = MESSAGE_HEADERS.filter(({ type }) => type === "number")

export function usePublishFields(initial: Partial<Message>): PublishFields {
  const { headers = {}, delivery_mode: mode, ...rest } = initial.properties ?? {}
  return {
    payload: useSignal(initial.payload ?? ""),
    kind: useSignal<string>(initial.payload_encoding === "base64" ? "base64" : "text"),
    isPersistent: useSignal(mode === undefined ? initial.payload === undefined : mode === 2),
    headers: useSignal<readonly ArgumentRow[]>(exactRows(headers)),
    properties: useSignal<readonly ArgumentRow[]>(toRows(rest)),
  }
}

/** As the API takes a message. Throws what is wrong with a field. */
export interface PublishedMessage {
  readonly properties: Readonly<Record<string, unknown>>
  readonly payload: string
  readonly payload_encoding: "string" | "base64"
}

export function messageOf(fields: PublishFields): PublishedMessage {
  const kind = fields.kind.value
  const properties = valueOf(fields.properties.value, MESSAGE_PROPERTIES)
  const headers = valueOf(fields.headers.value, HEADER_TYPES)
  return {
    properties: {
      ...(kind === "json" && { content_type: "application/json" }),
      ...properties,
      delivery_mode: fields.isPersistent.value ? 2 : 1,
      ...(Object.keys(headers).length > 0 && { headers }),
    },
    payload: checkedPayload(
      fields.payload.value,
      kind === "json" || kind === "base64" ? kind : "text",
    ),
    payload_encoding: kind === "base64" ? "base64" : "string",
  }
}

function valueOf(
  rows: readonly ArgumentRow[],
  known: readonly KnownArgument[],
): Readonly<Record<string, unknown>> {
  const parsed = parseArguments(rows, known)
  if (!parsed.ok) throw new Error(parsed.reason)
  return parsed.value
}

export function MessageFields({ fields }: { readonly fields: PublishFields }): JSX.Element {
  const { payload, kind, isPersistent, headers, properties } = fields
  return (
    <>
      <Field label="Body" value={payload} lines={7} isMono />
      <FieldRow>
        <Select label="The body is" value={kind} options={KINDS} />
        <Checkbox
          label="Persistent"
          value={isPersistent}
          hint="In a durable queue it survives a restart."
        />
      </FieldRow>
      <ArgumentEditor label="Headers" rows={headers} known={MESSAGE_HEADERS} />
      <ArgumentEditor label="Properties" rows={properties} known={MESSAGE_PROPERTIES} />
    </>
  )
}
