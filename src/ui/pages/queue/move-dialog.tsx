import { useSignal } from "@preact/signals"
import type { Signal } from "@preact/signals"
import type { JSX } from "preact"
import { ArgumentEditor } from "../../components/argument-editor.tsx"
import { Dialog } from "../../components/dialog.tsx"
import { Checkbox, Field, FieldRow, Form, Select } from "../../components/form.tsx"
import { post } from "../../core/api.ts"
import { refreshAll, usePoll } from "../../core/use-poll.ts"
import { vhostNames } from "../../core/vhosts.ts"
import { parseArguments } from "../../lib/arguments.ts"
import type { ArgumentRow } from "../../lib/arguments.ts"
import { apiPath } from "../../lib/route.ts"
import { JobProgress } from "./job-progress.tsx"
import type { Job } from "./job-progress.tsx"
import { moveRequest } from "./move-request.ts"
import type { MoveFields } from "./move-request.ts"
import type { QueueDetail } from "./types.ts"

/** Sends dead letters back to where they died, or messages anywhere else: all, or those that match. */
export interface MoveDialogProps {
  readonly queue: QueueDetail
  readonly kind: MoveFields["kind"]
  readonly onClose: () => void
}

const NAMES = [
  "to",
  "maxRedrives",
  "target",
  "vhost",
  "queue",
  "exchange",
  "routingKey",
  "count",
  "rate",
  "reason",
  "fromExchange",
  "fromKey",
  "olderThan",
  "newerThan",
] as const

type Name = (typeof NAMES)[number]
type Fields = Readonly<Record<Name, Signal<string>>>

/** One signal with all texts, and a view of it for each field. */
function useFields(initial: Partial<Record<Name, string>>): Fields {
  const made = NAMES.map((name) => [name, useSignal(initial[name] ?? "")] as const)
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- It has all names.
  return Object.fromEntries(made) as Fields
}

export function MoveDialog({ queue, kind, onClose }: MoveDialogProps): JSX.Element {
  const isRedrive = kind === "redrive"
  const fields = useFields({
    to: "exchange",
    target: "queue",
    vhost: queue.vhost,
    maxRedrives: isRedrive ? "3" : "",
  })
  const headers = useSignal<readonly ArgumentRow[]>([])
  const isDryRun = useSignal(true)
  const job = useSignal<Job | null>(null)
  const submit = async (): Promise<void> => {
    const parsed = parseArguments(headers.value, [])
    if (!parsed.ok) throw new Error(parsed.reason)
    const request = moveRequest({
      kind,
      ...textsOf(fields),
      headers: parsed.value,
      isDryRun: isDryRun.value,
    })
    const path = isRedrive
      ? apiPath`queues/${queue.vhost}/${queue.name}/redrive`
      : apiPath`queues/${queue.vhost}/${queue.name}/move`
    job.value = await post<Job>(path, request)
    refreshAll()
  }
  const verb = isRedrive ? "Send back" : "Move"
  return (
    <Dialog
      title={
        isRedrive ? `Send dead letters of ${queue.name} back` : `Move messages of ${queue.name}`
      }
      isDrawer
      onClose={onClose}
    >
      <Form
        action={isDryRun.value ? "Count them" : verb}
        onSubmit={submit}
        onCancel={onClose}
        isDangerous={!isDryRun.value}
      >
        {isRedrive ? <RedriveTarget fields={fields} /> : <MoveTarget fields={fields} />}
        <FieldRow>
          <Field label="At most" value={fields.count} type="number" min={1} hint="Empty: all" />
          <Field
            label="Per second"
            value={fields.rate}
            type="number"
            min={0}
            hint="Empty: as fast as it goes"
          />
        </FieldRow>
        <Filters fields={fields} headers={headers} />
        <Checkbox
          label="Dry run"
          value={isDryRun}
          hint="Only counts what matches. Untick it to go ahead."
        />
        {job.value !== null && <JobProgress key={job.value.id} started={job.value} verb={verb} />}
      </Form>
    </Dialog>
  )
}

function textsOf(fields: Fields): Record<Name, string> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- It has all names.
  return Object.fromEntries(NAMES.map((name) => [name, fields[name].value])) as Record<Name, string>
}

function RedriveTarget({ fields }: { fields: Fields }): JSX.Element {
  return (
    <>
      <p class="form-lead">
        Where each message goes stands in its x-death header. Messages without it stay.
      </p>
      <Select
        label="Back to"
        value={fields.to}
        options={[
          ["exchange", "The exchange and key they were published with"],
          ["queue", "The queue in which they died"],
        ]}
      />
      <Field
        label="Not more often than"
        value={fields.maxRedrives}
        type="number"
        min={0}
        hint="Times for each message; 0 is no limit"
      />
    </>
  )
}

function MoveTarget({ fields }: { fields: Fields }): JSX.Element {
  const vhost = fields.vhost.value
  const options = { intervalMs: 0 }
  const queues = usePoll<readonly Named[]>(
    apiPath`queues/${vhost}?disable_stats=true&columns=name`,
    options,
  )
  const exchanges = usePoll<readonly Named[]>(apiPath`exchanges/${vhost}?columns=name`, options)
  return (
    <>
      <FieldRow>
        <Select
          label="To"
          value={fields.target}
          options={[
            ["queue", "A queue"],
            ["exchange", "An exchange"],
          ]}
        />
        <Select label="Virtual host" value={fields.vhost} options={vhostNames.value} />
      </FieldRow>
      {fields.target.value === "queue" ? (
        <Field
          label="Queue"
          value={fields.queue}
          suggestions={namesOf(queues.data)}
          isRequired
          isMono
        />
      ) : (
        <FieldRow>
          <Field
            label="Exchange"
            value={fields.exchange}
            suggestions={namesOf(exchanges.data)}
            isMono
            hint="Empty: the default exchange"
          />
          <Field
            label="Routing key"
            value={fields.routingKey}
            isMono
            hint="Empty: each message's own"
          />
        </FieldRow>
      )}
    </>
  )
}

interface Named {
  readonly name: string
}

const namesOf = (rows: readonly Named[] | null): readonly string[] =>
  (rows ?? []).map(({ name }) => name).filter((name) => name !== "")

interface FiltersProps {
  readonly fields: Fields
  readonly headers: Signal<readonly ArgumentRow[]>
}

function Filters({ fields, headers }: FiltersProps): JSX.Element {
  return (
    <fieldset class="stack box">
      <legend>Only messages that match all of this</legend>
      <FieldRow>
        <Select
          label="Died because"
          value={fields.reason}
          options={[
            ["", "Anything"],
            ["rejected", "rejected"],
            ["expired", "expired"],
            ["maxlen", "maxlen: the queue was full"],
            ["delivery_limit", "delivery_limit: returned too often"],
          ]}
        />
        <Field
          label="Here for at least"
          value={fields.olderThan}
          placeholder="15m"
          hint="90s, 15m, 2h, 7d"
        />
        <Field label="Here for at most" value={fields.newerThan} placeholder="2h" hint="The same" />
      </FieldRow>
      <FieldRow>
        <Field label="Came by exchange" value={fields.fromExchange} isMono />
        <Field label="With routing key" value={fields.fromKey} isMono />
      </FieldRow>
      <ArgumentEditor label="With headers" rows={headers} known={[]} />
    </fieldset>
  )
}
