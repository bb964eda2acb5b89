import { Type } from "./schema.ts"
import type { Static, TSchema } from "./schema.ts"
import type { Clock } from "../util/clock.ts"
import { badRequest, HttpError } from "./errors.ts"
import { ATTEMPTS, BATCH_SIZE, regexFilter, substringFilter } from "./filter.ts"
import type { Filter } from "./filter.ts"
import type { Reply, ResponseDoc } from "./route.ts"
import { SAMPLE_QUERY } from "./samples.ts"
import { Slices } from "./slices.ts"
import { sortedPart } from "./sorting.ts"
import type { SortKey } from "./sorting.ts"

/**
 * The common rules of lists: filter, order, pages, columns. Everything runs in slices, rows are made for
 * what is returned only, and a long list without pages goes out in pieces.
 */

export const PAGE_SIZE_MAX = 10_000
/** Rows of a list without pages. */
const ROWS_MAX = 10_000
/** To show no more than so many of the first, all are not asked for. */
const SHORT_MAX = 1000
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
  /** The same at once, where that takes no time to speak of. */
  all?(): readonly T[]
  /** Others are not shown, and not counted. */
  accepts?(item: T): boolean
  /** How many there are, if that is known without counting them. */
  readonly total?: number
  /** What `name` filters. */
  nameOf(item: T): string
  /** Other texts in which it may be found. */
  readonly otherNames?: readonly ((item: T) => string)[]
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
  let filteredCount = 0
  const { total } = source
  const isTotalKnown = filter === null && source.accepts === undefined && total !== undefined
  const isShort = isTotalKnown && end <= SHORT_MAX
  const all = isShort ? source.items : (source.all?.() ?? source.items)
  const totalCount = await walk(all, source, filter, slices, (batch) => {
    const first = Math.max(0, start - filteredCount)
    items.push(...batch.slice(first, Math.max(first, end - filteredCount)))
    filteredCount += batch.length
    return !isTotalKnown || filteredCount < end
  })
  if (isTotalKnown) return { items, filteredCount: total, totalCount: total }
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
  const isReverse = (query.sort_reverse ?? "false").toLowerCase() !== "false"
  const all = source.all?.()
  if (all !== undefined && filter === null && source.accepts === undefined) {
    const items = await sortedPart(all, keyOf, start, end, isReverse, slices)
    return { items, filteredCount: all.length, totalCount: all.length }
  }
  const accepted: T[] = []
  const totalCount = await walk(
    all ?? source.items,
    source,
    filter,
    slices,
    (batch) => accepted.push(...batch) >= 0,
  )
  const items = await sortedPart(accepted, keyOf, start, end, isReverse, slices)
  return { items, filteredCount: accepted.length, totalCount }
}

/** Shows `visit` what passes the filter, until it returns false: how many there were up to there. */
async function walk<T>(
  items: Iterable<T>,
  source: ListSource<T>,
  filter: Filter | null,
  slices: Slices,
  visit: (batch: readonly T[]) => boolean,
): Promise<number> {
  let count = 0
  for (const batch of batchesOf(items)) {
    if (slices.isTimeOver()) await slices.next()
    const seen =
      source.accepts === undefined ? batch : batch.filter((item) => source.accepts?.(item))
    count += seen.length
    if (!visit(filter === null ? seen : await passing(source, filter, seen, slices))) break
  }
  return count
}

/** Loops over few, in functions of their own, are those that the engine makes fast soonest. */
function* batchesOf<T>(items: Iterable<T>): Generator<readonly T[]> {
  if (isArray(items)) {
    for (let at = 0; at < items.length; at += BATCH_SIZE) yield items.slice(at, at + BATCH_SIZE)
    return
  }
  const iterator = items[Symbol.iterator]()
  for (;;) {
    const batch = batchFrom(iterator)
    if (batch.length === 0) return
    yield batch
  }
}

function isArray<T>(items: Iterable<T>): items is readonly T[] {
  return Array.isArray(items)
}

function batchFrom<T>(iterator: Iterator<T>): T[] {
  const batch: T[] = []
  while (batch.length < BATCH_SIZE) {
    const next = iterator.next()
    if (next.done === true) break
    batch.push(next.value)
  }
  return batch
}

function passing<T>(
  source: ListSource<T>,
  filter: Filter,
  items: readonly T[],
  slices: Slices,
): readonly T[] | Promise<readonly T[]> {
  const { accepts } = filter
  if (accepts === null) return judged(source, filter, items, slices)
  const { otherNames } = source
  if (otherNames === undefined) return items.filter((item) => accepts(source.nameOf(item)))
  return items.filter(
    (item) => accepts(source.nameOf(item)) || otherNames.some((nameOf) => accepts(nameOf(item))),
  )
}

async function judged<T>(
  source: ListSource<T>,
  filter: Filter,
  items: readonly T[],
  slices: Slices,
): Promise<readonly T[]> {
  const isAccepted = items.map(() => false)
  for (const nameOf of [(item: T) => source.nameOf(item), ...(source.otherNames ?? [])])
    for (const [index, verdict] of (await verdictsOn(filter, items.map(nameOf), slices)).entries())
      if (verdict) isAccepted[index] = true
  return items.filter((_, index) => isAccepted[index] === true)
}

async function verdictsOn(
  filter: Filter,
  names: readonly string[],
  slices: Slices,
): Promise<readonly boolean[]> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    if (attempt > 0) await slices.next()
    const verdicts = filter.test(names)
    if (verdicts !== null) return verdicts
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
