import type { BulkAction } from "../../components/data-table.tsx"
import { del } from "../../core/api.ts"
import { changeAll, named } from "../../core/bulk.ts"
import { toast } from "../../core/toasts.ts"
import { apiPath } from "../../lib/route.ts"
import { addressName, isPredeclared, shownName } from "./types.ts"
import type { BindingRow, ExchangeRow } from "./types.ts"

/** Deleting exchanges, and unbinding. */
export async function deleteExchanges(rows: readonly ExchangeRow[]): Promise<boolean> {
  const chosen = rows.filter(({ name }) => !isPredeclared(name))
  if (chosen.length === 0) {
    toast("error", "Exchanges named amq. and the default exchange belong to the broker and stay.")
    return false
  }
  const left = rows.length - chosen.length
  return changeAll(chosen, {
    ...named<ExchangeRow>(),
    noun: ["exchange", "exchanges"],
    verb: "Delete",
    done: "Deleted",
    warning: `Their bindings go, too, and clients that publish to them are refused.${left > 0 ? ` ${String(left)} of the broker's own stay.` : ""}`,
    change: ({ vhost, name }) => del(apiPath`exchanges/${vhost}/${name}`),
  })
}

export async function unbind(rows: readonly BindingRow[]): Promise<boolean> {
  const removable = rows.filter(({ source }) => source !== "")
  if (removable.length === 0) {
    toast("info", "The binding of the default exchange cannot be removed.")
    return false
  }
  return changeAll(removable, {
    noun: ["binding", "bindings"],
    verb: "Remove",
    done: "Removed",
    warning: "Messages no longer follow them. What is in the queues stays.",
    item: ({ source, destination, routing_key: key }) =>
      `${shownName(source)} to ${destination}${key === "" ? "" : ` with ${key}`}`,
    change: ({ vhost, source, destination, destination_type: type, properties_key: key }) =>
      del(
        apiPath`bindings/${vhost}/e/${addressName(source)}/${type === "queue" ? "q" : "e"}/${destination}/${key}`,
      ),
  })
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
