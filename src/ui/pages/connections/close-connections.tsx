import { signal, useSignal } from "@preact/signals"
import type { JSX } from "preact"
import type { BulkAction } from "../../components/data-table.tsx"
import { Dialog } from "../../components/dialog.tsx"
import { Field, Form } from "../../components/form.tsx"
import { actOnAll } from "../../core/act.ts"
import { request } from "../../core/api.ts"
import { reasonsOf } from "../../core/bulk.ts"
import { toast } from "../../core/toasts.ts"
import { formatCount } from "../../lib/format.ts"
import { apiPath } from "../../lib/route.ts"
import type { ConnectionRow } from "./types.ts"

/** Closing one connection or several, with a reason that their clients and the log get. */
type Closing = Pick<ConnectionRow, "name" | "user_provided_name">

interface Question {
  readonly connections: readonly Closing[]
  readonly answer: (isDone: boolean) => void
}

const NOUN = ["connection", "connections"] as const
const REASON_LENGTH_MAX = 200
const question = signal<Question | null>(null)

/** True when all of them are closed. */
export function closeConnections(connections: readonly Closing[]): Promise<boolean> {
  return new Promise((resolve) => {
    question.value = { connections, answer: resolve }
  })
}

export const CLOSE_ACTION: BulkAction<ConnectionRow> = {
  label: "Close",
  icon: "close",
  isDangerous: true,
  run: closeConnections,
}

/** To be put on the page once. */
export function CloseConnections(): JSX.Element | null {
  const asked = question.value
  return asked === null ? null : <CloseDialog {...asked} />
}

/** A header takes ASCII only: what is not is quoted as in addresses, which is better than a refusal. */
function headerText(reason: string): string {
  return reason.replaceAll(/[^\x20-\x7e]+/g, encodeURIComponent).slice(0, REASON_LENGTH_MAX)
}

function CloseDialog({ connections, answer }: Question): JSX.Element {
  const reason = useSignal("")
  const what = formatCount(connections.length, NOUN)
  const end = (isDone: boolean): void => {
    question.value = null
    answer(isDone)
  }
  const submit = async (): Promise<void> => {
    const headers = reason.value === "" ? {} : { "X-Reason": headerText(reason.value) }
    const { doneCount, failures } = await actOnAll(connections, ({ name }) =>
      request("DELETE", apiPath`connections/${name}`, { headers }),
    )
    if (doneCount > 0) toast("success", `Closed ${formatCount(doneCount, NOUN)}`)
    if (failures.length > 0)
      throw new Error(`${formatCount(failures.length, NOUN)} not closed: ${reasonsOf(failures)}`)
    end(true)
  }
  return (
    <Dialog title={`Close ${what}`} onClose={() => end(false)}>
      <Form action={`Close ${what}`} isDangerous onSubmit={submit} onCancel={() => end(false)}>
        <p>
          The client is told with code 320. Unacked messages go back to their queues; most clients
          connect again by themselves.
        </p>
        <ul class="confirm-items">
          {connections.slice(0, 100).map(({ name, user_provided_name: own }) => (
            <li key={name}>{own === null ? name : `${own} (${name})`}</li>
          ))}
          {connections.length > 100 && <li>… and {connections.length - 100} more</li>}
        </ul>
        <Field
          label="Reason"
          value={reason}
          hint="Sent to the client, and written to the log. May be left empty."
          placeholder="Closed via management plugin"
          hasFocus
        />
      </Form>
    </Dialog>
  )
}
