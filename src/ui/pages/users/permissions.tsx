import { useSignal } from "@preact/signals"
import type { Signal } from "@preact/signals"
import type { JSX } from "preact"
import { Button, Panel } from "../../components/basics.tsx"
import { DataTable } from "../../components/data-table.tsx"
import type { Column } from "../../components/data-table.tsx"
import { FormDialog } from "../../components/form-dialog.tsx"
import { Field, Select } from "../../components/form.tsx"
import { act } from "../../core/act.ts"
import { del, put } from "../../core/api.ts"
import { confirm } from "../../core/confirm.ts"
import { usePoll } from "../../core/use-poll.ts"
import { defaultVhost, vhostNames } from "../../core/vhosts.ts"
import { apiPath, href } from "../../lib/route.ts"
import type { Permission, TopicPermission } from "./types.ts"

/**
 * The permissions of a user by vhost, or of a vhost by user; and the topic permissions, which narrow them to routing
 * keys.
 */
export interface Subject {
  /** Of the page on which the list stands. */
  readonly user?: string
  readonly vhost?: string
}

function listPath({ user, vhost }: Subject, kind: string): string {
  return user === undefined
    ? apiPath`vhosts/${vhost ?? ""}/${kind}`
    : apiPath`users/${user}/${kind}`
}

/** The column of the end that the page is not about. */
function otherColumn({ user }: Subject): Column<Row> {
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

/** A vhost of the list, or a user that is typed. */
export function SubjectField(props: {
  kind: "user" | "vhost"
  value: Signal<string>
  isFixed: boolean
}): JSX.Element {
  const { kind, value, isFixed } = props
  const users = usePoll<readonly { readonly name: string }[]>(
    kind === "user" && !isFixed ? "users?columns=name" : null,
  ).state.value.data
  return kind === "user" ? (
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

type Row = Permission | TopicPermission

interface PatternField {
  readonly id: "configure" | "write" | "read"
  readonly label: string
  /** In the head of its column. */
  readonly help?: string
  readonly hint: string
}

interface Kind {
  readonly path: string
  readonly noun: readonly [one: string, many: string]
  readonly title: string
  /** The verb stands before it. */
  readonly thing: string
  readonly hasExchange: boolean
  readonly fields: readonly PatternField[]
  readonly emptyText: (subject: Subject) => string
  readonly warning: (row: Row) => string
}

const PERMISSIONS: Kind = {
  path: "permissions",
  noun: ["permission", "permissions"],
  title: "Permissions",
  thing: "permissions",
  hasExchange: false,
  fields: [
    {
      id: "configure",
      label: "Configure",
      help: "Names that may be declared and deleted",
      hint: "May declare and delete queues and exchanges of these names.",
    },
    {
      id: "write",
      label: "Write",
      help: "Names that may be published and bound to",
      hint: "May publish to these exchanges and bind these queues.",
    },
    {
      id: "read",
      label: "Read",
      help: "Names that may be consumed, purged and bound from",
      hint: "May consume, get and purge these queues, and bind to these exchanges.",
    },
  ],
  emptyText: ({ user }) =>
    user === undefined
      ? "Nobody can use this virtual host. Set a permission for a user."
      : "This user cannot open any virtual host. Set a permission for one.",
  warning: ({ user, vhost }) =>
    `${user} can then no longer use the virtual host ${vhost}. Open channels may go on for a moment.`,
}

const TOPIC_PERMISSIONS: Kind = {
  path: "topic-permissions",
  noun: ["topic permission", "topic permissions"],
  title: "Topic permissions",
  thing: "topic permission",
  hasExchange: true,
  fields: [
    {
      id: "write",
      label: "Write keys",
      hint: "Routing keys that may be published with, as a regular expression. {username} and {vhost} stand for those of the connection.",
    },
    { id: "read", label: "Read keys", hint: "Routing keys that may be bound with." },
  ],
  emptyText: () => "All routing keys are allowed. Set one to limit the keys at a topic exchange.",
  warning: (row) =>
    `${row.user} may then use every routing key at ${exchangeOf(row)} in ${row.vhost}.`,
}

interface PermissionsProps {
  readonly subject: Subject
}

export const Permissions = ({ subject }: PermissionsProps): JSX.Element => (
  <PermissionPanel kind={PERMISSIONS} subject={subject} />
)
export const TopicPermissions = ({ subject }: PermissionsProps): JSX.Element => (
  <PermissionPanel kind={TOPIC_PERMISSIONS} subject={subject} />
)

function exchangeOf(row: Row): string {
  return "exchange" in row ? row.exchange : ""
}

function patternOf(row: Row, id: PatternField["id"]): string {
  return id === "configure" ? ("configure" in row ? row.configure : "") : row[id]
}

/** `guest at amq.topic`, `guest on /` */
function nameOf(row: Row): string {
  return "exchange" in row ? `${row.user} at ${row.exchange}` : `${row.user} on ${row.vhost}`
}

interface KindProps extends PermissionsProps {
  readonly kind: Kind
}

function PermissionPanel({ kind, subject }: KindProps): JSX.Element {
  const { path, noun, title, fields } = kind
  const { data, error } = usePoll<readonly Row[]>(listPath(subject, path)).state.value
  const edited = useSignal<Row | "new" | null>(null)
  return (
    <Panel
      isFlush
      title={title}
      actions={
        <Button icon="plus" onClick={() => (edited.value = "new")}>
          Set {noun[0]}
        </Button>
      }
    >
      <DataTable<Row>
        id={`${subject.user === undefined ? "vhost" : "user"}-${path}`}
        noun={noun}
        isLocal
        isCompact
        rows={data}
        error={error}
        columns={[
          otherColumn(subject),
          ...(kind.hasExchange ? [{ id: "exchange", label: "Exchange", cell: exchangeOf }] : []),
          ...fields.map((field) => patternColumn(field)),
          {
            id: "actions",
            label: "",
            isSortable: false,
            cell: (row) => (
              <RowActions
                name={nameOf(row)}
                onEdit={() => (edited.value = row)}
                onClear={() => void clear(kind, row)}
              />
            ),
          },
        ]}
        rowKey={(row) => `${row.user} ${row.vhost} ${exchangeOf(row)}`}
        searchText={(row) => `${row.user} ${row.vhost} ${exchangeOf(row)}`}
        empty={{ title: `No ${noun[1]}`, text: kind.emptyText(subject) }}
      />
      {edited.value !== null && (
        <PermissionForm
          kind={kind}
          subject={subject}
          row={edited.value === "new" ? null : edited.value}
          onClose={() => (edited.value = null)}
        />
      )}
    </Panel>
  )
}

function patternColumn({ id, label, help }: PatternField): Column<Row> {
  return {
    id,
    label,
    ...(help !== undefined && { help }),
    cell: (row) => {
      const pattern = patternOf(row, id)
      return pattern === "" ? (
        <span class="zero">nothing</span>
      ) : (
        <span class="mono">{pattern}</span>
      )
    },
  }
}

async function clear({ path, thing, warning }: Kind, row: Row): Promise<void> {
  const { user, vhost } = row
  const title = `Clear ${thing}`
  if (!(await confirm({ title, text: warning(row), action: title, isDangerous: true }))) return
  const exchange = "exchange" in row ? apiPath`/${row.exchange}` : ""
  await act(() => del(apiPath`${path}/${vhost}/${user}` + exchange), `Cleared ${nameOf(row)}`)
}

interface PermissionFormProps extends KindProps {
  readonly row: Row | null
  readonly onClose: () => void
}

function PermissionForm({ kind, subject, row, onClose }: PermissionFormProps): JSX.Element {
  const { path, noun, hasExchange, fields } = kind
  const other = useSignal(
    (subject.user === undefined ? row?.user : row?.vhost) ??
      (subject.user === undefined ? "" : defaultVhost.value),
  )
  const exchange = useSignal(row === null ? "amq.topic" : exchangeOf(row))
  // The fields of a kind are fixed, so the hooks are always the same.
  const values = fields.map(({ id }) => useSignal(row === null ? ".*" : patternOf(row, id)))
  const submit = async (): Promise<string> => {
    const { user = other.value, vhost = other.value } = subject
    await put(apiPath`${path}/${vhost}/${user}`, {
      ...(hasExchange && { exchange: exchange.value }),
      ...Object.fromEntries(fields.map(({ id }, index) => [id, values[index]?.value])),
    })
    return `${user} has new ${noun[1]} ${hasExchange ? `at ${exchange.value}` : `on ${vhost}`}`
  }
  return (
    <FormDialog
      title={`${row === null ? "Set" : "Edit"} ${noun[0]}`}
      action={`Set ${noun[0]}`}
      onSubmit={submit}
      onClose={onClose}
    >
      <SubjectField
        kind={subject.user === undefined ? "user" : "vhost"}
        value={other}
        isFixed={row !== null}
      />
      {hasExchange && (
        <Field
          label="Exchange"
          value={exchange}
          isRequired
          isDisabled={row !== null}
          hint="A topic exchange; it need not exist yet."
        />
      )}
      {fields.map(({ id, label, hint }, index) => {
        const value = values[index]
        return value && <Field key={id} label={label} value={value} isMono hint={hint} />
      })}
      <p class="field-hint">
        Regular expressions that are searched in the name or key: <code>.*</code> is everything,
        empty is nothing, <code>^app\.</code> is what begins with app.
      </p>
    </FormDialog>
  )
}
