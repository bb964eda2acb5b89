/**
 * The list of queues with very many of them, and connections: what a person does stays quick, because the
 * page asks for one page and draws what is on screen. Sizes: SLUICE_UI_QUEUES (20,000) and
 * SLUICE_UI_CONNECTIONS (50). Times are reported, counts are checked. With SLUICE_UI_POLL_SECONDS the memory
 * of the page is watched for so long while it polls.
 */
import assert from "node:assert/strict"
import { after, before, test } from "node:test"
import type { Page } from "playwright-core"
import { pause } from "../support/eventually.ts"
import { openUi, startUi } from "../support/ui.ts"
import type { Ui } from "../support/ui.ts"
import { WireClient } from "../support/wire-client.ts"

const QUEUES = Number(process.env["SLUICE_UI_QUEUES"] ?? 20_000)
const CONNECTIONS = Number(process.env["SLUICE_UI_CONNECTIONS"] ?? 50)
const POLL_SECONDS = Number(process.env["SLUICE_UI_POLL_SECONDS"] ?? 0)
/** The table shows at most 200 rows of a page of 500, whatever there is. */
const ROWS_MAX = 100

let ui: Ui
let origin = ""
const clients: WireClient[] = []

before(async () => {
  ui = await startUi()
  ;({ origin } = ui)
  const vhost = ui.running.broker.vhosts.get("/")
  for (let i = 0; i < QUEUES; i++)
    vhost?.declareQueue(
      {
        name: `queue.${String(i).padStart(6, "0")}`,
        durable: false,
        exclusive: false,
        autoDelete: false,
        arguments: new Map(),
      },
      null,
    )
  for (let i = 0; i < CONNECTIONS; i++) clients.push(await WireClient.open(ui.running.amqpPort))
})

after(async () => {
  for (const client of clients) client.destroy()
  await ui.running.close()
})

/** The longest pieces of work, from 50 ms on, from the page itself. */
const OBSERVE = `
  globalThis.tasks = [];
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) globalThis.tasks.push(entry.duration);
  }).observe({ type: "longtask" });
`
const TWO_FRAMES = `new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(() => resolve(0))))`

/**
 * Reports what the page worked for an action: from its start until the second frame after the answer of the
 * broker. Nothing looks for elements meanwhile, for that would be work in the page, too.
 */
async function measured(
  page: Page,
  what: string,
  list: string | null,
  act: () => Promise<unknown>,
): Promise<void> {
  const cdp = await page.context().newCDPSession(page)
  await cdp.send("Performance.enable")
  const workMs = async (): Promise<number> => {
    const { metrics } = await cdp.send("Performance.getMetrics")
    return 1000 * (metrics.find(({ name }) => name === "TaskDuration")?.value ?? 0)
  }
  await page.evaluate(TWO_FRAMES)
  await page.evaluate("globalThis.tasks.length = 0")
  const workedMs = await workMs()
  const startMs = performance.now()
  const answered =
    list === null ? null : page.waitForResponse((response) => response.url().includes(list))
  await act()
  await answered
  await page.evaluate(TWO_FRAMES)
  const seenMs = performance.now() - startMs
  const busyMs = (await workMs()) - workedMs
  const tasks = await page.evaluate<number[]>("globalThis.tasks")
  const longest = tasks.length === 0 ? "below 50" : Math.max(...tasks).toFixed(0)
  await cdp.detach()
  console.log(
    `${what}: ${busyMs.toFixed(0)} ms of work in the page, longest piece ${longest} ms; seen after ${seenMs.toFixed(0)} ms`,
  )
}

const rowCount = (page: Page): Promise<number> => page.locator("tbody tr:not(.table-space)").count()

const last = (index: number): string => `queue.${String(index).padStart(6, "0")}`

test(`${String(QUEUES)} queues: page, sort, search, scroll and open draw only what is seen`, async () => {
  const { page, problems } = await openUi(origin, "/")
  await page.evaluate(OBSERVE)
  const requests: string[] = []
  page.on("request", (request) => requests.push(request.url()))
  const count = QUEUES.toLocaleString("en-US")
  const rows = page.locator("tbody tr")
  const list = "/api/queues?"
  const opening = page.getByRole("link", { name: "Queues", exact: true })
  await measured(page, "open the list", list, () => opening.click())
  await page.getByText(`of ${count} queues`).waitFor()
  assert.ok((await rowCount(page)) <= ROWS_MAX)
  const nodes = await page.locator("*").count()
  assert.ok(nodes < 4000, `${String(nodes)} elements`)

  const next = page.getByRole("button", { name: "Next" })
  await measured(page, "next page", "page=2", () => next.click())
  await rows.filter({ hasText: last(100) }).waitFor()
  const head = page.getByRole("columnheader", { name: "Name" }).getByRole("button")
  await head.click()
  await rows.filter({ hasText: last(0) }).waitFor()
  await measured(page, "sort", "sort_reverse=true", () => head.click())
  await rows.filter({ hasText: last(QUEUES - 1) }).waitFor()
  const size = page.locator(".pager-size select")
  await measured(page, "rows of 500", "page_size=500", () => size.selectOption("500"))
  await page.getByText(`1–500 of ${count} queues`).waitFor()
  assert.ok((await rowCount(page)) <= ROWS_MAX)

  await measured(page, "scroll a screen further", null, () =>
    page.evaluate(`document.querySelector(".table-scroll").scrollTop += 600`),
  )
  await measured(page, "scroll to the end", null, () =>
    page.evaluate(`document.querySelector(".table-scroll").scrollTop = 1e6`),
  )
  await rows.filter({ hasText: last(QUEUES - 500) }).waitFor()
  assert.ok((await rowCount(page)) <= ROWS_MAX)

  const search = page.getByRole("searchbox")
  await measured(page, "search", "name=queue.00123", () => search.fill("queue.00123"))
  await page.getByText(`10 queues (${count} in all)`).waitFor()
  const preset = page.getByRole("group", { name: "Presets" }).getByText("Non-empty")
  await measured(page, "preset", "preset=non-empty", () => preset.click())
  await page.getByText("No queues match").waitFor()
  // Each answer holds one page of the list, and few were needed.
  const lists = requests.filter((url) => url.includes(list))
  assert.ok(lists.every((url) => url.includes("page_size=")))
  assert.ok(lists.length < 60, `${String(lists.length)} requests`)
  assert.deepEqual(problems, [])
})

test(`${String(CONNECTIONS)} connections are listed one page at a time`, async () => {
  const { page } = await openUi(origin, "/")
  await page.evaluate(OBSERVE)
  const opening = page.getByRole("link", { name: "Connections", exact: true })
  await measured(page, "open the connections", "/api/connections?", () => opening.click())
  await page
    .getByText(`${CONNECTIONS.toLocaleString("en-US")} connections`)
    .first()
    .waitFor()
  assert.ok((await rowCount(page)) <= ROWS_MAX)
})

test("the memory of a page stays flat while it polls", { skip: POLL_SECONDS === 0 }, async () => {
  const { page } = await openUi(origin, "/queues")
  await page.getByLabel("Refresh every").selectOption("1000")
  const cdp = await page.context().newCDPSession(page)
  await cdp.send("Performance.enable")
  const read = async (): Promise<string> => {
    await cdp.send("HeapProfiler.collectGarbage")
    const { metrics } = await cdp.send("Performance.getMetrics")
    const value = (name: string): number => metrics.find((one) => one.name === name)?.value ?? 0
    const heap = (value("JSHeapUsedSize") / 2 ** 20).toFixed(2)
    return `heap ${heap} MiB, ${String(value("Nodes"))} nodes, ${String(value("JSEventListeners"))} listeners`
  }
  for (let seconds = 0; seconds <= POLL_SECONDS; seconds += 10) {
    console.log(`after ${String(seconds)} s: ${await read()}`)
    await pause(10_000)
  }
})
