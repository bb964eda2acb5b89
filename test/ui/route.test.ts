import assert from "node:assert/strict"
import { test } from "node:test"
import {
  apiPath,
  formatHash,
  href,
  matchPath,
  parseHash,
  withQuery,
} from "../../src/ui/lib/route.ts"
import {
  INITIAL,
  apiQuery,
  pageOfRows,
  readTableState,
  sortedBy,
  visibleRows,
  writeTableState,
} from "../../src/ui/lib/table-state.ts"

test("a link and its address are the same thing, whatever the names hold", () => {
  for (const name of ["orders", "a/b", "100%", "ä ö", "?x=1", "#", "a+b", "%2F"]) {
    const { path, query } = parseHash(href(["queues", "/", name], { tab: name }))
    assert.deepEqual(matchPath("/queues/:vhost/:name", path), { vhost: "/", name })
    assert.equal(query["tab"], name)
  }
})

test("an address that cannot be read leads nowhere, without an error", () => {
  assert.equal(matchPath("/queues/:vhost/:name", parseHash("#/queues/%/x").path), null)
  assert.equal(matchPath("/queues", parseHash("#/queues/x").path), null)
  assert.deepEqual(parseHash(""), { path: "/", query: {} })
  assert.deepEqual(parseHash("#/queues/?page=2"), { path: "/queues", query: { page: "2" } })
})

test("empty parameters are left out", () => {
  assert.equal(formatHash({ path: "/queues", query: { name: "", page: "2" } }), "#/queues?page=2")
  assert.equal(withQuery("queues", { page: 1, name: "", sort: undefined }), "queues?page=1")
  assert.equal(withQuery("queues?a=1", { b: true }), "queues?a=1&b=true")
  assert.equal(apiPath`queues/${"/"}/${"a b"}`, "queues/%2F/a%20b")
})

test("the state of a table survives the address", () => {
  const state = {
    ...INITIAL,
    page: 3,
    pageSize: 250,
    name: "^a.*",
    isRegex: true,
    sort: "messages",
    isReverse: true,
    preset: "growing",
  }
  const { query } = parseHash(formatHash({ path: "/queues", query: writeTableState(state) }))
  assert.deepEqual(readTableState(query), state)
  assert.deepEqual(writeTableState(INITIAL), {
    page: "",
    page_size: "",
    name: "",
    use_regex: "",
    sort: "",
    sort_reverse: "",
    preset: "",
  })
})

test("an address from elsewhere gives no wild state", () => {
  const state = readTableState({ page: "-4", page_size: "1000000000", sort_reverse: "maybe" })
  assert.deepEqual(state, INITIAL)
  assert.equal(readTableState({ page: "abc" }).page, 1)
})

test("sorting by the same header turns the order round, and begins at the first page", () => {
  const first = sortedBy({ ...INITIAL, page: 7 }, "messages", true)
  assert.deepEqual([first.sort, first.isReverse, first.page], ["messages", true, 1])
  assert.equal(sortedBy(first, "messages", true).isReverse, false)
  assert.equal(sortedBy(first, "name", false).isReverse, false)
})

test("the query of the API", () => {
  const state = { ...INITIAL, name: "a b", isRegex: true, sort: "messages", isReverse: true }
  assert.equal(
    apiQuery("queues", state, { preset: "unacked" }),
    "queues?page=1&page_size=100&name=a+b&use_regex=true&sort=messages&sort_reverse=true&preset=unacked",
  )
  assert.equal(apiQuery("queues", INITIAL), "queues?page=1&page_size=100")
})

test("only rows on screen are drawn, at the ends too", () => {
  assert.deepEqual(visibleRows(1000, 34, 0, 680, 10), { start: 0, end: 30 })
  assert.deepEqual(visibleRows(1000, 34, 3400, 680, 10), { start: 90, end: 130 })
  assert.deepEqual(visibleRows(1000, 34, 34 * 990, 680, 10), { start: 980, end: 1000 })
  assert.deepEqual(visibleRows(0, 34, 0, 680, 10), { start: -10 + 10, end: 0 })
  // The list has become shorter than the place that was scrolled to.
  const { start, end } = visibleRows(5, 34, 34_000, 680, 10)
  assert.ok(start <= end && end === 5)
})

test("rows that are here are filtered, ordered and cut", () => {
  const rows = Array.from({ length: 120 }, (_, i) => ({
    name: `q${String(i)}`,
    deep: { n: i % 7 },
  }))
  // oxlint-disable-next-line unicorn/consistent-function-scoping -- Read with the test.
  const text = (row: { name: string }): string => row.name
  // oxlint-disable-next-line unicorn/consistent-function-scoping -- Read with the test.
  const value = (row: { deep: { n: number } }): unknown => row.deep.n
  const state = { ...INITIAL, pageSize: 50, sort: "deep.n", isReverse: true }
  const page = pageOfRows(rows, state, text, value)
  assert.equal(page.filteredCount, 120)
  assert.equal(page.items.length, 50)
  assert.equal(page.items[0]?.deep.n, 6)
  assert.equal(pageOfRows(rows, { ...INITIAL, name: "Q11" }, text, value).filteredCount, 11)
  assert.equal(
    pageOfRows(rows, { ...INITIAL, name: "^q1$", isRegex: true }, text, value).filteredCount,
    1,
  )
  assert.equal(
    pageOfRows(rows, { ...INITIAL, name: "(", isRegex: true }, text, value).filteredCount,
    0,
  )
})
