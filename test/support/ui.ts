/**
 * The management UI for tests in a browser: a broker with it, pages that are logged in, with everything that a page
 * must not do in `problems` (also breaches of the content policy), and clients that make traffic.
 */
import assert from "node:assert/strict"
import { existsSync } from "node:fs"
import { connect } from "amqplib"
import type { ChannelModel } from "amqplib"
import type { Locator, Page } from "playwright-core"
import { buildUi } from "../../scripts/build-ui.ts"
import { startBroker } from "../../src/server/start-broker.ts"
import type { BrokerStartOptions, RunningBroker } from "../../src/server/start-broker.ts"
import { openPage } from "./browser.ts"

export interface Ui {
  readonly running: RunningBroker
  /** `http://127.0.0.1:40000` */
  readonly origin: string
  /** Logged in as guest, at this address behind the #. */
  open(path: string): Promise<UiPage>
  /** An AMQP connection that is closed at the end, with the name that the client gives itself. */
  client(name?: string): Promise<ChannelModel>
  close(): Promise<void>
}

export interface UiPage {
  readonly page: Page
  readonly problems: string[]
}

/** Builds the UI if that has not been done. */
export async function startUi(options: BrokerStartOptions = {}): Promise<Ui> {
  if (!existsSync("dist/ui/manifest.json")) await buildUi()
  const running = await startBroker({
    ...options,
    amqp: { host: "127.0.0.1", port: 0 },
    http: { host: "127.0.0.1", port: 0 },
  })
  const origin = `http://127.0.0.1:${String(running.http?.port)}`
  const clients: ChannelModel[] = []
  return {
    running,
    origin,
    open: (path) => openUi(origin, path),
    async client(name) {
      const client = await connect(`amqp://guest:guest@127.0.0.1:${String(running.amqpPort)}`, {
        clientProperties: name === undefined ? {} : { connection_name: name },
      })
      client.on("error", () => {})
      clients.push(client)
      return client
    },
    async close() {
      for (const client of clients) await client.close().catch(() => {}) // A test may have closed it.
      await running.close()
    },
  }
}

const REPORT_BREACHES = `addEventListener("securitypolicyviolation", (event) =>
  console.error("policy: " + event.violatedDirective + " " + event.blockedURI))`

/** With the cookie of a login, on `/users` or another page. */
export async function openUi(origin: string, path = "/", user = "guest"): Promise<UiPage> {
  const { page, problems } = await openPage()
  await page.addInitScript(REPORT_BREACHES)
  await page.setViewportSize({ width: 1280, height: 860 })
  const answer = await page.request.post(`${origin}/api/login`, {
    data: { username: user, password: user },
  })
  assert.equal(answer.status(), 200)
  await visit(page, origin, path)
  return { page, problems }
}

export async function visit(page: Page, origin: string, path: string): Promise<void> {
  await page.goto(`${origin}/#${path}`)
  await page.getByRole("heading", { level: 1 }).waitFor()
}

/** JSON of the API, with the session of the page. */
export async function ask<T>(page: Page, origin: string, path: string): Promise<T> {
  const answer = await page.request.get(`${origin}/api/${path}`)
  return answer.json()
}

/** Types what a dialog wants to have typed, and goes on. */
export async function confirmTyped(page: Page, typed: string, action: string): Promise<void> {
  const dialog = page.getByRole("dialog")
  const button = dialog.getByRole("button", { name: action, exact: true })
  assert.equal(await button.isEnabled(), false)
  await dialog.getByLabel(`Type ${typed} to go on`).fill(typed)
  await button.click()
}

/** The row of a table that has this text. */
export function rowOf(page: Page | Locator, text: string): Locator {
  return page.locator("tbody tr", { hasText: text })
}

/** Answers with an error are lines of the console, too: those that a test provokes are no problem. */
export function unexpected(
  problems: readonly string[],
  statuses: readonly number[] = [],
): string[] {
  return problems.filter(
    (text) => !statuses.some((status) => text.includes(`status of ${String(status)}`)),
  )
}
