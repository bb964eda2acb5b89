import { useSignal } from "@preact/signals"
import type { JSX } from "preact"
import { Button, Panel } from "../../components/basics.tsx"
import { DataTable } from "../../components/data-table.tsx"
import { Dialog } from "../../components/dialog.tsx"
import { Field, Form } from "../../components/form.tsx"
import { act } from "../../core/act.ts"
import { del, put } from "../../core/api.ts"
import { confirm } from "../../core/confirm.ts"
import { toast } from "../../core/toasts.ts"
import { refreshAll, usePoll } from "../../core/use-poll.ts"
import { defaultVhost } from "../../core/vhosts.ts"
import { apiPath } from "../../lib/route.ts"
import { listPath, OtherField, otherColumn, RowActions } from "./permissions.tsx"
import type { Subject } from "./permissions.tsx"
import type { TopicPermission } from "./types.ts"

/** Which routing keys may be used at topic exchanges: further narrowed permissions. */
export function TopicPermissions({ subject }: { subject: Subject }): JSX.Element {
  const { data, error } = usePoll<readonly TopicPermission[]>(
    listPath(subject, "topic-permissions"),
  ).state.value
  const edited = useSignal<TopicPermission | "new" | null>(null)
  return (
    <Panel
      isFlush
      title="Topic permissions"
      actions={
        <Button icon="plus" onClick={() => (edited.value = "new")}>
          Set topic permission
        </Button>
      }
    >
      <DataTable<TopicPermission>
        id={subject.user === undefined ? "vhost-topic-permissions" : "user-topic-permissions"}
        noun={["topic permission", "topic permissions"]}
        isLocal
        isCompact
        rows={data}
        error={error}
        columns={[
          otherColumn(subject),
          { id: "exchange", label: "Exchange", cell: ({ exchange }) => exchange },
          {
            id: "write",
            label: "Write keys",
            cell: ({ write }) => <span class="pattern">{write}</span>,
          },
          {
            id: "read",
            label: "Read keys",
            cell: ({ read }) => <span class="pattern">{read}</span>,
          },
          {
            id: "actions",
            label: "",
            isSortable: false,
            cell: (row) => (
              <RowActions
                name={`${row.user} at ${row.exchange}`}
                onEdit={() => (edited.value = row)}
                onClear={() => void clear(row)}
              />
            ),
          },
        ]}
        rowKey={({ user, vhost, exchange }) => `${user} ${vhost} ${exchange}`}
        searchText={({ user, vhost, exchange }) => `${user} ${vhost} ${exchange}`}
        empty={{
          title: "No topic permissions",
          text: "All routing keys are allowed. Set one to limit the keys at a topic exchange.",
        }}
      />
      {edited.value !== null && (
        <TopicForm
          subject={subject}
          row={edited.value === "new" ? null : edited.value}
          onClose={() => (edited.value = null)}
        />
      )}
    </Panel>
  )
}

async function clear({ user, vhost, exchange }: TopicPermission): Promise<void> {
  const isSure = await confirm({
    title: "Clear topic permission",
    text: `${user} may then use every routing key at ${exchange} in ${vhost}.`,
    action: "Clear topic permission",
    isDangerous: true,
  })
  if (isSure)
    await act(
      () => del(apiPath`topic-permissions/${vhost}/${user}/${exchange}`),
      `Cleared ${user} at ${exchange}`,
    )
}

function TopicForm(props: {
  subject: Subject
  row: TopicPermission | null
  onClose: () => void
}): JSX.Element {
  const { subject, row, onClose } = props
  const other = useSignal(
    (subject.user === undefined ? row?.user : row?.vhost) ??
      (subject.user === undefined ? "" : defaultVhost.value),
  )
  const exchange = useSignal(row?.exchange ?? "amq.topic")
  const write = useSignal(row?.write ?? ".*")
  const read = useSignal(row?.read ?? ".*")
  const submit = async (): Promise<void> => {
    const { user = other.value, vhost = other.value } = subject
    await put(apiPath`topic-permissions/${vhost}/${user}`, {
      exchange: exchange.value,
      write: write.value,
      read: read.value,
    })
    toast("success", `${user} has new topic permissions at ${exchange.value}`)
    refreshAll()
    onClose()
  }
  return (
    <Dialog title="Set topic permission" onClose={onClose}>
      <Form action="Set topic permission" onSubmit={submit} onCancel={onClose}>
        <OtherField subject={subject} value={other} isFixed={row !== null} />
        <Field
          label="Exchange"
          value={exchange}
          isRequired
          isDisabled={row !== null}
          hint="A topic exchange; it need not exist yet."
        />
        <Field
          label="Write"
          value={write}
          isMono
          hint="Routing keys that may be published with, as a regular expression. {username} and {vhost} stand for those of the connection."
        />
        <Field label="Read" value={read} isMono hint="Routing keys that may be bound with." />
      </Form>
    </Dialog>
  )
}
