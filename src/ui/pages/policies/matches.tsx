import { useSignal } from "@preact/signals"
import type { JSX } from "preact"
import { useEffect, useRef } from "preact/hooks"
import { ErrorBanner, Loading } from "../../components/basics.tsx"
import { debounce } from "../../core/debounce.ts"
import { usePoll } from "../../core/use-poll.ts"
import { formatCount } from "../../lib/format.ts"
import { apiPath, href, withQuery } from "../../lib/route.ts"
import { queueHref } from "../queues/types.ts"
import { appliesTo } from "./types.ts"
import type { PolicyKind } from "./types.ts"

/**
 * The queues and exchanges whose name a pattern matches, and how many of them have this policy in force:
 * the others have one of higher priority, or the pattern is not saved yet.
 */
interface Item {
  readonly name: string
  readonly vhost: string
  readonly type: string
  readonly policy?: string | null
  readonly operator_policy?: string | null
}

interface Found {
  readonly items: readonly Item[]
  readonly filtered_count: number
}

export interface MatchesProps {
  readonly kind: PolicyKind
  readonly vhost: string
  readonly pattern: string
  readonly applyTo: string
  /** Of a policy that is saved. */
  readonly name?: string
}

const SHOWN = 8
const ASKED = 500

export function Matches(props: MatchesProps): JSX.Element {
  const pattern = useSettled(props.pattern)
  const { applyTo, vhost } = props
  const asksQueues = applyTo !== "exchanges"
  const asksExchanges = props.kind.path === "policies" && appliesTo(applyTo, "exchange")
  const query = {
    page: 1,
    page_size: ASKED,
    name: pattern,
    use_regex: pattern !== "",
    columns: "name,vhost,type,policy,operator_policy",
  }
  const queues = usePoll<Found>(asksQueues ? withQuery(apiPath`queues/${vhost}`, query) : null, {
    intervalMs: 0,
  }).state.value
  const exchanges = usePoll<Found>(
    asksExchanges ? withQuery(apiPath`exchanges/${vhost}`, query) : null,
    { intervalMs: 0 },
  ).state.value
  const error = queues.error ?? exchanges.error
  if (error !== null) return <ErrorBanner error={error} />
  const isWaiting =
    (asksQueues && queues.data === null) || (asksExchanges && exchanges.data === null)
  if (isWaiting) return <Loading lines={2} />
  return (
    <div class="stack is-tight" role="status" aria-label="What it matches">
      {asksQueues && queues.data !== null && (
        <MatchList
          {...props}
          noun={["queue", "queues"]}
          found={queues.data}
          subject={(item) => item.type}
          link={queueHref}
        />
      )}
      {asksExchanges && exchanges.data !== null && (
        <MatchList
          {...props}
          noun={["exchange", "exchanges"]}
          found={{
            ...exchanges.data,
            items: exchanges.data.items.filter(({ name }) => name !== ""),
          }}
          subject={() => "exchange"}
          link={({ vhost: of, name }) => href(["exchanges", of, name])}
        />
      )}
    </div>
  )
}

/** What was typed, a moment after the last key. */
function useSettled(text: string): string {
  const settled = useSignal(text)
  const set = useRef(debounce((value: string) => (settled.value = value)))
  useEffect(() => set.current(text), [text])
  return settled.value
}

interface MatchListProps extends MatchesProps {
  readonly noun: readonly [one: string, many: string]
  readonly found: Found
  readonly subject: (item: Item) => string
  readonly link: (item: Item) => string
}

function MatchList(props: MatchListProps): JSX.Element {
  const { noun, found, applyTo, kind, name } = props
  const items = found.items.filter((item) => appliesTo(applyTo, props.subject(item)))
  const isAll = found.filtered_count <= ASKED
  const inForce = items.filter((item) => item[kind.field] === name).length
  const count = isAll ? formatCount(items.length, noun) : `more than ${formatCount(ASKED, noun)}`
  return (
    <div>
      <p>
        Matches <strong>{count}</strong>
        {name !== undefined && isAll && items.length > 0 && `, in force for ${String(inForce)}`}
      </p>
      <p class="match-names">
        {items.slice(0, SHOWN).map((item) => (
          <a key={item.name} href={props.link(item)} class="match-name">
            {item.name}
          </a>
        ))}
        {items.length > SHOWN && <span class="muted">and more</span>}
      </p>
    </div>
  )
}
