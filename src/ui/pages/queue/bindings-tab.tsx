import { useSignal } from "@preact/signals"
import type { JSX } from "preact"
import { ArgumentEditor } from "../../components/argument-editor.tsx"
import { Button } from "../../components/basics.tsx"
import { DataTable } from "../../components/data-table.tsx"
import type { BulkAction, Column } from "../../components/data-table.tsx"
import { Dialog } from "../../components/dialog.tsx"
import { Field, Form } from "../../components/form.tsx"
import { actOnAll } from "../../core/act.ts"
import { del, post } from "../../core/api.ts"
import { confirm } from "../../core/confirm.ts"
import { toast } from "../../core/toasts.ts"
import { refreshAll, usePoll } from "../../core/use-poll.ts"
import { BINDING_ARGUMENTS, parseArguments } from "../../lib/arguments.ts"
import type { ArgumentRow } from "../../lib/arguments.ts"
import { formatCount } from "../../lib/format.ts"
import { apiPath } from "../../lib/route.ts"
import { ExchangeLink } from "../messages/message-detail.tsx"
import type { BindingRow } from "./types.ts"

/** From which exchanges the queue gets messages. The binding of the default exchange cannot be removed. */
interface QueueName {
  readonly vhost: string
  readonly name: string
}

const NOUN = ["binding", "bindings"] as const

const COLUMNS: readonly Column<BindingRow>[] = [
  {
    id: "source",
    label: "From exchange",
    cell: ({ source, vhost }) => <ExchangeLink vhost={vhost} name={source} />,
  },
  {
    id: "routing_key",
    label: "Binding key",
    cell: ({ source, routing_key: key }) =>
      source === "" ? (
        <span class="muted">the queue's name; every queue has this binding, and it stays</span>
      ) : key === "" ? (
        <span class="muted">(empty)</span>
      ) : (
        <code class="mono">{key}</code>
      ),
  },
  {
    id: "arguments",
    label: "Arguments",
    isSortable: false,
    cell: ({ arguments: args }) =>
      Object.keys(args).length > 0 && <code class="mono">{JSON.stringify(args)}</code>,
  },
]

export function BindingsTab({ vhost, name }: QueueName): JSX.Element {
  const isAdding = useSignal(false)
  const open = (): void => {
    isAdding.value = true
  }
  const path = apiPath`queues/${vhost}/${name}/bindings`
  return (
    <>
      <DataTable<BindingRow>
        id="queue-bindings"
        noun={NOUN}
        path={path}
        isLocal
        columns={[...COLUMNS, unbindColumn]}
        rowKey={({ source, properties_key: key }) => `${source} ${key}`}
        actions={[UNBIND]}
        searchLabel="Search exchanges"
        toolbar={
          <Button icon="plus" onClick={open}>
            Add binding
          </Button>
        }
        empty={{ title: "No bindings", text: "Add one, so that an exchange sends messages here." }}
      />
      {isAdding.value && (
        <AddBinding
          vhost={vhost}
          name={name}
          onClose={() => {
            isAdding.value = false
          }}
        />
      )}
    </>
  )
}

const unbindColumn: Column<BindingRow> = {
  id: "unbind",
  label: "Unbind",
  isSortable: false,
  cell: (row) =>
    row.source !== "" && (
      <Button
        kind="quiet"
        icon="trash"
        label={`Unbind ${row.source} ${row.routing_key}`}
        onClick={() => void unbind([row])}
      />
    ),
}

async function unbind(rows: readonly BindingRow[]): Promise<boolean> {
  const removable = rows.filter(({ source }) => source !== "")
  if (removable.length === 0) {
    toast("info", "The binding of the default exchange cannot be removed.")
    return false
  }
  const what = formatCount(removable.length, NOUN)
  const isSure = await confirm({
    title: `Remove ${what}`,
    text: "Messages with these keys no longer come to the queue. What is in it stays.",
    action: `Remove ${what}`,
    isDangerous: true,
    items: removable.map(({ source, routing_key: key }) => `${source} → ${key}`),
  })
  if (!isSure) return false
  const { doneCount, failures } = await actOnAll(removable, (row) =>
    del(apiPath`bindings/${row.vhost}/e/${row.source}/q/${row.destination}/${row.properties_key}`),
  )
  if (doneCount > 0) toast("success", `Removed ${formatCount(doneCount, NOUN)}`)
  if (failures.length > 0) toast("error", [...new Set(failures)].slice(0, 3).join("; "))
  return failures.length === 0
}

const UNBIND: BulkAction<BindingRow> = {
  label: "Unbind",
  icon: "trash",
  isDangerous: true,
  run: unbind,
}

function AddBinding({ vhost, name, onClose }: QueueName & { onClose: () => void }): JSX.Element {
  const source = useSignal("")
  const key = useSignal("")
  const args = useSignal<readonly ArgumentRow[]>([])
  const { data } = usePoll<readonly { readonly name: string }[]>(
    apiPath`exchanges/${vhost}?columns=name`,
    { intervalMs: 0 },
  ).state.value
  const names = (data ?? []).map((one) => one.name).filter((one) => one !== "")
  const submit = async (): Promise<void> => {
    const parsed = parseArguments(args.value, BINDING_ARGUMENTS)
    if (!parsed.ok) throw new Error(parsed.reason)
    await post(apiPath`bindings/${vhost}/e/${source.value}/q/${name}`, {
      routing_key: key.value,
      arguments: parsed.value,
    })
    toast("success", `Bound ${name} to ${source.value}`)
    refreshAll()
    onClose()
  }
  return (
    <Dialog title={`Bind ${name}`} isDrawer onClose={onClose}>
      <Form action="Add binding" onSubmit={submit} onCancel={onClose}>
        <Field
          label="From exchange"
          value={source}
          suggestions={names}
          isRequired
          isMono
          hasFocus
        />
        <Field
          label="Binding key"
          value={key}
          isMono
          hint="Direct: the routing key itself. Topic: with * for one word and # for any number. Fanout and headers: not looked at."
        />
        <ArgumentEditor rows={args} known={BINDING_ARGUMENTS} />
        <p class="field-hint">
          For a headers exchange, add one argument for each header that a message must have.
        </p>
      </Form>
    </Dialog>
  )
}
