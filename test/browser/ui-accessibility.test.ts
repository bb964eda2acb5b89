/**
 * Every page of the UI's table of pages, in both themes and two widths: names, headings, landmarks, contrast,
 * keyboard. A page that is added to the table is checked here without another line.
 */
import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { after, before, test } from "node:test"
import type { Page } from "playwright-core"
import { accessibilityProblems, focusProblems } from "../support/accessibility.ts"
import { startUi } from "../support/ui.ts"
import type { Ui } from "../support/ui.ts"

let ui: Ui
let connection = ""

/** Read as text: the pages behind it are for a browser. */
const PATHS: readonly string[] = Array.from(
  readFileSync("src/ui/pages/routes.ts", "utf8").matchAll(/\bpath: "([^"]+)"/gm),
  ([, path = ""]) => path,
)

/** The frame around the pages has about thirty places, a page seldom more. */
const FOCUS_STEPS = 60
const PAGE_FOCUS_STEPS = 30
/** A main button that opens no dialog is none of a form. */
const DIALOG_TIMEOUT_MS = 3000

before(async () => {
  ui = await startUi()
  const client = await ui.client("accessible")
  const channel = await client.createConfirmChannel()
  await channel.assertExchange("orders", "topic")
  await channel.assertQueue("q", { arguments: { "x-message-ttl": 600_000 } })
  await channel.assertQueue("empty")
  await channel.assertQueue("s", { durable: true, arguments: { "x-queue-type": "stream" } })
  await channel.bindQueue("q", "orders", "eu.#")
  await channel.prefetch(2)
  for (const queue of ["q", "s"])
    for (let i = 0; i < 5; i++) channel.sendToQueue(queue, Buffer.from('{"a":1}'))
  await channel.waitForConfirms()
  await channel.consume("q", () => {}, { consumerTag: "holding" })
  const [first] = ui.running.broker.connections
  connection = first?.inspected.name ?? ""
})
after(() => ui.close())

/** With something that is there in the place of each parameter. */
function addressOf(path: string): string {
  const name = path.startsWith("/channels/")
    ? `${connection} (1)`
    : path.startsWith("/connections/")
      ? connection
      : ({ exchanges: "orders", queues: "q", streams: "s", vhosts: "/", users: "guest" }[
          path.split("/")[1] ?? ""
        ] ?? "x")
  return path.replace(":vhost", "%2F").replace(/:\w+/, encodeURIComponent(name))
}

async function show(page: Page, path: string): Promise<void> {
  await page.goto(`${ui.origin}/#${addressOf(path)}`)
  await page.getByRole("heading", { level: 1 }).waitFor()
  await page.locator(".loading").first().waitFor({ state: "detached" })
}

/** The form behind the page's main button, if it has one. */
async function formProblems(page: Page): Promise<string[]> {
  const button = page.locator(".page-actions .button.is-primary")
  if ((await button.count()) !== 1) return []
  await button.click()
  const dialog = page.locator("dialog[open]")
  const isOpen = await dialog.waitFor({ timeout: DIALOG_TIMEOUT_MS }).then(
    () => true,
    () => false,
  )
  if (!isOpen) return []
  const problems = await accessibilityProblems(page)
  await page.keyboard.press("Escape")
  await page.locator("dialog[open]").waitFor({ state: "detached" })
  return problems.map((problem) => `in the form: ${problem}`)
}

async function tabProblems(page: Page): Promise<string[]> {
  const problems: string[] = []
  const tabs = page.locator("main [role=tablist] [role=tab]")
  const count = await tabs.count()
  for (let index = 1; index < count; index++) {
    const tab = tabs.nth(index)
    const name = await tab.innerText()
    await tab.click()
    await page.locator(".loading").first().waitFor({ state: "detached" })
    problems.push(...(await accessibilityProblems(page)).map((text) => `tab ${name}: ${text}`))
    if ((await tabs.count()) !== count) break
  }
  return problems
}

for (const theme of ["light", "dark"] as const)
  test(`names, headings, landmarks and contrast in the ${theme} theme`, async () => {
    const { page } = await ui.open("/")
    await page.emulateMedia({ colorScheme: theme })
    await page.locator(`html[data-theme="${theme}"]`).waitFor()
    const problems: string[] = []
    for (const path of PATHS) {
      await show(page, path)
      const here = [
        ...(await accessibilityProblems(page)),
        ...(await formProblems(page)),
        ...(await tabProblems(page)),
      ]
      problems.push(...here.map((problem) => `${path}: ${problem}`))
    }
    assert.ok(PATHS.length >= 10, "the table of pages is read")
    assert.deepEqual(problems, [])
  })

test("on a phone no page is wider than the screen, and everything has its name", async () => {
  const { page } = await ui.open("/")
  await page.setViewportSize({ width: 390, height: 844 })
  const problems: string[] = []
  for (const path of PATHS) {
    await show(page, path)
    problems.push(...(await accessibilityProblems(page)).map((problem) => `${path}: ${problem}`))
  }
  assert.deepEqual(problems, [])
})

test("the focus goes through every page by Tab and shows where it is", async () => {
  const { page } = await ui.open("/")
  const problems: string[] = []
  for (const [index, path] of PATHS.entries()) {
    await show(page, path)
    // The frame is the same on every page: it is gone through once.
    if (index > 0) await page.locator("#main").focus()
    const steps = index > 0 ? PAGE_FOCUS_STEPS : FOCUS_STEPS
    problems.push(...(await focusProblems(page, steps)).map((problem) => `${path}: ${problem}`))
  }
  assert.deepEqual(problems, [])
})

test("the login form, the keys and a question are accessible, too", async () => {
  const { page } = await ui.open("/queues")
  await page.keyboard.press("?")
  await page.getByRole("dialog", { name: "Keys" }).waitFor()
  assert.deepEqual(await accessibilityProblems(page), [])
  await page.keyboard.press("Escape")
  await page.getByRole("checkbox", { name: "Select //empty" }).check()
  await page.getByRole("button", { name: "Purge" }).click()
  await page.getByRole("dialog", { name: "Purge 1 queue" }).waitFor()
  assert.deepEqual(await accessibilityProblems(page), [])
  await page.keyboard.press("Escape")
  await page.context().clearCookies()
  await page.reload()
  await page.getByLabel("User name").waitFor()
  assert.deepEqual(await accessibilityProblems(page), [])
})

test("the checks find what they look for", async () => {
  const { page } = await ui.open("/")
  await page.evaluate(`document.querySelector("main").insertAdjacentHTML("beforeend",
    '<h4 id="main">x</h4><button></button><input aria-describedby="nowhere">' +
    '<a href="#/">ok</a><p>Faint</p><table><tr><th>h</th></tr></table>')`)
  await page.evaluate(`(() => { const p = [...document.querySelectorAll("main p")].at(-1)
    p.style.color = "rgb(160, 160, 160)"; p.style.background = "white" })()`)
  const problems = (await accessibilityProblems(page)).join("\n")
  for (const expected of [
    /no name: <button>/,
    /no name: <input/,
    /aria-describedby points to nothing/,
    /a heading h4 follows h[12]/,
    /two elements have the id main/,
    /th without scope/,
    /contrast 2\.\d+ of "Faint"/,
  ])
    assert.match(problems, expected)
})
