import type { Signal } from "@preact/signals"
import { useSignal } from "@preact/signals"
import type { JSX } from "preact"
import { useMemo, useRef } from "preact/hooks"
import { fieldOf, sortedBy } from "../lib/table-state.ts"
import type { TableState } from "../lib/table-state.ts"
import { TableBody, topRow } from "./table-body.tsx"
import type { Column, DataTableProps } from "./table-types.ts"
import { Icon } from "./icon.tsx"

/** The table itself: its head, and the rows of table-body.tsx in a box that scrolls. */
type GridProps<Row> = DataTableProps<Row> & {
  readonly items: readonly Row[]
  readonly shownKey: string
  readonly offset: number
  /** On all pages together. */
  readonly count: number
  readonly state: TableState
  readonly setState: (state: TableState) => void
  readonly selected: Signal<ReadonlyMap<string, Row>>
}

export function TableGrid<Row>(props: GridProps<Row>): JSX.Element {
  const { items, columns, rowKey, rowHref, shownKey, offset, selected } = props
  const box = useRef<HTMLDivElement>(null)
  const top = useSignal(0)
  const isSelectable = (props.actions ?? []).length > 0
  const shared = { items, columns, rowKey, rowHref, shownKey, offset, selected, isSelectable }
  return (
    <div
      class="table-scroll"
      ref={box}
      tabIndex={-1}
      onScroll={(event) => {
        top.value = topRow(event.currentTarget)
      }}
    >
      <table class="table" aria-rowcount={props.count + 1}>
        <TableHead {...props} isSelectable={isSelectable} />
        <TableBody {...shared} box={box} top={top} />
      </table>
    </div>
  )
}

function TableHead<Row>(props: GridProps<Row> & { isSelectable: boolean }): JSX.Element {
  const { columns, state, setState, isSelectable, items, selected, rowKey } = props
  const widest = useMemo(() => columns.map((column) => widestOf(items, column)), [items, columns])
  const areAll = items.length > 0 && items.every((row) => selected.value.has(rowKey(row)))
  return (
    <thead>
      <tr>
        {isSelectable && (
          <th class="table-check" scope="col">
            <input
              type="checkbox"
              aria-label="Select all of this page"
              checked={areAll}
              onChange={() => {
                selected.value = areAll
                  ? new Map()
                  : new Map(items.map((row) => [rowKey(row), row]))
              }}
            />
          </th>
        )}
        {columns.map((column, i) => (
          <HeadCell
            key={column.id}
            column={column}
            widest={widest[i]}
            state={state}
            setState={setState}
          />
        ))}
      </tr>
    </thead>
  )
}

interface HeadCellProps<Row> {
  readonly column: Column<Row>
  readonly widest: Row | undefined
  readonly state: TableState
  readonly setState: (state: TableState) => void
}

/** Fewer rows are all in the document, and give the columns their widths themselves. */
const MANY = 24

/** Of the page, as far as the length of a text tells; where numbers stand the label is wider. */
function widestOf<Row>(items: readonly Row[], { id, isNumber }: Column<Row>): Row | undefined {
  let length = 0
  let widest: Row | undefined = undefined
  for (const row of isNumber === true || items.length < MANY ? [] : items) {
    const text = String(fieldOf(row, id))
    if (text.length > length) {
      ;({ length } = text)
      widest = row
    }
  }
  return widest
}

function HeadCell<Row>(props: HeadCellProps<Row>): JSX.Element {
  const { column, widest, state, setState } = props
  const { id, label, help, isNumber = false, isSortable = true, width } = column
  const isSorted = state.sort === id
  const order = state.isReverse ? "descending" : "ascending"
  return (
    <th
      scope="col"
      class={isNumber ? "is-number" : ""}
      title={help}
      aria-sort={isSorted ? order : undefined}
      style={width === undefined ? undefined : { width }}
    >
      {isSortable ? (
        <button type="button" onClick={() => setState(sortedBy(state, id, isNumber))}>
          {label}
          <span class={`sort-mark ${isSorted ? order : ""}`}>
            <Icon name="down" size={11} />
          </span>
        </button>
      ) : (
        label
      )}
      {widest !== undefined && (
        <div class="table-widest" aria-hidden="true">
          {column.cell(widest)}
        </div>
      )}
    </th>
  )
}
