/** The live log in a real browser, and what every page says when the broker is gone or in need. */
import assert from "node:assert/strict"
import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { after, before, test } from "node:test"
import { BrokerProcess } from "../support/broker-process.ts"
import { eventually } from "../support/eventually.ts"
import { temporaryDirectory } from "../support/temporary-directory.ts"
import { openUi, startUi, unexpected, visit } from "../support/ui.ts"
import type { Ui } from "../support/ui.ts"

let ui: Ui
let origin = ""

before(async () => {
  ui = await startUi({ logLevel: "info", logFile: "/dev/null" })
  ;({ origin } = ui)
})

after(() => ui.running.close())

const lines = ".log-line"

test("new lines come by themselves, are filtered, held, looked into, and downloaded", async () => {
  const { page, problems } = await openUi(origin, "/logs")
  await page.locator(lines, { hasText: "broker started" }).waitFor()
  await page.locator(".state", { hasText: "live" }).waitFor()
  const log = (name: string): Promise<unknown> =>
    page.request.put(`${origin}/api/queues/%2F/${name}`, { data: {} })
  await log("logged-1")
  const line = page.locator(lines, { hasText: "logged-1" })
  await line.waitFor()
  await line.click()
  await page.locator(".log-details").getByText("logged-1").waitFor()
  await page.getByRole("button", { name: "Close the details" }).click()

  await page.getByRole("searchbox", { name: "Search the log" }).fill("LOGGED-")
  await page.locator(lines, { hasText: "broker started" }).waitFor({ state: "detached" })
  assert.match(page.url(), /text=LOGGED-/)
  await page.getByRole("button", { name: "error" }).click()
  await page.getByText("No lines match").waitFor()
  await page.getByRole("button", { name: "Clear the filter" }).click()
  await page.locator(lines, { hasText: "broker started" }).waitFor()

  await page.getByRole("button", { name: "Pause" }).click()
  await log("logged-2")
  await page.getByRole("button", { name: "Go on (1 new)" }).waitFor()
  assert.equal(await page.locator(lines, { hasText: "logged-2" }).count(), 0)
  await page.getByRole("button", { name: "Go on" }).click()
  await page.locator(lines, { hasText: "logged-2" }).waitFor()

  const [download] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("link", { name: "Download" }).click(),
  ])
  assert.match(await readFile(await download.path(), "utf8"), /logged-2/)
  await page.getByRole("button", { name: "Clear" }).click()
  await page.getByText("Nothing has been logged yet").waitFor()

  const written = page.getByLabel("Level from which lines are written")
  assert.equal(await written.inputValue(), "info")
  await written.selectOption("error")
  await page.getByText("The log is written from error on").waitFor()
  await log("silent")
  assert.equal(await written.inputValue(), "error")
  await written.selectOption("info")
  await page.getByText("The log is written from info on").waitFor()
  await log("loud")
  await page.locator(lines, { hasText: "loud" }).waitFor()
  assert.equal(await page.locator(lines, { hasText: "silent" }).count(), 0)
  assert.deepEqual(unexpected(problems), [])
})

const event = (text: string): string =>
  `data: ${JSON.stringify({ time: "2026-01-01T00:00:00.000Z", level: "info", source: "test", text, fields: {} })}\n\n`

test("many lines stay few in the document; scrolling up holds the view, the end follows again", async () => {
  const { page } = await openUi(origin, "/")
  const { promise: asked, resolve: more } = Promise.withResolvers<void>()
  let requestCount = 0
  await page.route("**/api/livelog*", async (route) => {
    const isFirst = requestCount++ === 0
    if (!isFirst) await asked
    const texts = isFirst
      ? Array.from({ length: 6000 }, (_, i) => `many-${String(i)}`)
      : ["while-held"]
    await route.fulfill({
      contentType: "text/event-stream",
      body: `retry: ${isFirst ? "10" : "600000"}\n${texts.map(event).join("")}`,
    })
  })
  await visit(page, origin, "/logs")
  await page.locator(lines, { hasText: "many-5999" }).waitFor()
  await page.getByText("5,000 of 5,000 lines").waitFor()
  assert.ok((await page.locator(lines).count()) < 100)
  await page.getByText("Following the newest line").waitFor()
  await page.getByRole("button", { name: "Oldest" }).click()
  await page.getByText("Held where you are").waitFor()
  await page.locator(lines, { hasText: "many-1000" }).first().waitFor()
  more()
  await page.locator(lines, { hasText: "many-1001" }).first().waitFor()
  assert.equal(await page.locator(lines, { hasText: "while-held" }).count(), 0)
  await page.getByRole("button", { name: "Newest" }).click()
  await page.locator(lines, { hasText: "while-held" }).waitFor()
  await page.getByText("Following the newest line").waitFor()
})

test("after the session has ended a login opens the stream again, without lines twice", async () => {
  const { page } = await openUi(origin, "/logs")
  await page.locator(lines).first().waitFor()
  await page.context().clearCookies()
  // The stream that is open stays; a new one needs a login.
  await page.reload()
  await page.getByLabel("User name").fill("guest")
  await page.getByLabel("Password").fill("guest")
  await page.getByRole("button", { name: "Log in" }).click()
  await page.locator(".state", { hasText: "live" }).waitFor()
  await page.getByRole("button", { name: "Oldest" }).click()
  await page.locator(lines, { hasText: "broker started" }).waitFor()
  assert.equal(await page.locator(lines, { hasText: "broker started" }).count(), 1)
})

test("an alarm stands above every page until it is over", async () => {
  const { alarms } = ui.running.broker
  const { page } = await openUi(origin, "/queues")
  alarms.set("memory", true)
  await page.reload()
  const banner = page.getByRole("alert").filter({ hasText: "Alarm: memory" })
  await banner.waitFor()
  await visit(page, origin, "/users")
  await banner.waitFor()
  alarms.set("memory", false)
  await page.reload()
  await page.getByRole("heading", { level: 1 }).waitFor()
  await page.locator(".loading").first().waitFor({ state: "detached" })
  await banner.waitFor({ state: "detached" })
})

test("a broker that is killed is missed, and found again when it is back", async (context) => {
  const dataDirectory = join(temporaryDirectory(context), "data")
  const start = (httpPort: number): Promise<BrokerProcess> =>
    BrokerProcess.start({ dataDirectory, flags: ["--http-port", String(httpPort)] })
  let process = await start(0)
  context.after(() => process.stop())
  const [, port = ""] =
    (await process.waitForOutput(/Management on http:\/\/127\.0\.0\.1:(\d+)/)) ?? []
  const url = `http://127.0.0.1:${port}`
  const { page } = await openUi(url, "/queues")
  await page.request.put(`${url}/api/queues/%2F/kept`, { data: { durable: true } })
  await page.getByRole("button", { name: "Refresh now" }).click()
  await page.getByRole("link", { name: "kept" }).waitFor()
  await process.stop("SIGKILL")
  await page.getByText("Connection lost.").waitFor()
  // What was there stays in sight.
  assert.equal(await page.getByRole("link", { name: "kept" }).count(), 1)
  process = await start(Number(port))
  await process.waitForOutput(/Management on/)
  await page.getByRole("button", { name: "Try now" }).click()
  // Sessions do not outlive the broker: the login comes over the page.
  const again = page.getByRole("dialog", { name: "Log in again" })
  await again.getByLabel("Password").fill("guest")
  await again.getByRole("button", { name: "Log in" }).click()
  await again.waitFor({ state: "detached" })
  await page.getByText("Connection lost.").waitFor({ state: "detached" })
  await page.request.put(`${url}/api/queues/%2F/fresh`, { data: { durable: true } })
  await eventually(async () => {
    assert.equal(await page.getByRole("link", { name: "fresh" }).count(), 1)
  })
})
