/** The management UI in a real browser: login, navigation by role, themes, tables, forms; and the policy holds. */
import assert from "node:assert/strict"
import { existsSync } from "node:fs"
import { after, before, test } from "node:test"
import type { Page } from "playwright-core"
import { buildUi } from "../../scripts/build-ui.ts"
import { startBroker } from "../../src/server/start-broker.ts"
import type { RunningBroker } from "../../src/server/start-broker.ts"
import { openPage } from "../support/browser.ts"

let running: RunningBroker
let origin = ""

before(async () => {
  if (!existsSync("dist/ui/manifest.json")) await buildUi()
  running = await startBroker({ amqp: { port: 0 }, http: { port: 0 } })
  origin = `http://127.0.0.1:${String(running.http?.port)}`
  for (const tag of ["management", "monitoring", "policymaker"])
    await running.administration.putUser(tag, { password: tag, tags: [tag] })
  const vhost = running.broker.vhosts.get("/")
  for (let i = 0; i < 260; i++)
    vhost?.declareQueue(
      {
        name: `q${String(i).padStart(3, "0")}`,
        durable: i % 2 === 0,
        exclusive: false,
        autoDelete: false,
        arguments: new Map(),
      },
      null,
    )
})

after(() => running.close())

async function logIn(page: Page, name = "guest", password = name): Promise<void> {
  await page.goto(origin)
  await page.getByLabel("User name").fill(name)
  await page.getByLabel("Password").fill(password)
  await page.getByRole("button", { name: "Log in" }).click()
}

/** 401 answers are lines of the console, too: those that a test provokes are no problem. */
const unexpected = (problems: readonly string[]): string[] =>
  problems.filter((text) => !text.includes("401"))

test("a wrong password is told, the right one opens the overview, logging out closes it", async () => {
  const { page, problems } = await openPage()
  await logIn(page, "guest", "wrong")
  await page.getByText("Wrong user name or password").waitFor()
  assert.equal(await page.getByLabel("User name").inputValue(), "guest")
  await page.getByLabel("Password").fill("guest")
  await page.keyboard.press("Enter")
  await page.getByRole("heading", { level: 1, name: "Overview" }).waitFor()
  assert.equal(await page.title(), "Overview · Sluice")
  await page.locator(".tile", { hasText: "Queues" }).getByText("260").waitFor()
  await page.reload()
  await page.getByRole("heading", { level: 1, name: "Overview" }).waitFor()
  await page.locator(".user-menu summary").click()
  await page.getByRole("button", { name: "Log out" }).click()
  await page.getByLabel("User name").waitFor()
  await page.reload()
  await page.getByLabel("User name").waitFor()
  assert.deepEqual(unexpected(problems), [])
})

test("users see what their tags allow", async () => {
  for (const name of ["management", "monitoring", "policymaker"]) {
    const { page, problems } = await openPage()
    await logIn(page, name)
    await page.getByRole("heading", { level: 1, name: "Overview" }).waitFor()
    const links = await page
      .getByRole("navigation", { name: "Pages" })
      .getByRole("link")
      .allInnerTexts()
    assert.ok(links.includes("Queues"))
    assert.equal(links.includes("Users"), false)
    if (name !== "monitoring") assert.equal(links.includes("Nodes"), false)
    const panels = await page.getByText("Memory", { exact: true }).count()
    if (name === "management") assert.equal(panels, 0)
    assert.deepEqual(unexpected(problems), [])
  }
})

test("nothing breaks the content policy, and nothing is asked of other hosts", async () => {
  const { page, problems } = await openPage()
  const foreign: string[] = []
  page.on("request", (request) => {
    if (!request.url().startsWith(origin) && !request.url().startsWith("data:"))
      foreign.push(request.url())
  })
  await page.addInitScript(
    `addEventListener("securitypolicyviolation", (event) => console.error("policy: " + event.violatedDirective))`,
  )
  await logIn(page)
  for (const path of ["/", "/queues", "/no-such-page"]) {
    await page.goto(`${origin}/#${path}`)
    await page.getByRole("heading", { level: 1 }).waitFor()
  }
  await page.getByText("There is no such page").waitFor()
  assert.deepEqual(unexpected(problems), [])
  assert.deepEqual(foreign, [])
})

test("the theme follows the system until it is chosen, and is remembered", async () => {
  const { page } = await openPage()
  await page.emulateMedia({ colorScheme: "dark" })
  await logIn(page)
  await page.getByRole("heading", { level: 1, name: "Overview" }).waitFor()
  const theme = (): Promise<string | undefined> =>
    page.evaluate("document.documentElement.dataset.theme")
  assert.equal(await theme(), "dark")
  await page.emulateMedia({ colorScheme: "light" })
  await page.locator(`html[data-theme="light"]`).waitFor()
  await page.getByRole("button", { name: "Theme: system" }).click()
  await page.getByRole("button", { name: "Theme: light" }).click()
  await page.locator(`html[data-theme="dark"]`).waitFor()
  await page.reload()
  assert.equal(await theme(), "dark")
})

test("the table of queues searches, sorts and goes through pages, all in the address", async () => {
  const { page, problems } = await openPage()
  await logIn(page)
  await page.goto(`${origin}/#/queues`)
  await page.getByText("1–100 of 260 queues").waitFor()
  await page.getByRole("button", { name: "Next" }).click()
  await page.getByText("101–200 of 260 queues").waitFor()
  assert.match(page.url(), /page=2/)
  await page.goBack()
  await page.getByText("1–100 of 260 queues").waitFor()
  await page.getByRole("heading", { level: 1 }).click()
  await page.keyboard.press("/")
  await page.keyboard.type("q25")
  await page.getByText("10 queues (260 in all)").waitFor()
  assert.match(page.url(), /name=q25/)
  await page.getByRole("columnheader", { name: "Name" }).getByRole("button").click()
  await page.getByRole("columnheader", { name: "Name" }).getByRole("button").click()
  await page.locator("tbody tr", { hasText: "q259" }).first().waitFor()
  await page.locator("tbody tr:first-child", { hasText: "q259" }).waitFor()
  assert.match(page.url(), /sort=name.*sort_reverse=true/)
  await page.reload()
  await page.getByText("10 queues (260 in all)").waitFor()
  assert.equal(await page.getByRole("searchbox").inputValue(), "q25")
  await page.getByRole("group", { name: "Presets" }).getByText("Unacked").click()
  await page.getByText("No queues match").waitFor()
  await page.getByRole("button", { name: "Clear the filter" }).click()
  await page.getByText("1–100 of 260 queues").waitFor()
  assert.deepEqual(unexpected(problems), [])
})

test("a queue is added with arguments; what the broker refuses is not lost", async () => {
  const { page } = await openPage()
  await logIn(page)
  await page.goto(`${origin}/#/queues`)
  await page.getByRole("button", { name: "Add queue" }).click()
  const dialog = page.getByRole("dialog", { name: "Add queue" })
  await dialog.getByLabel("Name", { exact: true }).first().fill("amq.reserved")
  await dialog.getByRole("button", { name: "x-message-ttl" }).click()
  await dialog.getByLabel("Value of x-message-ttl").fill("soon")
  await dialog.getByText("this must be a number").waitFor()
  await dialog.getByLabel("Value of x-message-ttl").fill("5000")
  await dialog.getByRole("button", { name: "Add queue" }).click()
  await dialog.getByRole("alert").waitFor()
  assert.equal(await dialog.getByLabel("Value of x-message-ttl").inputValue(), "5000")
  await dialog.getByLabel("Name", { exact: true }).first().fill("fresh")
  await dialog.getByRole("button", { name: "Add queue" }).click()
  await page.getByText("Added fresh").waitFor()
  const answer = await page.request.get(`${origin}/api/queues/%2F/fresh`)
  const queue: { readonly durable: boolean; readonly arguments: unknown } = await answer.json()
  assert.deepEqual([queue.durable, queue.arguments], [true, { "x-message-ttl": 5000 }])
})

test("several queues are paused and deleted, after what is typed", async () => {
  const { page } = await openPage()
  await logIn(page)
  await page.goto(`${origin}/#/queues?name=q10`)
  await page.getByText("10 queues (26").waitFor()
  await page.getByRole("checkbox", { name: "Select all of this page" }).check()
  await page.getByRole("button", { name: "Pause" }).click()
  await page.getByText("Paused 10 queues").waitFor()
  assert.equal(running.broker.vhosts.get("/")?.queues.get("q101")?.isPaused, true)
  await page.getByRole("checkbox", { name: "Select //q105" }).check()
  await page.getByRole("button", { name: "Delete" }).click()
  const dialog = page.getByRole("dialog", { name: "Delete 1 queue" })
  const sure = dialog.getByRole("button", { name: "Delete 1 queue" })
  assert.equal(await sure.isEnabled(), false)
  await dialog.getByLabel("Type q105 to go on").fill("q105")
  await sure.click()
  await page.getByText("Deleted 1 queue").waitFor()
  assert.equal(running.broker.vhosts.get("/")?.queues.has("q105"), false)
})

test("a session that ends leaves the form as it is, and goes on after the login", async () => {
  const { page } = await openPage()
  await logIn(page)
  await page.goto(`${origin}/#/queues`)
  await page.getByRole("button", { name: "Add queue" }).click()
  const form = page.getByRole("dialog", { name: "Add queue" })
  await form.getByLabel("Name", { exact: true }).first().fill("kept")
  await page.context().clearCookies()
  await form.getByRole("button", { name: "Add queue" }).click()
  const again = page.getByRole("dialog", { name: "Log in again" })
  await again.getByLabel("Password").fill("guest")
  await again.getByRole("button", { name: "Log in" }).click()
  await again.waitFor({ state: "detached" })
  assert.equal(await form.getByLabel("Name", { exact: true }).first().inputValue(), "kept")
  await form.getByRole("button", { name: "Add queue" }).click()
  await page.getByText("Added kept").waitFor()
})

test("keys open pages and the help; a phone has a drawer and nothing is wider than the screen", async () => {
  const { page } = await openPage()
  await logIn(page)
  await page.getByRole("heading", { level: 1, name: "Overview" }).waitFor()
  await page.keyboard.press("g")
  await page.keyboard.press("q")
  await page.getByRole("heading", { level: 1, name: "Queues" }).waitFor()
  await page.keyboard.press("?")
  await page.getByRole("dialog", { name: "Keys" }).waitFor()
  await page.keyboard.press("Escape")
  await page.getByRole("dialog", { name: "Keys" }).waitFor({ state: "detached" })
  await page.setViewportSize({ width: 390, height: 800 })
  await page.getByRole("button", { name: "Pages" }).click()
  await page.getByRole("link", { name: "Overview", exact: true }).click()
  await page.getByRole("heading", { level: 1, name: "Overview" }).waitFor()
  for (const path of ["/", "/queues"]) {
    await page.goto(`${origin}/#${path}`)
    await page.locator(".loading").first().waitFor({ state: "detached" })
    const excess = await page.evaluate<number>("document.documentElement.scrollWidth - innerWidth")
    assert.ok(excess <= 0, `${path} is ${String(excess)} px too wide`)
  }
})
