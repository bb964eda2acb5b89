/**
 * Pictures of pages of the management UI.
 *
 *   node scripts/screenshot-ui.ts URL FOLDER PATH...   of a broker that runs: logs in as guest and takes each path,
 *                                                      such as /queues, in both themes and two widths
 *   node scripts/screenshot-ui.ts --demo [FOLDER]      those of the documents, of a broker with demo traffic, to
 *                                                      docs/images/ui
 */
import { mkdirSync, statSync } from "node:fs"
import { join } from "node:path"
import { chromium } from "playwright-core"
import type { Browser, Page } from "playwright-core"
import { buildUi } from "./build-ui.ts"
import { startDemo } from "./demo-broker.ts"

interface View {
  readonly name: string
  readonly theme: "light" | "dark"
  readonly width: number
  readonly height: number
}

const VIEWS: readonly View[] = [
  { name: "light-1280", theme: "light", width: 1280, height: 860 },
  { name: "dark-1280", theme: "dark", width: 1280, height: 860 },
  { name: "light-390", theme: "light", width: 390, height: 844 },
  { name: "dark-390", theme: "dark", width: 390, height: 844 },
]

interface DemoPicture {
  readonly file: string
  readonly path: string
  readonly theme: "light" | "dark"
  readonly width: number
  readonly height: number
}

/** What docs/ui.md and README.md show. */
const DEMO_PICTURES: readonly DemoPicture[] = [
  { file: "overview", path: "/", theme: "light", width: 1280, height: 860 },
  { file: "queues", path: "/queues", theme: "light", width: 1280, height: 640 },
  { file: "queue", path: "/queues/shop/orders.new", theme: "light", width: 1280, height: 860 },
  { file: "topology", path: "/topology?vhost=shop", theme: "dark", width: 1280, height: 760 },
  { file: "node", path: "/nodes", theme: "dark", width: 1280, height: 860 },
  { file: "logs", path: "/logs", theme: "dark", width: 1280, height: 560 },
  { file: "phone", path: "/queues", theme: "light", width: 390, height: 780 },
]

/** Charts show ten minutes: so much of it is filled. */
const WARM_UP_MS = 90_000
const PICTURE_BYTES_MAX = 150 * 1024

async function openPage(
  browser: Browser,
  url: string,
  view: { theme: "light" | "dark"; width: number; height: number; vhost?: string },
): Promise<Page> {
  const { width, height, theme, vhost } = view
  const context = await browser.newContext({ viewport: { width, height }, colorScheme: theme })
  const page = await context.newPage()
  page.on("console", (message) => {
    if (message.type() === "error")
      console.error(`${theme} ${String(width)}: ${page.url()}: ${message.text()}`)
  })
  page.on("pageerror", (error) =>
    console.error(`${theme} ${String(width)}: ${page.url()}: ${error.message}`),
  )
  await context.request.post(`${url}/api/login`, { data: { username: "guest", password: "guest" } })
  if (vhost !== undefined)
    await page.addInitScript(
      `localStorage.setItem("sluice.vhost", ${JSON.stringify(JSON.stringify(vhost))})`,
    )
  return page
}

async function show(page: Page, url: string, path: string): Promise<void> {
  await page.goto(`${url}/#${path}`)
  await page.waitForSelector("h1")
  await page.locator(".loading").first().waitFor({ state: "detached" })
  await page.evaluate("document.fonts.ready.then(() => null)")
}

async function takeAll(url: string, folder: string, paths: readonly string[]): Promise<void> {
  const browser = await launch()
  for (const view of VIEWS) {
    const page = await openPage(browser, url, view)
    const { width, height, name } = view
    for (const path of paths) {
      await show(page, url, path)
      const file = `${path.replace(/\W+/g, "-").replace(/^-|-$/g, "") || "overview"}-${name}.png`
      await page.screenshot({
        path: join(folder, file),
        clip: { x: 0, y: 0, width, height: width < 600 ? 1900 : height },
        fullPage: true,
      })
    }
    await page.context().close()
  }
  await browser.close()
}

async function takeDemo(folder: string): Promise<void> {
  await buildUi()
  const demo = await startDemo()
  console.log(`traffic for ${String(WARM_UP_MS / 1000)} s at ${demo.url} ...`)
  await new Promise((resolve) => setTimeout(resolve, WARM_UP_MS))
  const browser = await launch()
  for (const { file, path, ...view } of DEMO_PICTURES) {
    const vhost = path === "/" || path === "/nodes" ? undefined : "shop"
    const page = await openPage(browser, demo.url, {
      ...view,
      ...(vhost !== undefined && { vhost }),
    })
    await show(page, demo.url, path)
    // A second answer, so that rates are there.
    await page.keyboard.press("r")
    await page.waitForTimeout(6000)
    const target = join(folder, `${file}.png`)
    await page.screenshot({ path: target })
    const { size } = statSync(target)
    console.log(`${target}: ${(size / 1024).toFixed(0)} KiB`)
    if (size > PICTURE_BYTES_MAX) {
      console.error(`${target} is too large`)
      process.exitCode = 1
    }
    await page.context().close()
  }
  await browser.close()
  await demo.close()
}

function launch(): Promise<Browser> {
  return chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] })
}

const [first = "", folder = "", ...paths] = process.argv.slice(2)
if (first === "--demo") {
  const target = folder === "" ? "docs/images/ui" : folder
  mkdirSync(target, { recursive: true })
  await takeDemo(target)
} else if (first === "" || folder === "" || paths.length === 0) {
  console.error("usage: node scripts/screenshot-ui.ts URL FOLDER PATH...")
  console.error("       node scripts/screenshot-ui.ts --demo [FOLDER]")
  process.exitCode = 2
} else {
  mkdirSync(folder, { recursive: true })
  await takeAll(first, folder, paths)
}
