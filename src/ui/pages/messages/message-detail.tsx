import { useSignal } from "@preact/signals"
import type { ComponentChildren, JSX } from "preact"
import { Badge, Button, copyText, KeyValues } from "../../components/basics.tsx"
import type { KeyValueItem } from "../../components/basics.tsx"
import { nowMs } from "../../core/clock.ts"
import { user } from "../../core/session.ts"
import { toast } from "../../core/toasts.ts"
import { formatAge, formatDate, formatNumber } from "../../lib/format.ts"
import { href } from "../../lib/route.ts"
import { PublishDialog } from "../queue/publish-form.tsx"
import { BodyView } from "./body-view.tsx"
import { curlOf, deathsOf } from "./deaths.ts"
import type { BrowsedMessage, Message } from "./types.ts"

/** One message: where it came from, its properties, headers and body, and what can be done with a copy of it. */
export interface MessageDetailProps {
  readonly message: Message & Partial<BrowsedMessage>
  readonly vhost: string
  /** Of downloads. */
  readonly name: string
  readonly loadAll: (() => void) | null
  readonly isStream?: boolean
}

export function MessageDetail(props: MessageDetailProps): JSX.Element {
  const { message, vhost, name, loadAll } = props
  return (
    <div class="message-detail">
      <Actions {...props} />
      <KeyValues items={placeOf(props)} />
      <Deaths message={message} vhost={vhost} />
      <BodyView message={message} name={name} loadAll={loadAll} />
      <Properties message={message} />
    </div>
  )
}

async function copy(text: string, what: string): Promise<void> {
  await copyText(text)
  toast("success", `Copied ${what}`)
}

function Actions({ message, vhost, loadAll }: MessageDetailProps): JSX.Element {
  const isPublishing = useSignal(false)
  const isCut = loadAll !== null
  const origin = `${location.origin}${location.pathname}`
  const why = isCut ? "Load the whole body first" : undefined
  return (
    <div class="row">
      <Button
        icon="send"
        isDisabled={isCut}
        {...(why !== undefined && { title: why })}
        onClick={() => {
          isPublishing.value = true
        }}
      >
        Publish again
      </Button>
      <Button
        icon="copy"
        onClick={() => void copy(JSON.stringify(message, null, 2), "the message")}
      >
        Copy as JSON
      </Button>
      <Button
        icon="copy"
        isDisabled={isCut}
        {...(why !== undefined && { title: why })}
        onClick={() =>
          void copy(curlOf(message, origin, vhost, user.value?.name ?? "guest"), "the command")
        }
      >
        Copy as curl
      </Button>
      {isPublishing.value && (
        <PublishDialog
          vhost={vhost}
          initial={message}
          onClose={() => {
            isPublishing.value = false
          }}
        />
      )}
    </div>
  )
}

function placeOf({ message, vhost, isStream }: MessageDetailProps): KeyValueItem[] {
  const { state, index, timestamp_ms: timeMs, unacked_since_ms: sinceMs } = message
  return [
    [isStream === true ? "Offset" : "Position", index === undefined ? null : formatNumber(index)],
    ["Exchange", <ExchangeLink vhost={vhost} name={message.exchange} />],
    ["Routing key", message.routing_key === "" ? null : <code>{message.routing_key}</code>],
    [
      state === "delayed" ? "Due" : "Came",
      timeMs === undefined ? null : (
        <>
          {formatDate(timeMs)} <span class="muted">{formatAge(timeMs, nowMs())}</span>
        </>
      ),
    ],
    ["Redelivered", message.redelivered ? <Badge tone="warn">redelivered</Badge> : null],
    ["Held by", message.consumer_tag === undefined ? null : <code>{message.consumer_tag}</code>],
    [
      "Channel",
      message.channel_name === undefined ? null : (
        <a href={href(["channels", message.channel_name])}>{message.channel_name}</a>
      ),
    ],
    ["Delivery tag", message.delivery_tag === undefined ? null : String(message.delivery_tag)],
    [
      "Unacked since",
      state !== "unacked"
        ? null
        : typeof sinceMs === "number"
          ? formatAge(sinceMs, nowMs())
          : "now",
    ],
  ]
}

export function ExchangeLink({ vhost, name }: { vhost: string; name: string }): JSX.Element {
  return (
    <a href={href(["exchanges", vhost, name === "" ? "amq.default" : name])}>
      {name === "" ? "default exchange" : name}
    </a>
  )
}

function Deaths({ message, vhost }: { message: Message; vhost: string }): JSX.Element | null {
  const deaths = deathsOf(message.properties)
  if (deaths.length === 0) return null
  return (
    <>
      <h3>{deaths.length === 1 ? "Died" : "Died, latest first"}</h3>
      <ul class="deaths">
        {deaths.map((death) => (
          <li key={`${death.queue} ${death.reason}`}>
            <Badge tone="danger">{death.reason}</Badge>{" "}
            {death.count > 1 && <span>{formatNumber(death.count)} times </span>}
            in <a href={href(["queues", vhost, death.queue])}>{death.queue}</a>, published to{" "}
            <ExchangeLink vhost={vhost} name={death.exchange} />{" "}
            {death.routingKeys.length > 0 && (
              <>
                with <code>{death.routingKeys.join(", ")}</code>
              </>
            )}{" "}
            {death.timeMs !== null && (
              <span class="muted" title={formatDate(death.timeMs)}>
                {formatAge(death.timeMs, nowMs())}
              </span>
            )}
          </li>
        ))}
      </ul>
    </>
  )
}

function Properties({ message }: { message: Message }): JSX.Element {
  const { headers = {}, ...rest } = message.properties
  const names = Object.keys(rest)
  return (
    <>
      {names.length > 0 && <h3>Properties</h3>}
      <KeyValues items={names.map((name) => [name, propertyValue(name, rest[name])])} />
      {Object.keys(headers).length > 0 && <h3>Headers</h3>}
      <KeyValues
        items={Object.entries(headers).map(([name, value]) => [
          name,
          <HeaderValue value={value} />,
        ])}
      />
    </>
  )
}

function propertyValue(name: string, value: unknown): ComponentChildren {
  if (name === "delivery_mode")
    return value === 2 ? "2 (persistent)" : `${String(value)} (transient)`
  if (name === "timestamp" && typeof value === "number") return formatDate(value * 1000)
  return <code>{String(value)}</code>
}

function HeaderValue({ value }: { value: unknown }): JSX.Element {
  if (typeof value !== "object" || value === null) return <code>{String(value)}</code>
  return (
    <details>
      <summary class="muted">
        {Array.isArray(value) ? `list of ${String(value.length)}` : "table"}
      </summary>
      <pre class="mono">{JSON.stringify(value, null, 2)}</pre>
    </details>
  )
}
