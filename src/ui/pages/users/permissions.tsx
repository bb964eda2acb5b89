import { useSignal } from "@preact/signals"
import type { Signal } from "@preact/signals"
import type { JSX } from "preact"
import { Button, Panel } from "../../components/basics.tsx"
import { DataTable } from "../../components/data-table.tsx"
import type { Column } from "../../components/data-table.tsx"
import { Dialog } from "../../components/dialog.tsx"
import { Field, Form, Select } from "../../components/form.tsx"
import { act } from "../../core/act.ts"
import { del, put } from "../../core/api.ts"
import { confirm } from "../../core/confirm.ts"
import { toast } from "../../core/toasts.ts"
import { refreshAll, usePoll } from "../../core/use-poll.ts"
import { defaultVhost, vhostNames } from "../../core/vhosts.ts"
import { apiPath, href } from "../../lib/route.ts"
import type { Permission } from "./types.ts"

/** The permissions of a user by vhost, or of a vhost by user. */
export interface Subject {
  /** Of the page on which the list stands. */
  readonly user?: string
  readonly vhost?: string
}

/** The start of the path of the API, and what the other end is called. */
export function listPath({ user, vhost }: Subject, kind: string): string {
  return user === undefined
    ? apiPath`vhosts/${vhost ?? ""}/${kind}`
    : apiPath`users/${user}/${kind}`
}

/** The column of the end that the page is not about. */
export function otherColumn<Row extends { user: string; vhost: string }>({
  user,
}: Subject): Column<Row> {
  return user === undefined
    ? {
        id: "user",
        label: "User",
        cell: (row) => <a href={href(["users", row.user])}>{row.user}</a>,
      }
    : {
        id: "vhost",
        label: "Virtual host",
        cell: (row) => <a href={href(["vhosts", row.vhost])}>{row.vhost}</a>,
      }
}

interface RowActionsProps {
  readonly name: string
  readonly onEdit: () => void
  readonly onClear: () => void
}

export function RowActions({ name, onEdit, onClear }: RowActionsProps): JSX.Element {
  return (
    <span class="row-actions">
      <Button kind="quiet" icon="edit" label={`Edit ${name}`} onClick={onEdit} />
      <Button kind="quiet" icon="trash" label={`Clear ${name}`} onClick={onClear} />
    </span>
  )
}

/** The end that is not given: a list of vhosts, or a user that is typed. */
export function OtherField(props: {
  subject: Subject
  value: Signal<string>
  isFixed: boolean
}): JSX.Element {
  const { subject, value, isFixed } = props
  const users = usePoll<readonly { readonly name: string }[]>(
    subject.user === undefined && !isFixed ? "users?columns=name" : null,
  ).state.value.data
  return subject.user === undefined ? (
    <Field
      label="User"
      value={value}
      isRequired
      isDisabled={isFixed}
      suggestions={users?.map(({ name }) => name) ?? []}
    />
  ) : (
    <Select label="Virtual host" value={value} options={vhostNames.value} isDisabled={isFixed} />
  )
}

function pattern(id: "configure" | "write" | "read", help: string): Column<Permission> {
  return {
    id,
    label: `${id[0]?.toUpperCase() ?? ""}${id.slice(1)}`,
    help,
    cell: (row) =>
      row[id] === "" ? <span class="zero">nothing</span> : <span class="pattern">{row[id]}</span>,
  }
}

export function Permissions({ subject }: { subject: Subject }): JSX.Element {
  const { data, error } = usePoll<readonly Permission[]>(listPath(subject, "permissions")).state
    .value
  const edited = useSignal<Permission | "new" | null>(null)
  return (
    <Panel
      isFlush
      title="Permissions"
      actions={
        <Button icon="plus" onClick={() => (edited.value = "new")}>
          Set permission
        </Button>
      }
    >
      <DataTable<Permission>
        id={subject.user === undefined ? "vhost-permissions" : "user-permissions"}
        noun={["permission", "permissions"]}
        isLocal
        isCompact
        rows={data}
        error={error}
        columns={[
          otherColumn(subject),
          pattern("configure", "Names that may be declared and deleted"),
          pattern("write", "Names that may be published and bound to"),
          pattern("read", "Names that may be consumed, purged and bound from"),
          {
            id: "actions",
            label: "",
            isSortable: false,
            cell: (row) => (
              <RowActions
                name={`${row.user} on ${row.vhost}`}
                onEdit={() => (edited.value = row)}
                onClear={() => void clear(row)}
              />
            ),
          },
        ]}
        rowKey={({ user, vhost }) => `${user} ${vhost}`}
        searchText={({ user, vhost }) => (subject.user === undefined ? user : vhost)}
        empty={{
          title: "No permissions",
          text:
            subject.user === undefined
              ? "Nobody can use this virtual host. Set a permission for a user."
              : "This user cannot open any virtual host. Set a permission for one.",
        }}
      />
      {edited.value !== null && (
        <PermissionForm
          subject={subject}
          row={edited.value === "new" ? null : edited.value}
          onClose={() => (edited.value = null)}
        />
      )}
    </Panel>
  )
}

async function clear({ user, vhost }: Permission): Promise<void> {
  const isSure = await confirm({
    title: "Clear permissions",
    text: `${user} can then no longer use the virtual host ${vhost}. Open channels may go on for a moment.`,
    action: "Clear permissions",
    isDangerous: true,
  })
  if (isSure)
    await act(() => del(apiPath`permissions/${vhost}/${user}`), `Cleared ${user} on ${vhost}`)
}

function PermissionForm(props: {
  subject: Subject
  row: Permission | null
  onClose: () => void
}): JSX.Element {
  const { subject, row, onClose } = props
  const other = useSignal(
    (subject.user === undefined ? row?.user : row?.vhost) ??
      (subject.user === undefined ? "" : defaultVhost.value),
  )
  const configure = useSignal(row?.configure ?? ".*")
  const write = useSignal(row?.write ?? ".*")
  const read = useSignal(row?.read ?? ".*")
  const submit = async (): Promise<void> => {
    const { user = other.value, vhost = other.value } = subject
    await put(apiPath`permissions/${vhost}/${user}`, {
      configure: configure.value,
      write: write.value,
      read: read.value,
    })
    toast("success", `${user} has new permissions on ${vhost}`)
    refreshAll()
    onClose()
  }
  return (
    <Dialog title={row === null ? "Set permission" : "Edit permission"} onClose={onClose}>
      <Form action="Set permission" onSubmit={submit} onCancel={onClose}>
        <OtherField subject={subject} value={other} isFixed={row !== null} />
        <Field
          label="Configure"
          value={configure}
          isMono
          hint="May declare and delete queues and exchanges of these names."
        />
        <Field
          label="Write"
          value={write}
          isMono
          hint="May publish to these exchanges and bind these queues."
        />
        <Field
          label="Read"
          value={read}
          isMono
          hint="May consume, get and purge these queues, and bind to these exchanges."
        />
        <p class="field-hint">
          Regular expressions that are searched in the name: <code>.*</code> is everything, empty is
          nothing, <code>^app\.</code> is what begins with app.
        </p>
      </Form>
    </Dialog>
  )
}
