import { useSignal } from "@preact/signals"
import type { JSX } from "preact"
import { useEffect, useRef } from "preact/hooks"
import { Badge, Button, Empty, ErrorBanner, Loading, Page } from "../../components/basics.tsx"
import { Field, FieldRow } from "../../components/form.tsx"
import { get, messageOf } from "../../core/api.ts"
import { debounce } from "../../core/debounce.ts"
import { location, setQuery } from "../../core/router.ts"
import { toast } from "../../core/toasts.ts"
import { usePoll } from "../../core/use-poll.ts"
import { formatDate } from "../../lib/format.ts"
import { withQuery } from "../../lib/route.ts"

/** Who changed what, the newest first. */
interface AuditRow {
  readonly id: number
  readonly time: string
  readonly user: string
  readonly peer: string
  readonly action: string
  readonly vhost?: string
  readonly object?: string
  readonly changes?: Readonly<Record<string, unknown>>
  readonly status: number
  readonly error?: string
}

interface AuditPage {
  readonly items: readonly AuditRow[]
  readonly next: number | null
}

const COUNT = 100

export function Audit(): JSX.Element {
  const { user = "", object = "", since = "" } = location.value.query
  const path = withQuery("audit", { user, object, since, count: COUNT })
  const poll = usePoll<AuditPage>(path)
  const { data, error } = poll.state.value
  const seen = useRef(new Map<number, AuditRow>())
  const next = useSignal<number | null | undefined>(undefined)
  const isBusy = useSignal(false)
  const lastPath = useRef(path)
  if (lastPath.current !== path) {
    lastPath.current = path
    seen.current = new Map()
    next.value = undefined
  }
  // New records push others out of the first page: what was shown stays.
  for (const row of data?.items ?? []) seen.current.set(row.id, row)
  // Where the list of what was seen ends: later answers begin with newer records.
  if (next.value === undefined && data !== null) next.value = data.next
  const before = next.value ?? null
  const loadOlder = async (): Promise<void> => {
    isBusy.value = true
    try {
      const page = await get<AuditPage>(withQuery(path, { before: before ?? undefined }))
      for (const row of page.items) seen.current.set(row.id, row)
      next.value = page.next
    } catch (reason) {
      toast("error", messageOf(reason))
    }
    isBusy.value = false
  }
  const rows = [...seen.current.values()].toSorted((a, b) => b.id - a.id)
  return (
    <Page
      title="Audit"
      about="Every change that was asked for over the API, the UI or the control tool, with its result"
    >
      <div class="table-block">
        <Filters user={user} object={object} since={since} />
        {error !== null && <ErrorBanner error={error} retry={() => poll.refresh()} />}
        {data === null && error === null && <Loading lines={6} />}
        {data !== null && rows.length === 0 && (
          <Empty icon="eye" title="No changes found">
            {user + object + since === ""
              ? "Changes to users, queues, policies and the like will be listed here."
              : "Nothing fits the filter: widen it."}
          </Empty>
        )}
        {rows.length > 0 && <Rows rows={rows} />}
        {before !== null && rows.length > 0 && (
          <div class="pager">
            <Button isBusy={isBusy.value} onClick={() => void loadOlder()}>
              Load older ones
            </Button>
          </div>
        )}
      </div>
    </Page>
  )
}

function Filters(props: Readonly<Record<"user" | "object" | "since", string>>): JSX.Element {
  const user = useSignal(props.user)
  const object = useSignal(props.object)
  const since = useSignal(props.since)
  const apply = useSignal(
    debounce((query: Readonly<Record<string, string>>) => setQuery(query), 400),
  ).value
  useEffect(
    () => apply({ user: user.value, object: object.value, since: since.value }),
    [user.value, object.value, since.value],
  )
  return (
    <div class="audit-filters">
      <FieldRow>
        <Field label="User" value={user} placeholder="everybody" />
        <Field
          label="Action or object"
          value={object}
          placeholder="for example queues, or a name"
        />
        <Field label="Since" value={since} placeholder="2026-01-31 or 2026-01-31T12:00Z" />
      </FieldRow>
    </div>
  )
}

function Rows({ rows }: { rows: readonly AuditRow[] }): JSX.Element {
  return (
    <div class="table-scroll">
      <table class="table">
        <thead>
          <tr>
            {["Time", "Who", "Action", "Object", "Result", "Details"].map((label) => (
              <th scope="col" key={label}>
                {label}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <Row key={row.id} row={row} />
          ))}
        </tbody>
      </table>
    </div>
  )
}

function Row({ row }: { row: AuditRow }): JSX.Element {
  const isDone = row.status < 400
  const changes = row.changes === undefined ? "" : JSON.stringify(row.changes)
  const where = [row.vhost, row.object].filter((part) => part !== undefined).join(" › ")
  return (
    <tr>
      <td data-label="Time">{formatDate(Date.parse(row.time))}</td>
      <td data-label="Who" class="is-wide">
        {row.user} <span class="muted">{row.peer}</span>
      </td>
      <td data-label="Action" class="is-wide audit-details">
        <code title={row.action}>{row.action.replace("/api/", "")}</code>
      </td>
      <td data-label="Object" class="is-wide" title={where}>
        {where}
      </td>
      <td data-label="Result">
        <Badge tone={isDone ? "ok" : "danger"}>{isDone ? "done" : String(row.status)}</Badge>
      </td>
      <td data-label="Details" class="is-wide audit-details" title={row.error ?? changes}>
        {row.error ?? <code>{changes}</code>}
      </td>
    </tr>
  )
}
