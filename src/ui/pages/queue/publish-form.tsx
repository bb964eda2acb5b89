import type { Signal } from "@preact/signals"
import { useSignal } from "@preact/signals"
import type { JSX } from "preact"
import { ArgumentEditor } from "../../components/argument-editor.tsx"
import { Banner } from "../../components/basics.tsx"
import { Dialog } from "../../components/dialog.tsx"
import { Checkbox, Field, FieldRow, Form, Select } from "../../components/form.tsx"
import { post } from "../../core/api.ts"
import { toast } from "../../core/toasts.ts"
import { refreshAll } from "../../core/use-poll.ts"
import { parseArguments, toRows } from "../../lib/arguments.ts"
import type { ArgumentRow } from "../../lib/arguments.ts"
import { apiPath } from "../../lib/route.ts"
import type { Message } from "../messages/types.ts"
import { checkedPayload, exactRows, MESSAGE_HEADERS, MESSAGE_PROPERTIES } from "./properties.ts"
import type { PayloadKind } from "./properties.ts"

/** Publishes a message: a new one, or a copy of one that is there. What was typed stays for the next one. */
export interface PublishFormProps {
  readonly vhost: string
  /** What the form begins with; an exchange "" is the default one. */
  readonly initial: Partial<Message>
  /** The queue that it is for: exchange and key are not asked for. */
  readonly queue?: string
  readonly onCancel?: () => void
  readonly onDone?: () => void
}

const KINDS = [
  ["text", "Text"],
  ["json", "JSON, checked before it is sent"],
  ["base64", "Base64, sent as bytes"],
] as const

/** A header of any name has whatever type it is given; only the editor knows some by name. */
const HEADER_TYPES = MESSAGE_HEADERS.filter(({ type }) => type === "number")

export function PublishForm(props: PublishFormProps): JSX.Element {
  const { vhost, initial, queue } = props
  const { headers: oldHeaders = {}, delivery_mode: mode, ...rest } = initial.properties ?? {}
  const exchange = useSignal(initial.exchange ?? "")
  const routingKey = useSignal(initial.routing_key ?? queue ?? "")
  const payload = useSignal(initial.payload ?? "")
  const kind = useSignal<string>(initial.payload_encoding === "base64" ? "base64" : "text")
  const isPersistent = useSignal(mode === undefined ? initial.payload === undefined : mode === 2)
  const properties = useSignal<readonly ArgumentRow[]>(toRows(rest))
  const headers = useSignal<readonly ArgumentRow[]>(exactRows(oldHeaders))
  const isUnrouted = useSignal(false)
  const submit = async (): Promise<void> => {
    isUnrouted.value = false
    const parsedProperties = parseArguments(properties.value, MESSAGE_PROPERTIES)
    if (!parsedProperties.ok) throw new Error(parsedProperties.reason)
    const parsedHeaders = parseArguments(headers.value, HEADER_TYPES)
    if (!parsedHeaders.ok) throw new Error(parsedHeaders.reason)
    const body = checkedPayload(payload.value, kindOf(kind.value))
    const { routed } = await post<{ readonly routed: boolean }>(
      apiPath`exchanges/${vhost}/${exchange.value === "" ? "amq.default" : exchange.value}/publish`,
      {
        properties: {
          ...(kind.value === "json" && { content_type: "application/json" }),
          ...parsedProperties.value,
          delivery_mode: isPersistent.value ? 2 : 1,
          ...(headers.value.length > 0 && { headers: parsedHeaders.value }),
        },
        routing_key: routingKey.value,
        payload: body,
        payload_encoding: kind.value === "base64" ? "base64" : "string",
      },
    )
    isUnrouted.value = !routed
    if (!routed) return
    toast("success", "Published, a queue has it")
    refreshAll()
    props.onDone?.()
  }
  return (
    <Form
      action="Publish"
      onSubmit={submit}
      {...(props.onCancel !== undefined && { onCancel: props.onCancel })}
    >
      {queue === undefined && <Target exchange={exchange} routingKey={routingKey} />}
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
      {isUnrouted.value && (
        <Banner tone="warn" title="No queue took it.">
          Nothing is bound that matches this routing key, or it was a duplicate. The message is
          gone; the form still has it.
        </Banner>
      )}
    </Form>
  )
}

function Target(props: { exchange: Signal<string>; routingKey: Signal<string> }): JSX.Element {
  return (
    <FieldRow>
      <Field label="Exchange" value={props.exchange} isMono hint="Empty: the default exchange" />
      <Field
        label="Routing key"
        value={props.routingKey}
        isMono
        hint="For the default exchange: the queue's name"
      />
    </FieldRow>
  )
}

function kindOf(value: string): PayloadKind {
  return value === "json" || value === "base64" ? value : "text"
}

export interface PublishDialogProps {
  readonly vhost: string
  readonly initial: Partial<Message>
  readonly onClose: () => void
}

/** A copy of a message, to be changed before it goes out. */
export function PublishDialog({ vhost, initial, onClose }: PublishDialogProps): JSX.Element {
  return (
    <Dialog title="Publish again" isDrawer onClose={onClose}>
      <p class="form-lead">
        A copy goes out with these properties and headers; the message itself stays where it is.
      </p>
      <PublishForm vhost={vhost} initial={initial} onCancel={onClose} onDone={onClose} />
    </Dialog>
  )
}
