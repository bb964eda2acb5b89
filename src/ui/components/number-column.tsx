import type { ComponentChildren } from "preact"
import { formatNumber, formatRate } from "../lib/format.ts"
import { fieldOf } from "../lib/table-state.ts"
import type { Column } from "./table-types.ts"

/** Columns of numbers, whose zeros are dim. */
export function dimZero(value: number, text: string): ComponentChildren {
  return value === 0 ? <span class="zero">{text}</span> : text
}

type More<Row> = Pick<Column<Row>, "help" | "isOptional"> & {
  readonly format?: (value: number) => string
}

/** Of the field `id`; one that the row has not is 0. Rates and counts need no format. */
export function numberColumn<Row>(id: string, label: string, more: More<Row> = {}): Column<Row> {
  const { format = id.endsWith(".rate") ? formatRate : formatNumber, ...rest } = more
  const value = (row: Row): number => {
    const field = fieldOf(row, id)
    return typeof field === "number" ? field : 0
  }
  const cell = (row: Row): string => format(value(row))
  // Dim by the class of the cell, for most of what a long list shows is zeros.
  return { id, label, isNumber: true, cell, isDim: (row) => value(row) === 0, ...rest }
}
