import type { Signal } from "@preact/signals"
import { useSignal } from "@preact/signals"
import type { JSX } from "preact"
import { useEffect, useMemo, useRef } from "preact/hooks"
import { debounce } from "../core/debounce.ts"
import { formatCount, formatNumber } from "../lib/format.ts"
import { PAGE_SIZES } from "../lib/table-state.ts"
import type { TableState } from "../lib/table-state.ts"
import { Button } from "./basics.tsx"
import { closeOutside } from "./close-outside.ts"
import type { BulkAction, DataTableProps, PageData } from "./table-types.ts"
import { Icon } from "./icon.tsx"

/** Around the table: search, presets, columns and bulk actions above, pages below. */
type ToolbarProps<Row> = DataTableProps<Row> & {
  readonly state: TableState
  readonly setState: (state: TableState) => void
  readonly page: PageData<Row> | null
  readonly hidden: Signal<Record<string, boolean>>
  readonly selected: Signal<ReadonlyMap<string, Row>>
}

export function TableToolbar<Row>(props: ToolbarProps<Row>): JSX.Element {
  const { state, setState, presets = [], noun } = props
  if (props.selected.value.size > 0) return <SelectionBar {...props} />
  return (
    <div class="table-toolbar">
      <SearchBox
        state={state}
        setState={setState}
        label={props.searchLabel ?? `Search ${noun[1]}`}
      />
      {presets.length > 0 && (
        <div class="presets" role="group" aria-label="Presets">
          {presets.map(({ id, label, help }) => (
            <button
              type="button"
              class="chip"
              key={id}
              title={help}
              aria-pressed={state.preset === id}
              onClick={() => setState({ ...state, preset: state.preset === id ? "" : id, page: 1 })}
            >
              {label}
            </button>
          ))}
        </div>
      )}
      <span class="table-toolbar-end">
        {props.toolbar}
        <ColumnChooser columns={props.columns} hidden={props.hidden} />
      </span>
    </div>
  )
}

interface SearchProps {
  readonly state: TableState
  readonly setState: (state: TableState) => void
  readonly label: string
}

function SearchBox({ state, setState, label }: SearchProps): JSX.Element {
  const text = useSignal(state.name)
  const latest = useRef({ state, setState })
  latest.current = { state, setState }
  const applied = useRef(state.name)
  const apply = useMemo(
    () =>
      debounce((name: string) => {
        const now = latest.current
        applied.current = name
        if (name !== now.state.name) now.setState({ ...now.state, name, page: 1 })
      }),
    [],
  )
  // Changed from elsewhere; what is being typed stays.
  useEffect(() => {
    if (state.name !== applied.current) text.value = state.name
    applied.current = state.name
  }, [state.name])
  return (
    <div class="search">
      <Icon name="search" />
      <input
        type="search"
        value={text.value}
        placeholder={`${label}  /`}
        aria-label={label}
        spellcheck={false}
        onInput={(event) => {
          text.value = event.currentTarget.value
          apply(text.value)
        }}
        onKeyDown={(event) => {
          if (event.key === "Escape") event.currentTarget.blur()
        }}
      />
      <button
        type="button"
        class="search-regex mono"
        aria-pressed={state.isRegex}
        title="Regular expression"
        aria-label="Regular expression"
        onClick={() => setState({ ...state, isRegex: !state.isRegex, page: 1 })}
      >
        .*
      </button>
    </div>
  )
}

function ColumnChooser<Row>({
  columns,
  hidden,
}: Pick<ToolbarProps<Row>, "columns" | "hidden">): JSX.Element {
  return (
    <details class="menu" onBlur={closeOutside}>
      <summary class="button is-plain" title="Columns">
        <Icon name="columns" /> <span class="wide-only">Columns</span>
      </summary>
      <div class="menu-list">
        {columns
          .filter(({ label }) => label !== "")
          .map(({ id, label, isOptional = false }) => (
            <label key={id}>
              <input
                type="checkbox"
                checked={!(hidden.value[id] ?? isOptional)}
                onChange={(event) => {
                  hidden.value = { ...hidden.value, [id]: !event.currentTarget.checked }
                }}
              />
              {label}
            </label>
          ))}
      </div>
    </details>
  )
}

function SelectionBar<Row>({ selected, actions = [], noun }: ToolbarProps<Row>): JSX.Element {
  const rows = [...selected.value.values()]
  const busy = useSignal("")
  const go = async (run: BulkAction<Row>["run"]): Promise<void> => {
    try {
      if (await run(rows)) selected.value = new Map()
    } finally {
      busy.value = ""
    }
  }
  return (
    <div class="table-toolbar is-selection" role="toolbar" aria-label="Selection">
      <strong>{formatCount(rows.length, noun)} selected</strong>
      {actions.map(({ label, icon, isDangerous, run }) => (
        <Button
          key={label}
          icon={icon}
          kind={isDangerous === true ? "danger" : "plain"}
          isBusy={busy.value === label}
          isDisabled={busy.value !== ""}
          onClick={() => {
            busy.value = label
            void go(run)
          }}
        >
          {label}
        </Button>
      ))}
      <span class="table-toolbar-end">
        <Button
          kind="quiet"
          icon="close"
          onClick={() => {
            selected.value = new Map()
          }}
        >
          Clear
        </Button>
      </span>
    </div>
  )
}

interface PagerProps {
  readonly state: TableState
  readonly setState: (state: TableState) => void
  readonly page: PageData<unknown>
  readonly noun: readonly [string, string]
}

export function TablePager({ state, setState, page, noun }: PagerProps): JSX.Element {
  const { filtered_count: count, total_count: total, page_count: pages } = page
  const first = count === 0 ? 0 : (state.page - 1) * state.pageSize + 1
  const last = Math.min(count, state.page * state.pageSize)
  const go = (to: number): void => setState({ ...state, page: to })
  return (
    <div class="pager">
      <span aria-live="polite">
        {count > state.pageSize && `${formatNumber(first)}–${formatNumber(last)} of `}
        {formatCount(count, noun)}
        {count < total && ` (${formatNumber(total)} in all)`}
      </span>
      {count > Math.min(...PAGE_SIZES) && (
        <label class="pager-size">
          Rows
          <select
            value={String(state.pageSize)}
            onChange={(event) =>
              setState({ ...state, pageSize: Number(event.currentTarget.value), page: 1 })
            }
          >
            {PAGE_SIZES.map((size) => (
              <option key={size} value={String(size)}>
                {size}
              </option>
            ))}
          </select>
        </label>
      )}
      {pages > 1 && (
        <nav aria-label="Pages">
          <Button isDisabled={state.page <= 1} onClick={() => go(state.page - 1)}>
            Previous
          </Button>
          <span class="pager-page">
            {formatNumber(state.page)} / {formatNumber(pages)}
          </span>
          <Button isDisabled={state.page >= pages} onClick={() => go(state.page + 1)}>
            Next
          </Button>
        </nav>
      )}
    </div>
  )
}
