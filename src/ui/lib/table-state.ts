import type { Query } from "./route.ts"
import { withQuery } from "./route.ts"

/** The state of a table as the address holds it, and the query of the API that shows it. */
export interface TableState {
  readonly page: number
  readonly pageSize: number
  /** What is searched for; "" is nothing. */
  readonly name: string
  readonly isRegex: boolean
  /** Field of the API; "" is the broker's own order. */
  readonly sort: string
  readonly isReverse: boolean
  readonly preset: string
}

export const PAGE_SIZES: readonly number[] = [50, 100, 250, 500, 1000]

export const INITIAL: TableState = {
  page: 1,
  pageSize: 100,
  name: "",
  isRegex: false,
  sort: "",
  isReverse: false,
  preset: "",
}

export function readTableState(query: Query, initial: TableState = INITIAL): TableState {
  const size = Number(query["page_size"])
  return {
    page: Math.max(1, Math.floor(Number(query["page"] ?? 1)) || 1),
    pageSize: PAGE_SIZES.includes(size) ? size : initial.pageSize,
    name: query["name"] ?? initial.name,
    isRegex: (query["use_regex"] ?? String(initial.isRegex)) === "true",
    sort: query["sort"] ?? initial.sort,
    isReverse: (query["sort_reverse"] ?? String(initial.isReverse)) === "true",
    preset: query["preset"] ?? initial.preset,
  }
}

function changed(value: string | number | boolean, usual: string | number | boolean): string {
  return value === usual ? "" : String(value)
}

/** Only what differs from the initial state; "" removes a parameter from the address. */
export function writeTableState(state: TableState, initial: TableState = INITIAL): Query {
  return {
    page: changed(state.page, 1),
    page_size: changed(state.pageSize, initial.pageSize),
    name: changed(state.name, initial.name),
    use_regex: changed(state.isRegex, initial.isRegex),
    sort: changed(state.sort, initial.sort),
    sort_reverse: changed(state.isReverse, initial.isReverse),
    preset: changed(state.preset, initial.preset),
  }
}

/** A header was chosen: the same field again turns the order round. Numbers begin with the largest. */
export function sortedBy(state: TableState, field: string, isNumber: boolean): TableState {
  const isReverse = state.sort === field ? !state.isReverse : isNumber
  return { ...state, sort: field, isReverse, page: 1 }
}

export function apiQuery(path: string, state: TableState, preset: Query = {}): string {
  return withQuery(path, {
    page: state.page,
    page_size: state.pageSize,
    name: state.name,
    use_regex: state.name !== "" && state.isRegex ? "true" : undefined,
    sort: state.sort,
    sort_reverse: state.sort !== "" && state.isReverse ? "true" : undefined,
    ...preset,
  })
}

/** Rows that are on screen, with some beside them; the others are blank space. */
export interface Window {
  readonly start: number
  readonly end: number
}

export function visibleRows(
  count: number,
  rowHeight: number,
  scrollTop: number,
  height: number,
  overscan = 12,
): Window {
  const first = Math.floor(Math.max(0, scrollTop) / rowHeight)
  const end = Math.min(count, first + Math.ceil(height / rowHeight) + overscan)
  return { start: Math.max(0, Math.min(first, count) - overscan), end }
}

/** Pages for tables whose rows are here already: filter, order and cut. */
export function pageOfRows<Row>(
  rows: readonly Row[],
  state: TableState,
  text: (row: Row) => string,
  value: (row: Row, field: string) => unknown,
): { readonly items: readonly Row[]; readonly filteredCount: number } {
  const matches = matcher(state)
  const found = rows.filter((row) => matches(text(row)))
  if (state.sort !== "") {
    const sign = state.isReverse ? -1 : 1
    found.sort((a, b) => sign * compare(value(a, state.sort), value(b, state.sort)))
  }
  const start = (state.page - 1) * state.pageSize
  return { items: found.slice(start, start + state.pageSize), filteredCount: found.length }
}

function matcher({ name, isRegex }: TableState): (text: string) => boolean {
  if (name === "") return () => true
  if (!isRegex) return (text) => text.toLowerCase().includes(name.toLowerCase())
  try {
    const regex = new RegExp(name)
    return (text) => regex.test(text)
  } catch {
    return () => false // It is being typed.
  }
}

function compare(a: unknown, b: unknown): number {
  if (typeof a === "number" && typeof b === "number") return a - b
  return toText(a).localeCompare(toText(b), "en", { numeric: true })
}

function toText(value: unknown): string {
  if (typeof value === "string") return value
  return value === undefined || value === null ? "" : JSON.stringify(value)
}

/** A field of a row, with dots for nested ones. */
export function fieldOf(row: unknown, path: string): unknown {
  let value = row
  for (const key of path.split(".")) {
    if (typeof value !== "object" || value === null) return undefined
    value = Reflect.get(value, key)
  }
  return value
}
