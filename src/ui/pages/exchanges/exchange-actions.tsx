import type { BulkAction } from "../../components/data-table.tsx"
import { actOnAll } from "../../core/act.ts"
import { del } from "../../core/api.ts"
import { confirm } from "../../core/confirm.ts"
import { toast } from "../../core/toasts.ts"
import { formatCount } from "../../lib/format.ts"
import { apiPath } from "../../lib/route.ts"
import { addressName, isPredeclared, shownName } from "./types.ts"
import type { BindingRow, ExchangeRow } from "./types.ts"

/** Deleting exchanges, and unbinding. */
const EXCHANGES = ["exchange", "exchanges"] as const
const BINDINGS = ["binding", "bindings"] as const

function report(
  done: string,
  count: number,
  noun: readonly [string, string],
  failures: readonly string[],
): void {
  if (count > 0) toast("success", `${done} ${formatCount(count, noun)}`)
  if (failures.length > 0)
    toast(
      "error",
      `${formatCount(failures.length, noun)} not: ${[...new Set(failures)].slice(0, 3).join("; ")}`,
    )
}

export async function deleteExchanges(rows: readonly ExchangeRow[]): Promise<boolean> {
  const chosen = rows.filter(({ name }) => !isPredeclared(name))
  const left = rows.length - chosen.length
  if (chosen.length === 0) {
    toast("error", "Exchanges named amq. and the default exchange belong to the broker and stay.")
    return false
  }
  const what = formatCount(chosen.length, EXCHANGES)
  const [only] = chosen
  const isSure = await confirm({
    title: `Delete ${what}`,
    text: `Their bindings go, too, and clients that publish to them are refused.${left > 0 ? ` ${String(left)} of the broker's own stay.` : ""}`,
    action: `Delete ${what}`,
    isDangerous: true,
    typed: chosen.length === 1 && only !== undefined ? only.name : String(chosen.length),
    items: chosen.map(({ vhost, name }) => `${vhost} ${name}`),
  })
  if (!isSure) return false
  const { doneCount, failures } = await actOnAll(chosen, ({ vhost, name }) =>
    del(apiPath`exchanges/${vhost}/${name}`),
  )
  report("Deleted", doneCount, EXCHANGES, failures)
  return failures.length === 0
}

export async function unbind(rows: readonly BindingRow[]): Promise<boolean> {
  const what = formatCount(rows.length, BINDINGS)
  const isSure = await confirm({
    title: `Remove ${what}`,
    text: "Messages no longer follow them. What is in the queues stays.",
    action: `Remove ${what}`,
    isDangerous: true,
    items: rows.map(
      ({ source, destination, routing_key: key }) =>
        `${shownName(source)} to ${destination}${key === "" ? "" : ` with ${key}`}`,
    ),
  })
  if (!isSure) return false
  const { doneCount, failures } = await actOnAll(rows, (row) => {
    const kind = row.destination_type === "queue" ? "q" : "e"
    const { vhost, source, destination, properties_key: key } = row
    return del(apiPath`bindings/${vhost}/e/${addressName(source)}/${kind}/${destination}/${key}`)
  })
  report("Removed", doneCount, BINDINGS, failures)
  return failures.length === 0
}

export const DELETE_ACTION: BulkAction<ExchangeRow> = {
  label: "Delete",
  icon: "trash",
  isDangerous: true,
  run: deleteExchanges,
}

export const UNBIND_ACTION: BulkAction<BindingRow> = {
  label: "Unbind",
  icon: "trash",
  isDangerous: true,
  run: unbind,
}
