import type { JSX } from "preact"
import { Badge } from "../../components/basics.tsx"
import type { Column } from "../../components/data-table.tsx"
import { numberColumn } from "../../components/number-column.tsx"
import { href } from "../../lib/route.ts"
import { textOf } from "../connections/types.ts"
import { exchangeHref, isDelayed, shownName, typeName } from "./types.ts"
import type { ExchangeRow } from "./types.ts"

/** The columns of the list of exchanges. */
export function ExchangeFeatures({ exchange }: { exchange: ExchangeRow }): JSX.Element {
  const args = Object.entries(exchange.arguments)
  return (
    <>
      {exchange.durable && <Badge title="Durable: survives a restart">D</Badge>}
      {exchange.auto_delete && <Badge title="Auto-delete: goes with its last binding">AD</Badge>}
      {exchange.internal && <Badge title="Internal: clients cannot publish to it">I</Badge>}
      {isDelayed(exchange) && <Badge title="Delayed: messages with x-delay wait">d</Badge>}
      {args.length > 0 && (
        <Badge title={args.map(([name, value]) => `${name}: ${textOf(value)}`).join(", ")}>
          Args
        </Badge>
      )}
    </>
  )
}

export function Policies({ exchange }: { exchange: ExchangeRow }): JSX.Element {
  const { policy, operator_policy: operator } = exchange
  return (
    <>
      {policy !== null && <a href={href(["policies"], { name: policy })}>{policy}</a>}
      {policy !== null && operator !== null && " "}
      {operator !== null && <Badge title="Operator policy">{operator}</Badge>}
    </>
  )
}

export const EXCHANGE_COLUMNS: readonly Column<ExchangeRow>[] = [
  {
    id: "name",
    label: "Name",
    cell: (row) => (
      <a href={exchangeHref(row)} title={shownName(row.name)}>
        {shownName(row.name)}
      </a>
    ),
  },
  { id: "vhost", label: "Virtual host", cell: ({ vhost }) => vhost },
  { id: "type", label: "Type", cell: ({ type }) => <span title={type}>{typeName(type)}</span> },
  {
    id: "durable",
    label: "Features",
    cell: (row) => <ExchangeFeatures exchange={row} />,
  },
  { id: "policy", label: "Policy", cell: (row) => <Policies exchange={row} /> },
  numberColumn("message_stats.publish_in_details.rate", "In", {
    help: "Messages that clients publish here",
  }),
  numberColumn("message_stats.publish_out_details.rate", "Out", {
    help: "Copies of them that go to queues",
  }),
  numberColumn("message_stats.unroutable_details.rate", "Unroutable", {
    help: "Messages that reach no queue",
  }),
]
