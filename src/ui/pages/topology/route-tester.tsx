import type { Signal } from "@preact/signals"
import { useSignal } from "@preact/signals"
import type { JSX } from "preact"
import { ArgumentEditor } from "../../components/argument-editor.tsx"
import { Badge, Banner } from "../../components/basics.tsx"
import { Field, Form } from "../../components/form.tsx"
import { post } from "../../core/api.ts"
import { location, setQuery } from "../../core/router.ts"
import { parseArguments } from "../../lib/arguments.ts"
import type { ArgumentRow } from "../../lib/arguments.ts"
import { formatCount, formatDuration, formatNumber } from "../../lib/format.ts"
import { apiPath, href } from "../../lib/route.ts"
import { textOf } from "../connections/types.ts"
import { NameField } from "../exchanges/name-field.tsx"
import { QueueLinks } from "../exchanges/publish-form.tsx"
import { MESSAGE_HEADERS } from "../queue/properties.ts"
import { addressName, exchangeHref, shownName } from "../exchanges/types.ts"
import type { RouteAnswer, RouteStep } from "../exchanges/types.ts"

/** Where would a message go? The broker's own router answers; nothing is published. */
export interface TesterProps {
  readonly vhost: string
  readonly answer: Signal<RouteAnswer | null>
}

export function RouteTester({ vhost, answer }: TesterProps): JSX.Element {
  const { query } = location.peek()
  const exchange = useSignal(query["exchange"] ?? "")
  const key = useSignal(query["key"] ?? "")
  const headers = useSignal<readonly ArgumentRow[]>([])
  const submit = async (): Promise<void> => {
    answer.value = null
    const parsed = parseArguments(headers.value, MESSAGE_HEADERS)
    if (!parsed.ok) throw new Error(parsed.reason)
    setQuery({ exchange: exchange.value, key: key.value })
    answer.value = await post<RouteAnswer>(
      apiPath`exchanges/${vhost}/${addressName(exchange.value)}/route`,
      { routing_key: key.value, headers: parsed.value },
    )
  }
  return (
    <div class="stack">
      <p class="muted">Which queues would get a message? Nothing is published.</p>
      <Form action="Test routing" onSubmit={submit}>
        <NameField
          kind="exchange"
          vhost={vhost}
          label="Exchange"
          value={exchange}
          hint="Empty, or amq.default: the default exchange."
        />
        <Field label="Routing key" value={key} isMono />
        <ArgumentEditor label="Headers" rows={headers} known={MESSAGE_HEADERS} />
      </Form>
      <div aria-live="polite" class="stack">
        {answer.value !== null && <Answer vhost={vhost} answer={answer.value} />}
      </div>
    </div>
  )
}

function Answer({ vhost, answer }: { vhost: string; answer: RouteAnswer }): JSX.Element {
  const { queues, path } = answer
  const isChance = path.some(({ via }) => via === "chance")
  const waiting = answer.exchanges.filter(({ delay_ms: delayMs }) => delayMs > 0)
  const deduplicating = answer.exchanges.filter(({ deduplicates }) => deduplicates)
  return (
    <>
      {queues.length === 0 ? (
        <Banner tone="warn" title="Unroutable.">
          No queue would get it. Add a binding that matches, or an alternate exchange.
        </Banner>
      ) : (
        <Banner
          tone="ok"
          title={`${isChance ? "One of " : ""}${formatCount(queues.length, ["queue", "queues"])}:`}
        >
          <QueueLinks vhost={vhost} names={queues} />
        </Banner>
      )}
      {waiting.map(({ name, delay_ms: delayMs }) => (
        <p key={name}>
          It waits {formatDuration(delayMs)} at {shownName(name)} first.
        </p>
      ))}
      {deduplicating.map(({ name }) => (
        <p key={name}>A duplicate would end at {shownName(name)}.</p>
      ))}
      {path.length > 0 && (
        <ol class="topology-path" aria-label="Bindings that the message follows">
          {path.slice(0, SHOWN_MAX).map((step, index) => (
            <Step key={index} vhost={vhost} step={step} />
          ))}
        </ol>
      )}
      {answer.steps > SHOWN_MAX && (
        <p class="muted">and {formatNumber(answer.steps - SHOWN_MAX)} more steps</p>
      )}
    </>
  )
}

const SHOWN_MAX = 100

function Step({ vhost, step }: { vhost: string; step: RouteStep }): JSX.Element {
  const { source, destination, via } = step
  const isQueue = step.destination_type === "queue"
  const args = Object.entries(step.arguments)
    .map(([name, value]) => `${name}: ${textOf(value)}`)
    .join(", ")
  return (
    <li>
      <a href={exchangeHref({ vhost, name: source })}>{shownName(source)}</a>{" "}
      <span aria-hidden="true">→</span>{" "}
      <a
        href={
          isQueue
            ? href(["queues", vhost, destination])
            : exchangeHref({ vhost, name: destination })
        }
      >
        {destination}
      </a>{" "}
      {via === "alternate-exchange" && <Badge tone="warn">alternate</Badge>}
      {via === "chance" && <Badge tone="accent">by chance</Badge>}
      {source === "" && <Badge>by its name</Badge>}
      {source !== "" && via === "binding" && (
        <span class="muted">
          {step.routing_key === "" ? "empty key" : <code>{step.routing_key}</code>}
          {args !== "" && (
            <>
              {" "}
              <code>{args}</code>
            </>
          )}
        </span>
      )}
    </li>
  )
}
