import { useSignal } from "@preact/signals"
import type { ComponentChildren, JSX } from "preact"
import { Banner } from "../../components/basics.tsx"
import { Field, Form } from "../../components/form.tsx"
import { post } from "../../core/api.ts"
import { refreshAll } from "../../core/use-poll.ts"
import { formatCount, formatDuration } from "../../lib/format.ts"
import { apiPath, href } from "../../lib/route.ts"
import { MessageFields, messageOf, usePublishFields } from "../queue/publish-fields.tsx"
import { addressName } from "./types.ts"
import type { ExchangeRow, RouteAnswer } from "./types.ts"

/** Publishing one message by hand, with what became of it. The form stays as it is, for the next one. */
interface Outcome {
  readonly isRouted: boolean
  /** Null if the broker could not tell. */
  readonly route: RouteAnswer | null
}

export function PublishForm({ exchange }: { exchange: ExchangeRow }): JSX.Element {
  const key = useSignal("")
  const fields = usePublishFields({})
  const outcome = useSignal<Outcome | null>(null)
  const submit = async (): Promise<void> => {
    outcome.value = null
    const message = messageOf(fields)
    const path = apiPath`exchanges/${exchange.vhost}/${addressName(exchange.name)}`
    // Asked before, for bindings may change and queues go when the message has come.
    const route = await post<RouteAnswer>(`${path}/route`, {
      routing_key: key.value,
      properties: message.properties,
    })
    const { routed } = await post<{ readonly routed: boolean }>(`${path}/publish`, {
      routing_key: key.value,
      ...message,
    })
    outcome.value = { isRouted: routed, route }
    refreshAll()
  }
  return (
    <div class="exchange-publish">
      <Form action="Publish message" onSubmit={submit}>
        <Field label="Routing key" value={key} isMono />
        <MessageFields fields={fields} />
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
