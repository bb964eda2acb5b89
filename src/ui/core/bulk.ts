import type { IconName } from "../components/icon.tsx"
import { formatCount } from "../lib/format.ts"
import { actOnAll } from "./act.ts"
import { confirm } from "./confirm.ts"
import { toast } from "./toasts.ts"

/** The same change for many rows of a table: asks first where it cannot be taken back, and tells how it went. */
export interface Bulk<Row> {
  readonly noun: readonly [one: string, many: string]
  /** `Delete`, `Deleted` */
  readonly verb: string
  readonly done: string
  /** Absent where it can be taken back: nobody is asked. */
  readonly warning?: string
  /** What a row is called in the question. */
  readonly item?: (row: Row) => string
  /** What has to be typed for one row; for several it is their number. */
  readonly typed?: (row: Row) => string
  readonly change: (row: Row) => Promise<unknown>
}

export async function changeAll<Row>(rows: readonly Row[], bulk: Bulk<Row>): Promise<boolean> {
  const { noun, verb, done, warning, item = String, typed, change } = bulk
  if (warning !== undefined) {
    const title = `${verb} ${formatCount(rows.length, noun)}`
    const [only] = rows
    const isSure = await confirm({
      title,
      text: warning,
      action: title,
      isDangerous: true,
      items: rows.map(item),
      ...(typed && {
        typed: rows.length === 1 && only !== undefined ? typed(only) : String(rows.length),
      }),
    })
    if (!isSure) return false
  }
  const { doneCount, failures } = await actOnAll(rows, change)
  if (doneCount > 0) toast("success", `${done} ${formatCount(doneCount, noun)}`)
  if (failures.length > 0)
    toast("error", `${formatCount(failures.length, noun)} not: ${reasonsOf(failures)}`)
  return failures.length === 0
}

/** The first of those that differ. */
export function reasonsOf(failures: readonly string[]): string {
  return [...new Set(failures)].slice(0, 3).join("; ")
}

interface Named {
  readonly name: string
  readonly vhost: string
}

interface Deletion<Row> {
  readonly label: string
  readonly icon: IconName
  readonly isDangerous: boolean
  readonly run: (rows: readonly Row[]) => Promise<boolean>
}

/** Of what has a name in a vhost: to be confirmed by typing it. */
export function deletion<Row extends Named>(
  noun: Bulk<Row>["noun"],
  warning: string,
  change: Bulk<Row>["change"],
): Deletion<Row> {
  return {
    label: "Delete",
    icon: "trash",
    isDangerous: true,
    run: (rows) =>
      changeAll(rows, { ...named<Row>(), noun, verb: "Delete", done: "Deleted", warning, change }),
  }
}

export function named<Row extends Named>(): Required<Pick<Bulk<Row>, "item" | "typed">> {
  return { item: ({ vhost, name }) => `${vhost} ${name}`, typed: ({ name }) => name }
}
