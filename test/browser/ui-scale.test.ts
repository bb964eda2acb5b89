/**
 * The list of queues with very many of them, and connections: what a person does stays quick, because the
 * page asks for one page, draws what is on screen, and uses the rows that it has for other queues. Sizes:
 * SLUICE_UI_QUEUES (20,000), SLUICE_UI_CONNECTIONS (50) and SLUICE_UI_TURNS (40, of pages, for the memory). Times
 * are reported, counts are checked: elements made, rows in the document, requests. With SLUICE_UI_POLL_SECONDS
 * the memory of the page is watched for so long while it polls.
 */
import assert from "node:assert/strict"
import { after, before, test } from "node:test"
import type { CDPSession, Locator, Page } from "playwright-core"
import { pause } from "../support/eventually.ts"
import { openUi, startUi } from "../support/ui.ts"
import type { Ui } from "../support/ui.ts"
import { WireClient } from "../support/wire-client.ts"

const QUEUES = Number(process.env["SLUICE_UI_QUEUES"] ?? 20_000)
const CONNECTIONS = Number(process.env["SLUICE_UI_CONNECTIONS"] ?? 50)
const TURNS = Number(process.env["SLUICE_UI_TURNS"] ?? 40)
const POLL_SECONDS = Number(process.env["SLUICE_UI_POLL_SECONDS"] ?? 0)
/** In the document, of a page of 500 or 1000: what a window of 720 px shows, and some beside. */
const ROWS_MAX = 32
/** Made for another page, order or search: everything that stays is used again. */
const MADE_MAX = 30
const LONG = "names"

let ui: Ui
let origin = ""
const clients: WireClient[] = []

before(async () => {
  ui = await startUi()
  ;({ origin } = ui)
  const plain = { durable: false, exclusive: false, autoDelete: false, arguments: new Map() }
  const vhost = ui.running.broker.vhosts.get("/")
  for (let i = 0; i < QUEUES; i++) vhost?.declareQueue({ ...plain, name: last(i) }, null)
  const headers = { authorization: `Basic ${btoa("guest:guest")}` }
  await fetch(`${origin}/api/vhosts/${LONG}`, { method: "PUT", headers })
  const long = ui.running.broker.vhosts.get(LONG)
  assert.ok(long !== undefined)
  // The long ones are far down the page.
  for (let i = 0; i < 600; i++) {
    const name = `${String(i).padStart(4, "0")}.${"long name ".repeat(25).slice(0, i < 100 ? 9 : (i * i) % 251)}`
    long.declareQueue({ ...plain, name }, null)
  }
  for (let i = 0; i < CONNECTIONS; i++) clients.push(await WireClient.open(ui.running.amqpPort))
})

after(async () => {
  for (const client of clients) client.destroy()
  await ui.running.close()
})

/** Counts and times of the page itself: from the input to the frame that shows the last change. */
interface Work {
  readonly made: number
  readonly changes: number
  readonly seenMs: number
  /** From the input to the frame after it, as browsers report it; 0 is below 16 ms. */
  readonly inputMs: number
}

const OBSERVE = `
  const work = globalThis.work = {};
  globalThis.begin = () => Object.assign(work, { made: 0, changes: 0, startMs: 0, endMs: 0, inputMs: 0 });
  begin();
  const known = new WeakSet();
  const painted = new MessageChannel();
  painted.port1.onmessage = () => { work.endMs = performance.now(); };
  const see = (element) => { if (!known.has(element)) { known.add(element); work.made++; } };
  new MutationObserver((records) => {
    work.changes += records.length;
    for (const { addedNodes } of records) for (const node of addedNodes)
      if (node instanceof Element) { see(node); node.querySelectorAll("*").forEach(see); }
    requestAnimationFrame(() => painted.port2.postMessage(0));
  }).observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
  for (const type of ["pointerdown", "keydown", "input", "change", "wheel", "scroll"])
    addEventListener(type, ({ timeStamp }) => { work.startMs ||= timeStamp; }, { capture: true, passive: true });
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) work.inputMs = Math.max(work.inputMs, entry.duration);
  }).observe({ type: "event", durationThreshold: 16 });
`
const TWO_FRAMES = `new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(() => resolve(0))))`

async function openCounted(path: string): Promise<Awaited<ReturnType<typeof openUi>>> {
  const opened = await openUi(origin, path)
  await opened.page.evaluate(OBSERVE)
  return opened
}

/**
 * What the page did for an action, until the second frame after the answer of the broker. Nothing looks for
 * elements meanwhile, for that would be work in the page, too.
 */
async function measured(
  page: Page,
  what: string,
  list: string | null,
  act: () => Promise<unknown>,
): Promise<Work> {
  const cdp = await page.context().newCDPSession(page)
  await cdp.send("Performance.enable", { timeDomain: "threadTicks" })
  const workMs = async (): Promise<number> => {
    const { metrics } = await cdp.send("Performance.getMetrics")
    return 1000 * (metrics.find(({ name }) => name === "TaskDuration")?.value ?? 0)
  }
  await page.evaluate(TWO_FRAMES)
  await page.evaluate("begin()")
  const workedMs = await workMs()
  const answered =
    list === null ? null : page.waitForResponse((response) => response.url().includes(list))
  await act()
  await (await answered)?.finished()
  await page.evaluate(TWO_FRAMES)
  await page.evaluate(TWO_FRAMES)
  const busyMs = (await workMs()) - workedMs
  const work = await page.evaluate<Omit<Work, "seenMs"> & { startMs: number; endMs: number }>(
    "work",
  )
  await cdp.detach()
  const seenMs = Math.max(0, work.endMs - work.startMs)
  console.log(
    `${what}: seen after ${seenMs.toFixed(0)} ms (input ${work.inputMs.toFixed(0)}), ${busyMs.toFixed(0)} ms of work; ${String(work.made)} elements made, ${String(work.changes)} changes`,
  )
  return { ...work, seenMs }
}

/** Clicks without looking for the place meanwhile. */
async function clicking(page: Page, target: Locator): Promise<() => Promise<void>> {
  await target.scrollIntoViewIfNeeded()
  const box = await target.boundingBox()
  assert.ok(box !== null)
  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2)
  return async () => {
    await page.mouse.down()
    await page.mouse.up()
  }
}

const rowCount = (page: Page): Promise<number> => page.locator("tbody tr:not(.table-space)").count()

function last(index: number): string {
  return `queue.${String(index).padStart(6, "0")}`
}

test(`${String(QUEUES)} queues: page, sort, search, scroll and open draw only what is seen`, async () => {
  const { page, problems } = await openCounted("/")
  const requests: string[] = []
  page.on("request", (request) => requests.push(request.url()))
  const rows = page.locator("tbody tr")
  const list = "/api/queues?"
  const total = QUEUES + 600
  const count = total.toLocaleString("en-US")
  const opening = await clicking(page, page.getByRole("link", { name: "Queues", exact: true }))
  const opened = await measured(page, "open the list", list, opening)
  await page.getByText(`of ${count} queues`).waitFor()
  assert.ok((await rowCount(page)) <= ROWS_MAX)
  assert.ok(opened.made < 1000, `${String(opened.made)} elements`)
  const again = async (
    what: string,
    answer: string,
    act: () => Promise<unknown>,
  ): Promise<void> => {
    const { made } = await measured(page, what, answer, act)
    assert.ok(made <= MADE_MAX, `${what}: ${String(made)} elements made`)
    assert.ok((await rowCount(page)) <= ROWS_MAX)
  }
  const next = page.getByRole("button", { name: "Next" })
  await again("next page", "page=2", await clicking(page, next))
  await rows.filter({ hasText: last(100) }).waitFor()
  const head = page.getByRole("columnheader", { name: "Name" }).getByRole("button")
  await again("sort", "sort=name", await clicking(page, head))
  await rows.filter({ hasText: "0000." }).first().waitFor()
  await again("sort the other way", "sort_reverse=true", await clicking(page, head))
  await rows.filter({ hasText: last(QUEUES - 1) }).waitFor()
  const size = page.locator(".pager-size select")
  await again("rows of 500", "page_size=500", () => size.selectOption("500"))
  await page.getByText(`1–500 of ${count} queues`).waitFor()
  const search = page.getByRole("searchbox")
  await search.focus()
  await again("search", "name=queue.00123", () => page.keyboard.insertText("queue.00123"))
  await page.getByText(`10 queues (${count} in all)`).waitFor()
  const preset = page.getByRole("group", { name: "Presets" }).getByText("Non-empty")
  await again("preset", "preset=non-empty", await clicking(page, preset))
  await page.getByText("No queues match").waitFor()
  // Each answer holds one page of the list, and few were needed.
  const lists = requests.filter((url) => url.includes(list))
  assert.ok(lists.every((url) => url.includes("page_size=")))
  assert.ok(lists.length < 60, `${String(lists.length)} requests`)
  assert.deepEqual(problems, [])
})

test("scrolling uses the rows again, and news that change nothing draw nothing", async () => {
  const { page } = await openCounted("/queues?page_size=500")
  await page.getByText("1–500 of").waitFor()
  const box = page.locator(".table-scroll")
  await box.hover()
  const wheel = (by: number) => (): Promise<void> => page.mouse.wheel(0, by)
  await measured(page, "the first wheel", null, wheel(600))
  await measured(page, "the second wheel", null, wheel(100))
  // From here on as many rows as there can be are there.
  for (const by of [100, 600, 3000]) {
    const { made } = await measured(page, `wheel by ${String(by)}`, null, wheel(by))
    assert.ok(made <= MADE_MAX, `${String(made)} elements made`)
  }
  await measured(page, "scroll to the end", null, () =>
    page.evaluate(`document.querySelector(".table-scroll").scrollTop = 1e6`),
  )
  await page
    .locator("tbody tr")
    .filter({ hasText: last(499) })
    .waitFor()
  assert.ok((await rowCount(page)) <= ROWS_MAX)
  const refreshed = await measured(page, "refresh", "/api/queues?", () => page.keyboard.press("r"))
  assert.equal(refreshed.made, 0)
  assert.ok(refreshed.changes <= 4, `${String(refreshed.changes)} changes`)
  // Another page begins at its top, and is scrolled without waiting for news.
  await page.getByLabel("Refresh every").selectOption("0")
  await page.getByRole("button", { name: "Next" }).click()
  await page.locator("tr[aria-rowindex='502']").waitFor()
  await page.locator(".table-scroll").hover()
  await page.mouse.wheel(0, 3400)
  await page.locator("tr[aria-rowindex='605']").waitFor()
  assert.ok((await places(page)).isFull)
})

/** Where rows and columns are, and which row has the focus. */
interface Places {
  readonly columns: readonly number[]
  /** Places on screen less those that the numbers of the rows tell. */
  readonly jumps: number
  readonly focus: number
  readonly isSeen: boolean
  /** All of the box shows rows. */
  readonly isFull: boolean
}

const PLACES = `(() => {
  const box = document.querySelector(".table-scroll").getBoundingClientRect();
  const head = document.querySelector("thead").getBoundingClientRect();
  const rows = [...document.querySelectorAll("tbody tr[aria-rowindex]")].map((row) => {
    const { top, bottom } = row.getBoundingClientRect();
    return { top, bottom, index: Number(row.getAttribute("aria-rowindex")) };
  });
  const [first] = rows;
  const focus = Number(document.activeElement.closest("tr")?.getAttribute("aria-rowindex") ?? 0);
  const focused = rows.find(({ index }) => index === focus);
  const shown = rows.filter(({ top, bottom }) => bottom > head.bottom && top < box.bottom);
  return {
    columns: [...document.querySelectorAll("th")].map((cell) => Math.round(cell.getBoundingClientRect().width)),
    jumps: rows.filter(({ top, index }) => Math.abs(top - first.top - (index - first.index) * 34) > 1).length,
    focus,
    isSeen: focused !== undefined && focused.top >= head.bottom - 1 && focused.bottom <= box.bottom + 1,
    isFull: shown.length >= Math.floor((box.bottom - head.bottom) / 34),
  };
})()`

const places = async (page: Page): Promise<Places> => {
  await page.evaluate(TWO_FRAMES)
  return page.evaluate<Places>(PLACES)
}

test("keys and wheel at speed: nothing jumps, the focus stays, rows are counted for screen readers", async () => {
  const { page, problems } = await openCounted("/queues?page_size=500&page=2")
  await page.getByLabel("Refresh every").selectOption("1000")
  const table = page.getByRole("table")
  await page.getByText("501–1,000 of").waitFor()
  assert.equal(await table.getAttribute("aria-rowcount"), String(QUEUES + 601))
  const first = page.locator("tbody tr", { hasText: last(500) })
  assert.equal(await first.getAttribute("aria-rowindex"), "502")
  const start = await places(page)
  await first.focus()
  for (let i = 0; i < 120; i++) await page.keyboard.press("ArrowDown")
  const down = await places(page)
  assert.equal(down.focus, 622)
  assert.ok(down.isSeen)
  await page.locator(".table-scroll").hover()
  for (let i = 0; i < 30; i++) await page.mouse.wheel(0, 300)
  for (let i = 0; i < 10; i++) await page.mouse.wheel(0, -200)
  const away = await places(page)
  assert.deepEqual(
    { ...away, columns: [] },
    { columns: [], jumps: 0, focus: 622, isSeen: false, isFull: true },
  )
  assert.deepEqual(away.columns, start.columns)
  await page.keyboard.press("ArrowDown")
  await page.locator("tr[aria-rowindex='623']:focus").waitFor()
  assert.ok((await places(page)).isSeen)
  await page.keyboard.press("End")
  await page.locator("tr[aria-rowindex='1001']:focus").waitFor()
  await page.keyboard.press("Home")
  await page.locator("tr[aria-rowindex='502']:focus").waitFor()
  // The row with the focus is another one then, at the same place.
  const answer = page.waitForResponse((response) => response.url().includes("page=3"))
  await page.evaluate(`location.hash = "#/queues?page_size=500&page=3"`)
  await (await answer).finished()
  await page.locator("tr[aria-rowindex='1002']:focus").waitFor()
  assert.deepEqual(problems, [])
})

test("long names: columns stay where they are, and typing is not disturbed", async () => {
  const { page, problems } = await openCounted("/queues?page_size=500")
  await page.getByLabel("Refresh every").selectOption("1000")
  await page.getByRole("banner").getByLabel("Virtual host").selectOption(LONG)
  await page.getByText("1–500 of 600 queues").waitFor()
  const start = await places(page)
  await page.locator(".table-scroll").hover()
  for (let i = 0; i < 20; i++) {
    await page.mouse.wheel(0, 500)
    const now = await places(page)
    assert.equal(now.jumps, 0)
    for (const [column, width] of now.columns.entries())
      assert.ok(Math.abs(width - (start.columns[column] ?? 0)) <= 1, `column ${String(column)}`)
  }
  const search = page.getByRole("searchbox")
  await search.focus()
  await page.keyboard.type("0123.long name", { delay: 20 })
  await page.getByText("1 queue (").waitFor()
  assert.equal(await search.inputValue(), "0123.long name")
  assert.equal(await page.getByRole("table").getAttribute("aria-rowcount"), "2")
  for (let i = 0; i < 14; i++) await page.keyboard.press("Backspace")
  await page.getByText("1–500 of 600 queues").waitFor()
  assert.equal(await page.locator("input[type=search]:focus").count(), 1)
  assert.deepEqual(problems, [])
})

test(`${String(CONNECTIONS)} connections are listed one page at a time`, async () => {
  const { page } = await openCounted("/")
  const opening = await clicking(page, page.getByRole("link", { name: "Connections", exact: true }))
  await measured(page, "open the connections", "/api/connections?", opening)
  await page
    .getByText(`${CONNECTIONS.toLocaleString("en-US")} connections`)
    .first()
    .waitFor()
  assert.ok((await rowCount(page)) <= ROWS_MAX)
  const head = page.getByRole("columnheader", { name: "Channels" }).getByRole("button")
  const { made } = await measured(page, "sort", "sort=channels", await clicking(page, head))
  assert.ok(made <= MADE_MAX, `${String(made)} elements made`)
})

interface Memory {
  readonly heapMiB: number
  readonly nodes: number
  readonly listeners: number
}

/** After a collection. */
async function memoryOf(cdp: CDPSession): Promise<Memory> {
  await cdp.send("HeapProfiler.collectGarbage")
  const { metrics } = await cdp.send("Performance.getMetrics")
  const value = (name: string): number => metrics.find((one) => one.name === name)?.value ?? 0
  const heapMiB = value("JSHeapUsedSize") / 2 ** 20
  return { heapMiB, nodes: value("Nodes"), listeners: value("JSEventListeners") }
}

function memoryText({ heapMiB, nodes, listeners }: Memory): string {
  return `heap ${heapMiB.toFixed(2)} MiB, ${String(nodes)} nodes, ${String(listeners)} listeners`
}

test(`the memory of a page is flat over ${String(TURNS)} pages`, async () => {
  const { page } = await openUi(origin, "/queues")
  const cdp = await page.context().newCDPSession(page)
  await cdp.send("Performance.enable")
  const turn = async (number: number): Promise<void> => {
    const answer = page.waitForResponse((one) => one.url().includes(`page=${String(number)}&`))
    await page.evaluate(`location.hash = "#/queues?page=${String(number)}"`)
    await (await answer).finished()
    await page.evaluate(TWO_FRAMES)
  }
  for (let i = 0; i < 20; i++) await turn(2 + (i % 9))
  const early = await memoryOf(cdp)
  for (let i = 0; i < TURNS; i++) await turn(2 + (i % 9))
  for (let i = 0; i < 20; i++) await turn(2 + (i % 9))
  const now = await memoryOf(cdp)
  console.log(`before: ${memoryText(early)}; after: ${memoryText(now)}`)
  assert.ok(now.nodes - early.nodes < 300, `${String(now.nodes - early.nodes)} more nodes`)
  assert.ok(now.listeners - early.listeners < 50)
  assert.ok(now.heapMiB - early.heapMiB < 1, `${(now.heapMiB - early.heapMiB).toFixed(2)} MiB more`)
})

test("the memory of a page stays flat while it polls", { skip: POLL_SECONDS === 0 }, async () => {
  const { page } = await openUi(origin, "/queues")
  await page.getByLabel("Refresh every").selectOption("1000")
  const cdp = await page.context().newCDPSession(page)
  await cdp.send("Performance.enable")
  for (let seconds = 0; seconds <= POLL_SECONDS; seconds += 10) {
    console.log(`after ${String(seconds)} s: ${memoryText(await memoryOf(cdp))}`)
    await pause(10_000)
  }
})
