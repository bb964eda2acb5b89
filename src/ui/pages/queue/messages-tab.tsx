import { useSignal } from "@preact/signals"
import type { JSX } from "preact"
import { location, setQuery } from "../../core/router.ts"
import { usePoll } from "../../core/use-poll.ts"
import { apiPath } from "../../lib/route.ts"
import { MessageBrowser } from "../messages/message-browser.tsx"
import type { MessageSource } from "../messages/types.ts"
import type { BindingRow } from "../exchanges/types.ts"
import type { QueueDetail } from "./types.ts"

/** Messages of the queue that can be looked at: ready ones, those with consumers, and delayed ones on their way. */
const STATES = [
  ["ready", "Ready"],
  ["unacked", "Unacked"],
  ["delayed", "Delayed"],
] as const

export function MessagesTab({ queue }: { readonly queue: QueueDetail }): JSX.Element {
  const { vhost, name } = queue
  const wanted = location.value.query["state"] ?? ""
  const kind = STATES.find(([id]) => id === wanted)?.[0] ?? "ready"
  const exchanges = useDelayedExchanges(queue)
  const chosen = useSignal("")
  const exchange = exchanges.includes(chosen.value) ? chosen.value : (exchanges[0] ?? "")
  const states = STATES.filter(([id]) => id !== "delayed" || exchanges.length > 0 || kind === id)
  const source: MessageSource = {
    kind,
    vhost,
    path:
      kind === "delayed"
        ? apiPath`exchanges/${vhost}/${exchange}/messages`
        : apiPath`queues/${vhost}/${name}/messages`,
  }
  const tools = (
    <>
      <div class="presets" role="group" aria-label="Which messages">
        {states.map(([id, label]) => (
          <button
            type="button"
            class="chip"
            key={id}
            aria-pressed={kind === id}
            onClick={() => setQuery({ state: id === "ready" ? "" : id })}
          >
            {label}
          </button>
        ))}
      </div>
      {kind === "delayed" && exchanges.length > 1 && (
        <select
          class="delayed-choice"
          aria-label="Delayed exchange"
          value={exchange}
          onChange={(event) => {
            chosen.value = event.currentTarget.value
          }}
        >
          {exchanges.map((one) => (
            <option key={one}>{one}</option>
          ))}
        </select>
      )}
    </>
  )
  if (kind === "delayed" && exchange === "")
    return <p class="muted">No delayed exchange is bound to this queue.</p>
  return (
    <MessageBrowser
      source={source}
      name={kind === "delayed" ? exchange : name}
      count={
        kind === "ready"
          ? queue.messages_ready
          : kind === "unacked"
            ? queue.messages_unacknowledged
            : null
      }
      tools={tools}
      empty={emptyText(kind, exchange)}
    />
  )
}

function emptyText(kind: string, exchange: string): string {
  if (kind === "delayed")
    return `No message waits at the exchange ${exchange}. Those with a header x-delay would be listed here until they are due.`
  if (kind === "unacked") return "No consumer holds a message of this queue."
  return "Messages that wait for a consumer are listed here. Publish one to try it."
}

/** Delayed exchanges that may send messages here. */
function useDelayedExchanges({ vhost, name }: QueueDetail): readonly string[] {
  const bindings = usePoll<readonly BindingRow[]>(apiPath`queues/${vhost}/${name}/bindings`, {
    intervalMs: 0,
  }).state.value.data
  const exchanges = usePoll<readonly ExchangeInfo[]>(
    apiPath`exchanges/${vhost}?columns=name,type,arguments,effective_policy_definition`,
    { intervalMs: 0 },
  ).state.value.data
  const sources = new Set((bindings ?? []).map(({ source }) => source))
  return (exchanges ?? [])
    .filter(isDelayed)
    .flatMap((one) => (sources.has(one.name) ? [one.name] : []))
}

interface ExchangeInfo {
  readonly name: string
  readonly type: string
  readonly arguments: Readonly<Record<string, unknown>>
  readonly effective_policy_definition: Readonly<Record<string, unknown>>
}

function isDelayed({
  type,
  arguments: args,
  effective_policy_definition: policy,
}: ExchangeInfo): boolean {
  return (
    type.startsWith("x-delayed") ||
    args["x-delayed-exchange"] === true ||
    policy["delayed-message"] === true
  )
}
