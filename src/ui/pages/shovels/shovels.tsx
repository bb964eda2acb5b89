import { useSignal } from "@preact/signals"
import type { JSX } from "preact"
import { Banner, Button, Page, State } from "../../components/basics.tsx"
import { DataTable } from "../../components/data-table.tsx"
import type { Column } from "../../components/data-table.tsx"
import { ApiError } from "../../core/api.ts"
import { usePoll } from "../../core/use-poll.ts"
import { currentVhost, inVhost } from "../../core/vhosts.ts"
import { formatNumber, formatRate } from "../../lib/format.ts"
import { urisToText } from "../../lib/masked-uri.ts"
import { SHOVEL_ACTIONS } from "./shovel-actions.ts"
import { ShovelForm } from "./shovel-form.tsx"
import { stateTone, textOf } from "./types.ts"
import type { ShovelParameter, ShovelRow, ShovelStatus } from "./types.ts"

/** The shovels: what they do, and how they do. */
export function isMissing(error: unknown): boolean {
  return error instanceof ApiError && error.status === 404
}

export function Shovels(): JSX.Element {
  const parameters = usePoll<readonly ShovelParameter[]>(inVhost("parameters/shovel")).state.value
  const statuses = usePoll<readonly ShovelStatus[]>(inVhost("shovels")).state.value
  const edited = useSignal<ShovelRow | "new" | null>(null)
  const add = (): void => {
    edited.value = "new"
  }
  const byKey = new Map(statuses.data?.map((one) => [`${one.vhost}/${one.name}`, one]))
  const rows = parameters.data?.map((one): ShovelRow => {
    const status = byKey.get(`${one.vhost}/${one.name}`) ?? null
    return { ...one, status, state: status?.state ?? "" }
  })
  return (
    <Page
      title="Shovels"
      about="Shovels move messages from a queue or an exchange to another one, here or on another broker."
      actions={
        <Button kind="primary" icon="plus" onClick={add}>
          Add shovel
        </Button>
      }
    >
      {isMissing(statuses.error) && (
        <Banner tone="warn" title="This broker does not run shovels.">
          They are kept, and begin when a version that does takes over.
        </Banner>
      )}
      <DataTable<ShovelRow>
        id="shovels"
        noun={["shovel", "shovels"]}
        rows={rows ?? null}
        error={parameters.error ?? (isMissing(statuses.error) ? null : statuses.error)}
        columns={columnsWith((row) => (edited.value = row))}
        rowKey={({ vhost, name }) => `${vhost}/${name}`}
        actions={SHOVEL_ACTIONS}
        empty={{
          title: "No shovels",
          text: (
            <>
              <button type="button" class="link" onClick={add}>
                Add one
              </button>{" "}
              to move messages, once or for good.
            </>
          ),
        }}
      />
      {edited.value !== null && (
        <ShovelForm
          row={edited.value === "new" ? null : edited.value}
          onClose={() => (edited.value = null)}
        />
      )}
    </Page>
  )
}

function columnsWith(edit: (row: ShovelRow) => void): readonly Column<ShovelRow>[] {
  const columns: readonly Column<ShovelRow>[] = [
    {
      id: "name",
      label: "Name",
      cell: (row) => (
        <button type="button" class="link" onClick={() => edit(row)}>
          {row.name}
        </button>
      ),
    },
    { id: "vhost", label: "Virtual host", cell: ({ vhost }) => vhost },
    {
      id: "state",
      label: "State",
      isWide: true,
      cell: ({ status }) => <LinkState state={status?.state ?? ""} error={status?.error} />,
    },
    {
      id: "value.src-uri",
      label: "Source",
      isWide: true,
      cell: ({ value }) => endOf(value, "src"),
    },
    {
      id: "value.dest-uri",
      label: "Destination",
      isWide: true,
      cell: ({ value }) => endOf(value, "dest"),
    },
    {
      id: "value.ack-mode",
      label: "Acked",
      isOptional: true,
      cell: ({ value }) => textOf(value["ack-mode"] ?? "on-confirm"),
    },
    {
      id: "value.src-prefetch-count",
      label: "Prefetch",
      isNumber: true,
      isOptional: true,
      cell: ({ value }) => textOf(value["src-prefetch-count"] ?? 1000),
    },
    {
      id: "value.reconnect-delay",
      label: "Reconnect delay",
      isNumber: true,
      isOptional: true,
      cell: ({ value }) => `${textOf(value["reconnect-delay"] ?? 5)} s`,
    },
    {
      id: "value.src-delete-after",
      label: "Ends",
      cell: ({ value }) => textOf(value["src-delete-after"] ?? "never"),
    },
    {
      id: "status.message_rate",
      label: "Rate",
      isNumber: true,
      cell: ({ status }) => formatRate(status?.message_rate),
    },
    {
      id: "status.message_count",
      label: "Messages",
      isNumber: true,
      cell: ({ status }) => formatNumber(status?.message_count),
    },
  ]
  return columns.filter(({ id }) => id !== "vhost" || currentVhost.value === "")
}

/** A state with what is wrong, if something is. */
export function LinkState({
  state,
  error,
}: {
  state: string
  error: string | null | undefined
}): JSX.Element {
  if (state === "") return <span class="muted">not known</span>
  return (
    <span title={error ?? ""}>
      <State tone={stateTone(state)}>{state.toLowerCase()}</State>
      {error !== null && error !== undefined && error !== "" && (
        <span class="link-error">{error}</span>
      )}
    </span>
  )
}

function endOf(value: Readonly<Record<string, unknown>>, end: "src" | "dest"): JSX.Element {
  const uri = urisToText(value[`${end}-uri`]).replaceAll("\n", ", ")
  const place = value[`${end}-queue`] ?? value[`${end}-exchange`]
  return (
    <span title={uri}>
      {textOf(place)} <span class="muted">{uri === "amqp://" ? "this broker" : uri}</span>
    </span>
  )
}
