import { useSignal } from "@preact/signals"
import type { JSX } from "preact"
import { Button, Page, Tabs } from "../../components/basics.tsx"
import { DataTable } from "../../components/data-table.tsx"
import type { Column } from "../../components/data-table.tsx"
import { act } from "../../core/act.ts"
import { del } from "../../core/api.ts"
import { confirm } from "../../core/confirm.ts"
import { location, setQuery } from "../../core/router.ts"
import { may } from "../../core/session.ts"
import { usePoll } from "../../core/use-poll.ts"
import { currentVhost } from "../../core/vhosts.ts"
import { maskValue } from "../../lib/masked-uri.ts"
import { RowActions } from "../users/permissions.tsx"
import { ParameterForm, pathOf } from "./parameter-form.tsx"
import type { ParameterRow } from "./parameter-form.tsx"

/** Runtime parameters of vhosts, and global ones. */
const TABS = [
  { id: "vhost", label: "Of virtual hosts" },
  { id: "global", label: "Global" },
]

export function Parameters(): JSX.Element {
  const isGlobal = location.value.query["of"] === "global"
  const edited = useSignal<ParameterRow | "new" | null>(null)
  const { data, error } = usePoll<readonly ParameterRow[]>(
    isGlobal ? "global-parameters" : "parameters",
  ).state.value
  const rows = data?.filter(
    ({ vhost }) => isGlobal || currentVhost.value === "" || vhost === currentVhost.value,
  )
  const mayChange = may("policymaker")
  const add = (): void => {
    edited.value = "new"
  }
  return (
    <Page
      title="Parameters"
      about="What shovels, federation and plugins keep. Shovels and federation have pages of their own."
      actions={
        mayChange && (
          <Button kind="primary" icon="plus" onClick={add}>
            Add {isGlobal ? "global parameter" : "parameter"}
          </Button>
        )
      }
    >
      <Tabs
        label="Kind of parameters"
        tabs={TABS}
        active={isGlobal ? "global" : "vhost"}
        onSelect={(id) => setQuery({ of: id === "global" ? id : "" })}
      />
      <DataTable<ParameterRow>
        key={isGlobal ? "global" : "vhost"}
        id={isGlobal ? "global-parameters" : "parameters"}
        noun={["parameter", "parameters"]}
        isLocal
        rows={rows ?? null}
        error={error}
        columns={columnsOf(isGlobal, mayChange, (row) => (edited.value = row))}
        rowKey={({ component = "", vhost = "", name }) => `${component} ${vhost} ${name}`}
        searchText={({ component = "", name }) => `${component} ${name}`}
        searchLabel="Search component and name"
        empty={{
          title: "No parameters",
          text: (
            <>
              Nothing has been set.{" "}
              <button type="button" class="link" onClick={add}>
                Add one
              </button>
            </>
          ),
        }}
      />
      {edited.value !== null && (
        <ParameterForm
          isGlobal={isGlobal}
          row={edited.value === "new" ? null : edited.value}
          onClose={() => (edited.value = null)}
        />
      )}
    </Page>
  )
}

function columnsOf(
  isGlobal: boolean,
  mayChange: boolean,
  edit: (row: ParameterRow) => void,
): readonly Column<ParameterRow>[] {
  const columns: readonly Column<ParameterRow>[] = [
    { id: "name", label: "Name", cell: ({ name }) => name },
    { id: "component", label: "Component", isWide: true, cell: ({ component }) => component },
    { id: "vhost", label: "Virtual host", cell: ({ vhost }) => vhost },
    {
      id: "value",
      label: "Value",
      isWide: true,
      isSortable: false,
      cell: ({ value }) => {
        const text = JSON.stringify(maskValue(value))
        return <code title={text}>{text}</code>
      },
    },
    {
      id: "actions",
      label: "",
      isSortable: false,
      cell: (row) =>
        mayChange && (
          <RowActions name={row.name} onEdit={() => edit(row)} onClear={() => void remove(row)} />
        ),
    },
  ]
  return columns.filter(({ id }) => !isGlobal || (id !== "component" && id !== "vhost"))
}

async function remove(row: ParameterRow): Promise<void> {
  const isSure = await confirm({
    title: "Delete parameter",
    text: "What works by it, such as a shovel or a federation link, ends.",
    action: "Delete parameter",
    isDangerous: true,
    typed: row.name,
  })
  if (isSure) await act(() => del(pathOf(row)), `Deleted ${row.name}`)
}
