import type { ComponentChildren } from "preact"
import type { Query } from "../lib/route.ts"
import type { TableState } from "../lib/table-state.ts"
import type { IconName } from "./icon.tsx"

/**
 * The table of every list. Either `path` (a list of the API: its pages, filter and order are the broker's) or
 * `rows` (a short list that the page has: they are made here). State lives in the address unless `isLocal`.
 */
export interface Column<Row> {
  /** Field of the API to sort by, with dots; also the column's name in the preferences. */
  readonly id: string
  readonly label: string
  /** Explains the header. */
  readonly help?: string
  /** Aligned right, and sorted with the largest first. */
  readonly isNumber?: boolean
  readonly isSortable?: boolean
  /** Off until the person chooses it. */
  readonly isOptional?: boolean
  /** CSS width, such as `8rem`. */
  readonly width?: string
  /** On a phone it has a line of its own. */
  readonly isWide?: boolean
  readonly isDim?: (row: Row) => boolean
  readonly cell: (row: Row) => ComponentChildren
}

export interface Preset {
  readonly id: string
  readonly label: string
  /** Sent with the request; for `rows` ignored. */
  readonly query: Query
  readonly help?: string
}

export interface BulkAction<Row> {
  readonly label: string
  readonly icon: IconName
  readonly isDangerous?: boolean
  /** Asks, acts, tells. True: the selection is cleared. */
  readonly run: (rows: readonly Row[]) => Promise<boolean>
}

export interface DataTableProps<Row> {
  /** Remembers columns and page size; unique. */
  readonly id: string
  readonly noun: readonly [one: string, many: string]
  readonly columns: readonly Column<Row>[]
  readonly rowKey: (row: Row) => string
  readonly path?: string | null
  readonly rows?: readonly Row[] | null
  /** With `rows`: why there are none. */
  readonly error?: unknown
  /** With `rows`: the text that the search looks in. Default: the first column's field. */
  readonly searchText?: (row: Row) => string
  readonly rowHref?: (row: Row) => string
  readonly presets?: readonly Preset[]
  readonly actions?: readonly BulkAction<Row>[]
  readonly initial?: Partial<TableState>
  /** State beside the page's own, not in the address. */
  readonly isLocal?: boolean
  /** What the search looks in, as placeholder. */
  readonly searchLabel?: string
  readonly toolbar?: ComponentChildren
  /** Without search and pages while there are only a few rows: for tables beside others on a page. */
  readonly isCompact?: boolean
  readonly empty: { readonly title: string; readonly text?: ComponentChildren }
}

export interface PageData<Row> {
  readonly items: readonly Row[]
  readonly filtered_count: number
  readonly total_count: number
  readonly page_count: number
}
