import { useSignal } from "@preact/signals"
import type { JSX } from "preact"
import { useMemo } from "preact/hooks"
import { Button } from "../../components/basics.tsx"
import { messageOf, post } from "../../core/api.ts"
import { location } from "../../core/router.ts"
import { toast } from "../../core/toasts.ts"
import { apiPath } from "../../lib/route.ts"
import { MessageBrowser } from "../messages/message-browser.tsx"
import type { BrowsedMessage } from "../messages/types.ts"
import type { QueueDetail } from "../queue/types.ts"

/** Messages of a stream from an offset or a time on. Nobody's place moves. */
const LAST_COUNT = 50

export function StreamMessages({ queue }: { readonly queue: QueueDetail }): JSX.Element {
  const { vhost, name } = queue
  const { first_offset: first = 0, next_offset: next = 0 } = queue.stream ?? {}
  const asked = Number(location.value.query["offset"] ?? "")
  const initial = Number.isSafeInteger(asked) && asked > first ? asked : first
  const start = useSignal<{ readonly index: number }>({ index: initial })
  const source = useMemo(
    () => ({ kind: "stream" as const, vhost, path: apiPath`queues/${vhost}/${name}/messages` }),
    [vhost, name],
  )
  const go = (index: number): void => {
    start.value = { index: Math.max(first, index) }
  }
  return (
    <MessageBrowser
      source={source}
      name={name}
      count={queue.messages_ready}
      firstIndex={first}
      startAt={start.value}
      tools={
        <div class="row" role="group" aria-label="Where to read">
          <Button onClick={() => go(first)}>First</Button>
          <Button onClick={() => go(next - LAST_COUNT)}>Last</Button>
          <FromTime vhost={vhost} name={name} onFound={go} />
        </div>
      }
      empty="The stream has no messages yet. Publish one to try it."
    />
  )
}

interface FromTimeProps {
  readonly vhost: string
  readonly name: string
  readonly onFound: (offset: number) => void
}

function FromTime({ vhost, name, onFound }: FromTimeProps): JSX.Element {
  const find = async (text: string): Promise<void> => {
    const timeMs = new Date(text).getTime()
    if (!Number.isFinite(timeMs)) return
    try {
      const [message] = await post<readonly BrowsedMessage[]>(
        apiPath`queues/${vhost}/${name}/stream`,
        { timestamp_ms: Math.max(0, timeMs), count: 1, truncate: 0 },
      )
      if (message === undefined) toast("info", "No message came at that time or later.")
      else onFound(message.index)
    } catch (error) {
      toast("error", messageOf(error))
    }
  }
  return (
    <label class="stream-time">
      From
      <input
        type="datetime-local"
        step={1}
        aria-label="From this time on"
        onChange={(event) => void find(event.currentTarget.value)}
      />
    </label>
  )
}
