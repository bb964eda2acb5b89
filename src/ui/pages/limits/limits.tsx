import { useSignal } from "@preact/signals"
import type { JSX } from "preact"
import { Button, Page, Panel } from "../../components/basics.tsx"
import { DataTable } from "../../components/data-table.tsx"
import { FormDialog } from "../../components/form-dialog.tsx"
import { act } from "../../core/act.ts"
import { del } from "../../core/api.ts"
import { confirm } from "../../core/confirm.ts"
import { usePoll } from "../../core/use-poll.ts"
import { defaultVhost } from "../../core/vhosts.ts"
import { formatNumber } from "../../lib/format.ts"
import { apiPath, href } from "../../lib/route.ts"
import { RowActions, SubjectField } from "../users/permissions.tsx"
import {
  LimitFields,
  saveLimits,
  useLimitFields,
  USER_LIMITS,
  VHOST_LIMITS,
} from "./limits-panel.tsx"
import type { KnownLimit, LimitKind } from "./limits-panel.tsx"

/** All limits of vhosts and users. */
interface LimitRow {
  readonly name: string
  readonly value: Readonly<Record<string, number>>
}

interface Kind {
  readonly kind: LimitKind
  readonly title: string
  readonly noun: readonly [string, string]
  readonly known: readonly KnownLimit[]
  readonly about: string
}

const KINDS: readonly Kind[] = [
  {
    kind: "vhost",
    title: "Virtual hosts",
    noun: ["virtual host with limits", "virtual hosts with limits"],
    known: VHOST_LIMITS,
    about: "A virtual host without a limit may have any number of connections and queues.",
  },
  {
    kind: "user",
    title: "Users",
    noun: ["user with limits", "users with limits"],
    known: USER_LIMITS,
    about: "A user without a limit may open any number of connections and channels.",
  },
]

export function Limits(): JSX.Element {
  return (
    <Page
      title="Limits"
      about="How many connections, queues and channels a virtual host or a user may have"
    >
      {KINDS.map((kind) => (
        <KindPanel key={kind.kind} {...kind} />
      ))}
    </Page>
  )
}

function KindPanel({ kind, title, noun, known, about }: Kind): JSX.Element {
  const { data, error } = usePoll<readonly Readonly<Record<string, unknown>>[]>(`${kind}-limits`)
    .state.value
  const edited = useSignal<LimitRow | "new" | null>(null)
  const rows = data?.map((row): LimitRow => ({
    name: String(row[kind]),
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The API documents it.
    value: row["value"] as LimitRow["value"],
  }))
  return (
    <Panel
      title={title}
      isFlush
      actions={
        <Button icon="plus" onClick={() => (edited.value = "new")}>
          {kind === "vhost" ? "Limit a virtual host" : "Limit a user"}
        </Button>
      }
    >
      <DataTable<LimitRow>
        id={`${kind}-limits`}
        noun={noun}
        isLocal
        isCompact
        rows={rows ?? null}
        error={error}
        columns={[
          {
            id: "name",
            label: "Name",
            cell: ({ name }) => <a href={href([`${kind}s`, name])}>{name}</a>,
          },
          ...known.map(({ name, label }) => ({
            id: `value.${name}`,
            label,
            isNumber: true,
            cell: ({ value }: LimitRow) =>
              value[name] === undefined ? (
                <span class="zero">no limit</span>
              ) : (
                formatNumber(value[name])
              ),
          })),
          {
            id: "actions",
            label: "",
            isSortable: false,
            cell: (row) => (
              <RowActions
                name={row.name}
                onEdit={() => (edited.value = row)}
                onClear={() => void clear(kind, row)}
              />
            ),
          },
        ]}
        rowKey={({ name }) => name}
        empty={{ title: "No limits", text: about }}
      />
      {edited.value !== null && (
        <LimitForm
          kind={kind}
          known={known}
          row={edited.value === "new" ? null : edited.value}
          onClose={() => (edited.value = null)}
        />
      )}
    </Panel>
  )
}

async function clear(kind: LimitKind, { name, value }: LimitRow): Promise<void> {
  const isSure = await confirm({
    title: "Clear limits",
    text: `${name} then has no limits.`,
    action: "Clear limits",
    isDangerous: true,
  })
  if (!isSure) return
  await act(async () => {
    for (const limit of Object.keys(value)) await del(apiPath`${`${kind}-limits`}/${name}/${limit}`)
  }, `Cleared the limits of ${name}`)
}

function LimitForm(props: {
  kind: LimitKind
  known: readonly KnownLimit[]
  row: LimitRow | null
  onClose: () => void
}): JSX.Element {
  const { kind, known, row, onClose } = props
  const isVhost = kind === "vhost"
  const name = useSignal(row?.name ?? (isVhost ? defaultVhost.value : ""))
  const fields = useLimitFields(row?.value ?? {}, known)
  const submit = async (): Promise<string> => {
    await saveLimits(
      kind,
      name.value,
      row?.value ?? {},
      fields.map(([limit, value]) => [limit, value.value]),
    )
    return `Set the limits of ${name.value}`
  }
  return (
    <FormDialog
      title={isVhost ? "Limit a virtual host" : "Limit a user"}
      action="Set limits"
      onSubmit={submit}
      onClose={onClose}
    >
      <SubjectField kind={kind} value={name} isFixed={row !== null} />
      <LimitFields fields={fields} />
      <p class="field-hint">
        Empty is no limit. What is there already stays; new ones are refused.
      </p>
    </FormDialog>
  )
}
