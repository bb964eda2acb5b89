import { signal, useSignal } from "@preact/signals"
import type { ReadonlySignal, Signal } from "@preact/signals"
import type { JSX, RefObject } from "preact"
import { useEffect, useLayoutEffect, useRef } from "preact/hooks"
import { navigate } from "../core/router.ts"
import { RowSlots } from "../lib/row-slots.ts"
import { visibleRows } from "../lib/table-state.ts"
import type { Window } from "../lib/table-state.ts"
import type { Column, DataTableProps } from "./table-types.ts"

/**
 * The rows of a table: only those on screen are in the document, and the one with the focus wherever it is. Arrow
 * keys go up and down, Home and End to the ends, Enter opens, Space selects. On a phone rows become cards; there all
 * of the page are shown, for cards have no fixed height.
 */
const ROW_HEIGHT = 34
/** After so many rows of scrolling the rows are drawn anew. */
const STEP = 4
const OVERSCAN = 4

type Box = RefObject<HTMLDivElement | null>

export interface BodyProps<Row> extends Pick<DataTableProps<Row>, "rowKey"> {
  readonly rowHref: DataTableProps<Row>["rowHref"]
  readonly box: Box
  /** Of the first row on screen, in whole steps. */
  readonly top: ReadonlySignal<number>
  readonly items: readonly Row[]
  /** The same array while the columns are the same. */
  readonly columns: readonly Column<Row>[]
  /** Which page in which order; another one is seen from its top. */
  readonly shownKey: string
  /** Rows of the pages before. */
  readonly offset: number
  readonly selected: Signal<ReadonlyMap<string, Row>>
  readonly isSelectable: boolean
}

export function TableBody<Row>(props: BodyProps<Row>): JSX.Element {
  const { items, columns, isSelectable } = props
  const shown = useWindow(props)
  const focus = useRowFocus(props)
  const places: number[] = []
  for (let place = shown.start; place < shown.end; place++) places.push(place)
  if (focus.place >= shown.end) places.push(focus.place)
  else if (focus.place >= 0 && focus.place < shown.start) places.unshift(focus.place)
  const rows = useRows(props, places, focus.place >= 0 ? focus.place : shown.first)
  const width = columns.length + (isSelectable ? 1 : 0)
  const children: JSX.Element[] = []
  let next = 0
  const spaceTo = (place: number): void => {
    const key = next === 0 ? "top" : place === items.length ? "end" : "gap"
    if (place > next) children.push(<Space key={key} rows={place - next} width={width} />)
    next = place + 1
  }
  for (const [i, row] of rows.entries()) {
    spaceTo(places[i] ?? 0)
    children.push(row)
  }
  spaceTo(items.length)
  return (
    <tbody
      onKeyDown={(event) => onKey(event, props, focus.move)}
      onChange={(event) => onTick(event, props)}
    >
      {children}
    </tbody>
  )
}

function Space({ rows, width }: { rows: number; width: number }): JSX.Element {
  return (
    <tr class="table-space" aria-hidden="true">
      <td colSpan={width} style={{ height: `${String(rows * ROW_HEIGHT)}px` }} />
    </tr>
  )
}

export function topRow({ scrollTop }: HTMLElement): number {
  const first = Math.floor(scrollTop / ROW_HEIGHT)
  return first - (first % STEP)
}

/** As many as the style sheet gives room for, so that nothing has to be measured before rows are drawn. */
function rowsOfScreen(): number {
  if (matchMedia("(max-width: 640px)").matches) return Infinity
  return Math.max(320, innerHeight - 262) / ROW_HEIGHT
}

const screenRows = signal(rowsOfScreen())
addEventListener("resize", () => {
  screenRows.value = rowsOfScreen()
})

function useWindow<Row>(props: BodyProps<Row>): Window & { readonly first: number } {
  const { box, top, shownKey, items } = props
  // Read in any case, so that scrolling draws the rows.
  const scrolled = top.value
  const lastKey = useRef(shownKey)
  const isNew = lastKey.current !== shownKey
  /** Nothing but what is seen until it is seen. */
  const overscan = useSignal(0)
  useEffect(() => {
    overscan.value = OVERSCAN
  }, [])
  // Browsers bring a row with the focus into view when it gets another place in the document.
  const held = isNew ? { top: 0 } : heldAt(box)
  useLayoutEffect(() => {
    lastKey.current = shownKey
    if (held !== null) box.current?.scrollTo(held)
  })
  const first = isNew ? 0 : scrolled
  const beside = overscan.value
  const rows = screenRows.value + (beside > 0 ? STEP : 0)
  const isAll = rows === Infinity
  return { ...visibleRows(items.length, 1, isAll ? 0 : first, rows, beside), first }
}

/** Where the box is scrolled to, if the focus is inside. */
function heldAt({ current }: Box): ScrollToOptions | null {
  if (current === null || !current.contains(document.activeElement)) return null
  return { left: current.scrollLeft, top: current.scrollTop }
}

interface Drawn {
  /** What it was drawn from. */
  readonly from: readonly unknown[]
  readonly element: JSX.Element
}

/** Rows in which nothing has changed are not drawn again. */
function useRows<Row>(
  props: BodyProps<Row>,
  places: readonly number[],
  tabStop: number,
): readonly JSX.Element[] {
  const { items, columns, rowKey, offset, selected, isSelectable } = props
  const slots = useRef(new RowSlots())
  const drawn = useRef(new Map<number, Drawn>())
  const rows = places.flatMap((place) => items.slice(place, place + 1))
  const next = new Map<number, Drawn>()
  for (const [i, slot] of slots.current.assign(rows.map(rowKey)).entries()) {
    const row = rows[i]
    const place = places[i]
    if (row === undefined || place === undefined) continue
    const label = rowKey(row)
    const isSelected = isSelectable ? selected.value.has(label) : undefined
    const shown = {
      row,
      label,
      columns,
      isSelected,
      index: offset + place,
      isTabStop: place === tabStop,
    }
    const from = Object.values(shown)
    const last = drawn.current.get(slot)
    const isSame = last?.from.every((value, j) => value === from[j]) ?? false
    next.set(
      slot,
      isSame && last !== undefined ? last : { from, element: <TableRow key={slot} {...shown} /> },
    )
  }
  drawn.current = next
  return [...next.values()].map(({ element }) => element)
}

interface RowProps<Row> {
  readonly row: Row
  readonly label: string
  readonly columns: readonly Column<Row>[]
  /** Undefined where rows are not selected. */
  readonly isSelected: boolean | undefined
  readonly index: number
  readonly isTabStop: boolean
}

function TableRow<Row>(props: RowProps<Row>): JSX.Element {
  const { row, label, columns, isSelected, index, isTabStop } = props
  return (
    <tr
      tabIndex={isTabStop ? 0 : -1}
      aria-rowindex={index + 2}
      aria-selected={isSelected}
      class={isSelected === true ? "is-selected" : undefined}
    >
      {isSelected !== undefined && (
        <td class="table-check">
          <input type="checkbox" checked={isSelected} aria-label={`Select ${label}`} />
        </td>
      )}
      {columns.map((column) => (
        <td key={column.id} class={classOf(column, row)} data-label={column.label}>
          {column.cell(row)}
        </td>
      ))}
    </tr>
  )
}

function classOf<Row>(column: Column<Row>, row: Row): string | undefined {
  const { isNumber, isWide, isDim } = column
  if (isNumber === true) return isDim?.(row) === true ? "is-number zero" : "is-number"
  return isWide === true ? "is-wide" : undefined
}

interface RowFocus {
  /** Of the row with the focus, -1 if none has it. */
  readonly place: number
  readonly move: (by: number) => void
}

/** The focus stays with its row when rows change their order, and with its place when the row is gone. */
function useRowFocus<Row>(props: BodyProps<Row>): RowFocus {
  const { box, items, rowKey, offset } = props
  const last = useRef({ items, offset })
  const wanted = useRef(-1)
  const before =
    last.current.items[placeOf(document.activeElement, { box, offset: last.current.offset })]
  last.current = { items, offset }
  const key = before === undefined ? null : rowKey(before)
  const place = key === null ? -1 : items.findIndex((row) => rowKey(row) === key)
  useLayoutEffect(() => {
    const row = rowAt(box, offset + (wanted.current < 0 ? place : wanted.current))
    if (row === null) return
    wanted.current = -1
    if (!row.contains(document.activeElement)) row.focus({ preventScroll: true })
  })
  const move = (by: number): void => {
    const element = box.current
    const from = wanted.current < 0 ? placeOf(document.activeElement, props) : wanted.current
    const to = Math.min(items.length - 1, Math.max(0, from + by))
    const row = rowAt(box, offset + to)
    if (row !== null) {
      row.focus({ preventScroll: true })
      row.scrollIntoView({ block: "nearest" })
    } else if (element !== null) {
      // It is drawn, and gets the focus, when the box is scrolled there.
      wanted.current = to
      const top = to * ROW_HEIGHT
      const isAbove = top < element.scrollTop
      element.scrollTo({ top: isAbove ? top : top + 2 * ROW_HEIGHT - element.clientHeight })
    }
  }
  return { place, move }
}

function rowAt(box: Box, index: number): HTMLElement | null {
  return box.current?.querySelector(`tr[aria-rowindex="${String(index + 2)}"]`) ?? null
}

/** -1 outside of the rows. */
function placeOf(
  inside: unknown,
  { box, offset }: { readonly box: Box; readonly offset: number },
): number {
  const row = inside instanceof Element ? inside.closest("tbody > tr[aria-rowindex]") : null
  if (row === null || !box.current?.contains(row)) return -1
  return Number(row.getAttribute("aria-rowindex")) - 2 - offset
}

type BodyEvent<E> = E & { readonly currentTarget: HTMLElement }

function onKey<Row>(
  event: BodyEvent<KeyboardEvent>,
  props: BodyProps<Row>,
  move: (by: number) => void,
): void {
  const { items, rowHref, isSelectable } = props
  const place = placeOf(event.target, props)
  const row = items[place]
  if (row === undefined) return
  const isOnRow = event.target instanceof HTMLTableRowElement
  if (event.key === "ArrowDown") move(1)
  else if (event.key === "ArrowUp") move(-1)
  else if (!isOnRow) return
  else if (event.key === "Home") move(-Infinity)
  else if (event.key === "End") move(Infinity)
  else if (event.key === "Enter" && rowHref !== undefined) navigate(rowHref(row))
  else if (event.key === " " && isSelectable) toggle(row, props)
  else return
  event.preventDefault()
}

function onTick<Row>({ target }: Event, props: BodyProps<Row>): void {
  const isTick = target instanceof Element && target.closest(".table-check") !== null
  const row = isTick ? props.items[placeOf(target, props)] : undefined
  if (row !== undefined) toggle(row, props)
}

function toggle<Row>(row: Row, { selected, rowKey }: BodyProps<Row>): void {
  const chosen = new Map(selected.value)
  if (!chosen.delete(rowKey(row))) chosen.set(rowKey(row), row)
  selected.value = chosen
}
