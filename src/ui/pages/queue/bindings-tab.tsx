import { useSignal } from "@preact/signals"
import type { JSX } from "preact"
import { ArgumentEditor } from "../../components/argument-editor.tsx"
import { Button } from "../../components/basics.tsx"
import { DataTable } from "../../components/data-table.tsx"
import { FormDialog } from "../../components/form-dialog.tsx"
import { Field } from "../../components/form.tsx"
import { post } from "../../core/api.ts"
import { usePoll } from "../../core/use-poll.ts"
import { BINDING_ARGUMENTS, parseArguments } from "../../lib/arguments.ts"
import type { ArgumentRow } from "../../lib/arguments.ts"
import { apiPath } from "../../lib/route.ts"
import { bindingKey, TO_COLUMNS } from "../exchanges/bindings.tsx"
import { UNBIND_ACTION } from "../exchanges/exchange-actions.tsx"
import type { BindingRow } from "../exchanges/types.ts"

/** From which exchanges the queue gets messages. The binding of the default exchange cannot be removed. */
interface QueueName {
  readonly vhost: string
  readonly name: string
}

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
        noun={["binding", "bindings"]}
        path={path}
        isLocal
        columns={TO_COLUMNS}
        rowKey={bindingKey}
        actions={[UNBIND_ACTION]}
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

function AddBinding({ vhost, name, onClose }: QueueName & { onClose: () => void }): JSX.Element {
  const source = useSignal("")
  const key = useSignal("")
  const args = useSignal<readonly ArgumentRow[]>([])
  const { data } = usePoll<readonly { readonly name: string }[]>(
    apiPath`exchanges/${vhost}?columns=name`,
    { intervalMs: 0 },
  ).state.value
  const names = (data ?? []).map((one) => one.name).filter((one) => one !== "")
  const submit = async (): Promise<string> => {
    const parsed = parseArguments(args.value, BINDING_ARGUMENTS)
    if (!parsed.ok) throw new Error(parsed.reason)
    await post(apiPath`bindings/${vhost}/e/${source.value}/q/${name}`, {
      routing_key: key.value,
      arguments: parsed.value,
    })
    return `Bound ${name} to ${source.value}`
  }
  return (
    <FormDialog
      title={`Bind ${name}`}
      isDrawer
      action="Add binding"
      onSubmit={submit}
      onClose={onClose}
    >
      <Field label="From exchange" value={source} suggestions={names} isRequired isMono hasFocus />
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
    </FormDialog>
  )
}
