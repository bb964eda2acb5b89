import { useSignal } from "@preact/signals"
import type { JSX } from "preact"
import { Badge, Button, Page } from "../../components/basics.tsx"
import { DataTable } from "../../components/data-table.tsx"
import type { BulkAction, Column } from "../../components/data-table.tsx"
import { act } from "../../core/act.ts"
import { post } from "../../core/api.ts"
import { confirm } from "../../core/confirm.ts"
import { user } from "../../core/session.ts"
import { usePoll } from "../../core/use-poll.ts"
import { formatCount } from "../../lib/format.ts"
import { href } from "../../lib/route.ts"
import { AddUser } from "./add-user.tsx"
import type { Permission, UserRow } from "./types.ts"

/** The list of users. */
export async function deleteUsers(
  names: readonly string[],
  onDone: () => Promise<void> = () => Promise.resolve(),
): Promise<boolean> {
  const [only = ""] = names
  const what = names.length === 1 ? "user" : formatCount(names.length, ["user", "users"])
  const isSure = await confirm({
    title: `Delete ${what}`,
    text: "They go with their permissions and limits; their connections are closed.",
    action: `Delete ${what}`,
    isDangerous: true,
    typed: names.length === 1 ? only : String(names.length),
    items: names,
  })
  if (!isSure) return false
  const done = names.length === 1 ? `Deleted ${only}` : `Deleted ${what}`
  return act(async () => {
    await post("users/bulk-delete", { users: names })
    await onDone()
  }, done)
}

const ACTIONS: readonly BulkAction<UserRow>[] = [
  {
    label: "Delete",
    icon: "trash",
    isDangerous: true,
    run: (rows) => deleteUsers(rows.map(({ name }) => name)),
  },
]

function columnsWith(permissions: readonly Permission[] | null): readonly Column<UserRow>[] {
  const vhostsOf = new Map<string, string[]>()
  for (const permission of permissions ?? [])
    vhostsOf.set(permission.user, [...(vhostsOf.get(permission.user) ?? []), permission.vhost])
  return [
    {
      id: "name",
      label: "Name",
      cell: ({ name }) => (
        <>
          <a href={href(["users", name])}>{name}</a>{" "}
          {name === user.value?.name && <Badge tone="accent">you</Badge>}
        </>
      ),
    },
    {
      id: "tags",
      label: "Tags",
      isWide: true,
      cell: ({ tags }) => tags.map((tag) => <Badge key={tag}>{tag}</Badge>),
    },
    {
      id: "vhosts",
      label: "Virtual hosts",
      isWide: true,
      isSortable: false,
      help: "Where the user has permissions",
      cell: ({ name }) =>
        vhostsOf.get(name)?.join(", ") ??
        (permissions === null ? "" : <span class="zero">none</span>),
    },
    {
      id: "password_hash",
      label: "Password",
      isSortable: false,
      cell: ({ password_hash: hash }) =>
        hash === "" ? <Badge tone="warn">none</Badge> : <span class="muted">set</span>,
    },
    {
      id: "limits",
      label: "Limits",
      isSortable: false,
      cell: ({ limits }) =>
        Object.entries(limits)
          .map(([name, value]) => `${name} ${String(value)}`)
          .join(", "),
    },
  ]
}

export function Users(): JSX.Element {
  const isAdding = useSignal(false)
  const areOrphans = useSignal(false)
  const permissions = usePoll<readonly Permission[]>("permissions").state.value.data
  return (
    <Page
      title="Users"
      actions={
        <Button kind="primary" icon="plus" onClick={() => (isAdding.value = true)}>
          Add user
        </Button>
      }
    >
      <DataTable<UserRow>
        id="users"
        noun={["user", "users"]}
        path={areOrphans.value ? "users/without-permissions" : "users"}
        columns={columnsWith(permissions)}
        rowKey={({ name }) => name}
        rowHref={({ name }) => href(["users", name])}
        actions={ACTIONS}
        toolbar={
          <button
            type="button"
            class="chip"
            aria-pressed={areOrphans.value}
            onClick={() => (areOrphans.value = !areOrphans.value)}
          >
            Without permissions
          </button>
        }
        empty={{ title: "No users", text: "Every user has permissions on some virtual host." }}
      />
      {isAdding.value && <AddUser onClose={() => (isAdding.value = false)} />}
    </Page>
  )
}
