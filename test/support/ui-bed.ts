/**
 * A broker with the management UI for tests in a browser: pages that are logged in, what goes wrong on them
 * (also breaches of the content policy), and clients that make traffic. The UI is built if it is not there.
 */
import { existsSync } from "node:fs"
import { connect } from "amqplib"
import type { ChannelModel } from "amqplib"
import type { Page } from "playwright-core"
import { buildUi } from "../../scripts/build-ui.ts"
import { startBroker } from "../../src/server/start-broker.ts"
import type { RunningBroker } from "../../src/server/start-broker.ts"
import { openPage } from "./browser.ts"

export interface UiPage {
  readonly page: Page
  readonly problems: string[]
}

export interface UiBed {
  readonly running: RunningBroker
  readonly origin: string
  /** Logged in as guest, at this address behind the #. */
  open(path: string): Promise<UiPage>
  /** An AMQP connection that is closed at the end, with the name that the client gives itself. */
  client(name?: string): Promise<ChannelModel>
  close(): Promise<void>
}

const REPORT_BREACHES = `addEventListener("securitypolicyviolation", (event) =>
  console.error("policy: " + event.violatedDirective + " " + event.blockedURI))`

export async function startUi(): Promise<UiBed> {
  if (!existsSync("dist/ui/manifest.json")) await buildUi()
  const running = await startBroker({
    amqp: { host: "127.0.0.1", port: 0 },
    http: { host: "127.0.0.1", port: 0 },
  })
  const origin = `http://127.0.0.1:${String(running.http?.port)}`
  const clients: ChannelModel[] = []
  return {
    running,
    origin,
    async open(path) {
      const { page, problems } = await openPage()
      await page.addInitScript(REPORT_BREACHES)
      await page.setViewportSize({ width: 1280, height: 860 })
      await page
        .context()
        .request.post(`${origin}/api/login`, { data: { username: "guest", password: "guest" } })
      await page.goto(`${origin}/#${path}`)
      await page.getByRole("heading", { level: 1 }).waitFor()
      return { page, problems }
    },
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
