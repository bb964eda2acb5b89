import type { ComponentChildren, JSX } from "preact"
import { Badge } from "../../components/basics.tsx"
import type { Column } from "../../components/data-table.tsx"
import { formatRate } from "../../lib/format.ts"
import { href } from "../../lib/route.ts"
import { zeroOr } from "../connections/connection-columns.tsx"
import { textOf } from "../connections/types.ts"
import { rateOf } from "../overview/types.ts"
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
      {operator !== null && <Badge title="Operator policy">{operator}</Badge>}
    </>
  )
}

function rate(name: string): (row: ExchangeRow) => ComponentChildren {
  return ({ message_stats: stats }) => {
    const value = rateOf(stats, name).rate
    return zeroOr(value, formatRate(value))
  }
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
  {
    id: "message_stats.publish_in_details.rate",
    label: "In",
    help: "Messages that clients publish here",
    isNumber: true,
    cell: rate("publish_in"),
  },
  {
    id: "message_stats.publish_out_details.rate",
    label: "Out",
    help: "Copies of them that go to queues",
    isNumber: true,
    cell: rate("publish_out"),
  },
  {
    id: "message_stats.unroutable_details.rate",
    label: "Unroutable",
    help: "Messages that reach no queue",
    isNumber: true,
    cell: rate("unroutable"),
  },
]
