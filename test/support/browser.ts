/**
 * A real browser for tests: Debian's Chromium without a window, driven by playwright-core. One per test
 * file; when the file's tests are over it is closed, with every server that was made here. Nothing but
 * loopback is asked for anything.
 */
import assert from "node:assert/strict"
import { existsSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { after } from "node:test"
import { chromium } from "playwright-core"
import type { Browser, Page } from "playwright-core"

const EXECUTABLE = ["/usr/bin/chromium", "/usr/bin/chromium-browser"]

const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--disable-dev-shm-usage",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
]

/** A slow machine may take its time for the first page. */
const LAUNCH_TIMEOUT_MS = 60_000

export interface Content {
  readonly type: string
  readonly body: string | Uint8Array
}

export interface PageServer {
  /** `http://127.0.0.1:40000` */
  readonly origin: string
  readonly port: number
}

let launched: Promise<Browser> | null = null
const closers: (() => Promise<void>)[] = []

after(async () => {
  await (await launched)?.close()
  for (const close of closers) await close()
})

export function browser(): Promise<Browser> {
  const executablePath = EXECUTABLE.find((path) => existsSync(path))
  assert.ok(executablePath !== undefined, "no chromium: apt-get install chromium")
  launched ??= chromium.launch({ executablePath, args: FLAGS, timeout: LAUNCH_TIMEOUT_MS })
  return launched
}

/**
 * A page of its own: no cookies or passwords of other pages. Errors that it does not catch, and
 * lines on its console that are errors, are kept in `problems`.
 */
export async function openPage(): Promise<{ readonly page: Page; readonly problems: string[] }> {
  const context = await (await browser()).newContext()
  const page = await context.newPage()
  const problems: string[] = []
  page.on("pageerror", (error) => problems.push(error.message))
  page.on("console", (message) => {
    if (message.type() === "error") problems.push(message.text())
  })
  return { page, problems }
}

/** Serves these paths on a free port of 127.0.0.1, and 404 for everything else. */
export async function servePages(pages: Readonly<Record<string, Content>>): Promise<PageServer> {
  const server = createServer((request, response) => {
    const path = (request.url ?? "/").split("?")[0] ?? "/"
    const content = Object.hasOwn(pages, path) ? pages[path] : undefined
    if (content === undefined) response.writeHead(404).end()
    else response.writeHead(200, { "content-type": content.type }).end(content.body)
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  closers.push(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- It listens on TCP.
  const { port } = server.address() as AddressInfo
  return { origin: `http://127.0.0.1:${port}`, port }
}
