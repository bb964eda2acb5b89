import { useSignal } from "@preact/signals"
import type { JSX } from "preact"
import { Badge, Button, Page } from "../../components/basics.tsx"
import { DataTable } from "../../components/data-table.tsx"
import type { BulkAction, Column } from "../../components/data-table.tsx"
import { Dialog } from "../../components/dialog.tsx"
import { del } from "../../core/api.ts"
import { deletion } from "../../core/bulk.ts"
import { may } from "../../core/session.ts"
import { currentVhost, inVhost } from "../../core/vhosts.ts"
import { apiPath } from "../../lib/route.ts"
import { Matches } from "./matches.tsx"
import { PolicyForm } from "./policy-form.tsx"
import { APPLY_TO } from "./types.ts"
import type { PolicyKind, PolicyRow } from "./types.ts"

/** The pages of policies and of operator policies, which differ in words, keys and who may change them. */
const POLICIES: PolicyKind = {
  path: "policies",
  title: "Policies",
  word: "policy",
  noun: ["policy", "policies"],
  about:
    "Settings for all queues and exchanges whose name matches a pattern. Changes apply at once.",
  field: "policy",
  level: "policymaker",
}

const OPERATOR_POLICIES: PolicyKind = {
  path: "operator-policies",
  title: "Operator policies",
  word: "operator policy",
  noun: ["operator policy", "operator policies"],
  about:
    "Limits that users cannot raise: of these, of policies and of arguments the lowest counts.",
  field: "operator_policy",
  level: "administrator",
}

export const Policies = (): JSX.Element => <PolicyPage kind={POLICIES} />
export const OperatorPolicies = (): JSX.Element => <PolicyPage kind={OPERATOR_POLICIES} />

function PolicyPage({ kind }: { kind: PolicyKind }): JSX.Element {
  const edited = useSignal<PolicyRow | "new" | null>(null)
  const looked = useSignal<PolicyRow | null>(null)
  const mayChange = may(kind.level)
  const add = (): void => {
    edited.value = "new"
  }
  return (
    <Page
      title={kind.title}
      about={kind.about}
      actions={
        mayChange && (
          <Button kind="primary" icon="plus" onClick={add}>
            Add {kind.word}
          </Button>
        )
      }
    >
      <DataTable<PolicyRow>
        id={kind.path}
        noun={kind.noun}
        path={inVhost(kind.path)}
        columns={columnsOf(
          mayChange,
          (row) => (edited.value = row),
          (row) => (looked.value = row),
        )}
        rowKey={({ vhost, name }) => `${vhost}/${name}`}
        actions={mayChange ? [deletionOf(kind)] : []}
        empty={{
          title: `No ${kind.noun[1]}`,
          text: mayChange ? (
            <button type="button" class="link" onClick={add}>
              Add the first one
            </button>
          ) : (
            `Those with the tag ${kind.level} can add one.`
          ),
        }}
      />
      {edited.value !== null && (
        <PolicyForm
          kind={kind}
          row={edited.value === "new" ? null : edited.value}
          onClose={() => (edited.value = null)}
        />
      )}
      {looked.value !== null && (
        <Dialog title={`What ${looked.value.name} matches`} onClose={() => (looked.value = null)}>
          <Matches
            kind={kind}
            vhost={looked.value.vhost}
            pattern={looked.value.pattern}
            applyTo={looked.value["apply-to"]}
            name={looked.value.name}
          />
        </Dialog>
      )}
    </Page>
  )
}

function columnsOf(
  mayChange: boolean,
  edit: (row: PolicyRow) => void,
  look: (row: PolicyRow) => void,
): readonly Column<PolicyRow>[] {
  const columns: readonly Column<PolicyRow>[] = [
    {
      id: "name",
      label: "Name",
      cell: (row) => (
        <button type="button" class="link" onClick={() => (mayChange ? edit : look)(row)}>
          {row.name}
        </button>
      ),
    },
    { id: "vhost", label: "Virtual host", cell: ({ vhost }) => vhost },
    {
      id: "pattern",
      label: "Pattern",
      isWide: true,
      cell: ({ pattern }) =>
        pattern === "" ? <span class="muted">every name</span> : <code>{pattern}</code>,
    },
    {
      id: "apply-to",
      label: "Applies to",
      isWide: true,
      cell: (row) => APPLY_TO.find(([id]) => id === row["apply-to"])?.[1] ?? row["apply-to"],
    },
    { id: "priority", label: "Priority", isNumber: true, cell: ({ priority }) => priority },
    {
      id: "definition",
      label: "Definition",
      isWide: true,
      isSortable: false,
      cell: ({ definition }) =>
        Object.entries(definition).map(([key, value]) => (
          <Badge key={key}>
            {key}: {typeof value === "string" ? value : JSON.stringify(value)}
          </Badge>
        )),
    },
    {
      id: "matches",
      label: "",
      isSortable: false,
      cell: (row) => (
        <button type="button" class="link" onClick={() => look(row)}>
          Matches
        </button>
      ),
    },
  ]
  return columns.filter(({ id }) => id !== "vhost" || currentVhost.value === "")
}

function deletionOf({ noun, path }: PolicyKind): BulkAction<PolicyRow> {
  return deletion(
    noun,
    "Queues and exchanges lose these settings at once; another policy that matches takes over.",
    ({ vhost, name }) => del(apiPath`${path}/${vhost}/${name}`),
  )
}
