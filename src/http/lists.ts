import { Type } from "./schema.ts"
import type { Static, TSchema } from "./schema.ts"
import type { Clock } from "../util/clock.ts"
import { badRequest, HttpError } from "./errors.ts"
import { ATTEMPTS, BATCH_SIZE, regexFilter, substringFilter } from "./filter.ts"
import type { Filter } from "./filter.ts"
import type { Reply, ResponseDoc } from "./route.ts"
import { SAMPLE_QUERY } from "./samples.ts"
import { Slices } from "./slices.ts"
import { firstSorted } from "./sorting.ts"
import type { SortKey } from "./sorting.ts"

/**
 * The common rules of lists: filter, order, pages, columns. Everything runs in slices, rows are made for
 * what is returned only, and a long list without pages goes out in pieces.
 */

export const PAGE_SIZE_MAX = 10_000
/** Rows of a list without pages. */
const ROWS_MAX = 10_000
/** Characters of a piece of JSON. */
const PIECE_SIZE = 32 << 10

const FLAG = { enum: ["true", "false"] }

export const LIST_QUERY = Type.Object({
  page: Type.Optional(
    Type.Integer({ minimum: 1, description: "Number of the page; without it there are no pages" }),
  ),
  page_size: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: PAGE_SIZE_MAX,
      default: 100,
      description: "Rows of a page",
    }),
  ),
  name: Type.Optional(Type.String({ description: "Only what has this in its name" })),
  use_regex: Type.Optional(
    Type.String({ ...FLAG, description: "`true`: name is a regular expression" }),
  ),
  sort: Type.Optional(Type.String({ description: "Field to sort by, with dots for nested ones" })),
  sort_reverse: Type.Optional(
    Type.String({ description: "Anything but `false` reverses the order" }),
  ),
  columns: Type.Optional(
    Type.String({
      description: "Fields to return, separated by commas, with dots for nested ones",
    }),
  ),
})

/** Of lists of what counts messages or octets. */
export const STATISTICS_QUERY = Type.Object({ ...LIST_QUERY.properties, ...SAMPLE_QUERY })

export type ListQuery = Static<typeof LIST_QUERY>
export type StatisticsQuery = Static<typeof STATISTICS_QUERY>

export function pageOf(row: TSchema): TSchema {
  return Type.Object({
    items: Type.Array(row),
    filtered_count: Type.Integer(),
    item_count: Type.Integer(),
    page: Type.Integer(),
    page_count: Type.Integer(),
    page_size: Type.Integer(),
    total_count: Type.Integer(),
  })
}

export function listResponses(row: TSchema): Record<number, ResponseDoc> {
  return {
    200: {
      doc: "An array; with `page` an object with one page",
      schema: Type.Union([Type.Array(row), pageOf(row)]),
    },
  }
}

export interface ListSource<T> {
  readonly items: Iterable<T>
  /** How many there are, if that is known without counting them. */
  readonly total?: number
  /** What `name` filters. */
  nameOf(item: T): string
  row(item: T): Record<string, unknown>
  /** Of a field, without making the whole row; undefined where that is not known. */
  sortKey?(field: string): ((item: T) => SortKey) | undefined
}

/** What a reply shows, and of how many. */
interface Found<T> {
  readonly items: readonly T[]
  readonly filteredCount: number
  readonly totalCount: number
}

export async function listReply<T>(
  clock: Clock,
  query: ListQuery,
  source: ListSource<T>,
): Promise<Reply> {
  const slices = new Slices(clock)
  const columns = parseColumns(query.columns)
  const row = (item: T): unknown => pickColumns(source.row(item), columns)
  const { page, page_size: pageSize = 100 } = query
  if (page === undefined) {
    const { items } = await find(query, source, 0, ROWS_MAX, slices)
    return { status: 200, text: jsonArray(items, row, slices) }
  }
  const start = (page - 1) * pageSize
  const { items, filteredCount, totalCount } = await find(
    query,
    source,
    start,
    start + pageSize,
    slices,
  )
  const pageCount = Math.max(1, Math.ceil(filteredCount / pageSize))
  if (page > pageCount)
    throw new HttpError(
      400,
      "page_out_of_range",
      `page out of range, page: ${page} page size: ${pageSize}, filtered: ${filteredCount}`,
    )
  const counts = JSON.stringify({
    filtered_count: filteredCount,
    item_count: items.length,
    page,
    page_count: pageCount,
    page_size: pageSize,
    total_count: totalCount,
  })
  const rows = jsonArray(items, row, slices)
  return { status: 200, text: wrapped(`{"items":`, rows, `,${counts.slice(1)}`) }
}

/** From `start` to before `end` of what passes the filter, in order. */
function find<T>(
  query: ListQuery,
  source: ListSource<T>,
  start: number,
  end: number,
  slices: Slices,
): Promise<Found<T>> {
  const filter = parseFilter(query)
  const keyOf = parseSort(query, source)
  if (keyOf !== null) return findSorted(query, source, filter, keyOf, start, end, slices)
  return findInOrder(source, filter, start, end, slices)
}

async function findInOrder<T>(
  source: ListSource<T>,
  filter: Filter | null,
  start: number,
  end: number,
  slices: Slices,
): Promise<Found<T>> {
  const items: T[] = []
  let totalCount = 0
  let filteredCount = 0
  for await (const batch of batches(source, filter, slices)) {
    totalCount += batch.size
    for (const item of batch.accepted) {
      if (filteredCount >= start && filteredCount < end) items.push(item)
      filteredCount++
    }
    if (filter === null && source.total !== undefined && filteredCount >= end)
      return { items, filteredCount: source.total, totalCount: source.total }
  }
  return { items, filteredCount, totalCount }
}

async function findSorted<T>(
  query: ListQuery,
  source: ListSource<T>,
  filter: Filter | null,
  keyOf: (item: T) => SortKey,
  start: number,
  end: number,
  slices: Slices,
): Promise<Found<T>> {
  const accepted: T[] = []
  let totalCount = 0
  if (filter === null) {
    for (const item of source.items)
      if (accepted.push(item) % BATCH_SIZE === 0 && slices.isTimeOver()) await slices.next()
    totalCount = accepted.length
  } else
    for await (const batch of batches(source, filter, slices)) {
      totalCount += batch.size
      for (const item of batch.accepted) accepted.push(item)
    }
  const isReverse = (query.sort_reverse ?? "false").toLowerCase() !== "false"
  const count = Math.min(end, accepted.length)
  const sorted = await firstSorted(accepted, keyOf, count, isReverse, slices)
  return { items: sorted.slice(start), filteredCount: accepted.length, totalCount }
}

interface Batch<T> {
  readonly size: number
  readonly accepted: readonly T[]
}

async function* batches<T>(
  source: ListSource<T>,
  filter: Filter | null,
  slices: Slices,
): AsyncGenerator<Batch<T>> {
  let batch: T[] = []
  for (const item of source.items) {
    batch.push(item)
    if (batch.length < BATCH_SIZE) continue
    yield await judged(source, filter, batch, slices)
    batch = []
    if (slices.isTimeOver()) await slices.next()
  }
  yield await judged(source, filter, batch, slices)
}

async function judged<T>(
  source: ListSource<T>,
  filter: Filter | null,
  items: readonly T[],
  slices: Slices,
): Promise<Batch<T>> {
  if (filter === null) return { size: items.length, accepted: items }
  const names = items.map((item) => source.nameOf(item))
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    if (attempt > 0) await slices.next()
    const verdicts = filter.test(names)
    if (verdicts !== null)
      return { size: items.length, accepted: items.filter((_, i) => verdicts[i] === true) }
  }
  throw badRequest("the regular expression takes too long")
}

/** Null without a filter. */
function parseFilter({ name = "", use_regex: useRegex }: ListQuery): Filter | null {
  if (name === "") return null
  return useRegex === "true" ? regexFilter(name) : substringFilter(name)
}

/** Null without an order. */
function parseSort<T>(
  { sort = "" }: ListQuery,
  source: ListSource<T>,
): ((item: T) => SortKey) | null {
  const field = sort.split(",")[0] ?? ""
  if (field === "") return null
  const path = field.split(".")
  return source.sortKey?.(field) ?? ((item) => toSortKey(valueAt(source.row(item), path)))
}

function toSortKey(value: unknown): SortKey {
  if (typeof value === "number" || typeof value === "string") return value
  if (typeof value === "boolean") return value ? 1 : 0
  return null
}

function valueAt(row: unknown, path: readonly string[]): unknown {
  let value = row
  for (const key of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return undefined
    value = Reflect.get(value, key)
  }
  return value
}

/** Paths of the columns; empty for all. */
export function parseColumns(columns: string | undefined): readonly (readonly string[])[] {
  if (columns === undefined || columns === "") return []
  return columns.split(",").map((column) => column.split("."))
}

/** Only these columns; what a row does not have is left out. */
export function pickColumns(
  row: Record<string, unknown>,
  columns: readonly (readonly string[])[],
): Record<string, unknown> {
  if (columns.length === 0) return row
  const picked: Record<string, unknown> = Object.create(null)
  for (const path of columns) {
    const value = valueAt(row, path)
    if (value !== undefined) put(picked, path, value)
  }
  return picked
}

function put(target: Record<string, unknown>, path: readonly string[], value: unknown): void {
  const [key = "", ...rest] = path
  if (rest.length === 0) {
    target[key] = value
    return
  }
  const present = target[key]
  const inner: Record<string, unknown> = Object.create(null)
  if (typeof present === "object" && present !== null) Object.assign(inner, present)
  target[key] = inner
  put(inner, rest, value)
}

async function* jsonArray<T>(
  items: readonly T[],
  row: (item: T) => unknown,
  slices: Slices,
): AsyncGenerator<string> {
  let piece = "["
  for (const [index, item] of items.entries()) {
    if (slices.isTimeOver()) await slices.next()
    piece += index === 0 ? JSON.stringify(row(item)) : `,${JSON.stringify(row(item))}`
    if (piece.length < PIECE_SIZE) continue
    yield piece
    piece = ""
  }
  yield `${piece}]`
}

async function* wrapped(
  start: string,
  rows: AsyncIterable<string>,
  end: string,
): AsyncGenerator<string> {
  yield start
  yield* rows
  yield end
}
