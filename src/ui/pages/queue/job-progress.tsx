import type { JSX } from "preact"
import { useEffect } from "preact/hooks"
import { Banner, Button, ErrorBanner, Meter } from "../../components/basics.tsx"
import { act } from "../../core/act.ts"
import { del } from "../../core/api.ts"
import { refreshAll, usePoll } from "../../core/use-poll.ts"
import { formatCount, formatNumber } from "../../lib/format.ts"
import { apiPath } from "../../lib/route.ts"

/** How far a move is. It runs in the broker: closing the page does not end it. */
export interface Job {
  readonly id: string
  readonly state: "running" | "completed" | "cancelled" | "failed"
  readonly error: string | null
  readonly destination: string
  readonly dry_run: boolean
  readonly total: number
  readonly scanned: number
  readonly matched: number
  readonly moved: number
  readonly skipped: number
  readonly held: number
}

const MESSAGES = ["message", "messages"] as const

export interface JobProgressProps {
  readonly started: Job
  readonly verb: string
}

export function JobProgress({ started, verb }: JobProgressProps): JSX.Element {
  const poll = usePoll<Job>(apiPath`jobs/${started.id}`, { intervalMs: 500 })
  const { data, error } = poll.state.value
  const job = data ?? started
  const hasEnded = job.state !== "running"
  useEffect(() => {
    if (hasEnded && !job.dry_run) refreshAll()
  }, [hasEnded])
  if (error !== null) return <ErrorBanner error={error} retry={() => poll.refresh()} />
  if (job.state === "failed")
    return (
      <Banner tone="danger" title={`Stopped after ${formatCount(job.moved, MESSAGES)}.`}>
        {job.error} What was moved stays moved, the rest is where it was.
      </Banner>
    )
  const count = formatCount(job.dry_run ? job.matched : job.moved, MESSAGES)
  const of = ` of ${formatNumber(job.total)}`
  if (hasEnded)
    return (
      <Banner
        tone={job.state === "cancelled" ? "warn" : "ok"}
        title={`${count}${of} ${doneWord(job)}.`}
      >
        {note(job, verb)}
      </Banner>
    )
  return (
    <div class="stack" role="status">
      <span>
        {count}
        {of} so far, {formatNumber(job.scanned)} looked at.
      </span>
      <Meter fraction={job.total === 0 ? 1 : job.scanned / job.total} label="Looked at" />
      <div class="row">
        <Button
          icon="close"
          onClick={() => void act(() => del(apiPath`jobs/${job.id}`), "Stopped the move")}
        >
          Stop it
        </Button>
      </div>
    </div>
  )
}

function doneWord(job: Job): string {
  if (job.dry_run) return job.matched === 1 ? "matches" : "match"
  return job.state === "cancelled" ? "moved, then it was stopped" : "moved"
}

function note(job: Job, verb: string): string {
  if (job.dry_run)
    return job.matched === 0
      ? "Nothing would be moved: change what must match."
      : `Nothing has changed. Untick Dry run and press ${verb} to do it.`
  const left = job.matched - job.moved
  return left > 0
    ? `${formatCount(left, MESSAGES)} stayed: they have no x-death header, went back too often, or no queue took them.`
    : `They went to ${job.destination}.`
}
