import { useSignal } from "@preact/signals"
import type { ComponentChildren, JSX } from "preact"
import { ArgumentEditor } from "../../components/argument-editor.tsx"
import { Banner } from "../../components/basics.tsx"
import { Checkbox, Field, FieldRow, Form, Select } from "../../components/form.tsx"
import { post } from "../../core/api.ts"
import { refreshAll } from "../../core/use-poll.ts"
import { parseArguments } from "../../lib/arguments.ts"
import type { ArgumentRow } from "../../lib/arguments.ts"
import { formatCount, formatDuration } from "../../lib/format.ts"
import { apiPath, href } from "../../lib/route.ts"
import { checkedPayload, MESSAGE_HEADERS, MESSAGE_PROPERTIES } from "../queue/properties.ts"
import { addressName } from "./types.ts"
import type { ExchangeRow, RouteAnswer } from "./types.ts"

/** Publishing one message by hand, with what became of it. The form stays as it is, for the next one. */
interface Outcome {
  readonly isRouted: boolean
  /** Null if the broker could not tell. */
  readonly route: RouteAnswer | null
}

const KINDS = [
  ["text", "Text"],
  ["json", "JSON, checked before it is sent"],
  ["base64", "Base64, sent as bytes"],
] as const

function valueOf(
  rows: readonly ArgumentRow[],
  known: typeof MESSAGE_HEADERS,
): Readonly<Record<string, unknown>> {
  const parsed = parseArguments(rows, known)
  if (!parsed.ok) throw new Error(parsed.reason)
  return parsed.value
}

export function PublishForm({ exchange }: { exchange: ExchangeRow }): JSX.Element {
  const key = useSignal("")
  const isPersistent = useSignal(true)
  const headers = useSignal<readonly ArgumentRow[]>([])
  const properties = useSignal<readonly ArgumentRow[]>([])
  const payload = useSignal("")
  const kind = useSignal("text")
  const outcome = useSignal<Outcome | null>(null)
  const submit = async (): Promise<void> => {
    outcome.value = null
    const values: Record<string, unknown> = {
      delivery_mode: isPersistent.value ? 2 : 1,
      ...valueOf(properties.value, MESSAGE_PROPERTIES),
    }
    const isJson = kind.value === "json"
    const isBase64 = kind.value === "base64"
    const body = checkedPayload(payload.value, isJson ? "json" : isBase64 ? "base64" : "text")
    if (isJson) values["content_type"] ??= "application/json"
    if (headers.value.length > 0) values["headers"] = valueOf(headers.value, MESSAGE_HEADERS)
    const path = apiPath`exchanges/${exchange.vhost}/${addressName(exchange.name)}`
    // Asked before, for bindings may change and queues go when the message has come.
    const route = await post<RouteAnswer>(`${path}/route`, {
      routing_key: key.value,
      properties: values,
    })
    const { routed } = await post<{ readonly routed: boolean }>(`${path}/publish`, {
      routing_key: key.value,
      properties: values,
      payload: body,
      payload_encoding: isBase64 ? "base64" : "string",
    })
    outcome.value = { isRouted: routed, route }
    refreshAll()
  }
  return (
    <div class="exchange-publish">
      <Form action="Publish message" onSubmit={submit}>
        <FieldRow>
          <Field label="Routing key" value={key} isMono />
          <Select label="The body is" value={kind} options={KINDS} />
        </FieldRow>
        <Field label="Body" value={payload} lines={6} isMono />
        <Checkbox
          label="Persistent"
          value={isPersistent}
          hint="Durable queues keep it over a restart."
        />
        <ArgumentEditor label="Headers" rows={headers} known={MESSAGE_HEADERS} />
        <ArgumentEditor label="Properties" rows={properties} known={MESSAGE_PROPERTIES} />
      </Form>
      <div aria-live="polite">
        {outcome.value !== null && <Result exchange={exchange} outcome={outcome.value} />}
      </div>
    </div>
  )
}

function Result({ exchange, outcome }: { exchange: ExchangeRow; outcome: Outcome }): JSX.Element {
  const { isRouted, route } = outcome
  const delayMs = route?.exchanges.find((one) => one.delay_ms > 0)?.delay_ms ?? 0
  const isChance = route?.path.some(({ via }) => via === "chance") === true
  const queues = route?.queues ?? []
  if (delayMs > 0)
    return (
      <Banner tone="ok" title={`The message waits ${formatDuration(delayMs)}.`}>
        Then it goes to {formatCount(queues.length, ["queue", "queues"])}:{" "}
        <QueueLinks vhost={exchange.vhost} names={queues} />
      </Banner>
    )
  if (!isRouted)
    return (
      <Banner tone="warn" title="Unroutable: no queue took the message.">
        {queues.length > 0
          ? "It was a duplicate, or the queues refused it because they are full."
          : "No binding matches this routing key and these headers. Look at the bindings, or give the exchange an alternate exchange."}
      </Banner>
    )
  return (
    <Banner
      tone="ok"
      title={
        isChance
          ? `Routed to one of ${formatCount(queues.length, ["queue", "queues"])}:`
          : `Routed to ${formatCount(queues.length, ["queue", "queues"])}:`
      }
    >
      <QueueLinks vhost={exchange.vhost} names={queues} />
    </Banner>
  )
}

const LINKS_MAX = 20

export function QueueLinks({
  vhost,
  names,
}: {
  vhost: string
  names: readonly string[]
}): JSX.Element {
  const links: ComponentChildren[] = names.slice(0, LINKS_MAX).map((name, index) => (
    <span key={name}>
      {index > 0 && ", "}
      <a href={href(["queues", vhost, name])}>{name}</a>
    </span>
  ))
  return (
    <>
      {links}
      {names.length > LINKS_MAX && ` and ${String(names.length - LINKS_MAX)} more`}
    </>
  )
}
