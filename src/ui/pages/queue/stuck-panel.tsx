import { useSignal } from "@preact/signals"
import type { ComponentChildren, JSX } from "preact"
import { Button, Panel, State } from "../../components/basics.tsx"
import { act } from "../../core/act.ts"
import { nowMs } from "../../core/clock.ts"
import { usePoll } from "../../core/use-poll.ts"
import { formatAge, formatCount, formatNumber } from "../../lib/format.ts"
import { apiPath, href } from "../../lib/route.ts"
import { rateOf } from "../overview/types.ts"
import { resumeQueue } from "../queues/queue-actions.tsx"
import type { UnackedRow } from "../unacked/types.ts"
import { restartQueue } from "./danger.tsx"
import type { QueueDetail } from "./types.ts"

/** Why the queue delivers or does not, as the broker explains it, and what to do about it. */
const MESSAGES = ["message", "messages"] as const

interface Advice {
  readonly tone: "ok" | "warn" | "neutral"
  readonly title: string
  readonly text: ComponentChildren
  readonly fix?: ComponentChildren
}

export function StuckPanel({ queue }: { readonly queue: QueueDetail }): JSX.Element {
  const { title, tone, text, fix } = adviceFor(queue)
  return (
    <Panel
      title={tone === "warn" ? `Why is this ${nounOf(queue)} stuck?` : "Delivery"}
      class={`stuck is-${tone}`}
      actions={<State tone={tone}>{queue.delivery.state}</State>}
    >
      <div class="stuck-body">
        <div>
          <strong>{title}</strong>
          <div>{text}</div>
          {tone === "warn" && queue.messages_unacknowledged > 0 && <Holders queue={queue} />}
        </div>
        {fix !== undefined && <div class="row">{fix}</div>}
      </div>
    </Panel>
  )
}

function adviceFor(queue: QueueDetail): Advice {
  const { delivery, messages_ready: ready, messages_unacknowledged: unacked } = queue
  const waiting = `${formatCount(ready, MESSAGES)} ${ready === 1 ? "waits" : "wait"}.`
  switch (delivery.code) {
    case "store-cannot-write":
    case "store-cannot-read":
      return {
        tone: "warn",
        title: "The disk fails it.",
        text: delivery.reason,
        fix: <Button onClick={() => void restartQueue(queue)}>Restart</Button>,
      }
    case "paused":
      return {
        tone: "warn",
        title: "It is paused.",
        text: `Somebody paused it. It takes messages and delivers none until it is resumed; also after a restart of the broker. ${waiting}`,
        fix: <ResumeButton queue={queue} />,
      }
    case "no-consumer":
      return noConsumerAdvice(queue, waiting)
    case "not-reading":
      return {
        tone: "warn",
        title: "The clients do not read.",
        text: `${waiting} The broker has sent what the connection takes, and the client does not read on: its program is busy or hangs, its channel was told to stop (channel.flow), or the network is slow.`,
        fix: <ConsumerLinks queue={queue} />,
      }
    case "prefetch":
    case "prefetch-single-active":
      return {
        tone: "warn",
        title:
          delivery.code === "prefetch"
            ? "All consumers have as much as their prefetch allows."
            : "The single active consumer has as much as its prefetch allows.",
        text: `${waiting} ${formatCount(unacked, MESSAGES)} ${unacked === 1 ? "is" : "are"} with consumers, unacked. The broker goes on when they ack: do they forget to, are they slow, or is the prefetch too small? Cancelling a consumer gives its messages back.`,
        fix: <ConsumerLinks queue={queue} />,
      }
    case "empty":
      return unacked > 0
        ? {
            tone: "neutral",
            title: "No message waits.",
            text: `${formatCount(unacked, MESSAGES)} ${unacked === 1 ? "is" : "are"} with consumers and not acked yet.`,
            fix: (
              <a class="button is-plain" href={tabHref(queue, "unacked")}>
                Show who holds them
              </a>
            ),
          }
        : { tone: "ok", title: `The ${nounOf(queue)} is empty.`, text: emptyText(queue) }
    case "at-end":
      return { tone: "ok", title: "All readers are at the end.", text: "Each has all there is." }
    case "delivering":
      return deliveringAdvice(queue)
    default:
      return { tone: "neutral", title: delivery.state, text: delivery.reason }
  }
}

function noConsumerAdvice(queue: QueueDetail, waiting: string): Advice {
  if (queue.type === "stream")
    return {
      tone: "neutral",
      title: "Nobody reads.",
      text: "Its messages stay, and wait for readers.",
    }
  return {
    tone: "warn",
    title: "Nobody consumes.",
    text: `${waiting} No client has a consumer here: is the application that reads this queue running, and does it use the virtual host ${queue.vhost}?`,
    fix: (
      <>
        <a class="button is-plain" href={href(["connections"])}>
          Show connections
        </a>
        <a class="button is-plain" href={tabHref(queue, "messages")}>
          Look at the messages
        </a>
      </>
    ),
  }
}

function emptyText(queue: QueueDetail): string {
  return queue.consumers === 0
    ? "It has no consumer either: the next message would wait."
    : `${formatCount(queue.consumers, ["consumer waits", "consumers wait"])} for the next message.`
}

function deliveringAdvice(queue: QueueDetail): Advice {
  const { message_stats: stats, messages_ready: ready } = queue
  const inRate = rateOf(stats, "publish").rate
  const outRate = rateOf(stats, "deliver_get").rate
  const text =
    inRate > outRate * 1.1 && ready > 0
      ? `More comes in (${formatNumber(inRate)}/s) than goes out (${formatNumber(outRate)}/s), so it grows. More consumers, or quicker ones, would help.`
      : "A consumer takes messages as they come."
  return { tone: "ok", title: "It delivers.", text }
}

const nounOf = ({ type }: QueueDetail): string => (type === "stream" ? "stream" : "queue")

function tabHref({ vhost, name, type }: QueueDetail, tab: string): string {
  return href([type === "stream" ? "streams" : "queues", vhost, name], { tab })
}

function ResumeButton({ queue }: { queue: QueueDetail }): JSX.Element {
  const isBusy = useSignal(false)
  const resume = async (): Promise<void> => {
    isBusy.value = true
    await act(() => resumeQueue(queue), `Resumed ${queue.name}`)
    isBusy.value = false
  }
  return (
    <Button kind="primary" icon="play" isBusy={isBusy.value} onClick={() => void resume()}>
      Resume delivery
    </Button>
  )
}

function ConsumerLinks({ queue }: { queue: QueueDetail }): JSX.Element {
  return (
    <>
      {queue.type !== "stream" && (
        <a class="button is-plain" href={tabHref(queue, "unacked")}>
          Show who holds them
        </a>
      )}
      <a class="button is-plain" href={tabHref(queue, "consumers")}>
        Consumers
      </a>
    </>
  )
}

const HOLDERS_MAX = 3

/** Those that hold the most, with since when. */
function Holders({ queue }: { queue: QueueDetail }): JSX.Element | null {
  const path = apiPath`unacked/${queue.vhost}?page=1&page_size=200&sort=unacked&sort_reverse=true&name=^${escaped(queue.name)}$&use_regex=true`
  const { data } = usePoll<{ readonly items: readonly UnackedRow[] }>(path).state.value
  const rows = data?.items ?? []
  if (rows.length === 0) return null
  return (
    <ul class="stuck-holders">
      {rows.slice(0, HOLDERS_MAX).map((row) => (
        <li key={`${row.channel_name} ${row.consumer_tag}`}>
          <span class="mono">{row.consumer_tag}</span> holds {formatNumber(row.unacked)}
          {row.prefetch_count > 0 && ` of ${formatNumber(row.prefetch_count)}`}, the oldest{" "}
          {row.unacked_since_ms === null
            ? "just now"
            : `since ${formatAge(row.unacked_since_ms, nowMs())}`}
        </li>
      ))}
    </ul>
  )
}

function escaped(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`)
}
