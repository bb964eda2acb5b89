import type { Signal } from "@preact/signals"
import { useSignal } from "@preact/signals"
import type { JSX, RefObject } from "preact"
import { useLayoutEffect, useRef } from "preact/hooks"
import { navigate } from "../core/router.ts"
import { sortedBy, visibleRows } from "../lib/table-state.ts"
import type { TableState, Window } from "../lib/table-state.ts"
import type { Column, DataTableProps } from "./table-types.ts"
import { Icon } from "./icon.tsx"

/**
 * The rows: only those on screen are in the document. Arrow keys go up and down, Enter opens, Space selects.
 * On a phone rows become cards; there all of the page are shown, for cards have no fixed height.
 */
const ROW_HEIGHT = 34

type GridProps<Row> = DataTableProps<Row> & {
  readonly items: readonly Row[]
  readonly state: TableState
  readonly setState: (state: TableState) => void
  readonly selected: Signal<ReadonlyMap<string, Row>>
}

export function TableGrid<Row>(props: GridProps<Row>): JSX.Element {
  const { items, columns, actions = [] } = props
  const box = useRef<HTMLDivElement>(null)
  const shown = useWindow(box, items.length)
  const isSelectable = actions.length > 0
  const width = columns.length + (isSelectable ? 1 : 0)
  return (
    <div class="table-scroll" ref={box} tabIndex={-1}>
      <table class="table" aria-rowcount={items.length + 1}>
        <TableHead {...props} isSelectable={isSelectable} />
        <tbody onKeyDown={moveFocus}>
          <Space rows={shown.start} width={width} />
          {items.slice(shown.start, shown.end).map((row, i) => (
            <TableRow
              key={props.rowKey(row)}
              {...props}
              row={row}
              index={shown.start + i}
              isSelectable={isSelectable}
            />
          ))}
          <Space rows={items.length - shown.end} width={width} />
        </tbody>
      </table>
    </div>
  )
}

function Space({ rows, width }: { rows: number; width: number }): JSX.Element | null {
  if (rows <= 0) return null
  return (
    <tr class="table-space" aria-hidden="true">
      <td colSpan={width} style={{ height: `${String(rows * ROW_HEIGHT)}px` }} />
    </tr>
  )
}

function useWindow(box: RefObject<HTMLDivElement | null>, count: number): Window {
  const view = useSignal<Window>({ start: 0, end: Math.min(count, 60) })
  useLayoutEffect(() => {
    const element = box.current
    if (element === null) return undefined
    const measure = (): void => {
      const isCards = matchMedia("(max-width: 640px)").matches
      const next = isCards
        ? { start: 0, end: count }
        : visibleRows(count, ROW_HEIGHT, element.scrollTop, element.clientHeight || 800)
      const now = view.peek()
      if (next.start !== now.start || next.end !== now.end) view.value = next
    }
    measure()
    element.addEventListener("scroll", measure, { passive: true })
    const observer = new ResizeObserver(measure)
    observer.observe(element)
    return () => {
      element.removeEventListener("scroll", measure)
      observer.disconnect()
    }
  }, [count])
  return view.value
}

function TableHead<Row>(props: GridProps<Row> & { isSelectable: boolean }): JSX.Element {
  const { columns, state, setState, isSelectable, items, selected, rowKey } = props
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
        {columns.map((column) => (
          <HeadCell key={column.id} column={column} state={state} setState={setState} />
        ))}
      </tr>
    </thead>
  )
}

interface HeadCellProps<Row> {
  readonly column: Column<Row>
  readonly state: TableState
  readonly setState: (state: TableState) => void
}

function HeadCell<Row>({ column, state, setState }: HeadCellProps<Row>): JSX.Element {
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
    </th>
  )
}

function TableRow<Row>(
  props: GridProps<Row> & { row: Row; index: number; isSelectable: boolean },
): JSX.Element {
  const { row, index, columns, rowKey, rowHref, selected, isSelectable } = props
  const key = rowKey(row)
  const isSelected = selected.value.has(key)
  const toggle = (): void => {
    const next = new Map(selected.value)
    if (!next.delete(key)) next.set(key, row)
    selected.value = next
  }
  return (
    <tr
      tabIndex={index === 0 ? 0 : -1}
      aria-rowindex={index + 2}
      aria-selected={isSelectable ? isSelected : undefined}
      class={isSelected ? "is-selected" : ""}
      onKeyDown={(event) => {
        if (event.target !== event.currentTarget) return
        if (event.key === "Enter" && rowHref !== undefined) navigate(rowHref(row))
        else if (event.key === " " && isSelectable) toggle()
        else return
        event.preventDefault()
      }}
    >
      {isSelectable && (
        <td class="table-check">
          <input
            type="checkbox"
            checked={isSelected}
            aria-label={`Select ${key}`}
            onChange={toggle}
          />
        </td>
      )}
      {columns.map(({ id, label, isNumber = false, isWide = false, cell }) => (
        <td
          key={id}
          class={`${isNumber ? "is-number" : ""} ${isWide ? "is-wide" : ""}`}
          data-label={label}
        >
          {cell(row)}
        </td>
      ))}
    </tr>
  )
}

function moveFocus(event: KeyboardEvent & { currentTarget: HTMLElement }): void {
  const down = event.key === "ArrowDown"
  if (!down && event.key !== "ArrowUp") return
  const row = event.target instanceof Element ? event.target.closest("tr") : null
  const next = down ? row?.nextElementSibling : row?.previousElementSibling
  if (!(next instanceof HTMLElement) || next.classList.contains("table-space")) return
  next.focus()
  next.scrollIntoView({ block: "nearest" })
  event.preventDefault()
}
