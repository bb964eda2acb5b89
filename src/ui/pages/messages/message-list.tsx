import type { JSX } from "preact"
import { Badge } from "../../components/basics.tsx"
import { nowMs } from "../../core/clock.ts"
import { formatAge, formatBytes, formatDate, formatNumber } from "../../lib/format.ts"
import { compressionOf } from "./compression.ts"
import { bytesOf } from "../../lib/message-body.ts"
import { deathsOf } from "./deaths.ts"
import type { BrowsedMessage, MessageKind } from "./types.ts"

/** Messages in rows; one is open. Arrow keys go from one to the next. */
export interface MessageListProps {
  readonly messages: readonly BrowsedMessage[]
  readonly kind: MessageKind
  readonly openId: string
  /** Beside an open message there is room for less. */
  readonly isNarrow: boolean
  readonly onOpen: (message: BrowsedMessage) => void
}

export function MessageList(props: MessageListProps): JSX.Element {
  const { messages, kind, openId, isNarrow, onOpen } = props
  return (
    <div class="table-scroll message-list">
      <table class="table" aria-label="Messages">
        <thead>
          <tr>
            <th scope="col" class="is-number">
              {kind === "stream" ? "Offset" : "#"}
            </th>
            <th scope="col">Routing key</th>
            {!isNarrow && <th scope="col">Exchange</th>}
            <th scope="col">{whenLabel(kind)}</th>
            {kind === "unacked" && <th scope="col">Held by</th>}
            <th scope="col" class="is-number">
              Size
            </th>
            {!isNarrow && <th scope="col">Body</th>}
          </tr>
        </thead>
        <tbody>
          {messages.map((message, index) => (
            <tr
              key={`${message.id} ${String(message.index)}`}
              class={message.id === openId ? "is-selected" : ""}
              aria-selected={message.id === openId}
              tabIndex={message.id === openId || (openId === "" && index === 0) ? 0 : -1}
              onClick={() => onOpen(message)}
              onKeyDown={(event) => onKey(event, messages, index, onOpen)}
            >
              <Cells message={message} kind={kind} isNarrow={isNarrow} />
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

function whenLabel(kind: MessageKind): string {
  return kind === "delayed" ? "Due" : kind === "unacked" ? "Unacked for" : "Came"
}

function Cells(props: {
  message: BrowsedMessage
  kind: MessageKind
  isNarrow: boolean
}): JSX.Element {
  const { message, kind, isNarrow } = props
  const [death] = deathsOf(message.properties)
  const timeMs = kind === "unacked" ? (message.unacked_since_ms ?? nowMs()) : message.timestamp_ms
  return (
    <>
      <td class="is-number" data-label={kind === "stream" ? "Offset" : "#"}>
        {formatNumber(message.index)}
      </td>
      <td class="is-wide" data-label="Routing key" title={message.routing_key}>
        {message.routing_key === "" ? <span class="muted">(none)</span> : message.routing_key}{" "}
        {message.redelivered && <Badge title="Redelivered">R</Badge>}
        {death !== undefined && <Badge tone="danger">{death.reason}</Badge>}
      </td>
      {!isNarrow && (
        <td data-label="Exchange">
          {message.exchange === "" ? <span class="muted">default</span> : message.exchange}
        </td>
      )}
      <td data-label={whenLabel(kind)} title={formatDate(timeMs)}>
        {kind === "unacked"
          ? formatAge(timeMs, nowMs()).replace(" ago", "")
          : formatAge(timeMs, nowMs())}
      </td>
      {kind === "unacked" && <td data-label="Held by">{message.consumer_tag}</td>}
      <td class="is-number" data-label="Size">
        {formatBytes(message.payload_bytes)}
      </td>
      {!isNarrow && (
        <td class="message-preview" data-label="Body">
          <code>{preview(message)}</code>
        </td>
      )}
    </>
  )
}

const PREVIEW_MAX = 120

function preview(message: BrowsedMessage): string {
  if (message.payload_encoding === "string")
    return message.payload.slice(0, PREVIEW_MAX).replaceAll(/\s+/g, " ")
  const format = compressionOf(bytesOf(message))
  return format === null ? "(bytes)" : `(${format})`
}

function onKey(
  event: KeyboardEvent & { currentTarget: HTMLElement },
  messages: readonly BrowsedMessage[],
  index: number,
  onOpen: (message: BrowsedMessage) => void,
): void {
  const by = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0
  if (by === 0 && event.key !== "Enter") return
  event.preventDefault()
  const message = messages[index + by]
  if (message === undefined) return
  onOpen(message)
  const row =
    by === 1 ? event.currentTarget.nextElementSibling : event.currentTarget.previousElementSibling
  if (by !== 0 && row instanceof HTMLElement) row.focus()
}
