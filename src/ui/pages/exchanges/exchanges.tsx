import { useSignal } from "@preact/signals"
import type { JSX } from "preact"
import { Button, Page } from "../../components/basics.tsx"
import { DataTable } from "../../components/data-table.tsx"
import { currentVhost, inVhost } from "../../core/vhosts.ts"
import { AddExchange } from "./add-exchange.tsx"
import { DELETE_ACTION } from "./exchange-actions.tsx"
import { EXCHANGE_COLUMNS } from "./exchange-columns.tsx"
import { exchangeHref } from "./types.ts"
import type { ExchangeRow } from "./types.ts"

/** The list of exchanges. */
export function Exchanges(): JSX.Element {
  const isAdding = useSignal(false)
  return (
    <Page
      title="Exchanges"
      actions={
        <Button
          kind="primary"
          icon="plus"
          onClick={() => {
            isAdding.value = true
          }}
        >
          Add exchange
        </Button>
      }
    >
      <DataTable<ExchangeRow>
        id="exchanges"
        noun={["exchange", "exchanges"]}
        path={inVhost("exchanges")}
        columns={EXCHANGE_COLUMNS.filter(({ id }) => id !== "vhost" || currentVhost.value === "")}
        rowKey={({ vhost, name }) => `${vhost}/${name}`}
        rowHref={exchangeHref}
        actions={[DELETE_ACTION]}
        empty={{
          title: "No exchanges",
          text: "Each virtual host has some of its own. You may have access to no virtual host.",
        }}
      />
      {isAdding.value && (
        <AddExchange
          onClose={() => {
            isAdding.value = false
          }}
        />
      )}
    </Page>
  )
}
