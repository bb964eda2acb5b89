import { useSignal } from "@preact/signals"
import type { JSX } from "preact"
import { useEffect, useMemo, useRef } from "preact/hooks"
import { ApiError } from "../core/api.ts"
import { location, setQuery } from "../core/router.ts"
import { preference } from "../core/preferences.ts"
import { usePoll } from "../core/use-poll.ts"
import {
  apiQuery,
  fieldOf,
  INITIAL,
  pageOfRows,
  readTableState,
  writeTableState,
} from "../lib/table-state.ts"
import type { TableState } from "../lib/table-state.ts"
import { Empty, ErrorBanner, Loading } from "./basics.tsx"
import { TableGrid } from "./table-grid.tsx"
import type { DataTableProps, PageData } from "./table-types.ts"
import { TablePager, TableToolbar } from "./table-toolbar.tsx"

/** The table of every list; what it takes is table-types.ts. */
export type { BulkAction, Column, DataTableProps, Preset } from "./table-types.ts"

/** Rows with where they belong: the state may be one page ahead of them. */
interface Shown<Row> {
  readonly page: PageData<Row> | null
  readonly key: string
  readonly offset: number
}

interface Loaded<Row> extends Shown<Row> {
  readonly error: unknown
  readonly isLoading: boolean
  readonly refresh: () => void
}

/** So many rows are seen at a glance. */
const SHORT = 10

export function DataTable<Row>(props: DataTableProps<Row>): JSX.Element {
  const [state, setState] = useTableState(props)
  const loaded = useRows(props, state)
  const hidden = preference<Record<string, boolean>>(`columns.${props.id}`, {})
  const selected = useSignal<ReadonlyMap<string, Row>>(new Map())
  const columns = useMemo(
    () => props.columns.filter(({ id, isOptional = false }) => !(hidden.value[id] ?? isOptional)),
    [props.columns, hidden.value],
  )
  useEffect(() => {
    if (selected.peek().size > 0) selected.value = new Map()
  }, [props.path, state.name, state.preset])
  const { page, error } = loaded
  const isOutOfRange = error instanceof ApiError && error.code === "page_out_of_range"
  useEffect(() => {
    if (isOutOfRange && state.page > 1) setState({ ...state, page: 1 })
  }, [isOutOfRange])
  const isFiltered = state.name !== "" || state.preset !== ""
  const isShort = props.isCompact === true && !isFiltered && (page?.total_count ?? 0) <= SHORT
  return (
    <div class={`table-block ${loaded.isLoading ? "is-loading" : ""}`}>
      {!isShort && (
        <TableToolbar
          {...props}
          state={state}
          setState={setState}
          page={page}
          hidden={hidden}
          selected={selected}
        />
      )}
      {error !== null && !isOutOfRange && <ErrorBanner error={error} retry={loaded.refresh} />}
      {page === null && error === null && <Loading lines={6} />}
      {page !== null && page.items.length > 0 && (
        <TableGrid
          {...props}
          columns={columns}
          items={page.items}
          shownKey={loaded.key}
          offset={loaded.offset}
          count={page.filtered_count}
          state={state}
          setState={setState}
          selected={selected}
        />
      )}
      {page !== null &&
        page.items.length === 0 &&
        (isFiltered ? (
          <Empty icon="search" title={`No ${props.noun[1]} match`}>
            <button
              type="button"
              class="link"
              onClick={() => setState({ ...state, name: "", preset: "", page: 1 })}
            >
              Clear the filter
            </button>
          </Empty>
        ) : (
          <Empty title={props.empty.title}>{props.empty.text}</Empty>
        ))}
      {page !== null && !isShort && (
        <TablePager state={state} setState={setState} page={page} noun={props.noun} />
      )}
    </div>
  )
}

type SetState = (state: TableState) => void

/** In the address, or in the component. The page size is remembered for each table. */
function useTableState<Row>({
  id,
  initial,
  isLocal = false,
}: DataTableProps<Row>): [TableState, SetState] {
  const pageSize = preference(`page-size.${id}`, INITIAL.pageSize)
  const start = { ...INITIAL, pageSize: pageSize.value, ...initial }
  const own = useSignal<TableState>(start)
  const state = isLocal ? own.value : readTableState(location.value.query, start)
  const set = (next: TableState): void => {
    pageSize.value = next.pageSize
    if (isLocal) own.value = next
    else
      setQuery(
        writeTableState(next, { ...start, pageSize: next.pageSize }),
        next.page === state.page ? "replace" : "push",
      )
  }
  return [state, set]
}

function useRows<Row>(props: DataTableProps<Row>, state: TableState): Loaded<Row> {
  const { path = null, rows, presets = [] } = props
  const preset = presets.find(({ id }) => id === state.preset)?.query
  const key = apiQuery(path ?? "", state, preset)
  const poll = usePoll<PageData<Row>>(path === null ? null : key)
  const offset = (state.page - 1) * state.pageSize
  const last = useRef<Shown<Row>>({ page: null, key, offset })
  // What was there stays on screen while another page or order is under way.
  const lastPath = useRef(path)
  if (lastPath.current !== path) last.current = { page: null, key, offset }
  lastPath.current = path
  if (path === null) {
    const page = rows === null || rows === undefined ? null : localPage(props, rows, state)
    return { page, key, offset, error: props.error ?? null, isLoading: false, refresh: () => {} }
  }
  const { data, error } = poll.state.value
  if (data !== null) last.current = { page: data, key, offset }
  return {
    ...last.current,
    error,
    isLoading: data === null && error === null,
    refresh: () => poll.refresh(),
  }
}

function localPage<Row>(
  props: DataTableProps<Row>,
  rows: readonly Row[],
  state: TableState,
): PageData<Row> {
  const first = props.columns[0]?.id ?? "name"
  const text = props.searchText ?? ((row: Row): string => textOf(fieldOf(row, first)))
  const { items, filteredCount } = pageOfRows(rows, state, text, fieldOf)
  return {
    items,
    filtered_count: filteredCount,
    total_count: rows.length,
    page_count: Math.max(1, Math.ceil(filteredCount / state.pageSize)),
  }
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : (JSON.stringify(value) ?? "")
}
