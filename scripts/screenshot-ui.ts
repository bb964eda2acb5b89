/**
 * Pictures of pages of the management UI: `node scripts/screenshot-ui.ts URL FOLDER PATH...` logs in as guest
 * and takes each path, such as /queues, in both themes and two widths. For looking at, and for the documents.
 */
import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { chromium } from "playwright-core"
import type { Browser } from "playwright-core"

const VIEWS = [
  { name: "light-1280", theme: "light", width: 1280, height: 860 },
  { name: "dark-1280", theme: "dark", width: 1280, height: 860 },
  { name: "light-390", theme: "light", width: 390, height: 844 },
  { name: "dark-390", theme: "dark", width: 390, height: 844 },
] as const

const [url = "", folder = "", ...paths] = process.argv.slice(2)
if (url === "" || folder === "" || paths.length === 0) {
  console.error("usage: node scripts/screenshot-ui.ts URL FOLDER PATH...")
  process.exit(2)
}

async function takeAll(browser: Browser, view: (typeof VIEWS)[number]): Promise<void> {
  const { width, height, theme, name } = view
  const context = await browser.newContext({ viewport: { width, height }, colorScheme: theme })
  const page = await context.newPage()
  page.on("console", (message) => {
    if (message.type() === "error") console.error(`${name}: ${message.text()}`)
  })
  page.on("pageerror", (error) => console.error(`${name}: ${error.message}`))
  await context.request.post(`${url}/api/login`, { data: { username: "guest", password: "guest" } })
  for (const path of paths) {
    await page.goto(`${url}/#${path}`)
    await page.waitForSelector("h1")
    await page.locator(".loading").first().waitFor({ state: "detached" })
    await page.evaluate("document.fonts.ready.then(() => null)")
    const file = `${path.replace(/\W+/g, "-").replace(/^-|-$/g, "") || "overview"}-${name}.png`
    await page.screenshot({
      path: join(folder, file),
      clip: { x: 0, y: 0, width, height: width < 600 ? 1900 : height },
      fullPage: true,
    })
  }
  await context.close()
}

mkdirSync(folder, { recursive: true })
const browser = await chromium.launch({
  executablePath: "/usr/bin/chromium",
  args: ["--no-sandbox"],
})
for (const view of VIEWS) await takeAll(browser, view)
await browser.close()
