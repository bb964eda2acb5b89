import { useSignal } from "@preact/signals"
import type { JSX } from "preact"
import { ArgumentEditor } from "../../components/argument-editor.tsx"
import { Badge, Button } from "../../components/basics.tsx"
import { DataTable } from "../../components/data-table.tsx"
import type { Column } from "../../components/data-table.tsx"
import { FormDialog } from "../../components/form-dialog.tsx"
import { Field, FieldRow, Select } from "../../components/form.tsx"
import { post } from "../../core/api.ts"
import { BINDING_ARGUMENTS, parseArguments } from "../../lib/arguments.ts"
import type { ArgumentRow } from "../../lib/arguments.ts"
import { apiPath, href } from "../../lib/route.ts"
import { textOf } from "../connections/types.ts"
import { UNBIND_ACTION, unbind } from "./exchange-actions.tsx"
import { NameField } from "./name-field.tsx"
import { addressName, exchangeHref, shownName } from "./types.ts"
import type { BindingRow, ExchangeRow } from "./types.ts"

/** The bindings from an exchange and to it, and the form for a new one. */
const KEY: Column<BindingRow> = {
  id: "routing_key",
  label: "Binding key",
  isWide: true,
  cell: ({ source, routing_key: key }) =>
    source === "" ? (
      <span class="muted">the queue's name; every queue has this binding, and it stays</span>
    ) : key === "" ? (
      <span class="zero">empty</span>
    ) : (
      <span class="mono" title={key}>
        {key}
      </span>
    ),
}

/** After the columns of the other `end`. */
const rest = (end: "source" | "destination"): readonly Column<BindingRow>[] => [
  KEY,
  {
    id: "arguments",
    label: "Arguments",
    isSortable: false,
    cell: ({ arguments: args }) => (
      <span class="mono">
        {Object.entries(args)
          .map(([name, value]) => `${name}: ${textOf(value)}`)
          .join(", ")}
      </span>
    ),
  },
  {
    id: "unbind",
    label: "Unbind",
    isSortable: false,
    cell: (row) =>
      row.source !== "" && (
        <Button
          kind="quiet"
          icon="trash"
          label={`Unbind ${row[end]} ${row.routing_key}`}
          onClick={() => void unbind([row])}
        />
      ),
  },
]

const FROM_COLUMNS: readonly Column<BindingRow>[] = [
  {
    id: "destination",
    label: "To",
    cell: ({ vhost, destination, destination_type: type }) => (
      <a
        href={
          type === "queue"
            ? href(["queues", vhost, destination])
            : exchangeHref({ vhost, name: destination })
        }
        title={destination}
      >
        {destination}
      </a>
    ),
  },
  {
    id: "destination_type",
    label: "Type",
    cell: ({ destination_type: type }) => (
      <Badge tone={type === "queue" ? "neutral" : "accent"}>{type}</Badge>
    ),
  },
  ...rest("destination"),
]

export const TO_COLUMNS: readonly Column<BindingRow>[] = [
  {
    id: "source",
    label: "From exchange",
    cell: ({ vhost, source }) => (
      <a href={exchangeHref({ vhost, name: source })}>{shownName(source)}</a>
    ),
  },
  ...rest("source"),
]

export const bindingKey = (row: BindingRow): string =>
  `${row.source} ${row.destination_type} ${row.destination} ${row.properties_key}`

export function BindingsFrom({ exchange }: { exchange: ExchangeRow }): JSX.Element {
  const isAdding = useSignal(false)
  const open = (): void => {
    isAdding.value = true
  }
  if (exchange.name === "")
    return (
      <p class="muted">
        Every queue is bound to the default exchange with its own name as the key. These bindings
        cannot be changed.
      </p>
    )
  return (
    <>
      <DataTable<BindingRow>
        id="exchange-bindings"
        noun={["binding", "bindings"]}
        path={apiPath`exchanges/${exchange.vhost}/${exchange.name}/bindings/source`}
        columns={FROM_COLUMNS}
        rowKey={bindingKey}
        actions={[UNBIND_ACTION]}
        isLocal
        searchLabel="Destination"
        toolbar={
          <Button icon="plus" onClick={open}>
            Add binding
          </Button>
        }
        empty={{
          title: "Nothing is bound to this exchange",
          text: (
            <>
              What is published here goes nowhere, unless it has an alternate exchange.{" "}
              <button type="button" class="link" onClick={open}>
                Add a binding
              </button>
            </>
          ),
        }}
      />
      {isAdding.value && (
        <AddBinding
          exchange={exchange}
          onClose={() => {
            isAdding.value = false
          }}
        />
      )}
    </>
  )
}

export function BindingsTo({ exchange }: { exchange: ExchangeRow }): JSX.Element {
  return (
    <DataTable<BindingRow>
      id="exchange-bindings-to"
      noun={["binding", "bindings"]}
      path={apiPath`exchanges/${exchange.vhost}/${addressName(exchange.name)}/bindings/destination`}
      columns={TO_COLUMNS}
      rowKey={bindingKey}
      actions={[UNBIND_ACTION]}
      isLocal
      searchLabel="Source"
      empty={{
        title: "No exchange sends to this one",
        text: "Clients publish to it directly. To feed it from another exchange, add a binding there.",
      }}
    />
  )
}

const KEY_HINTS: Readonly<Record<string, string>> = {
  fanout: "A fanout exchange does not look at it.",
  headers: "A headers exchange does not look at it; add the headers as arguments.",
  topic: "Words between dots; * is one word, # any number of words.",
  "x-consistent-hash": "The weight of the destination: a number from 1.",
}

function AddBinding({
  exchange,
  onClose,
}: {
  exchange: ExchangeRow
  onClose: () => void
}): JSX.Element {
  const kind = useSignal("queue")
  const destination = useSignal("")
  const key = useSignal(exchange.type === "x-consistent-hash" ? "1" : "")
  const args = useSignal<readonly ArgumentRow[]>([])
  const submit = async (): Promise<string> => {
    const parsed = parseArguments(args.value, BINDING_ARGUMENTS)
    if (!parsed.ok) throw new Error(parsed.reason)
    const type = kind.value === "queue" ? "q" : "e"
    await post(
      apiPath`bindings/${exchange.vhost}/e/${exchange.name}/${type}/${destination.value}`,
      { routing_key: key.value, arguments: parsed.value },
    )
    return `Bound ${destination.value}`
  }
  const isQueue = kind.value === "queue"
  return (
    <FormDialog
      title={`Add binding from ${exchange.name}`}
      isDrawer
      action="Add binding"
      onSubmit={submit}
      onClose={onClose}
    >
      <FieldRow>
        <Select
          label="To"
          value={kind}
          options={[
            ["queue", "Queue"],
            ["exchange", "Exchange"],
          ]}
        />
        <NameField
          key={kind.value}
          kind={isQueue ? "queue" : "exchange"}
          vhost={exchange.vhost}
          label={isQueue ? "Queue" : "Exchange"}
          value={destination}
          isRequired
          hasFocus
        />
      </FieldRow>
      <Field
        label="Binding key"
        value={key}
        isMono
        hint={KEY_HINTS[exchange.type] ?? "Compared with the routing key of a message."}
      />
      <ArgumentEditor rows={args} known={exchange.type === "headers" ? BINDING_ARGUMENTS : []} />
    </FormDialog>
  )
}
