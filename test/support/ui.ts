/** Pages of the management UI for tests: logged in, with everything that a page must not do in `problems`. */
import assert from "node:assert/strict"
import { existsSync } from "node:fs"
import type { Locator, Page } from "playwright-core"
import { buildUi } from "../../scripts/build-ui.ts"
import { startBroker } from "../../src/server/start-broker.ts"
import type { BrokerStartOptions, RunningBroker } from "../../src/server/start-broker.ts"
import { openPage } from "./browser.ts"

export interface Ui {
  readonly running: RunningBroker
  /** `http://127.0.0.1:40000` */
  readonly origin: string
}

export interface UiPage {
  readonly page: Page
  readonly problems: readonly string[]
}

/** Builds the UI if that has not been done. */
export async function startUi(options: BrokerStartOptions = {}): Promise<Ui> {
  if (!existsSync("dist/ui/manifest.json")) await buildUi()
  const running = await startBroker({ ...options, amqp: { port: 0 }, http: { port: 0 } })
  return { running, origin: `http://127.0.0.1:${String(running.http?.port)}` }
}

/** With the cookie of a login, on `/users` or another page. Violations of the content policy are problems. */
export async function openUi(origin: string, path = "/", user = "guest"): Promise<UiPage> {
  const { page, problems } = await openPage()
  await page.addInitScript(
    `addEventListener("securitypolicyviolation", (event) => console.error("policy: " + event.violatedDirective))`,
  )
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
